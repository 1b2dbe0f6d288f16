//! SHA-256 alone: the least that any signature costs.

use std::error::Error;
use std::hint::black_box;

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use http::request::Parts;
use sha2::{Digest, Sha256};

use super::{Subject, limit};
use crate::cases::Case;

/// Hashes of the payload and of a canonical request's worth of bytes, and one MAC with a cached keyed state.
pub struct Hash {
    payload: Vec<u8>,
    canonical: Vec<u8>,
    string_to_sign: Vec<u8>,
    mac: Hmac<Sha256>,
}

impl Hash {
    /// For one case.
    ///
    /// # Errors
    /// None but by a mistake in the case.
    pub fn new(case: &Case) -> Result<Self, Box<dyn Error>> {
        let limit = limit::Limit::new(case)?;
        let mut parts = case.parts()?;
        limit.sign(&mut parts)?;
        Ok(Self {
            payload: case.bytes().to_vec(),
            canonical: limit.last_canonical(),
            string_to_sign: vec![b'0'; limit.string_to_sign_len()],
            mac: Hmac::new_from_slice(&[0; 32])?,
        })
    }
}

impl Subject for Hash {
    type Request = Parts;

    fn prepare(&self, parts: Parts) -> Parts {
        parts
    }

    fn sign(&self, _: &mut Parts) -> Result<(), Box<dyn Error>> {
        if !self.payload.is_empty() {
            black_box(Sha256::digest(&self.payload));
        }
        black_box(Sha256::digest(&self.canonical));
        let mut mac = self.mac.clone();
        mac.update(&self.string_to_sign);
        black_box(mac.finalize().into_bytes());
        Ok(())
    }

    fn headers<'a>(&self, request: &'a Parts) -> &'a HeaderMap {
        &request.headers
    }
}
