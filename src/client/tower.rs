//! [`SigV4Layer`]: the edge towards tower, hyper and axum clients.

use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response, request::Parts};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use crate::body::{BodyFailure, OutgoingBody, SignedBody};
use crate::client::classify::{Answer, assess};
use crate::client::response_body::ResponseBody;
use crate::error::{BoxError, Error};
use crate::signing::request::RequestView;
use crate::signing::signature::SignedWith;
use crate::signing::signer::Signer;

/// Signs every request that goes through a client service.
///
/// Put it next to the client, beneath retries and timeouts, so that each try is signed afresh.
///
/// # Redirects
/// It follows none. To a follower above it, such as tower-http's `FollowRedirect`, each hop is a new request without
/// the extensions of the first, and so it is to the layer: it cannot tell a hop from a request that was meant. A hop
/// to an origin that the signer may not sign for is refused as any request to it is, and nothing is sent there; a
/// hop to any other allowed origin is signed. [Overrides](crate::overrides) do not reach a hop:
/// [`SkipSigning`](crate::overrides::SkipSigning) of the first request, too, is forgotten. Let a follower
/// stop where the origin changes, by tower-http's `policy::SameOrigin`.
///
/// Never put a follower beneath it: that carries the session token to wherever it is led, and the layer does not see
/// it. tower-http's cannot be put there directly, as [`SignedBody`] has no default. A `reqwest::Client` that followed
/// a redirect is noticed, see [`ErrorKind::Redirected`](crate::ErrorKind::Redirected).
///
/// ```
/// use http_body_util::Full;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use sigv4_middleware::{Credentials, SigV4Layer, SignedBody, Signer};
/// use tower::ServiceBuilder;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let signer = Signer::builder()
///     .credentials(Credentials::new("AKIDEXAMPLE", "secret", None, None, "static"))
///     .build()?;
/// let hyper = Client::builder(TokioExecutor::new()).build_http::<SignedBody<Full<bytes::Bytes>>>();
/// let client = ServiceBuilder::new().layer(SigV4Layer::new(signer)).service(hyper);
/// # Ok(()) }
/// ```
///
/// It also goes around a `reqwest::Client`, with feature `reqwest`:
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
pub struct SigV4Layer {
    signer: Signer,
}

impl SigV4Layer {
    /// A layer that signs with this signer.
    #[must_use]
    pub fn new(signer: Signer) -> Self {
        Self { signer }
    }
}

impl<S> Layer<S> for SigV4Layer {
    type Service = SigV4<S>;

    fn layer(&self, service: S) -> SigV4<S> {
        SigV4::new(service, self.signer.clone())
    }
}

/// A client service whose requests are signed; made by [`SigV4Layer`].
///
/// Takes `http::Request<B>` with any body and hands on `http::Request<SignedBody<B>>`, or takes and hands on
/// `reqwest::Request`. [Overrides](crate::overrides) are read from an `http::Request`'s extensions.
///
/// # Errors
/// Its error is a boxed one: an [`Error`](crate::Error) where nothing was sent, which [`Error::find`] gets out, else the inner
/// service's.
#[derive(Clone, Debug)]
pub struct SigV4<S> {
    service: S,
    signer: Signer,
}

impl<S> SigV4<S> {
    /// Wraps a service.
    #[must_use]
    pub fn new(service: S, signer: Signer) -> Self {
        Self { service, signer }
    }

    /// The service within.
    pub fn get_ref(&self) -> &S {
        &self.service
    }

    /// The service within, mutably.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.service
    }

    /// The service within, by itself.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.service
    }

    /// Takes the service that was polled ready, and leaves a clone that is not.
    fn take_ready(&mut self) -> S
    where
        S: Clone,
    {
        let unready = self.service.clone();
        mem::replace(&mut self.service, unready)
    }
}

/// The answer to come of a [`SigV4`] service.
pub struct ResponseFuture<T> {
    inner: Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>,
}

impl<T> ResponseFuture<T> {
    fn new(future: impl Future<Output = Result<T, BoxError>> + Send + 'static) -> Self {
        Self { inner: Box::pin(future) }
    }
}

impl<T> Future for ResponseFuture<T> {
    type Output = Result<T, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.inner.as_mut().poll(cx)
    }
}

impl<T> fmt::Debug for ResponseFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for SigV4<S>
where
    S: Service<Request<SignedBody<B>>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
    R: Body + Send + 'static,
    R::Data: Send,
    R::Error: Send,
{
    type Response = Response<ResponseBody<R>>;
    type Error = BoxError;
    type Future = ResponseFuture<Self::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.service.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut service = self.take_ready();
        let signer = self.signer.clone();
        ResponseFuture::new(async move {
            let (parts, body) = request.into_parts();
            if signer.passes_through(&RequestView::of(&parts)) {
                let request = Request::from_parts(parts, SignedBody::as_is(body));
                let response = service.call(request).await.map_err(Into::into)?;
                return Ok(response.map(ResponseBody::untouched));
            }
            let mut outgoing = Outgoing::new(&signer, parts, body).await?;
            let (request, attempt) = outgoing.attempt(&signer).await?;
            let response = send(&mut service, request).await?;
            let answer = outgoing.read(&signer, &attempt, &response);
            let (response, try_again) = assess(&signer, &attempt, answer, response).await;
            if !try_again {
                return Ok(response);
            }
            let Ok((request, attempt)) = outgoing.attempt(&signer).await else { return Ok(response) };
            poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into)?;
            let response = send(&mut service, request).await?;
            outgoing.read(&signer, &attempt, &response);
            Ok(response.map(ResponseBody::untouched))
        })
    }
}

/// Sends a request. Where that fails because its body does, gives the body's error, which HTTP/2 clients do not.
async fn send<S, B>(service: &mut S, request: Request<SignedBody<B>>) -> Result<S::Response, BoxError>
where
    S: Service<Request<SignedBody<B>>>,
    S::Error: Into<BoxError>,
{
    let failure = request.body().failure();
    service.call(request).await.map_err(|error| {
        let error = error.into();
        BodyFailure::cause(failure.as_ref(), error.as_ref()).map_or(error, Into::into)
    })
}

/// An `http` request on its way: its head as the caller made it, and its body ready to be signed and sent.
struct Outgoing<B> {
    head: Parts,
    body: OutgoingBody<B>,
}

impl<B> Outgoing<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    /// Checks all that can be checked before the body is read, then reads it.
    async fn new(signer: &Signer, mut head: Parts, body: B) -> Result<Self, Error> {
        let mode = signer.preview(RequestView::of(&head))?;
        let body = OutgoingBody::new(body, &mode, signer.limits(), &head.headers).await?;
        body.declare(&head.method, &mut head.headers);
        Ok(Self { head, body })
    }

    /// The request, signed with the credentials and the clock of this moment.
    async fn attempt(&mut self, signer: &Signer) -> Result<(Request<SignedBody<B>>, SignedWith), Error> {
        let mut head = self.head.clone();
        let mut attempt = signer.sign_attempt(&mut head, self.body.payload()).await?;
        let body = self.body.take(&mut attempt).unwrap_or_else(SignedBody::empty);
        Ok((Request::from_parts(head, body), attempt))
    }

    /// What the answer to an attempt tells; final where the body cannot be sent again.
    fn read<R>(&self, signer: &Signer, attempt: &SignedWith, response: &Response<R>) -> Answer {
        let host = self.head.uri.host().unwrap_or_default();
        let answer =
            signer.read_answer(attempt, &self.head.method, host, response.status(), response.headers());
        if self.body.is_replayable() { answer } else { Answer::Final }
    }
}

#[cfg(feature = "reqwest")]
impl<S> Service<reqwest::Request> for SigV4<S>
where
    S: Service<reqwest::Request, Response = reqwest::Response> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    type Response = reqwest::Response;
    type Error = BoxError;
    type Future = ResponseFuture<reqwest::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.service.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: reqwest::Request) -> Self::Future {
        use crate::client::reqwest::{Outgoing, view};
        use crate::overrides::Overrides;

        let mut service = self.take_ready();
        let signer = self.signer.clone();
        ResponseFuture::new(async move {
            if signer.passes_through(&view(&request, Overrides::default())) {
                return service.call(request).await.map_err(Into::into);
            }
            let mut outgoing = Outgoing::new(&signer, request, Overrides::default()).await?;
            let (request, attempt) = outgoing.attempt(&signer, Overrides::default()).await?;
            let response =
                service.call(request).await.map_err(|error| outgoing.explain_failure(error.into()))?;
            let (response, try_again) = outgoing.assess(&signer, &attempt, response).await?;
            if !try_again {
                return Ok(response);
            }
            let again = outgoing.attempt(&signer, Overrides::default()).await;
            let Ok((request, attempt)) = again else { return Ok(response) };
            poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into)?;
            let response = service.call(request).await.map_err(Into::into)?;
            Ok(outgoing.accept(&signer, &attempt, response)?)
        })
    }
}
