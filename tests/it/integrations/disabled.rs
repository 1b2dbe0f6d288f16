//! `Signer::disabled()`: the same types, and every request goes out as it came.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::stream::{self, StreamExt};
use http::{Extensions, HeaderMap, HeaderValue, Method, Request, Response, Uri};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use reqwest_middleware::{ClientBuilder, Middleware, Next};
use sigv4_middleware::{SigV4Layer, SigV4Middleware, Signer};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::*;

/// As a program chooses that signs in production.
fn signer_of(development: bool) -> Signer {
    if development { Signer::disabled() } else { signer("execute-api") }
}

#[tokio::test]
async fn through_every_client_nothing_is_added() {
    for development in [true, false] {
        let signer = signer_of(development);
        assert_eq!(signer.is_disabled(), development);
        for integration in INTEGRATIONS {
            let recorder = Recorder::start().await;
            let url = format!("http://{}", recorder.addr());
            integration.send(&signer, post(&url)).await;
            let loot = recorder.loot(r#"{"order":1}"#);
            assert!(loot.contains(&"body"), "{integration:?}");
            assert_eq!(loot.contains(&"authorization"), !development, "{integration:?} {}", recorder.seen());
            assert_eq!(recorder.seen().to_lowercase().contains("x-amz-"), !development, "{integration:?}");
        }
    }
}

/// What a signer would rewrite, refuse or hold in memory.
#[tokio::test]
async fn requests_are_not_changed_and_not_refused() {
    let signer = Signer::disabled();
    for uri in
        ["http://evil.example/a%2fb?b=2&a=+", "https://user:password@api.example.com:443/", "/relative?a=/"]
    {
        let client = service_fn(|request: Request<TestBody>| {
            std::future::ready(Ok::<_, std::io::Error>(http::Response::new(request)))
        });
        let client = SigV4Layer::new(signer.clone())
            .map_body(|body: sigv4_middleware::SignedBody<TestBody>| {
                BodyExt::boxed(body.map_err(std::io::Error::other))
            })
            .layer(client);
        let frames = stream::iter([Ok(Frame::data(Bytes::from_static(b"first")))]).chain(stream::pending());
        let request = Request::post(uri)
            .header("authorization", "Bearer token")
            .header("host", "other.example.com")
            .header("x-amz-date", "19700101T000000Z")
            .header("content-length", "7")
            .body(boxed(StreamBody::new(frames)))
            .unwrap();
        let (given, headers) = (request.uri().clone(), request.headers().clone());
        let seen = in_time(client.oneshot(request)).await.unwrap().into_body();
        assert_eq!((seen.uri(), seen.headers()), (&given, &headers), "{uri}");
        let first = seen.into_body().frame().await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "first", "the body is not waited for");
    }
}

/// Makes the future of a request, and does not poll it.
struct Unpolled;

#[async_trait::async_trait]
impl Middleware for Unpolled {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        drop(next.run(request, extensions));
        Err(reqwest_middleware::Error::middleware(io::Error::other("not polled")))
    }
}

/// So that the event belongs to the span that the future is instrumented with.
#[tokio::test]
async fn a_middleware_says_nothing_before_it_is_polled() {
    let events = Events::capture();
    let (signer, recorder) = (Signer::disabled(), Recorder::start().await);
    let url = format!("http://{}", recorder.addr());
    let client = || ClientBuilder::new(plain_reqwest());
    let unpolled = client().with(Unpolled).with(SigV4Middleware::new(signer.clone())).build();
    assert!(unpolled.get(&url).send().await.is_err());
    assert!(events.take("disabled").is_empty());
    let polled = client().with(SigV4Middleware::new(signer)).build();
    polled.get(&url).send().await.unwrap();
    assert_eq!(events.take("disabled").len(), 1);
}

/// What is in them may be of use until the client drops it.
#[tokio::test]
async fn the_client_gets_the_extensions_and_no_copy() {
    let client = service_fn(|request: Request<axum::body::Body>| async move {
        let held = request.extensions().get::<Arc<()>>().map(Arc::strong_count);
        Ok::<_, io::Error>(Response::new(held))
    });
    let request = Request::get("http://localhost/").extension(Arc::new(()));
    let request = request.body(axum::body::Body::empty()).unwrap();
    let response = layered(client, &Signer::disabled()).oneshot(request).await.unwrap();
    assert_eq!(response.into_body(), Some(1));
}

/// Without credentials, and without a runtime: everything is ready at the first poll.
#[test]
fn by_hand_it_needs_no_runtime() {
    let signer = Signer::disabled();
    let uri = Uri::from_static("http://evil.example/a%2fb?b=2&a=+");
    let (mut parts, ()) = Request::get(&uri).header("a", "b").body(()).unwrap().into_parts();
    let before = parts.clone();
    signer.sign(&mut parts, "body").now_or_never().expect("it waits").unwrap();
    assert_eq!((&parts.uri, &parts.headers), (&before.uri, &before.headers));

    let headers = signer.signed_headers(&Method::GET, &uri, &HeaderMap::new(), "").now_or_never();
    assert!(headers.expect("it waits").unwrap().is_empty());

    let client = reqwest::Client::new();
    let mut request = client.post("http://evil.example/?a=+").body("text").build().unwrap();
    signer.sign_reqwest(&mut request).now_or_never().expect("it waits").unwrap();
    assert_eq!(request.url().as_str(), "http://evil.example/?a=+");
    assert!(request.headers().is_empty(), "{request:?}");

    let url = signer.presign(&Method::GET, &uri, Duration::from_secs(60)).now_or_never();
    assert_eq!(url.expect("it waits").unwrap(), uri);
}

/// The client's own body, not another one made of its bytes.
#[tokio::test]
async fn the_body_stays_the_callers() {
    let client = service_fn(|request: Request<axum::body::Body>| async {
        let mut body = request.into_body();
        let mut frames = Vec::new();
        while let Some(frame) = body.frame().await {
            frames.push(frame.unwrap());
        }
        let trailers = frames.pop().unwrap().into_trailers().unwrap();
        assert_eq!(trailers["etag"], "a");
        Ok::<_, std::io::Error>(http::Response::new(frames.len()))
    });
    let trailers = HeaderMap::from_iter([(http::header::ETAG, HeaderValue::from_static("a"))]);
    let frames = ["a", "b", "c"].map(|text| Ok::<_, std::io::Error>(Frame::data(Bytes::from(text))));
    let frames = frames.into_iter().chain([Ok(Frame::trailers(trailers))]);
    let body = axum::body::Body::new(StreamBody::new(stream::iter(frames)));
    let request = Request::post("http://localhost/").body(body).unwrap();
    let response = layered(client, &Signer::disabled()).oneshot(request).await.unwrap();
    assert_eq!(response.into_body(), 3);
}

#[test]
fn its_types_are_those_of_a_signer_that_signs() {
    let _both: [SigV4Layer; 2] = [true, false].map(|development| SigV4Layer::new(signer_of(development)));
    let _both: [SigV4Middleware; 2] =
        [true, false].map(|development| SigV4Middleware::new(signer_of(development)));
}
