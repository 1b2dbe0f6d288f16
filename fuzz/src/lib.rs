//! What the fuzz targets share: text that is likely to mean something, a request with all its settings, and what must
//! hold of a signed one.

pub mod aws;
pub mod case;
pub mod signed;
pub mod text;

use std::cell::LazyCell;
use std::future::Future;
use std::time::SystemTime;

use aws_smithy_async::time::TimeSource;
use tokio::runtime::{Builder, Runtime};

/// A clock that stands still.
#[derive(Clone, Copy, Debug)]
pub struct At(pub SystemTime);

impl TimeSource for At {
    fn now(&self) -> SystemTime {
        self.0
    }
}

/// Runs a future on this thread; its timers do not wait.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: LazyCell<Runtime> = LazyCell::new(|| {
            Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
        });
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}
