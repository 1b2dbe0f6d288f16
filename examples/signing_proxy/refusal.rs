//! The proxy's own responses: JSON with a reason and what to do.

use std::error::Error as StdError;
use std::net::SocketAddr;

use axum::body::Body;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Response, StatusCode};
use serde_json::json;
use sigv4_middleware::{BoxError, Error, ErrorKind};

use crate::advice;

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
        FixedRefusal(StatusCode::FORBIDDEN, "path", "the path is not one that --allow-path lets through");
    pub(crate) const AWS_CHUNKED: FixedRefusal = FixedRefusal(
        StatusCode::NOT_IMPLEMENTED,
        "aws_chunked",
        "the body is aws-chunked, signed by the client; send it unencoded, without a signature",
    );
    pub(crate) const TIMEOUT: FixedRefusal = FixedRefusal(
        StatusCode::GATEWAY_TIMEOUT,
        "timeout",
        "the upstream did not begin its response in time; --timeout sets how long it may take",
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
                ", or start the proxy with --allow-host {host} if nobody else can make that name resolve to it"
            )
        } else {
            String::new()
        };
        Self::forbidden("host", format!("{host:?} is not a host of this proxy; call http://{listen}{option}"))
    }

    /// `can_be_named` is whether `--allow-origin` takes the origin.
    pub(crate) fn cross_site(origin: Option<&HeaderValue>, can_be_named: bool) -> Self {
        let origin = origin.map(|origin| String::from_utf8_lossy(origin.as_bytes()));
        let message = match origin {
            Some(origin) if can_be_named => format!(
                "a web page of {origin} sent this request; start the proxy with --allow-origin {origin} if pages of \
                 that origin may make requests with its credentials"
            ),
            Some(origin) => format!(
                "a web page of the origin {origin:?} sent this request, and that cannot be allowed; serve the page \
                 from one http or https origin, and name that with --allow-origin"
            ),
            None => "a web page of another origin made the browser send this request, which does not say which page; \
                     call the proxy from a page whose origin is named with --allow-origin, by requests with an \
                     Origin header"
                .to_owned(),
        };
        Self::forbidden("cross_site", message)
    }

    pub(crate) fn method(method: &Method, allowed: &[Method]) -> Self {
        let allowed: Vec<&str> = allowed.iter().map(Method::as_str).collect();
        Self {
            status: StatusCode::METHOD_NOT_ALLOWED,
            reason: "method",
            message: format!("the method {method} is not one that --allow-method lets through"),
            allow: HeaderValue::from_str(&allowed.join(", ")).ok(),
        }
    }

    /// Logs an error with its causes, and makes a response of it.
    pub(crate) fn from_error(error: &BoxError) -> Self {
        eprintln!("signing_proxy: {}", advice::for_log(error.as_ref()));
        let Some(error) = Error::find(error.as_ref()) else {
            let mut causes =
                std::iter::successors(Some(error.as_ref() as &dyn StdError), |&error| error.source());
            let is_timeout = causes.any(|cause| cause.is::<tower::timeout::error::Elapsed>());
            return if is_timeout { Self::TIMEOUT } else { Self::UPSTREAM }.into();
        };
        let (status, reason) = match error.kind() {
            ErrorKind::OriginNotAllowed | ErrorKind::InsecureOrigin => (StatusCode::FORBIDDEN, "origin"),
            ErrorKind::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            ErrorKind::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "body_timeout"),
            ErrorKind::BodyFailed | ErrorKind::BodyTrailers => (StatusCode::BAD_REQUEST, "body"),
            ErrorKind::InvalidUri | ErrorKind::InvalidHeader => (StatusCode::BAD_REQUEST, "target"),
            _ => (StatusCode::BAD_GATEWAY, "signing"),
        };
        Self { status, reason, message: advice::of_error(error), allow: None }
    }

    /// Whether the upstream did not respond.
    pub(crate) fn is_upstream_failure(&self) -> bool {
        [Self::UPSTREAM.1, Self::TIMEOUT.1].contains(&self.reason)
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let text = json!({ "error": self.reason, "message": self.message });
        let mut response = Response::new(Body::from(text.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
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
