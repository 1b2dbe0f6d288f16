//! Which bodies go out in chunks, and which are refused before anything is sent.

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use sigv4_middleware::{
    AwsChunked, BoxError, BuildErrorKind, ChecksumAlgorithm, ErrorKind, PayloadMode, Signer, SigningSettings,
};

use crate::support::*;

const URL: &str = "http://127.0.0.1:9/bucket/key";

fn unsigned() -> PayloadMode {
    PayloadMode::AwsChunked(AwsChunked::unsigned(ChecksumAlgorithm::Crc64Nvme))
}

fn signed() -> PayloadMode {
    PayloadMode::AwsChunked(AwsChunked::signed())
}

fn request(method: Method, url: &str, mode: Option<PayloadMode>) -> Request<TestBody> {
    let mut request = Request::builder().method(method).uri(url).body(in_memory("text")).unwrap();
    mode.map(|mode| request.extensions_mut().insert(mode));
    request
}

/// The headers that the layer hands on, and the body.
async fn sent(signer: &Signer, request: Request<TestBody>) -> Result<(HeaderMap, Bytes), BoxError> {
    let (head, body) = handed_on(signer, request).await?;
    Ok((head.headers, body))
}

async fn refused(signer: &Signer, request: Request<TestBody>) -> (ErrorKind, String) {
    let error = sent(signer, request).await.unwrap_err();
    (found(&error).kind(), error.to_string())
}

#[tokio::test]
async fn only_services_that_take_chunks_get_them() {
    let put = || request(Method::PUT, URL, Some(signed()));
    let (kind, said) = refused(&signer("execute-api"), put()).await;
    assert_eq!(kind, ErrorKind::UnsupportedPayload);
    assert!(said.contains("execute-api") && said.contains(".aws_chunked(true)"), "{said}");

    let dialect = SigningSettings::default().aws_chunked(true);
    let own_store = signing("own-store").signing_settings(dialect).build().unwrap();
    let (headers, wire) = sent(&own_store, put()).await.unwrap();
    assert_eq!(headers["x-amz-content-sha256"], "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
    assert!(wire.starts_with(b"4;chunk-signature="));
}

#[tokio::test]
async fn what_is_not_signed_does_not_go_over_plain_http_unasked() {
    for mode in [unsigned(), PayloadMode::Unsigned] {
        let put = |url: &str| request(Method::PUT, url, Some(mode.clone()));
        let (kind, said) = refused(&signer("s3"), put(URL)).await;
        assert_eq!(kind, ErrorKind::UnsupportedPayload);
        assert!(said.contains(".allow_unsigned_over_http(true)"), "{said}");
        let over_tls = URL.replace("http:", "https:");
        assert!(sent(&signer("s3"), put(&over_tls)).await.is_ok());
        let allowing = signing("s3").allow_unsigned_over_http(true).build().unwrap();
        assert!(sent(&allowing, put(URL)).await.is_ok());
    }
}

#[tokio::test]
async fn chunks_that_are_too_small_are_refused() {
    let small = PayloadMode::AwsChunked(AwsChunked::signed().chunk_size(8191));
    let (kind, said) = refused(&signer("s3"), request(Method::PUT, URL, Some(small.clone()))).await;
    assert_eq!(kind, ErrorKind::UnsupportedPayload);
    assert!(said.contains("8192"), "{said}");
    let error = signing("s3").payload_mode(small).build().unwrap_err();
    assert_eq!(error.kind(), BuildErrorKind::InvalidValue);
}

/// Said for all requests, it is for those that S3 takes in chunks; said for one, for that one.
#[tokio::test]
async fn a_signers_mode_is_for_its_uploads() {
    let signer = signing("s3").payload_mode(signed()).build().unwrap();
    for (method, said, chunked) in [
        (Method::PUT, None, true),
        (Method::POST, None, false),
        (Method::GET, None, false),
        (Method::POST, Some(signed()), true),
        (Method::PUT, Some(PayloadMode::Buffered), false),
    ] {
        let (headers, wire) = sent(&signer, request(method.clone(), URL, said)).await.unwrap();
        assert_eq!(headers.contains_key("x-amz-decoded-content-length"), chunked, "{method}");
        assert_eq!(wire == "text", !chunked, "{method}");
        if chunked {
            assert_eq!(headers["content-length"], wire.len().to_string());
            let authorization = headers["authorization"].to_str().unwrap();
            assert!(authorization.contains("SignedHeaders=content-encoding;host;x-amz-"), "{authorization}");
        }
    }
}

/// As objects are copied and buckets made: S3 takes no chunks there.
#[tokio::test]
async fn a_put_without_a_body_is_not_sent_in_chunks_unless_it_says_so() {
    let signer = signing("s3").payload_mode(signed()).build().unwrap();
    for (said, chunked) in [(None, false), (Some(signed()), true)] {
        let put = request(Method::PUT, URL, said).map(|_| in_memory(""));
        let (headers, wire) = sent(&signer, put).await.unwrap();
        assert_eq!(headers.contains_key("content-encoding"), chunked);
        assert_eq!(headers["content-length"], wire.len().to_string());
        assert_eq!(wire.is_empty(), !chunked);
    }
    let said = PayloadMode::AwsChunked(AwsChunked::signed().decoded_length(5));
    let signer = signing("s3").payload_mode(said).build().unwrap();
    let (kind, _) = refused(&signer, request(Method::PUT, URL, None).map(|_| in_memory(""))).await;
    assert_eq!(kind, ErrorKind::UnsupportedPayload);
}

/// The layer around `reqwest::Client` goes by the signer's mode; the gateway, which decodes no chunks, says so.
#[tokio::test]
async fn every_integration_sends_chunks_with_their_length() {
    let gateway = gateway("s3").await;
    let signer = signing("s3").payload_mode(signed()).build().unwrap();
    for (integration, http) in wrapping_ways() {
        let put = request(Method::PUT, &format!("{}/key", gateway.url()), None);
        let response = integration.send_to(http, gateway.addr(), &signer, put).await.unwrap();
        assert_eq!(response.status, StatusCode::NOT_IMPLEMENTED, "{integration:?} {http:?}");
        let received = gateway.requests().pop().unwrap();
        assert_eq!(received.header("content-length"), Some("176"), "{integration:?} {http:?}");
        assert_eq!(received.body.len(), 176);
        assert_eq!(received.header("content-encoding"), Some("aws-chunked"));
        assert!(!received.headers.contains_key("transfer-encoding"));
    }
}

/// Over either HTTP: the request ends in an error, and never reaches the server whole.
#[tokio::test]
async fn a_source_that_lies_is_cut_off() {
    let gateway = gateway("s3").await;
    for (integration, http) in wrapping_ways() {
        for (said, frames) in [(200_000, 3), (199_999, 2), (200_001, 2)] {
            let frames = (0..frames).map(|_| Ok(Frame::data(Bytes::from(vec![7; 100_000]))));
            let body = boxed(StreamBody::new(stream::iter(frames)));
            let mode = AwsChunked::signed().decoded_length(said);
            let signer = signing("s3").payload_mode(PayloadMode::AwsChunked(mode)).build().unwrap();
            let put = Request::put(format!("{}/key", gateway.url())).body(body).unwrap();
            let error = in_time(integration.send_to(http, gateway.addr(), &signer, put)).await.err().unwrap();
            assert_eq!(found(&error).kind(), ErrorKind::BodyMismatch, "{integration:?} {http:?} {said}");
        }
    }
    // Some are seen to begin.
    assert!(gateway.requests().iter().all(|received| received.status == 400 && received.body.is_empty()));
}
