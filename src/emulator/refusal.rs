//! Why the gateway refuses a request: API Gateway's statuses, error types and messages.

use http::StatusCode;

use super::clock::Seconds;

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
}
