//! `quickstart`.

use super::{example, gateway, run, with_role};

#[tokio::test]
async fn one_refusal_and_two_responses() {
    let said = run(&mut example("quickstart")).await;

    assert_eq!(said.code, 0, "{}", said.err);
    let responses: Vec<_> = said.out.lines().filter_map(|line| line.strip_prefix("  < ")).collect();
    let missing = r#"{"message":"Missing Authentication Token"}"#;
    let ok = r#"{"message":"ok"}"#;
    assert_eq!(responses, ["403 Forbidden", missing, "200 OK", ok, "200 OK", ok]);

    let authorizations =
        said.out.lines().filter(|line| line.starts_with("  > Authorization: AWS4-HMAC-SHA256 "));
    let signed =
        "/ap-northeast-1/execute-api/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, ";
    assert_eq!(authorizations.filter(|line| line.contains(signed)).count(), 2);
}

#[tokio::test]
async fn a_real_endpoint_needs_credentials() {
    let said = run(example("quickstart").arg("https://abc.execute-api.eu-west-1.amazonaws.com/")).await;

    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(said.err.contains("AWS_ACCESS_KEY_ID is not set"), "{}", said.err);
}

#[tokio::test]
async fn a_host_that_does_not_tell_its_service_is_not_signed_for() {
    let gateway = gateway().await;

    let said = run(with_role("quickstart").arg(gateway.url())).await;

    assert_eq!(said.code, 1);
    assert!(said.out.contains("< 403 Forbidden"), "{}", said.out);
    assert!(said.err.starts_with("error: "), "{}", said.err);
    assert_eq!(gateway.requests().len(), 1);
}
