//! Options of S3's aws-chunked bodies: [`AwsChunked`] and [`ChecksumAlgorithm`].

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
    pub(crate) signed: bool,
    pub(crate) trailer: Option<ChecksumAlgorithm>,
    pub(crate) chunk_size: u64,
    pub(crate) decoded_length: Option<u64>,
    /// Whether the request is signed with SigV4a; known when it is.
    pub(crate) v4a: bool,
    /// Whether this was said of a whole signer, and so of requests that upload nothing as well; known when one is
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
