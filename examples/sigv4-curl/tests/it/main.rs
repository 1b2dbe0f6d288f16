//! Runs `sigv4-curl` as a user runs it, against servers on loopback.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod between;
mod credentials;
mod doctor;
mod errors;
mod exit_codes;
mod interop;
mod like_curl;
mod output;
mod recorder;
mod requests;
mod signing;

use tokio::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_sigv4-curl");

/// The program without any credentials: nothing in its environment, no file, no metadata service.
fn bare() -> Command {
    let mut command = sigv4_test_support::program(PROGRAM);
    without_sources(&mut command);
    command
}

/// The program with a role's keys in its environment.
fn with_role() -> Command {
    let mut command = sigv4_test_support::with_role(PROGRAM);
    without_sources(&mut command);
    command
}

/// No credentials but those of the environment.
fn without_sources(command: &mut Command) {
    command
        .env("HOME", "/nonexistent")
        .env("AWS_CONFIG_FILE", "/nonexistent/config")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials")
        .env("AWS_EC2_METADATA_DISABLED", "true");
}

/// With the role's keys and the gateway's service, which cannot be inferred from 127.0.0.1.
fn curl(arguments: &[&str]) -> Command {
    let mut command = with_role();
    command.args(["--service", "execute-api"]).args(arguments);
    command
}
