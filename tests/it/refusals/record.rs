//! The record of what a signer signed.

use std::time::{Duration, UNIX_EPOCH};

use aws_smithy_async::time::StaticTimeSource;
use http::Request;
use sha2::{Digest, Sha256};
use sigv4_middleware::diagnosis::{Cause, RefusedResponse, SentRequest, diagnose};
use sigv4_middleware::{Credentials, PresigningConfig, Signer};

const TOKEN: &str = "IQoJTopSecretToken";

fn signer(secret: &str) -> Signer {
    let time = UNIX_EPOCH + Duration::from_secs(1_440_938_160);
    Signer::builder()
        .credentials(Credentials::new("ASIAEXAMPLE", secret, Some(TOKEN.to_owned()), None, "test"))
        .time_source(StaticTimeSource::new(time))
        .build()
        .unwrap()
}

fn request() -> http::request::Parts {
    let uri = "https://abc123.execute-api.eu-west-1.amazonaws.com/prod/a%20b?x=1";
    let request = Request::post(uri).header("x-api-key", "TopSecretKey").header("content-type", "text/plain");
    request.body(()).unwrap().into_parts().0
}

#[tokio::test]
async fn a_record_has_all_that_a_diagnosis_needs() {
    let mut parts = request();
    let details = signer("TopSecretSecret").sign_with_details(&mut parts, "body").await.unwrap();
    assert_eq!(details.scope(), Some("20150830/eu-west-1/execute-api/aws4_request"));
    assert_eq!((details.service(), details.region()), (Some("execute-api"), Some("eu-west-1")));
    assert_eq!((details.algorithm(), details.date()), (Some("AWS4-HMAC-SHA256"), Some("20150830T123600Z")));
    assert_eq!(
        (details.method(), details.path(), details.query()),
        (Some("POST"), Some("/prod/a%2520b"), Some("x=1"))
    );
    assert_eq!(details.signed_headers(), Some("content-type;host;x-amz-date;x-amz-security-token"));
    assert_eq!(details.signed_host(), details.url_host());
    assert_eq!(details.signed_host(), Some("abc123.execute-api.eu-west-1.amazonaws.com"));
    assert_eq!(details.access_key_id(), Some("ASIAEXAMPLE"));
    assert!(details.has_session_token() && !details.is_presigned());
    assert_eq!(details.unsigned_headers(), ["x-api-key"]);
    assert_eq!(details.clock_offset_seconds(), 0);
    let hash: String = Sha256::digest("body").iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(details.payload_hash(), Some(&*hash));
    let whole = details.canonical_request().replace("[redacted]", TOKEN);
    let hash: String = Sha256::digest(whole).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(details.canonical_request_sha256(), Some(&*hash));
    let shown = format!("{details} {details:?} {:?}", SentRequest::from(&details));
    assert!(!shown.contains("TopSecret"), "{shown}");
}

#[tokio::test]
async fn a_presigned_urls_record_says_so() {
    let mut parts = request();
    parts.headers.clear();
    let presigned =
        signer("secret").presign_request(&parts, PresigningConfig::new(Duration::from_secs(60))).await;
    let presigned = presigned.unwrap();
    let details = presigned.details();
    assert!(details.is_presigned() && details.has_session_token());
    assert_eq!(details.access_key_id(), Some("ASIAEXAMPLE"));
    assert!(!format!("{details:?}").contains("TopSecret"), "{details:?}");
}

/// What a server with another secret prints is the same text, so that the secret is what is left.
#[tokio::test]
async fn a_wrong_secret_shows_in_the_servers_own_words() {
    let gateway = sigv4_middleware::IamGateway::builder()
        .credentials(Credentials::new("ASIAEXAMPLE", "right", Some(TOKEN.to_owned()), None, "test"))
        .region("eu-west-1")
        .start()
        .await
        .unwrap();
    let keys = |secret: &str| Credentials::new("ASIAEXAMPLE", secret, Some(TOKEN.to_owned()), None, "test");
    for (secret, region, cause) in [
        ("wrong", "eu-west-1", Cause::SignatureMismatchSecret),
        ("right", "us-east-1", Cause::ScopeRegionWrong),
    ] {
        let signer = Signer::builder()
            .credentials(keys(secret))
            .service("execute-api")
            .region(region)
            .build()
            .unwrap();
        let (mut parts, ()) =
            Request::get(format!("{}/a%20b?z=1&a=%2F", gateway.url())).body(()).unwrap().into_parts();
        let details = signer.sign_with_details(&mut parts, "").await.unwrap();
        let request = reqwest::Request::try_from(Request::from_parts(parts, "")).unwrap();
        let response = reqwest::Client::new().execute(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.unwrap();
        let diagnosis = diagnose(&RefusedResponse::new(status, &headers, &body), &details.into()).unwrap();
        assert_eq!(diagnosis.causes(), [cause], "{diagnosis}");
        assert!(!diagnosis.to_string().contains("TopSecret"), "{diagnosis}");
    }
}
