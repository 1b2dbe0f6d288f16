//! reqsign-aws-v4, its request signer alone.

use std::error::Error;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use reqsign_aws_v4::{Credential, RequestSigner};
use reqsign_core::{Context, SignRequest};
use sha2::{Digest, Sha256};

use super::{Subject, hex, now};
use crate::cases::{ACCESS_KEY_ID, Case, EMPTY_SHA256, REGION, SECRET_ACCESS_KEY};

const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");

/// `RequestSigner` with cached credentials. Its caller hashes the payload.
pub struct Reqsign {
    signer: RequestSigner,
    context: Context,
    credential: Credential,
    payload: Option<Vec<u8>>,
}

impl Reqsign {
    /// For one case.
    #[must_use]
    pub fn new(case: &Case) -> Self {
        let credential = Credential {
            access_key_id: ACCESS_KEY_ID.into(),
            secret_access_key: SECRET_ACCESS_KEY.into(),
            session_token: case.session_token(),
            ..Credential::default()
        };
        Self {
            signer: RequestSigner::new(case.service, REGION),
            context: Context::new(),
            credential,
            payload: case.payload.clone(),
        }
    }
}

impl Subject for Reqsign {
    type Request = Parts;

    fn prepare(&self, parts: Parts) -> Parts {
        parts
    }

    fn sign(&self, parts: &mut Parts) -> Result<(), Box<dyn Error>> {
        match self.payload.as_deref() {
            None => {}
            Some([]) => {
                parts.headers.insert(CONTENT_SHA256, HeaderValue::from_static(EMPTY_SHA256));
            }
            Some(payload) => {
                let hash = HeaderValue::from_bytes(&hex(&Sha256::digest(payload).into()))?;
                parts.headers.insert(CONTENT_SHA256, hash);
            }
        }
        now(self.signer.sign_request(&self.context, parts, Some(&self.credential), None))??;
        Ok(())
    }

    fn headers<'a>(&self, request: &'a Parts) -> &'a HeaderMap {
        &request.headers
    }
}
