//! [`SigV4Layer`], for tower, hyper, axum, tonic and kube clients.

#[cfg(feature = "reqwest")]
mod reqwest;

use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::uri::Authority;
use http::{Extensions, HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::exchange::{Head, OutgoingRequest, RefusalBody, Transport, exchange};
use crate::body::SignedBody;
use crate::body::Unwrapped;
use crate::error::{BoxError, Error};
use crate::signing::origin::Origin;
use crate::signing::request::RequestView;
use crate::signing::signed_request::SignedRequest;
use crate::signing::signer::{Signer, with_target};

/// A tower layer that signs every request of a client service.
///
/// The client's types do not change: the request body and the response are those of the service beneath. Put the layer
/// next to the client, beneath retries and timeouts, so that each attempt is signed afresh.
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use hyper_util::{client::legacy::{Client, connect::HttpConnector}, rt::TokioExecutor};
/// use sigv4_middleware::{Credentials, SigV4, SigV4Layer, Signer};
/// use tower::ServiceBuilder;
///
/// struct Orders {
///     client: SigV4<Client<HttpConnector, Full<Bytes>>>,
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let signer = Signer::builder()
///     .credentials(Credentials::new("AKIDEXAMPLE", "secret", None, None, "static"))
///     .build()?;
/// let hyper = Client::builder(TokioExecutor::new()).build_http();
/// let client = ServiceBuilder::new().layer(SigV4Layer::new(signer)).service(hyper);
/// let orders = Orders { client };
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`ServiceError`], in which [`Error::find`] finds the crate's own [`Error`]. A request that cannot be signed is not sent.
///
/// # What the service beneath has to be
/// `S: Service<Request<B>, Response = Response<_>> + Clone + Send + 'static` with a `Send` future and an error that
/// becomes a [`BoxError`]. It is `Clone` since a request may be sent a second time; the clone that was polled ready is the
/// one that is called. The request body is `B: Body + From<Bytes> + Send + 'static`, as those of axum, reqwest and kube
/// and `Full<Bytes>` are: a body that was read to be hashed is made again from its bytes. For other bodies, and for
/// payload modes that encode or check a body while it is sent, set a function by [`map_body`](Self::map_body).
///
/// # Responses
/// Responses are returned unchanged, and their bodies are not read. So a request is signed and sent once more only if
/// status and headers show the cause: a refusal whose code is in `x-amzn-errortype`, where API Gateway and most services
/// write it, or a date that is off by more than any service allows. The caller gets a refusal that may mean an expired
/// token but has its code in the body, as S3's does; credentials are then loaded again in the background, at most once a
/// minute. The integrations for reqwest read the body and return it whole.
///
/// # Redirects
/// The layer follows no redirects. A service above it that does, such as tower-http's `FollowRedirect`, makes a new request
/// for each redirect, without the extensions of the first, and the layer cannot distinguish it from a request of the
/// caller. A request to an origin that the signer may not sign for is an error, and nothing is sent there; a request to any
/// other allowed origin is signed. [Overrides](crate::overrides) of the first request, among them
/// [`SkipSigning`](crate::overrides::SkipSigning), do not apply to the next. Follow redirects within one origin only, by
/// tower-http's `policy::SameOrigin`.
///
/// Never follow redirects beneath the layer: the signed request would be sent to any host that a redirect names, and the
/// layer does not see it. If a `reqwest::Client` followed a redirect, that is an error of kind
/// [`ErrorKind::Redirected`](crate::ErrorKind::Redirected).
///
/// # reqwest
/// With feature `reqwest`, the layer also wraps a `reqwest::Client`:
///
/// ```
/// # use sigv4_middleware::{Credentials, SigV4Layer, Signer};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let signer = Signer::builder()
/// #     .credentials(Credentials::new("AKIDEXAMPLE", "secret", None, None, "static"))
/// #     .build()?;
/// let reqwest = sigv4_middleware::reqwest_client().build()?;
/// let client = tower::ServiceBuilder::new().layer(SigV4Layer::new(signer)).service(reqwest);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct SigV4Layer<M = SameBody> {
    signer: Signer,
    make_body: M,
}

impl SigV4Layer {
    /// A layer that signs requests with this signer.
    #[must_use]
    pub fn new(signer: Signer) -> Self {
        Self { signer, make_body: SameBody }
    }
}

impl<M> SigV4Layer<M> {
    /// Sets the function that makes the client's request body, `Fn(SignedBody<B>) -> B2`.
    ///
    /// For bodies that are not `From<Bytes>`, and for the payload modes that encode or check a body while it is sent
    /// ([`AwsChunked`](crate::PayloadMode::AwsChunked), [`Sha256Checked`](crate::PayloadMode::Sha256Checked), event
    /// streams). Use `BoxBody::new`, `tonic::body::Body::new`, `axum::body::Body::new` or the like, or `|body| body` if the
    /// client is built for `SignedBody<B>`.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http_body_util::{BodyExt, Full, combinators::BoxBody};
    /// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
    /// use sigv4_middleware::{BoxError, Credentials, SigV4Layer, SignedBody, Signer};
    /// use tower::ServiceBuilder;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let signer = Signer::builder()
    /// #     .credentials(Credentials::new("AKIDEXAMPLE", "secret", None, None, "static"))
    /// #     .build()?;
    /// let hyper = Client::builder(TokioExecutor::new()).build_http::<BoxBody<Bytes, BoxError>>();
    /// let layer = SigV4Layer::new(signer).map_body(|body: SignedBody<Full<Bytes>>| body.boxed());
    /// let client = ServiceBuilder::new().layer(layer).service(hyper);
    /// let request = http::Request::get("https://example.com/").body(Full::<Bytes>::default())?;
    /// # let _ = tower::ServiceExt::oneshot(client, request);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn map_body<F>(self, make_body: F) -> SigV4Layer<F> {
        SigV4Layer { signer: self.signer, make_body }
    }
}

impl<S, M: Clone> Layer<S> for SigV4Layer<M> {
    type Service = SigV4<S, M>;

    fn layer(&self, service: S) -> SigV4<S, M> {
        SigV4 { service, signer: self.signer.clone(), make_body: self.make_body.clone() }
    }
}

/// Makes the request body that a client takes from the body of a signed request.
///
/// Implemented for [`SameBody`], the default, and for every `Fn(SignedBody<B>) -> B2`; [`SigV4Layer::map_body`] has an
/// example.
#[diagnostic::on_unimplemented(
    message = "the layer cannot make the client's body from `{B}`",
    note = "`{B}` has to be `From<Bytes>`; for any other body give the layer a function, as in \
            `SigV4Layer::new(signer).map_body(BoxBody::new)`"
)]
pub trait MakeBody<B> {
    /// The request body that the client takes.
    type Body;

    /// Whether bodies can be encoded or checked while they are sent.
    #[doc(hidden)]
    const WRAPS: bool;

    /// Makes the client's body from the signed one.
    fn make(&self, body: SignedBody<B>) -> Self::Body;
}

/// The default [`MakeBody`]: the client takes the caller's body type, and a body that was read is made again from its
/// bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct SameBody;

impl<B: From<Bytes>> MakeBody<B> for SameBody {
    type Body = B;

    const WRAPS: bool = false;

    fn make(&self, body: SignedBody<B>) -> B {
        match body.unwrap_body() {
            Some(Unwrapped::Unchanged(body)) => body,
            Some(Unwrapped::Bytes(bytes)) => B::from(bytes),
            // Refused before it comes to this, by `WRAPS`.
            None => B::from(Bytes::new()),
        }
    }
}

impl<B, B2, F: Fn(SignedBody<B>) -> B2> MakeBody<B> for F {
    type Body = B2;

    const WRAPS: bool = true;

    fn make(&self, body: SignedBody<B>) -> B2 {
        self(body)
    }
}

/// A client service whose requests are signed; made by [`SigV4Layer`].
///
/// It takes `http::Request<B>` or `reqwest::Request`, and returns the response of the service beneath.
/// [Overrides](crate::overrides) are read from an `http::Request`'s extensions.
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use sigv4_middleware::{Credentials, SigV4, Signer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "static");
/// let signer = Signer::builder().credentials(credentials).build()?;
/// let hyper = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
/// let client = SigV4::new(hyper, signer);
/// # Ok(()) }
/// ```
///
/// # Errors
/// - [`ServiceError::Signing`]: the request could not be signed. It was not sent, unless [`Error::was_sent`] is true.
/// - [`ServiceError::Client`]: the service beneath failed.
#[derive(Clone, Debug)]
pub struct SigV4<S, M = SameBody> {
    service: S,
    signer: Signer,
    make_body: M,
}

impl<S> SigV4<S> {
    /// Wraps a service, whose requests are then signed with this signer.
    #[must_use]
    pub fn new(service: S, signer: Signer) -> Self {
        Self { service, signer, make_body: SameBody }
    }
}

impl<S, M> SigV4<S, M> {
    /// The service beneath.
    pub fn get_ref(&self) -> &S {
        &self.service
    }

    /// The service beneath, as a mutable reference.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.service
    }

    /// Returns the service beneath.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.service
    }

    /// Takes the service that was polled ready, and leaves a clone that is not.
    fn take_ready(&mut self) -> Ready<S>
    where
        S: Clone,
    {
        let unready = self.service.clone();
        Ready { service: mem::replace(&mut self.service, unready), is_ready: true }
    }
}

/// Error of a [`SigV4`] service: why a request has no response.
///
/// [`Error::find`] finds the crate's own error in it, and in any error that has it as a source.
///
/// ```
/// use sigv4_middleware::{Error, ErrorKind, ServiceError};
///
/// fn may_send_again(error: &ServiceError) -> bool {
///     Error::find(error).is_none_or(|error| !error.was_sent() && error.kind() != ErrorKind::CredentialsInvalid)
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The request could not be signed. It was not sent, unless [`Error::was_sent`] is true.
    #[error("{0}")]
    Signing(#[from] Error),
    /// The error of the client beneath.
    #[error("{0}")]
    Client(#[source] BoxError),
}

/// Response future of [`SigV4`] and [`Guarded`](crate::Guarded).
pub struct ResponseFuture<T> {
    inner: Pin<Box<dyn Future<Output = Result<T, ServiceError>> + Send>>,
}

impl<T> ResponseFuture<T> {
    pub(super) fn new(future: impl Future<Output = Result<T, ServiceError>> + Send + 'static) -> Self {
        Self { inner: Box::pin(future) }
    }
}

impl<T> Future for ResponseFuture<T> {
    type Output = Result<T, ServiceError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.inner.as_mut().poll(cx)
    }
}

impl<T> fmt::Debug for ResponseFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

pub(super) fn client_error(error: impl Into<BoxError>) -> ServiceError {
    ServiceError::Client(error.into())
}

/// A service that is ready for one call, and polled again before any other.
struct Ready<S> {
    service: S,
    is_ready: bool,
}

impl<S> Ready<S> {
    /// Not an `async fn`, whose future would hold the request beside the service's, and that one twice.
    fn call<Q>(&mut self, request: Q) -> impl Future<Output = Result<S::Response, ServiceError>>
    where
        S: Service<Q>,
        S::Error: Into<BoxError>,
    {
        if mem::take(&mut self.is_ready) {
            return Sending::Called { future: self.service.call(request) };
        }
        let future = Box::pin(async move {
            poll_fn(|cx| self.service.poll_ready(cx)).await?;
            self.service.call(request).await
        });
        Sending::Waiting { future }
    }
}

pin_project! {
    /// A call of a service that was ready, or is waited for.
    #[project = SendingProjection]
    enum Sending<F, W> {
        Called { #[pin] future: F },
        Waiting { future: Pin<Box<W>> },
    }
}

impl<F, W, R, E> Future for Sending<F, W>
where
    F: Future<Output = Result<R, E>>,
    W: Future<Output = Result<R, E>>,
    E: Into<BoxError>,
{
    type Output = Result<R, ServiceError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let sent = match self.project() {
            SendingProjection::Called { future } => future.poll(cx),
            SendingProjection::Waiting { future } => future.as_mut().poll(cx),
        };
        sent.map_err(client_error)
    }
}

impl<S, B, M, R> Service<Request<B>> for SigV4<S, M>
where
    S: Service<Request<M::Body>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    M: MakeBody<B> + Clone + Send + 'static,
    M::Body: Send,
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
    R: Send + 'static,
{
    type Response = S::Response;
    type Error = ServiceError;
    type Future = ResponseFuture<S::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ServiceError>> {
        self.service.poll_ready(cx).map_err(client_error)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut client =
            HttpClient { service: self.take_ready(), make_body: self.make_body.clone(), body: PhantomData };
        let signer = self.signer.clone();
        let (mut head, body) = request.into_parts();
        head.extensions.remove::<SignedRequest>();
        if signer.passes_through(Some(&head.extensions), || RequestView::of(&head)) {
            return ResponseFuture::new(async move {
                let body = client.make_body.make(SignedBody::unchanged(body));
                let mut response = client.service.call(Request::from_parts(head, body)).await?;
                signer.record_unsigned(response.extensions_mut());
                Ok(response)
            });
        }
        // Made here, so that the future has room for it once.
        let mut request = OutgoingRequest::new(head, body);
        ResponseFuture::new(async move { exchange(&signer, &mut client, &mut request).await })
    }
}

/// A service that takes `http::Request`.
struct HttpClient<S, M, B> {
    service: Ready<S>,
    make_body: M,
    body: PhantomData<fn(B)>,
}

impl<S, B, M, R> Transport for HttpClient<S, M, B>
where
    S: Service<Request<M::Body>, Response = Response<R>> + Send,
    S::Error: Into<BoxError>,
    S::Future: Send,
    M: MakeBody<B> + Send,
    M::Body: Send,
    B: Body + Send,
    B::Error: Into<BoxError>,
    R: Send,
{
    type Head = Parts;
    type Body = B;
    type Response = Response<R>;
    type Error = ServiceError;

    const WRAPS: bool = M::WRAPS;

    fn note(&mut self, head: &mut Parts, signed: SignedRequest) {
        head.extensions.insert(signed);
    }

    fn send<'t>(
        &'t mut self,
        head: &mut Parts,
        body: Option<SignedBody<B>>,
    ) -> Result<impl Future<Output = Result<Response<R>, ServiceError>> + use<'t, S, B, M, R>, Error> {
        let mut request = Request::new(self.make_body.make(body.unwrap_or_else(SignedBody::empty)));
        request.method_mut().clone_from(&head.method);
        request.uri_mut().clone_from(&head.uri);
        *request.version_mut() = head.version;
        *request.headers_mut() = mem::take(&mut head.headers);
        request.extensions_mut().clone_from(&head.extensions);
        Ok(self.service.call(request))
    }

    fn head_of(response: &Response<R>) -> (StatusCode, &HeaderMap) {
        (response.status(), response.headers())
    }

    fn extensions_of(response: &mut Response<R>) -> &mut Extensions {
        response.extensions_mut()
    }

    async fn read_refusal(response: Response<R>) -> (Response<R>, RefusalBody) {
        (response, RefusalBody::Unread)
    }
}

impl Head for Parts {
    fn view<'a>(&'a self, _: Option<&'a Extensions>) -> RequestView<'a> {
        RequestView::of(self)
    }

    fn extensions(&self) -> Option<&Extensions> {
        Some(&self.extensions)
    }

    fn authority(&self) -> &str {
        Origin::authority_of(self.uri.scheme_str(), self.uri.authority().map(Authority::as_str))
    }

    fn method(&self) -> &Method {
        &self.method
    }

    fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    fn set_target(&mut self, target: String) -> Result<(), Error> {
        self.uri = with_target(&self.uri, target)?;
        Ok(())
    }
}
