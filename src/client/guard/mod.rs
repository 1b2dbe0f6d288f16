//! [`SigV4Guard`]: checks beneath everything else that what was signed is what is sent.

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

/// Checks just before the transport that a signed request is still the one that was signed, and names the change if not.
///
/// A tower layer and a reqwest middleware, for tests and for the search for who breaks signatures. Put it innermost:
/// what is beneath it is not checked. A request that was changed is not sent; the error is of kind
/// [`ErrorKind::RequestChanged`], and [`Error::request_change`] gives the [`RequestChange`].
///
/// It is made for one signer, which from then on notes with each request what was signed; a signer without a guard
/// notes nothing. Requests that its signer did not sign pass unchecked.
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
/// # What is checked
/// - the method, the host (URI and Host header), the path, byte by byte, and the query; an order of parameters that
///   changed is none, since signatures do not depend on it;
/// - every signed header, as it is signed: white space at its ends, and how long a run of it is, do not matter;
/// - Authorization;
/// - that there is no `x-amz-*` header that is not signed, which AWS refuses;
/// - a body whose SHA-256 was signed. A body in memory is compared before anything is sent. A stream is compared while it is
///   sent, and cut off before its end, with an error of kind [`ErrorKind::BodyMismatch`]: in the reqwest middleware, and
///   in the layer with `map_body`.
///
/// Not checked: an unsigned body; one in signed chunks or messages, each of which the server checks; in the layer
/// without `map_body`, a stream; and headers that the client itself adds beneath.
///
/// # Where the note is kept
/// In the extensions of the request, or those that a reqwest middleware is given. Where something between signer and
/// guard makes a new request without them, an `AWS4-…` Authorization is an error of its own:
/// [`RequestChange::ExtensionsLost`]. `SigV4Layer` around a `reqwest::Client` itself cannot be guarded, since a
/// `reqwest::Request` has no extensions for others; use the middleware.
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
    /// A guard for the requests of this signer and its clones.
    #[must_use]
    pub fn new(signer: &Signer) -> Self {
        signer.guard();
        Self { make_body: GuardSameBody::default(), limits: signer.limits() }
    }
}
