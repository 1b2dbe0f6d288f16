//! [`RefusedResponse`]: the response to be explained.

use http::{HeaderMap, StatusCode};

/// A response that may refuse a request: status, headers, and the beginning of its body. [`diagnose`](super::diagnose)
/// explains it.
///
/// ```
/// use http::{HeaderMap, StatusCode};
/// use sigv4_middleware::diagnosis::RefusedResponse;
///
/// let headers = HeaderMap::new();
/// let refused = RefusedResponse::new(StatusCode::FORBIDDEN, &headers, br#"{"message":"Forbidden"}"#);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RefusedResponse<'a> {
    pub(super) status: StatusCode,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

impl<'a> RefusedResponse<'a> {
    /// How many bytes of a body are examined: 64 KiB. AWS's refusals are shorter.
    pub const LONGEST_BODY: usize = 64 * 1024;

    /// A response with the part of its body that was read; bytes beyond [`LONGEST_BODY`](Self::LONGEST_BODY) are ignored.
    #[must_use]
    pub fn new(status: StatusCode, headers: &'a HeaderMap, body: &'a [u8]) -> Self {
        Self { status, headers, body: &body[..body.len().min(Self::LONGEST_BODY)] }
    }
}

/// Whether requests are refused with this status: the client's errors, redirects to where a bucket is, and limits.
pub(crate) fn may_refuse(status: StatusCode) -> bool {
    let limited = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::NETWORK_AUTHENTICATION_REQUIRED];
    status.is_client_error()
        || (status.is_redirection() && status != StatusCode::NOT_MODIFIED)
        || limited.contains(&status)
}
