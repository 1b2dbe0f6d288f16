//! Counters, served in Prometheus' text format.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use http::header::CONTENT_TYPE;
use http_body::{Frame, SizeHint};

type CountsByLabel = Mutex<BTreeMap<String, u64>>;

#[derive(Debug, Default)]
pub(crate) struct Metrics {
    by_status: CountsByLabel,
    by_reason: CountsByLabel,
    upstream_errors: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

impl Metrics {
    pub(crate) fn count_response(&self, status: http::StatusCode) {
        increment(&self.by_status, status.as_str());
    }

    pub(crate) fn count_refusal(&self, reason: &str) {
        increment(&self.by_reason, reason);
    }

    pub(crate) fn count_upstream_error(&self) {
        self.upstream_errors.fetch_add(1, Relaxed);
    }

    fn page(&self) -> String {
        let mut page = String::new();
        let labeled = [
            ("requests_total", "Requests, by the status of the response.", "status", &self.by_status),
            ("refused_total", "Requests not sent to the upstream, by reason.", "reason", &self.by_reason),
        ];
        for (name, help, label, counts) in labeled {
            write_header(&mut page, name, help);
            for (value, count) in counts.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                // Writing to a String does not fail.
                let _ = writeln!(page, "signing_proxy_{name}{{{label}=\"{value}\"}} {count}");
            }
        }
        let unlabeled = [
            (
                "upstream_errors_total",
                "Responses that did not arrive, or not completely.",
                &self.upstream_errors,
            ),
            ("request_bytes_total", "Bytes of request bodies received.", &self.bytes_in),
            ("response_bytes_total", "Bytes of the upstream's response bodies passed on.", &self.bytes_out),
        ];
        for (name, help, count) in unlabeled {
            write_header(&mut page, name, help);
            let _ = writeln!(page, "signing_proxy_{name} {}", count.load(Relaxed));
        }
        page
    }
}

fn increment(counts: &CountsByLabel, label: &str) {
    let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    match counts.get_mut(label) {
        Some(count) => *count += 1,
        None => drop(counts.insert(label.to_owned(), 1)),
    }
}

fn write_header(page: &mut String, name: &str, help: &str) {
    let _ = writeln!(page, "# HELP signing_proxy_{name} {help}\n# TYPE signing_proxy_{name} counter");
}

pub(crate) fn router(metrics: Arc<Metrics>) -> Router {
    let page = async move || ([(CONTENT_TYPE, "text/plain; version=0.0.4")], metrics.page());
    Router::new().route("/metrics", get(page))
}

/// Which way a body goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Request,
    Response,
}

/// A body that counts its bytes.
pub(crate) struct CountedBody {
    body: Body,
    direction: Direction,
    metrics: Arc<Metrics>,
}

impl CountedBody {
    pub(crate) fn wrap(body: Body, direction: Direction, metrics: &Arc<Metrics>) -> Body {
        Body::new(Self { body, direction, metrics: Arc::clone(metrics) })
    }
}

impl http_body::Body for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
                let counter = match self.direction {
                    Direction::Request => &self.metrics.bytes_in,
                    Direction::Response => &self.metrics.bytes_out,
                };
                counter.fetch_add(bytes, Relaxed);
            }
            Some(Err(_)) if self.direction == Direction::Response => self.metrics.count_upstream_error(),
            _ => {}
        }
        Poll::Ready(frame)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}
