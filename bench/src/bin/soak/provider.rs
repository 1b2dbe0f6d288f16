//! Credentials that live for a few seconds, from a provider that is sometimes slow or fails.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};

use crate::faults::{Fault, Schedule};

/// How many of the latest credentials the server knows.
const KNOWN: usize = 64;

/// The credentials that were issued, as the server knows them.
#[derive(Debug, Default)]
pub(crate) struct Issued {
    known: Mutex<VecDeque<Issue>>,
    pub(crate) loads: AtomicU64,
}

#[derive(Clone, Debug)]
pub(crate) struct Issue {
    pub(crate) credentials: Credentials,
    pub(crate) expires_at: SystemTime,
    pub(crate) is_revoked: bool,
}

impl Issued {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Issue>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn find(&self, id: &str) -> Option<Issue> {
        self.lock().iter().find(|issue| issue.credentials.access_key_id() == id).cloned()
    }

    pub(crate) fn revoke_all(&self) {
        self.lock().iter_mut().for_each(|issue| issue.is_revoked = true);
    }

    fn issue(&self, number: u64) -> Credentials {
        let expires_at = SystemTime::now() + Duration::from_millis(fastrand::u64(6_000..12_000));
        let token = Some(format!("token-{number}"));
        let (id, secret) = (format!("AKID{number}"), format!("secret-{number}"));
        let credentials = Credentials::new(id, secret, token, Some(expires_at), "soak");
        let mut known = self.lock();
        known.push_back(Issue { credentials: credentials.clone(), expires_at, is_revoked: false });
        if known.len() > KNOWN {
            known.pop_front();
        }
        credentials
    }
}

#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) issued: Arc<Issued>,
    pub(crate) schedule: Arc<Schedule>,
}

impl ProvideCredentials for Provider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let number = self.issued.loads.fetch_add(1, Ordering::Relaxed);
            let millis = if self.schedule.is(Fault::SlowProvider) { 1_000 } else { fastrand::u64(0..20) };
            tokio::time::sleep(Duration::from_millis(millis)).await;
            if self.schedule.is(Fault::FailingProvider) {
                return Err(CredentialsError::provider_error("the soak's provider is to fail now"));
            }
            Ok(self.issued.issue(number))
        })
    }
}
