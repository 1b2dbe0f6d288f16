//! What the proxy counts, by the crate `metrics`.

use http::StatusCode;
use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

const REQUESTS: &str = "signing_proxy_requests_total";
const REFUSED: &str = "signing_proxy_refused_total";
const UPSTREAM_ERRORS: &str = "signing_proxy_upstream_errors_total";
const REQUEST_BYTES: &str = "signing_proxy_request_bytes_total";
const RESPONSE_BYTES: &str = "signing_proxy_response_bytes_total";
const CONNECTIONS: &str = "signing_proxy_connections";

/// Registers units and help of the proxy's metrics; call it once a recorder is installed.
///
/// | name | kind | labels |
/// |---|---|---|
/// | `signing_proxy_requests_total` | counter | `status`, that of the response |
/// | `signing_proxy_refused_total` | counter | `reason`, the `error` of the refusal's body |
/// | `signing_proxy_upstream_errors_total` | counter | |
/// | `signing_proxy_request_bytes_total`, `signing_proxy_response_bytes_total` | counter, bytes | |
/// | `signing_proxy_connections` | gauge | |
pub fn describe() {
    describe_counter!(REQUESTS, Unit::Count, "Requests, by the status of the response.");
    describe_counter!(REFUSED, Unit::Count, "Requests not sent to the upstream, by reason.");
    describe_counter!(UPSTREAM_ERRORS, Unit::Count, "Responses that did not arrive, or not completely.");
    describe_counter!(REQUEST_BYTES, Unit::Bytes, "Bytes of request bodies received.");
    describe_counter!(RESPONSE_BYTES, Unit::Bytes, "Bytes of the upstream's response bodies passed on.");
    describe_gauge!(CONNECTIONS, Unit::Count, "Open connections of clients.");
}

/// Handles of the metrics without labels.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) upstream_errors: Counter,
    pub(crate) request_bytes: Counter,
    pub(crate) response_bytes: Counter,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let registered = |name| {
            let counter = counter!(name);
            // So that it is shown before the first event.
            counter.increment(0);
            counter
        };
        Self {
            upstream_errors: registered(UPSTREAM_ERRORS),
            request_bytes: registered(REQUEST_BYTES),
            response_bytes: registered(RESPONSE_BYTES),
        }
    }
}

pub(crate) fn count_response(status: StatusCode) {
    counter!(REQUESTS, "status" => status.as_str().to_owned()).increment(1);
}

pub(crate) fn count_refusal(reason: &'static str) {
    counter!(REFUSED, "reason" => reason).increment(1);
}

/// Counts a connection for as long as it lives.
pub(crate) struct ConnectionCount(Gauge);

impl ConnectionCount {
    pub(crate) fn new() -> Self {
        let connections = gauge!(CONNECTIONS);
        connections.increment(1.0);
        Self(connections)
    }
}

impl Drop for ConnectionCount {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
