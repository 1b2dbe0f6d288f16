//! The example `assume_role`, run as a user would run it.
#![cfg(feature = "aws-config")]

use std::path::PathBuf;
use std::process::{Command, Output};

use super::server::{Keys, Ministack};

/// The example, built as this test was.
fn example() -> PathBuf {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--all-features", "--example", "assume_role"]);
    build.args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    assert!(build.status().expect("cargo runs").success());
    let deps = std::env::current_exe().expect("a test has a file");
    let profile = deps.parent().and_then(|deps| deps.parent()).expect("it lies in target/PROFILE/deps");
    profile.join("examples").join("assume_role")
}

fn run(ministack: &Ministack, keys: &Keys, role: &str) -> Output {
    let setup = &ministack.setup;
    Command::new(example())
        .args([role, &format!("{}/items", setup.api_url), "execute-api"])
        .env_clear()
        .env("AWS_ACCESS_KEY_ID", &keys.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &keys.secret_access_key)
        .env("AWS_REGION", &setup.region)
        .env("AWS_ENDPOINT_URL", &setup.endpoint)
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .output()
        .expect("the example runs")
}

#[tokio::test]
async fn a_call_that_only_the_role_may_make() {
    let Some(ministack) = Ministack::shared() else { return };
    let setup = &ministack.setup;
    let without = super::call(setup, &setup.assumer).await;
    assert_eq!(without.status(), 403, "the user itself may not");

    let with = run(ministack, &setup.assumer, &setup.role_arn);
    let text = String::from_utf8_lossy(&with.stdout);
    assert!(with.status.success(), "{}", String::from_utf8_lossy(&with.stderr));
    assert!(text.starts_with("200 OK\n") && text.contains("/echo"), "{text}");

    let stranger = run(ministack, &setup.stranger, &setup.role_arn);
    assert!(!stranger.status.success(), "{}", String::from_utf8_lossy(&stranger.stdout));
    let error = String::from_utf8_lossy(&stranger.stderr);
    assert!(error.contains("not authorized to perform: sts:AssumeRole"), "{error}");
}
