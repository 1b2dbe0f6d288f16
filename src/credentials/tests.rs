use super::*;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, future};
use aws_smithy_async::time::TimeSource;
use futures_util::FutureExt;

use crate::ErrorKind;

mod failures;
mod month;
mod orders;
mod refusals;
mod sharing;

/// A clock that only a test moves, either way.
#[derive(Clone, Debug)]
struct Wall(Arc<AtomicU64>);

impl Wall {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_800_000_000_000)))
    }

    fn forward(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    fn back(&self, by: Duration) {
        self.0.fetch_sub(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl TimeSource for Wall {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

type Response = Pin<Box<dyn Future<Output = provider::Result> + Send>>;

/// A provider whose result depends on the number of the call, from 1.
#[derive(Clone)]
struct Scripted {
    calls: Arc<AtomicUsize>,
    script: Arc<dyn Fn(usize) -> Response + Send + Sync>,
}

impl Scripted {
    fn new(script: impl Fn(usize) -> Response + Send + Sync + 'static) -> Self {
        Self { calls: Arc::default(), script: Arc::new(script) }
    }

    fn ready(script: impl Fn(usize) -> provider::Result + Send + Sync + 'static) -> Self {
        Self::new(move |call| std::future::ready(script(call)).boxed())
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn cache(&self, wall: &Wall) -> CachedCredentials {
        CachedCredentials::builder(self.clone()).time_source(wall.clone()).seed(7).build()
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted { secret: s3cr3t }")
    }
}

impl ProvideCredentials for Scripted {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new((self.script)(self.calls.fetch_add(1, Ordering::SeqCst) + 1))
    }
}

fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn token(call: usize, expiry: Option<SystemTime>) -> Credentials {
    Credentials::new(format!("AKID{call}"), "s3cr3t", Some("t0ken".into()), expiry, "test")
}

/// Credentials of the n-th call, good for an hour from now.
fn hourly(wall: &Wall, call: usize) -> Credentials {
    token(call, Some(wall.now() + minutes(60)))
}

fn broken() -> CredentialsError {
    CredentialsError::provider_error("the provider is down")
}

async fn id(cache: &CachedCredentials) -> String {
    cache.snapshot().await.unwrap().access_key_id().to_owned()
}

/// Lets tasks run until they have nothing left to do.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_load_then_the_same_pointer_without_a_lock() {
    let wall = Wall::new();
    let provider = Scripted::ready({
        let wall = wall.clone();
        move |call| Ok(hourly(&wall, call))
    });
    let cache = provider.cache(&wall);
    let first = cache.snapshot().await.unwrap();
    wall.forward(minutes(44));
    let _held = cache.store.refresh.lock().unwrap();
    for _ in 0..1000 {
        let again = cache.snapshot().now_or_never().expect("a lock was waited for").unwrap();
        assert!(Arc::ptr_eq(&first, &again));
    }
    assert_eq!(provider.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn in_the_advisory_window_callers_go_on_while_one_refresh_runs() {
    let wall = Wall::new();
    let provider = Scripted::new({
        let wall = wall.clone();
        move |call| {
            let wall = wall.clone();
            async move {
                tokio::time::sleep(seconds(3)).await;
                Ok(hourly(&wall, call))
            }
            .boxed()
        }
    });
    let cache = provider.cache(&wall);
    assert_eq!(id(&cache).await, "AKID1");
    wall.forward(minutes(45) - seconds(1));
    for _ in 0..10 {
        assert_eq!(cache.snapshot().now_or_never().unwrap().unwrap().access_key_id(), "AKID1");
    }
    settle().await;
    assert_eq!(provider.calls(), 1);
    wall.forward(seconds(92));
    for _ in 0..1000 {
        let at_once = cache.snapshot().now_or_never().expect("a caller waited");
        assert_eq!(at_once.unwrap().access_key_id(), "AKID1");
    }
    assert!(cache.store.cached().is_some(), "no lock is taken while a refresh is under way");
    tokio::time::sleep(seconds(4)).await;
    assert_eq!(id(&cache).await, "AKID2");
    assert_eq!(provider.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn in_the_last_minute_callers_wait() {
    let wall = Wall::new();
    let provider = Scripted::new({
        let wall = wall.clone();
        move |call| {
            let wall = wall.clone();
            tokio::time::sleep(seconds(3)).map(move |()| Ok(hourly(&wall, call))).boxed()
        }
    });
    let cache = provider.cache(&wall);
    assert_eq!(id(&cache).await, "AKID1");
    wall.forward(minutes(59));
    assert!(cache.snapshot().now_or_never().is_none());
    assert_eq!(id(&cache).await, "AKID2");
    assert_eq!(provider.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_process_frozen_for_two_hours_has_fresh_credentials_at_its_next_call() {
    let wall = Wall::new();
    let provider = Scripted::ready({
        let wall = wall.clone();
        move |call| Ok(hourly(&wall, call))
    });
    let cache = provider.cache(&wall);
    id(&cache).await;
    // Only the clock moves: no timer fires, no task runs.
    wall.forward(minutes(120));
    let credentials = cache.snapshot().await.unwrap();
    assert_eq!(credentials.access_key_id(), "AKID2");
    assert!(credentials.expiry().unwrap() > wall.now());
}

#[tokio::test(start_paused = true)]
async fn a_load_that_was_frozen_with_the_process_is_not_waited_for() {
    let wall = Wall::new();
    let provider = Scripted::new({
        let wall = wall.clone();
        move |call| match call {
            1 => std::future::pending().boxed(),
            _ => std::future::ready(Ok(hourly(&wall, call))).boxed(),
        }
    });
    let cache = provider.cache(&wall);
    let before = tokio::spawn({
        let cache = cache.clone();
        async move { id(&cache).await }
    });
    settle().await;
    wall.forward(minutes(120));
    let asked = tokio::time::Instant::now();
    assert_eq!(id(&cache).await, "AKID2");
    assert_eq!(before.await.unwrap(), "AKID2");
    assert_eq!(asked.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn keys_without_a_token_are_loaded_once() {
    let wall = Wall::new();
    let provider = Scripted::ready(|_| Ok(Credentials::new("AKID", "s3cr3t", None, None, "test")));
    let cache = provider.cache(&wall);
    for _ in 0..100 {
        assert_eq!(id(&cache).await, "AKID");
        wall.forward(minutes(60 * 24));
    }
    assert_eq!(provider.calls(), 1);
    let direct = CachedCredentials::new(Credentials::new("STATIC", "s3cr3t", None, None, "test"));
    assert_eq!(id(&direct).await, "STATIC");
}

#[tokio::test(start_paused = true)]
async fn a_token_without_an_expiry_is_reloaded_after_fifteen_minutes() {
    let wall = Wall::new();
    let provider = Scripted::ready(|call| match call {
        1 | 3.. => Ok(token(call, None)),
        2 => Err(broken()),
        0 => unreachable!(),
    });
    let cache = provider.cache(&wall);
    assert_eq!(id(&cache).await, "AKID1");
    wall.forward(minutes(9));
    assert_eq!(id(&cache).await, "AKID1");
    assert_eq!(provider.calls(), 1);
    wall.forward(minutes(60));
    assert_eq!(id(&cache).await, "AKID1", "its expiry is presumed: when the provider fails it is still used");
    wall.forward(seconds(5));
    assert_eq!(id(&cache).await, "AKID3");
}

#[tokio::test(start_paused = true)]
async fn equal_credentials_keep_the_pointer() {
    let wall = Wall::new();
    let provider = Scripted::ready(|_| Ok(token(1, None)));
    let cache = provider.cache(&wall);
    let first = cache.snapshot().await.unwrap();
    wall.forward(minutes(15));
    assert!(Arc::ptr_eq(&first, &cache.snapshot().await.unwrap()));
    assert_eq!(provider.calls(), 2);
    cache.invalidate(&first);
    assert!(Arc::ptr_eq(&first, &cache.snapshot().await.unwrap()));
    assert_eq!(provider.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_returns_its_own_cached_credentials_is_not_called_every_time() {
    let wall = Wall::new();
    let expiry = wall.now() + minutes(5);
    let provider = Scripted::ready(move |_| Ok(token(1, Some(expiry))));
    let cache = provider.cache(&wall);
    while wall.now() < expiry - Duration::from_millis(500) {
        for _ in 0..10 {
            assert_eq!(id(&cache).await, "AKID1");
        }
        settle().await;
        wall.forward(Duration::from_millis(100));
    }
    assert!((4..=12).contains(&provider.calls()), "{}", provider.calls());
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_neither_freezes_credentials_nor_failures() {
    let wall = Wall::new();
    let provider = Scripted::ready(|call| match call {
        2 => Err(broken()),
        _ => Ok(token(call, None)),
    });
    let cache = provider.cache(&wall);
    let first = cache.snapshot().await.unwrap();
    cache.invalidate(&first);
    cache.snapshot().await.unwrap_err();
    wall.back(minutes(60 * 24 * 365));
    let third = cache.snapshot().await.unwrap();
    assert_eq!(third.access_key_id(), "AKID3");
    wall.back(minutes(60 * 24 * 365));
    id(&cache).await;
    settle().await;
    assert_eq!(id(&cache).await, "AKID4");
    // The small steps of a disciplined clock change nothing.
    wall.back(seconds(1));
    id(&cache).await;
    settle().await;
    assert_eq!(provider.calls(), 4);
}

#[tokio::test(start_paused = true)]
async fn only_the_refused_credentials_are_dropped() {
    let wall = Wall::new();
    let provider = Scripted::ready({
        let wall = wall.clone();
        move |call| Ok(hourly(&wall, call))
    });
    let cache = provider.cache(&wall);
    let first = cache.snapshot().await.unwrap();
    cache.invalidate(&first);
    let second = cache.snapshot().await.unwrap();
    assert_eq!(second.access_key_id(), "AKID2");
    // The refusal of a request that was signed before comes late.
    cache.invalidate(&first);
    assert!(Arc::ptr_eq(&second, &cache.snapshot().await.unwrap()));
    assert_eq!(provider.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_that_come_back_are_not_dropped_at_every_refusal() {
    let wall = Wall::new();
    let provider = Scripted::ready(|_| Ok(token(1, None)));
    let cache = provider.cache(&wall);
    for _ in 0..1000 {
        let credentials = cache.snapshot().await.unwrap();
        cache.invalidate(&credentials);
    }
    assert_eq!(provider.calls(), 2);
    wall.forward(seconds(5));
    let credentials = cache.snapshot().await.unwrap();
    cache.invalidate(&credentials);
    cache.snapshot().await.unwrap();
    assert_eq!(provider.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_uncached_source_calls_its_provider_every_time_and_keeps_the_pointer_of_equal_credentials() {
    let wall = Wall::new();
    let provider = Scripted::ready({
        let expiry = wall.now() + minutes(60);
        move |call| Ok(token(call / 4, Some(expiry)))
    });
    let source = CredentialsSource::uncached(
        SharedCredentialsProvider::new(provider.clone()),
        SharedTimeSource::new(wall.clone()),
    );
    let first = source.snapshot().await.unwrap();
    assert_eq!(source.reload_after_refusal(&first).await, None, "the same again");
    source.reload_in_background(&first);
    assert!(Arc::ptr_eq(&first, &source.snapshot().await.unwrap()));
    assert_eq!(source.snapshot().await.unwrap().access_key_id(), "AKID1");
    assert_eq!(provider.calls(), 4);
    assert_eq!(source.reload_after_refusal(&first).await.unwrap().access_key_id(), "AKID1");
    wall.forward(minutes(60));
    assert_eq!(source.snapshot().await.unwrap_err().kind(), ErrorKind::CredentialsExpired);
    assert!(!format!("{source:?}").contains("s3cr3t"));
}

#[tokio::test(start_paused = true)]
async fn debug_shows_no_secret() {
    let wall = Wall::new();
    let provider = Scripted::ready(|_| Ok(token(1, None)));
    let builder = CachedCredentials::builder(provider.clone());
    let cache = provider.cache(&wall);
    cache.snapshot().await.unwrap();
    let shown = format!("{builder:?} {cache:?} {:?}", CredentialsSource::Cached(cache.clone()));
    assert!(!shown.contains("s3cr3t") && !shown.contains("t0ken"), "{shown}");
}
