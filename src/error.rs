//! [`Error`] and its [`ErrorKind`]: why a request was not signed, or not sent.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// A boxed error, as tower services return it.
pub type BoxError = Box<dyn StdError + Send + Sync + 'static>;

/// Why a request could not be signed or sent.
///
/// Display says what is wrong and what to do next. [`kind`](Self::kind) is the kind of failure,
/// [`source`](StdError::source) its cause, and [`was_sent`](Self::was_sent) whether anything may have reached a server. In a
/// client's own error, [`find`](Self::find) finds it. Clones share one cause, so that many waiting callers can get the same
/// failure.
///
/// Neither Display nor Debug ever contains a secret access key, a session token, a signature, or the value of a header
/// other than Host. If the URI has to be sent in another form, Display shows that form.
///
/// ```
/// use sigv4_middleware::{Error, ErrorKind};
///
/// fn advice(error: &Error) -> &'static str {
///     match error.kind() {
///         ErrorKind::CredentialsUnavailable | ErrorKind::CredentialsExpired => "log in again",
///         ErrorKind::OriginNotAllowed => "add the line that the message names",
///         _ => "see the message",
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Error {
    inner: Arc<Inner>,
}

struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    source: Option<BoxError>,
    /// Whether an earlier request of the same call was sent.
    was_sent: bool,
}

/// The kind of failure of an [`Error`], returned by [`Error::kind`]. Each message says what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No credentials were found, or the provider failed. The error's source is the provider's error.
    CredentialsUnavailable,
    /// The cached credentials expired and could not be refreshed.
    CredentialsExpired,
    /// An access key id, secret or session token has characters that cannot be used, such as a newline.
    CredentialsInvalid,
    /// The clock is before 1970 or after 9999, which SigV4 cannot express.
    ClockOutOfRange,
    /// Service or region is not configured and cannot be inferred from the host.
    ScopeUnknown,
    /// A service, region or region set has characters that a credential scope cannot carry, or the host belongs to
    /// another service or region. Also a region set without feature `sigv4a`.
    ScopeInvalid,
    /// The request's URI cannot be signed: relative, with userinfo, with a broken escape, or too long.
    InvalidUri,
    /// There is more than one Host header, or it differs from the URI's host.
    HostMismatch,
    /// A header that has to be signed cannot be signed: its value is not UTF-8, there are too many headers, or it
    /// contradicts the payload.
    InvalidHeader,
    /// The request has an Authorization header of another scheme than SigV4.
    ForeignAuthorization,
    /// Requests to this origin may not be signed. The message names the line that allows it.
    OriginNotAllowed,
    /// Requests to this host may be signed over https only.
    InsecureOrigin,
    /// The body is larger than [`body_limit`](crate::SignerBuilder::body_limit), in bytes.
    BodyTooLarge,
    /// The body's stream failed before its end.
    BodyFailed,
    /// The body's stream did not end within [`body_timeout`](crate::SignerBuilder::body_timeout).
    BodyTimeout,
    /// The body ends with trailers, which a signed payload cannot carry.
    BodyTrailers,
    /// The body is not the one that was declared: it has another length or hash, or is not an event stream of whole
    /// messages. A body that was being sent was cut off before its end.
    BodyMismatch,
    /// The payload mode does not fit the request: an unsigned payload over plain http, a body whose length is not known, or
    /// a body that the client cannot send.
    UnsupportedPayload,
    /// The lifetime of a presigned URL or form is out of range (1 second to 7 days), or longer than that of the credentials.
    InvalidExpiry,
    /// A [`PostPolicy`](crate::PostPolicy) is one that S3 would refuse.
    InvalidPostPolicy,
    /// The server refused the request; an error only if `SigV4Middleware::refusals_as_errors` is set. The request was sent.
    Refused,
    /// The request was changed after it was signed. A `SigV4Guard` found the change; the request was not sent.
    RequestChanged,
    /// The client beneath followed a redirect, so that the response came from another URL; or a redirect has no valid
    /// Location; or there were too many redirects. The request was sent.
    Redirected,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self::from_parts(kind, message.into(), None, false)
    }

    pub(crate) fn with_source(
        kind: ErrorKind,
        message: impl Into<Cow<'static, str>>,
        source: impl Into<BoxError>,
    ) -> Self {
        Self::from_parts(kind, message.into(), Some(source.into()), false)
    }

    /// Apart from the code that finds the error, which is run for every request.
    #[cold]
    #[inline(never)]
    fn from_parts(
        kind: ErrorKind,
        message: Cow<'static, str>,
        source: Option<BoxError>,
        was_sent: bool,
    ) -> Self {
        Self { inner: Arc::new(Inner { kind, message, source, was_sent }) }
    }

    /// The same failure, of a request that was being sent.
    pub(crate) fn while_sending(&self) -> Self {
        let source = self.source().is_some().then(|| self.clone().into());
        let (kind, message) = (self.kind(), self.inner.message.clone());
        Self::from_parts(kind, message, source, true)
    }

    /// The same failure, of a request that follows a redirect.
    #[cfg(any(feature = "tower", feature = "reqwest"))]
    pub(crate) fn of_redirect(self) -> Self {
        let message = format!("a redirect was not followed: {self}").into();
        let source = self.source().is_some().then(|| self.clone().into());
        Self { inner: Arc::new(Inner { kind: self.kind(), message, source, was_sent: true }) }
    }

    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Whether credentials are missing, expired or cannot be used.
    #[must_use]
    pub fn is_credentials(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::CredentialsUnavailable | ErrorKind::CredentialsExpired | ErrorKind::CredentialsInvalid
        )
    }

    /// Whether the request, or the beginning of it, may have reached a server.
    ///
    /// If `false`, nothing was sent, and it is safe to correct the cause and send the request.
    #[must_use]
    pub fn was_sent(&self) -> bool {
        let of_its_kind = [ErrorKind::BodyMismatch, ErrorKind::Redirected, ErrorKind::Refused];
        of_its_kind.contains(&self.kind()) || self.inner.was_sent
    }

    /// Finds the crate's error in another error: in the error itself, or anywhere in its chain of sources.
    ///
    /// Works on a `reqwest_middleware::Error`, on the `ServiceError` of a tower service, and on any error that has one of
    /// them as a source.
    ///
    /// ```
    /// # use sigv4_middleware::{BoxError, Error};
    /// fn kind_of(error: &BoxError) -> Option<sigv4_middleware::ErrorKind> {
    ///     Error::find(error.as_ref()).map(Error::kind)
    /// }
    /// ```
    #[must_use]
    pub fn find<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        std::iter::successors(Some(error), |&error| beneath(error)).find_map(|error| error.downcast_ref())
    }

    /// The error as a reqwest client returns it.
    #[cfg(feature = "reqwest")]
    pub(crate) fn into_middleware(self) -> reqwest_middleware::Error {
        reqwest_middleware::Error::middleware(Wrapped(self))
    }
}

/// An [`Error`] as the source of another error.
///
/// An error that wraps a `reqwest_middleware::Error` transparently, as reqwest-retry's `RetryError` does, has the inner
/// error's source as its own, so that the inner error itself cannot be found.
#[cfg(feature = "reqwest")]
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Wrapped(#[source] Error);

/// An error's cause. For an `io::Error` and a `reqwest_middleware::Error`, whose own `source` skips the error that they
/// contain, it is that error.
fn beneath<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    if let Some(within) = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        return Some(within);
    }
    #[cfg(feature = "reqwest")]
    if let Some(reqwest_middleware::Error::Middleware(within)) = error.downcast_ref() {
        return within.chain().next();
    }
    error.source()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.inner.kind)
            .field("message", &self.inner.message)
            .field("source", &self.inner.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source.as_deref().map(|e| e as _)
    }
}

/// Why [`SignerBuilder::build`](crate::SignerBuilder::build) or [`Signer::from_env`](crate::Signer::from_env) failed.
///
/// Display says which setting to change; [`source`](StdError::source) is the cause, if another error is the cause.
///
/// ```
/// use sigv4_middleware::{BuildErrorKind, Signer};
///
/// let error = Signer::builder().build().unwrap_err();
/// assert_eq!(error.kind(), BuildErrorKind::MissingCredentials);
/// ```
#[derive(Clone, Debug)]
pub struct BuildError {
    kind: BuildErrorKind,
    message: Cow<'static, str>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// The kind of failure of a [`BuildError`], returned by [`BuildError::kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BuildErrorKind {
    /// No credentials are configured, or the environment has none.
    MissingCredentials,
    /// A service, region or region set has characters that a credential scope cannot carry, a header cannot be signed, or
    /// chunks are smaller than 8 KiB. Credentials are checked when a request is signed:
    /// [`ErrorKind::CredentialsInvalid`].
    InvalidValue,
    /// The text for a host or origin to be allowed is not a valid host or origin.
    InvalidOrigin,
}

impl BuildError {
    pub(crate) fn new(kind: BuildErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    pub(crate) fn with_source(
        kind: BuildErrorKind,
        message: impl Into<Cow<'static, str>>,
        source: impl Into<BoxError>,
    ) -> Self {
        Self { source: Some(Arc::from(source.into())), ..Self::new(kind, message) }
    }

    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> BuildErrorKind {
        self.kind
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for BuildError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
