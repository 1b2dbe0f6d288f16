//! Wrong clocks and refused tokens against ministack, whose clock is the system's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_smithy_async::time::TimeSource;
use bytes::Bytes;
use http::{Extensions, Method, Request};
use http_body_util::{BodyExt, Full};
use reqwest_middleware::{ClientBuilder, Middleware, Next};
use sigv4_middleware::{SigV4Middleware, Signer, SignerBuilder};
use tower::{ServiceBuilder, ServiceExt};

use crate::support::{FakeProvider, Http, Integration, WITH_EXTENSIONS, layered, plain_reqwest};

use sigv4_test_support::ministack::{Keys, Ministack, Setup};

const HOUR: i64 = 3600;
const MINUTE: i64 = 60;

/// The system's clock, wrong by some seconds.
#[derive(Debug)]
struct Wrong(i64);

impl TimeSource for Wrong {
    fn now(&self) -> SystemTime {
        let by = Duration::from_secs(self.0.unsigned_abs());
        if self.0 < 0 { SystemTime::now() - by } else { SystemTime::now() + by }
    }
}

/// Counts what goes onto the wire.
#[derive(Clone, Default)]
struct Tries(Arc<AtomicUsize>);

#[async_trait::async_trait]
impl Middleware for Tries {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        self.0.fetch_add(1, Ordering::SeqCst);
        next.run(request, extensions).await
    }
}

/// Sends a request; status, number of tries, and the body's text.
async fn send(
    integration: Integration,
    signer: &Signer,
    method: &Method,
    url: &str,
    body: &str,
) -> (u16, usize, String) {
    let tries = Tries::default();
    let (status, text) = if integration == Integration::Middleware {
        let client = ClientBuilder::new(plain_reqwest())
            .with(SigV4Middleware::new(signer.clone()))
            .with(tries.clone())
            .build();
        let response = client.request(method.clone(), url).body(body.to_owned()).send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    } else {
        let request = Request::builder().method(method.clone()).uri(url);
        let request = request.body(Full::from(body.to_owned())).unwrap();
        let to = request.uri().authority().unwrap().as_str().parse().unwrap();
        let counted = tries.clone();
        let count = move |request| {
            counted.0.fetch_add(1, Ordering::SeqCst);
            request
        };
        let client = ServiceBuilder::new()
            .map_request(count)
            .service(crate::support::hyper::<Full<Bytes>>(to, Http::One));
        let (head, body) = layered(client, signer).oneshot(request).await.unwrap().into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        (head.status, text)
    };
    (status.as_u16(), tries.0.load(Ordering::SeqCst), text)
}

fn credentials(keys: &Keys) -> Credentials {
    Credentials::new(
        &keys.access_key_id,
        &keys.secret_access_key,
        keys.session_token.clone(),
        None,
        "ministack",
    )
}

fn signer(setup: &Setup, service: &'static str, ahead: i64) -> SignerBuilder {
    let builder = Signer::builder().credentials(credentials(&setup.session)).time_source(Wrong(ahead));
    builder.service(service).region(setup.region.clone()).clock_skew_correction(true)
}

#[tokio::test]
async fn an_api_call_by_a_wrong_clock_takes_two_tries_and_the_next_one_one() {
    let Some(ministack) = Ministack::shared() else { return };
    let setup = &ministack.setup;
    let url = format!("{}/items?a=1", setup.api_url);
    for integration in WITH_EXTENSIONS {
        for ahead in [HOUR, -HOUR, 6 * MINUTE, -6 * MINUTE] {
            let signer = signer(setup, "execute-api", ahead).build().unwrap();
            for tries in [2, 1] {
                let response = send(integration, &signer, &Method::POST, &url, "an order").await;
                assert_eq!((response.0, response.1), (200, tries), "{integration:?} {ahead}: {}", response.2);
                let seen: serde_json::Value = serde_json::from_str(&response.2).unwrap();
                assert_eq!(seen["body"], "an order");
            }
        }
    }
}

/// S3 allows a quarter of an hour, and says why it refused in its XML only.
#[tokio::test]
async fn s3_by_a_wrong_clock_takes_two_tries() {
    let Some(ministack) = Ministack::shared() else { return };
    let setup = &ministack.setup;
    for integration in WITH_EXTENSIONS {
        for (ahead, tries) in [(HOUR, 2), (-HOUR, 2), (20 * MINUTE, 2), (-20 * MINUTE, 2), (6 * MINUTE, 1)] {
            let url = format!("{}/{}/recovery-{integration:?}-{ahead}", setup.endpoint, setup.bucket);
            for (method, body, expected) in [
                (Method::PUT, "an object", ""),
                (Method::GET, "", "an object"),
                (Method::HEAD, "", ""),
                (Method::DELETE, "", ""),
            ] {
                // A signer of its own for each, so that none profits from what another has learned.
                let signer = signer(setup, "s3", ahead).build().unwrap();
                let (status, seen, text) = send(integration, &signer, &method, &url, body).await;
                assert!([200, 204].contains(&status), "{integration:?} {method} {ahead}: {status} {text}");
                assert_eq!((seen, text.as_str()), (tries, expected), "{integration:?} {method} {ahead}");
            }
        }
    }
}

#[tokio::test]
async fn with_correction_off_the_refusal_comes_through_whole() {
    let Some(ministack) = Ministack::shared() else { return };
    let setup = &ministack.setup;
    for integration in WITH_EXTENSIONS {
        let s3 = signer(setup, "s3", HOUR).clock_skew_correction(false).build().unwrap();
        let url = format!("{}/{}/recovery", setup.endpoint, setup.bucket);
        let (status, tries, text) = send(integration, &s3, &Method::GET, &url, "").await;
        assert_eq!((status, tries), (403, 1), "{integration:?}");
        assert!(text.contains("<Code>RequestTimeTooSkewed</Code>") && text.ends_with("</Error>"), "{text}");

        let api = signer(setup, "execute-api", HOUR).clock_skew_correction(false).build().unwrap();
        let (status, tries, text) =
            send(integration, &api, &Method::GET, &format!("{}/items", setup.api_url), "").await;
        assert_eq!((status, tries), (403, 1), "{integration:?}");
        assert!(text.contains("Signature not yet current"), "{text}");
    }
}

#[tokio::test]
async fn s3s_invalid_token_is_recovered_by_a_reload() {
    let Some(ministack) = Ministack::shared() else { return };
    let setup = &ministack.setup;
    let url = format!("{}/{}/recovery-token", setup.endpoint, setup.bucket);
    for integration in WITH_EXTENSIONS {
        let good = credentials(&setup.session);
        let (id, secret) = (good.access_key_id(), good.secret_access_key());
        let revoked = Credentials::new(id, secret, Some("taken back".to_owned()), None, "ministack");
        let renewed = FakeProvider::of([revoked, good]);
        let signer = signer(setup, "s3", 0).credentials(renewed).build().unwrap();
        let (status, tries, text) = send(integration, &signer, &Method::PUT, &url, "an object").await;
        if integration.reads_refusals() {
            assert_eq!((status, tries), (200, 2), "{integration:?}: {text}");
        } else {
            // The code is in the body alone. The credentials are reloaded in the background, for the next request.
            assert_eq!((status, tries), (400, 1), "{integration:?}: {text}");
            let reloaded = async {
                while send(integration, &signer, &Method::PUT, &url, "an object").await.0 != 200 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(30), reloaded).await.expect("credentials are reloaded");
        }

        let wrong = Keys { session_token: Some("never good".to_owned()), ..setup.session.clone() };
        let signer = self::signer(setup, "s3", 0).credentials(credentials(&wrong)).build().unwrap();
        let (status, tries, text) = send(integration, &signer, &Method::PUT, &url, "an object").await;
        assert_eq!((status, tries), (400, 1), "{integration:?}");
        assert!(text.contains("<Code>InvalidToken</Code>"), "{text}");
    }
}

#[tokio::test]
async fn a_policys_no_is_not_tried_again() {
    let Some(ministack) = Ministack::shared() else { return };
    let setup = &ministack.setup;
    for integration in WITH_EXTENSIONS {
        for (service, url) in [
            ("execute-api", format!("{}/items", setup.api_url)),
            ("s3", format!("{}/{}/recovery", setup.endpoint, setup.bucket)),
        ] {
            let signer = signer(setup, service, 0).credentials(credentials(&setup.stranger)).build().unwrap();
            let (status, tries, text) = send(integration, &signer, &Method::GET, &url, "").await;
            assert_eq!((status, tries), (403, 1), "{integration:?} {service}");
            assert!(!text.is_empty());
        }
    }
}
