//! Callers that come together, go away, or sit on runtimes of their own.

use super::*;
use futures_util::future::join_all;
use tokio::runtime::{Builder, Runtime};

/// Sets a flag when dropped.
struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn slow_hourly(wall: &Wall) -> Scripted {
    let wall = wall.clone();
    Scripted::new(move |call| {
        let wall = wall.clone();
        tokio::time::sleep(seconds(3)).map(move |()| Ok(hourly(&wall, call))).boxed()
    })
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_load_outlives_the_caller_that_started_it() {
    let wall = Wall::new();
    let provider = slow_hourly(&wall);
    let cache = provider.cache(&wall);
    let mut first = Box::pin(cache.snapshot());
    assert!(first.as_mut().now_or_never().is_none());
    let second = tokio::spawn({
        let cache = cache.clone();
        async move { id(&cache).await }
    });
    settle().await;
    drop(first);
    assert_eq!(second.await.unwrap(), "AKID1");
    assert_eq!(provider.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_load_that_everybody_left_serves_the_next_caller() {
    let wall = Wall::new();
    let provider = slow_hourly(&wall);
    let cache = provider.cache(&wall);
    let callers: Vec<_> = (0..100).map(|_| cache.snapshot()).collect();
    for caller in callers {
        assert!(caller.now_or_never().is_none());
    }
    tokio::time::sleep(seconds(4)).await;
    let at_once = cache.snapshot().now_or_never().expect("the load was lost");
    assert_eq!(at_once.unwrap().access_key_id(), "AKID1");
    assert_eq!(provider.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_cache_ends_its_load() {
    let wall = Wall::new();
    let ended = Arc::new(AtomicBool::new(false));
    let provider = Scripted::new({
        let ended = Arc::clone(&ended);
        move |_| {
            let guard = Dropped(Arc::clone(&ended));
            async move {
                let _guard = guard;
                std::future::pending().await
            }
            .boxed()
        }
    });
    let cache = provider.cache(&wall);
    let clone = cache.clone();
    assert!(cache.snapshot().now_or_never().is_none());
    settle().await;
    drop(cache);
    settle().await;
    assert!(!ended.load(Ordering::SeqCst), "a clone still holds the cache");
    let handle = tokio::runtime::Handle::current();
    assert_eq!(handle.metrics().num_alive_tasks(), 1);
    drop(clone);
    settle().await;
    assert!(ended.load(Ordering::SeqCst));
    assert_eq!(handle.metrics().num_alive_tasks(), 0);
    assert_eq!(Arc::strong_count(&provider.calls), 1, "the provider is dropped");
}

#[test]
fn a_refresh_that_went_down_with_its_runtime_is_started_again() {
    let wall = Wall::new();
    let provider = slow_hourly(&wall);
    let cache = provider.cache(&wall);
    let first = runtime();
    assert_eq!(first.block_on(id(&cache)), "AKID1");
    wall.forward(minutes(59) - seconds(5));
    // Starts a refresh in the background, which this runtime never gets to run.
    assert_eq!(first.block_on(async { id(&cache).await }), "AKID1");
    drop(first);
    wall.forward(seconds(10));
    assert_eq!(runtime().block_on(id(&cache)), "AKID3");
}

#[test]
fn a_load_on_a_runtime_that_nobody_drives_is_taken_over_within_a_second() {
    let wall = Wall::new();
    let provider = slow_hourly(&wall);
    let cache = provider.cache(&wall);
    let parked = runtime();
    assert!(parked.block_on(async { cache.snapshot().now_or_never() }).is_none());
    let other = runtime();
    let (ids, waited) = other.block_on(async {
        let asked = tokio::time::Instant::now();
        (join_all((0..100).map(|_| id(&cache))).await, asked.elapsed())
    });
    assert!(ids.iter().all(|id| id == "AKID2"), "{ids:?}");
    assert_eq!(provider.calls(), 2, "all callers share the load that takes over");
    assert!(waited <= seconds(3) + Duration::from_millis(1250), "the load takes 3 s: {waited:?}");
    // What the load that was given up brings late is ignored.
    parked.block_on(async { tokio::time::sleep(seconds(10)).await });
    assert_eq!(other.block_on(id(&cache)), "AKID2");
}

#[test]
fn a_slow_load_on_a_runtime_that_somebody_drives_is_left_alone() {
    let wall = Wall::new();
    let provider = slow_hourly(&wall);
    let cache = provider.cache(&wall);
    let stop = Arc::new(AtomicBool::new(false));
    let (started, loading) = std::sync::mpsc::channel();
    let driver = std::thread::spawn({
        let (cache, stop) = (cache.clone(), Arc::clone(&stop));
        move || {
            let runtime = Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(async {
                assert!(cache.snapshot().now_or_never().is_none());
                started.send(()).unwrap();
                while !stop.load(Ordering::SeqCst) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            });
        }
    });
    loading.recv().unwrap();
    // Longer than it takes to see that nobody drives a runtime.
    assert_eq!(crate::block_on::block_on(id(&cache)), "AKID1");
    assert_eq!(provider.calls(), 1);
    stop.store(true, Ordering::SeqCst);
    driver.join().unwrap();
}

#[test]
fn off_a_runtime_a_load_is_refused_and_cached_credentials_are_given() {
    let wall = Wall::new();
    let provider = slow_hourly(&wall);
    let cache = provider.cache(&wall);
    for provider_panics in [true, false] {
        let pending = Scripted::new(|_| std::future::pending().boxed()).cache(&wall);
        // Tokio's own timer panics off a runtime.
        let cache = if provider_panics { &cache } else { &pending };
        let error = cache.snapshot().now_or_never().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CredentialsUnavailable);
        assert!(error.to_string().contains("tokio"), "{error}");
    }
    // The failure is not remembered: other callers may be on a runtime.
    assert_eq!(runtime().block_on(id(&cache)), "AKID2");
    for _ in 0..3 {
        wall.forward(minutes(19) + seconds(50));
        for _ in 0..1000 {
            let cached = cache.snapshot().now_or_never().unwrap().unwrap();
            assert_eq!(cached.access_key_id(), "AKID2");
        }
    }
    assert!(provider.calls() <= 5, "not every call calls the provider in vain: {}", provider.calls());
}

/// Threads that call, leave midway and invalidate, while a clock that runs fast ages the credentials.
#[test]
fn stress() {
    let wall = Wall::new();
    let (under_way, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let provider = Scripted::new({
        let (wall, most) = (wall.clone(), Arc::clone(&most));
        move |call| {
            let (wall, under_way, most) = (wall.clone(), Arc::clone(&under_way), Arc::clone(&most));
            async move {
                most.fetch_max(1 + under_way.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
                tokio::task::yield_now().await;
                under_way.fetch_sub(1, Ordering::SeqCst);
                match call % 5 {
                    0 => Err(broken()),
                    1 => Ok(token(call, Some(wall.now()))),
                    _ => Ok(token(call, Some(wall.now() + minutes(6)))),
                }
            }
            .boxed()
        }
    });
    let builder = CachedCredentials::builder(provider.clone()).time_source(wall.clone());
    // The clock runs fast here, and no load is to count as lost.
    let cache = builder.load_timeout(minutes(60 * 24 * 365)).build();
    let runtime = Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    runtime.block_on(async {
        let callers: Vec<_> = (0..16_u64)
            .map(|seed| {
                let (cache, wall) = (cache.clone(), wall.clone());
                tokio::spawn(async move {
                    let mut random = fastrand::Rng::with_seed(seed);
                    let mut good = 0;
                    for _ in 0..2000 {
                        let asked = wall.now();
                        if random.u8(..) < 20 {
                            let _left_midway = cache.snapshot().now_or_never();
                        } else if let Ok(credentials) = cache.snapshot().await {
                            assert!(credentials.expiry().unwrap() > asked, "expired credentials");
                            good += 1;
                            if random.u8(..) < 2 {
                                cache.invalidate(&credentials);
                            }
                        }
                        wall.forward(Duration::from_millis(random.u64(0..400)));
                        tokio::task::yield_now().await;
                    }
                    good
                })
            })
            .collect();
        for caller in callers {
            assert!(caller.await.unwrap() > 500);
        }
    });
    assert!(provider.calls() > 50, "{}", provider.calls());
    assert_eq!(most.load(Ordering::SeqCst), 1, "loads at once");
    assert!(cache.store.refresh.try_lock().is_ok());
}
