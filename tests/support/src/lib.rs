//! What the tests of the examples share with each other and with the crate's own: programs that are run as a user runs
//! them, servers on loopback, and keys.
#![allow(clippy::unwrap_used, clippy::must_use_candidate, reason = "helpers of tests are tests")]

mod keys;
pub mod ministack;
mod program;
pub mod s3s;
mod secrets;
mod server;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(feature = "verified")]
pub mod verified;

use std::time::Duration;

pub use keys::{KEY, REGION, SECRET, TOKEN, gateway, role};
pub use program::{
    Failing, ProgramOutput, assert_names_no_library_item, program, run, run_with_input, temporary_file,
    with_role,
};
pub use secrets::{SECRET_QUERY, assert_fails_without_secrets, assert_without_secrets};
pub use server::{HANDSHAKE, first_byte, read_request, serve};

/// Awaits something that takes milliseconds; a deadlock is a failure, not a hang.
///
/// # Panics
/// If it takes more than a minute.
pub async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("still running after a minute")
}
