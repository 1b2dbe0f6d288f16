//! Where credentials come from, and the cache in front of it.
//!
//! `cache` has the public type and its waiting callers, `store` the state they share, `load` one call of the provider,
//! `schedule` the arithmetic of when a refresh is due, `limits` how often refusals may cause a load, `environment` the
//! provider that needs no other crate.

mod cache;
mod environment;
mod limits;
mod load;
mod schedule;
mod store;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_async::time::SharedTimeSource;

pub use cache::{CachedCredentials, CachedCredentialsBuilder};
pub use environment::EnvironmentCredentials;
pub(crate) use environment::region_from_env;
pub(crate) use store::Validity;

use crate::error::Error;

/// Where a signer gets its credentials.
#[derive(Clone, Debug)]
pub(crate) enum CredentialsSource {
    Cached(CachedCredentials),
    Uncached(Arc<Uncached>),
}

/// A provider with a cache of its own, called for every request.
pub(crate) struct Uncached {
    provider: SharedCredentialsProvider,
    time_source: SharedTimeSource,
    /// The last credentials, so that equal ones are one allocation.
    last: ArcSwapOption<Credentials>,
}

impl CredentialsSource {
    pub(crate) fn uncached(provider: SharedCredentialsProvider, time_source: SharedTimeSource) -> Self {
        Self::Uncached(Arc::new(Uncached { provider, time_source, last: ArcSwapOption::empty() }))
    }

    /// For how long a [`snapshot`](Self::snapshot) would return these credentials, by their pointer; `None` if not even
    /// now.
    pub(crate) fn validity(&self, credentials: &Arc<Credentials>) -> Option<Validity> {
        match self {
            Self::Cached(cache) => cache.validity(credentials),
            Self::Uncached(_) => None,
        }
    }

    /// Whether a validity lasts.
    pub(crate) fn is_valid(&self, validity: &Validity) -> bool {
        match self {
            Self::Cached(cache) => cache.is_valid(validity),
            Self::Uncached(_) => false,
        }
    }

    /// Credentials to sign with now.
    ///
    /// The pointer stays the same for as long as the credentials do, so keys derived from them can be cached by it.
    pub(crate) async fn snapshot(&self) -> Result<Arc<Credentials>, Error> {
        match self {
            Self::Cached(cache) => cache.snapshot().await,
            Self::Uncached(uncached) => uncached.snapshot().await,
        }
    }

    /// Loads credentials to replace those that a server refused as expired; see
    /// [`CachedCredentials::reload_after_refusal`]. A provider that is not cached is called once more.
    pub(crate) async fn reload_after_refusal(&self, refused: &Credentials) -> Option<Arc<Credentials>> {
        match self {
            Self::Cached(cache) => Box::pin(cache.reload_after_refusal(refused)).await,
            Self::Uncached(uncached) => {
                uncached.snapshot().await.ok().filter(|credentials| **credentials != *refused)
            }
        }
    }

    /// Starts a load because a server may have refused these credentials as expired, at most once a minute, and does
    /// not wait for it. A provider that is not cached is called for the next request anyway.
    pub(crate) fn reload_in_background(&self, refused: &Credentials) {
        match self {
            Self::Cached(cache) => cache.reload_in_background(refused),
            Self::Uncached(_) => {}
        }
    }
}

impl Uncached {
    async fn snapshot(&self) -> Result<Arc<Credentials>, Error> {
        let result = self.provider.provide_credentials().await;
        let credentials = load::usable(result, self.time_source.now());
        crate::metrics::credentials_loaded(credentials.is_ok());
        let credentials = credentials?;
        if let Some(last) = self.last.load_full().filter(|last| **last == credentials) {
            return Ok(last);
        }
        let credentials = Arc::new(credentials);
        self.last.store(Some(Arc::clone(&credentials)));
        Ok(credentials)
    }
}

impl fmt::Debug for Uncached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uncached").finish_non_exhaustive()
    }
}
