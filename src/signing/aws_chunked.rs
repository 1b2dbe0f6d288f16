//! Options of S3's aws-chunked bodies: [`AwsChunked`] and [`ChecksumAlgorithm`].

use http::{HeaderMap, HeaderName};

use crate::error::{Error, ErrorKind};

/// Bytes of a chunk by default, and the fewest that S3 takes.
const DEFAULT_CHUNK: u64 = 64 * 1024;
const SMALLEST_CHUNK: u64 = 8 * 1024;

/// Options of a body that is sent in chunks ([`PayloadMode::AwsChunked`](crate::PayloadMode::AwsChunked)): chunks that are
/// signed, a checksum after the body, or both.
///
/// S3's PutObject and UploadPart take such bodies. The body is streamed, with no more than one chunk in memory. Its length
/// in bytes has to be known beforehand: from an exact [`size_hint`](http_body::Body::size_hint), from
/// [`decoded_length`](Self::decoded_length), or from the request's `content-length`, which is replaced by the length of what
/// is sent. The signer cannot send such a body a second time, see [`retry_on_auth_error`].
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
/// # Errors
/// - [`ErrorKind::UnsupportedPayload`]: the body's length is not known; chunks are smaller than 8 KiB; or headers for
///   checksums (`x-amz-checksum-*`, `x-amz-sdk-checksum-algorithm`, `x-amz-trailer`) contradict or repeat the trailer, which
///   S3 refuses.
/// - [`ErrorKind::BodyMismatch`]: the body is shorter or longer than declared. It is cut off before its end, so that no
///   server accepts it.
///
/// # AWS documentation
/// Amazon S3 API Reference: ["Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks
/// (Chunked Upload) (AWS Signature Version 4)"][chunks] and ["Signature calculations for trailing headers (chunked uploads)
/// (AWS Signature Version 4)"][trailers].
///
/// [`retry_on_auth_error`]: crate::SignerBuilder::retry_on_auth_error
/// [chunks]: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
/// [trailers]: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AwsChunked {
    pub(crate) signed: bool,
    pub(crate) trailer: Option<ChecksumAlgorithm>,
    pub(crate) chunk_size: u64,
    pub(crate) decoded_length: Option<u64>,
    /// Whether the request is signed with SigV4a; set when it is signed.
    pub(crate) v4a: bool,
    /// Whether these are the options of a whole signer, and so of requests that upload nothing as well; set when one is
    /// signed.
    pub(crate) unless_empty: bool,
}

impl AwsChunked {
    /// A body whose chunks are signed.
    ///
    /// `x-amz-content-sha256` is `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`, or with a [`trailer`](Self::trailer)
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`. For SigV4a these are `STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD` and
    /// `STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER`.
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

    /// A body that is not signed, with a checksum after it, as the AWS SDKs send it over https.
    ///
    /// `x-amz-content-sha256` is `STREAMING-UNSIGNED-PAYLOAD-TRAILER`. Over https only, unless
    /// [`allow_unsigned_over_http`](crate::SignerBuilder::allow_unsigned_over_http) is set.
    #[must_use]
    pub fn unsigned(trailer: ChecksumAlgorithm) -> Self {
        Self { signed: false, trailer: Some(trailer), ..Self::signed() }
    }

    /// Sets the checksum that is sent after the body. It is computed while the body is sent, and signed if the chunks are.
    #[must_use]
    pub fn trailer(self, algorithm: ChecksumAlgorithm) -> Self {
        Self { trailer: Some(algorithm), ..self }
    }

    /// Sets the bytes of each chunk but the last; 64 KiB by default, at least 8 KiB. One chunk is held in memory.
    #[must_use]
    pub fn chunk_size(self, bytes: u64) -> Self {
        Self { chunk_size: bytes, ..self }
    }

    /// Sets the length, in bytes, of a body without an exact size hint, before it is divided into chunks.
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
            format!(
                "chunks of {} bytes are too small for S3; set .chunk_size({SMALLEST_CHUNK}) or more",
                self.chunk_size
            )
        })
    }

    /// Refuses headers for checksums that S3 would not take with a body in these chunks.
    ///
    /// S3 takes one checksum: in a header or in a trailer, not in both, even of the same algorithm; and
    /// `x-amz-sdk-checksum-algorithm` has to name it.
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedPayload`]
    pub(crate) fn check_checksum_headers(&self, headers: &HeaderMap) -> Result<(), Error> {
        let refused = |message: String| Err(Error::new(ErrorKind::UnsupportedPayload, message));
        let mut given = headers.keys().filter(|name| is_checksum(name.as_str()));
        let header = given.next();
        if let (Some(one), Some(other)) = (header, given.next()) {
            return refused(format!(
                "the request has both {one} and {other}, and S3 takes one checksum; remove one"
            ));
        }
        let trailer = self.trailer.map(ChecksumAlgorithm::header_name);
        if let (Some(header), Some(trailer)) = (header, trailer) {
            return refused(format!(
                "the request has the header {header}, and {trailer} is to be sent after its body, and S3 takes one \
                 checksum; remove the header, or send the chunks without a trailer: AwsChunked::signed()"
            ));
        }
        let other_trailer = headers.get_all("x-amz-trailer").iter().find(|value| {
            trailer.is_none_or(|trailer| !value.as_bytes().eq_ignore_ascii_case(trailer.as_bytes()))
        });
        if other_trailer.is_some() {
            return refused(
                "the request's x-amz-trailer does not name the checksum that is sent after its body; remove the header, \
                 and set the checksum by .trailer(…) on AwsChunked"
                    .to_owned(),
            );
        }
        let sent = trailer.or(header.map(HeaderName::as_str)).and_then(|name| name.strip_prefix(CHECKSUM));
        let other_algorithm = headers
            .get_all("x-amz-sdk-checksum-algorithm")
            .iter()
            .find(|value| sent.is_none_or(|sent| !value.as_bytes().eq_ignore_ascii_case(sent.as_bytes())));
        if other_algorithm.is_some() {
            return refused(
                "the request's x-amz-sdk-checksum-algorithm does not name the checksum that is sent; remove the header, or \
                 set that checksum by .trailer(…) on AwsChunked"
                    .to_owned(),
            );
        }
        Ok(())
    }
}

/// How the names of checksum headers begin.
const CHECKSUM: &str = "x-amz-checksum-";

/// Whether a header carries a checksum; `x-amz-checksum-mode`, `-type` and `-algorithm` do not.
fn is_checksum(name: &str) -> bool {
    name.strip_prefix(CHECKSUM).is_some_and(|rest| !matches!(rest, "mode" | "type" | "algorithm"))
}

/// A checksum that is sent in a trailer after the body, and that S3 compares with the body it received.
///
/// The CRCs and SHA-1 need the crate's feature `checksums`. CRC-64/NVME and CRC-32C take the least time. S3 itself stores
/// CRC-64/NVME by default.
///
/// ```
/// use sigv4_middleware::{AwsChunked, ChecksumAlgorithm};
///
/// let upload = AwsChunked::unsigned(ChecksumAlgorithm::Sha256);
/// assert_eq!(ChecksumAlgorithm::Sha256.header_name(), "x-amz-checksum-sha256");
/// ```
///
/// # AWS documentation
/// Amazon S3 User Guide: ["Checking object integrity in Amazon S3"][integrity].
///
/// [integrity]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChecksumAlgorithm {
    /// CRC-32: `x-amz-checksum-crc32`.
    #[cfg(feature = "checksums")]
    Crc32,
    /// CRC-32C: `x-amz-checksum-crc32c`.
    #[cfg(feature = "checksums")]
    Crc32c,
    /// CRC-64/NVME: `x-amz-checksum-crc64nvme`.
    #[cfg(feature = "checksums")]
    Crc64Nvme,
    /// SHA-1: `x-amz-checksum-sha1`.
    #[cfg(feature = "checksums")]
    Sha1,
    /// SHA-256: `x-amz-checksum-sha256`.
    Sha256,
}

impl ChecksumAlgorithm {
    /// The trailer's name, `x-amz-checksum-…`.
    #[must_use]
    pub fn header_name(self) -> &'static str {
        match self {
            #[cfg(feature = "checksums")]
            Self::Crc32 => "x-amz-checksum-crc32",
            #[cfg(feature = "checksums")]
            Self::Crc32c => "x-amz-checksum-crc32c",
            #[cfg(feature = "checksums")]
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            #[cfg(feature = "checksums")]
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// Bytes of the trailer's value, which is base64 of the checksum.
    pub(crate) fn value_len(self) -> u64 {
        match self {
            #[cfg(feature = "checksums")]
            Self::Crc32 | Self::Crc32c => 8,
            #[cfg(feature = "checksums")]
            Self::Crc64Nvme => 12,
            #[cfg(feature = "checksums")]
            Self::Sha1 => 28,
            Self::Sha256 => 44,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(options: AwsChunked, given: &[(&'static str, &'static str)]) -> Result<(), String> {
        let header = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let checked = options.check_checksum_headers(&given.iter().map(header).collect());
        checked.map_err(|error| {
            assert_eq!(error.kind(), ErrorKind::UnsupportedPayload);
            error.to_string()
        })
    }

    #[test]
    fn one_checksum_is_sent() {
        let (plain, trailer) = (AwsChunked::signed(), AwsChunked::unsigned(ChecksumAlgorithm::Sha256));
        for (options, given) in [
            (plain, &[][..]),
            (trailer, &[]),
            (plain, &[("x-amz-checksum-sha1", "x")]),
            (plain, &[("x-amz-checksum-sha1", "x"), ("x-amz-sdk-checksum-algorithm", "SHA1")]),
            (plain, &[("x-amz-checksum-crc64nvme", "x"), ("x-amz-sdk-checksum-algorithm", "CRC64NVME")]),
            (trailer, &[("x-amz-sdk-checksum-algorithm", "SHA256")]),
            (trailer, &[("x-amz-trailer", "x-amz-checksum-sha256")]),
            (trailer, &[("x-amz-checksum-mode", "ENABLED"), ("x-amz-checksum-type", "FULL_OBJECT")]),
        ] {
            check(options, given).unwrap_or_else(|error| panic!("{given:?}: {error}"));
        }
        for (options, given, word) in [
            (trailer, &[("x-amz-checksum-sha1", "x")][..], "x-amz-checksum-sha1"),
            (trailer, &[("x-amz-checksum-sha256", "x")], "AwsChunked::signed()"),
            (trailer, &[("x-amz-sdk-checksum-algorithm", "SHA1")], "x-amz-sdk-checksum-algorithm"),
            (trailer, &[("x-amz-trailer", "x-amz-checksum-sha1")], "x-amz-trailer"),
            (plain, &[("x-amz-trailer", "x-amz-checksum-sha1")], "x-amz-trailer"),
            (plain, &[("x-amz-sdk-checksum-algorithm", "SHA1")], ".trailer("),
            (plain, &[("x-amz-checksum-sha1", "x"), ("x-amz-sdk-checksum-algorithm", "CRC32")], ".trailer("),
            (plain, &[("x-amz-checksum-sha1", "x"), ("x-amz-checksum-crc32", "x")], "remove one"),
        ] {
            let error = check(options, given).expect_err("is refused");
            assert!(error.contains(word), "{given:?}: {error}");
        }
    }
}
