//! Options of S3's aws-chunked bodies: [`AwsChunked`] and [`ChecksumAlgorithm`].

use http::{HeaderMap, HeaderName};

use crate::error::{Error, ErrorKind};

/// Bytes of a chunk by default, and the fewest that S3 takes.
const DEFAULT_CHUNK: u64 = 64 * 1024;
const SMALLEST_CHUNK: u64 = 8 * 1024;

/// How a body is sent in chunks ([`PayloadMode::AwsChunked`](crate::PayloadMode::AwsChunked)): signed, or with a
/// checksum after it, or both.
///
/// The body is streamed, with no more than one chunk in memory. Its length has to be known beforehand: by
/// an exact [`size_hint`](http_body::Body::size_hint), by [`decoded_length`](Self::decoded_length), or by the request's
/// `content-length`, which is replaced by the length of what is sent. A body that turns out to be shorter or longer is
/// cut off before its end, so that no server takes it.
///
/// By [AWS's rules for S3](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html), whose PutObject and
/// UploadPart take it. The signer cannot send such a body a second time, see
/// [`retry_on_auth_error`]. Headers for checksums (`x-amz-checksum-*`, `x-amz-sdk-checksum-algorithm`) that contradict
/// the trailer, or repeat it, are an error of kind [`ErrorKind::UnsupportedPayload`], since S3 refuses them.
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
/// [`retry_on_auth_error`]: crate::SignerBuilder::retry_on_auth_error
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

    /// Sends a checksum of the body after it, computed while it is sent, and signed if the chunks are.
    #[must_use]
    pub fn trailer(self, algorithm: ChecksumAlgorithm) -> Self {
        Self { trailer: Some(algorithm), ..self }
    }

    /// Bytes of each chunk but the last; 64 KiB by default, and at least 8 KiB. As much is held in memory.
    #[must_use]
    pub fn chunk_size(self, bytes: u64) -> Self {
        Self { chunk_size: bytes, ..self }
    }

    /// The length in bytes of a body without an exact size hint, before it is cut into chunks.
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

/// A checksum that S3 compares with what it received, sent in a trailer after the body.
///
/// The CRCs and SHA-1 need the crate's feature `checksums`. Of them all CRC-64/NVME and CRC-32C cost least; S3 itself
/// keeps CRC-64/NVME by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChecksumAlgorithm {
    /// `x-amz-checksum-crc32`
    #[cfg(feature = "checksums")]
    Crc32,
    /// `x-amz-checksum-crc32c`
    #[cfg(feature = "checksums")]
    Crc32c,
    /// `x-amz-checksum-crc64nvme`
    #[cfg(feature = "checksums")]
    Crc64Nvme,
    /// `x-amz-checksum-sha1`
    #[cfg(feature = "checksums")]
    Sha1,
    /// `x-amz-checksum-sha256`
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
