//! The guard as a reqwest middleware.

use http::Extensions;
use reqwest::{Body, Request, Response};
use reqwest_middleware::{Middleware, Next};

use super::SigV4Guard;
use crate::body::SignedBody;
use crate::client::exchange::Head;
use crate::client::reqwest::with_body;
use crate::error::Error;
use crate::signing::signed_request::{RequestChange, SignedRequest};

#[async_trait::async_trait]
impl<M: Send + Sync + 'static> Middleware for SigV4Guard<M> {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let request = check(request, extensions).map_err(Error::into_middleware)?;
        next.run(request, extensions).await
    }
}

fn check(mut request: Request, extensions: &Extensions) -> Result<Request, Error> {
    let signed =
        SignedRequest::compare(extensions, &request.view(None)).map_err(RequestChange::into_error)?;
    let Some((signed, sha256)) = signed.and_then(|signed| Some((signed, signed.body_sha256()?))) else {
        return Ok(request);
    };
    if let Some(bytes) = request.body().map_or(Some(&[][..]), Body::as_bytes) {
        signed.compare_body([bytes]).map_err(RequestChange::into_error)?;
        return Ok(request);
    }
    let body = request.body_mut().take().unwrap_or_default();
    let body =
        SignedBody::checked(body, sha256, request.headers()).map_err(|_| RequestChange::Body.into_error())?;
    Ok(with_body(request, Some(body)))
}
