//! The time to sign with: a time source, and how far each server's clock is from it.
//!
//! The rules are those that AWS's SDKs took up in 2026 (smithy-rs `service_clock_skew.rs`, aws-sdk-go-v2
//! `aws/middleware`), kept per origin, since one signer here may call servers of many owners.
//!
//! An origin is `host[:port]`, the port where it is not the scheme's own: what
//! [`Origin::authority`](crate::signing::origin::Origin) holds, so that it is borrowed from the request's URI.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
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
/// `Date` has whole seconds, so a smaller change means nothing.
const GRAIN: Duration = Duration::from_secs(2);
/// 1 January 9000: later than any date a signature could be made for.
const LATEST: Duration = Duration::from_secs(221_845_392_000);
/// How many origins' offsets are kept. Origins whose clocks agree with ours take no place.
const MAX_ORIGINS: usize = 256;
/// For this long an origin's offset that was reported is not reported again, however often it changes meanwhile: two
/// servers behind one name may have clocks of their own.
const REPORT_INTERVAL: Duration = Duration::from_secs(60 * 60);

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

    /// `local` by the server's clock; `local` itself where that cannot be represented.
    pub(crate) fn apply(self, local: SystemTime) -> SystemTime {
        if self == Self::ZERO {
            return local;
        }
        let by = Duration::from_millis(self.milliseconds.unsigned_abs());
        let shifted = if self.milliseconds < 0 { local.checked_sub(by) } else { local.checked_add(by) };
        shifted.unwrap_or(local)
    }

    /// In whole seconds, rounded towards zero.
    pub(crate) fn seconds(self) -> i64 {
        self.milliseconds / 1000
    }

    fn distance(self, other: Self) -> Duration {
        Duration::from_millis(self.milliseconds.abs_diff(other.milliseconds))
    }
}

/// One look at the clock for one origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClockReading {
    /// Our own clock: what `sent_at` and `received_at` are measured by.
    pub(crate) local: SystemTime,
    /// The known offset of the origin's clock at that time.
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
    /// Whether `offsets` has any: mostly not, and then readers need no more than this.
    has_offsets: AtomicBool,
    /// By origin; replaced as a whole, so that readers take no lock.
    offsets: ArcSwap<HashMap<Box<str>, OriginOffset>>,
    /// The large offsets that were reported, the latest last. Locked while `offsets` is replaced.
    reported: Mutex<VecDeque<(Box<str>, OriginOffset)>>,
}

#[derive(Clone, Copy, Debug)]
struct OriginOffset {
    offset: Offset,
    learned_at: SystemTime,
}

impl Clock {
    /// `correction` off: offsets are neither learned nor applied.
    pub(crate) fn new(time_source: SharedTimeSource, correction: bool) -> Self {
        let has_offsets = AtomicBool::new(false);
        Self { time_source, correction, has_offsets, offsets: ArcSwap::default(), reported: Mutex::default() }
    }

    /// Our own clock, uncorrected: for presigned URLs, which are never shifted, and for the ends of a round trip.
    pub(crate) fn now(&self) -> SystemTime {
        self.time_source.now()
    }

    /// The time to sign with for an origin.
    pub(crate) fn now_for(&self, origin: &str) -> SystemTime {
        self.read(origin).corrected()
    }

    /// [`now_for`](Self::now_for) and its parts, to be given to [`learn`](Self::learn) and [`should_retry`] with the response.
    pub(crate) fn read(&self, origin: &str) -> ClockReading {
        self.read_at(self.now(), origin)
    }

    /// As [`read`](Self::read), at a time that [`now`](Self::now) gave.
    pub(crate) fn read_at(&self, local: SystemTime, origin: &str) -> ClockReading {
        let known = |origin| self.offsets.load().get(origin).map(|known| known.offset);
        let offset = if self.has_offsets.load(Ordering::Acquire) { known(origin) } else { None };
        ClockReading { local, offset: offset.unwrap_or_default() }
    }

    /// Learns from a response of an origin, whatever its status; the times are [`now`](Self::now)'s.
    ///
    /// Returns the offset that the response shows: its `Date` less the midpoint between `sent_at` and `received_at`.
    /// `None` when it shows none: correction is off, `Date` is missing, repeated or unreadable, an `Age` header shows
    /// that the response is a cache's, or the round trip took longer than 15 minutes or ended before it began.
    pub(crate) fn learn(
        &self,
        origin: &str,
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
        // Where a process was frozen between signing and sending, the midpoint is wrong. An offset that is known already
        // and fits the whole round trip stays.
        if !fits(self.read_at(received_at, origin).offset, server, sent_at, received_at) {
            self.keep(origin, candidate, received_at);
        }
        Some(candidate)
    }

    fn keep(&self, origin: &str, candidate: Offset, now: SystemTime) {
        let is_news = |offsets: &HashMap<Box<str>, OriginOffset>| {
            let known = offsets.get(origin).map_or(Offset::ZERO, |known| known.offset);
            known.distance(candidate) > GRAIN
        };
        if !is_news(&self.offsets.load()) {
            return;
        }
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let mut offsets = HashMap::clone(&self.offsets.load());
        if !is_news(&offsets) {
            return;
        }
        let learned = OriginOffset { offset: candidate, learned_at: now };
        if candidate.distance(Offset::ZERO) <= GRAIN {
            offsets.remove(origin);
        } else {
            if offsets.len() >= MAX_ORIGINS
                && !offsets.contains_key(origin)
                && let Some((oldest, _)) = offsets.iter().min_by_key(|(_, known)| known.learned_at)
            {
                let oldest = oldest.clone();
                offsets.remove(&oldest);
            }
            offsets.insert(origin.into(), learned);
        }
        let has_offsets = !offsets.is_empty();
        self.offsets.store(Arc::new(offsets));
        self.has_offsets.store(has_offsets, Ordering::Release);
        let is_large = is_reported(&mut reported, origin, learned);
        drop(reported);
        crate::metrics::clock_offset(candidate.milliseconds);
        let offset_seconds = candidate.milliseconds / 1000;
        if is_large {
            tracing::warn!(
                origin,
                offset_seconds,
                "a server's clock and this machine's differ by more than 4 minutes; requests to this origin are signed \
                 with the server's time. Check this machine's clock"
            );
        } else {
            tracing::debug!(origin, offset_seconds, "learned the offset of a server's clock");
        }
    }
}

/// Whether an offset is worth a warning: one that makes a server refuse signatures, and was not reported of late.
fn is_reported(
    reported: &mut VecDeque<(Box<str>, OriginOffset)>,
    origin: &str,
    learned: OriginOffset,
) -> bool {
    if learned.offset.distance(Offset::ZERO) <= RETRY_BEYOND {
        return false;
    }
    let of_late = |earlier: &OriginOffset| {
        let since = learned.learned_at.duration_since(earlier.learned_at);
        since.unwrap_or_else(|error| error.duration()) < REPORT_INTERVAL
            && earlier.offset.distance(learned.offset) <= RETRY_BEYOND
    };
    if reported.iter().any(|(known, earlier)| **known == *origin && of_late(earlier)) {
        return false;
    }
    if reported.len() >= MAX_ORIGINS {
        reported.pop_front();
    }
    reported.push_back((origin.into(), learned));
    true
}

/// Whether a server whose clock is ahead by `offset` can have written this date during the round trip.
pub(crate) fn fits(offset: Offset, server: SystemTime, sent_at: SystemTime, received_at: SystemTime) -> bool {
    let is_by =
        |earlier: SystemTime, later: SystemTime| later.checked_add(GRAIN).is_none_or(|by| earlier <= by);
    is_by(offset.apply(sent_at), server) && is_by(server, offset.apply(received_at))
}

/// Whether the time that was signed with can be why a request was refused: whether the offset that was `used` is
/// more than 4 minutes from the `candidate` that the refusal shows.
///
/// By the difference, as in aws-sdk-go-v2, so that an offset that has itself become wrong is corrected too.
pub(crate) fn should_retry(used: Offset, candidate: Offset) -> bool {
    used.distance(candidate) > RETRY_BEYOND
}

/// The server's time in the headers of a response. `None` where a cache kept the response (`Age`), or where `Date` is
/// repeated, as something between here and the server has added one then.
pub(crate) fn server_date(response: &HeaderMap) -> Option<SystemTime> {
    let mut dates = response.get_all(DATE).iter();
    let date = dates.next()?;
    if dates.next().is_some() || response.contains_key(AGE) { None } else { server_time(date) }
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
