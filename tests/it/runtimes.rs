//! Executors other than a whole tokio runtime: none, one without timers, one that nobody drives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use aws_credential_types::provider::ProvideCredentials;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::stream::{self, StreamExt};
use http::{Method, Request};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use sigv4_middleware::{CachedCredentials, EnvironmentCredentials, Error, ErrorKind, Payload, Signer};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::support::*;

const URL: &str = "https://abc.execute-api.ap-northeast-1.amazonaws.com/orders";

/// Polls a future on this thread, which is on no runtime, and parks it in between.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Parked(Thread, AtomicBool);
    impl Wake for Parked {
        fn wake(self: Arc<Self>) {
            self.1.store(true, Ordering::SeqCst);
            self.0.unpark();
        }
    }
    let parked = Arc::new(Parked(thread::current(), AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&parked));
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        while !parked.1.swap(false, Ordering::SeqCst) {
            thread::park();
        }
    }
}

fn io_only() -> Runtime {
    Builder::new_current_thread().enable_io().build().unwrap()
}

/// Runs a test without a runtime, and on one without timers.
fn without_timers(test: impl AsyncFn()) {
    block_on(test());
    io_only().block_on(test());
}

fn request(body: TestBody) -> Request<TestBody> {
    Request::post(URL).body(body).unwrap()
}

/// A body whose second half comes from another thread, or never.
fn streamed(whole: bool) -> TestBody {
    let (sender, rest) = oneshot::channel();
    if whole {
        thread::spawn(move || sender.send(Bytes::from_static(b"order")));
    } else {
        // The stream waits for as long as there is a sender.
        std::mem::forget(sender);
    }
    let first = stream::iter([Bytes::from_static(b"an ")]);
    let frames = first.chain(rest.into_stream().map(Result::unwrap));
    boxed(StreamBody::new(frames.map(|bytes| Ok(Frame::data(bytes)))))
}

#[test]
fn credentials_that_are_ready_sign_at_the_first_poll() {
    let expires = std::time::SystemTime::now() + Duration::from_secs(3600);
    let mut temporary = role();
    *temporary.expiry_mut() = Some(expires);
    for keys in [user(), role(), temporary] {
        let signer = Signer::builder().credentials(keys).build().unwrap();
        let (mut parts, ()) = Request::get(URL).body(()).unwrap().into_parts();
        signer.sign(&mut parts, Payload::empty()).now_or_never().expect("it waits").unwrap();
        assert!(parts.headers.contains_key("authorization"));
        let uri = URL.parse().unwrap();
        let url = signer.presign(&Method::GET, &uri, Duration::from_secs(60));
        assert!(url.now_or_never().expect("it waits").unwrap().to_string().contains("X-Amz-Signature="));
    }
}

#[test]
fn the_layer_signs_without_a_runtime_and_without_timers() {
    without_timers(async || {
        let signer = Signer::builder().credentials(role()).build().unwrap();
        let body = in_memory(Bytes::from_static(b"an order"));
        let (head, body) = handed_on(&signer, request(body)).await.unwrap();
        assert!(head.headers.contains_key("authorization"));
        assert_eq!(body, "an order");
        let get = Request::get(URL).body(Full::<Bytes>::default()).unwrap();
        handed_on(&signer, get).await.unwrap();
    });
}

#[test]
fn a_streaming_body_is_read_without_a_runtime_and_without_timers() {
    without_timers(async || {
        let signer = Signer::builder().credentials(role()).build().unwrap();
        let (head, body) = handed_on(&signer, request(streamed(true))).await.unwrap();
        assert!(head.headers.contains_key("authorization"));
        assert_eq!(body, "an order");
    });
}

#[test]
fn a_streaming_body_that_stalls_ends_by_its_timeout() {
    without_timers(async || {
        let builder = Signer::builder().credentials(role()).body_timeout(Duration::from_millis(20));
        let error = handed_on(&builder.build().unwrap(), request(streamed(false))).await.unwrap_err();
        assert_eq!(Error::find(&error).map(Error::kind), Some(ErrorKind::BodyTimeout));
    });
}

#[test]
fn a_provider_that_waits_needs_a_runtime_but_no_timers() {
    let provider = FakeProvider::from_async_fn(|_| async {
        // Not ready at the first poll, however fast the thread is.
        tokio::task::yield_now().await;
        let (sender, keys) = oneshot::channel();
        thread::spawn(move || sender.send(role()));
        Ok(keys.await.unwrap())
    });
    let cache = CachedCredentials::new(provider.clone());
    let error = block_on(cache.provide_credentials()).unwrap_err();
    let error = Error::find(&error).unwrap();
    assert_eq!(error.kind(), ErrorKind::CredentialsUnavailable);
    assert!(error.to_string().contains("tokio runtime"), "{error}");

    let credentials = io_only().block_on(cache.provide_credentials()).unwrap();
    assert_eq!(credentials.access_key_id(), KEY);
    assert_eq!(provider.calls(), 2);
    assert!(block_on(cache.provide_credentials()).is_ok(), "cached");

    let signer = Signer::builder().credentials(provider).cache_credentials(false).build().unwrap();
    let (mut parts, ()) = Request::get(URL).body(()).unwrap().into_parts();
    block_on(signer.sign(&mut parts, Payload::empty())).unwrap();
}

#[test]
fn a_provider_that_hangs_ends_by_its_timeout_without_timers() {
    let provider = FakeProvider::from_async_fn(|_| std::future::pending());
    let cache = CachedCredentials::builder(provider).load_timeout(Duration::from_millis(20)).build();
    let error = io_only().block_on(cache.provide_credentials()).unwrap_err();
    let error = Error::find(&error).unwrap();
    assert_eq!(error.kind(), ErrorKind::CredentialsUnavailable);
    assert!(error.to_string().contains("load_timeout"), "{error}");
}

#[test]
fn the_environment_needs_no_runtime() {
    let cache = CachedCredentials::new(EnvironmentCredentials::new());
    // Which of both it is depends on the environment that the tests run in.
    match cache.provide_credentials().now_or_never().expect("it waits") {
        Ok(credentials) => assert!(!credentials.access_key_id().is_empty()),
        Err(error) => assert!(format!("{error:?}").contains("AWS_"), "{error:?}"),
    }
}

/// Keys whose first load waits for longer than any test, and whose later ones are ready after a while.
fn stuck_at_first() -> FakeProvider {
    FakeProvider::from_async_fn(|call| async move {
        if call == 0 {
            std::future::pending::<()>().await;
        }
        tokio::task::yield_now().await;
        Ok(role())
    })
}

#[test]
fn a_load_on_a_runtime_that_nobody_drives_is_taken_over() {
    let provider = stuck_at_first();
    let cache = CachedCredentials::builder(provider.clone()).load_timeout(Duration::from_secs(3600)).build();
    let parked = io_only();
    assert!(parked.block_on(async { cache.provide_credentials().now_or_never() }).is_none());
    let other = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let callers = other.block_on(async {
        let callers = (0..100).map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { cache.provide_credentials().await.is_ok() })
        });
        futures_util::future::join_all(callers.collect::<Vec<_>>()).await
    });
    assert!(callers.into_iter().all(Result::unwrap));
    assert_eq!(provider.calls(), 2, "one load for all that took over");
}

#[test]
fn in_the_context_of_a_runtime_that_nobody_drives_the_error_says_so() {
    let provider = FakeProvider::from_async_fn(|_| std::future::pending());
    let cache = CachedCredentials::builder(provider).load_timeout(Duration::from_secs(3600)).build();
    let parked = io_only();
    let _context = parked.enter();
    let error = block_on(cache.provide_credentials()).unwrap_err();
    let error = Error::find(&error).unwrap();
    assert_eq!(error.kind(), ErrorKind::CredentialsUnavailable);
    assert!(error.to_string().contains("a tokio runtime that is running"), "{error}");
}
