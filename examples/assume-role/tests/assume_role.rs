//! The program as a user runs it, with ministack's STS and API, and with a server that does not respond.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::process::{Command, Output};

use sigv4_middleware::{Credentials, IamGateway, SigV4Middleware, Signer};
use sigv4_test_support::ministack::{Keys, Ministack};
use sigv4_test_support::{
    ProgramOutput, REGION, SECRET_QUERY, TOKEN, assert_fails_without_secrets, gateway, run, serve, with_role,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_assume-role");

fn assume_role(ministack: &Ministack, keys: &Keys, role: &str) -> Output {
    let setup = &ministack.setup;
    Command::new(PROGRAM)
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
    let user = Credentials::new(
        &setup.assumer.access_key_id,
        &setup.assumer.secret_access_key,
        None,
        None,
        "ministack",
    );
    let signer = Signer::builder().credentials(user).service("execute-api").region(&*setup.region);
    let client = reqwest_middleware::ClientBuilder::new(sigv4_middleware::reqwest_client().build().unwrap())
        .with(SigV4Middleware::new(signer.build().unwrap()))
        .build();
    let without = client.get(format!("{}/items", setup.api_url)).send().await.unwrap();
    assert_eq!(without.status(), 403, "the user itself may not");

    let with = assume_role(ministack, &setup.assumer, &setup.role_arn);
    let text = String::from_utf8_lossy(&with.stdout);
    assert!(with.status.success(), "{}", String::from_utf8_lossy(&with.stderr));
    assert!(text.starts_with("200 OK\n") && text.contains("/echo"), "{text}");

    let stranger = assume_role(ministack, &setup.stranger, &setup.role_arn);
    assert!(!stranger.status.success(), "{}", String::from_utf8_lossy(&stranger.stdout));
    let error = String::from_utf8_lossy(&stranger.stderr);
    assert!(error.contains("not authorized to perform: sts:AssumeRole"), "{error}");
}

/// An STS that accepts the tests' role, and issues the credentials of [`assumed`].
async fn sts() -> IamGateway {
    let sts = gateway("sts").await;
    let credentials = "<AssumeRoleResponse><AssumeRoleResult><Credentials>\
         <AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>\
         <SessionToken>token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>\
         </Credentials></AssumeRoleResult></AssumeRoleResponse>";
    sts.respond_with(http::Response::new(bytes::Bytes::from(credentials)));
    sts
}

fn assumed() -> Credentials {
    Credentials::new("ASIAEXAMPLE", "secret", Some("token".to_owned()), None, "test")
}

async fn call(sts: &IamGateway, url: &str) -> ProgramOutput {
    let mut command = with_role(PROGRAM);
    command.env("AWS_ENDPOINT_URL", sts.url()).env("HOME", "/nonexistent");
    run(command.args(["arn:aws:iam::123456789012:role/caller", url, "execute-api"])).await
}

#[tokio::test]
async fn the_api_is_called_with_the_credentials_that_sts_issued() {
    let sts = sts().await;
    let api = IamGateway::builder().credentials(assumed()).region(REGION).start().await.unwrap();

    let output = call(&sts, &format!("{}/prod/orders", api.url())).await;

    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(output.stdout, "200 OK\n{\"message\":\"ok\"}\n");
    assert_eq!(sts.requests()[0].header("x-amz-security-token"), Some(TOKEN));
    assert_eq!(api.requests()[0].header("x-amz-security-token"), Some("token"));
}

#[tokio::test]
async fn no_url_is_printed() {
    let sts = sts().await;
    let url = format!("{}/prod/orders?{SECRET_QUERY}", serve(vec![]).await);

    let output = call(&sts, &url).await;

    assert_fails_without_secrets(&output, 1, "Connect");
    assert_eq!(sts.requests().len(), 1);
}
