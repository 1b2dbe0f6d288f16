//! Runs programs as a user runs them.

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::{KEY, REGION, SECRET, TOKEN, in_time};

/// A program with an empty environment; its path is `env!("CARGO_BIN_EXE_NAME")`. It ends when it is dropped.
pub fn program(path: &str) -> Command {
    let mut command = Command::new(path);
    command.env_clear().kill_on_drop(true);
    command
}

/// A program with the keys of [`role`](crate::role) in its environment, as Lambda sets them.
pub fn with_role(path: &str) -> Command {
    let mut command = program(path);
    command
        .env("AWS_ACCESS_KEY_ID", KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_SESSION_TOKEN", TOKEN)
        .env("AWS_REGION", REGION);
    command
}

/// Exit code and output of a program.
#[derive(Debug)]
pub struct ProgramOutput {
    /// The exit code.
    pub code: i32,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

/// Runs a program without input.
///
/// # Panics
/// If it cannot be run, is ended by a signal, or writes what is not UTF-8.
pub async fn run(command: &mut Command) -> ProgramOutput {
    run_with_input(command, b"").await
}

/// Runs a program with this as standard input.
///
/// # Panics
/// As [`run`].
pub async fn run_with_input(command: &mut Command, input: &[u8]) -> ProgramOutput {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Fails if the program ended without reading its input.
    let _ = stdin.write_all(input).await;
    drop(stdin);
    let Output { status, stdout, stderr } = in_time(child.wait_with_output()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    ProgramOutput { code: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
}

/// Fails if a message names a method (`.method(…)`), a path (`Type::item`) or the builder of the library: its reader
/// runs a program, and has only the program's options.
///
/// # Panics
/// If it does.
#[track_caller]
pub fn assert_names_no_library_item(message: &str) {
    let calls = message.match_indices('(').filter(|(at, _)| {
        let method = message[..*at].rsplit(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap();
        !method.is_empty() && message[..*at - method.len()].ends_with('.')
    });
    assert_eq!(calls.count(), 0, "{message}");
    for item in ["builder", "PayloadMode", "AwsChunked", "SigningSettings", "Signer", "SkipSigning"] {
        assert!(!message.contains(item), "{message}");
    }
}

/// Arguments and environment of a program that fails, and what its standard error contains.
pub type Failing =
    (&'static [&'static str], &'static [(&'static str, &'static str)], &'static [&'static str]);

/// A path for one test to write or read, where nothing is.
pub fn temporary_file(name: &str) -> PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("sigv4-{}-{number}-{name}", std::process::id()))
}
