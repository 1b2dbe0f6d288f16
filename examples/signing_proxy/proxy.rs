//! The handling of one request: it is checked, stripped, signed and sent, and the response is streamed back.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use http::{Request, Response, Version};
use tower::ServiceExt;

use crate::Upstream;
use crate::args::UpstreamOrigin;
use crate::guard::Guard;
use crate::headers::{KeptHeaders, Name, strip_hop_by_hop, strip_request};
use crate::metrics::{CountedBody, Direction, Metrics};
use crate::policy::Policy;
use crate::refusal::Refusal;

pub(crate) struct Proxy {
    pub(crate) guard: Guard,
    pub(crate) policy: Policy,
    pub(crate) stripped: Vec<Name>,
    pub(crate) kept: Vec<KeptHeaders>,
    pub(crate) origin: UpstreamOrigin,
    pub(crate) upstream: Upstream,
    pub(crate) metrics: Arc<Metrics>,
}

impl Proxy {
    pub(crate) fn into_router(self) -> Router {
        Router::new().fallback(respond).with_state(Arc::new(self))
    }

    async fn forward(&self, request: Request<Body>) -> Result<Response<Body>, Refusal> {
        let (mut parts, body) = request.into_parts();
        let sender = self.guard.check(&parts)?;
        let target = self.policy.check(&parts)?;
        strip_request(&mut parts.headers, &self.stripped, &self.kept);

        // Extensions are left out: they are this server's own.
        let mut request = Request::new(CountedBody::wrap(body, Direction::Request, &self.metrics));
        *request.method_mut() = parts.method;
        *request.uri_mut() = self.origin.with_target(target).map_err(|_| Refusal::TARGET)?;
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = parts.headers;

        let response = self.upstream.clone().oneshot(request).await;
        let mut response = response.map_err(|error| Refusal::from_error(&error))?;
        strip_hop_by_hop(response.headers_mut());
        sender.restrict(&mut response);
        *response.version_mut() = Version::HTTP_11;
        Ok(response.map(|body| CountedBody::wrap(body, Direction::Response, &self.metrics)))
    }
}

async fn respond(State(proxy): State<Arc<Proxy>>, request: Request<Body>) -> Response<Body> {
    let response = proxy.forward(request).await.unwrap_or_else(|refusal| {
        if refusal.is_upstream_failure() {
            proxy.metrics.count_upstream_error();
        } else {
            proxy.metrics.count_refusal(refusal.reason);
        }
        refusal.into_response()
    });
    proxy.metrics.count_response(response.status());
    response
}
