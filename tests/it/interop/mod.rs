//! Against a server and signers nobody here wrote; README.md of this folder says which, and how they are run.

mod crosscheck;
mod diagnosis;
mod integrations;
mod presign_post;
mod recovery;
mod s3s;
#[cfg(feature = "blocking")]
mod s3s_blocking;
mod signers;
#[cfg(feature = "sigv4a")]
mod sigv4a;

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};

use sigv4_test_support::ministack::{Keys, Ministack, Setup};

#[tokio::test]
async fn an_unsigned_request_is_refused() {
    let Some(ministack) = Ministack::shared() else { return };
    let setup = &ministack.setup;
    let api = reqwest::get(format!("{}/items", setup.api_url)).await.unwrap();
    assert_eq!(api.status(), 403);
    assert_eq!(api.headers()["x-amzn-errortype"], "MissingAuthenticationTokenException");
    let object = reqwest::get(format!("{}/{}/key", setup.endpoint, setup.bucket)).await.unwrap();
    assert_eq!(object.status(), 403);
    assert!(object.text().await.unwrap().contains("<Code>AccessDenied</Code>"));
}

/// What the tests build on: the server takes what another signer signs, with the keys it was said to know.
#[tokio::test]
async fn the_server_takes_what_aws_sigv4_signs() {
    let Some(ministack) = Ministack::shared() else { return };
    let setup = &ministack.setup;
    let wrong = Keys { secret_access_key: "wrong".to_owned(), ..setup.user.clone() };
    let no_token = Keys { session_token: None, ..setup.session.clone() };
    for (keys, status, error) in [
        (&setup.user, 200, None),
        (&setup.session, 200, None),
        (&setup.stranger, 403, Some("AccessDeniedException")),
        (&wrong, 403, Some("InvalidSignatureException")),
        (&no_token, 403, Some("UnrecognizedClientException")),
    ] {
        let response = call(setup, keys).await;
        assert_eq!(response.status(), status, "{error:?}");
        let said = response.headers().get("x-amzn-errortype").map(|value| value.to_str().unwrap());
        assert_eq!(said, error);
        if status == 200 {
            let seen: serde_json::Value = response.json().await.unwrap();
            assert_eq!((&seen["method"], &seen["target"]), (&"GET".into(), &"/echo?a=1".into()));
        }
    }
}

/// `GET /items?a=1`, signed by aws-sigv4.
async fn call(setup: &Setup, keys: &Keys) -> reqwest::Response {
    let identity = Credentials::new(
        &keys.access_key_id,
        &keys.secret_access_key,
        keys.session_token.clone(),
        None,
        "ministack",
    )
    .into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(&setup.region)
        .name("execute-api")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .expect("everything is given");
    let url = format!("{}/items?a=1", setup.api_url);
    let signable = SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::Bytes(b""));
    let signed = sign(signable.expect("a plain request"), &params.into()).expect("a plain request");
    let mut request = http::Request::get(&url).body("").expect("a plain request");
    signed.into_parts().0.apply_to_request_http1x(&mut request);
    let request = reqwest::Request::try_from(request).expect("a plain request");
    reqwest::Client::new().execute(request).await.expect("ministack responds")
}
