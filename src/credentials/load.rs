//! One call of the provider, shared by all callers that wait for it.
//!
//! The first poll of a load is made by the caller that found it due, so that a provider with credentials ready needs no
//! runtime. A load that is pending then becomes a task of its own on the caller's tokio runtime. It holds the store
//! weakly: dropping the store ends it.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider;
use aws_credential_types::provider::error::CredentialsError;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::schedule::span;
use crate::error::{Error, ErrorKind};
use crate::timer::Instant;

/// The result of a load, shared by all that waited for it.
pub(super) type Outcome = Result<Arc<Credentials>, Error>;

/// How long a runtime may take to run an empty task before it counts as stopped.
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

/// An empty task, which a running runtime runs at once.
struct Ping {
    task: AbortHandle,
    sent_at: Instant,
}

impl InFlightLoad {
    /// A load to be started at `now`, whose outcome will be sent.
    pub(super) fn new(
        id: u64,
        outcome: watch::Receiver<Option<Outcome>>,
        load_timeout: Duration,
        now: SystemTime,
    ) -> Self {
        let alive = span(now, load_timeout.saturating_add(TIMEOUT_MARGIN));
        Self { id, alive, outcome, task: None }
    }

    /// Whether an outcome will no longer come, or not be in time.
    pub(super) fn is_lost(&self, now: SystemTime) -> bool {
        !self.alive.contains(&now) || self.outcome.has_changed().is_err()
    }

    /// Whether the load's runtime still runs its tasks. Spawns an empty task there; later calls check whether it has run.
    /// To be called repeatedly while a caller waits.
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

    pub(super) fn set_task(&mut self, abort: AbortHandle, runtime: Handle) {
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
