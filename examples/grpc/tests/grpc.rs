//! The program as a user runs it, against tonic's own health service behind a server that verifies signatures.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::process::Stdio;

use sigv4_test_support::verified::Verified;
use sigv4_test_support::{
    REGION, SECRET, TOKEN, assert_names_no_library_item, in_time, program, run, with_role,
};
use tokio::io::{AsyncBufReadExt, BufReader};
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, health_reporter};

const PROGRAM: &str = env!("CARGO_BIN_EXE_grpc");

/// A health service that verifies, and what sets its statuses.
async fn service() -> (Verified, HealthReporter) {
    let (reporter, health) = health_reporter();
    let server = Verified::serve("vpc-lattice-svcs", Routes::new(health).into_axum_router()).await;
    (server, reporter)
}

#[tokio::test]
async fn the_status_is_the_exit_code() {
    let (server, reporter) = service().await;
    for (status, code, shown) in
        [(ServingStatus::Serving, 0, "SERVING"), (ServingStatus::NotServing, 1, "NOT_SERVING")]
    {
        reporter.set_service_status("orders.v1.Orders", status).await;
        let output = run(with_role(PROGRAM).args([&server.url(), "orders.v1.Orders"])).await;
        assert_eq!((output.code, output.stderr.as_str()), (code, ""));
        let lines: Vec<_> = output.stdout.lines().collect();
        assert!(lines[0].starts_with("Calls grpc.health.v1.Health/Check of http://127.0.0.1:"), "{lines:?}");
        assert_eq!(lines[1], shown);
        assert!(lines[2].starts_with("Next: give your own client the channel"), "{lines:?}");
    }
    assert_eq!(server.requests(), 2);
}

/// A stream of the server's, whose messages arrive while it is open.
#[tokio::test]
async fn changes_are_printed_when_they_come() {
    let (server, reporter) = service().await;
    reporter.set_service_status("a", ServingStatus::Serving).await;
    let mut command = with_role(PROGRAM);
    let mut child = command.args(["--watch", &server.url(), "a"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = async || in_time(lines.next_line()).await.unwrap().unwrap();
    assert!(next().await.contains("Health/Watch"));
    assert_eq!(next().await, "SERVING");
    reporter.set_service_status("a", ServingStatus::NotServing).await;
    assert_eq!(next().await, "NOT_SERVING");
}

#[tokio::test]
async fn a_refusal_says_what_is_needed() {
    let (server, _reporter) = service().await;
    let wrong = run(with_role(PROGRAM).env("AWS_SECRET_ACCESS_KEY", "wrong").arg(server.url())).await;
    assert_eq!((wrong.code, server.requests()), (1, 0));
    assert!(wrong.stderr.contains("vpc-lattice-svcs:Invoke"), "{}", wrong.stderr);
    let other = run(with_role(PROGRAM).args(["--region", "eu-west-1", &server.url()])).await;
    assert_eq!((other.code, server.requests()), (1, 0));
    // The service does not know this name.
    let unknown = run(with_role(PROGRAM).args([&server.url(), "unknown"])).await;
    assert_eq!((unknown.code, server.requests()), (1, 1));
    assert!(unknown.stderr.contains("NotFound"), "{}", unknown.stderr);
    for output in [wrong, other, unknown] {
        assert!(!output.stderr.contains(TOKEN) && !output.stderr.contains(SECRET), "{}", output.stderr);
    }
}

#[tokio::test]
async fn bad_arguments_are_told_apart_from_failures() {
    let bad: [(&[&str], &str); 4] = [
        (&[], "<URL>"),
        (&["orders.example.com"], "not the URL of a service"),
        (&["ftp://orders.example.com"], "not the URL of a service"),
        (&["https://orders.example.com"], "--region NAME"),
    ];
    for (arguments, message) in bad {
        let output = run(with_role(PROGRAM).env_remove("AWS_REGION").args(arguments)).await;
        assert_eq!(output.code, 2, "{arguments:?}: {}", output.stderr);
        assert!(output.stderr.contains(message), "{arguments:?}: {}", output.stderr);
        assert_names_no_library_item(&output.stderr);
    }
    let output = run(program(PROGRAM).args(["--region", REGION, "https://orders.example.com"])).await;
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("export AWS_ACCESS_KEY_ID"), "{}", output.stderr);
    let nobody = run(with_role(PROGRAM).arg("http://127.0.0.1:9")).await;
    assert_eq!(nobody.code, 1);
    assert!(nobody.stderr.contains("because: "), "{}", nobody.stderr);
}
