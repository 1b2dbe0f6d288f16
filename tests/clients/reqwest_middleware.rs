// Lines beyond the one: 0.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_cache_reqwest::{Cache, CacheMode, HttpCache, HttpCacheOptions, MokaManager};
use reqwest::multipart::Form;
use reqwest_middleware::ClientBuilder;
use reqwest_ratelimit::RateLimiter;
use reqwest_retry::{RetryTransientMiddleware, policies::ExponentialBackoff};
use reqwest_tracing::TracingMiddleware;
use sigv4_middleware::SigV4Middleware;
use tokio::sync::Semaphore;

use crate::support::*;

/// Lets so many requests through.
struct Permits(Semaphore);

impl RateLimiter for Permits {
    async fn acquire_permit(&self) {
        self.0.acquire().await.unwrap().forget();
    }
}

fn reqwest_client() -> reqwest::Client {
    sigv4_middleware::reqwest_client().cookie_store(true).gzip(true).build().unwrap()
}

fn retries() -> RetryTransientMiddleware<ExponentialBackoff> {
    let backoff = ExponentialBackoff::builder().retry_bounds(Duration::ZERO, Duration::from_millis(1));
    RetryTransientMiddleware::new_with_policy(backoff.build_with_max_retries(2))
}

#[tokio::test]
async fn cache_tracing_retries_rate_limit_gzip_and_cookies() -> TestResult {
    let gateway = gateway().await;
    let response = Response::builder()
        .header(header::CONTENT_ENCODING, "gzip")
        .header(header::CACHE_CONTROL, "public, max-age=60")
        .header(header::SET_COOKIE, "session=1");
    gateway.respond_with(response.body(Bytes::from_static(HELLO_GZIP))?);
    let cache = HttpCache {
        mode: CacheMode::Default,
        manager: MokaManager::default(),
        options: HttpCacheOptions::default(),
    };

    let client = ClientBuilder::new(reqwest_client())
        .with(Cache(cache))
        .with(TracingMiddleware::default())
        .with(retries())
        .with(reqwest_ratelimit::all(Permits(Semaphore::new(5))))
        .with(SigV4Middleware::new(signer()))
        .build();

    // Twice refused, then decompressed and cached.
    gateway.fail_next(2, StatusCode::SERVICE_UNAVAILABLE);
    for _ in 0..2 {
        assert_eq!(client.get(format!("{}/a", gateway.url())).send().await?.text().await?, "hello");
    }
    let received = gateway.requests();
    assert_eq!(received.iter().map(|one| one.status.as_u16()).collect::<Vec<_>>(), [503, 503, 200]);

    // The cookie goes along, unsigned.
    gateway.clear();
    client.get(format!("{}/b", gateway.url())).send().await?;
    let received = authorized(&gateway);
    assert_eq!(received.header("cookie"), Some("session=1"));
    assert!(!received.header("authorization").unwrap().contains("cookie"));

    // The cache makes text of an error, but passes on that of a request it does not cache.
    found(&client.post(DISALLOWED).send().await.unwrap_err());
    Ok(())
}

/// Without retries: reqwest-retry sends no stream.
#[tokio::test]
async fn multipart() -> TestResult {
    let gateway = gateway().await;

    let client = ClientBuilder::new(reqwest_client())
        .with(TracingMiddleware::default())
        .with(SigV4Middleware::new(signer()))
        .build();

    let form = Form::new().text("name", "value");
    client.post(gateway.url()).multipart(form).send().await?;
    assert!(String::from_utf8(authorized(&gateway).body.to_vec())?.contains("value"));
    Ok(())
}
