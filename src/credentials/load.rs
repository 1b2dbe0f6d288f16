//! One call of the provider, shared by all callers that wait for it.
//!
//! The first poll of a load is made by the caller that found it due, so that a provider with credentials ready needs no
//! runtime. A load that is pending then becomes a task of its own on the caller's tokio runtime. It holds the store
//! weakly: dropping the store ends it.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::schedule::span;
use super::store::{Outcome, Store};
use crate::timer::{self, Instant};
use crate::{Error, ErrorKind};

/// How long a runtime may take to run an empty task before nobody is taken to drive it.
const PING_TIMEOUT: Duration = Duration::from_millis(750);
/// How much longer than the load timeout a load is waited for. Its own timer may have been frozen, or not be polled.
pub(super) const TIMEOUT_MARGIN: Duration = Duration::from_secs(1);

/// A load under way; dropping it ends the load.
pub(super) struct InFlightLoad {
    pub(super) id: u64,
    /// Outside of this a load counts as lost: its timer may have been frozen along with it.
    alive: Range<SystemTime>,
    pub(super) outcome: watch::Receiver<Option<Outcome>>,
    /// `None` during its first poll.
    task: Option<LoadTask>,
}

/// The task of a load that was not ready at its first poll.
struct LoadTask {
    abort: AbortHandle,
    runtime: Handle,
    ping: Option<Ping>,
}

/// An empty task, which a runtime that somebody drives runs at once.
struct Ping {
    task: AbortHandle,
    sent_at: Instant,
}

impl InFlightLoad {
    /// A load to be started by [`start`], and the guard that it ends by.
    pub(super) fn new(id: u64, store: &Arc<Store>, now: SystemTime) -> (Self, LoadGuard) {
        let (done, outcome) = watch::channel(None);
        let alive = span(now, store.load_timeout.saturating_add(TIMEOUT_MARGIN));
        let guard = LoadGuard { store: Arc::downgrade(store), load: id, done: Some(done) };
        (Self { id, alive, outcome, task: None }, guard)
    }

    /// Whether an outcome will no longer come, or not be in time.
    pub(super) fn is_lost(&self, now: SystemTime) -> bool {
        !self.alive.contains(&now) || self.outcome.has_changed().is_err()
    }

    /// Whether somebody drives the runtime that the load is on. Spawns an empty task there, and later calls check whether
    /// it has run: to be called repeatedly while a caller waits.
    pub(super) fn is_driven(&mut self) -> bool {
        // The thread that makes the first poll is at work.
        let Some(task) = &mut self.task else { return true };
        match &task.ping {
            Some(ping) if !ping.task.is_finished() => ping.sent_at.elapsed() < PING_TIMEOUT,
            _ => {
                let ping = task.runtime.spawn(async {}).abort_handle();
                task.ping = Some(Ping { task: ping, sent_at: Instant::now() });
                true
            }
        }
    }

    fn set_task(&mut self, abort: AbortHandle, runtime: Handle) {
        self.task = Some(LoadTask { abort, runtime, ping: None });
    }
}

impl Drop for InFlightLoad {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort.abort();
        }
    }
}

/// A load was not ready at its first poll, and there is no tokio runtime to go on with it.
pub(super) struct NoRuntime;

impl From<NoRuntime> for Error {
    fn from(_: NoRuntime) -> Self {
        Self::new(
            ErrorKind::CredentialsUnavailable,
            "the credentials provider has to wait for its credentials, which needs a tokio runtime, and this call is \
             not on one; make it on a tokio runtime, use a provider that has its credentials ready, or call \
             .cache_credentials(false) on the signer's builder if the provider works on this executor",
        )
    }
}

/// Polls a load once, and spawns it if it is not ready then. Not to be called with the store locked.
///
/// No caller can leave between the poll and the spawn, as neither awaits anything.
pub(super) fn start(store: &Store, guard: LoadGuard) -> Result<(), NoRuntime> {
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
pub(super) struct LoadGuard {
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

/// The credentials that a provider gave, unless they have expired already.
pub(super) fn usable(result: provider::Result, now: SystemTime) -> Result<Credentials, Error> {
    let credentials = result.map_err(|error| {
        let message = match &error {
            CredentialsError::CredentialsNotLoaded(_) => {
                "no credentials were found; this error's source says where the provider looked"
            }
            CredentialsError::ProviderTimedOut(_) => {
                "the credentials provider did not respond in time; try again, or give it a longer load_timeout"
            }
            CredentialsError::InvalidConfiguration(_) => {
                "the credentials provider is not configured properly; this error's source says what is wrong"
            }
            _ => "the credentials provider failed; this error's source says why",
        };
        Error::with_source(ErrorKind::CredentialsUnavailable, message, error)
    })?;
    if credentials.expiry().is_some_and(|expiry| expiry <= now) {
        return Err(Error::new(
            ErrorKind::CredentialsExpired,
            "the credentials provider gave credentials that have already expired; renew them, or set this \
             machine's clock",
        ));
    }
    Ok(credentials)
}
