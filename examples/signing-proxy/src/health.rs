//! Whether the proxy can serve: its credentials can be loaded, and it is not ending.

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use serde_json::json;
use sigv4_middleware::Signer;
use tokio_util::sync::CancellationToken;

use crate::body::{Body, full};
use crate::upstream::Upstreams;

/// What a health check needs.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    signer: Signer,
    example: Option<http::request::Parts>,
    draining: CancellationToken,
}

impl Health {
    pub(crate) fn new(signer: Signer, upstreams: &Upstreams, draining: CancellationToken) -> Self {
        let example = upstreams.example().and_then(|(uri, route)| {
            let (mut parts, ()) = http::Request::get(uri).body(()).ok()?.into_parts();
            route.set_scope(&mut parts.extensions);
            Some(parts)
        });
        Self { signer, example, draining }
    }

    /// Signs a request and throws it away.
    ///
    /// # Errors
    /// Why none can be signed.
    pub(crate) async fn try_to_sign(&self) -> Result<(), sigv4_middleware::Error> {
        match &self.example {
            Some(parts) => self.signer.sign(&mut parts.clone(), "").await,
            None => Ok(()),
        }
    }

    /// 200, or 503 with the reason. The response holds nothing that a stranger may not know.
    pub(crate) async fn response(&self) -> Response<Body> {
        let (status, text) = if self.draining.is_cancelled() {
            (StatusCode::SERVICE_UNAVAILABLE, "draining")
        } else if self.try_to_sign().await.is_err_and(|error| error.is_credentials()) {
            (StatusCode::SERVICE_UNAVAILABLE, "no credentials")
        } else {
            (StatusCode::OK, "ok")
        };
        let mut response = Response::new(full(json!({ "status": text }).to_string()));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}
