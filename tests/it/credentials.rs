//! The credentials cache as its users see it: crowds of callers, and a month of bad providers.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials};
use aws_smithy_async::time::TimeSource;
use futures_util::FutureExt;
use futures_util::future::join_all;
use sigv4_middleware::{CachedCredentials, Error, ErrorKind};
use tokio::time::Instant;

use crate::support::FakeProvider;

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

/// Hourly tokens from a provider that fails at every fifth call, is slow, hangs, and once an hour hands out
/// credentials that have expired.
#[derive(Clone)]
struct Moody {
    clock: TokioClock,
    state: Arc<Mutex<Moods>>,
}

struct Moods {
    random: fastrand::Rng,
    last_expired: SystemTime,
    calls: u32,
    failures: u32,
}

enum Mood {
    Good(Duration),
    Down,
    Hangs,
    Expired,
}

impl Moody {
    fn mood(&self) -> Mood {
        let now = self.clock.now();
        let moods = &mut *self.state.lock().unwrap();
        moods.calls += 1;
        let mood = match moods.random.u8(..100) {
            0..20 => Mood::Down,
            20..25 => Mood::Hangs,
            25..35 => Mood::Good(Duration::from_secs(5)),
            _ => Mood::Good(Duration::from_millis(50)),
        };
        let mood = match mood {
            Mood::Good(_) if now > moods.last_expired + Duration::from_secs(3600) => {
                moods.last_expired = now;
                Mood::Expired
            }
            mood => mood,
        };
        moods.failures += u32::from(!matches!(mood, Mood::Good(_)));
        mood
    }
}

impl Moody {
    async fn respond(self) -> provider::Result {
        let token = |expiry| Ok(Credentials::new("AKID", "secret", Some("t".into()), Some(expiry), "test"));
        let minute = Duration::from_secs(60);
        match self.mood() {
            Mood::Good(delay) => {
                tokio::time::sleep(delay).await;
                token(self.clock.now() + 60 * minute)
            }
            Mood::Down => bad(),
            Mood::Hangs => std::future::pending().await,
            Mood::Expired => token(self.clock.now() - minute),
        }
    }
}

/// A month of bursts of 1,000 requests within a second, a few minutes apart, and single requests between them.
///
/// The ideal is one load per 45 minutes, where the advisory window of an hourly token begins, and one more for
/// each response that brought nothing.
#[tokio::test(start_paused = true)]
async fn a_month_with_a_bad_provider() {
    let clock = TokioClock(Instant::now());
    let start = clock.now();
    let month = Duration::from_secs(30 * 24 * 3600);
    let state = Moods { random: fastrand::Rng::with_seed(4), last_expired: start, calls: 0, failures: 0 };
    let moody = Moody { clock, state: Arc::new(Mutex::new(state)) };
    let provider = FakeProvider::from_async_fn({
        let moody = moody.clone();
        move |_| moody.clone().respond()
    });
    let mut caller = Caller {
        clock,
        cache: CachedCredentials::builder(provider).time_source(clock).build(),
        at_hand: None,
        requests: 0,
        waits: 0,
        errors: 0,
    };
    let mut random = fastrand::Rng::with_seed(5);
    while clock.now() < start + month {
        for request in 0..1000 {
            caller.request().await;
            if request % 20 == 0 {
                tokio::time::advance(Duration::from_millis(20)).await;
            }
        }
        for _ in 0..random.u8(10..40) {
            tokio::time::sleep(Duration::from_secs(random.u64(1..30))).await;
            caller.request().await;
        }
    }
    let moods = moody.state.lock().unwrap();
    let (requests, waits, errors) = (caller.requests, caller.waits, caller.errors);
    let refreshes = u32::try_from(month.as_secs() / (45 * 60)).unwrap();
    let ideal = refreshes + moods.failures;
    println!(
        "{requests} requests: {waits} waited, {errors} failed; {} loads, {} failed; ideal {ideal}",
        moods.calls, moods.failures
    );
    assert!(moods.calls <= ideal * 12 / 10, "{} loads, ideal {ideal}", moods.calls);
    let successes = moods.calls - moods.failures;
    assert!(successes <= refreshes * 12 / 10, "{successes} loads that brought something, ideal {refreshes}");
    assert!(errors <= requests / 100, "{errors} of {requests} requests went without credentials");
}

struct Caller {
    clock: TokioClock,
    cache: CachedCredentials,
    /// The expiry of what the last response held.
    at_hand: Option<SystemTime>,
    requests: u64,
    waits: u64,
    errors: u64,
}

impl Caller {
    async fn request(&mut self) {
        let asked = self.clock.now();
        let mut response = self.cache.provide_credentials();
        let (response, waited) = match (&mut response).now_or_never() {
            Some(response) => (response, false),
            None => (response.await, true),
        };
        self.requests += 1;
        self.waits += u64::from(waited);
        if waited && let Some(expiry) = self.at_hand {
            let left = expiry.duration_since(asked).unwrap_or_default();
            assert!(left <= Duration::from_secs(60), "waited with {left:?} left");
        }
        let now = self.clock.now();
        match response {
            Ok(credentials) => {
                assert!(credentials.expiry().unwrap() > now, "expired credentials");
                self.at_hand = credentials.expiry();
            }
            // Only where there is nothing else: at the start, and past the expiry of what was there.
            Err(_) => {
                assert!(self.at_hand.is_none_or(|expiry| expiry <= now), "an error for no reason");
                self.errors += 1;
            }
        }
    }
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
