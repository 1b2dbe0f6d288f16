//! Waiting, for a bounded time.

use std::time::Duration;

/// What a future gives within a time; `None` if it does not end in it.
pub(crate) async fn timeout<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(limit, future).await.ok()
}
