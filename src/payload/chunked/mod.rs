//! aws-chunked: a body sent as it comes, in chunks that are signed one after the other.

mod framer;
#[cfg(test)]
mod tests;

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http_body::SizeHint;

pub(super) use framer::Framer;

use super::checksum::ChecksumAlgorithm;
use crate::chain::signature_len;
use crate::error::{Error, ErrorKind};

pub(crate) const DECODED_CONTENT_LENGTH: HeaderName = HeaderName::from_static("x-amz-decoded-content-length");
pub(crate) const TRAILER: HeaderName = HeaderName::from_static("x-amz-trailer");

/// Bytes of a chunk where nothing else is said, and the fewest S3 takes.
const DEFAULT_CHUNK: u64 = 64 * 1024;
const SMALLEST_CHUNK: u64 = 8 * 1024;

/// How a body is sent in chunks ([`PayloadMode::AwsChunked`](crate::PayloadMode::AwsChunked)): signed, or with a
/// checksum after it, or both.
///
/// The body is sent as it comes and never held in memory beyond one chunk. Its length has to be known beforehand: by
/// an exact [`size_hint`](http_body::Body::size_hint), by [`decoded_length`](Self::decoded_length), or by the request's
/// `content-length`, which is replaced by the length of what is sent. A body that turns out to be shorter or longer is
/// cut off before its end, so that no server takes it.
///
/// By [AWS's rules for S3](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html), whose PutObject and
/// UploadPart take it. Such a body cannot be sent a second time by the signer's own [recovery].
///
/// ```
/// use sigv4_middleware::{AwsChunked, ChecksumAlgorithm, PayloadMode};
///
/// let upload = AwsChunked::signed().trailer(ChecksumAlgorithm::Sha256).chunk_size(256 * 1024);
/// let request = http::Request::put("https://bucket.s3.eu-west-1.amazonaws.com/film.mkv")
///     .extension(PayloadMode::AwsChunked(upload))
///     .body("its bytes")?;
/// # Ok::<(), http::Error>(())
/// ```
///
/// [recovery]: crate::SignerBuilder::recovery
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AwsChunked {
    signed: bool,
    trailer: Option<ChecksumAlgorithm>,
    chunk_size: u64,
    decoded_length: Option<u64>,
    /// Whether the request is signed with SigV4a; known when it is.
    v4a: bool,
    /// Whether this was said of a whole signer, and so of requests that upload nothing as well; known when one is
    /// signed.
    unless_empty: bool,
}

impl AwsChunked {
    /// Every chunk is signed: `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`, or with a [`trailer`](Self::trailer)
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`; with SigV4a `STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD` and so on.
    #[must_use]
    pub fn signed() -> Self {
        Self {
            signed: true,
            trailer: None,
            chunk_size: DEFAULT_CHUNK,
            decoded_length: None,
            v4a: false,
            unless_empty: false,
        }
    }

    /// The body is not signed, and a checksum is sent after it: `STREAMING-UNSIGNED-PAYLOAD-TRAILER`, over https only
    /// unless [allowed](crate::SignerBuilder::allow_unsigned_over_http). What the AWS SDKs do over https.
    #[must_use]
    pub fn unsigned(trailer: ChecksumAlgorithm) -> Self {
        Self { signed: false, trailer: Some(trailer), ..Self::signed() }
    }

    /// Sends a checksum of the body after it, computed on the way, and signed where the chunks are.
    #[must_use]
    pub fn trailer(self, algorithm: ChecksumAlgorithm) -> Self {
        Self { trailer: Some(algorithm), ..self }
    }

    /// Bytes of each chunk but the last; 64 KiB by default, and at least 8 KiB. As much is held in memory.
    #[must_use]
    pub fn chunk_size(self, bytes: u64) -> Self {
        Self { chunk_size: bytes, ..self }
    }

    /// The body's length in bytes, as it comes from its source, where the body itself cannot tell.
    #[must_use]
    pub fn decoded_length(self, bytes: u64) -> Self {
        Self { decoded_length: Some(bytes), ..self }
    }

    pub(crate) fn for_v4a(self, v4a: bool) -> Self {
        Self { v4a, ..self }
    }

    pub(crate) fn unless_empty(self, unless_empty: bool) -> Self {
        Self { unless_empty, ..self }
    }

    /// What is wrong with these settings, if anything.
    pub(crate) fn refusal(&self) -> Option<String> {
        (self.chunk_size < SMALLEST_CHUNK).then(|| {
            format!("chunks of {} bytes are too small: S3 takes {SMALLEST_CHUNK} and more", self.chunk_size)
        })
    }
}

/// How one body of known length is framed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Framing {
    options: AwsChunked,
    /// Bytes of the body.
    decoded: u64,
    /// Bytes of what is sent.
    encoded: u64,
}

impl Framing {
    /// # Errors
    /// [`ErrorKind::Payload`] for a length that is not known or contradicts the body's own.
    pub(crate) fn new(options: AwsChunked, hint: &SizeHint, headers: &HeaderMap) -> Result<Self, Error> {
        let said = options.decoded_length.or_else(|| hint.exact()).or_else(|| content_length(headers));
        let decoded = said.ok_or_else(|| {
            Error::new(
                ErrorKind::Payload,
                "a body in chunks has to tell its length beforehand, and this one does not: say \
                 .decoded_length(bytes) on AwsChunked, or content-length on the request",
            )
        })?;
        if decoded < hint.lower() || hint.upper().is_some_and(|upper| decoded > upper) {
            return Err(Error::new(
                ErrorKind::Payload,
                format!("the body is said to have {decoded} bytes, and itself says otherwise: {hint:?}"),
            ));
        }
        let encoded = encoded_length(&options, decoded).ok_or_else(|| {
            Error::new(ErrorKind::Payload, format!("a body of {decoded} bytes is too long to be sent"))
        })?;
        Ok(Self { options, decoded, encoded })
    }

    /// Whether the body is empty, and nobody asked for such a one in chunks.
    pub(crate) fn is_needless(&self) -> bool {
        self.options.unless_empty && self.decoded == 0
    }

    /// What `x-amz-content-sha256` says, and the canonical request ends with.
    pub(crate) fn content_sha256(&self) -> &'static str {
        match (self.options.signed, self.options.v4a, self.options.trailer) {
            (true, false, None) => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            (true, false, Some(_)) => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            (true, true, None) => "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
            (true, true, Some(_)) => "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER",
            (false, _, _) => "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        }
    }

    /// Makes a request's headers say how its body is framed, all but `x-amz-content-sha256`.
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
        // What header values are made of makes a header value.
        let all = HeaderValue::from_bytes(&all).unwrap_or(HeaderValue::from_static("aws-chunked"));
        headers.insert(CONTENT_ENCODING, all);
    }
}

/// The `content-length` that a caller gave.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Bytes that a body of this length takes in chunks.
fn encoded_length(options: &AwsChunked, decoded: u64) -> Option<u64> {
    const LINE_END: u64 = 2;
    let signature_len = signature_len(options.v4a) as u64;
    let signature = if options.signed { framer::CHUNK_SIGNATURE.len() as u64 + signature_len } else { 0 };
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
        let signature = framer::TRAILER_SIGNATURE.len() as u64 + signature_len + LINE_END;
        total = total.checked_add(if options.signed { line + signature } else { line })?;
    }
    total.checked_add(around(0) + LINE_END)
}
