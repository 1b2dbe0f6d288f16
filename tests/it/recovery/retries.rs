//! Retries above: each attempt is signed with the date and the credentials of its own moment, and keeps nothing of the
//! one before.

use std::future::{Ready, ready};
use std::time::Duration;

use aws_smithy_async::test_util::ManualTimeSource;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use reqwest_middleware::ClientBuilder;
use reqwest_retry::policies::ExponentialBackoff;
use reqwest_retry::{RetryTransientMiddleware, Retryable, RetryableStrategy};
use sigv4_middleware::{IamGateway, SigV4Middleware, Signer};
use tower::retry::{Policy, RetryLayer};
use tower::{ServiceBuilder, ServiceExt};

use crate::support::*;

const PATIENCE: Duration = Duration::from_secs(600);

/// Three attempts ten minutes apart, each with other credentials, the last of which have no token.
async fn setup() -> (ManualTimeSource, IamGateway, Signer) {
    let clock = ManualTimeSource::new(noon());
    let gateway = gateway_at(&clock, [role_of("AKID1"), role_of("AKID2"), user_of("AKID3")]).await;
    gateway.fail_next(2, StatusCode::SERVICE_UNAVAILABLE);
    let provider = FakeProvider::of([role_of("AKID1"), role_of("AKID2"), user_of("AKID3")]);
    let signer = signer_at(provider, &clock).cache_credentials(false).build().unwrap();
    (clock, gateway, signer)
}

fn check(gateway: &IamGateway) {
    assert_eq!(tries(gateway), [503, 503, 200]);
    let seen = gateway.requests();
    let all = |name: &str| seen.iter().map(|seen| seen.header(name).map(str::to_owned)).collect::<Vec<_>>();
    let some = |values: [&str; 3]| values.map(|value| Some(value.to_owned()));
    assert_eq!(all("x-amz-date"), some(["20150830T123600Z", "20150830T124600Z", "20150830T125600Z"]));
    let tokens = [Some("token-of-AKID1".to_owned()), Some("token-of-AKID2".to_owned()), None];
    assert_eq!(all("x-amz-security-token"), tokens);
    for (authorization, key) in all("authorization").into_iter().zip(["AKID1", "AKID2", "AKID3"]) {
        let expected =
            format!("AWS4-HMAC-SHA256 Credential={key}/20150830/{REGION}/execute-api/aws4_request");
        assert!(authorization.unwrap().starts_with(&expected));
    }
    assert!(seen.iter().all(|seen| seen.body == r#"{"order":1}"#));
}

/// Retries 503, and lets time pass before each attempt.
#[derive(Clone)]
struct Later(ManualTimeSource);

impl RetryableStrategy for Later {
    fn handle(&self, response: &Result<reqwest::Response, reqwest_middleware::Error>) -> Option<Retryable> {
        let again = response.as_ref().unwrap().status() == 503;
        again.then(|| {
            self.0.advance(PATIENCE);
            Retryable::Transient
        })
    }
}

#[tokio::test]
async fn beneath_reqwest_retry() {
    let (clock, gateway, signer) = setup().await;
    let policy = ExponentialBackoff::builder()
        .retry_bounds(Duration::from_millis(1), Duration::from_millis(1))
        .build_with_max_retries(5);
    let client = ClientBuilder::new(sigv4_middleware::reqwest_client().build().unwrap())
        .with(RetryTransientMiddleware::new_with_policy_and_strategy(policy, Later(clock)))
        .with(SigV4Middleware::new(signer))
        .build();
    let request = client.post(format!("{}/orders?a=1", gateway.url())).body(r#"{"order":1}"#);
    assert_eq!(request.send().await.unwrap().status(), 200);
    check(&gateway);
}

impl<R> Policy<Request<Bytes>, Response<R>, LayerError> for Later {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Bytes>,
        response: &mut Result<Response<R>, LayerError>,
    ) -> Option<Ready<()>> {
        let again = response.as_ref().unwrap().status() == 503;
        again.then(|| {
            self.0.advance(PATIENCE);
            ready(())
        })
    }

    fn clone_request(&mut self, request: &Request<Bytes>) -> Option<Request<Bytes>> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn beneath_towers_retry() {
    let (clock, gateway, signer) = setup().await;
    let hyper = Client::builder(TokioExecutor::new()).build_http::<Outgoing<TestBody>>();
    let client = ServiceBuilder::new()
        .layer(RetryLayer::new(Later(clock)))
        .map_request(|request: Request<Bytes>| request.map(in_memory))
        .layer(wrapping(&signer))
        .service(hyper);
    let response = client.oneshot(post(&gateway.url()).map(Bytes::from)).await.unwrap();
    assert_eq!(response.status(), 200);
    check(&gateway);
}
