//! Metrics for Prometheus, and health, on an address of their own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Response, StatusCode};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use sigv4_middleware::BoxError;
use tokio_util::sync::CancellationToken;

use super::metrics;
use crate::advice::Wording;
use crate::body::{Body, full};
use crate::builder::listen;
use crate::error::StartError;
use crate::health::Health;
use crate::server::{Handler, Limits, Server};

const LIMITS: Limits = Limits {
    connections: 32,
    header_timeout: Duration::from_secs(10),
    idle_timeout: Duration::from_secs(60),
};

/// Counts from now on.
pub(super) fn install_metrics() -> Result<PrometheusHandle, BoxError> {
    // A signature takes microseconds; with a body of megabytes, milliseconds.
    let seconds = [1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 5e-3, 2e-2, 1e-1];
    let signing = Matcher::Full(sigv4_middleware::metrics::SIGNING_DURATION.to_owned());
    let handle = PrometheusBuilder::new().set_buckets_for_metric(signing, &seconds)?.install_recorder()?;
    metrics::describe();
    sigv4_middleware::metrics::describe();
    Ok(handle)
}

/// Serves `/metrics` and `/health`, until it is dropped.
pub(super) async fn start(
    address: SocketAddr,
    metrics: PrometheusHandle,
    health: Health,
) -> Result<(Server, SocketAddr), StartError> {
    let (listener, address) = listen(address).await?;
    let handler: Handler = Arc::new(move |request| {
        let (metrics, health) = (metrics.clone(), health.clone());
        Box::pin(async move {
            match (request.method(), request.uri().path()) {
                (&Method::GET, "/metrics") => page(&metrics),
                (&Method::GET | &Method::HEAD, "/health") => health.response().await,
                _ => {
                    let mut response = Response::new(full("try /metrics or /health\n"));
                    *response.status_mut() = StatusCode::NOT_FOUND;
                    response
                }
            }
        })
    });
    let server = Server::start(listener, handler, LIMITS, CancellationToken::new(), Wording::Program);
    Ok((server, address))
}

fn page(metrics: &PrometheusHandle) -> Response<Body> {
    // Takes up what histograms have gathered, so that they do not grow.
    metrics.run_upkeep();
    let mut response = Response::new(full(metrics.render()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4"));
    response
}
