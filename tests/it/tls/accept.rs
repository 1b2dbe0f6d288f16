//! Requests with and without bodies, through every integration.

use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request};
use http_body::Frame;
use http_body_util::StreamBody;
use sha2::{Digest, Sha256};
use sigv4_middleware::PayloadMode;

use super::*;

const TEXT: &str = "one, two, three";

fn streamed() -> TestBody {
    let frames = ["one, ", "two, ", "three"].map(|frame| Ok(Frame::data(Bytes::from(frame))));
    boxed(StreamBody::new(stream::iter(frames)))
}

#[tokio::test]
async fn requests_of_every_method() {
    let (at, signer) = (tls_gateway("execute-api").await, signer("execute-api"));
    for (integration, http) in ways() {
        for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let request = Request::builder().method(&method).uri(format!("{API}/prod/a%20b?q=x+y&q='"));
            let request = request.header("content-type", "text/plain").header("x-amz-meta-a", "two   spaces");
            let has_body = ![Method::GET, Method::HEAD].contains(&method);
            let request = request.body(in_memory(if has_body { TEXT } else { "" })).unwrap();
            let received = accepted(integration, http, &at, &signer, request).await;
            assert_eq!((&received.method, received.target.as_str()), (&method, "/prod/a%20b?q=x%20y&q=%27"));
            assert_eq!(received.header("host"), API.strip_prefix("https://"));
            assert_eq!(received.header("x-amz-security-token"), Some(TOKEN));
            assert_eq!(received.body, if has_body { TEXT } else { "" });
        }
    }
}

#[tokio::test]
async fn an_empty_post_says_that_it_is_empty() {
    let (at, signer) = (tls_gateway("s3").await, signer("s3"));
    for (integration, http) in ways() {
        let request = Request::post(format!("{BUCKET}/key?uploads")).body("").unwrap();
        let received = accepted(integration, http, &at, &signer, request).await;
        assert_eq!(received.header("content-length"), Some("0"), "{integration:?} {http:?}");
    }
}

/// Over https what is not signed may go out as well, and without a word of the builder.
#[tokio::test]
async fn streams_in_every_payload_mode() {
    let at = tls_gateway("s3").await;
    let sha256 = Sha256::digest(TEXT).into();
    for (mode, declared, checked) in [
        (PayloadMode::Buffered, None, false),
        (PayloadMode::Unsigned, Some("UNSIGNED-PAYLOAD"), false),
        (PayloadMode::Sha256(sha256), None, false),
        (PayloadMode::Sha256Checked(sha256), None, true),
    ] {
        let signer = signing("s3").payload_mode(mode.clone()).build().unwrap();
        for (integration, http) in ways() {
            // What gives its own body back cannot check it on its way.
            if checked && integration == Integration::LayerSameBody {
                continue;
            }
            let request = Request::put(format!("{BUCKET}/key")).body(streamed()).unwrap();
            let received = accepted(integration, http, &at, &signer, request).await;
            assert_eq!(received.body, TEXT, "{integration:?} {http:?} {mode:?}");
            let hash: String = Sha256::digest(TEXT).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(received.header("x-amz-content-sha256"), Some(declared.unwrap_or(&hash)), "{mode:?}");
        }
    }
}

/// So that the tests above say something: the clients trust nobody else, and the host's name is checked.
#[tokio::test]
async fn a_server_of_another_authority_is_not_trusted() {
    let at = tls_gateway("execute-api").await;
    let stranger = sigv4_middleware::reqwest_client().no_proxy().tls_certs_only([]);
    let host = API.strip_prefix("https://").unwrap();
    let client = middleware(stranger.resolve(host, at.addr()).build().unwrap(), &signer("execute-api"));
    assert!(client.get(API).send().await.unwrap_err().is_connect());
    assert!(at.gateway.requests().is_empty());
}
