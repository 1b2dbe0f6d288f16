//! The secret that a client has to know to use the proxy.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::header::{HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::PathAndQuery;
use subtle::ConstantTimeEq;

use crate::error::StartError;
use crate::headers;
use crate::refusal::Refusal;

/// The shortest secret that is accepted, in characters.
const SHORTEST: usize = 16;

/// Who may use a proxy, beyond what Host and Origin headers must be.
///
/// Every program of the machine can connect to a loopback address. A secret keeps those out that do not know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Whoever knows a secret path segment, which is part of [`Proxy::base_url`](crate::Proxy::base_url) and not sent to
    /// the upstream. The default.
    ///
    /// Clients need no more than the base URL. It stands in the logs of clients that log URLs.
    #[default]
    SecretPath,
    /// Whoever sends the secret in this header, which is not sent to the upstream. See
    /// [`Proxy::secret_header`](crate::Proxy::secret_header).
    SecretHeader(HeaderName),
    /// Whoever can connect.
    Open,
}

/// An [`Access`] with its secret.
#[derive(Clone)]
pub(crate) struct Secret {
    access: Access,
    value: String,
}

impl Secret {
    /// # Errors
    /// If a value is too short or has other characters than a path segment and a header may have, if none can be made, or
    /// if there is one and none is needed.
    pub(crate) fn new(access: Access, value: Option<String>) -> Result<Self, StartError> {
        let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let value = match (&access, value) {
            (Access::Open, None) => String::new(),
            (Access::Open, Some(_)) => {
                return Err(StartError::new(
                    "a secret is set, and access is open to everyone; choose where clients send it",
                ));
            }
            (_, None) => random()?,
            (_, Some(value)) if value.len() >= SHORTEST && value.bytes().all(is_unreserved) => value,
            (_, Some(_)) => {
                return Err(StartError::new(format!(
                    "the secret is shorter than {SHORTEST} characters, or has others than letters, digits and -._~"
                )));
            }
        };
        Ok(Self { access, value })
    }

    /// What stands between the proxy's host and a request's path: `/SECRET`, or nothing.
    pub(crate) fn path_prefix(&self) -> String {
        if self.access == Access::SecretPath { format!("/{}", self.value) } else { String::new() }
    }

    pub(crate) fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        let Access::SecretHeader(name) = &self.access else { return None };
        let mut value = HeaderValue::from_str(&self.value).ok()?;
        value.set_sensitive(true);
        Some((name.clone(), value))
    }

    /// Takes the secret out of a request.
    ///
    /// # Errors
    /// The refusal of a request that lacks it.
    pub(crate) fn take(&self, request: &mut Parts) -> Result<(), Refusal> {
        match &self.access {
            Access::Open => Ok(()),
            Access::SecretHeader(name) => {
                let mut values = request.headers.get_all(name).iter();
                let is_right = values.next().is_some_and(|value| self.is_equal(value.as_bytes()));
                if !is_right || values.next().is_some() {
                    return Err(Refusal::no_secret(&format!("send it in the header {name}")));
                }
                request.headers.remove(name);
                Ok(())
            }
            Access::SecretPath => {
                let refusal = || Refusal::no_secret("begin the path with it, as the base URL does");
                let target = request.uri.path_and_query().ok_or_else(refusal)?;
                let below = target.path().strip_prefix('/').ok_or_else(refusal)?;
                let (segment, path) = below.split_at(below.find('/').unwrap_or(below.len()));
                if !self.is_equal(segment.as_bytes()) {
                    return Err(refusal());
                }
                let path = if path.is_empty() { "/" } else { path };
                let target = match target.query() {
                    Some(query) => format!("{path}?{query}"),
                    None => path.to_owned(),
                };
                let target = PathAndQuery::try_from(target).map_err(|_| Refusal::TARGET)?;
                let mut uri = std::mem::take(&mut request.uri).into_parts();
                uri.path_and_query = Some(target);
                request.uri = uri.try_into().map_err(|_| Refusal::TARGET)?;
                // A browser names the page before in Referer, by its whole URL.
                headers::remove_with(&mut request.headers, &self.value);
                Ok(())
            }
        }
    }

    fn is_equal(&self, given: &[u8]) -> bool {
        self.value.as_bytes().ct_eq(given).into()
    }
}

/// 192 bits from the operating system.
fn random() -> Result<String, StartError> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).map_err(|error| {
        StartError::new(format!("the operating system has no random numbers for a secret: {error}"))
    })?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("access", &self.access).finish_non_exhaustive()
    }
}
