//! The way of one request: checked, stripped, signed and sent; and its answer, streamed back.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use http::{Request, Response, Version};
use tower::ServiceExt;

use crate::Upstream;
use crate::args::{Args, Origin};
use crate::headers::{Kept, Named, strip_hop_by_hop, strip_request};
use crate::metrics::{Counted, Metrics, Of};
use crate::policy::Policy;
use crate::refusal::Refusal;

struct Proxy {
    policy: Policy,
    stripped: Vec<Named>,
    kept: Vec<Kept>,
    origin: Origin,
    upstream: Upstream,
    metrics: Arc<Metrics>,
}

pub(crate) fn router(args: &Args, upstream: Upstream, metrics: Arc<Metrics>) -> Router {
    let policy = Policy { methods: args.methods.clone(), paths: args.paths.clone() };
    let (stripped, kept) = (args.stripped.clone(), args.kept.clone());
    let proxy = Proxy { policy, stripped, kept, origin: args.upstream.clone(), upstream, metrics };
    Router::new().fallback(answer).with_state(Arc::new(proxy))
}

async fn answer(State(proxy): State<Arc<Proxy>>, request: Request<Body>) -> Response<Body> {
    let response = proxy.hand_on(request).await.unwrap_or_else(|refusal| {
        if refusal.is_upstreams() {
            proxy.metrics.upstream_failed();
        } else {
            proxy.metrics.refused(refusal.reason);
        }
        refusal.into_response()
    });
    proxy.metrics.answered(response.status());
    response
}

impl Proxy {
    async fn hand_on(&self, request: Request<Body>) -> Result<Response<Body>, Refusal> {
        let (mut parts, body) = request.into_parts();
        let target = self.policy.check(&parts)?;
        strip_request(&mut parts.headers, &self.stripped, &self.kept);

        // Nothing else of the client's request goes on: its extensions are this server's own.
        let mut request = Request::new(Counted::wrap(body, Of::Request, &self.metrics));
        *request.method_mut() = parts.method;
        *request.uri_mut() = self.origin.at(target).map_err(|_| Refusal::TARGET)?;
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = parts.headers;

        let response = self.upstream.clone().oneshot(request).await;
        let mut response = response.map_err(|error| Refusal::of(&error))?;
        strip_hop_by_hop(response.headers_mut());
        *response.version_mut() = Version::HTTP_11;
        Ok(response.map(|body| Counted::wrap(body, Of::Response, &self.metrics)))
    }
}
