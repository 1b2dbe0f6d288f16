//! [`SignedRequest`]: what was signed, to be compared with what is sent; and [`RequestChange`], in what the two differ.

use std::fmt;
use std::sync::Arc;

use http::header::{AUTHORIZATION, HOST};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method};
use sha2::{Digest, Sha256};

use super::declared_payload::unhex;
use super::origin::Origin;
use super::payload::Payload;
use super::request::RequestView;
use crate::error::{Error, ErrorKind};

/// A request as it was signed; kept in its extensions.
#[derive(Clone)]
pub(crate) struct SignedRequest(Arc<Inner>);

struct Inner {
    method: Method,
    host: Vec<u8>,
    path: String,
    query: String,
    headers: HeaderMap,
    signed: Vec<HeaderName>,
    body_sha256: Option<[u8; 32]>,
}

impl SignedRequest {
    /// Notes a request that was just signed.
    pub(crate) fn of(request: &RequestView<'_>, payload: Payload<'_>) -> Self {
        let headers = request.headers.clone();
        let hash = payload.hash();
        Self(Arc::new(Inner {
            method: request.method.clone(),
            host: host_of(request),
            path: request.path.to_owned(),
            query: request.query.unwrap_or_default().to_owned(),
            signed: signed_names(&headers),
            headers,
            body_sha256: str::from_utf8(hash.as_bytes()).ok().and_then(unhex),
        }))
    }

    /// Compares all but the body with what is about to be sent.
    ///
    /// `None` for a request that was not signed.
    ///
    /// # Errors
    /// The first change found.
    pub(crate) fn compare<'a>(
        extensions: &'a Extensions,
        sent: &RequestView<'_>,
    ) -> Result<Option<&'a Self>, RequestChange> {
        let Some(signed) = extensions.get::<Self>() else {
            let authorization = sent.headers.get(AUTHORIZATION);
            let is_signed = authorization.is_some_and(|value| value.as_bytes().starts_with(b"AWS4-"));
            return if is_signed { Err(RequestChange::ExtensionsLost) } else { Ok(None) };
        };
        signed.0.compare(sent)?;
        Ok(Some(signed))
    }

    /// The hash that was signed of the body, if one was.
    pub(crate) fn body_sha256(&self) -> Option<[u8; 32]> {
        self.0.body_sha256
    }

    /// # Errors
    /// [`RequestChange::Body`] if the hash of another body was signed.
    pub(crate) fn compare_body<'a>(
        &self,
        parts: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(), RequestChange> {
        let Some(expected) = self.body_sha256() else { return Ok(()) };
        let mut hasher = Sha256::new();
        parts.into_iter().for_each(|part| hasher.update(part));
        if hasher.finalize()[..] == expected { Ok(()) } else { Err(RequestChange::Body) }
    }
}

impl Inner {
    fn compare(&self, sent: &RequestView<'_>) -> Result<(), RequestChange> {
        if *sent.method != self.method {
            return Err(RequestChange::Method);
        }
        if !host_of(sent).eq_ignore_ascii_case(&self.host) {
            return Err(RequestChange::Host);
        }
        if sent.headers.get_all(HOST).iter().nth(1).is_some() {
            return Err(RequestChange::HeaderAdded(HOST));
        }
        if sent.path != self.path {
            return Err(RequestChange::Path);
        }
        compare_queries(&self.query, sent.query.unwrap_or_default())?;
        let authorization = std::iter::once(&AUTHORIZATION);
        for name in authorization.chain(&self.signed).filter(|name| **name != HOST) {
            compare_header(name, &self.headers, sent.headers)?;
        }
        let unsigned =
            |name: &&HeaderName| name.as_str().starts_with("x-amz-") && !self.signed.contains(name);
        match sent.headers.keys().find(unsigned) {
            Some(name) => Err(RequestChange::HeaderAdded(name.clone())),
            None => Ok(()),
        }
    }
}

/// How a signed request was changed before it reached the transport; returned by [`Error::request_change`].
///
/// It contains names of headers, never values.
///
/// ```
/// use sigv4_middleware::{Error, RequestChange};
///
/// fn changed_header(error: &(dyn std::error::Error + 'static)) -> Option<String> {
///     match Error::find(error)?.request_change()? {
///         RequestChange::HeaderChanged(name) => Some(name.to_string()),
///         _ => None,
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestChange {
    /// The method differs.
    Method,
    /// The URI has another host, or the Host header names another.
    Host,
    /// The path differs, or is percent-encoded in another way.
    Path,
    /// This query parameter has another value, occurs more or less often, or is missing.
    Query(String),
    /// A signed header has another value.
    HeaderChanged(http::HeaderName),
    /// A signed header is missing.
    HeaderRemoved(http::HeaderName),
    /// A signed header has a further value, or an `x-amz-*` header was added that is not signed.
    HeaderAdded(http::HeaderName),
    /// The body is not the one whose hash was signed.
    Body,
    /// The request is signed, but the record of what was signed is lost: something made a new request without the
    /// extensions of the first.
    ExtensionsLost,
}

impl RequestChange {
    /// The error of a request that is not sent for it.
    pub(crate) fn into_error(self) -> Error {
        let message = format!(
            "{self} after the request was signed, so that the server would refuse it; it was not sent. What changed it \
             stands between the signing layer and this guard: put it before the signing layer, so that the change is \
             signed too"
        );
        Error::with_source(ErrorKind::RequestChanged, message, self)
    }
}

impl fmt::Display for RequestChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method => f.write_str("the method changed"),
            Self::Host => f.write_str("the host changed"),
            Self::Path => f.write_str("the path changed"),
            Self::Query(name) => write!(f, "the query parameter {name:?} changed"),
            Self::HeaderChanged(name) => write!(f, "the signed header {name} changed"),
            Self::HeaderRemoved(name) => write!(f, "the signed header {name} was removed"),
            Self::HeaderAdded(name) => write!(f, "a header {name} was added"),
            Self::Body => f.write_str("the body was replaced"),
            Self::ExtensionsLost => f.write_str("the request was made anew, without its extensions,"),
        }
    }
}

impl std::error::Error for RequestChange {}

impl Error {
    /// How the request was changed after it was signed; `Some` only for
    /// [`ErrorKind::RequestChanged`], see [`SigV4Guard`](crate::SigV4Guard).
    #[must_use]
    pub fn request_change(&self) -> Option<&RequestChange> {
        std::error::Error::source(self)?.downcast_ref()
    }
}

/// What a server sees as the host: the Host header, or the URI's authority.
fn host_of(request: &RequestView<'_>) -> Vec<u8> {
    let authority = Origin::authority_of(request.scheme, request.authority);
    request.headers.get(HOST).map_or(authority.as_bytes(), HeaderValue::as_bytes).to_vec()
}

/// The names in the `SignedHeaders` of the request's Authorization.
fn signed_names(headers: &HeaderMap) -> Vec<HeaderName> {
    let authorization = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    let text = String::from_utf8_lossy(authorization);
    let names = text.split_once("SignedHeaders=").map_or("", |(_, rest)| rest);
    let names = names.split_once(',').map_or(names, |(names, _)| names);
    names.split(';').filter_map(|name| name.parse().ok()).collect()
}

fn compare_header(name: &HeaderName, signed: &HeaderMap, sent: &HeaderMap) -> Result<(), RequestChange> {
    let before: Vec<&HeaderValue> = signed.get_all(name).iter().collect();
    let after: Vec<&HeaderValue> = sent.get_all(name).iter().collect();
    if after.is_empty() && !before.is_empty() {
        return Err(RequestChange::HeaderRemoved(name.clone()));
    }
    let same = |(one, other): (&&HeaderValue, &&HeaderValue)| words(one).eq(words(other));
    if !before.iter().zip(&after).all(same) || after.len() < before.len() {
        return Err(RequestChange::HeaderChanged(name.clone()));
    }
    if after.len() > before.len() {
        return Err(RequestChange::HeaderAdded(name.clone()));
    }
    Ok(())
}

fn words(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value.as_bytes().split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty())
}

fn compare_queries(signed: &str, sent: &str) -> Result<(), RequestChange> {
    if signed == sent {
        return Ok(());
    }
    let sorted = |query| {
        let mut pairs: Vec<&str> = str::split(query, '&').filter(|pair| !pair.is_empty()).collect();
        pairs.sort_unstable();
        pairs
    };
    let (before, after) = (sorted(signed), sorted(sent));
    let pairs = before.iter().zip(&after);
    let different = pairs.take_while(|(one, other)| one == other).count();
    let changed = before.get(different).into_iter().chain(after.get(different)).min();
    match changed {
        None => Ok(()),
        Some(pair) => {
            let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
            Err(RequestChange::Query(name.to_owned()))
        }
    }
}
