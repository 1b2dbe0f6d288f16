//! The gateway's responses: API Gateway's statuses, error types and messages.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// Why a request is refused.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) error_type: &'static str,
    pub(super) message: String,
}

impl Refusal {
    fn forbidden(error_type: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, error_type, message: message.into() }
    }

    pub(super) fn missing_token() -> Self {
        Self::forbidden("MissingAuthenticationTokenException", "Missing Authentication Token")
    }

    pub(super) fn incomplete(message: impl Into<String>) -> Self {
        Self::forbidden("IncompleteSignatureException", message)
    }

    pub(super) fn invalid_signature(message: impl Into<String>) -> Self {
        Self::forbidden("InvalidSignatureException", message)
    }

    pub(super) fn unrecognized() -> Self {
        Self::forbidden(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        )
    }

    pub(super) fn expired_token() -> Self {
        Self::forbidden("ExpiredTokenException", "The security token included in the request is expired")
    }

    pub(super) fn denied(message: impl Into<String>) -> Self {
        Self::forbidden("AccessDeniedException", message)
    }

    /// API Gateway's error response with this status: a fault that the test set, or a request that the gateway does
    /// not support.
    pub(super) fn from_status(status: StatusCode) -> Self {
        let (error_type, message) = match status {
            StatusCode::BAD_REQUEST => ("BadRequestException", "Bad Request"),
            StatusCode::PAYLOAD_TOO_LARGE => ("RequestTooLargeException", "Request Too Long"),
            StatusCode::URI_TOO_LONG => ("RequestTooLargeException", "Request-URI Too Long"),
            StatusCode::TOO_MANY_REQUESTS => ("TooManyRequestsException", "Too Many Requests"),
            StatusCode::INTERNAL_SERVER_ERROR => ("InternalServerErrorException", "Internal server error"),
            StatusCode::NOT_IMPLEMENTED => (
                "NotImplementedException",
                "A header you provided implies functionality that is not implemented",
            ),
            StatusCode::SERVICE_UNAVAILABLE => ("ServiceUnavailableException", "Service Unavailable"),
            StatusCode::GATEWAY_TIMEOUT => ("GatewayTimeoutException", "Endpoint request timed out"),
            status if status.is_client_error() => ("BadRequestException", "Bad Request"),
            _ => ("InternalServerErrorException", "Internal server error"),
        };
        Self { status, error_type, message: message.to_owned() }
    }

    /// The response for this refusal.
    pub(super) fn to_response(&self, date: HeaderValue) -> Response<Full<Bytes>> {
        let body = serde_json::json!({ "message": self.message }).to_string();
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ERROR_TYPE, HeaderValue::from_static(self.error_type));
        with_common_headers(response, date)
    }
}

/// Adds the headers of every response, a request id and the date of the gateway's clock, unless they are set already.
pub(super) fn with_common_headers(mut response: Response<Bytes>, date: HeaderValue) -> Response<Full<Bytes>> {
    let headers = response.headers_mut();
    headers.entry(header::DATE).or_insert(date);
    headers.entry(REQUEST_ID).or_insert_with(request_id);
    response.map(Full::new)
}

/// The response to an authorized request unless the test sets another.
pub(super) fn default_response() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(br#"{"message":"ok"}"#));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A redirect with an empty body.
pub(super) fn redirect(status: StatusCode, location: HeaderValue) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response.headers_mut().insert(header::LOCATION, location);
    response
}

fn request_id() -> HeaderValue {
    let (a, b) = (fastrand::u64(..), fastrand::u64(..));
    let id = format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xffff,
        b >> 48,
        b & 0xffff_ffff_ffff
    );
    HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("0"))
}
