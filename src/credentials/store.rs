//! What all clones of a cache share: the credentials at hand, and the load under way.
//!
//! Readers take `cached` without a lock. Everything that changes goes through `refresh`, so there is one order of
//! events and at most one load. A load is a load in a task of its own; it holds the store weakly, so dropping
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

use super::schedule::{Freshness, RefreshSchedule, add};
use crate::{Error, ErrorKind};

/// Between a failed refresh and the next, in the advisory window. In seconds.
const REFRESH_BACKOFF: Range<f64> = 300.0..600.0;
/// How long a failure is remembered when callers wait for a refresh. In seconds.
const FAILURE_BACKOFF: Range<f64> = 1.0..5.0;
/// A clock that goes back by more than this voids what was decided by it.
const CLOCK_SLACK: Duration = Duration::from_secs(60);

pub(super) type Outcome = Result<Arc<Credentials>, Error>;

pub(super) struct Store {
    provider: SharedCredentialsProvider,
    time_source: SharedTimeSource,
    load_timeout: Duration,
    entry: ArcSwapOption<Entry>,
    pub(super) refresh: Mutex<RefreshState>,
}

/// What a caller that found nothing at hand does next.
pub(super) enum Lookup {
    Answer(Outcome),
    Wait { load: u64, outcome: watch::Receiver<Option<Outcome>> },
}

/// Cached credentials, and until when they are handed out without another thought.
struct Entry {
    credentials: Arc<Credentials>,
    /// `None` for credentials that never need a refresh.
    schedule: Option<RefreshSchedule>,
    cached: Range<SystemTime>,
    /// While invalidating these credentials does nothing.
    invalidation_suppressed: Option<Range<SystemTime>>,
}

#[derive(Default)]
pub(super) struct RefreshState {
    load: Option<InFlightLoad>,
    flights: u64,
    failure: Option<(Error, Range<SystemTime>)>,
    refused: Option<Arc<Credentials>>,
    random: fastrand::Rng,
}

/// A load under way; dropping it ends the load.
struct InFlightLoad {
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
        let refresh = Mutex::new(RefreshState { random, ..RefreshState::default() });
        Self { provider, time_source, load_timeout, entry: ArcSwapOption::empty(), refresh }
    }

    pub(super) fn load_timeout(&self) -> Duration {
        self.load_timeout
    }

    /// The credentials to use without a look at anything else: no lock, no allocation.
    pub(super) fn cached(&self) -> Option<Arc<Credentials>> {
        let entry = self.entry.load();
        let entry = entry.as_deref().filter(|entry| entry.is_usable(|| self.time_source.now()))?;
        Some(Arc::clone(&entry.credentials))
    }

    /// Whether these are the credentials [`cached`](Self::cached), by their pointer.
    pub(super) fn is_cached(&self, credentials: &Arc<Credentials>) -> bool {
        self.entry.load().as_deref().is_some_and(|entry| {
            Arc::ptr_eq(&entry.credentials, credentials) && entry.is_usable(|| self.time_source.now())
        })
    }

    /// Decides what a caller gets now, starting a load where one is due.
    pub(super) fn look_up(self: &Arc<Self>) -> Lookup {
        let refresh = &mut *self.lock();
        let now = self.time_source.now();
        if let Some(entry) = self.entry.load_full() {
            let credentials = Arc::clone(&entry.credentials);
            if entry.is_usable(|| now) {
                return Lookup::Answer(Ok(credentials));
            }
            match entry.freshness(now) {
                Freshness::Fresh | Freshness::Advisory => {
                    self.join_or_start(refresh, now);
                    self.keep_using(&entry, now, self.load_timeout);
                    return Lookup::Answer(Ok(credentials));
                }
                Freshness::Mandatory => {
                    return self.join_or_start(refresh, now).unwrap_or(Lookup::Answer(Ok(credentials)));
                }
                Freshness::Expired => {}
            }
        }
        match &refresh.failure {
            Some((error, remembered)) if remembered.contains(&now) => Lookup::Answer(Err(error.clone())),
            _ => self.join_or_start(refresh, now).unwrap_or_else(|| {
                Lookup::Answer(Err(Error::new(
                    ErrorKind::CredentialsUnavailable,
                    "credentials are loaded on a tokio runtime, and this call is not on one; make it on one, or \
                     say .cache_credentials(false) on the signer's builder",
                )))
            }),
        }
    }

    /// Gives up on a load that did not end in time.
    pub(super) fn abandon(&self, load: u64) {
        self.lock().load.take_if(|current| current.id == load);
    }

    pub(super) fn invalidate(&self, refused: &Credentials) {
        let refresh = &mut *self.lock();
        let now = self.time_source.now();
        if let Some(entry) = self.entry.load_full()
            && *entry.credentials == *refused
            && !entry
                .invalidation_suppressed
                .as_ref()
                .is_some_and(|invalidation_suppressed| invalidation_suppressed.contains(&now))
        {
            refresh.refused = Some(Arc::clone(&entry.credentials));
            self.entry.store(None);
        }
    }

    /// The load under way, or a new one; `None` off any tokio runtime.
    fn join_or_start(self: &Arc<Self>, refresh: &mut RefreshState, now: SystemTime) -> Option<Lookup> {
        refresh.load.take_if(|load| !load.alive.contains(&now) || load.task.is_finished());
        if refresh.load.is_none() {
            let runtime = Handle::try_current().ok()?;
            refresh.flights += 1;
            let id = refresh.flights;
            let (done, outcome) = watch::channel(None);
            let guard = LoadGuard { store: Arc::downgrade(self), load: id, done: Some(done) };
            let task = runtime.spawn(load(self.provider.clone(), self.load_timeout, guard)).abort_handle();
            let alive = span(now, self.load_timeout.saturating_add(Duration::from_secs(1)));
            refresh.load = Some(InFlightLoad { id, alive, outcome, task });
        }
        refresh.load.as_ref().map(|load| Lookup::Wait { load: load.id, outcome: load.outcome.clone() })
    }

    /// Takes in what a load brought. `None` when it had been given up.
    fn finish(&self, load: u64, answer: provider::Result) -> Option<Outcome> {
        let refresh = &mut *self.lock();
        refresh.load.take_if(|current| current.id == load)?;
        let now = self.time_source.now();
        Some(match usable(answer, now) {
            Ok(credentials) => Ok(self.store(refresh, credentials, now)),
            Err(error) => self.keep_or_fail(refresh, error, now),
        })
    }

    fn store(
        &self,
        refresh: &mut RefreshState,
        credentials: Credentials,
        now: SystemTime,
    ) -> Arc<Credentials> {
        let schedule = RefreshSchedule::of(&credentials, now, refresh.random.f64());
        let again = refresh.refused.take().filter(|refused| **refused == credentials);
        let brief = draw(&mut refresh.random, FAILURE_BACKOFF);
        let invalidation_suppressed = again.as_ref().map(|_| span(now, brief));
        // Equal credentials keep their pointer: what the signer derived from them stays good.
        let known = self.entry.load_full().map(|entry| Arc::clone(&entry.credentials));
        let credentials = [known, again]
            .into_iter()
            .flatten()
            .find(|known| **known == credentials)
            .unwrap_or_else(|| Arc::new(credentials));
        let until = schedule.map_or(now, |schedule| schedule.advisory_at);
        let cached = since(now)..until;
        let entry =
            Entry { credentials: Arc::clone(&credentials), schedule, cached, invalidation_suppressed };
        self.entry.store(Some(Arc::new(entry)));
        refresh.failure = None;
        tracing::debug!("credentials loaded");
        credentials
    }

    /// Goes on with the credentials at hand while they are good; else the failure is every caller's.
    fn keep_or_fail(&self, refresh: &mut RefreshState, error: Error, now: SystemTime) -> Outcome {
        let entry = self.entry.load_full();
        if let Some(entry) = &entry
            && entry.freshness(now) != Freshness::Expired
        {
            let mandatory = entry.freshness(now) == Freshness::Mandatory;
            let pause = draw(&mut refresh.random, if mandatory { FAILURE_BACKOFF } else { REFRESH_BACKOFF });
            self.keep_using(entry, now, pause);
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
        refresh.failure = Some((error.clone(), span(now, draw(&mut refresh.random, FAILURE_BACKOFF))));
        Err(error)
    }

    /// Hands `entry` out without another thought for `pause`, but not into a stricter window.
    fn keep_using(&self, entry: &Entry, now: SystemTime, pause: Duration) {
        let mut cached = span(now, pause);
        if let Some(schedule) = entry.schedule {
            cached.end = schedule.capped(now, cached.end);
        }
        self.entry.store(Some(Arc::new(Entry {
            credentials: Arc::clone(&entry.credentials),
            schedule: entry.schedule,
            cached,
            invalidation_suppressed: entry.invalidation_suppressed.clone(),
        })));
    }

    fn lock(&self) -> MutexGuard<'_, RefreshState> {
        self.refresh.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn is_usable(&self, now: impl FnOnce() -> SystemTime) -> bool {
        self.schedule.is_none() || self.cached.contains(&now())
    }

    fn freshness(&self, now: SystemTime) -> Freshness {
        self.schedule.map_or(Freshness::Fresh, |schedule| schedule.freshness(now))
    }
}

impl Drop for InFlightLoad {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The end of a load, kept even when the provider panics.
struct LoadGuard {
    store: Weak<Store>,
    load: u64,
    done: Option<watch::Sender<Option<Outcome>>>,
}

impl LoadGuard {
    fn finish(&mut self, answer: provider::Result) {
        if let (Some(done), Some(store)) = (self.done.take(), self.store.upgrade())
            && let Some(outcome) = store.finish(self.load, answer)
        {
            done.send_replace(Some(outcome));
        }
    }
}

impl Drop for LoadGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.finish(Err(CredentialsError::unhandled("the credentials provider panicked")));
        }
    }
}

async fn load(provider: SharedCredentialsProvider, limit: Duration, mut guard: LoadGuard) {
    let answer = match tokio::time::timeout(limit, provider.provide_credentials()).await {
        Ok(answer) => answer,
        Err(_) => provider
            .as_ref()
            .fallback_on_interrupt()
            .ok_or_else(|| CredentialsError::provider_timed_out(limit)),
    };
    guard.finish(answer);
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
        Error::with_source(ErrorKind::CredentialsUnavailable, message, error)
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
