//! Code that the fuzz targets share: generators of text, requests, bodies and responses, and checks of signed requests.

pub mod aws;
pub mod case;
pub mod chunked;
pub mod hosts;
pub mod provider;
pub mod response;
pub mod scripted;
pub mod signed;
pub mod text;

use std::cell::LazyCell;
use std::future::Future;
use std::time::SystemTime;

use aws_smithy_async::time::TimeSource;
use tokio::runtime::{Builder, Runtime};

/// A clock that always gives the same time.
#[derive(Clone, Copy, Debug)]
pub struct FixedClock(pub SystemTime);

impl TimeSource for FixedClock {
    fn now(&self) -> SystemTime {
        self.0
    }
}

/// Runs a future on this thread, with tokio's clock paused.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: LazyCell<Runtime> = LazyCell::new(|| {
            Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
        });
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}
