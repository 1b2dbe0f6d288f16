//! `quickstart`.

use super::{example, gateway, run, with_role};

#[tokio::test]
async fn one_refusal_and_two_responses() {
    let output = run(&mut example("quickstart")).await;

    assert_eq!(output.code, 0, "{}", output.stderr);
    let first = output.stdout.lines().next().unwrap();
    assert!(first.contains(" listens on http://127.0.0.1:"), "{first}");
    let next = output.stdout.split_once("\nNext: ").unwrap().1;
    assert!(next.contains("cargo run --example quickstart -- https://"), "{next}");
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
    let output = run(example("quickstart").arg("https://abc.execute-api.eu-west-1.amazonaws.com/")).await;

    assert_eq!((output.code, output.stdout.as_str()), (1, ""));
    assert!(output.stderr.contains("AWS_ACCESS_KEY_ID is not set"), "{}", output.stderr);
}

#[tokio::test]
async fn an_unknown_service_is_not_signed_for() {
    let gateway = gateway().await;

    let output = run(with_role("quickstart").arg(gateway.url())).await;

    assert_eq!(output.code, 1);
    assert!(output.stdout.contains("< 403 Forbidden"), "{}", output.stdout);
    assert!(output.stderr.starts_with("error: "), "{}", output.stderr);
    assert_eq!(gateway.requests().len(), 1);
}
