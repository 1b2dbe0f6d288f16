//! The credentials cache as its users see it.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials};
use aws_smithy_async::time::TimeSource;
use futures_util::FutureExt;
use futures_util::future::join_all;
use sigv4_middleware::{CachedCredentials, Error, ErrorKind, Signer};
use tokio::time::Instant;

use crate::support::{FakeProvider, rerun};

const CROWD: usize = 10_000;

/// The clock of tokio's paused time.
#[derive(Clone, Copy, Debug)]
struct TokioClock(Instant);

impl TimeSource for TokioClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + self.0.elapsed()
    }
}

/// A provider that takes a moment, and then gives this.
fn slow(response: fn() -> provider::Result) -> FakeProvider {
    FakeProvider::from_async_fn(move |_| async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        response()
    })
}

fn good() -> provider::Result {
    Ok(Credentials::new("AKID", "secret", None, None, "test"))
}

fn bad() -> provider::Result {
    Err(CredentialsError::provider_error("the provider is down"))
}

async fn crowd(cache: &CachedCredentials) -> Vec<provider::Result> {
    let callers = (0..CROWD).map(|_| {
        let cache = cache.clone();
        tokio::spawn(async move { cache.provide_credentials().await })
    });
    join_all(callers).await.into_iter().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_first_callers_make_one_call() {
    let provider = slow(good);
    let cache = CachedCredentials::new(provider.clone());
    for response in crowd(&cache).await {
        assert_eq!(response.unwrap().access_key_id(), "AKID");
    }
    assert_eq!(provider.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_first_of_ten_thousand_may_leave_midway() {
    let provider = slow(good);
    let cache = CachedCredentials::new(provider.clone());
    let mut first = Box::pin(cache.provide_credentials());
    assert!(first.as_mut().now_or_never().is_none(), "it waits for the load it started");
    let others = tokio::spawn({
        let cache = cache.clone();
        async move { crowd(&cache).await }
    });
    tokio::task::yield_now().await;
    drop(first);
    for response in others.await.unwrap() {
        assert_eq!(response.unwrap().access_key_id(), "AKID");
    }
    assert_eq!(provider.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_callers_share_one_failure() {
    let provider = slow(bad);
    let cache = CachedCredentials::new(provider.clone());
    let mut causes = Vec::new();
    for response in crowd(&cache).await {
        let error = response.unwrap_err();
        let error = Error::find(&error).expect("the crate's error is in the chain");
        assert_eq!(error.kind(), ErrorKind::CredentialsUnavailable);
        let cause = std::error::Error::source(error).unwrap();
        causes.push(std::ptr::from_ref(cause).cast::<()>() as usize);
    }
    assert_eq!(causes.len(), CROWD);
    causes.dedup();
    assert_eq!(causes.len(), 1, "one failure, shared");
    assert_eq!(provider.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn two_hours_later_the_next_call_has_fresh_credentials() {
    let clock = TokioClock(Instant::now());
    let hourly = FakeProvider::from_fn(move |_| {
        let expiry = clock.now() + Duration::from_secs(3600);
        Ok(Credentials::new("A", "s", Some("t".into()), Some(expiry), "test"))
    });
    let cache = CachedCredentials::builder(hourly).time_source(clock).build();
    for _ in 0..5 {
        let credentials = cache.provide_credentials().await.unwrap();
        assert!(credentials.expiry().unwrap() > clock.now());
        tokio::time::advance(Duration::from_secs(7200)).await;
    }
}

/// Run by the next test in a process of its own.
#[test]
#[ignore = "runs in a process of its own, with another environment"]
fn from_the_environment() {
    println!("{}", Signer::from_env().map_or_else(|error| error.to_string(), |_| "a signer".to_owned()));
}

#[test]
fn where_only_a_profile_is_set_the_error_of_from_env_names_it_and_what_reads_it() {
    let output = rerun(module_path!(), "from_the_environment")
        .args(["--ignored", "--nocapture"])
        .env_clear()
        .env("AWS_PROFILE", "orders")
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    for part in ["AWS_ACCESS_KEY_ID", "\"orders\"", "aws-config", "Signer::from_default_chain()"] {
        assert_eq!(
            shown.contains(part),
            part != "aws-config" || cfg!(not(feature = "aws-config")),
            "{shown}"
        );
    }
}
