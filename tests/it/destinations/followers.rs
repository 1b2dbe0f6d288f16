//! Why the layer cannot know the host first seen when something above it follows redirects.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use sigv4_middleware::overrides::SkipSigning;
use sigv4_middleware::{BoxError, SigV4Layer};
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_http::follow_redirect::FollowRedirectLayer;

use crate::support::*;

#[derive(Clone)]
struct FirstHost(&'static str);

/// tower-http makes each hop of method, URI, version and headers: an extension put on the request ends there.
#[tokio::test]
async fn a_hop_carries_no_extensions() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let seen_by_inner = Arc::clone(&seen);
    let inner = tower::service_fn(move |request: Request<Full<Bytes>>| {
        let host = request.uri().host().unwrap().to_owned();
        seen_by_inner.lock().unwrap().push((host, request.extensions().get().map(|FirstHost(host)| *host)));
        let response = match request.uri().path() {
            "/first" => Response::builder().status(302).header("location", "http://127.0.0.2/next"),
            _ => Response::builder(),
        };
        async move { Ok::<_, BoxError>(response.body(Full::<Bytes>::default()).unwrap()) }
    });
    let request = Request::get("http://127.0.0.1/first").extension(FirstHost("127.0.0.1"));
    let client = ServiceBuilder::new().layer(FollowRedirectLayer::new()).service(inner);
    client.oneshot(request.body(Full::default()).unwrap()).await.unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(*seen, [("127.0.0.1".to_owned(), Some("127.0.0.1")), ("127.0.0.2".to_owned(), None)]);
}

/// Nor can the layer itself remember the host: a follower calls the same service once more, which is what a caller
/// with two hosts does.
#[tokio::test]
async fn one_service_is_called_for_several_hosts() {
    let (one, two) = (gateway("s3").await, gateway("s3").await);
    let mut client = layered_wrapping(hyper(one.addr(), Http::One), &signer("s3"));
    for gateway in [&one, &two, &one] {
        let request = Request::get(gateway.url()).body(crate::support::in_memory("")).unwrap();
        assert_eq!(client.ready().await.unwrap().call(request).await.unwrap().status(), 200);
    }
}

/// What the layer's documentation warns of: the second request is signed, though the first was not to be.
#[tokio::test]
async fn a_hop_forgets_that_it_was_not_to_be_signed() {
    let gateway = gateway("s3").await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let seen_by_inner = Arc::clone(&seen);
    let inner = tower::service_fn(move |request: Request<Full<Bytes>>| {
        seen_by_inner.lock().unwrap().push(request.headers().contains_key("authorization"));
        let mut response = Response::new(Full::<Bytes>::default());
        if request.uri().path() == "/first" {
            *response.status_mut() = StatusCode::FOUND;
            response.headers_mut().insert("location", HeaderValue::from_static("/next"));
        }
        async move { Ok::<_, BoxError>(response) }
    });
    let client = ServiceBuilder::new()
        .layer(FollowRedirectLayer::new())
        .layer(SigV4Layer::new(signer("s3")))
        .service(inner);
    let request = Request::get(format!("{}/first", gateway.url())).extension(SkipSigning);
    client.oneshot(request.body(Full::default()).unwrap()).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [false, true]);
}
