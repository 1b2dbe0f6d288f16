//! Runs the built examples as their users do: as programs, against servers on loopback.

mod curl;
mod lambda;
mod proxy;
mod quickstart;
mod s3_upload;
mod websocket;

use std::path::PathBuf;
use std::process::{Output, Stdio};

use sigv4_middleware::IamGateway;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::support::{KEY, REGION, SECRET, TOKEN, in_time, role};

/// A gateway that lets in the role whose environment [`with_role`] gives.
async fn gateway() -> IamGateway {
    IamGateway::builder().credentials(role()).region(REGION).start().await.unwrap()
}

/// A built example, with nothing in its environment.
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

/// A built example, with the environment of a Lambda function's role.
fn with_role(name: &str) -> Command {
    let mut command = example(name);
    command
        .env("AWS_ACCESS_KEY_ID", KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_SESSION_TOKEN", TOKEN)
        .env("AWS_REGION", REGION);
    command
}

/// What a program that ended said.
struct Said {
    code: i32,
    out: String,
    err: String,
}

async fn run(command: &mut Command) -> Said {
    run_with_input(command, b"").await
}

async fn run_with_input(command: &mut Command, input: &[u8]) -> Said {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A program that does not read its input may have ended by now.
    let _ = stdin.write_all(input).await;
    drop(stdin);
    let Output { status, stdout, stderr } = in_time(child.wait_with_output()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: status.code().unwrap(), out: text(stdout), err: text(stderr) }
}

/// A file for one test to write or read.
fn file(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

/// What a connection by TLS begins with: a record of type handshake.
const HANDSHAKE: u8 = 22;

/// The first byte of the first connection to a port, which is then closed.
async fn first_byte(listener: TcpListener) -> u8 {
    let (mut stream, _) = in_time(listener.accept()).await.unwrap();
    in_time(stream.read_u8()).await.unwrap()
}
