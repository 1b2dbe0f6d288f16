//! The handling of one request: it is checked, stripped, signed and sent, and the response is streamed back.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{Method, Request, Response, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use sigv4_middleware::{BoxError, PayloadMode};
use tower::ServiceExt;

use crate::advice::Wording;
use crate::body::{Body, PassedOnBody, ReceivedBody, boxed};
use crate::client::Client;
use crate::guard::Guard;
use crate::headers::{HeaderRules, strip_hop_by_hop};
use crate::health::Health;
use crate::memory::{Budget, Reservation};
use crate::metrics::{self, Metrics};
use crate::policy::Policy;
use crate::refusal::Refusal;
use crate::secret::Secret;

/// Memory for one body.
struct Held {
    reservation: Arc<Reservation>,
    /// Whether it has to grow with the body, whose length is not known.
    grows: bool,
}

/// What requests go through.
pub(crate) struct Forwarder {
    pub(crate) guard: Guard,
    pub(crate) secret: Secret,
    pub(crate) policy: Policy,
    pub(crate) headers: HeaderRules,
    pub(crate) payload_mode: Option<PayloadMode>,
    pub(crate) memory: Arc<Budget>,
    pub(crate) client: Client,
    pub(crate) health: Health,
    pub(crate) health_path: Option<String>,
    pub(crate) metrics: Metrics,
    pub(crate) wording: Wording,
}

impl Forwarder {
    pub(crate) async fn respond(&self, request: Request<Incoming>) -> Response<Body> {
        let is_read = [Method::GET, Method::HEAD].contains(request.method());
        if is_read && self.health_path.as_deref() == Some(request.uri().path()) {
            return self.health.response().await;
        }
        let response = self.forward(request).await.unwrap_or_else(|refusal| {
            if refusal.is_upstream_failure() {
                self.metrics.upstream_errors.increment(1);
            } else {
                metrics::count_refusal(refusal.reason);
            }
            refusal.into_response(self.wording)
        });
        metrics::count_response(response.status());
        response
    }

    async fn forward(&self, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
        let (mut parts, body) = request.into_parts();
        let destination = self.guard.check_host(&parts)?;
        self.secret.take(&mut parts)?;
        let sender = self.guard.check_sender(&parts, destination.host)?;
        let target = self.policy.check(&parts)?;
        let payload_mode = self.payload_mode_of(&parts.method, &body);
        let held = self.reserve(&parts, &body, payload_mode.as_ref())?;
        self.headers.apply(&mut parts.headers, parts.version);

        let growing = held.as_ref().filter(|held| held.grows).map(|held| Arc::clone(&held.reservation));
        let body = ReceivedBody { body, bytes: self.metrics.request_bytes.clone(), growing };
        // Extensions are left out: they are this server's own.
        let mut request = Request::new(boxed(body));
        *request.method_mut() = parts.method;
        *request.uri_mut() = destination.route.uri(target).map_err(|_| Refusal::TARGET)?;
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = parts.headers;
        destination.route.set_scope(request.extensions_mut());
        request.extensions_mut().extend(extensions(payload_mode, held));

        let response = send(self.client.clone(), request).await;
        let mut response = response.map_err(|error| Refusal::from_error(&error, self.wording))?;
        strip_hop_by_hop(response.headers_mut());
        sender.restrict(&mut response);
        *response.version_mut() = Version::HTTP_11;
        let (bytes, errors) = (self.metrics.response_bytes.clone(), self.metrics.upstream_errors.clone());
        Ok(response.map(|body| boxed(PassedOnBody { body, bytes, errors })))
    }

    /// The payload mode of a request, if it is not the signer's.
    fn payload_mode_of(&self, method: &Method, body: &Incoming) -> Option<PayloadMode> {
        // S3 takes chunks in the bodies of PUT requests alone.
        let takes_chunks = method == Method::PUT && !body.is_end_stream();
        self.payload_mode.clone().filter(|mode| !matches!(mode, PayloadMode::AwsChunked(_)) || takes_chunks)
    }

    /// Memory for a body that is held to be hashed.
    fn reserve(
        &self,
        request: &Parts,
        body: &Incoming,
        payload_mode: Option<&PayloadMode>,
    ) -> Result<Option<Held>, Refusal> {
        let is_held = payload_mode.is_none_or(|mode| *mode == PayloadMode::Buffered);
        if !is_held || body.is_end_stream() {
            return Ok(None);
        }
        let length =
            request.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if length.is_some_and(|length: u64| length > self.memory.limit()) {
            return Err(Refusal::TOO_LARGE.into());
        }
        let reservation = self.memory.reserve(length.unwrap_or(0)).map_err(|_| Refusal::MEMORY)?;
        Ok(Some(Held { reservation, grows: length.is_none() }))
    }
}

/// Erased, since the compiler cannot show of a future that holds the client's own that it is `Send`.
fn send(client: Client, request: Request<Body>) -> BoxFuture<'static, Result<Response<Body>, BoxError>> {
    Box::pin(client.oneshot(request))
}

fn extensions(payload_mode: Option<PayloadMode>, held: Option<Held>) -> http::Extensions {
    let mut extensions = http::Extensions::new();
    if let Some(mode) = payload_mode {
        extensions.insert(mode);
    }
    if let Some(held) = held {
        extensions.insert(held.reservation);
    }
    extensions
}
