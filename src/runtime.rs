//! The thread that credentials are loaded on, and how another one waits for it.

use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::runtime::Runtime;

/// The runtime that a signer's credentials are loaded and refreshed on, started by the first blocking request.
#[derive(Default)]
pub(crate) struct LazyRuntime(OnceLock<OwnRuntime>);

struct OwnRuntime(Option<Runtime>);

/// A plain drop would panic where the last clone of a signer goes in async code.
impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl LazyRuntime {
    pub(crate) fn waiting(&self) -> io::Result<Waiting<'_>> {
        if self.0.get().is_none() {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            let runtime = builder.worker_threads(1).thread_name("sigv4-credentials").enable_all().build()?;
            // Another thread may have been first; then this one goes.
            drop(self.0.set(OwnRuntime(Some(runtime))));
        }
        let runtime = self.0.get().and_then(|own| own.0.as_ref());
        runtime.map(Waiting).ok_or_else(|| io::Error::other("the runtime is gone"))
    }
}

pub(crate) struct Waiting<'a>(&'a Runtime);

impl Waiting<'_> {
    /// Waits for a future, on this thread; its timers and what it spawns are the runtime's.
    ///
    /// Not `Runtime::block_on`, which panics in async code.
    pub(crate) fn until<T>(&self, future: impl Future<Output = T>) -> T {
        let _entered = self.0.enter();
        // A task that this thread may be in has a budget that nothing here would renew.
        let mut future = pin!(tokio::task::unconstrained(future));
        let thread = Arc::new(Sleeper { thread: thread::current(), woken: AtomicBool::new(false) });
        let waker = Waker::from(Arc::clone(&thread));
        loop {
            if let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return done;
            }
            // reqwest parks this thread too, and takes wake-ups that were not meant for it.
            while !thread.woken.swap(false, Ordering::Acquire) {
                thread::park();
            }
        }
    }
}

struct Sleeper {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}
