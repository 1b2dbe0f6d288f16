//! Runs the built examples as programs, against servers on loopback.

mod curl;
mod lambda;
mod quickstart;
mod s3_upload;
mod secrets;
mod websocket;

use std::path::PathBuf;
use std::process::{Output, Stdio};

use sigv4_middleware::IamGateway;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::support::{KEY, REGION, SECRET, TOKEN, in_time, role};

/// A gateway that accepts the role of [`with_role`].
async fn gateway() -> IamGateway {
    IamGateway::builder().credentials(role()).region(REGION).start().await.unwrap()
}

/// A built example with an empty environment.
fn example(name: &str) -> Command {
    // target/debug/deps/it-… -> target/debug/examples/NAME
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples");
    path.push(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.exists(),
        "{} is not built: `cargo build --examples --all-features` or a whole `cargo test` does",
        path.display()
    );
    let mut command = Command::new(path);
    command.env_clear().kill_on_drop(true);
    command
}

/// A built example with a role's credentials in its environment, as Lambda sets them.
fn with_role(name: &str) -> Command {
    let mut command = example(name);
    command
        .env("AWS_ACCESS_KEY_ID", KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_SESSION_TOKEN", TOKEN)
        .env("AWS_REGION", REGION);
    command
}

/// Exit code and output of a program.
struct ProgramOutput {
    code: i32,
    stdout: String,
    stderr: String,
}

async fn run(command: &mut Command) -> ProgramOutput {
    run_with_input(command, b"").await
}

async fn run_with_input(command: &mut Command, input: &[u8]) -> ProgramOutput {
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
#[track_caller]
fn assert_names_no_library_item(message: &str) {
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
type Failing = (&'static [&'static str], &'static [(&'static str, &'static str)], &'static [&'static str]);

/// A file for one test to write or read.
fn file(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

/// The first byte of a TLS connection: the record type of a handshake.
const HANDSHAKE: u8 = 22;

/// The first byte of the first connection, which is then closed.
async fn first_byte(listener: TcpListener) -> u8 {
    let (mut stream, _) = in_time(listener.accept()).await.unwrap();
    in_time(stream.read_u8()).await.unwrap()
}
