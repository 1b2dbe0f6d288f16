//! [`SentRequest`]: what the client knows of the request that was refused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::signing::details::SigningDetails;

/// What a client knows of the request that was refused. Everything is optional: a diagnosis is less certain if something
/// is not known, but not wrong.
///
/// Make it from [`SigningDetails`], or by [`unknown`](Self::unknown) or [`unsigned`](Self::unsigned), and add the rest by
/// its setters. It contains no secret: of an Authorization header only its scheme and its hash are kept.
///
/// ```
/// use sigv4_middleware::{SigningDetails, diagnosis::SentRequest};
///
/// let details = SigningDetails::from_canonical(
///     "GET\n/\n\nhost:sts.amazonaws.com\n\nhost\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
///     "AWS4-HMAC-SHA256\n20261125T120000Z\n20261125/us-east-1/sts/aws4_request\n…",
/// );
/// let sent = SentRequest::from(details).session_token(false).url_host("sts.eu-west-1.amazonaws.com");
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct SentRequest {
    pub(super) details: Option<SigningDetails>,
    pub(super) signed: Option<bool>,
    pub(super) method: Option<String>,
    pub(super) url_host: Option<String>,
    pub(super) signed_host: Option<String>,
    pub(super) sent_host: Option<String>,
    pub(super) sent_content_type: Option<String>,
    pub(super) body_sha256: Option<String>,
    pub(super) service: Option<String>,
    pub(super) region: Option<String>,
    pub(super) access_key_id: Option<String>,
    pub(super) session_token: Option<bool>,
    pub(super) has_body: Option<bool>,
    pub(super) content_sha256_signed: Option<bool>,
    pub(super) api_key: Option<bool>,
    pub(super) route_known: Option<bool>,
    pub(super) authorization: Option<SentAuthorization>,
}

/// An Authorization header that was sent, without its value.
#[derive(Clone, Debug)]
pub(super) struct SentAuthorization {
    /// The first word, if it is the name of a scheme.
    pub(super) scheme: String,
    /// Base64 of the value's SHA-256: what API Gateway quotes.
    pub(super) sha256: String,
}

impl From<SigningDetails> for SentRequest {
    fn from(details: SigningDetails) -> Self {
        Self { signed: Some(!details.is_empty()), details: Some(details), ..Self::default() }
    }
}

impl From<&SigningDetails> for SentRequest {
    fn from(details: &SigningDetails) -> Self {
        details.clone().into()
    }
}

impl SentRequest {
    /// A request about which nothing is known.
    pub fn unknown() -> Self {
        Self::default()
    }

    /// A request that was sent unsigned.
    pub fn unsigned() -> Self {
        Self { signed: Some(false), ..Self::default() }
    }

    /// Sets whether the request was signed.
    pub fn signed(self, signed: bool) -> Self {
        Self { signed: Some(signed), ..self }
    }

    /// Sets the method, in upper case.
    pub fn method(self, method: impl Into<String>) -> Self {
        Self { method: Some(method.into()), ..self }
    }

    /// Sets the host of the URL that was requested: `host`, or `host:port` if the URL has a port.
    pub fn url_host(self, host: impl Into<String>) -> Self {
        Self { url_host: Some(host.into()), ..self }
    }

    /// Sets the value of Host that was signed.
    pub fn signed_host(self, host: impl Into<String>) -> Self {
        Self { signed_host: Some(host.into()), ..self }
    }

    /// Sets the value of Host that the client sent.
    pub fn sent_host(self, host: impl Into<String>) -> Self {
        Self { sent_host: Some(host.into()), ..self }
    }

    /// Sets the value of Content-Type that was sent.
    pub fn sent_content_type(self, content_type: impl Into<String>) -> Self {
        Self { sent_content_type: Some(content_type.into()), ..self }
    }

    /// Sets the SHA-256 of the body that was sent, in hex.
    pub fn body_sha256(self, sha256: impl Into<String>) -> Self {
        Self { body_sha256: Some(sha256.into()), ..self }
    }

    /// Sets the signing name of the service, such as `execute-api`.
    pub fn service(self, service: impl Into<String>) -> Self {
        Self { service: Some(service.into()), ..self }
    }

    /// Sets the region that the request was signed for.
    pub fn region(self, region: impl Into<String>) -> Self {
        Self { region: Some(region.into()), ..self }
    }

    /// Sets the access key id that the request was signed with.
    pub fn access_key_id(self, id: impl Into<String>) -> Self {
        Self { access_key_id: Some(id.into()), ..self }
    }

    /// Sets whether a session token was sent.
    pub fn session_token(self, sent: bool) -> Self {
        Self { session_token: Some(sent), ..self }
    }

    /// Sets whether the request had a body.
    pub fn has_body(self, has_body: bool) -> Self {
        Self { has_body: Some(has_body), ..self }
    }

    /// Sets whether `x-amz-content-sha256` was sent and signed.
    pub fn content_sha256_signed(self, signed: bool) -> Self {
        Self { content_sha256_signed: Some(signed), ..self }
    }

    /// Sets whether an API key (`x-api-key`) was sent.
    pub fn api_key(self, sent: bool) -> Self {
        Self { api_key: Some(sent), ..self }
    }

    /// Sets whether method and path exist at the API.
    pub fn route_known(self, known: bool) -> Self {
        Self { route_known: Some(known), ..self }
    }

    /// Sets the Authorization header that was sent. Its value is not kept, only its scheme and hash.
    pub fn authorization(self, value: &str) -> Self {
        let scheme =
            value.split_ascii_whitespace().next().filter(|_| value.contains(' ')).unwrap_or_default();
        let sha256 = STANDARD.encode(Sha256::digest(value));
        Self { authorization: Some(SentAuthorization { scheme: scheme.to_owned(), sha256 }), ..self }
    }
}
