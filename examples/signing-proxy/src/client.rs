//! The client of the upstreams, with the layer that signs.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use sigv4_middleware::{BoxError, SigV4Layer, SignedBody, Signer};
use tower::util::BoxCloneSyncService;
use tower::{ServiceBuilder, service_fn};

use crate::body::{Body, WithGuard, boxed};
use crate::connect::Connector;
use crate::error::StartError;
use crate::failures::{LoggedBody, SentRequest};
use crate::memory::Reservation;
use crate::tls;
use crate::upstream::ConnectTo;

/// Signs requests and sends them. It follows no redirects.
pub(crate) type Client = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

/// What the client is made of, besides the signer.
#[derive(Clone, Debug)]
pub(crate) struct ClientSettings {
    pub(crate) root_certificates: Vec<Vec<u8>>,
    pub(crate) verify_certificates: bool,
    pub(crate) connect_to: Vec<ConnectTo>,
    pub(crate) idle_timeout: Duration,
    pub(crate) response_timeout: Duration,
    pub(crate) log_failures: bool,
}

/// The upstream did not begin its response in time.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the upstream did not begin its response in time")]
pub(crate) struct UpstreamTimeout;

/// A response by whose head two readers find two ends (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the upstream's response has both Transfer-Encoding and Content-Length")]
pub(crate) struct AmbiguousLength;

type Hyper = HyperClient<HttpsConnector<Connector>, Body>;

/// # Errors
/// For root certificates that are not valid.
pub(crate) fn client(signer: Signer, settings: ClientSettings) -> Result<Client, StartError> {
    let verifying = tls::verifying(&settings.root_certificates)?;
    let tls = if settings.verify_certificates { verifying.clone() } else { tls::not_verifying()? };
    let ClientSettings { response_timeout, log_failures, .. } = settings;
    let connector = Connector::new(Matcher::from_env(), verifying, settings.connect_to);
    let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_all_versions();
    let client: Hyper = HyperClient::builder(TokioExecutor::new())
        .pool_idle_timeout(settings.idle_timeout)
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .build(https.wrap_connector(connector));
    // Inside the signing layer, so that the time a request body takes to arrive does not count.
    let sender = service_fn(move |request| send(client.clone(), request, response_timeout, log_failures));
    let layer = SigV4Layer::new(signer).map_body(boxed::<SignedBody<Body>>);
    let service = ServiceBuilder::new().map_err(BoxError::from).layer(layer).service(sender);
    Ok(Client::new(service))
}

/// Sends a request that was signed.
async fn send(
    client: Hyper,
    mut request: Request<Body>,
    timeout: Duration,
    log_failures: bool,
) -> Result<Response<Body>, BoxError> {
    let sent = log_failures.then(|| SentRequest::new(&request));
    // For as long as the body is in memory, also after an early response.
    if let Some(reservation) = request.extensions_mut().remove::<Arc<Reservation>>() {
        request = request.map(|body| boxed(WithGuard { body, _guard: reservation }));
    }
    let response =
        tokio::time::timeout(timeout, client.request(request)).await.map_err(|_| UpstreamTimeout)??;
    if response.headers().contains_key(TRANSFER_ENCODING) && response.headers().contains_key(CONTENT_LENGTH) {
        return Err(AmbiguousLength.into());
    }
    let is_failure = response.status().is_client_error() || response.status().is_server_error();
    Ok(match sent.filter(|_| is_failure) {
        Some(sent) => LoggedBody::new(response, sent).map(boxed),
        None => response.map(boxed),
    })
}
