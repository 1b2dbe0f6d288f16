// Lines beyond the one: 0.

use std::future::{Ready, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use sigv4_middleware::{BoxError, SigV4Layer};
use tower::retry::Policy;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_http::decompression::DecompressionLayer;
use tower_http::timeout::{ResponseBodyTimeoutLayer, TimeoutLayer};
use tower_http::trace::TraceLayer;

use crate::support::*;

const MINUTE: Duration = Duration::from_secs(60);

fn hyper<B>() -> Client<HttpConnector, B>
where
    B: http_body::Body<Data = Bytes> + Send,
{
    Client::builder(TokioExecutor::new()).build_http()
}

/// Retries server errors.
#[derive(Clone)]
struct Retries(usize);

impl<B: Clone, R, E> Policy<Request<B>, Response<R>, E> for Retries {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Request<B>, result: &mut Result<Response<R>, E>) -> Option<Ready<()>> {
        let failed = result.as_ref().is_ok_and(|response| response.status().is_server_error());
        (failed && self.0 > 0).then(|| {
            self.0 -= 1;
            ready(())
        })
    }

    fn clone_request(&mut self, request: &Request<B>) -> Option<Request<B>> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn above() -> TestResult {
    let gateway = gateway().await;
    gateway.fail_next(2, StatusCode::SERVICE_UNAVAILABLE);

    let client = ServiceBuilder::new()
        .layer(BoxCloneSyncService::layer())
        .buffer(8)
        .concurrency_limit(2)
        .timeout(MINUTE)
        .retry(Retries(2))
        .layer(SigV4Layer::new(signer()))
        .service(hyper::<Full<Bytes>>());

    let request = Request::post(gateway.url()).body(Full::from("hello"))?;
    assert_eq!(client.oneshot(request).await?.status(), 200);
    let received = gateway.requests();
    assert_eq!(received.iter().map(|one| one.status.as_u16()).collect::<Vec<_>>(), [503, 503, 200]);
    assert!(received.iter().all(|one| one.body == "hello"));
    Ok(())
}

/// A second attempt after a refusal needs room in what is below.
#[tokio::test]
async fn below() -> TestResult {
    let gateway = gateway().await;
    gateway.set_clock_offset(3600);

    let mut client = ServiceBuilder::new()
        .layer(SigV4Layer::new(signer()))
        .buffer(1)
        .concurrency_limit(1)
        .timeout(MINUTE)
        .service(hyper::<Full<Bytes>>());

    let request = Request::post(gateway.url()).body(Full::from("hello"))?;
    assert_eq!(client.ready().await?.call(request.clone()).await?.status(), 200);
    assert_eq!(client.ready().await?.call(request).await?.status(), 200);
    let statuses: Vec<_> = gateway.requests().iter().map(|one| one.status.as_u16()).collect();
    assert_eq!(statuses, [403, 200, 200]);
    Ok(())
}

#[tokio::test]
async fn tower_http_above_and_below() -> TestResult {
    let gateway = gateway().await;
    let response = Response::builder().header(header::CONTENT_ENCODING, "gzip");
    gateway.respond_with(response.body(Bytes::from_static(HELLO_GZIP))?);

    let above = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, MINUTE))
        .map_response(|response: Response<_>| response.map(Body::new))
        .layer(ResponseBodyTimeoutLayer::new(MINUTE))
        .layer(DecompressionLayer::new())
        .layer(SigV4Layer::new(signer()))
        .service(hyper::<Full<Bytes>>());
    let below = ServiceBuilder::new()
        .layer(SigV4Layer::new(signer()))
        .layer(TraceLayer::new_for_http())
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, MINUTE))
        .map_response(|response: Response<_>| response.map(Body::new))
        .layer(ResponseBodyTimeoutLayer::new(MINUTE))
        .layer(DecompressionLayer::new())
        .service(hyper::<Full<Bytes>>());

    let request = Request::post(gateway.url()).body(Full::from("hello"))?;
    let above = above.oneshot(request.clone()).await?.into_body().collect().await;
    assert_eq!(above.map_err(BoxError::from)?.to_bytes(), "hello");
    let below = below.oneshot(request).await?.into_body().collect().await;
    assert_eq!(below.map_err(BoxError::from)?.to_bytes(), "hello");
    assert!(gateway.requests().iter().all(|one| one.status == 200 && one.body == "hello"));
    Ok(())
}
