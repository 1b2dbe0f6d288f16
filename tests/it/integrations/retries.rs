//! Retries above the integrations: every try is signed afresh, and errors are found through what wraps them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use aws_smithy_async::time::TimeSource;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use reqwest_retry::{RetryTransientMiddleware, policies::ExponentialBackoff};
use sigv4_middleware::{
    BoxError, Error, ErrorKind, IamGateway, ReceivedRequest, SigV4Layer, SigV4Middleware, Signer,
};
use tower::{ServiceBuilder, ServiceExt, retry::Policy};

use crate::support::*;

/// A clock that goes on by a second whenever it is read.
#[derive(Debug)]
struct Ticking(SystemTime, AtomicU64);

impl TimeSource for Ticking {
    fn now(&self) -> SystemTime {
        self.0 + Duration::from_secs(self.1.fetch_add(1, Ordering::Relaxed))
    }
}

fn ticking() -> Signer {
    let clock = Ticking(SystemTime::now() - Duration::from_secs(60), AtomicU64::new(0));
    // The clock ticks at every look; what is learned of the gateway would set it right.
    signing("s3").time_source(clock).clock_skew_correction(false).build().unwrap()
}

fn retrying(signer: &Signer, gateway: &IamGateway) -> reqwest_middleware::ClientWithMiddleware {
    let policy = ExponentialBackoff::builder()
        .retry_bounds(Duration::from_millis(1), Duration::from_millis(2))
        .build_with_max_retries(3);
    reqwest_middleware::ClientBuilder::new(reqwest(gateway.addr(), Http::One))
        .with(RetryTransientMiddleware::new_with_policy(policy))
        .with(SigV4Middleware::new(signer.clone()))
        .build()
}

#[track_caller]
fn each_was_signed_afresh(received: &[ReceivedRequest]) {
    assert_eq!(received.iter().map(|one| one.status.as_u16()).collect::<Vec<_>>(), [500, 503, 200]);
    let names = ["x-amz-date", "authorization", "x-amz-security-token", "x-amz-content-sha256"];
    for one in received {
        assert_eq!((&one.body[..], one.target.as_str()), (&b"hello"[..], "/a%20b?c=d%20e"));
        for name in names {
            assert_eq!(one.headers.get_all(name).iter().count(), 1, "{name}");
        }
        assert_eq!(one.headers.len(), received[0].headers.len());
    }
    for pair in received.windows(2) {
        for name in &names[..2] {
            assert_ne!(pair[0].header(name), pair[1].header(name), "{name}");
        }
        assert!(pair[0].header("x-amz-date") < pair[1].header("x-amz-date"));
    }
}

#[tokio::test]
async fn reqwest_retry_above_the_middleware() {
    let gateway = gateway("s3").await;
    gateway.fail_next(1, StatusCode::INTERNAL_SERVER_ERROR);
    gateway.fail_next(1, StatusCode::SERVICE_UNAVAILABLE);
    let client = retrying(&ticking(), &gateway);
    let response = client.put(format!("{}/a%20b?c=d+e", gateway.url())).body("hello").send().await.unwrap();
    assert_eq!(response.status(), 200);
    each_was_signed_afresh(&gateway.requests());
}

/// Three more tries for what the server failed at.
#[derive(Clone)]
struct Again(usize);

impl<R> Policy<Request<Full<Bytes>>, http::Response<R>, LayerError> for Again {
    type Future = std::future::Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Full<Bytes>>,
        result: &mut Result<http::Response<R>, LayerError>,
    ) -> Option<Self::Future> {
        self.0 = self.0.checked_sub(1)?;
        result.as_ref().is_ok_and(|r| r.status().is_server_error()).then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &Request<Full<Bytes>>) -> Option<Request<Full<Bytes>>> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn tower_retry_above_the_layer() {
    let gateway = gateway("s3").await;
    gateway.fail_next(1, StatusCode::INTERNAL_SERVER_ERROR);
    gateway.fail_next(1, StatusCode::SERVICE_UNAVAILABLE);
    let service =
        ServiceBuilder::new()
            .retry(Again(3))
            .layer(SigV4Layer::new(ticking()))
            .service(hyper::<Full<Bytes>>(gateway.addr(), Http::One));
    let request = Request::put(format!("{}/a%20b?c=d+e", gateway.url()));
    let response = service.oneshot(request.body(Full::from("hello")).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    each_was_signed_afresh(&gateway.requests());
}

#[tokio::test]
async fn the_error_is_found_in_what_reqwest_middleware_returns() {
    let (gateway, signer) = (gateway("execute-api").await, signer("execute-api"));
    let client = middleware(reqwest(gateway.addr(), Http::One), &signer);
    let error = client.get(gateway.url()).bearer_auth("abc").send().await.unwrap_err();
    assert_eq!(Error::find(&error).map(Error::kind), Some(ErrorKind::ForeignAuthorization));
    let boxed: BoxError = error.into();
    assert_eq!(found(&boxed).kind(), ErrorKind::ForeignAuthorization);
}

/// `RetryError` shows what it wraps as itself, and so hides it from a look down the chain of sources.
#[tokio::test]
async fn the_error_is_found_through_the_wrapping_of_reqwest_retry() {
    let (gateway, signer) = (gateway("execute-api").await, signer("execute-api"));
    let client = retrying(&signer, &gateway);
    let error = client.get(gateway.url()).bearer_auth("abc").send().await.unwrap_err();
    assert_eq!(Error::find(&error).map(Error::kind), Some(ErrorKind::ForeignAuthorization), "{error:?}");
    assert!(error.to_string().contains("remove it"), "{error}");

    // A cause beneath does not hide it either.
    let failing = futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::other("disk gone"))]);
    let client = middleware(reqwest(gateway.addr(), Http::One), &signer);
    let request = client.post(gateway.url()).body(reqwest::Body::wrap_stream(failing));
    let error = request.send().await.unwrap_err();
    assert_eq!(Error::find(&error).map(Error::kind), Some(ErrorKind::BodyFailed), "{error:?}");
    assert!(gateway.requests().is_empty());
}

#[tokio::test]
async fn the_error_is_found_in_the_boxed_one_of_the_layer() {
    let (gateway, signer) = (gateway("execute-api").await, signer("execute-api"));
    let service = ServiceBuilder::new()
        .buffer(2)
        .timeout(Duration::from_secs(10))
        .retry(Again(1))
        .layer(SigV4Layer::new(signer))
        .service(hyper::<Full<Bytes>>(gateway.addr(), Http::One));
    let request =
        Request::get(gateway.url()).header("authorization", "Bearer abc").body(Full::default()).unwrap();
    let error = service.oneshot(request).await.unwrap_err();
    assert_eq!(found(&error).kind(), ErrorKind::ForeignAuthorization);
    assert!(error.downcast_ref::<LayerError>().is_some());
}
