//! What a failing provider does to callers.

use super::*;
use crate::env::Env;
use std::error::Error as _;

/// A provider whose first call succeeds and which then is down until the flag is cleared.
fn down_after_first(wall: &Wall) -> (Scripted, Arc<AtomicBool>) {
    let down = Arc::new(AtomicBool::new(true));
    let provider = Scripted::ready({
        let (wall, down) = (wall.clone(), Arc::clone(&down));
        move |call| match call {
            2.. if down.load(Ordering::SeqCst) => Err(broken()),
            _ => Ok(hourly(&wall, call)),
        }
    });
    (provider, down)
}

#[tokio::test(start_paused = true)]
async fn in_the_advisory_window_the_next_try_is_five_to_ten_minutes_away() {
    for seed in 0..50 {
        let wall = Wall::new();
        let (provider, _) = down_after_first(&wall);
        let cache = CachedCredentials::builder(provider.clone()).time_source(wall.clone()).seed(seed).build();
        id(&cache).await;
        wall.forward(minutes(47));
        let mut waited = 0;
        while provider.calls() < 3 {
            assert_eq!(cache.snapshot().now_or_never().unwrap().unwrap().access_key_id(), "AKID1");
            settle().await;
            if provider.calls() < 3 {
                wall.forward(seconds(1));
                waited += 1;
            }
        }
        assert!((300..=600).contains(&waited), "{waited}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_back_off_ends_where_the_last_minute_begins() {
    let wall = Wall::new();
    let (provider, down) = down_after_first(&wall);
    let cache = provider.cache(&wall);
    id(&cache).await;
    wall.forward(minutes(58));
    assert_eq!(id(&cache).await, "AKID1");
    settle().await;
    assert_eq!(provider.calls(), 2);
    wall.forward(minutes(1));
    down.store(false, Ordering::SeqCst);
    assert_eq!(id(&cache).await, "AKID3");
}

#[tokio::test(start_paused = true)]
async fn in_the_last_minute_a_failure_leaves_the_cached_credentials_and_is_remembered_briefly() {
    let wall = Wall::new();
    let (provider, _) = down_after_first(&wall);
    let cache = provider.cache(&wall);
    id(&cache).await;
    wall.forward(minutes(59));
    let mut tries = Vec::new();
    for tenth in 0..590_u64 {
        let before = provider.calls();
        assert_eq!(id(&cache).await, "AKID1");
        if provider.calls() > before {
            tries.push(tenth);
        }
        wall.forward(Duration::from_millis(100));
    }
    assert_eq!(tries[0], 0);
    assert!(tries.windows(2).all(|pair| (10..=50).contains(&(pair[1] - pair[0]))), "{tries:?}");
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_are_an_error_with_its_cause_until_the_provider_is_back() {
    let wall = Wall::new();
    let (provider, down) = down_after_first(&wall);
    let cache = provider.cache(&wall);
    id(&cache).await;
    wall.forward(minutes(60));
    let error = cache.snapshot().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CredentialsExpired);
    let chain: Vec<String> =
        std::iter::successors(error.source(), |&e| e.source()).map(ToString::to_string).collect();
    assert_eq!(chain.last().unwrap(), "the provider is down");
    for _ in 0..100 {
        assert_eq!(cache.snapshot().await.unwrap_err().kind(), ErrorKind::CredentialsExpired);
    }
    assert_eq!(provider.calls(), 2);
    down.store(false, Ordering::SeqCst);
    wall.forward(seconds(5));
    assert_eq!(id(&cache).await, "AKID3");
}

#[tokio::test(start_paused = true)]
async fn a_failed_first_load_is_remembered_for_one_to_five_seconds() {
    for seed in 0..50 {
        let wall = Wall::new();
        let provider = Scripted::ready(|_| Err(broken()));
        let cache = CachedCredentials::builder(provider.clone()).time_source(wall.clone()).seed(seed).build();
        assert_eq!(cache.snapshot().await.unwrap_err().kind(), ErrorKind::CredentialsUnavailable);
        let mut tenths = 0;
        while provider.calls() == 1 {
            wall.forward(Duration::from_millis(100));
            tenths += 1;
            cache.snapshot().await.unwrap_err();
        }
        assert!((10..=50).contains(&tenths), "{tenths}");
    }
}

#[tokio::test(start_paused = true)]
async fn credentials_that_have_expired_count_as_a_failure() {
    let wall = Wall::new();
    let provider = Scripted::ready({
        let wall = wall.clone();
        move |call| match call {
            1 | 3 => Ok(token(call, Some(wall.now()))),
            _ => Ok(hourly(&wall, call)),
        }
    });
    let cache = provider.cache(&wall);
    assert_eq!(cache.snapshot().await.unwrap_err().kind(), ErrorKind::CredentialsExpired);
    wall.forward(seconds(5));
    assert_eq!(id(&cache).await, "AKID2");
    wall.forward(minutes(50));
    id(&cache).await;
    settle().await;
    assert_eq!(provider.calls(), 3);
    assert_eq!(id(&cache).await, "AKID2");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_ends_by_the_load_timeout() {
    let wall = Wall::new();
    let provider = Scripted::new(|_| std::future::pending().boxed());
    for (limit, expected) in [(None, seconds(20)), (Some(seconds(2)), seconds(2))] {
        let builder = CachedCredentials::builder(provider.clone()).time_source(wall.clone());
        let cache = match limit {
            Some(limit) => builder.load_timeout(limit).build(),
            None => builder.build(),
        };
        let asked = tokio::time::Instant::now();
        let error = cache.snapshot().await.unwrap_err();
        assert_eq!(asked.elapsed().as_secs(), expected.as_secs());
        assert_eq!(error.kind(), ErrorKind::CredentialsUnavailable);
        let cause = error.source().unwrap().downcast_ref::<CredentialsError>();
        assert!(matches!(cause, Some(CredentialsError::ProviderTimedOut(_))), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_load_timeout_without_end_still_brings_one_load() {
    let wall = Wall::new();
    let provider = Scripted::new({
        let wall = wall.clone();
        move |call| {
            let wall = wall.clone();
            tokio::time::sleep(seconds(600)).map(move |()| Ok(hourly(&wall, call))).boxed()
        }
    });
    let builder = CachedCredentials::builder(provider.clone()).time_source(wall);
    let cache = builder.load_timeout(Duration::MAX).build();
    let (first, second) = futures_util::join!(id(&cache), id(&cache));
    assert_eq!((first.as_str(), second.as_str(), provider.calls()), ("AKID1", "AKID1", 1));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_interrupted_may_fall_back_on_what_it_has() {
    #[derive(Debug)]
    struct Imds;
    impl ProvideCredentials for Imds {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::new(std::future::pending())
        }
        fn fallback_on_interrupt(&self) -> Option<Credentials> {
            Some(token(9, None))
        }
    }
    assert_eq!(id(&CachedCredentials::new(Imds)).await, "AKID9");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_panics_is_an_error_and_no_more() {
    let wall = Wall::new();
    let provider = Scripted::ready(|call| match call {
        1 => panic!("the provider's own bug"),
        _ => Ok(token(call, None)),
    });
    let cache = provider.cache(&wall);
    let error = cache.snapshot().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CredentialsUnavailable);
    assert!(format!("{error:?}").contains("panicked"), "{error:?}");
    wall.forward(seconds(5));
    assert_eq!(id(&cache).await, "AKID2");
}

#[test]
fn without_a_runtime_the_error_names_every_way_out() {
    let cache = Scripted::new(|_| std::future::pending().boxed()).cache(&Wall::new());
    let error = cache.snapshot().now_or_never().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CredentialsUnavailable);
    let message = error.to_string();
    assert!(message.contains("tokio") && message.contains(".cache_credentials(false)"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn an_empty_environment_is_an_error_that_says_so() {
    let cache = CachedCredentials::new(EnvironmentCredentials::from_env(Env::from_pairs(&[])));
    let error = cache.snapshot().await.unwrap_err();
    assert!(error.to_string().starts_with("no credentials were found; "), "{error}");
    let as_provider = cache.provide_credentials().await.unwrap_err();
    assert_eq!(Error::find(&as_provider).unwrap().kind(), ErrorKind::CredentialsUnavailable);
    assert!(format!("{as_provider:?}").contains("AWS_ACCESS_KEY_ID"));
}
