//! What goes wrong, and when.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use aws_smithy_async::time::TimeSource;

/// How long a fault lasts.
pub(crate) const FAULT: Duration = Duration::from_secs(3);
/// How long nothing is wrong after a fault.
pub(crate) const QUIET: Duration = Duration::from_secs(9);
/// How long after a fault its effects may still be felt: the signer remembers for up to 5 seconds that the provider
/// failed.
pub(crate) const SETTLE: Duration = Duration::from_secs(7);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Calls to `/faulty` get 500 or 503.
    ServerErrors,
    /// Connections of calls to `/faulty` are cut off, before the response or in its body.
    Resets,
    /// Bodies of responses to `/faulty` come slowly.
    SlowBodies,
    /// The provider takes a second for credentials.
    SlowProvider,
    /// The provider has no credentials.
    FailingProvider,
    /// The server refuses all credentials that were given so far.
    Revoked,
    /// The signer's clock is ahead by 10 minutes.
    ClientClockAhead,
    /// The signer's clock is behind by 10 minutes.
    ClientClockBehind,
    /// The server's clock is ahead by 10 minutes.
    ServerClockAhead,
}

pub(crate) const FAULTS: [Fault; 9] = [
    Fault::ServerErrors,
    Fault::Resets,
    Fault::SlowBodies,
    Fault::SlowProvider,
    Fault::FailingProvider,
    Fault::Revoked,
    Fault::ClientClockAhead,
    Fault::ClientClockBehind,
    Fault::ServerClockAhead,
];

/// How far clocks jump, in seconds.
const JUMP: i64 = 600;

impl Fault {
    pub(crate) fn client_clock(self) -> i64 {
        match self {
            Self::ClientClockAhead => JUMP,
            Self::ClientClockBehind => -JUMP,
            _ => 0,
        }
    }

    pub(crate) fn server_clock(self) -> i64 {
        if self == Self::ServerClockAhead { JUMP } else { 0 }
    }
}

/// The part of the schedule that a moment belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing is wrong, and nothing was lately.
    Quiet,
    Fault(Fault),
    /// This fault is over, but may still be felt.
    After(Fault),
}

impl Phase {
    /// Whether a clock is wrong, or was a moment ago.
    pub(crate) fn has_jumping_clock(self) -> bool {
        match self {
            Self::Quiet => false,
            Self::Fault(fault) | Self::After(fault) => fault.client_clock() != 0 || fault.server_clock() != 0,
        }
    }

    /// The place of its figures in a table.
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Quiet => FAULTS.len(),
            Self::Fault(fault) | Self::After(fault) => fault as usize,
        }
    }
}

/// The phase of this moment.
#[derive(Debug)]
pub(crate) struct Schedule(Mutex<Phase>);

impl Schedule {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Phase::Quiet))
    }

    pub(crate) fn phase(&self) -> Phase {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn set(&self, phase: Phase) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = phase;
    }

    pub(crate) fn is(&self, fault: Fault) -> bool {
        self.phase() == Phase::Fault(fault)
    }
}

/// The system's clock, with an offset.
#[derive(Debug, Default)]
pub(crate) struct JumpingClock {
    offset: AtomicI64,
}

impl JumpingClock {
    pub(crate) fn jump_to(&self, offset: i64) {
        self.offset.store(offset, Ordering::Relaxed);
    }

    pub(crate) fn time(&self) -> SystemTime {
        shifted(SystemTime::now(), self.offset.load(Ordering::Relaxed))
    }
}

impl TimeSource for JumpingClock {
    fn now(&self) -> SystemTime {
        self.time()
    }
}

pub(crate) fn shifted(time: SystemTime, seconds: i64) -> SystemTime {
    let by = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { time - by } else { time + by }
}
