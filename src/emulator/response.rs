//! The gateway's responses: API Gateway's statuses, error types and messages.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

use super::clock::Seconds;
use super::style::RefusalStyle;

const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// Why a request is refused.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) error_type: &'static str,
    pub(super) message: String,
    pub(super) detail: Box<Detail>,
}

/// What some services write besides code and message.
#[derive(Debug)]
pub(super) enum Detail {
    None,
    /// The signature is another one. The canonical request is redacted.
    Mismatch {
        access_key_id: String,
        signature: String,
        string_to_sign: String,
        canonical: String,
    },
    Region {
        given: String,
        expected: String,
    },
    Service {
        given: String,
        expected: String,
    },
    /// The date is off by more than the limit, or a presigned URL's lifetime has ended; in seconds.
    Time {
        signed: Seconds,
        now: Seconds,
        limit: i64,
        presigned: bool,
        expired: bool,
    },
    /// The Authorization header is of another scheme.
    Scheme,
    /// The access key is not known.
    Key {
        access_key_id: String,
    },
    /// The session token is not that of the key.
    Token,
    HashMissing,
    /// The declared hash of the body is not the computed one.
    Hashes {
        client: String,
        server: String,
    },
    /// A header was not signed.
    Unsigned {
        name: String,
    },
}

impl Refusal {
    fn forbidden(error_type: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            error_type,
            message: message.into(),
            detail: Box::new(Detail::None),
        }
    }

    pub(super) fn with(self, detail: Detail) -> Self {
        Self { detail: Box::new(detail), ..self }
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

    /// The access key is not known, or came without its token.
    pub(super) fn unrecognized(access_key_id: &str) -> Self {
        let message = "The security token included in the request is invalid.";
        let detail = Detail::Key { access_key_id: access_key_id.to_owned() };
        Self::forbidden("UnrecognizedClientException", message).with(detail)
    }

    /// The session token is not that of the key. AWS's message then ends without a full stop.
    pub(super) fn invalid_token() -> Self {
        let message = "The security token included in the request is invalid";
        Self::forbidden("UnrecognizedClientException", message).with(Detail::Token)
    }

    /// The API wants an API key.
    pub(super) fn api_key() -> Self {
        Self::forbidden("ForbiddenException", "Forbidden")
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
        Self { status, error_type, message: message.to_owned(), detail: Box::new(Detail::None) }
    }

    /// The response for this refusal.
    pub(super) fn to_response(&self, style: RefusalStyle, date: HeaderValue) -> Response<Full<Bytes>> {
        if let Some(response) = style.write(self) {
            return with_common_headers(response, date);
        }
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
