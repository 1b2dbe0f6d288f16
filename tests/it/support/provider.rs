//! A credentials provider whose responses a test writes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, Result, future};
use sigv4_middleware::Credentials;

/// Responds as a test says, and counts its calls. Clones share the count.
#[derive(Clone)]
pub(crate) struct FakeProvider {
    respond: Arc<dyn Fn(usize) -> future::ProvideCredentials<'static> + Send + Sync>,
    calls: Arc<AtomicUsize>,
}

impl FakeProvider {
    /// Responds at once; `respond` is given the number of earlier calls.
    pub(crate) fn from_fn(respond: impl Fn(usize) -> Result + Send + Sync + 'static) -> Self {
        let respond = move |call| future::ProvideCredentials::ready(respond(call));
        Self { respond: Arc::new(respond), calls: Arc::default() }
    }

    /// Responds when the future of a call is ready.
    pub(crate) fn from_async_fn<F>(respond: impl Fn(usize) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result> + Send + 'static,
    {
        let respond = move |call| future::ProvideCredentials::new(respond(call));
        Self { respond: Arc::new(respond), calls: Arc::default() }
    }

    /// Gives these one after the other, and the last one from then on. `None` is a failure.
    pub(crate) fn new(responses: impl IntoIterator<Item = Option<Credentials>>) -> Self {
        let responses: Vec<_> = responses.into_iter().collect();
        Self::from_fn(move |call| {
            let response = responses[call.min(responses.len() - 1)].clone();
            response.ok_or_else(|| CredentialsError::provider_error("the metadata service is down"))
        })
    }

    /// Gives these one after the other, and the last one from then on.
    pub(crate) fn of(responses: impl IntoIterator<Item = Credentials>) -> Self {
        Self::new(responses.into_iter().map(Some))
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl fmt::Debug for FakeProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeProvider")
    }
}

impl ProvideCredentials for FakeProvider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        (self.respond)(self.calls.fetch_add(1, Ordering::SeqCst))
    }
}
