//! Settings for one request, one newtype each, read from its [`http::Extensions`].
//!
//! Put them into an `http::Request`'s extensions, or give them to a request of reqwest-middleware by
//! `.with_extension(…)`. An override changes how a request is signed; none allows a further host.
//!
//! ```
//! use sigv4_middleware::overrides::{SigningRegion, SignHeaders};
//!
//! let request = http::Request::get("https://bucket.s3.amazonaws.com/key")
//!     .extension(SigningRegion::new("eu-central-1"))
//!     .extension(SignHeaders::from_iter([http::header::RANGE]))
//!     .body(())?;
//! # Ok::<(), http::Error>(())
//! ```
//!
//! A [`PayloadMode`] and a [`SigningSettings`] are overrides of their own.
//!
//! # Where they are lost
//! - In reqwest-middleware, where a request is taken from its builder by `.build()` or `.build_split()` and sent by the
//!   client's `execute()`, or through the client's tower `Service`: send it by `.send()`, or by
//!   `execute_with_extensions()`.
//! - In a `reqwest::Request`, which has no extensions that others can read, not even those of the `http::Request` that
//!   it was made from: a layer around a `reqwest::Client` sees none.
//! - At a redirect that a follower above the layer follows: each hop is a new request. The redirects that
//!   `SigV4Middleware` follows keep all but the region, see its method `redirects`.
//!
//! No error reports this: a request that has lost [`SkipSigning`] is signed, or refused, like any other.

use std::borrow::Cow;
use std::fmt;

use http::{Extensions, HeaderName};

use crate::signing::payload::PayloadMode;
use crate::signing::signing_settings::SigningSettings;

/// The service's signing name (`execute-api`, `s3`, …) for one request; takes precedence over the signer's and the host's.
///
/// ```
/// use sigv4_middleware::overrides::{SigningName, SigningRegion};
///
/// let request = http::Request::get("https://api.example.com/orders")
///     .extension(SigningName::new("execute-api"))
///     .extension(SigningRegion::new("eu-west-1"))
///     .body(())?;
/// # Ok::<(), http::Error>(())
/// ```
///
/// # Errors
/// The request is an error of kind [`ErrorKind::ScopeInvalid`](crate::ErrorKind::ScopeInvalid) if the name has characters
/// that a credential scope cannot carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningName(Cow<'static, str>);

/// The region (`eu-central-1`, …) for one request; takes precedence over the signer's and the host's.
///
/// # Errors
/// As [`SigningName`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningRegion(Cow<'static, str>);

/// The region set (`us-east-1,eu-*`, `*`) for one request, which is then signed with SigV4a; takes precedence over any
/// region.
///
/// # Errors
/// As [`SigningName`], and without feature `sigv4a`.
///
/// # AWS documentation
/// IAM User Guide: ["Elements of an AWS API request signature"][elements].
///
/// [elements]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningRegionSet(Cow<'static, str>);

macro_rules! text_override {
    ($($name:ident)*) => {$(
        impl $name {
            /// An override with this value, which is checked when the request is signed.
            #[must_use]
            pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
                Self(text.into())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

text_override!(SigningName SigningRegion SigningRegionSet);

/// Headers to sign in one request, besides those that always are and those that
/// [`sign_header`](crate::SignerBuilder::sign_header) names.
///
/// ```
/// use sigv4_middleware::overrides::SignHeaders;
///
/// let headers = SignHeaders::from_iter([http::header::RANGE, http::header::IF_MATCH]);
/// ```
///
/// # Errors
/// The request is an error of kind [`ErrorKind::InvalidHeader`](crate::ErrorKind::InvalidHeader) if a header cannot be
/// signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignHeaders(Vec<HeaderName>);

impl FromIterator<HeaderName> for SignHeaders {
    fn from_iter<I: IntoIterator<Item = HeaderName>>(names: I) -> Self {
        Self(names.into_iter().collect())
    }
}

/// Sends one request unsigned and unchanged: no header is added, changed or checked.
///
/// ```
/// use sigv4_middleware::overrides::SkipSigning;
///
/// let request = http::Request::get("https://www.example.com/").extension(SkipSigning).body(())?;
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SkipSigning;

/// All overrides of one request, borrowed from its extensions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Overrides<'a> {
    pub(crate) service: Option<&'a str>,
    pub(crate) region: Option<&'a str>,
    pub(crate) region_set: Option<&'a str>,
    pub(crate) sign_headers: &'a [HeaderName],
    pub(crate) payload: Option<&'a PayloadMode>,
    pub(crate) profile: Option<SigningSettings>,
    pub(crate) skip: bool,
}

impl<'a> Overrides<'a> {
    pub(crate) fn of(extensions: &'a Extensions) -> Self {
        if extensions.is_empty() {
            return Self::default();
        }
        Self {
            service: extensions.get().map(|SigningName(name)| name.as_ref()),
            region: extensions.get().map(|SigningRegion(name)| name.as_ref()),
            region_set: extensions.get().map(|SigningRegionSet(set)| set.as_ref()),
            sign_headers: extensions.get().map_or(&[], |SignHeaders(names)| names.as_slice()),
            payload: extensions.get(),
            profile: extensions.get().copied(),
            skip: extensions.get::<SkipSigning>().is_some(),
        }
    }
}
