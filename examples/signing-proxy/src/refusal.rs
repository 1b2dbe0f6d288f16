//! The proxy's own responses: JSON with a reason and what to do.
//!
//! Messages name methods of the proxy's builder; for who runs the program, [`Wording`] makes options of them.

use std::error::Error as StdError;
use std::net::SocketAddr;

use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Method, Response, StatusCode};
use serde_json::json;
use sigv4_middleware::{BoxError, Error, ErrorKind};

use crate::advice::Wording;
use crate::body::{Body, full};
use crate::client::{AmbiguousLength, UpstreamTimeout};
use crate::memory::OutOfMemory;

/// After how many seconds a client may try again when the proxy is at a limit.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// Why a request got no response of the upstream.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    /// One word, for programs and for the metrics.
    pub(crate) reason: &'static str,
    message: String,
    allow: Option<HeaderValue>,
}

impl Refusal {
    pub(crate) const TARGET: FixedRefusal = FixedRefusal(
        StatusCode::BAD_REQUEST,
        "target",
        "the request's target is not a path of the upstream; send /path?query, without scheme and host",
    );
    pub(crate) const PATH: FixedRefusal =
        FixedRefusal(StatusCode::FORBIDDEN, "path", "the path is not one that .allow_path(...) lets through");
    pub(crate) const AMBIGUOUS_PATH: FixedRefusal = FixedRefusal(
        StatusCode::FORBIDDEN,
        "path",
        "servers read this path in different ways, so it cannot be compared with those of .allow_path(...); send it \
         without dot segments, empty segments, backslashes, and escaped slashes, dots of such segments and percent signs",
    );
    pub(crate) const AWS_CHUNKED: FixedRefusal = FixedRefusal(
        StatusCode::NOT_IMPLEMENTED,
        "aws_chunked",
        "the body is aws-chunked, signed by the client; send it unencoded, without a signature (an AWS SDK does with \
         request_checksum_calculation = when_required)",
    );
    pub(crate) const NO_UPSTREAM: FixedRefusal = FixedRefusal(
        StatusCode::NOT_FOUND,
        "no_upstream",
        "the proxy has no upstream for its own host; name one of its upstreams in the Host header",
    );
    pub(crate) const BUSY: FixedRefusal = FixedRefusal(
        StatusCode::SERVICE_UNAVAILABLE,
        "connections",
        "the proxy has as many connections as .max_connections(...) allows; close idle ones, or try again later",
    );
    pub(crate) const MEMORY: FixedRefusal = FixedRefusal(
        StatusCode::SERVICE_UNAVAILABLE,
        "memory",
        "the request bodies that the proxy holds in memory have reached .max_buffered(...); try again later",
    );
    pub(crate) const TOO_LARGE: FixedRefusal = FixedRefusal(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
        "the request body is larger than all that .max_buffered(...) lets the proxy hold in memory; send a smaller one",
    );
    pub(crate) const AMBIGUOUS_LENGTH: FixedRefusal = FixedRefusal(
        StatusCode::BAD_GATEWAY,
        "response_framing",
        "the upstream's response has both Transfer-Encoding and Content-Length, so where it ends depends on the reader; \
         it was not passed on",
    );
    pub(crate) const TIMEOUT: FixedRefusal = FixedRefusal(
        StatusCode::GATEWAY_TIMEOUT,
        "timeout",
        "the upstream did not begin its response in time; .response_timeout(...) sets how long it may take",
    );
    pub(crate) const UPSTREAM: FixedRefusal = FixedRefusal(
        StatusCode::BAD_GATEWAY,
        "upstream",
        "the upstream could not be reached, or closed the connection; the proxy's log has the cause",
    );

    fn forbidden(reason: &'static str, message: String) -> Self {
        Self { status: StatusCode::FORBIDDEN, reason, message, allow: None }
    }

    pub(crate) fn no_host(listen: SocketAddr) -> Self {
        let message = format!("the request names no host; send the header Host: {}", to_call(listen));
        Self::forbidden("host", message)
    }

    pub(crate) fn several_hosts(listen: SocketAddr) -> Self {
        let message =
            format!("the request names more than one host; send one header Host: {}", to_call(listen));
        Self::forbidden("host", message)
    }

    pub(crate) fn foreign_host(host: &[u8], is_valid: bool, listen: SocketAddr) -> Self {
        let (host, listen) = (String::from_utf8_lossy(host), to_call(listen));
        let option = if is_valid {
            format!(
                ", or start the proxy with .allow_host(\"{host}\") if nobody else can make that name resolve to it"
            )
        } else {
            String::new()
        };
        Self::forbidden("host", format!("{host:?} is not a host of this proxy; call http://{listen}{option}"))
    }

    /// `can_be_named` is whether `allow_page_origin` takes the origin.
    pub(crate) fn cross_site(origin: Option<&HeaderValue>, can_be_named: bool) -> Self {
        let origin = origin.map(|origin| String::from_utf8_lossy(origin.as_bytes()));
        let message = match origin {
            Some(origin) if can_be_named => format!(
                "a web page of {origin} sent this request; start the proxy with .allow_page_origin(\"{origin}\") if pages of \
                 that origin may make requests with its credentials"
            ),
            Some(origin) => format!(
                "a web page of the origin {origin:?} sent this request, and that cannot be allowed; serve the page \
                 from one http or https origin, and name that with .allow_page_origin(...)"
            ),
            None => "a web page of another origin made the browser send this request, which does not say which page; \
                     call the proxy from a page whose origin is named with .allow_page_origin(...), by requests \
                     with an Origin header"
                .to_owned(),
        };
        Self::forbidden("cross_site", message)
    }

    pub(crate) fn no_secret(how: &str) -> Self {
        Self::forbidden("secret", format!("the request lacks this proxy's secret; {how}"))
    }

    pub(crate) fn method(method: &Method, allowed: &[Method]) -> Self {
        let allowed: Vec<&str> = allowed.iter().map(Method::as_str).collect();
        Self {
            status: StatusCode::METHOD_NOT_ALLOWED,
            reason: "method",
            message: format!("the method {method} is not one that .allow_method(...) lets through"),
            allow: HeaderValue::from_str(&allowed.join(", ")).ok(),
        }
    }

    /// Logs an error with its causes, and makes a response of it.
    pub(crate) fn from_error(error: &BoxError, wording: Wording) -> Self {
        let refusal = Self::of_chain(error, wording);
        tracing::warn!(target: "signing_proxy", reason = refusal.reason, "{}", wording.for_log(error.as_ref()));
        refusal
    }

    fn of_chain(error: &BoxError, wording: Wording) -> Self {
        let causes = std::iter::successors(Some(error.as_ref() as &dyn StdError), |&error| error.source());
        for cause in causes {
            if cause.is::<OutOfMemory>() {
                return Self::MEMORY.into();
            } else if cause.is::<UpstreamTimeout>() {
                return Self::TIMEOUT.into();
            } else if cause.is::<AmbiguousLength>() {
                return Self::AMBIGUOUS_LENGTH.into();
            }
        }
        let Some(error) = Error::find(error.as_ref()) else { return Self::UPSTREAM.into() };
        let (status, reason) = match error.kind() {
            ErrorKind::OriginNotAllowed | ErrorKind::InsecureOrigin => (StatusCode::FORBIDDEN, "origin"),
            ErrorKind::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            ErrorKind::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "body_timeout"),
            ErrorKind::BodyFailed | ErrorKind::BodyTrailers => (StatusCode::BAD_REQUEST, "body"),
            ErrorKind::InvalidUri | ErrorKind::InvalidHeader => (StatusCode::BAD_REQUEST, "target"),
            _ => (StatusCode::BAD_GATEWAY, "signing"),
        };
        Self { status, reason, message: wording.of_error(error), allow: None }
    }

    /// Whether the upstream did not respond.
    pub(crate) fn is_upstream_failure(&self) -> bool {
        [Self::UPSTREAM.1, Self::TIMEOUT.1, Self::AMBIGUOUS_LENGTH.1].contains(&self.reason)
    }

    pub(crate) fn into_response(self, wording: Wording) -> Response<Body> {
        let text = json!({ "error": self.reason, "message": wording.text(&self.message) });
        let mut response = Response::new(full(text.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
        }
        if self.reason == Self::BUSY.1 {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        headers.extend(self.allow.map(|methods| (ALLOW, methods)));
        response
    }
}

/// The host and port to call a proxy by that listens on an address.
fn to_call(listen: SocketAddr) -> String {
    if listen.ip().is_unspecified() { format!("localhost:{}", listen.port()) } else { listen.to_string() }
}

/// A refusal whose message is always the same.
pub(crate) struct FixedRefusal(StatusCode, &'static str, &'static str);

impl From<FixedRefusal> for Refusal {
    fn from(FixedRefusal(status, reason, message): FixedRefusal) -> Self {
        Self { status, reason, message: message.to_owned(), allow: None }
    }
}
