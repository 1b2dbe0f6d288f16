//! Answers of the proxy's own: JSON that says what was wrong.

use std::error::Error as StdError;

use axum::body::Body;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Response, StatusCode};
use serde_json::json;
use sigv4_middleware::{BoxError, Error, ErrorKind};

/// A request that got no answer of the upstream's.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    /// One word for programs and for the metrics.
    pub(crate) reason: &'static str,
    message: String,
    allow: Option<HeaderValue>,
}

impl Refusal {
    pub(crate) const TARGET: Fixed = Fixed(
        StatusCode::BAD_REQUEST,
        "target",
        "the request's target has to be a path of the upstream (/path?query), without scheme and host",
    );
    pub(crate) const PATH: Fixed =
        Fixed(StatusCode::FORBIDDEN, "path", "the path is none of those that this proxy lets through");
    pub(crate) const AWS_CHUNKED: Fixed = Fixed(
        StatusCode::NOT_IMPLEMENTED,
        "aws_chunked",
        "the body is aws-chunked, which belongs to a signature of the caller's; send it plain",
    );
    pub(crate) const TIMEOUT: Fixed =
        Fixed(StatusCode::GATEWAY_TIMEOUT, "timeout", "the upstream did not begin to answer in time");
    pub(crate) const UPSTREAM: Fixed =
        Fixed(StatusCode::BAD_GATEWAY, "upstream", "the upstream could not be reached, or broke off");

    pub(crate) fn method(method: &Method, allowed: &[Method]) -> Self {
        let allowed: Vec<&str> = allowed.iter().map(Method::as_str).collect();
        Self {
            status: StatusCode::METHOD_NOT_ALLOWED,
            reason: "method",
            message: format!("the method {method} is none of those that this proxy lets through"),
            allow: HeaderValue::from_str(&allowed.join(", ")).ok(),
        }
    }

    /// What became of a request that was not answered. The log gets the cause, the caller the signer's advice.
    pub(crate) fn of(error: &BoxError) -> Self {
        let chain = std::iter::successors(Some(error.as_ref() as &dyn StdError), |&error| error.source());
        let causes: Vec<String> = chain.clone().map(ToString::to_string).collect();
        eprintln!("signing_proxy: {}", causes.join(": "));
        let Some(error) = Error::find(error.as_ref()) else {
            let late = chain.clone().any(|cause| cause.is::<tower::timeout::error::Elapsed>());
            return if late { Self::TIMEOUT } else { Self::UPSTREAM }.into();
        };
        let (status, reason) = match error.kind() {
            ErrorKind::OriginNotAllowed | ErrorKind::InsecureOrigin => (StatusCode::FORBIDDEN, "origin"),
            ErrorKind::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            ErrorKind::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "body_timeout"),
            ErrorKind::BodyFailed | ErrorKind::BodyTrailers => (StatusCode::BAD_REQUEST, "body"),
            ErrorKind::InvalidUri | ErrorKind::InvalidHeader => (StatusCode::BAD_REQUEST, "target"),
            _ => (StatusCode::BAD_GATEWAY, "signing"),
        };
        Self { status, reason, message: error.to_string(), allow: None }
    }

    /// Whether the upstream is to blame.
    pub(crate) fn is_upstreams(&self) -> bool {
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

/// A refusal that is always the same.
pub(crate) struct Fixed(StatusCode, &'static str, &'static str);

impl From<Fixed> for Refusal {
    fn from(Fixed(status, reason, message): Fixed) -> Self {
        Self { status, reason, message: message.to_owned(), allow: None }
    }
}
