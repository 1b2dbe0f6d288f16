//! A finished signature, not yet on its request: what is signed is committed in one step, or not at all.

use std::sync::Arc;

use http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue};

use crate::clock::ClockReading;
use crate::signing::headers::signature_headers;
use crate::signing::keys::{CredentialsWithKeys, SigningKey};
use crate::signing::streaming::ChunkSigner;

/// What one attempt was signed with.
pub(crate) struct SignedWith {
    pub(crate) keys: Arc<CredentialsWithKeys>,
    pub(crate) key: Arc<SigningKey>,
    pub(crate) reading: ClockReading,
    /// Signs the chunks of its body, if it is sent in chunks.
    pub(crate) chain: Option<Box<ChunkSigner>>,
    /// Signs the messages of its body, if it is an event stream.
    #[cfg(feature = "event-stream")]
    pub(crate) events: Option<Box<crate::signing::streaming::EventSigner>>,
}

impl SignedWith {
    /// The service's signing name.
    pub(crate) fn service(&self) -> &str {
        self.key.service()
    }
}

/// The headers that make a request a signed one, and its target where that had to be rewritten.
pub(crate) struct Signature<A> {
    pub(crate) date: HeaderValue,
    pub(crate) token: Option<(HeaderName, HeaderValue)>,
    pub(crate) content_sha256: Option<HeaderValue>,
    pub(crate) region_set: Option<HeaderValue>,
    pub(crate) authorization: HeaderValue,
    /// Whether the request has headers of an earlier signature, to be replaced.
    pub(crate) replace: bool,
    /// Whether the Host header is removed, for the client to send the URI's host.
    pub(crate) drop_host: bool,
    /// `path[?query]` in the form that was signed, where the URI has to be rewritten.
    pub(crate) rewritten: Option<String>,
    /// What it was made with: [`SignedWith`], or `()` if the caller does not need it.
    pub(crate) attempt: A,
}

impl<A> Signature<A> {
    /// Replaces whatever an earlier signature left in the headers by this one.
    #[inline]
    pub(crate) fn apply(self, headers: &mut HeaderMap) -> A {
        if self.replace {
            for name in signature_headers::ALL {
                headers.remove(name);
            }
        }
        if self.drop_host {
            headers.remove(HOST);
        }
        headers.reserve(4);
        headers.insert(signature_headers::DATE, self.date);
        if let Some((name, token)) = self.token {
            headers.insert(name, token);
        }
        if let Some(content_sha256) = self.content_sha256 {
            headers.insert(signature_headers::CONTENT_SHA256, content_sha256);
        }
        if let Some(region_set) = self.region_set {
            headers.insert(signature_headers::REGION_SET, region_set);
        }
        headers.insert(AUTHORIZATION, self.authorization);
        self.attempt
    }
}
