//! When credentials are to be refreshed: pure arithmetic on times.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;

/// Callers wait for a refresh once credentials are this close to their expiry.
const MANDATORY: Duration = minutes(1);
/// How long a session token without an expiry is presumed valid.
const PRESUMED_LIFETIME: Duration = minutes(15);
/// How much of the advisory window jitter may take away, so that a fleet does not refresh in step.
const JITTER: f64 = 0.1;
/// What was decided by a clock no longer holds once the clock goes back by more than this.
const CLOCK_SLACK: Duration = minutes(1);

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

/// How close credentials are to their expiry at a given time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// Not yet due for a refresh.
    Fresh,
    /// Due for a refresh that no caller waits for.
    Advisory,
    /// Due for a refresh that callers wait for.
    Mandatory,
    /// Past their expiry: not to be used.
    Expired,
}

/// The times at which the [`Freshness`] of some credentials changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RefreshSchedule {
    pub(super) advisory_at: SystemTime,
    pub(super) mandatory_at: SystemTime,
    /// `None` where the expiry is presumed: such credentials become due for a refresh, but never expire.
    pub(super) expires_at: Option<SystemTime>,
}

impl RefreshSchedule {
    /// The schedule of credentials loaded at `now`, or `None` when they never need a refresh.
    ///
    /// `jitter` is a random number from 0 to 1.
    pub(super) fn new(credentials: &Credentials, now: SystemTime, jitter: f64) -> Option<Self> {
        let expires_at = credentials.expiry();
        if expires_at.is_none() && credentials.session_token().is_none() {
            return None;
        }
        let end = expires_at.unwrap_or_else(|| add(now, PRESUMED_LIFETIME));
        let lifetime = end.duration_since(now).unwrap_or_default();
        let advisory = advisory(lifetime);
        // Short-lived credentials keep an advisory window before the mandatory one.
        let mandatory = MANDATORY.min(advisory / 2);
        Some(Self {
            advisory_at: sub(end, advisory.mul_f64(1.0 - JITTER * jitter.clamp(0.0, 1.0))),
            mandatory_at: sub(end, mandatory),
            expires_at,
        })
    }

    pub(super) fn freshness(&self, now: SystemTime) -> Freshness {
        if self.expires_at.is_some_and(|at| now >= at) {
            Freshness::Expired
        } else if now >= self.mandatory_at {
            Freshness::Mandatory
        } else if now >= self.advisory_at {
            Freshness::Advisory
        } else {
            Freshness::Fresh
        }
    }

    /// `until`, but not past the next stricter window than the one of `now`.
    pub(super) fn capped(&self, now: SystemTime, until: SystemTime) -> SystemTime {
        match (self.freshness(now), self.expires_at) {
            (Freshness::Fresh | Freshness::Advisory, _) => until.min(self.mandatory_at),
            (_, Some(expires_at)) => until.min(expires_at),
            (_, None) => until,
        }
    }
}

/// The advisory window that AWS's SDKs choose by the lifetime left.
///
/// A provider with a cache of its own may return credentials that are already inside the window. The window is then
/// half of the time left, where the SDKs would load at every call.
fn advisory(lifetime: Duration) -> Duration {
    let window = if lifetime <= minutes(20) {
        minutes(5)
    } else if lifetime < minutes(90) {
        minutes(15)
    } else {
        minutes(60)
    };
    if lifetime <= window { lifetime / 2 } else { window }
}

/// `at + by`, or a time in the far future where the sum cannot be represented.
pub(super) fn add(at: SystemTime, by: Duration) -> SystemTime {
    const FAR: Duration = minutes(100 * 366 * 24 * 60);
    at.checked_add(by).or_else(|| at.checked_add(FAR)).unwrap_or(at)
}

/// From `now` for `length`.
pub(super) fn span(now: SystemTime, length: Duration) -> Range<SystemTime> {
    since(now)..add(now, length)
}

/// `now`, with slack for a clock that steps back a little.
pub(super) fn since(now: SystemTime) -> SystemTime {
    now.checked_sub(CLOCK_SLACK).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn sub(at: SystemTime, by: Duration) -> SystemTime {
    at.checked_sub(by).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn credentials(token: bool, lifetime: Option<Duration>) -> Credentials {
        let mut builder =
            Credentials::builder().access_key_id("A").secret_access_key("S").provider_name("test");
        builder.set_session_token(token.then(|| "T".to_owned()));
        builder.set_expiry(lifetime.map(|lifetime| NOW + lifetime));
        builder.build()
    }

    #[test]
    fn the_advisory_window_depends_on_the_lifetime_left() {
        let second = Duration::from_secs(1);
        for (lifetime, window) in [
            (minutes(6), minutes(5)),
            (minutes(20), minutes(5)),
            (minutes(20) + second, minutes(15)),
            (minutes(90) - second, minutes(15)),
            (minutes(90), minutes(60)),
            (minutes(12 * 60), minutes(60)),
        ] {
            let schedule = RefreshSchedule::new(&credentials(true, Some(lifetime)), NOW, 0.0).unwrap();
            assert_eq!(schedule.advisory_at, NOW + lifetime - window, "{lifetime:?}");
            assert_eq!(schedule.mandatory_at, NOW + lifetime - minutes(1), "{lifetime:?}");
            assert_eq!(schedule.expires_at, Some(NOW + lifetime));
        }
    }

    #[test]
    fn jitter_shortens_the_advisory_window_by_a_tenth_at_most() {
        let hour = credentials(true, Some(minutes(60)));
        let at = |jitter| RefreshSchedule::new(&hour, NOW, jitter).unwrap().advisory_at;
        assert_eq!(at(0.0), NOW + minutes(45));
        assert_eq!(at(1.0), NOW + minutes(45) + Duration::from_secs(90));
        assert_eq!(at(f64::INFINITY), at(1.0));
    }

    #[test]
    fn credentials_with_less_left_than_the_window_are_fresh_for_half_of_it() {
        for seconds in [300, 61, 60, 10, 1] {
            let lifetime = Duration::from_secs(seconds);
            let schedule = RefreshSchedule::new(&credentials(true, Some(lifetime)), NOW, 0.0).unwrap();
            assert_eq!(schedule.advisory_at, NOW + lifetime / 2, "{seconds}");
            assert!(schedule.advisory_at < schedule.mandatory_at, "{seconds}");
        }
    }

    #[test]
    fn freshness_changes_exactly_at_each_time_of_the_schedule() {
        let schedule = RefreshSchedule::new(&credentials(true, Some(minutes(60))), NOW, 0.0).unwrap();
        let tick = Duration::from_nanos(1);
        for (at, before, from) in [
            (minutes(45), Freshness::Fresh, Freshness::Advisory),
            (minutes(59), Freshness::Advisory, Freshness::Mandatory),
            (minutes(60), Freshness::Mandatory, Freshness::Expired),
        ] {
            assert_eq!(schedule.freshness(NOW + at - tick), before);
            assert_eq!(schedule.freshness(NOW + at), from);
        }
    }

    #[test]
    fn without_an_expiry_a_token_is_due_after_fifteen_minutes_and_keys_never() {
        assert_eq!(RefreshSchedule::new(&credentials(false, None), NOW, 0.5), None);
        let schedule = RefreshSchedule::new(&credentials(true, None), NOW, 0.0).unwrap();
        assert_eq!(schedule.freshness(NOW + minutes(10)), Freshness::Advisory);
        assert_eq!(schedule.freshness(NOW + minutes(14)), Freshness::Mandatory);
        assert_eq!(schedule.freshness(NOW + minutes(60 * 24)), Freshness::Mandatory);
    }

    #[test]
    fn times_at_the_ends_of_the_range_do_not_panic() {
        let mut far = credentials(true, None);
        for expiry in [SystemTime::UNIX_EPOCH, NOW + Duration::from_secs(u64::from(u32::MAX) * 1_000)] {
            *far.expiry_mut() = Some(expiry);
            let _ = RefreshSchedule::new(&far, NOW, 0.3).unwrap().freshness(NOW);
        }
    }
}
