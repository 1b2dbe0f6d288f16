//! [`SigV4Guard`]: checks next to the transport that the request that is sent is the one that was signed.

#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(feature = "tower")]
mod tower;

#[cfg(feature = "tower")]
pub use tower::Guarded;

#[cfg(doc)]
use crate::error::{Error, ErrorKind};
use crate::signing::settings::BufferLimits;
#[cfg(doc)]
use crate::signing::signed_request::RequestChange;
use crate::signing::signer::Signer;

/// A tower layer and reqwest middleware that checks, next to the transport, whether a signed request was changed after it
/// was signed.
///
/// For tests, and to find the layer that breaks signatures. Put it innermost: changes beneath it are not found. A request
/// that was changed is not sent.
///
/// It is made for one signer, which from then on records with each request what was signed; a signer without a guard
/// records nothing. Requests without a SigV4 Authorization pass unchecked. One that a signer without a guard signed is an
/// error with [`RequestChange::ExtensionsLost`].
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
/// - The method, the host, the path byte by byte, and the query. The host is that of the Host header, or the URI's where
///   there is none. The order of parameters may change, since signatures do not depend on it.
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
    limits: BufferLimits,
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
        Self { make_body: GuardSameBody::default(), limits: signer.limits() }
    }
}
