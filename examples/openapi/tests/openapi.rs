//! The program as a user runs it: the generated client's requests reach an API that verifies signatures.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use http::Response;
use sigv4_test_support::{
    REGION, SECRET, TOKEN, assert_names_no_library_item, gateway, program, run, with_role,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_openapi");

const ORDER: &str = r#"{"id":"7","item":"tea","quantity":2,"status":"open"}"#;

#[tokio::test]
async fn every_call_is_signed_and_its_response_read() {
    let calls: [(&[&str], &str, &str, String); 3] = [
        (&["list", "--status", "open"], "GET", "/prod/orders?status=open", format!("[{ORDER}]")),
        (&["get", "a/b c"], "GET", "/prod/orders/a%2Fb+c", ORDER.to_owned()),
        (&["create", "tea", "2"], "POST", "/prod/orders", ORDER.to_owned()),
    ];
    for (arguments, method, target, response) in calls {
        let gateway = gateway("execute-api").await;
        let json = Response::builder().header("content-type", "application/json");
        gateway.respond_with(json.body(response.into()).unwrap());
        let url = format!("{}/prod/", gateway.url());
        let output = run(with_role(PROGRAM).args(["--url", &url]).args(arguments)).await;
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{arguments:?}");
        let lines: Vec<_> = output.stdout.lines().collect();
        assert!(lines[0].starts_with("Calls http://127.0.0.1:"), "{lines:?}");
        assert_eq!(lines[1], "7: 2 x tea, open");
        assert!(lines[2].starts_with("Next: generate a client for your own API"), "{lines:?}");
        let [received] = gateway.requests().try_into().unwrap();
        assert_eq!((received.status.as_u16(), received.method.as_str()), (200, method));
        assert_eq!(received.target, target);
        if method == "POST" {
            assert_eq!(&received.body[..], br#"{"item":"tea","quantity":2}"#);
        }
    }
}

#[tokio::test]
async fn a_refusal_is_the_callers() {
    let gateway = gateway("execute-api").await;
    let mut command = with_role(PROGRAM);
    let output =
        run(command.env("AWS_SECRET_ACCESS_KEY", "wrong").args(["--url", &gateway.url(), "list"])).await;
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("refused with 403 InvalidSignatureException"), "{}", output.stderr);
    assert!(output.stderr.contains("what to do: "), "{}", output.stderr);
    assert!(!output.stderr.contains(TOKEN), "{}", output.stderr);
}

#[tokio::test]
async fn bad_arguments_are_told_apart_from_failures() {
    let bad: [(&[&str], &str); 5] = [
        (&[], "Usage: openapi"),
        (&["create", "tea", "two"], "two"),
        (&["--url", "orders", "list"], "--url"),
        (&["--url", "https://orders.example.com", "list"], "--region NAME"),
        (&["--region", "eu-north-1", "list"], "leave out --region NAME"),
    ];
    for (arguments, message) in bad {
        let output = run(with_role(PROGRAM).env_remove("AWS_REGION").args(arguments)).await;
        assert_eq!(output.code, 2, "{arguments:?}: {}", output.stderr);
        assert!(output.stderr.contains(message), "{arguments:?}: {}", output.stderr);
        assert_names_no_library_item(&output.stderr);
        assert!(!output.stderr.contains(SECRET), "{}", output.stderr);
    }
    let output = run(program(PROGRAM).args(["--region", REGION, "list"])).await;
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("export AWS_ACCESS_KEY_ID"), "{}", output.stderr);
}
