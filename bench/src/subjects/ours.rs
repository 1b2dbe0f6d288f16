//! This crate, through its public `Signer::sign`.

use std::error::Error;

use http::HeaderMap;
use http::request::Parts;
use sigv4_middleware::{Credentials, Payload, Signer};

use super::{Subject, now};
use crate::cases::{ACCESS_KEY_ID, Case, REGION, SECRET_ACCESS_KEY};

/// A signer with its default settings, its credentials loaded.
pub struct Ours {
    signer: Signer,
    payload: Option<Vec<u8>>,
}

impl Ours {
    /// For one case.
    ///
    /// # Errors
    /// The signer's own.
    pub fn new(case: &Case) -> Result<Self, Box<dyn Error>> {
        let credentials =
            Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY, case.session_token(), None, "bench");
        let signer =
            Signer::builder().credentials(credentials).service(case.service).region(REGION).build()?;
        let subject = Self { signer, payload: case.payload.clone() };
        // The first signature loads the credentials, which takes a runtime.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let mut parts = case.parts()?;
        runtime.block_on(subject.signer.sign(&mut parts, subject.payload()))?;
        Ok(subject)
    }

    fn payload(&self) -> Payload<'_> {
        self.payload.as_ref().map_or(Payload::unsigned(), Payload::from)
    }
}

impl Subject for Ours {
    type Request = Parts;

    fn prepare(&self, parts: Parts) -> Parts {
        parts
    }

    fn sign(&self, parts: &mut Parts) -> Result<(), Box<dyn Error>> {
        Ok(now(self.signer.sign(parts, self.payload()))??)
    }

    fn headers<'a>(&self, request: &'a Parts) -> &'a HeaderMap {
        &request.headers
    }
}
