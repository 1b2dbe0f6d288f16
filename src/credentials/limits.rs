//! How often the refusals of servers may cause a reload.
//!
//! A server can refuse every request as "expired", by fault or on purpose. The limits keep it from making the provider
//! work without end.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use super::schedule::{add, span};

/// How many reloads that a caller waits for may follow one another at once.
const BURST: u32 = 2;
/// After a burst, one more reload that a caller waits for is allowed per this time.
const REFILL: Duration = Duration::from_secs(30);
/// From one reload in the background to the next.
const BACKGROUND_INTERVAL: Duration = Duration::from_secs(60);

/// A token bucket for reloads that callers wait for, and an interval for those in the background.
#[derive(Debug)]
pub(super) struct ReloadLimits {
    /// When the bucket is full again.
    full_at: SystemTime,
    no_background: Option<Range<SystemTime>>,
}

impl Default for ReloadLimits {
    fn default() -> Self {
        Self { full_at: SystemTime::UNIX_EPOCH, no_background: None }
    }
}

impl ReloadLimits {
    /// Takes a token for a reload that a caller waits for; `false` when the bucket is empty.
    pub(super) fn take(&mut self, now: SystemTime) -> bool {
        // Later than that it can only be when the clock was set back.
        let possible = self.full_at <= add(now, REFILL * BURST);
        let full_at = if possible { self.full_at.max(now) } else { now };
        let allowed = full_at <= add(now, REFILL * (BURST - 1));
        if allowed {
            self.full_at = add(full_at, REFILL);
        }
        allowed
    }

    /// Begins the interval to the next reload in the background; `false` while one lasts.
    pub(super) fn take_background(&mut self, now: SystemTime) -> bool {
        let allowed = !self.no_background.as_ref().is_some_and(|interval| interval.contains(&now));
        if allowed {
            self.no_background = Some(span(now, BACKGROUND_INTERVAL));
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
    }

    #[test]
    fn a_burst_of_two_then_one_per_thirty_seconds() {
        let mut limits = ReloadLimits::default();
        let allowed: Vec<u64> = (0..200).filter(|&second| limits.take(at(second))).collect();
        assert_eq!(allowed, [0, 1, 30, 60, 90, 120, 150, 180]);
        assert!(
            limits.take(at(3600)) && limits.take(at(3600)) && !limits.take(at(3600)),
            "no more than the burst"
        );
    }

    #[test]
    fn one_in_the_background_per_minute() {
        let mut limits = ReloadLimits::default();
        let allowed: Vec<u64> = (0..200).filter(|&second| limits.take_background(at(second))).collect();
        assert_eq!(allowed, [0, 60, 120, 180]);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_end_reloads() {
        let mut limits = ReloadLimits::default();
        while limits.take(at(100_000)) {}
        assert!(limits.take(at(0)) && limits.take(at(0)) && !limits.take(at(0)));
        assert!(limits.take_background(at(100_000)) && limits.take_background(at(0)));
    }
}
