//! The layer without `map_body`: the client gets a body of the caller's own type.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use sha2::{Digest, Sha256};
use sigv4_middleware::{AwsChunked, BoxError, ChecksumAlgorithm, ErrorKind, PayloadMode, SigV4, Signer};
use tower::{ServiceExt, service_fn};

use crate::support::*;

const URL: &str = "https://bucket.s3.ap-northeast-1.amazonaws.com/key";

/// What the client beneath the layer gets.
async fn beneath<B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + From<Bytes> + Send + 'static>(
    signer: &Signer,
    request: Request<B>,
) -> Result<Request<B>, BoxError> {
    let client = service_fn(async |request: Request<B>| Ok::<_, Infallible>(Response::new(request)));
    Ok(layered(client, signer).oneshot(request).await?.into_body())
}

fn frames(texts: &[&'static str]) -> Body {
    let frames: Vec<_> =
        texts.iter().map(|text| Ok::<_, Infallible>(Frame::data(Bytes::from(*text)))).collect();
    Body::new(StreamBody::new(stream::iter(frames)))
}

fn put(body: Body) -> Request<Body> {
    Request::put(URL).body(body).unwrap()
}

fn signer_of(mode: PayloadMode) -> Signer {
    signing("s3").payload_mode(mode).build().unwrap()
}

#[tokio::test]
async fn what_was_read_is_one_frame() {
    let signer = signer("s3");
    for texts in [&["one, ", "two, ", "", "three"][..], &["one, two, three"]] {
        let sent = beneath(&signer, put(frames(texts))).await.unwrap();
        assert!(sent.headers().contains_key("authorization"));
        let hash: String =
            Sha256::digest("one, two, three").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(sent.headers()["x-amz-content-sha256"], hash.as_str());
        let mut body = sent.into_body();
        assert_eq!(http_body::Body::size_hint(&body).exact(), Some(15), "so that content-length is sent");
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "one, two, three");
        assert!(body.frame().await.is_none());
    }
}

#[tokio::test]
async fn what_lies_in_memory_is_not_copied() {
    let bytes = Bytes::from(vec![7; 100_000]);
    let request = Request::put(URL).body(Full::new(bytes.clone())).unwrap();
    let sent = beneath(&signer("s3"), request).await.unwrap();
    let body = sent.into_body().collect().await.unwrap().to_bytes();
    assert_eq!((body.as_ptr(), body.len()), (bytes.as_ptr(), bytes.len()));
}

/// The body is the caller's, not read by the layer: its first frame arrives while the second is not there, and its
/// trailers arrive too.
#[tokio::test]
async fn what_is_not_signed_passes_untouched() {
    let sha256 = Sha256::digest("onetwo").into();
    for mode in [PayloadMode::Unsigned, PayloadMode::Sha256(sha256)] {
        let opened = Arc::new(AtomicBool::new(false));
        let gate = Arc::clone(&opened);
        let first = stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from("one")))]);
        let second = stream::once(async move {
            assert!(gate.load(Ordering::SeqCst), "read before its time");
            Ok(Frame::data(Bytes::from("two")))
        });
        let trailers = HeaderMap::from_iter([(http::header::ETAG, HeaderValue::from_static("a"))]);
        let trailers = stream::iter([Ok(Frame::trailers(trailers))]);
        let body = Body::new(StreamBody::new(Box::pin(first.chain(second).chain(trailers))));
        let sent = in_time(beneath(&signer_of(mode.clone()), put(body))).await.unwrap();
        let mut body = sent.into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "one", "{mode:?}");
        opened.store(true, Ordering::SeqCst);
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "two", "{mode:?}");
        assert_eq!(body.frame().await.unwrap().unwrap().into_trailers().unwrap()["etag"], "a", "{mode:?}");
    }
}

#[tokio::test]
async fn what_would_be_encoded_or_checked_is_refused_with_what_does_it() {
    let modes = [
        PayloadMode::AwsChunked(AwsChunked::signed().decoded_length(6)),
        PayloadMode::AwsChunked(AwsChunked::unsigned(ChecksumAlgorithm::Sha256).decoded_length(6)),
        PayloadMode::Sha256Checked(Sha256::digest("onetwo").into()),
        PayloadMode::EventStream,
    ];
    for mode in modes {
        let sent = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&sent);
        let client = service_fn(move |_: Request<Body>| {
            seen.store(true, Ordering::SeqCst);
            std::future::ready(Ok::<_, Infallible>(Response::new(())))
        });
        // By the request: a signer's own mode is for event streams that say so.
        let mut request = put(frames(&["one", "two"]));
        request.extensions_mut().insert(mode.clone());
        let response = layered(client, &signer("s3")).oneshot(request).await;
        let error: BoxError = response.map(drop).expect_err(&format!("{mode:?}")).into();
        let error = found(&error);
        assert_eq!(error.kind(), ErrorKind::UnsupportedPayload, "{mode:?}");
        assert!(error.to_string().contains(".map_body(BoxBody::new)"), "{mode:?}: {error}");
        assert!(!sent.load(Ordering::SeqCst) && !error.was_sent(), "{mode:?}");
    }
}

/// No body needs no encoding.
#[tokio::test]
async fn an_empty_body_is_said_to_be_empty_in_every_mode() {
    let nothing = Sha256::digest("").into();
    for mode in [
        PayloadMode::Buffered,
        PayloadMode::Unsigned,
        PayloadMode::Sha256(nothing),
        PayloadMode::Sha256Checked(nothing),
        PayloadMode::AwsChunked(AwsChunked::signed()),
    ] {
        for (method, length) in [(Method::POST, Some("0")), (Method::PUT, Some("0")), (Method::GET, None)] {
            let request = Request::builder().method(&method).uri(URL).body(Body::empty()).unwrap();
            let sent = beneath(&signer_of(mode.clone()), request).await;
            let sent = sent.unwrap_or_else(|error| panic!("{mode:?} {method}: {error}"));
            let given = sent.headers().get("content-length").map(|length| length.to_str().unwrap());
            assert_eq!(given, length, "{mode:?} {method}");
            assert!(http_body::Body::is_end_stream(sent.body()), "{mode:?} {method}");
        }
    }
}

/// A struct names the signed client by the client's own type.
#[tokio::test]
async fn the_signed_client_has_a_name() {
    #[derive(Clone)]
    struct Orders {
        client: SigV4<Client<HttpsConnector<HttpConnector<ToOne>>, Full<Bytes>>>,
    }
    let at = TlsGateway::new(gateway("s3").await).await;
    let orders = Orders { client: SigV4::new(hyper(at.addr(), Http::Two), signer("s3")) };
    for _ in 0..2 {
        let request = Request::put(URL).body(Full::from("text")).unwrap();
        // The response is the client's own, and so is its body.
        let response: Response<hyper::body::Incoming> = orders.client.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
    }
    assert_eq!(tries(&at.gateway), [200, 200]);
}
