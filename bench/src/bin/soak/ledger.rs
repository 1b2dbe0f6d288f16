//! What is counted, what must hold of it, and the table that is printed.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::faults::{FAULTS, Phase};

/// What the server found of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted,
    Expired,
    Skewed,
    /// The signature is wrong, or the key unknown.
    Invalid,
}

impl Verdict {
    pub(crate) fn error_type(self) -> &'static str {
        match self {
            Self::Accepted => "",
            Self::Expired => "ExpiredTokenException",
            Self::Skewed | Self::Invalid => "InvalidSignatureException",
        }
    }
}

/// How a call ended for its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A response with status 200, whole.
    Response,
    /// 500 or 503.
    ServerError,
    /// 403.
    Refused,
    /// The signer had no credentials to sign with, and nothing was sent.
    NoCredentials,
    /// Another error of the signer's.
    SigningError,
    /// An error of the client beneath.
    ClientError,
    /// A response that is not the one to this request.
    WrongResponse,
    /// The caller dropped the call.
    Dropped,
    /// Neither a response nor an error in time.
    Lost,
}

pub(crate) const OUTCOMES: [Outcome; 9] = [
    Outcome::Response,
    Outcome::ServerError,
    Outcome::Refused,
    Outcome::NoCredentials,
    Outcome::SigningError,
    Outcome::ClientError,
    Outcome::WrongResponse,
    Outcome::Dropped,
    Outcome::Lost,
];

/// How often one request of a caller's arrived, and how often it was accepted.
#[derive(Clone, Copy, Debug, Default)]
struct Arrivals {
    all: u32,
    accepted: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// By the id of requests that callers wait for.
    arrivals: Mutex<HashMap<String, Arrivals>>,
    verdicts: [AtomicU64; 4],
    outcomes: [AtomicU64; OUTCOMES.len()],
    sent: AtomicU64,
    sent_again: AtomicU64,
    too_often: AtomicU64,
    signed_with_expired: AtomicU64,
    /// Calls to `/healthy` that did not succeed while nothing was wrong.
    unhealthy: AtomicU64,
    /// The longest successful call to `/healthy` in each phase, in microseconds; the last is that of the quiet ones.
    slowest: [AtomicU64; FAULTS.len() + 1],
    examples: Mutex<HashMap<String, u64>>,
}

/// The most different messages that are kept as examples.
const MOST_EXAMPLES: usize = 20;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Ledger {
    /// A caller sends a request.
    pub(crate) fn open(&self, id: &str) {
        add(&self.sent);
        lock(&self.arrivals).insert(id.to_owned(), Arrivals::default());
    }

    /// The server got a request.
    pub(crate) fn count(&self, id: &str, verdict: Verdict) {
        add(&self.verdicts[verdict as usize]);
        if let Some(arrivals) = lock(&self.arrivals).get_mut(id) {
            arrivals.all += 1;
            arrivals.accepted += u32::from(verdict == Verdict::Accepted);
        }
    }

    pub(crate) fn signed_with_expired(&self) {
        add(&self.signed_with_expired);
    }

    /// A call has ended.
    pub(crate) fn close(
        &self,
        id: &str,
        phases: [Phase; 2],
        is_healthy: bool,
        outcome: Outcome,
        took: Duration,
    ) {
        add(&self.outcomes[outcome as usize]);
        let arrivals = lock(&self.arrivals).remove(id).unwrap_or_default();
        if arrivals.all > 1 {
            add(&self.sent_again);
        }
        if arrivals.all > 2 || arrivals.accepted > 1 {
            add(&self.too_often);
        }
        let is_quiet = phases == [Phase::Quiet; 2];
        if is_healthy && is_quiet && !matches!(outcome, Outcome::Response | Outcome::Dropped) {
            add(&self.unhealthy);
        }
        if is_healthy && outcome == Outcome::Response {
            let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            self.slowest[phases[0].index()].fetch_max(micros, Ordering::Relaxed);
        }
    }

    /// Keeps the message of an error, to be printed if an invariant is broken.
    pub(crate) fn example(&self, message: String) {
        let mut examples = lock(&self.examples);
        if examples.len() < MOST_EXAMPLES || examples.contains_key(&message) {
            *examples.entry(message).or_default() += 1;
        }
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    fn outcome(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize].load(Ordering::Relaxed)
    }
}

/// The figures of a run.
pub(crate) struct Report<'a> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) loads: u64,
    /// Tasks of the clients' runtime that are alive after all calls have ended and all clients were dropped.
    pub(crate) leaked_tasks: usize,
    /// Resident memory after the warm-up and at the end, in bytes.
    pub(crate) memory: Option<[u64; 2]>,
}

/// Healthy calls take no longer, whatever fault lasts. Generous, as the machine may be busy.
const LONGEST: Duration = Duration::from_secs(10);
/// How much the resident memory may grow after the warm-up, in bytes.
const MOST_GROWTH: u64 = 32 * 1024 * 1024;

impl Report<'_> {
    fn slowest(&self, index: usize) -> Duration {
        Duration::from_micros(self.ledger.slowest[index].load(Ordering::Relaxed))
    }

    /// The invariants that do not hold.
    pub(crate) fn broken(&self) -> Vec<String> {
        let ledger = self.ledger;
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut none = vec![
            ("calls got neither a response nor an error", ledger.outcome(Outcome::Lost)),
            ("calls got the response to another request", ledger.outcome(Outcome::WrongResponse)),
            ("calls could not be signed", ledger.outcome(Outcome::SigningError)),
            ("requests had a wrong signature", load(&ledger.verdicts[Verdict::Invalid as usize])),
            ("requests were signed with credentials that had expired", load(&ledger.signed_with_expired)),
            (
                "requests were sent more than twice, or again after they were accepted",
                load(&ledger.too_often),
            ),
            ("healthy calls failed while nothing was wrong", load(&ledger.unhealthy)),
            ("tasks were leaked", self.leaked_tasks as u64),
            ("calls were made; the rest was never closed", ledger.sent() - self.closed()),
        ];
        if let Some([before, after]) = self.memory {
            none.push(("bytes of memory were gained", after.saturating_sub(before + MOST_GROWTH)));
        }
        let mut broken: Vec<String> = none
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(what, count)| format!("{count} {what}"))
            .collect();
        let slowest = (0..=FAULTS.len()).map(|index| self.slowest(index)).max().unwrap_or_default();
        if slowest > LONGEST {
            broken.push(format!("a healthy call took {slowest:?}"));
        }
        if ledger.outcome(Outcome::Response) == 0 {
            broken.push("no call succeeded".to_owned());
        }
        broken
    }

    fn closed(&self) -> u64 {
        OUTCOMES.iter().map(|outcome| self.ledger.outcome(*outcome)).sum()
    }

    pub(crate) fn examples(&self) -> Vec<(String, u64)> {
        let mut examples: Vec<_> = lock(&self.ledger.examples).clone().into_iter().collect();
        examples.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        examples
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ledger = self.ledger;
        let mut row = |name: &str, value: &dyn fmt::Display| writeln!(f, "{name:<44} {value:>12}");
        row("calls", &ledger.sent())?;
        for outcome in OUTCOMES {
            row(&format!("  {outcome:?}"), &ledger.outcome(outcome))?;
        }
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        row("requests that arrived", &ledger.verdicts.iter().map(load).sum::<u64>())?;
        for verdict in [Verdict::Accepted, Verdict::Expired, Verdict::Skewed, Verdict::Invalid] {
            row(&format!("  {verdict:?}"), &load(&ledger.verdicts[verdict as usize]))?;
        }
        row("calls sent again after a refusal", &load(&ledger.sent_again))?;
        row("sent too often", &load(&ledger.too_often))?;
        row("signed with expired credentials", &load(&ledger.signed_with_expired))?;
        row("loads of credentials", &self.loads)?;
        row("healthy calls that failed in quiet", &load(&ledger.unhealthy))?;
        row("leaked tasks", &self.leaked_tasks)?;
        if let Some([before, after]) = self.memory {
            row("memory after the warm-up, KiB", &(before / 1024))?;
            row("memory at the end, KiB", &(after / 1024))?;
        }
        for (index, fault) in FAULTS.iter().enumerate() {
            row(&format!("slowest healthy call, {fault:?}, ms"), &self.slowest(index).as_millis())?;
        }
        row("slowest healthy call, quiet, ms", &self.slowest(FAULTS.len()).as_millis())
    }
}
