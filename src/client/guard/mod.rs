//! [`SigV4Guard`]: checks next to the transport that the request that is sent is the one that was signed.

#[cfg(feature = "reqwest")]
mod reqwest;
mod signed_request;
#[cfg(feature = "tower")]
mod tower;

use std::fmt;

pub(crate) use signed_request::SignedRequest;
#[cfg(feature = "tower")]
pub use tower::Guarded;

use crate::error::{Error, ErrorKind};
use crate::signing::signer::Signer;

/// A tower layer and reqwest middleware that checks, next to the transport, whether a signed request was changed after it
/// was signed.
///
/// For tests, and to find the layer that breaks signatures. Put it innermost: changes beneath it are not found. A request
/// that was changed is not sent.
///
/// It is made for one signer, which from then on records with each request what was signed; a signer without a guard
/// records nothing. Requests that its signer did not sign pass unchecked.
///
/// ```
/// use reqwest_middleware::ClientBuilder;
/// use sigv4_middleware::{Credentials, SigV4Guard, SigV4Middleware, Signer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "static");
/// let signer = Signer::builder().credentials(credentials).build()?;
/// let guard = SigV4Guard::new(&signer);
/// let client = ClientBuilder::new(sigv4_middleware::reqwest_client().build()?)
///     .with(SigV4Middleware::new(signer))
///     // … what may change requests …
///     .with(guard)
///     .build();
/// # Ok(()) }
/// ```
///
/// # Errors
/// - [`ErrorKind::RequestChanged`]: the request was changed, and was not sent. [`Error::request_change`] returns the
///   [`RequestChange`].
/// - [`ErrorKind::BodyMismatch`]: a body that was streamed is not the one whose hash was signed. It was cut off before its
///   end.
///
/// # What is checked
/// - The method, the host (URI and Host header), the path byte by byte, and the query. The order of parameters may change,
///   since signatures do not depend on it.
/// - Every signed header. White space at the ends of its value, and the length of white space within it, may change.
/// - Authorization.
/// - That every `x-amz-*` header is signed, since AWS refuses others.
/// - A body whose SHA-256 was signed. A body in memory is compared before anything is sent. A stream is compared while it
///   is sent, by the reqwest middleware, and by the layer with `map_body`.
///
/// Not checked: an unsigned body; a body in signed chunks or messages, each of which the server checks; a stream, in the
/// layer without `map_body`; and headers that the client itself adds beneath.
///
/// # Where the record is kept
/// In the extensions of the request, or in those that a reqwest middleware gets. If something between signer and guard
/// makes a new request without them, an `AWS4-…` Authorization is an error with [`RequestChange::ExtensionsLost`].
/// `SigV4Layer` around a `reqwest::Client` cannot be guarded, since a `reqwest::Request` has no extensions; use the
/// middleware there.
#[derive(Clone, Debug)]
pub struct SigV4Guard<M = GuardSameBody> {
    #[cfg_attr(not(feature = "tower"), expect(dead_code, reason = "for the bodies of a layer"))]
    make_body: M,
    #[cfg_attr(not(feature = "tower"), expect(dead_code, reason = "for the bodies of a layer"))]
    body_limit: u64,
}

#[cfg(feature = "tower")]
type GuardSameBody = super::tower::SameBody;
#[cfg(not(feature = "tower"))]
type GuardSameBody = ();

impl SigV4Guard {
    /// A guard for the requests of this signer and its clones, which from now on record what they sign.
    #[must_use]
    pub fn new(signer: &Signer) -> Self {
        signer.guard();
        Self { make_body: GuardSameBody::default(), body_limit: signer.limits().size }
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
    fn into_error(self) -> Error {
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
