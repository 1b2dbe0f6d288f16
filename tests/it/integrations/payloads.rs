//! Payloads that a server would refuse are refused before they are sent, through each client. A caller's own
//! `x-amz-content-sha256` is honored or refused, and never dropped in silence.

use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request};
use http_body::Frame;
use http_body_util::StreamBody;
use sha2::{Digest, Sha256};
use sigv4_middleware::{
    AwsChunked, ChecksumAlgorithm, Error, ErrorKind, IamGateway, Payload, PayloadMode, PresigningConfig,
    Signer,
};

use crate::support::*;

const HEADER: &str = "x-amz-content-sha256";
const OF_HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

/// A stream whose length is unknown, and that is longer than the signer may hold in memory.
fn streamed() -> TestBody {
    let frames = ["he", "ll", "o"].map(|frame| Ok(Frame::data(Bytes::from(frame))));
    boxed(StreamBody::new(stream::iter(frames)))
}

fn signers() -> [Signer; 2] {
    let small = || signing("s3").body_limit(4).allow_unsigned_over_http(true);
    [
        small().build().unwrap(),
        small().payload_mode(PayloadMode::AwsChunked(AwsChunked::signed())).build().unwrap(),
    ]
}

fn put(gateway: &IamGateway, declared: &str) -> http::request::Builder {
    Request::put(gateway.url()).header(HEADER, declared)
}

#[tokio::test]
async fn a_stream_is_sent_by_what_is_declared() {
    let gateway = gateway("s3").await;
    for signer in signers() {
        for integration in INTEGRATIONS {
            for declared in [OF_HELLO, "UNSIGNED-PAYLOAD"] {
                let request = put(&gateway, declared).body(streamed()).unwrap();
                let received = integration.accepted(Http::One, &gateway, &signer, request).await;
                assert_eq!(received.header(HEADER), Some(declared), "{integration:?}");
                assert_eq!(received.body, "hello", "{integration:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_body_in_memory_is_compared_before_it_is_sent() {
    let (gateway, signer) = (gateway("s3").await, signer("s3"));
    for (integration, http) in ways() {
        let same = put(&gateway, OF_HELLO).body(in_memory("hello")).unwrap();
        let received = integration.accepted(http, &gateway, &signer, same).await;
        assert_eq!(received.header(HEADER), Some(OF_HELLO), "{integration:?}");
        let before = gateway.requests().len();
        for other in ["hello!", ""] {
            let other = put(&gateway, OF_HELLO).body(in_memory(other)).unwrap();
            let error = integration.send_to(http, gateway.addr(), &signer, other).await.err().unwrap();
            assert_eq!(found(&error).kind(), ErrorKind::BodyMismatch, "{integration:?}");
        }
        assert_eq!(gateway.requests().len(), before, "{integration:?}: nothing was sent");
    }
}

#[tokio::test]
async fn what_contradicts_itself_is_refused() {
    let (gateway, signer) = (gateway("s3").await, signer("s3"));
    for integration in INTEGRATIONS {
        for (request, word) in [
            (put(&gateway, "UNSIGNED-PAYLOAD"), ".allow_unsigned_over_http(true)"),
            (put(&gateway, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), "PayloadMode::AwsChunked"),
            (put(&gateway, "nonsense"), "SHA-256 in hex"),
            (put(&gateway, OF_HELLO).extension(PayloadMode::AwsChunked(AwsChunked::signed())), "AwsChunked"),
            (put(&gateway, OF_HELLO).extension(PayloadMode::Sha256([0; 32])), "Sha256"),
        ] {
            // A reqwest::Request loses its extensions on the way to the layer.
            if integration == Integration::LayerOnReqwest
                && word.starts_with(char::is_uppercase)
                && !word.contains(['-', ':'])
            {
                continue;
            }
            let request = request.body(streamed()).unwrap();
            let error = integration.send_to(Http::One, gateway.addr(), &signer, request).await.err().unwrap();
            let error = found(&error);
            assert_eq!(error.kind(), ErrorKind::UnsupportedPayload, "{integration:?} {error}");
            assert!(error.to_string().contains(word), "{integration:?} {error}");
        }
    }
    assert!(gateway.requests().is_empty());
}

#[tokio::test]
async fn a_service_that_needs_no_header_is_sent_the_declared_one() {
    let (gateway, signer) = (gateway("execute-api").await, signer("execute-api"));
    for (integration, http) in ways() {
        let request = put(&gateway, OF_HELLO).body(in_memory("hello")).unwrap();
        let received = integration.accepted(http, &gateway, &signer, request).await;
        assert_eq!(received.header(HEADER), Some(OF_HELLO), "{integration:?}");
        assert!(
            received.header("authorization").unwrap().contains(";x-amz-content-sha256;"),
            "{integration:?}"
        );
    }
}

/// As by a retry middleware that changes the body of a signed request.
#[tokio::test]
async fn a_signed_request_is_signed_again_for_another_body() {
    let signer = signer("s3");
    let (mut parts, ()) = Request::put("https://localhost/a").body(()).unwrap().into_parts();
    signer.sign(&mut parts, "hello").await.unwrap();
    assert_eq!(parts.headers[HEADER], OF_HELLO);
    signer.sign(&mut parts, Payload::empty()).await.unwrap();
    assert!(parts.headers[HEADER].to_str().unwrap().starts_with("e3b0c442"));
    // A client that follows a redirect to another host takes Authorization off.
    parts.headers.remove("authorization");
    signer.sign(&mut parts, "hello").await.unwrap();
    assert_eq!(parts.headers[HEADER], OF_HELLO);

    let presigning = PresigningConfig::new(std::time::Duration::from_secs(60)).payload("hello");
    let (parts, ()) = Request::put("https://localhost/a").body(()).unwrap().into_parts();
    let presigned = signer.presign_request(&parts, presigning).await.unwrap();
    let (mut parts, ()) = Request::put(presigned.uri()).body(()).unwrap().into_parts();
    parts.headers = presigned.headers().clone();
    assert_eq!(parts.headers[HEADER], OF_HELLO);
    signer.sign(&mut parts, Payload::unsigned()).await.unwrap();
    assert_eq!(parts.headers[HEADER], "UNSIGNED-PAYLOAD");
}

#[tokio::test]
async fn signed_by_hand() {
    let signer = signer("s3");
    let sign = async |declared: &str, payload: Payload<'_>| {
        let request = Request::put("https://localhost/a").header(HEADER, declared).body(()).unwrap();
        let mut parts = request.into_parts().0;
        let given = parts.clone();
        let signed = signer.sign(&mut parts, payload).await;
        if signed.is_err() {
            assert_eq!(parts.headers, given.headers, "unchanged");
        }
        signed.map(|()| parts.headers[HEADER].to_str().unwrap().to_owned())
    };
    assert_eq!(sign("UNSIGNED-PAYLOAD", "hello".into()).await.unwrap(), "UNSIGNED-PAYLOAD");
    assert_eq!(sign(OF_HELLO, "hello".into()).await.unwrap(), OF_HELLO);
    assert_eq!(sign(&OF_HELLO.to_uppercase(), "hello".into()).await.unwrap(), OF_HELLO);
    assert_eq!(sign(OF_HELLO, "hi".into()).await.unwrap_err().kind(), ErrorKind::BodyMismatch);
    assert_eq!(sign(OF_HELLO, Payload::unsigned()).await.unwrap_err().kind(), ErrorKind::UnsupportedPayload);
}

#[tokio::test]
async fn presigned() {
    let signer = signer("s3");
    let presign = async |declared: &str, payload: Option<&'static str>| {
        let request = Request::put("https://localhost/a").header(HEADER, declared).body(()).unwrap();
        let presigning = PresigningConfig::new(std::time::Duration::from_secs(60));
        let presigning = payload.map_or(presigning, |payload| presigning.payload(payload));
        signer.presign_request(&request.into_parts().0, presigning).await
    };
    for (declared, payload) in [
        (OF_HELLO, None),
        (OF_HELLO, Some("hello")),
        ("UNSIGNED-PAYLOAD", None),
        ("UNSIGNED-PAYLOAD", Some("hello")),
    ] {
        let presigned = presign(declared, payload).await.unwrap();
        assert_eq!(presigned.headers()[HEADER], declared);
        let query = presigned.uri().query().unwrap();
        assert!(query.contains("X-Amz-SignedHeaders=host%3Bx-amz-content-sha256&"), "{query}");
        assert!(presigned.details().canonical_request().ends_with(&format!("\n{declared}")));
    }
    assert_eq!(presign(OF_HELLO, Some("hi")).await.unwrap_err().kind(), ErrorKind::BodyMismatch);
    assert_eq!(presign("STREAMING-X", None).await.unwrap_err().kind(), ErrorKind::UnsupportedPayload);
}

#[tokio::test]
async fn a_second_checksum_is_refused() {
    let gateway = gateway("s3").await;
    let chunked = PayloadMode::AwsChunked(AwsChunked::signed().trailer(ChecksumAlgorithm::Sha256));
    let signer = signing("s3").payload_mode(chunked).build().unwrap();
    for (integration, http) in ways() {
        for (name, value) in [
            ("x-amz-checksum-sha1", "x"),
            ("x-amz-checksum-sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
            ("x-amz-sdk-checksum-algorithm", "SHA1"),
        ] {
            let request = Request::put(gateway.url()).header(name, value).body(in_memory("hello")).unwrap();
            let error = integration.send_to(http, gateway.addr(), &signer, request).await.err().unwrap();
            assert_eq!(found(&error).kind(), ErrorKind::UnsupportedPayload, "{integration:?}");
            assert!(found(&error).to_string().contains(name), "{error}");
        }
    }
    assert!(gateway.requests().is_empty());
}

#[tokio::test]
async fn a_body_that_is_too_large_is_told_how_to_stream() {
    for (service, method, mode) in [
        ("s3", Method::PUT, "PayloadMode::AwsChunked"),
        ("s3", Method::POST, "PayloadMode::Sha256"),
        ("execute-api", Method::PUT, "PayloadMode::Sha256"),
    ] {
        let gateway = gateway(service).await;
        let signer = signing(service).body_limit(4).build().unwrap();
        for integration in INTEGRATIONS {
            for body in [streamed(), in_memory("hello")] {
                let request = Request::builder().method(&method).uri(gateway.url()).body(body).unwrap();
                let error =
                    integration.send_to(Http::One, gateway.addr(), &signer, request).await.err().unwrap();
                assert_eq!(found(&error).kind(), ErrorKind::BodyTooLarge);
                let message = found(&error).to_string();
                assert!(message.contains(".body_limit(bytes)") && message.contains(mode), "{message}");
            }
        }
        assert!(gateway.requests().is_empty());
    }
}

/// Over HTTP/2, too, where clients of hyper say only that the stream was reset.
#[tokio::test]
async fn a_body_of_another_length_or_hash_is_the_callers_error() {
    let gateway = gateway("s3").await;
    let hello: [u8; 32] = Sha256::digest("hello").into();
    for (integration, http) in wrapping_ways() {
        let chunks = |length| PayloadMode::AwsChunked(AwsChunked::signed().decoded_length(length));
        for (mode, length) in [
            (chunks(4), None),
            (chunks(7), None),
            (PayloadMode::Sha256Checked([0; 32]), None),
            (PayloadMode::Sha256Checked(hello), Some(1)),
            (PayloadMode::Sha256Checked(hello), Some(4)),
            (PayloadMode::Sha256Checked(hello), Some(6)),
        ] {
            let case = format!("{integration:?} {http:?} {mode:?} {length:?}");
            // By the signer, as a layer around reqwest's client sees no extensions.
            let signer = signing("s3").payload_mode(mode).build().unwrap();
            let mut request = Request::put(gateway.url()).body(streamed()).unwrap();
            if let Some(length) = length {
                request.headers_mut().insert("content-length", length.into());
            }
            let error = integration.send_to(http, gateway.addr(), &signer, request).await.err();
            let error = error.unwrap_or_else(|| panic!("{case} is sent"));
            let found = Error::find(error.as_ref()).unwrap_or_else(|| panic!("{case}: {error:?}"));
            assert_eq!(found.kind(), ErrorKind::BodyMismatch, "{case}");
        }
    }
    let taken = gateway.requests().into_iter().filter(|request| request.status == 200);
    assert_eq!(taken.count(), 0, "no server takes such a body");
}
