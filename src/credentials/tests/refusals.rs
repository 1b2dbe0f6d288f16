//! Reloads because a server refused the credentials.

use super::*;
use futures_util::future::join_all;

/// New credentials at each call, which takes 300 ms.
fn new_each_time(wall: &Wall) -> Scripted {
    let wall = wall.clone();
    Scripted::new(move |call| {
        let wall = wall.clone();
        tokio::time::sleep(Duration::from_millis(300)).map(move |()| Ok(hourly(&wall, call))).boxed()
    })
}

#[tokio::test(start_paused = true)]
async fn refused_callers_share_one_reload_and_others_do_not_wait() {
    let wall = Wall::new();
    let provider = new_each_time(&wall);
    let cache = provider.cache(&wall);
    let first = cache.snapshot().await.unwrap();
    let refused = (0..100).map(|_| {
        let (cache, first) = (cache.clone(), Arc::clone(&first));
        tokio::spawn(async move { cache.reload_after_refusal(&first).await })
    });
    let refused: Vec<_> = refused.collect();
    for _ in 0..10 {
        settle().await;
        let other = cache.snapshot().now_or_never().expect("a caller of another host waits");
        assert!(Arc::ptr_eq(&other.unwrap(), &first));
        assert!(cache.validity(&first).is_some(), "others sign with the keys that they have derived");
    }
    let validity = cache.validity(&first).unwrap();
    assert!(cache.is_valid(&validity));
    for credentials in join_all(refused).await {
        assert_eq!(credentials.unwrap().unwrap().access_key_id(), "AKID2");
    }
    assert!(!cache.is_valid(&validity) && cache.validity(&first).is_none(), "they were replaced");
    assert_eq!(id(&cache).await, "AKID2");
    let second = cache.snapshot().await.unwrap();
    let validity = cache.validity(&second).unwrap();
    wall.forward(minutes(60));
    assert!(!cache.is_valid(&validity) && cache.validity(&second).is_none(), "they have expired");
    assert_eq!(provider.calls(), 2);
}

/// A server that always says "expired", and a provider that always has something new.
#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_everything_causes_two_loads_at_once_and_one_per_thirty_seconds() {
    let wall = Wall::new();
    let provider = new_each_time(&wall);
    let cache = provider.cache(&wall);
    let mut credentials = cache.snapshot().await.unwrap();
    let loads = |provider: &Scripted| provider.calls() - 1;
    for _ in 0..1000 {
        if let Some(fresh) = cache.reload_after_refusal(&credentials).await {
            credentials = fresh;
        }
    }
    assert_eq!(loads(&provider), 2);
    assert!(cache.reload_after_refusal(&credentials).now_or_never().expect("does not wait").is_none());
    for second in 1..=600 {
        wall.forward(seconds(1));
        if let Some(fresh) = cache.reload_after_refusal(&credentials).await {
            credentials = fresh;
        }
        assert!(cache.snapshot().now_or_never().is_some(), "other callers go on");
        assert_eq!(loads(&provider), 2 + second / 30);
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_refusal_of_replaced_credentials_loads_nothing() {
    let wall = Wall::new();
    let provider = new_each_time(&wall);
    let cache = provider.cache(&wall);
    let first = cache.snapshot().await.unwrap();
    let second = cache.reload_after_refusal(&first).await.unwrap();
    for _ in 0..100 {
        let late = cache.reload_after_refusal(&first).now_or_never().expect("does not wait");
        assert!(Arc::ptr_eq(&late.unwrap(), &second));
        cache.reload_in_background(&first);
    }
    assert_eq!(provider.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_same_credentials_again_are_no_use_and_not_loaded_at_every_refusal() {
    let wall = Wall::new();
    let provider = Scripted::ready(|_| Ok(token(1, None)));
    let cache = provider.cache(&wall);
    let first = cache.snapshot().await.unwrap();
    assert_eq!(cache.reload_after_refusal(&first).await, None);
    assert_eq!(cache.reload_after_refusal(&first).await, None);
    assert_eq!(provider.calls(), 2, "the second one is within 5 s of the first");
    assert!(cache.validity(&first).is_some());
    wall.forward(seconds(5));
    assert_eq!(cache.reload_after_refusal(&first).await, None);
    assert_eq!(provider.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_fails_leaves_the_cached_credentials_to_others() {
    let wall = Wall::new();
    let provider = Scripted::ready({
        let wall = wall.clone();
        move |call| if call == 1 { Ok(hourly(&wall, call)) } else { Err(broken()) }
    });
    let cache = provider.cache(&wall);
    let first = cache.snapshot().await.unwrap();
    for _ in 0..100 {
        assert_eq!(cache.reload_after_refusal(&first).await, None);
        assert!(Arc::ptr_eq(&cache.snapshot().await.unwrap(), &first));
    }
    assert_eq!(provider.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_reload_outlives_its_caller() {
    let wall = Wall::new();
    let provider = new_each_time(&wall);
    let cache = provider.cache(&wall);
    let first = cache.snapshot().await.unwrap();
    assert!(cache.reload_after_refusal(&first).now_or_never().is_none());
    tokio::time::sleep(seconds(1)).await;
    assert_eq!(cache.snapshot().now_or_never().unwrap().unwrap().access_key_id(), "AKID2");
    assert_eq!(provider.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refused_caller_joins_a_refresh_that_is_under_way() {
    let wall = Wall::new();
    let provider = new_each_time(&wall);
    let cache = provider.cache(&wall);
    let first = cache.snapshot().await.unwrap();
    wall.forward(minutes(50));
    assert!(Arc::ptr_eq(&cache.snapshot().await.unwrap(), &first), "starts a refresh in the background");
    assert_eq!(cache.reload_after_refusal(&first).await.unwrap().access_key_id(), "AKID2");
    assert_eq!(provider.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_background_reload_is_not_waited_for_and_comes_once_a_minute() {
    let wall = Wall::new();
    let provider = new_each_time(&wall);
    let cache = provider.cache(&wall);
    let first = cache.snapshot().await.unwrap();
    for _ in 0..100 {
        cache.reload_in_background(&first);
        assert!(Arc::ptr_eq(&cache.snapshot().now_or_never().unwrap().unwrap(), &first));
    }
    tokio::time::sleep(seconds(1)).await;
    let second = cache.snapshot().now_or_never().unwrap().unwrap();
    assert_eq!(second.access_key_id(), "AKID2");
    for elapsed in 0..180 {
        let current = cache.snapshot().await.unwrap();
        cache.reload_in_background(&current);
        tokio::time::sleep(seconds(1)).await;
        wall.forward(seconds(1));
        assert_eq!(provider.calls(), 2 + elapsed / 60);
    }
}

#[test]
fn a_provider_with_credentials_ready_is_reloaded_without_a_runtime() {
    let wall = Wall::new();
    let provider = Scripted::ready({
        let wall = wall.clone();
        move |call| Ok(hourly(&wall, call))
    });
    let cache = provider.cache(&wall);
    let first = cache.snapshot().now_or_never().unwrap().unwrap();
    let second = cache.reload_after_refusal(&first).now_or_never().unwrap().unwrap();
    assert_eq!(second.access_key_id(), "AKID2");
    cache.reload_in_background(&second);
    assert_eq!(cache.snapshot().now_or_never().unwrap().unwrap().access_key_id(), "AKID3");
}

#[test]
fn a_reload_on_a_runtime_that_nobody_drives_is_taken_over() {
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let wall = Wall::new();
    let provider = new_each_time(&wall);
    let cache = provider.cache(&wall);
    let (parked, other) = (runtime(), runtime());
    let first = parked.block_on(cache.snapshot()).unwrap();
    assert!(parked.block_on(async { cache.reload_after_refusal(&first).now_or_never() }).is_none());
    let fresh = other.block_on(cache.reload_after_refusal(&first)).unwrap();
    assert_eq!(fresh.access_key_id(), "AKID3");
}
