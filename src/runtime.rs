//! The runtime that blocking requests load their credentials on.

use std::io;
use std::sync::OnceLock;

use tokio::runtime::Runtime;

use crate::block_on::block_on;

/// The runtime of one worker thread that a signer's credentials are loaded and refreshed on; the first blocking
/// request starts it.
#[derive(Default)]
pub(crate) struct LazyRuntime(OnceLock<OwnRuntime>);

struct OwnRuntime(Option<Runtime>);

/// A plain drop would panic where the last clone of a signer is dropped in async code.
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
            // Another thread may have set one meanwhile; then this one is dropped.
            drop(self.0.set(OwnRuntime(Some(runtime))));
        }
        let runtime = self.0.get().and_then(|own| own.0.as_ref());
        runtime.map(Waiting).ok_or_else(|| io::Error::other("the runtime is gone"))
    }
}

/// Waits for futures on the calling thread, in the context of a [`LazyRuntime`].
pub(crate) struct Waiting<'a>(&'a Runtime);

impl Waiting<'_> {
    /// Waits for a future on this thread. What it spawns runs on the runtime.
    ///
    /// Not `Runtime::block_on`, which panics in async code.
    pub(crate) fn until<T>(&self, future: impl Future<Output = T>) -> T {
        let _entered = self.0.enter();
        // This thread may be in a task, whose budget nothing here would renew.
        block_on(tokio::task::unconstrained(future))
    }
}
