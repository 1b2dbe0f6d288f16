//! [`CachedCredentials`], and how its callers wait for a load.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_smithy_async::time::{SharedTimeSource, TimeSource};

use super::load::{Outcome, TIMEOUT_MARGIN};
use super::store::{Lookup, PendingLoad, Reload, Store, Validity};
use crate::error::{Error, ErrorKind};
use crate::timer::timeout;

/// What the Rust SDK's own cache allows with default settings is 21.6 s.
const LOAD_TIMEOUT: Duration = Duration::from_secs(20);

/// How often a waiting caller asks whether the load it waits for is still under way.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// How many loads one caller starts in vain, each lost with the runtime that it was on, before it gives up.
const MAX_LOADS: usize = 3;

/// A cache around any credentials provider, for clients that run for months and functions that are frozen for hours.
///
/// A [`Signer`](crate::Signer) has one already. Make one to share credentials between signers, or with the AWS SDK.
///
/// ```
/// use aws_credential_types::provider::ProvideCredentials;
/// use sigv4_middleware::{CachedCredentials, EnvironmentCredentials};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let cache = CachedCredentials::new(EnvironmentCredentials::new());
/// let credentials = cache.provide_credentials().await?;
/// println!("{}", credentials.access_key_id());
/// # Ok(())
/// # }
/// ```
///
/// # When credentials are refreshed
/// It depends on the time left until the credentials expire:
///
/// | time left | what a call does |
/// |---|---|
/// | more than the advisory window | returns the cached credentials, without a lock |
/// | inside the advisory window | returns the cached credentials; the first such call starts a refresh in the background |
/// | less than 60 s | waits for a refresh |
/// | none, or nothing is cached yet | waits for a load; if it fails, so does the call |
///
/// - The **advisory window** is 5 minutes for credentials loaded with up to 20 minutes left, 15 minutes for those under
///   90 minutes, else 60 minutes; up to a tenth less at random. Credentials loaded with less time left than their
///   window are refreshed when half of that time is over.
/// - **Any number of callers share one load.** None of them owns it: a caller that is dropped does not cancel it.
/// - **A refresh that fails** changes nothing while the cached credentials are valid. In the advisory window the next
///   try is 300 to 600 s later, inside the last 60 s it is 1 to 5 s later. Credentials that have already expired count as
///   a failure, and so does a load that takes longer than the load timeout.
/// - **Expired credentials are never returned.** The SDKs return them during an outage, but only those of their own
///   providers. Here, with any provider, all callers get the same error, and the provider is not called for 1 to 5 s.
/// - **No expiry**: keys without a session token never need a refresh. Keys with a session token are taken to be valid for
///   15 minutes; after that callers wait for a refresh, and get the cached credentials if it fails.
/// - **No background timer.** What a call does is decided by the clock at that call, so a process that was frozen gets
///   fresh credentials at its first call.
///
/// # When a server refuses the credentials as expired
/// The signer's integrations then load new ones and send the request once more. Only the refused caller waits: others get
/// the cached credentials until the load has ended. A server that refuses everything cannot keep the provider busy: at
/// most 2 such loads follow one another, and then one per 30 seconds; callers that are refused meanwhile get the server's
/// response. A program that handles the refusal itself calls [`invalidate`](Self::invalidate).
///
/// # Executors
/// A provider that has its credentials ready (static ones, the environment) works on any executor and without a runtime.
/// A load that has to wait becomes a task on the tokio runtime of the caller that started it; without a tokio
/// runtime it is an error of kind [`ErrorKind::CredentialsUnavailable`]. Timers are the crate's own and need none of
/// the runtime's. A load on a runtime that nobody drives any longer is taken over by another caller within about a
/// second.
///
/// Clones share one cache; dropping the last clone ends a load that is under way.
///
/// # Errors
/// [`provide_credentials`](ProvideCredentials::provide_credentials) fails with [`CredentialsError::ProviderError`], whose
/// source is an [`Error`] of kind [`ErrorKind::CredentialsUnavailable`] (nothing is cached and the provider failed) or
/// [`ErrorKind::CredentialsExpired`] (the cached credentials have expired, or the provider returned expired ones).
///
/// # SDK rule
/// The refresh rules that the AWS SDKs introduced in 2026: aws-sdk-go-v2 `credential_cache.go`, smithy-rs
/// `static_stability.rs`.
#[derive(Clone)]
pub struct CachedCredentials {
    pub(super) store: Arc<Store>,
}

impl CachedCredentials {
    /// A cache around `provider`, with the system's clock and a load timeout of 20 seconds.
    #[must_use]
    pub fn new(provider: impl ProvideCredentials + 'static) -> Self {
        Self::builder(provider).build()
    }

    /// A cache around `provider` with settings.
    ///
    /// ```
    /// use std::time::Duration;
    /// use sigv4_middleware::{CachedCredentials, EnvironmentCredentials};
    ///
    /// let cache = CachedCredentials::builder(EnvironmentCredentials::new())
    ///     .load_timeout(Duration::from_secs(2))
    ///     .build();
    /// ```
    pub fn builder(provider: impl ProvideCredentials + 'static) -> CachedCredentialsBuilder {
        CachedCredentialsBuilder {
            provider: SharedCredentialsProvider::new(provider),
            time_source: SharedTimeSource::default(),
            load_timeout: LOAD_TIMEOUT,
            random: fastrand::Rng::new(),
        }
    }

    /// Drops the cached credentials if they equal `refused`, so that the next call waits for a load.
    ///
    /// For a server's `ExpiredToken`, `ExpiredTokenException` or `InvalidToken`. Every caller waits for that load, and the
    /// number of such loads is not limited. It does nothing for credentials that have been replaced meanwhile, or within
    /// 1 to 5 s after the provider returned the refused credentials again.
    ///
    /// ```
    /// use aws_credential_types::provider::ProvideCredentials;
    /// use sigv4_middleware::{CachedCredentials, EnvironmentCredentials};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let cache = CachedCredentials::new(EnvironmentCredentials::new());
    /// let credentials = cache.provide_credentials().await?;
    /// // … a server refuses a request that was signed with them as expired …
    /// cache.invalidate(&credentials);
    /// # Ok(())
    /// # }
    /// ```
    pub fn invalidate(&self, refused: &Credentials) {
        self.store.invalidate(refused);
    }

    pub(super) fn validity(&self, credentials: &Arc<Credentials>) -> Option<Validity> {
        self.store.validity(credentials)
    }

    pub(super) fn is_valid(&self, validity: &Validity) -> bool {
        self.store.is_valid(validity)
    }

    /// Credentials that are valid now. The pointer stays the same for as long as the credentials do.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CredentialsUnavailable`] when the provider failed and nothing is cached,
    /// [`ErrorKind::CredentialsExpired`] when it failed and the cached credentials have expired, or when it returned
    /// credentials that had.
    pub(crate) async fn snapshot(&self) -> Result<Arc<Credentials>, Error> {
        match self.store.cached() {
            Some(credentials) => Ok(credentials),
            // Boxed to keep the future of the usual case small.
            None => Box::pin(self.wait_for_load()).await,
        }
    }

    async fn wait_for_load(&self) -> Result<Arc<Credentials>, Error> {
        let mut loads = 0;
        while loads < MAX_LOADS {
            match self.store.look_up() {
                Lookup::Done(outcome) => return outcome,
                Lookup::Wait(mut load) => {
                    if let Some(outcome) = self.wait(&mut load).await {
                        return outcome;
                    }
                    loads += usize::from(load.started);
                }
            }
        }
        Err(Error::new(
            ErrorKind::CredentialsUnavailable,
            "the load of credentials was lost with the runtime it ran on; make the call on a tokio runtime that is \
             running, and try again",
        ))
    }

    /// Waits for the outcome of a load. `None` when the load was lost: it went down with the runtime it was on, nobody
    /// drives that runtime, or its timer was frozen.
    async fn wait(&self, load: &mut PendingLoad) -> Option<Outcome> {
        let waiting = async {
            loop {
                let ended = async { load.outcome.wait_for(Option::is_some).await.ok()?.clone() };
                match timeout(CHECK_INTERVAL, ended).await {
                    Ok(outcome) => return outcome,
                    Err(_) if self.store.is_under_way(load.id) => {}
                    Err(_) => return load.outcome.borrow().clone(),
                }
            }
        };
        match timeout(self.store.load_timeout.saturating_add(TIMEOUT_MARGIN), waiting).await {
            Ok(outcome) => outcome,
            Err(_) => {
                self.store.abandon(load.id);
                None
            }
        }
    }

    /// Loads credentials for a caller whose request a server refused as expired, and returns them if they differ from the
    /// refused ones.
    ///
    /// Only this caller waits: the refused credentials stay cached, and others use them, until the load has ended.
    /// Where they have been replaced already, it returns the cached ones. A load that is under way is joined. `None` when
    /// the provider returned the same credentials or failed, or when the [`ReloadLimits`](super::limits::ReloadLimits)
    /// allow no load now.
    pub(crate) async fn reload_after_refusal(&self, refused: &Credentials) -> Option<Arc<Credentials>> {
        for _ in 0..MAX_LOADS {
            let outcome = match self.store.reload(refused) {
                Reload::NotCached => self.snapshot().await,
                Reload::Declined => {
                    tracing::debug!(
                        "credentials that a server refused are not reloaded: too many reloads of late, or to no effect"
                    );
                    return None;
                }
                Reload::Done(outcome) => outcome,
                Reload::Wait(mut load) => match self.wait(&mut load).await {
                    Some(outcome) => outcome,
                    None => continue,
                },
            };
            return outcome.ok().filter(|credentials| **credentials != *refused);
        }
        None
    }

    /// Starts a load because a server may have refused these credentials as expired, and does not wait for it.
    ///
    /// Does nothing when they are no longer the cached ones, when a load is under way, or within a minute of the last
    /// load that this started.
    pub(crate) fn reload_in_background(&self, refused: &Credentials) {
        self.store.reload_in_background(refused);
    }
}

impl fmt::Debug for CachedCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedCredentials").field("store", &self.store).finish()
    }
}

impl ProvideCredentials for CachedCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            match self.snapshot().await {
                Ok(credentials) => Ok(Credentials::clone(&credentials)),
                Err(error) => Err(CredentialsError::provider_error(error)),
            }
        })
    }
}

/// Builder of a [`CachedCredentials`], made by [`CachedCredentials::builder`].
#[must_use]
pub struct CachedCredentialsBuilder {
    provider: SharedCredentialsProvider,
    time_source: SharedTimeSource,
    load_timeout: Duration,
    random: fastrand::Rng,
}

impl CachedCredentialsBuilder {
    /// Sets the clock that decides when credentials expire; the system's clock by default.
    pub fn time_source(mut self, time_source: impl TimeSource + 'static) -> Self {
        self.time_source = SharedTimeSource::new(time_source);
        self
    }

    /// Sets how long a load may take before it counts as failed; 20 seconds by default.
    pub fn load_timeout(mut self, load_timeout: Duration) -> Self {
        self.load_timeout = load_timeout;
        self
    }

    /// Makes jitter and back-off the same in every run.
    #[cfg(test)]
    pub(crate) fn seed(mut self, seed: u64) -> Self {
        self.random = fastrand::Rng::with_seed(seed);
        self
    }

    /// Builds the cache. Nothing is loaded before the first call.
    #[must_use]
    pub fn build(self) -> CachedCredentials {
        let store = Store::new(self.provider, self.time_source, self.load_timeout, self.random);
        CachedCredentials { store: Arc::new(store) }
    }
}

impl fmt::Debug for CachedCredentialsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The Debug of a provider may show secrets.
        f.debug_struct("CachedCredentialsBuilder")
            .field("time_source", &self.time_source)
            .field("load_timeout", &self.load_timeout)
            .finish_non_exhaustive()
    }
}
