//! Runs the built examples as programs, against servers on loopback.

mod proxy;

use std::path::PathBuf;

use sigv4_middleware::IamGateway;
use sigv4_test_support::{Failing, ProgramOutput, assert_names_no_library_item, run, run_with_input};
use tokio::process::Command;

/// A gateway that accepts the role of [`with_role`].
async fn gateway() -> IamGateway {
    sigv4_test_support::gateway("execute-api").await
}

/// The path of a built example.
fn path(name: &str) -> String {
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
    path.into_os_string().into_string().unwrap()
}

/// A built example with an empty environment.
fn example(name: &str) -> Command {
    sigv4_test_support::program(&path(name))
}

/// A built example with a role's credentials in its environment, as Lambda sets them.
fn with_role(name: &str) -> Command {
    sigv4_test_support::with_role(&path(name))
}

/// A file for one test to write or read.
fn file(name: &str) -> PathBuf {
    sigv4_test_support::temporary_file(name)
}
