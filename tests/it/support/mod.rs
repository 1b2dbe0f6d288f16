//! What the tests share: keys, gateways, a fake credentials provider, servers, and the ways of sending a request.

mod clients;
mod events;
mod gateways;
mod keys;
mod provider;
mod recorder;
mod seen;
mod server;

pub(crate) use clients::*;
pub(crate) use events::{Events, Said};
pub(crate) use gateways::*;
pub(crate) use keys::*;
pub(crate) use provider::FakeProvider;
pub(crate) use recorder::Recorder;
pub(crate) use seen::Seen;
pub(crate) use server::*;
pub(crate) use sigv4_test_support::tls::{TlsGateway, client_config, root_certificate};

use std::process::Command;
use std::time::Duration;

use sigv4_middleware::{BoxError, Error};

/// The crate's error in what an integration returned.
#[track_caller]
pub(crate) fn found(error: &BoxError) -> &Error {
    Error::find(error.as_ref()).unwrap_or_else(|| panic!("no error of this crate in {error:?}"))
}

/// Awaits something that takes milliseconds; a deadlock is a failure, not a hang.
pub(crate) async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("still running after a minute")
}

/// Runs one test of this binary in a process of its own. `module` is the `module_path!()` of the test.
pub(crate) fn rerun(module: &str, test: &str) -> Command {
    let (_, module) = module.split_once("::").unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("{module}::{test}")]);
    command
}
