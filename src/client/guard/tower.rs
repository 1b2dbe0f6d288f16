//! The guard as a tower layer.

use std::mem;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::SigV4Guard;
use crate::body::{Buffered, SignedBody, buffer};
use crate::client::tower::{MakeBody, ResponseFuture, ServiceError, client_error};
use crate::error::{BoxError, Error};
use crate::signing::request::RequestView;
use crate::signing::signed_request::{RequestChange, SignedRequest};

impl<M> SigV4Guard<M> {
    /// Sets the function that makes the client's request body, as [`SigV4Layer::map_body`](crate::SigV4Layer::map_body)
    /// does. Streams are then compared with their signed hash while they are sent.
    #[must_use]
    pub fn map_body<F>(self, make_body: F) -> SigV4Guard<F> {
        SigV4Guard { make_body, limits: self.limits }
    }
}

impl<S, M: Clone> Layer<S> for SigV4Guard<M> {
    type Service = Guarded<S, M>;

    fn layer(&self, service: S) -> Guarded<S, M> {
        Guarded { service, guard: self.clone() }
    }
}

/// A client service whose signed requests are compared with what was signed; made by [`SigV4Guard`].
///
/// # Errors
/// - [`ServiceError::Signing`]: the request was changed after it was signed, and was not sent.
/// - [`ServiceError::Client`]: the service beneath failed.
#[derive(Clone, Debug)]
pub struct Guarded<S, M = super::GuardSameBody> {
    service: S,
    guard: SigV4Guard<M>,
}

impl<S, B, M, R> Service<Request<B>> for Guarded<S, M>
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
        let unready = self.service.clone();
        let mut service = mem::replace(&mut self.service, unready);
        let guard = self.guard.clone();
        ResponseFuture::new(async move {
            let request = guard.check(request).await?;
            service.call(request).await.map_err(client_error)
        })
    }
}

impl<M> SigV4Guard<M> {
    async fn check<B>(self, request: Request<B>) -> Result<Request<M::Body>, Error>
    where
        M: MakeBody<B>,
        B: Body,
        B::Error: Into<BoxError>,
    {
        let (head, body) = request.into_parts();
        let signed = SignedRequest::compare(&head.extensions, &RequestView::of(&head))
            .map_err(RequestChange::into_error)?;
        let signed = signed.and_then(|signed| Some((signed, signed.body_sha256()?)));
        let body = match signed {
            None => SignedBody::unchanged(body),
            Some((signed, _)) if self.is_in_memory(&body) => {
                let body: Buffered = buffer(body, self.limits, || Ok(())).await?;
                signed
                    .compare_body(body.frames.iter().map(Bytes::as_ref))
                    .map_err(RequestChange::into_error)?;
                SignedBody::buffered(body)
            }
            Some((_, sha256)) if M::WRAPS => SignedBody::checked(body, sha256, &head.headers)
                .map_err(|_| RequestChange::Body.into_error())?,
            Some(_) => SignedBody::unchanged(body),
        };
        Ok(Request::from_parts(head, self.make_body.make(body)))
    }

    fn is_in_memory(&self, body: &impl Body) -> bool {
        body.is_end_stream() || body.size_hint().exact().is_some_and(|len| len <= self.limits.size)
    }
}
