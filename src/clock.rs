//! The time to sign with: a time source, and how far each host's clock is from it.
//!
//! The rules are those that AWS's SDKs took up in 2026 (smithy-rs `service_clock_skew.rs`, aws-sdk-go-v2
//! `aws/middleware`), kept per host, since one signer here may call servers of many owners.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use aws_smithy_async::time::SharedTimeSource;
use http::HeaderMap;
use http::header::{AGE, DATE, HeaderValue};

use crate::env::Env;

const DISABLE: &str = "AWS_DISABLE_CLOCK_SKEW_CORRECTION";

/// An offset this far from the one that was signed with explains a refusal. AWS allows a signature 5 minutes.
pub(crate) const RETRY_BEYOND: Duration = Duration::from_secs(4 * 60);
/// A round trip that took longer does not say when the server wrote its `Date`.
const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(15 * 60);
/// `Date` counts whole seconds, so that a smaller change is no news.
const GRAIN: Duration = Duration::from_secs(2);
/// 1 January 9000: later than any date a signature could be made for.
const LATEST: Duration = Duration::from_secs(221_845_392_000);
/// How many hosts' offsets are kept. Hosts whose clocks agree with ours take no place.
const MAX_HOSTS: usize = 256;

/// How far a server's clock is ahead of ours; behind, when negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offset {
    milliseconds: i64,
}

impl Offset {
    pub(crate) const ZERO: Self = Self { milliseconds: 0 };

    fn between(server: SystemTime, local: SystemTime) -> Self {
        let milliseconds = |length: Duration| i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        let milliseconds = match server.duration_since(local) {
            Ok(ahead) => milliseconds(ahead),
            Err(error) => -milliseconds(error.duration()),
        };
        Self { milliseconds }
    }

    /// `local` as the server's clock has it; `local` itself where that cannot be expressed.
    pub(crate) fn apply(self, local: SystemTime) -> SystemTime {
        let by = Duration::from_millis(self.milliseconds.unsigned_abs());
        let shifted = if self.milliseconds < 0 { local.checked_sub(by) } else { local.checked_add(by) };
        shifted.unwrap_or(local)
    }

    fn distance(self, other: Self) -> Duration {
        Duration::from_millis(self.milliseconds.abs_diff(other.milliseconds))
    }
}

/// One look at the clock for one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClockReading {
    /// Our own clock: what `sent_at` and `received_at` are measured by.
    pub(crate) local: SystemTime,
    /// What was known of the host's clock then.
    pub(crate) offset: Offset,
}

impl ClockReading {
    /// The time to sign with.
    pub(crate) fn corrected(self) -> SystemTime {
        self.offset.apply(self.local)
    }
}

/// The signer's clock.
#[derive(Debug)]
pub(crate) struct Clock {
    time_source: SharedTimeSource,
    correction: bool,
    /// By host; replaced as a whole, so that readers take no lock.
    offsets: ArcSwap<HashMap<Box<str>, HostOffset>>,
    /// Held by whoever replaces `offsets`.
    learning: Mutex<()>,
}

#[derive(Clone, Copy, Debug)]
struct HostOffset {
    offset: Offset,
    at: SystemTime,
}

impl Clock {
    /// `correction` off: offsets are neither learned nor applied.
    pub(crate) fn new(time_source: SharedTimeSource, correction: bool) -> Self {
        Self { time_source, correction, offsets: ArcSwap::default(), learning: Mutex::new(()) }
    }

    /// Our own clock as it is, for presigned URLs, which are never shifted, and for the ends of a round trip.
    pub(crate) fn now(&self) -> SystemTime {
        self.time_source.now()
    }

    /// The time to sign with for `host`.
    pub(crate) fn now_for(&self, host: &str) -> SystemTime {
        self.read(host).corrected()
    }

    /// [`now_for`](Self::now_for) with the parts it is made of, to hand back with the response.
    pub(crate) fn read(&self, host: &str) -> ClockReading {
        let offsets = self.offsets.load();
        let offset = if offsets.is_empty() { None } else { offsets.get(host).map(|learned| learned.offset) };
        ClockReading { local: self.now(), offset: offset.unwrap_or_default() }
    }

    /// Learns from a response of `host`, whatever its status; the times are [`now`](Self::now)'s.
    ///
    /// Gives the offset that the response speaks for: its `Date` less the midpoint between `sent_at` and
    /// `received_at`. `None` when it says nothing: correction is off, `Date` is missing or unreadable, an `Age`
    /// header shows that a cache answered, or the round trip took longer than 15 minutes or ended before it began.
    pub(crate) fn learn(
        &self,
        host: &str,
        response: &HeaderMap,
        sent_at: SystemTime,
        received_at: SystemTime,
    ) -> Option<Offset> {
        if !self.correction {
            return None;
        }
        let server = server_date(response)?;
        let round_trip = received_at.duration_since(sent_at).ok()?;
        if round_trip > LONGEST_ROUND_TRIP {
            return None;
        }
        let candidate = Offset::between(server, sent_at.checked_add(round_trip / 2)?);
        // A request that lay waiting between its signing and its sending (a frozen process) makes the midpoint say
        // something of the clock that is not so. What is known already and fits the whole round trip stays.
        let known = self.read(host).offset;
        if !fits(known, server, sent_at, received_at) {
            self.keep(host, candidate, received_at);
        }
        Some(candidate)
    }

    fn keep(&self, host: &str, candidate: Offset, at: SystemTime) {
        let is_news = |offsets: &HashMap<Box<str>, HostOffset>| {
            let known = offsets.get(host).map_or(Offset::ZERO, |learned| learned.offset);
            known.distance(candidate) > GRAIN
        };
        if !is_news(&self.offsets.load()) {
            return;
        }
        let _learning = self.learning.lock().unwrap_or_else(PoisonError::into_inner);
        let mut offsets = HashMap::clone(&self.offsets.load());
        if !is_news(&offsets) {
            return;
        }
        if candidate.distance(Offset::ZERO) <= GRAIN {
            offsets.remove(host);
        } else {
            if offsets.len() >= MAX_HOSTS
                && !offsets.contains_key(host)
                && let Some(oldest) = offsets.iter().min_by_key(|(_, learned)| learned.at)
            {
                let oldest = oldest.0.clone();
                offsets.remove(&oldest);
            }
            offsets.insert(host.into(), HostOffset { offset: candidate, at });
        }
        tracing::debug!(
            host,
            milliseconds = candidate.milliseconds,
            "learned the offset of a server's clock"
        );
        self.offsets.store(Arc::new(offsets));
    }
}

/// Whether a server whose clock is ahead by `offset` can have written this date during the round trip.
fn fits(offset: Offset, server: SystemTime, sent_at: SystemTime, received_at: SystemTime) -> bool {
    let ahead_of_sent = Offset::between(server, offset.apply(sent_at)).milliseconds;
    let ahead_of_received = Offset::between(server, offset.apply(received_at)).milliseconds;
    let grain = GRAIN.as_millis() as i64;
    ahead_of_sent >= -grain && ahead_of_received <= grain
}

/// Whether the time that was signed with can be why a request was refused: whether the offset that was `used` is
/// more than 4 minutes from the `candidate` that the refusal speaks for.
///
/// By the difference, as in aws-sdk-go-v2, so that an offset that has itself become wrong is healed too.
pub(crate) fn should_retry(used: Offset, candidate: Offset) -> bool {
    used.distance(candidate) > RETRY_BEYOND
}

/// The server's time in the headers of an answer that no cache has kept (`Age`).
pub(crate) fn server_date(response: &HeaderMap) -> Option<SystemTime> {
    if response.contains_key(AGE) { None } else { server_time(response.get(DATE)?) }
}

/// The time in a `Date` header (RFC 9110, section 5.6.7), in any of its three forms.
fn server_time(date: &HeaderValue) -> Option<SystemTime> {
    let time = httpdate::parse_http_date(date.to_str().ok()?.trim()).ok()?;
    (time.duration_since(SystemTime::UNIX_EPOCH).ok()? < LATEST).then_some(time)
}

/// Whether `AWS_DISABLE_CLOCK_SKEW_CORRECTION` is `true`.
pub(crate) fn disabled_by(env: &Env) -> bool {
    env.text(DISABLE).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
}

#[cfg(test)]
mod tests;
