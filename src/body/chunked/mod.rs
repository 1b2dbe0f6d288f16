//! aws-chunked: a body streamed in chunks that are signed one after the other.

mod chunk_encoder;
#[cfg(test)]
mod tests;

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http_body::SizeHint;

pub(super) use chunk_encoder::ChunkEncoder;

use super::coalesce::shown_length;
use crate::error::{Error, ErrorKind};
use crate::signing::aws_chunked::AwsChunked;
use crate::signing::streaming::signature_len;

const DECODED_CONTENT_LENGTH: HeaderName = HeaderName::from_static("x-amz-decoded-content-length");
const TRAILER: HeaderName = HeaderName::from_static("x-amz-trailer");

/// How one body of known length is cut into chunks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Framing {
    options: AwsChunked,
    /// Bytes of the body.
    decoded: u64,
    /// Bytes that are sent for it.
    encoded: u64,
}

impl Framing {
    /// # Errors
    /// [`ErrorKind::UnsupportedPayload`] for a length that is unknown or contradicts the body's own.
    pub(crate) fn new(options: AwsChunked, hint: &SizeHint, headers: &HeaderMap) -> Result<Self, Error> {
        let declared = options.decoded_length.or_else(|| hint.exact()).or_else(|| content_length(headers));
        let decoded = declared.ok_or_else(|| {
            Error::new(
                ErrorKind::UnsupportedPayload,
                "the length of a body in chunks has to be known beforehand, and this body's is not; set \
                 .decoded_length(bytes) on AwsChunked, or content-length on the request",
            )
        })?;
        if decoded < hint.lower() || hint.upper().is_some_and(|upper| decoded > upper) {
            return Err(Error::new(
                ErrorKind::UnsupportedPayload,
                format!(
                    "{decoded} bytes are declared for the body, and its own length contradicts that: {}; correct \
                     .decoded_length(bytes) on AwsChunked or the request's content-length",
                    shown_length(hint)
                ),
            ));
        }
        let encoded = encoded_length(&options, decoded).ok_or_else(|| {
            Error::new(
                ErrorKind::UnsupportedPayload,
                format!("a body of {decoded} bytes is too long to be sent in chunks; send it in parts"),
            )
        })?;
        Ok(Self { options, decoded, encoded })
    }

    /// Whether the body is empty, and chunks were not set for this request.
    pub(crate) fn is_needless(&self) -> bool {
        self.options.unless_empty && self.decoded == 0
    }

    /// The value of `x-amz-content-sha256`, with which the canonical request ends.
    pub(crate) fn content_sha256(&self) -> &'static str {
        match (self.options.signed, self.options.v4a, self.options.trailer) {
            (true, false, None) => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            (true, false, Some(_)) => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            (true, true, None) => "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
            (true, true, Some(_)) => "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER",
            (false, _, _) => "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        }
    }

    /// Sets a request's headers for a body in chunks, all but `x-amz-content-sha256`.
    pub(crate) fn declare(&self, headers: &mut HeaderMap) {
        headers.remove(TRANSFER_ENCODING);
        headers.insert(CONTENT_LENGTH, HeaderValue::from(self.encoded));
        headers.insert(DECODED_CONTENT_LENGTH, HeaderValue::from(self.decoded));
        match self.options.trailer {
            Some(algorithm) => headers.insert(TRAILER, HeaderValue::from_static(algorithm.header_name())),
            None => headers.remove(TRAILER),
        };
        let encodings = headers.get_all(CONTENT_ENCODING).iter().map(HeaderValue::as_bytes);
        let encodings = encodings.flat_map(|line| line.split(|&byte| byte == b','));
        let mut all = b"aws-chunked".to_vec();
        for encoding in encodings.map(<[u8]>::trim_ascii) {
            if !encoding.is_empty() && !encoding.eq_ignore_ascii_case(b"aws-chunked") {
                all.push(b',');
                all.extend_from_slice(encoding);
            }
        }
        // Parts of header values are a valid header value.
        let all = HeaderValue::from_bytes(&all).unwrap_or(HeaderValue::from_static("aws-chunked"));
        headers.insert(CONTENT_ENCODING, all);
    }
}

/// The `content-length` that a caller set.
pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Bytes that a body of this length takes in chunks.
fn encoded_length(options: &AwsChunked, decoded: u64) -> Option<u64> {
    const LINE_END: u64 = 2;
    let signature_len = signature_len(options.v4a) as u64;
    let signature =
        if options.signed { chunk_encoder::CHUNK_SIGNATURE.len() as u64 + signature_len } else { 0 };
    let around = |size: u64| {
        let digits = u64::from(size.checked_ilog(16).unwrap_or(0)) + 1;
        digits + signature + LINE_END
    };
    let (full, rest) = (decoded / options.chunk_size, decoded % options.chunk_size);
    let mut total = decoded.checked_add(full.checked_mul(around(options.chunk_size) + LINE_END)?)?;
    if rest > 0 {
        total = total.checked_add(around(rest) + LINE_END)?;
    }
    if let Some(algorithm) = options.trailer {
        let line = algorithm.header_name().len() as u64 + 1 + algorithm.value_len() + LINE_END;
        let signature = chunk_encoder::TRAILER_SIGNATURE.len() as u64 + signature_len + LINE_END;
        total = total.checked_add(if options.signed { line + signature } else { line })?;
    }
    total.checked_add(around(0) + LINE_END)
}
