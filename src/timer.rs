//! Timers that work under any executor: on a tokio runtime, on one without timers, and on none.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_timer::Delay;

/// The clock that timers run by. Unit tests run by tokio's, see [`sleep`].
#[cfg(not(test))]
pub(crate) use std::time::Instant;
#[cfg(test)]
pub(crate) use tokio::time::Instant;

/// The time of a [`timeout`] was up before its future was ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Elapsed;

/// A future that is ready once `duration` has passed. The first one starts the helper thread that wakes all of them.
#[cfg(not(test))]
pub(crate) fn sleep(duration: Duration) -> impl Future<Output = ()> + Send + Unpin {
    HelperSleep::new(duration)
}

// Unit tests pause tokio's clock, which the helper thread does not know of: on a tokio runtime they use tokio's timers.
#[cfg(test)]
pub(crate) fn sleep(duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    match tokio::runtime::Handle::try_current() {
        Ok(_) => Box::pin(tokio::time::sleep(duration)),
        Err(_) => Box::pin(HelperSleep::new(duration)),
    }
}

/// Polls `future` until it is ready or `duration` has passed since its first poll. A future that is ready at once needs
/// no timer, and makes none.
pub(crate) async fn timeout<F: Future>(duration: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    let mut timer = None;
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending => {
            let timer = timer.get_or_insert_with(|| sleep(duration));
            Pin::new(timer).poll(cx).map(|()| Err(Elapsed))
        }
    })
    .await
}

/// A sleep by the helper thread of futures-timer. `None` where that thread could not be started: such a sleep never ends.
struct HelperSleep(Option<Delay>);

impl HelperSleep {
    fn new(duration: Duration) -> Self {
        Self(Some(Delay::new(duration)))
    }
}

impl Future for HelperSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(delay) = &mut self.0 else { return Poll::Pending };
        // A `Delay` without its thread panics when it is polled, and has no method that tells.
        match catch_unwind(AssertUnwindSafe(|| Pin::new(delay).poll(cx))) {
            Ok(poll) => poll,
            Err(_) => {
                self.0 = None;
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block_on::block_on;

    const MOMENT: Duration = Duration::from_millis(5);

    #[test]
    fn a_sleep_ends_without_a_runtime() {
        block_on(sleep(MOMENT));
        block_on(sleep(Duration::ZERO));
    }

    #[test]
    fn a_timeout_ends_a_future_that_does_not() {
        assert_eq!(block_on(timeout(MOMENT, std::future::pending::<()>())), Err(Elapsed));
        assert_eq!(block_on(timeout(Duration::MAX, sleep(MOMENT))), Ok(()));
    }

    #[test]
    fn a_future_that_is_ready_beats_a_timeout_of_zero() {
        assert_eq!(block_on(timeout(Duration::ZERO, std::future::ready(1))), Ok(1));
    }

    #[tokio::test(start_paused = true)]
    async fn unit_tests_run_by_the_paused_clock_of_tokio() {
        let before = Instant::now();
        assert_eq!(timeout(Duration::from_secs(3600), std::future::pending::<()>()).await, Err(Elapsed));
        assert_eq!(before.elapsed().as_secs(), 3600);
    }
}
