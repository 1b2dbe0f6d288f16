//! What all clones of a cache share: the cached credentials, and the load under way.
//!
//! Readers take the cached credentials without a lock. Everything that changes goes through `refresh`, so there is one
//! order of events and at most one load.

use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_async::time::SharedTimeSource;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::limits::ReloadLimits;
use super::load::{InFlightLoad, NoRuntime, Outcome, usable};
use super::schedule::{Freshness, RefreshSchedule, since, span};
use crate::error::{Error, ErrorKind};
use crate::metrics;
use crate::timer;

/// Between a failed refresh and the next, in the advisory window. In seconds.
const REFRESH_BACKOFF: Range<f64> = 300.0..600.0;
/// How long a failure is remembered when callers wait for a refresh. In seconds.
const FAILURE_BACKOFF: Range<f64> = 1.0..5.0;

pub(super) struct Store {
    pub(super) provider: SharedCredentialsProvider,
    time_source: SharedTimeSource,
    pub(super) load_timeout: Duration,
    entry: ArcSwapOption<Entry>,
    /// How often `entry` was replaced.
    replaced: AtomicU64,
    pub(super) refresh: Mutex<RefreshState>,
}

/// What a caller that found no credentials to use at once does next.
pub(super) enum Lookup {
    Done(Outcome),
    Wait(PendingLoad),
}

/// What a caller whose credentials were refused does next.
pub(super) enum Reload {
    /// The refused credentials are not the cached ones, or no longer.
    NotCached,
    /// No reload: there were too many of late, or the provider has just returned the same credentials.
    Declined,
    Done(Outcome),
    Wait(PendingLoad),
}

/// A load to wait for.
pub(super) struct PendingLoad {
    pub(super) id: u64,
    pub(super) outcome: watch::Receiver<Option<Outcome>>,
    /// Whether it was this caller that started it.
    pub(super) started: bool,
}

/// A load that a caller has joined, or is to start as soon as it holds no lock.
struct Joined {
    load: u64,
    outcome: watch::Receiver<Option<Outcome>>,
    to_start: Option<LoadGuard>,
}

/// For how long credentials stay the cached ones, unless others replace them.
#[derive(Clone, Debug)]
pub(crate) struct Validity {
    replaced: u64,
    /// `None` for credentials that never need a refresh.
    within: Option<Range<SystemTime>>,
}

/// Cached credentials, and how long they are returned without a look at their schedule.
struct Entry {
    credentials: Arc<Credentials>,
    loaded_at: SystemTime,
    /// `None` for credentials that never need a refresh.
    schedule: Option<RefreshSchedule>,
    cached: Range<SystemTime>,
    /// While a refusal of these credentials is ignored.
    invalidation_suppressed: Option<Range<SystemTime>>,
}

#[derive(Default)]
pub(super) struct RefreshState {
    load: Option<InFlightLoad>,
    loads_started: u64,
    failure: Option<(Error, Range<SystemTime>)>,
    /// The credentials whose refusal is why the next load is made.
    refused: Option<Arc<Credentials>>,
    limits: ReloadLimits,
    random: fastrand::Rng,
}

impl Store {
    pub(super) fn new(
        provider: SharedCredentialsProvider,
        time_source: SharedTimeSource,
        load_timeout: Duration,
        random: fastrand::Rng,
    ) -> Self {
        let refresh = Mutex::new(RefreshState { random, ..RefreshState::default() });
        Self {
            provider,
            time_source,
            load_timeout,
            entry: ArcSwapOption::empty(),
            replaced: AtomicU64::new(0),
            refresh,
        }
    }

    /// The credentials to use without a look at anything else: no lock, no allocation.
    pub(super) fn cached(&self) -> Option<Arc<Credentials>> {
        let entry = self.entry.load();
        let entry = entry.as_deref().filter(|entry| entry.is_usable(|| self.time_source.now()))?;
        Some(Arc::clone(&entry.credentials))
    }

    /// For how long these are the credentials [`cached`](Self::cached), by their pointer; `None` if not even now.
    pub(super) fn validity(&self, credentials: &Arc<Credentials>) -> Option<Validity> {
        // Counted before the look at the entry: a later one is never taken for it.
        let replaced = self.replaced.load(Ordering::Acquire);
        let entry = self.entry.load();
        let entry = entry.as_deref().filter(|entry| Arc::ptr_eq(&entry.credentials, credentials))?;
        let validity = Validity { replaced, within: entry.schedule.map(|_| entry.cached.clone()) };
        self.is_valid(&validity).then_some(validity)
    }

    /// Whether a validity lasts: nothing was replaced, and the time is within its range.
    pub(super) fn is_valid(&self, validity: &Validity) -> bool {
        let within =
            || validity.within.as_ref().is_none_or(|within| within.contains(&self.time_source.now()));
        validity.replaced == self.replaced.load(Ordering::Acquire) && within()
    }

    /// The only way to replace the entry.
    fn replace(&self, entry: Option<Entry>) {
        self.entry.store(entry.map(Arc::new));
        self.replaced.fetch_add(1, Ordering::Release);
    }

    /// Decides what a caller gets now, and starts a load where one is due.
    pub(super) fn look_up(self: &Arc<Self>) -> Lookup {
        let mut refresh = self.lock();
        let now = self.time_source.now();
        let entry = self.entry.load_full();
        if let Some(entry) = entry.as_ref().filter(|entry| entry.is_usable(|| now)) {
            return Lookup::Done(Ok(Arc::clone(&entry.credentials)));
        }
        let usable = entry.map(|entry| (entry.freshness(now), entry));
        let usable = usable.filter(|(freshness, _)| *freshness != Freshness::Expired);
        match (&usable, &refresh.failure) {
            (Some((Freshness::Fresh | Freshness::Advisory, entry)), _) => {
                self.keep_using(entry, now, self.load_timeout);
            }
            (None, Some((error, remembered))) if remembered.contains(&now) => {
                return Lookup::Done(Err(error.clone()));
            }
            _ => {}
        }
        let joined = self.join_or_start(&mut refresh, now);
        drop(refresh);
        match (self.poll_first(joined), usable) {
            // The refresh is for the next caller, even if it has ended already.
            (Ok(_), Some((Freshness::Fresh | Freshness::Advisory, entry))) => {
                Lookup::Done(Ok(Arc::clone(&entry.credentials)))
            }
            (Ok(lookup), _) => lookup,
            (Err(NoRuntime), Some((freshness, entry))) => {
                if freshness == Freshness::Mandatory {
                    self.pause(&entry);
                }
                Lookup::Done(Ok(Arc::clone(&entry.credentials)))
            }
            (Err(no_runtime), None) => Lookup::Done(Err(no_runtime.into())),
        }
    }

    /// A reload for a caller whose request a server refused. The refused credentials stay cached until it has ended.
    pub(super) fn reload(self: &Arc<Self>, refused: &Credentials) -> Reload {
        let mut refresh = self.lock();
        let now = self.time_source.now();
        let Some(entry) = self.entry_of(refused) else { return Reload::NotCached };
        if entry.is_invalidation_suppressed(now) {
            return Reload::Declined;
        }
        if self.current(&mut refresh, now).is_none() && !refresh.limits.take(now) {
            return Reload::Declined;
        }
        refresh.refused = Some(Arc::clone(&entry.credentials));
        let joined = self.join_or_start(&mut refresh, now);
        drop(refresh);
        match self.poll_first(joined) {
            Ok(Lookup::Done(outcome)) => Reload::Done(outcome),
            Ok(Lookup::Wait(pending)) => Reload::Wait(pending),
            Err(no_runtime) => Reload::Done(Err(no_runtime.into())),
        }
    }

    /// Starts a reload for which no caller waits, unless one is under way.
    pub(super) fn reload_in_background(self: &Arc<Self>, refused: &Credentials) {
        let mut refresh = self.lock();
        let now = self.time_source.now();
        let Some(entry) = self.entry_of(refused) else { return };
        if entry.is_invalidation_suppressed(now)
            || self.current(&mut refresh, now).is_some()
            || !refresh.limits.take_background(now)
        {
            return;
        }
        refresh.refused = Some(Arc::clone(&entry.credentials));
        let joined = self.join_or_start(&mut refresh, now);
        drop(refresh);
        if self.poll_first(joined).is_err() {
            tracing::debug!(
                "credentials were not reloaded: the provider has to wait, and there is no tokio runtime"
            );
        }
    }

    /// Drops the cached credentials if they are these.
    pub(super) fn invalidate(&self, refused: &Credentials) {
        let refresh = &mut *self.lock();
        let now = self.time_source.now();
        if let Some(entry) = self.entry_of(refused).filter(|entry| !entry.is_invalidation_suppressed(now)) {
            refresh.refused = Some(Arc::clone(&entry.credentials));
            self.replace(None);
        }
    }

    /// Whether a load is still under way, on a runtime that runs its tasks. Abandons it if not.
    pub(super) fn is_under_way(&self, load: u64) -> bool {
        let mut refresh = self.lock();
        let lost = refresh.load.take_if(|current| current.id == load && !current.is_driven()).is_some();
        let under_way = refresh.load.as_ref().is_some_and(|current| current.id == load);
        drop(refresh);
        if lost {
            tracing::debug!(
                "a load of credentials is started again: nobody drives the runtime that it was on"
            );
        }
        under_way
    }

    /// Gives up on a load that did not end in time.
    pub(super) fn abandon(&self, load: u64) {
        self.lock().load.take_if(|current| current.id == load);
    }

    /// Shows `f` the load of this number, if it is still under way.
    pub(super) fn with_load<T>(&self, load: u64, f: impl FnOnce(Option<&mut InFlightLoad>) -> T) -> T {
        let refresh = &mut *self.lock();
        f(refresh.load.as_mut().filter(|current| current.id == load))
    }

    fn entry_of(&self, credentials: &Credentials) -> Option<Arc<Entry>> {
        self.entry.load_full().filter(|entry| *entry.credentials == *credentials)
    }

    fn current<'a>(&self, refresh: &'a mut RefreshState, now: SystemTime) -> Option<&'a InFlightLoad> {
        refresh.load.take_if(|load| load.is_lost(now));
        refresh.load.as_ref()
    }

    /// The load under way, or a new one for this caller to start.
    fn join_or_start(self: &Arc<Self>, refresh: &mut RefreshState, now: SystemTime) -> Joined {
        if let Some(current) = self.current(refresh, now) {
            return Joined { load: current.id, outcome: current.outcome.clone(), to_start: None };
        }
        refresh.loads_started += 1;
        let id = refresh.loads_started;
        let (done, outcome) = watch::channel(None);
        refresh.load = Some(InFlightLoad::new(id, outcome.clone(), self.load_timeout, now));
        let guard = LoadGuard { store: Arc::downgrade(self), load: id, done: Some(done) };
        Joined { load: id, outcome, to_start: Some(guard) }
    }

    /// Starts a new load, and gives its outcome if it is there already. The store must not be locked.
    fn poll_first(&self, joined: Joined) -> Result<Lookup, NoRuntime> {
        let started = joined.to_start.is_some();
        if let Some(guard) = joined.to_start {
            start(self, guard)?;
        }
        let outcome = joined.outcome.borrow().clone();
        Ok(match outcome {
            Some(outcome) => Lookup::Done(outcome),
            None => Lookup::Wait(PendingLoad { id: joined.load, outcome: joined.outcome, started }),
        })
    }

    /// Takes in the result of a load. `None` when it had been given up.
    pub(super) fn finish(&self, load: u64, result: provider::Result) -> Option<Outcome> {
        let mut refresh = self.lock();
        refresh.load.take_if(|current| current.id == load)?;
        let now = self.time_source.now();
        let credentials = usable(result, now);
        let failure = credentials.as_ref().err().map(Error::kind);
        metrics::credentials_loaded(failure.is_none());
        let outcome = match credentials {
            Ok(credentials) => Ok(self.store(&mut refresh, credentials, now)),
            Err(error) => self.keep_or_fail(&mut refresh, error, now),
        };
        drop(refresh);
        // Logged without the lock, which the subscriber may need: it may sign requests too.
        match failure {
            None => tracing::debug!("credentials loaded"),
            // The kind alone, as the provider's own error may contain secrets.
            Some(kind) if outcome.is_ok() => {
                tracing::warn!(
                    ?kind,
                    "a refresh of credentials failed; the cached ones are still valid and used"
                );
            }
            Some(kind) => tracing::debug!(?kind, "a load of credentials failed"),
        }
        Some(outcome)
    }

    fn store(
        &self,
        refresh: &mut RefreshState,
        credentials: Credentials,
        now: SystemTime,
    ) -> Arc<Credentials> {
        let schedule = RefreshSchedule::new(&credentials, now, refresh.random.f64());
        let refused = refresh.refused.take().filter(|refused| **refused == credentials);
        let backoff = draw(&mut refresh.random, FAILURE_BACKOFF);
        let invalidation_suppressed = refused.as_ref().map(|_| span(now, backoff));
        // Equal credentials keep their pointer, and with it the keys that the signer derived from them.
        let earlier = self.entry.load_full();
        if let Some(earlier) = earlier.as_ref().filter(|earlier| *earlier.credentials != credentials) {
            metrics::credentials_replaced(earlier.loaded_at, now);
        }
        let known = earlier.map(|entry| Arc::clone(&entry.credentials));
        let credentials = [known, refused]
            .into_iter()
            .flatten()
            .find(|known| **known == credentials)
            .unwrap_or_else(|| Arc::new(credentials));
        let until = schedule.map_or(now, |schedule| schedule.advisory_at);
        let cached = since(now)..until;
        let loaded_at = now;
        let entry = Entry {
            credentials: Arc::clone(&credentials),
            loaded_at,
            schedule,
            cached,
            invalidation_suppressed,
        };
        self.replace(Some(entry));
        refresh.failure = None;
        credentials
    }

    /// Goes on with the cached credentials while they are valid; else the failure is every caller's.
    fn keep_or_fail(&self, refresh: &mut RefreshState, error: Error, now: SystemTime) -> Outcome {
        let entry = self.entry.load_full();
        if let Some(entry) = &entry
            && entry.freshness(now) != Freshness::Expired
        {
            let mandatory = entry.freshness(now) == Freshness::Mandatory;
            let pause = draw(&mut refresh.random, if mandatory { FAILURE_BACKOFF } else { REFRESH_BACKOFF });
            self.keep_using(entry, now, pause);
            return Ok(Arc::clone(&entry.credentials));
        }
        let error = match entry {
            Some(_) => Error::with_source(
                ErrorKind::CredentialsExpired,
                "the cached credentials expired and could not be refreshed; this error's source says why",
                error,
            ),
            None => error,
        };
        refresh.failure = Some((error.clone(), span(now, draw(&mut refresh.random, FAILURE_BACKOFF))));
        Err(error)
    }

    /// Leaves the provider alone for 1 to 5 s, while these credentials are still the cached ones. For callers without a
    /// runtime, which would each ask it in vain.
    fn pause(&self, entry: &Entry) {
        let refresh = &mut *self.lock();
        let current = self.entry.load_full();
        if let Some(current) = current.filter(|current| Arc::ptr_eq(&current.credentials, &entry.credentials))
        {
            let pause = draw(&mut refresh.random, FAILURE_BACKOFF);
            self.keep_using(&current, self.time_source.now(), pause);
        }
    }

    /// Hands `entry` out for `pause` without a look at its schedule, but not into a stricter window.
    fn keep_using(&self, entry: &Entry, now: SystemTime, pause: Duration) {
        let mut cached = span(now, pause);
        if let Some(schedule) = entry.schedule {
            cached.end = schedule.capped(now, cached.end);
        }
        self.replace(Some(Entry {
            credentials: Arc::clone(&entry.credentials),
            loaded_at: entry.loaded_at,
            schedule: entry.schedule,
            cached,
            invalidation_suppressed: entry.invalidation_suppressed.clone(),
        }));
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

    fn is_invalidation_suppressed(&self, now: SystemTime) -> bool {
        self.invalidation_suppressed.as_ref().is_some_and(|suppressed| suppressed.contains(&now))
    }

    fn freshness(&self, now: SystemTime) -> Freshness {
        self.schedule.map_or(Freshness::Fresh, |schedule| schedule.freshness(now))
    }
}

/// A random duration; `seconds` is its range.
fn draw(random: &mut fastrand::Rng, seconds: Range<f64>) -> Duration {
    Duration::from_secs_f64(seconds.start + random.f64() * (seconds.end - seconds.start))
}

/// Polls a load once, and spawns it if it is not ready then. Not to be called with the store locked.
///
/// No caller can leave between the poll and the spawn, as neither awaits anything.
fn start(store: &Store, guard: LoadGuard) -> Result<(), NoRuntime> {
    let id = guard.load;
    let mut load = Box::pin(load(store.provider.clone(), store.load_timeout, guard));
    // The task polls it again with a waker of its own.
    let mut context = Context::from_waker(Waker::noop());
    let runtime = Handle::try_current();
    match catch_unwind(AssertUnwindSafe(|| load.as_mut().poll(&mut context))) {
        Ok(Poll::Ready(())) => Ok(()),
        Ok(Poll::Pending) => {
            let runtime = runtime.map_err(|_| NoRuntime)?;
            let task = runtime.spawn(load).abort_handle();
            store.with_load(id, |current| match current {
                Some(current) => current.set_task(task, runtime),
                // It has ended meanwhile, or was given up.
                None => task.abort(),
            });
            Ok(())
        }
        // On a runtime, the guard has made an error of the panic. Without one, tokio itself most likely panicked because
        // of that.
        Err(_) => runtime.map(|_| ()).map_err(|_| NoRuntime),
    }
}

/// The end of a load, kept even when the provider panics.
struct LoadGuard {
    store: Weak<Store>,
    load: u64,
    done: Option<watch::Sender<Option<Outcome>>>,
}

impl LoadGuard {
    fn finish(&mut self, result: provider::Result) {
        if let (Some(done), Some(store)) = (self.done.take(), self.store.upgrade())
            && let Some(outcome) = store.finish(self.load, result)
        {
            done.send_replace(Some(outcome));
        }
    }
}

impl Drop for LoadGuard {
    fn drop(&mut self) {
        if std::thread::panicking() && Handle::try_current().is_ok() {
            self.finish(Err(CredentialsError::unhandled("the credentials provider panicked")));
        }
    }
}

async fn load(provider: SharedCredentialsProvider, limit: Duration, mut guard: LoadGuard) {
    let result = match timer::timeout(limit, provider.provide_credentials()).await {
        Ok(result) => result,
        Err(timer::Elapsed) => provider
            .as_ref()
            .fallback_on_interrupt()
            .ok_or_else(|| CredentialsError::provider_timed_out(limit)),
    };
    guard.finish(result);
}
