//! What stands between signer and guard changes one thing: the guard names it, and nothing is sent.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Extensions, Request};
use http_body_util::{BodyExt, Full, StreamBody};
use reqwest_middleware::{ClientBuilder, Middleware, Next};
use sigv4_middleware::{
    BoxError, Error, ErrorKind, IamGateway, PayloadMode, RequestChange, SigV4Guard, SigV4Layer,
    SigV4Middleware, SignedBody,
};
use tower::{ServiceBuilder, ServiceExt};

use crate::support::*;

/// A change to a request that is already signed.
type Change = fn(&mut http::Request<Bytes>);

fn named(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}

fn set_uri(request: &mut Request<Bytes>, from: &str, to: &str) {
    let changed = request.uri().to_string().replace(from, to);
    assert_ne!(request.uri().to_string(), changed);
    *request.uri_mut() = changed.parse().unwrap();
}

/// Every kind of change, and what the guard calls it; `None` for what changes no signature.
fn changes() -> Vec<(&'static str, Change, Option<RequestChange>)> {
    use RequestChange as Is;
    vec![
        ("nothing", |_| (), None),
        ("method", |r| *r.method_mut() = http::Method::PATCH, Some(Is::Method)),
        ("host", |r| set_uri(r, "127.0.0.1", "localhost"), Some(Is::Host)),
        (
            "Host header",
            |r| drop(r.headers_mut().insert("host", HeaderValue::from_static("other"))),
            Some(Is::Host),
        ),
        (
            "second Host header",
            |r| {
                let host = HeaderValue::from_str(r.uri().authority().unwrap().as_str()).unwrap();
                r.headers_mut().insert("host", host);
                assert!(r.headers_mut().append("host", HeaderValue::from_static("other")));
            },
            Some(Is::HeaderAdded(named("host"))),
        ),
        ("path", |r| set_uri(r, "/prod/", "/test/"), Some(Is::Path)),
        ("path escaped", |r| set_uri(r, "a-b", "a%2Db"), Some(Is::Path)),
        ("parameter", |r| set_uri(r, "a=1", "a=2"), Some(Is::Query("a".into()))),
        ("parameter removed", |r| set_uri(r, "a=1&", ""), Some(Is::Query("a".into()))),
        ("parameter added", |r| set_uri(r, "a=1", "a=1&c=3"), Some(Is::Query("c".into()))),
        ("parameter escaped", |r| set_uri(r, "b=x%20y", "b=x+y"), Some(Is::Query("b".into()))),
        ("parameters reordered", |r| set_uri(r, "a=1&b=x%20y", "b=x%20y&a=1"), None),
        (
            "content-type",
            |r| {
                drop(
                    r.headers_mut()
                        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8")),
                )
            },
            Some(Is::HeaderChanged(CONTENT_TYPE)),
        ),
        (
            "white space",
            |r| drop(r.headers_mut().insert("x-amz-meta-a", HeaderValue::from_static("one  two"))),
            None,
        ),
        (
            "x-amz-date removed",
            |r| drop(r.headers_mut().remove("x-amz-date")),
            Some(Is::HeaderRemoved(named("x-amz-date"))),
        ),
        (
            "token removed",
            |r| drop(r.headers_mut().remove("x-amz-security-token")),
            Some(Is::HeaderRemoved(named("x-amz-security-token"))),
        ),
        (
            "second value",
            |r| assert!(r.headers_mut().append("x-amz-meta-a", HeaderValue::from_static("three"))),
            Some(Is::HeaderAdded(named("x-amz-meta-a"))),
        ),
        (
            "x-amz header added",
            |r| drop(r.headers_mut().insert("x-amz-meta-b", HeaderValue::from_static("b"))),
            Some(Is::HeaderAdded(named("x-amz-meta-b"))),
        ),
        (
            "other header added",
            |r| drop(r.headers_mut().insert("x-request-id", HeaderValue::from_static("b"))),
            None,
        ),
        (
            "authorization",
            |r| drop(r.headers_mut().insert(AUTHORIZATION, HeaderValue::from_static("AWS4-HMAC-SHA256 x"))),
            Some(Is::HeaderChanged(AUTHORIZATION)),
        ),
        (
            "authorization removed",
            |r| drop(r.headers_mut().remove(AUTHORIZATION)),
            Some(Is::HeaderRemoved(AUTHORIZATION)),
        ),
        ("body", |r| *r.body_mut() = Bytes::from_static(b"{\"order\":2}"), Some(Is::Body)),
        ("body emptied", |r| *r.body_mut() = Bytes::new(), Some(Is::Body)),
        ("extensions", |r| r.extensions_mut().clear(), Some(Is::ExtensionsLost)),
    ]
}

fn request(gateway: &IamGateway) -> Request<Bytes> {
    Request::put(format!("{}/prod/a-b?a=1&b=x%20y", gateway.url()))
        .header(CONTENT_TYPE, "application/json")
        .header("x-amz-meta-a", "one two")
        .body(Bytes::from_static(b"{\"order\":1}"))
        .unwrap()
}

/// What was expected, against what came of it; a request that was not changed has to be accepted.
#[track_caller]
fn verify(what: &str, expected: Option<&RequestChange>, got: Result<u16, BoxError>, gateway: &IamGateway) {
    match (expected, got) {
        (None, Ok(status)) => assert_eq!(status, 200, "{what}"),
        (Some(change), Err(error)) => {
            let error = found(&error);
            assert_eq!(
                (error.kind(), error.request_change()),
                (ErrorKind::RequestChanged, Some(change)),
                "{what}"
            );
            assert!(
                !error.was_sent() && error.to_string().starts_with(&change.to_string()),
                "{what}: {error}"
            );
            assert!(gateway.requests().is_empty(), "{what} was sent");
        }
        (expected, got) => panic!("{what}: {expected:?}, not {got:?}"),
    }
    gateway.clear();
}

#[tokio::test]
async fn the_layer_names_every_change() {
    let gateway = gateway("execute-api").await;
    let signer = signer("execute-api");
    for (what, change, expected) in changes() {
        let service = ServiceBuilder::new()
            .layer(SigV4Layer::new(signer.clone()))
            .map_request(move |request: Request<Full<Bytes>>| {
                let (head, body) = request.into_parts();
                let bytes =
                    futures_util::FutureExt::now_or_never(body.collect()).unwrap().unwrap().to_bytes();
                let mut request = Request::from_parts(head, bytes);
                change(&mut request);
                request.map(Full::new)
            })
            .layer(SigV4Guard::new(&signer))
            .service(hyper::<Full<Bytes>>(gateway.addr(), Http::One));
        let sent = service.oneshot(request(&gateway).map(Full::new)).await;
        let got = sent.map(|response| response.status().as_u16()).map_err(BoxError::from);
        verify(what, expected.as_ref(), got, &gateway);
    }
}

/// A middleware that changes requests that are signed.
struct Changing(Change);

#[async_trait::async_trait]
impl Middleware for Changing {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        let request: http::Request<reqwest::Body> = request.try_into().unwrap();
        let mut request = request.map(|body| Bytes::copy_from_slice(body.as_bytes().unwrap_or_default()));
        std::mem::swap(request.extensions_mut(), extensions);
        (self.0)(&mut request);
        std::mem::swap(request.extensions_mut(), extensions);
        next.run(request.try_into().unwrap(), extensions).await
    }
}

#[tokio::test]
async fn the_middleware_names_every_change() {
    let gateway = gateway("execute-api").await;
    let signer = signer("execute-api");
    // A response to another URL than was signed is taken for a redirect's by the signing middleware.
    for (what, change, expected) in changes().into_iter().filter(|(what, ..)| *what != "parameters reordered")
    {
        let client = ClientBuilder::new(plain_reqwest())
            .with(SigV4Middleware::new(signer.clone()))
            .with(Changing(change))
            .with(SigV4Guard::new(&signer))
            .build();
        let got = client.execute(request(&gateway).try_into().unwrap()).await;
        let got = got.map(|response| response.status().as_u16()).map_err(BoxError::from);
        verify(what, expected.as_ref(), got, &gateway);
    }
}

#[tokio::test]
async fn a_stream_is_compared_while_it_is_sent() {
    let gateway = gateway("execute-api").await;
    let sha256 = sha2::Digest::finalize(<sha2::Sha256 as sha2::Digest>::new_with_prefix("signed"));
    let signer = signing("execute-api").payload_mode(PayloadMode::Sha256(sha256.into())).build().unwrap();
    let of = |text: &'static str| {
        let (first, rest) = text.split_at(2);
        let frames = [first, rest]
            .map(|part| Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from_static(part.as_bytes()))));
        boxed(StreamBody::new(stream::iter(frames)))
    };
    for (sent, is_sent) in [("signed", true), ("others", false)] {
        let service = ServiceBuilder::new()
            .layer(wrapping::<TestBody>(&signer))
            .map_request(move |request: Request<SignedBody<TestBody>>| request.map(|_| of(sent)))
            .layer(SigV4Guard::new(&signer).map_body(|body: SignedBody<TestBody>| body))
            .service(hyper(gateway.addr(), Http::One));
        let request = Request::put(format!("{}/prod/stream", gateway.url())).body(of("signed")).unwrap();
        let got = service.oneshot(request).await.map_err(BoxError::from);
        if is_sent {
            assert_eq!(got.unwrap().status(), 200);
        } else {
            assert_eq!(found(&got.unwrap_err()).kind(), ErrorKind::BodyMismatch);
        }
    }
}

#[tokio::test]
async fn requests_that_are_not_signed_pass() {
    let gateway = gateway("execute-api").await;
    let signer = signer("execute-api");
    let client = ClientBuilder::new(plain_reqwest())
        .with(SigV4Middleware::new(signer.clone()))
        .with(SigV4Guard::new(&signer))
        .build();
    // The note of a signed request is not taken for that of the next, in the same extensions.
    let mut extensions = Extensions::new();
    let url = gateway.url();
    let get = || reqwest::Request::new(http::Method::GET, url.parse().unwrap());
    let signed = client.execute_with_extensions(get(), &mut extensions).await.unwrap();
    assert_eq!(signed.status(), 200);
    extensions.insert(sigv4_middleware::overrides::SkipSigning);
    let skipped = client.execute_with_extensions(get(), &mut extensions).await.unwrap();
    assert_eq!(skipped.status(), 403);
}

#[tokio::test]
async fn second_attempts_are_guarded_too() {
    let gateway = gateway("execute-api").await;
    gateway.set_clock_offset(3600);
    let signer = signer("execute-api");
    let client = ClientBuilder::new(plain_reqwest())
        .with(SigV4Middleware::new(signer.clone()))
        .with(SigV4Guard::new(&signer))
        .build();
    let response = client.execute(request(&gateway).try_into().unwrap()).await.unwrap();
    assert_eq!((response.status().as_u16(), tries(&gateway)), (200, vec![403, 200]));
}

#[test]
fn a_change_is_found_through_what_wraps_it() {
    let error: Arc<dyn std::error::Error + Send + Sync> = Arc::new(RequestChange::Method);
    assert_eq!(error.to_string(), "the method changed");
    assert!(Error::find(error.as_ref()).is_none());
}
