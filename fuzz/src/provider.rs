//! A provider of credentials.

use std::sync::Mutex;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, future};

/// Gives other credentials at each call, or always the same.
#[derive(Debug)]
pub struct Provider {
    has_token: bool,
    rotates: bool,
    calls: Mutex<u64>,
}

impl Provider {
    pub fn new(has_token: bool, rotates: bool) -> Self {
        Self { has_token, rotates, calls: Mutex::default() }
    }
}

impl ProvideCredentials for Provider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let mut calls = self.calls.lock().expect("not poisoned");
        *calls += u64::from(self.rotates);
        let token = self.has_token.then(|| format!("token-{calls}"));
        let (id, expiry) = (format!("AKID{calls}"), None::<SystemTime>);
        future::ProvideCredentials::ready(Ok(Credentials::new(id, "secret", token, expiry, "fuzz")))
    }
}
