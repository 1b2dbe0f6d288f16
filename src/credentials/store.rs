//! What all clones of a cache share: the credentials at hand, and the load under way.
//!
//! Readers take `at_hand` without a lock. Everything that changes goes through `slow`, so there is one order of
//! events and at most one flight. A flight is a load in a task of its own; it holds the store weakly, so dropping
//! the store ends it.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_async::time::SharedTimeSource;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::windows::{Standing, Windows, add};
use crate::{Error, ErrorKind};

/// Between a failed refresh and the next, in the advisory window. In seconds.
const BACK_OFF: Range<f64> = 300.0..600.0;
/// How long a failure is remembered when callers wait for a refresh. In seconds.
const BRIEF: Range<f64> = 1.0..5.0;
/// A clock that goes back by more than this voids what was decided by it.
const CLOCK_SLACK: Duration = Duration::from_secs(60);

pub(super) type Outcome = Result<Arc<Credentials>, Error>;

pub(super) struct Store {
    provider: SharedCredentialsProvider,
    time_source: SharedTimeSource,
    load_timeout: Duration,
    entry: ArcSwapOption<Entry>,
    pub(super) slow: Mutex<Slow>,
}

/// What a caller that found nothing at hand does next.
pub(super) enum Turn {
    Answer(Outcome),
    Wait { flight: u64, outcome: watch::Receiver<Option<Outcome>> },
}

/// Cached credentials, and until when they are handed out without another thought.
struct Entry {
    credentials: Arc<Credentials>,
    /// `None` for credentials that never need a refresh.
    windows: Option<Windows>,
    at_hand: Range<SystemTime>,
    /// While invalidating these credentials does nothing.
    spared: Option<Range<SystemTime>>,
}

#[derive(Default)]
pub(super) struct Slow {
    flight: Option<Flight>,
    flights: u64,
    failure: Option<(Error, Range<SystemTime>)>,
    refused: Option<Arc<Credentials>>,
    random: fastrand::Rng,
}

/// A load under way; dropping it ends the load.
struct Flight {
    id: u64,
    /// Past this, a load counts as lost: its timer may have been frozen along with it.
    alive: Range<SystemTime>,
    outcome: watch::Receiver<Option<Outcome>>,
    task: AbortHandle,
}

impl Store {
    pub(super) fn new(
        provider: SharedCredentialsProvider,
        time_source: SharedTimeSource,
        load_timeout: Duration,
        random: fastrand::Rng,
    ) -> Self {
        let slow = Mutex::new(Slow { random, ..Slow::default() });
        Self { provider, time_source, load_timeout, entry: ArcSwapOption::empty(), slow }
    }

    pub(super) fn load_timeout(&self) -> Duration {
        self.load_timeout
    }

    /// The credentials to use without a look at anything else: no lock, no allocation.
    pub(super) fn at_hand(&self) -> Option<Arc<Credentials>> {
        let entry = self.entry.load();
        let entry = entry.as_deref().filter(|entry| entry.is_at_hand(|| self.time_source.now()))?;
        Some(Arc::clone(&entry.credentials))
    }

    /// Whether these are the credentials [`at_hand`](Self::at_hand), by their pointer.
    pub(super) fn has_at_hand(&self, credentials: &Arc<Credentials>) -> bool {
        self.entry.load().as_deref().is_some_and(|entry| {
            Arc::ptr_eq(&entry.credentials, credentials) && entry.is_at_hand(|| self.time_source.now())
        })
    }

    /// Decides what a caller gets now, starting a load where one is due.
    pub(super) fn turn(self: &Arc<Self>) -> Turn {
        let slow = &mut *self.lock();
        let now = self.time_source.now();
        if let Some(entry) = self.entry.load_full() {
            let credentials = Arc::clone(&entry.credentials);
            if entry.is_at_hand(|| now) {
                return Turn::Answer(Ok(credentials));
            }
            match entry.standing(now) {
                Standing::Fresh | Standing::Advisory => {
                    self.join_or_start(slow, now);
                    self.keep_at_hand(&entry, now, self.load_timeout);
                    return Turn::Answer(Ok(credentials));
                }
                Standing::Mandatory => {
                    return self.join_or_start(slow, now).unwrap_or(Turn::Answer(Ok(credentials)));
                }
                Standing::Expired => {}
            }
        }
        match &slow.failure {
            Some((error, remembered)) if remembered.contains(&now) => Turn::Answer(Err(error.clone())),
            _ => self.join_or_start(slow, now).unwrap_or_else(|| {
                Turn::Answer(Err(Error::new(
                    ErrorKind::Credentials,
                    "credentials are loaded on a tokio runtime, and this call is not on one; make it on one, or \
                     say .cache_credentials(false) on the signer's builder",
                )))
            }),
        }
    }

    /// Gives up on a load that did not end in time.
    pub(super) fn abandon(&self, flight: u64) {
        self.lock().flight.take_if(|current| current.id == flight);
    }

    pub(super) fn invalidate(&self, refused: &Credentials) {
        let slow = &mut *self.lock();
        let now = self.time_source.now();
        if let Some(entry) = self.entry.load_full()
            && *entry.credentials == *refused
            && !entry.spared.as_ref().is_some_and(|spared| spared.contains(&now))
        {
            slow.refused = Some(Arc::clone(&entry.credentials));
            self.entry.store(None);
        }
    }

    /// The flight under way, or a new one; `None` off any tokio runtime.
    fn join_or_start(self: &Arc<Self>, slow: &mut Slow, now: SystemTime) -> Option<Turn> {
        slow.flight.take_if(|flight| !flight.alive.contains(&now) || flight.task.is_finished());
        if slow.flight.is_none() {
            let runtime = Handle::try_current().ok()?;
            slow.flights += 1;
            let id = slow.flights;
            let (done, outcome) = watch::channel(None);
            let landing = Landing { store: Arc::downgrade(self), flight: id, done: Some(done) };
            let task = runtime.spawn(load(self.provider.clone(), self.load_timeout, landing)).abort_handle();
            let alive = span(now, self.load_timeout.saturating_add(Duration::from_secs(1)));
            slow.flight = Some(Flight { id, alive, outcome, task });
        }
        slow.flight.as_ref().map(|flight| Turn::Wait { flight: flight.id, outcome: flight.outcome.clone() })
    }

    /// Takes in what a load brought. `None` when it had been given up.
    fn land(&self, flight: u64, answer: provider::Result) -> Option<Outcome> {
        let slow = &mut *self.lock();
        slow.flight.take_if(|current| current.id == flight)?;
        let now = self.time_source.now();
        Some(match usable(answer, now) {
            Ok(credentials) => Ok(self.take_in(slow, credentials, now)),
            Err(error) => self.do_without(slow, error, now),
        })
    }

    fn take_in(&self, slow: &mut Slow, credentials: Credentials, now: SystemTime) -> Arc<Credentials> {
        let windows = Windows::of(&credentials, now, slow.random.f64());
        let again = slow.refused.take().filter(|refused| **refused == credentials);
        let brief = draw(&mut slow.random, BRIEF);
        let spared = again.as_ref().map(|_| span(now, brief));
        // Equal credentials keep their pointer: what the signer derived from them stays good.
        let known = self.entry.load_full().map(|entry| Arc::clone(&entry.credentials));
        let credentials = [known, again]
            .into_iter()
            .flatten()
            .find(|known| **known == credentials)
            .unwrap_or_else(|| Arc::new(credentials));
        let until = windows.map_or(now, |windows| windows.advisory_at);
        let at_hand = since(now)..until;
        let entry = Entry { credentials: Arc::clone(&credentials), windows, at_hand, spared };
        self.entry.store(Some(Arc::new(entry)));
        slow.failure = None;
        tracing::debug!("credentials loaded");
        credentials
    }

    /// Goes on with the credentials at hand while they are good; else the failure is every caller's.
    fn do_without(&self, slow: &mut Slow, error: Error, now: SystemTime) -> Outcome {
        let entry = self.entry.load_full();
        if let Some(entry) = &entry
            && entry.standing(now) != Standing::Expired
        {
            let mandatory = entry.standing(now) == Standing::Mandatory;
            let pause = draw(&mut slow.random, if mandatory { BRIEF } else { BACK_OFF });
            self.keep_at_hand(entry, now, pause);
            // The kind alone: what a provider says may hold what it should not.
            tracing::warn!(
                kind = ?error.kind(),
                pause_seconds = pause.as_secs(),
                "a refresh of credentials failed; going on with those at hand"
            );
            return Ok(Arc::clone(&entry.credentials));
        }
        let error = match entry {
            Some(_) => Error::with_source(
                ErrorKind::CredentialsExpired,
                "the credentials at hand have expired and the provider gave no fresh ones",
                error,
            ),
            None => error,
        };
        slow.failure = Some((error.clone(), span(now, draw(&mut slow.random, BRIEF))));
        Err(error)
    }

    /// Hands `entry` out without another thought for `pause`, but not into a stricter window.
    fn keep_at_hand(&self, entry: &Entry, now: SystemTime, pause: Duration) {
        let mut at_hand = span(now, pause);
        if let Some(windows) = entry.windows {
            at_hand.end = windows.capped(now, at_hand.end);
        }
        self.entry.store(Some(Arc::new(Entry {
            credentials: Arc::clone(&entry.credentials),
            windows: entry.windows,
            at_hand,
            spared: entry.spared.clone(),
        })));
    }

    fn lock(&self) -> MutexGuard<'_, Slow> {
        self.slow.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = self.entry.load();
        f.debug_struct("Store")
            .field("load_timeout", &self.load_timeout)
            .field("expiry", &entry.as_ref().and_then(|entry| entry.credentials.expiry()))
            .finish_non_exhaustive()
    }
}

impl Entry {
    fn is_at_hand(&self, now: impl FnOnce() -> SystemTime) -> bool {
        self.windows.is_none() || self.at_hand.contains(&now())
    }

    fn standing(&self, now: SystemTime) -> Standing {
        self.windows.map_or(Standing::Fresh, |windows| windows.standing(now))
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The end of a flight, kept even when the provider panics.
struct Landing {
    store: Weak<Store>,
    flight: u64,
    done: Option<watch::Sender<Option<Outcome>>>,
}

impl Landing {
    fn land(&mut self, answer: provider::Result) {
        if let (Some(done), Some(store)) = (self.done.take(), self.store.upgrade())
            && let Some(outcome) = store.land(self.flight, answer)
        {
            done.send_replace(Some(outcome));
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.land(Err(CredentialsError::unhandled("the credentials provider panicked")));
        }
    }
}

async fn load(provider: SharedCredentialsProvider, limit: Duration, mut landing: Landing) {
    let answer = match tokio::time::timeout(limit, provider.provide_credentials()).await {
        Ok(answer) => answer,
        Err(_) => provider
            .as_ref()
            .fallback_on_interrupt()
            .ok_or_else(|| CredentialsError::provider_timed_out(limit)),
    };
    landing.land(answer);
}

/// The credentials of a provider's answer, unless they have expired already.
pub(super) fn usable(answer: provider::Result, now: SystemTime) -> Result<Credentials, Error> {
    let credentials = answer.map_err(|error| {
        let message = match &error {
            CredentialsError::CredentialsNotLoaded(_) => {
                "no credentials were found; this error's source says where the provider looked"
            }
            CredentialsError::ProviderTimedOut(_) => {
                "the credentials provider did not answer in time; try again, or give it a longer load_timeout"
            }
            CredentialsError::InvalidConfiguration(_) => {
                "the credentials provider is not set up properly; this error's source says what is wrong"
            }
            _ => "the credentials provider failed; this error's source says why",
        };
        Error::with_source(ErrorKind::Credentials, message, error)
    })?;
    if credentials.expiry().is_some_and(|expiry| expiry <= now) {
        return Err(Error::new(
            ErrorKind::CredentialsExpired,
            "the credentials provider answered with credentials that have already expired; \
             renew them, or set this machine's clock",
        ));
    }
    Ok(credentials)
}

/// From `now` for `length`.
fn span(now: SystemTime, length: Duration) -> Range<SystemTime> {
    since(now)..add(now, length)
}

/// `now`, with slack for a clock that steps back a little.
fn since(now: SystemTime) -> SystemTime {
    now.checked_sub(CLOCK_SLACK).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// A random duration; `seconds` is its range.
fn draw(random: &mut fastrand::Rng, seconds: Range<f64>) -> Duration {
    Duration::from_secs_f64(seconds.start + random.f64() * (seconds.end - seconds.start))
}
