//! The program as a user runs it.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use sigv4_test_support::{
    SECRET_QUERY, TOKEN, assert_fails_without_secrets, gateway, program, run, serve, with_role,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_quickstart");

#[tokio::test]
async fn one_refusal_and_two_responses() {
    let output = run(&mut program(PROGRAM)).await;

    assert_eq!(output.code, 0, "{}", output.stderr);
    let first = output.stdout.lines().next().unwrap();
    assert!(first.contains(" listens on http://127.0.0.1:"), "{first}");
    let next = output.stdout.split_once("\nNext: ").unwrap().1;
    assert!(next.contains("cargo run -p quickstart --features https -- https://"), "{next}");
    assert!(next.contains("AWS_ACCESS_KEY_ID") && next.contains("Signer::from_env()"), "{next}");
    let responses: Vec<_> = output.stdout.lines().filter_map(|line| line.strip_prefix("  < ")).collect();
    let missing = r#"{"message":"Missing Authentication Token"}"#;
    let ok = r#"{"message":"ok"}"#;
    assert_eq!(responses, ["403 Forbidden", missing, "200 OK", ok, "200 OK", ok]);

    let authorizations =
        output.stdout.lines().filter(|line| line.starts_with("  > Authorization: AWS4-HMAC-SHA256 "));
    let signed =
        "/ap-northeast-1/execute-api/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, ";
    assert_eq!(authorizations.filter(|line| line.contains(signed)).count(), 2);
}

#[tokio::test]
async fn a_real_endpoint_needs_credentials() {
    let output = run(program(PROGRAM).args(["http://127.0.0.1:1/", "execute-api"])).await;

    assert_eq!((output.code, output.stdout.as_str()), (1, ""));
    assert!(output.stderr.contains("AWS_ACCESS_KEY_ID is not set"), "{}", output.stderr);
}

#[tokio::test]
async fn options_are_responded_to_with_the_usage() {
    let output = run(program(PROGRAM).arg("--help")).await;

    assert_eq!((output.code, output.stderr.as_str()), (1, "error: usage: quickstart [URL [SERVICE]]\n"));
}

#[tokio::test]
async fn an_unknown_service_is_not_signed_for() {
    let gateway = gateway("execute-api").await;

    let output = run(with_role(PROGRAM).arg(gateway.url())).await;

    assert_eq!(output.code, 1);
    assert!(output.stderr.starts_with("error: "), "{}", output.stderr);
    assert!(output.stderr.contains("cargo run -p sigv4-curl -- --help"), "{}", output.stderr);
    assert!(output.stderr.contains("AWS_REGION is the region"), "{}", output.stderr);
    assert_eq!(output.stderr.matches("the service is not configured").count(), 1, "{}", output.stderr);
    assert!(gateway.requests().is_empty(), "no request is sent unsigned");
}

#[tokio::test]
async fn an_api_is_called_once_and_signed() {
    let gateway = gateway("execute-api").await;
    let url = format!("{}/prod/orders?status=open", gateway.url());

    let output = run(with_role(PROGRAM).args([&url, "execute-api"])).await;

    assert_eq!(output.code, 0, "{}", output.stderr);
    let lines: Vec<_> = output.stdout.lines().collect();
    assert_eq!(
        lines[0],
        format!(
            "Calling {}/prod/orders once, signed. Lines with > show what is sent, lines with < the response.",
            gateway.url()
        )
    );
    assert_eq!(lines[2], "  > GET /prod/orders?status=open");
    assert!(lines.contains(&"  < 200 OK"), "{}", output.stdout);
    assert!(lines.last().unwrap().starts_with("Next: "), "{}", output.stdout);
    let [request] = <[_; 1]>::try_from(gateway.requests()).unwrap();
    assert_eq!((request.target.as_str(), request.status.as_u16()), ("/prod/orders?status=open", 200));
    assert!(!output.stdout.contains(TOKEN), "the session token is a secret");
}

#[tokio::test]
async fn a_refusal_says_what_to_do() {
    let gateway = gateway("execute-api").await;

    let mut command = with_role(PROGRAM);
    command.env("AWS_SECRET_ACCESS_KEY", "another").args([&gateway.url(), "execute-api"]);
    let output = run(&mut command).await;

    assert_eq!(output.code, 1);
    assert!(
        output.stdout.contains("The request signature we calculated does not match"),
        "{}",
        output.stdout
    );
    let next = output.stdout.split_once("\nRefused. Next: ").unwrap().1;
    assert!(next.contains("cargo run -p sigv4-curl -- doctor URL"), "{next}");
    assert!(next.contains("execute-api:Invoke"), "{next}");
}

/// By default nothing is built that loopback does not need.
#[cfg(not(feature = "https"))]
#[tokio::test]
async fn https_names_the_feature() {
    let output = run(with_role(PROGRAM).arg("https://abc.execute-api.eu-west-1.amazonaws.com/")).await;

    assert_eq!((output.code, output.stdout.as_str()), (1, ""));
    assert!(
        output.stderr.contains("cargo run -p quickstart --features https -- https://"),
        "{}",
        output.stderr
    );
}

#[tokio::test]
async fn urls_are_printed_without_the_query() {
    let closed = serve(vec![]).await;
    let no_response = serve(vec![String::new()]).await;
    for (url, expected) in [
        (closed, "error sending request"),
        (no_response, "error sending request"),
        ("http://[127.0.0.1/path".to_owned(), "http://[127.0.0.1/path is not a URL"),
    ] {
        let output = run(with_role(PROGRAM).args([&format!("{url}?{SECRET_QUERY}"), "execute-api"])).await;
        assert_fails_without_secrets(&output, 1, expected);
    }
}
