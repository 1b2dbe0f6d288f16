//! The gateway's responses.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

use super::refusal::Refusal;
use super::style::RefusalStyle;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// The response for a refusal.
pub(super) fn refused(refusal: &Refusal, style: RefusalStyle, date: HeaderValue) -> Response<Full<Bytes>> {
    with_common_headers(style.write(refusal), date)
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
