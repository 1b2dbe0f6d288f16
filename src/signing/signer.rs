//! [`Signer`]: the order of the signing steps.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, Method, Uri, request::Parts};

use super::details::SigningDetails;
use super::headers::signature_headers;
use super::known_host::KnownHost;
use super::origin::Origin;
use super::payload::Payload;
use super::request::RequestView;
use super::settings::{BufferLimits, Settings};
#[cfg(any(feature = "tower", feature = "reqwest"))]
use super::signed_request::SignedRequest;
use super::target;
use crate::cache::{Found, SmallCache};
use crate::clock::Clock;
use crate::credentials::CredentialsSource;
use crate::endpoint::AllowedOrigins;
use crate::error::{Error, ErrorKind};
use crate::metrics;
#[cfg(feature = "blocking")]
use crate::runtime::LazyRuntime;
use crate::signing::keys::CurrentKeys;
use crate::signing::signature::Signature;

/// Signs HTTP requests with AWS Signature Version 4.
///
/// One signer serves a whole program: clones are cheap and share credentials, signing keys and clock. Give it to a
/// `SigV4Layer` or a `SigV4Middleware`, or call [`sign`](Self::sign) for any other client. It signs requests to AWS's
/// services and to loopback; other hosts have to be [allowed](crate::SignerBuilder::allow_host).
///
/// ```
/// use sigv4_middleware::{Credentials, Signer};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let signer = Signer::builder()
///     .credentials(Credentials::new("AKIDEXAMPLE", "secret", None, None, "static"))
///     .build()?;
///
/// let request = http::Request::get("https://abc123.execute-api.eu-west-1.amazonaws.com/prod/orders").body(())?;
/// let (mut parts, ()) = request.into_parts();
/// signer.sign(&mut parts, "").await?;
///
/// let authorization = parts.headers["authorization"].to_str()?;
/// assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"));
/// assert!(authorization.contains("/eu-west-1/execute-api/aws4_request"));
/// # Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
/// ```
///
/// # AWS documentation
/// IAM User Guide: ["Create a signed AWS API request"][create]. For S3, Amazon S3 API Reference: ["Authenticating Requests:
/// Using the Authorization Header (AWS Signature Version 4)"][s3].
///
/// [create]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
/// [s3]: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html
#[derive(Clone)]
pub struct Signer {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) credentials: CredentialsSource,
    /// One entry at most.
    pub(super) keys: SmallCache<CurrentKeys>,
    /// Shared with the bodies of event streams, each of whose messages has a date of its own.
    pub(super) clock: Arc<Clock>,
    pub(super) hosts: SmallCache<KnownHost>,
    pub(super) origins: AllowedOrigins,
    pub(super) settings: Settings,
    /// Whether a guard checks requests, so that what is signed is noted in their extensions.
    pub(super) guarded: AtomicBool,
    /// Whether it was logged that this signer is disabled.
    pub(super) logged_disabled: AtomicBool,
    #[cfg(feature = "blocking")]
    pub(super) runtime: LazyRuntime,
}

impl Signer {
    /// Whether this signer signs nothing, see [`disabled`](Self::disabled).
    #[must_use]
    pub fn is_disabled(&self) -> bool {
        self.inner.settings.disabled
    }

    /// Whether this signer is disabled; logs it the first time.
    pub(super) fn skips_all(&self) -> bool {
        let disabled = self.is_disabled();
        if disabled && !self.inner.logged_disabled.swap(true, Ordering::Relaxed) {
            tracing::warn!("the signer is disabled (Signer::disabled()): requests are sent unsigned");
        }
        disabled
    }

    /// Signs a request in place, to be sent by any HTTP client.
    ///
    /// `payload` is the body that will be sent: anything that holds bytes, [`Payload::empty`], a known SHA-256, or
    /// unsigned. Bytes are left unsigned for services that take no signed payload, see
    /// [`unsigned_payload`](crate::SigningSettings::unsigned_payload).
    ///
    /// Headers of an earlier signature are replaced. The URI is rewritten to the strict form that is signed, see
    /// [`PlusInQuery`](crate::PlusInQuery). The client must then send the URI and the signed headers unchanged, and the
    /// URI's host as Host. [Overrides](crate::overrides) are read from the request's extensions;
    /// [`SkipSigning`](crate::overrides::SkipSigning) leaves the request unchanged.
    ///
    /// Works on any executor, or none, if the provider has its credentials ready, as static credentials and the
    /// environment have. A provider that has to wait is driven by a tokio runtime: call this on one, or set
    /// [`cache_credentials(false)`](crate::SignerBuilder::cache_credentials).
    ///
    /// ```
    /// use sigv4_middleware::{Credentials, ErrorKind, Payload, Signer};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// # let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "static");
    /// let signer = Signer::builder().credentials(credentials).build()?;
    ///
    /// let request = http::Request::put("https://bucket.s3.eu-central-1.amazonaws.com/report.pdf").body(())?;
    /// let (mut parts, ()) = request.into_parts();
    /// signer.sign(&mut parts, Payload::unsigned()).await?;
    /// assert_eq!(parts.headers["x-amz-content-sha256"], "UNSIGNED-PAYLOAD");
    ///
    /// let (mut parts, ()) = http::Request::get("https://api.example.com/orders").body(())?.into_parts();
    /// let error = signer.sign(&mut parts, Payload::empty()).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::OriginNotAllowed);
    /// # Ok(()) }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
    /// ```
    ///
    /// # Errors
    /// The request is then unchanged.
    /// - [`ErrorKind::CredentialsUnavailable`], [`ErrorKind::CredentialsExpired`]: no valid credentials could be loaded.
    /// - [`ErrorKind::CredentialsInvalid`]: the credentials have characters that cannot be used.
    /// - [`ErrorKind::ClockOutOfRange`]: the clock is before 1970 or after 9999.
    /// - [`ErrorKind::ScopeUnknown`]: service or region is not configured and cannot be inferred from the host.
    /// - [`ErrorKind::ScopeInvalid`]: service or region is invalid, or the host belongs to another one.
    /// - [`ErrorKind::OriginNotAllowed`], [`ErrorKind::InsecureOrigin`]: requests to this origin may not be signed.
    /// - [`ErrorKind::InvalidUri`]: the URI cannot be signed.
    /// - [`ErrorKind::HostMismatch`]: the Host header differs from the URI's host.
    /// - [`ErrorKind::InvalidHeader`]: a header that has to be signed cannot be.
    /// - [`ErrorKind::ForeignAuthorization`]: the request has an Authorization header of another scheme.
    /// - [`ErrorKind::UnsupportedPayload`]: the payload is unsigned over plain http, or contradicts the request's
    ///   `x-amz-content-sha256`.
    /// - [`ErrorKind::BodyMismatch`]: the payload's SHA-256 is not the one that `x-amz-content-sha256` declares.
    ///
    /// # AWS documentation
    /// IAM User Guide: ["Create a signed AWS API request"][create].
    ///
    /// [create]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    pub async fn sign<'p>(&self, parts: &mut Parts, payload: impl Into<Payload<'p>>) -> Result<(), Error> {
        if self.passes_through(Some(&parts.extensions), || RequestView::of(parts)) {
            return Ok(());
        }
        let keys = match self.cached_keys() {
            Some(keys) => Ok(keys),
            // Boxed to keep the future of the usual case small.
            None => Box::pin(async { self.keys_for(&RequestView::of(parts)).await }).await,
        };
        let signed = keys.and_then(|keys| self.sign_parts(parts, payload.into(), keys));
        signed.inspect_err(metrics::sign_error)
    }

    /// Not async: a future would hold what it gives, which is large, and move it once more.
    fn sign_parts(
        &self,
        parts: &mut Parts,
        payload: Payload<'_>,
        keys: Found<CurrentKeys>,
    ) -> Result<(), Error> {
        commit(self.signature(keys, &RequestView::of(parts), payload, |_| ())?, parts)?;
        #[cfg(any(feature = "tower", feature = "reqwest"))]
        if self.is_guarded() {
            let signed = SignedRequest::of(&RequestView::of(parts), payload);
            parts.extensions.insert(signed);
        }
        Ok(())
    }

    /// Signs a request as [`sign`](Self::sign) does, and returns what was signed: canonical request, string to sign and
    /// the rule by which the scope was inferred.
    ///
    /// The details of a signer that is [disabled](Self::disabled) are empty.
    ///
    /// ```
    /// use sigv4_middleware::{Credentials, Signer};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// # let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "static");
    /// let signer = Signer::builder().credentials(credentials).build()?;
    /// let uri = "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15";
    /// let (mut parts, ()) = http::Request::get(uri).body(())?.into_parts();
    /// let details = signer.sign_with_details(&mut parts, "").await?;
    /// assert_eq!((details.service(), details.region()), (Some("sts"), Some("eu-west-1")));
    /// assert_eq!(details.signed_headers(), Some("host;x-amz-date"));
    /// # Ok(()) }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`sign`](Self::sign), and [`ErrorKind::UnsupportedPayload`] for a request that is to be sent unsigned.
    pub async fn sign_with_details<'p>(
        &self,
        parts: &mut Parts,
        payload: impl Into<Payload<'p>>,
    ) -> Result<SigningDetails, Error> {
        if self.is_disabled() {
            return Ok(SigningDetails::default());
        }
        if self.passes_through(Some(&parts.extensions), || RequestView::of(parts)) {
            return Err(Error::new(
                ErrorKind::UnsupportedPayload,
                "the request is to be sent unsigned, by SkipSigning in its extensions or since its origin is disallowed \
                 and the signer lets such requests pass; call sign() instead",
            ));
        }
        let payload = payload.into();
        let signed = self.signature_with_details(&RequestView::of(parts), payload).await;
        let committed = signed.and_then(|(signature, details)| commit(signature, parts).map(|_| details));
        committed.inspect_err(metrics::sign_error)
    }

    /// Signs a request and returns the headers to send with it; the request itself is not changed.
    ///
    /// For clients that take extra headers, such as another major version of reqwest. Set them in place of headers of the
    /// same name.
    /// `payload` is as in [`sign`](Self::sign). The client must send the URI and the signed headers unchanged. For a
    /// request that is not to be signed, since the signer is [disabled](Self::disabled) or
    /// [lets it pass](crate::SignerBuilder::pass_through_disallowed_origins), the map is empty.
    ///
    /// ```
    /// use http::{HeaderMap, Method, Uri};
    /// use sigv4_middleware::{Credentials, Signer};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// # let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "static");
    /// let signer = Signer::builder().credentials(credentials).build()?;
    /// let uri = Uri::from_static("https://abc123.execute-api.eu-west-1.amazonaws.com/prod/orders");
    /// let headers = signer.signed_headers(&Method::GET, &uri, &HeaderMap::new(), "").await?;
    /// assert!(headers.contains_key("authorization") && headers.contains_key("x-amz-date"));
    /// # Ok(()) }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
    /// ```
    ///
    /// For reqwest 0.12, which depends on the same `http` crate (`reqwest_012 = { package = "reqwest", version = "0.12" }`):
    ///
    #[doc = concat!("```rust,ignore\nuse sigv4_middleware::{BoxError, Payload, Signer};\n\n", include_str!("../../docs/recipes/reqwest_0_12.rs"), "```")]
    ///
    /// # Errors
    /// As [`sign`](Self::sign), and:
    /// - [`ErrorKind::InvalidUri`]: the URI is not in the strict form that is signed, which the message shows.
    /// - [`ErrorKind::HostMismatch`], [`ErrorKind::InvalidHeader`]: the request has a header that has to be removed.
    pub async fn signed_headers<'p>(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        payload: impl Into<Payload<'p>>,
    ) -> Result<HeaderMap, Error> {
        let request = RequestView::new(method, uri, headers);
        if self.passes_through(None, || request) {
            return Ok(HeaderMap::new());
        }
        let headers = self.headers_of(uri, request, payload.into()).await;
        headers.inspect_err(metrics::sign_error)
    }

    async fn headers_of(
        &self,
        uri: &Uri,
        request: RequestView<'_>,
        payload: Payload<'_>,
    ) -> Result<HeaderMap, Error> {
        let keys = self.keys_for(&request).await?;
        let mut signature = self.signature(keys, &request, payload, |_| ())?;
        if let Some(target) = signature.rewritten.take() {
            let strict = with_target(uri, target)?;
            return Err(Error::new(
                ErrorKind::InvalidUri,
                format!("the request's URI is not in the form that is signed; send {strict} and sign that"),
            ));
        }
        if signature.drop_host {
            return Err(Error::new(
                ErrorKind::HostMismatch,
                "the Host header spells the URI's host in another way than it is signed; remove it, the client sends the \
                 URI's host",
            ));
        }
        let mut out = HeaderMap::new();
        signature.apply(&mut out);
        let mut own = signature_headers::ALL.into_iter();
        let stale = own.find(|name| request.headers.contains_key(name) && !out.contains_key(name));
        if let Some(name) = stale {
            return Err(Error::new(
                ErrorKind::InvalidHeader,
                format!(
                    "the request has the header {name} of an earlier signature, and this one has none; remove it"
                ),
            ));
        }
        Ok(out)
    }

    /// Records what is signed with each request from now on, for a guard.
    #[cfg(any(feature = "tower", feature = "reqwest"))]
    pub(crate) fn guard(&self) {
        self.inner.guarded.store(true, Ordering::Relaxed);
    }

    #[cfg(any(feature = "tower", feature = "reqwest"))]
    pub(crate) fn is_guarded(&self) -> bool {
        self.inner.guarded.load(Ordering::Relaxed)
    }

    pub(crate) fn limits(&self) -> BufferLimits {
        self.inner.settings.limits
    }

    pub(crate) fn retries_on_auth_error(&self) -> bool {
        self.inner.settings.retry_on_auth_error
    }

    /// Records that a request was sent unsigned, where what was signed is recorded.
    #[cfg(any(feature = "tower", feature = "reqwest"))]
    pub(crate) fn record_unsigned(&self, response: &mut http::Extensions) {
        if self.records_details() {
            response.insert(SigningDetails::default());
        }
    }

    pub(crate) fn records_details(&self) -> bool {
        self.inner.settings.record_details
    }

    #[cfg(feature = "reqwest")]
    pub(crate) fn region_of_host(&self, host: &str) -> Option<String> {
        self.inner.region_of_host(host)
    }

    #[cfg(feature = "blocking")]
    pub(crate) fn runtime(&self) -> &LazyRuntime {
        &self.inner.runtime
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    pub(crate) fn credentials(&self) -> &CredentialsSource {
        &self.inner.credentials
    }
}

/// Writes a signature on `http` parts; nothing is changed if the rewritten URI is invalid.
#[inline]
fn commit<A>(mut signature: Signature<A>, parts: &mut Parts) -> Result<A, Error> {
    if let Some(target) = signature.rewritten.take() {
        parts.uri = with_target(&parts.uri, target)?;
    }
    Ok(signature.apply(&mut parts.headers))
}

pub(crate) fn with_target(uri: &Uri, target: String) -> Result<Uri, Error> {
    let broken = |error: http::Error| {
        Error::with_source(
            ErrorKind::InvalidUri,
            "the request's URI cannot be written in the form to be signed",
            error,
        )
    };
    let view = uri.authority().map(http::uri::Authority::as_str);
    let origin = Origin::new(uri.scheme_str(), view)?;
    // `http::Uri` holds a longer one made of parts, which nobody can read again.
    if origin.scheme.len() + "://".len() + origin.authority.len() + target.len() > target::MAX_TARGET {
        return Err(Error::new(
            ErrorKind::InvalidUri,
            format!(
                "the request's URI is longer than {} bytes in the form to be sent; send what is long in the body \
                 instead",
                target::MAX_TARGET
            ),
        ));
    }
    Uri::builder()
        .scheme(origin.scheme)
        .authority(origin.authority)
        .path_and_query(target)
        .build()
        .map_err(broken)
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("origins", &self.inner.origins)
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}
