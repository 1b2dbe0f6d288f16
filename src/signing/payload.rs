//! How a body enters the signature: [`PayloadMode`], [`Payload`] and the payload hash.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::HeaderValue;
#[cfg(feature = "event-stream")]
use http::header::{CONTENT_TYPE, HeaderMap};
use sha2::{Digest, Sha256};

use super::aws_chunked::AwsChunked;
use super::keys::hex;
use crate::error::{Error, ErrorKind};

/// `x-amz-content-sha256` of a payload that is not signed.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// The SHA-256 of nothing, in hex.
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The media type of an event stream.
#[cfg(feature = "event-stream")]
pub(crate) const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";

/// `x-amz-content-sha256` of an event stream, and the last line of its canonical request.
#[cfg(feature = "event-stream")]
const EVENTS_SHA256: &str = "STREAMING-AWS4-HMAC-SHA256-EVENTS";

/// How a request's body is signed and sent: for a whole signer by
/// [`payload_mode`](crate::SignerBuilder::payload_mode), or for one request in its extensions.
///
/// ```
/// use sigv4_middleware::PayloadMode;
///
/// let request = http::Request::put("https://bucket.s3.eu-west-1.amazonaws.com/film.mkv")
///     .extension(PayloadMode::Unsigned)
///     .body("its bytes")?;
/// # Ok::<(), http::Error>(())
/// ```
///
/// [`retry_on_auth_error`](crate::SignerBuilder::retry_on_auth_error) lists the bodies that can be sent a second time.
///
/// # A request that declares its payload
/// A request may declare its payload by an `x-amz-content-sha256` header of its own. `UNSIGNED-PAYLOAD` is taken as
/// [`Unsigned`](Self::Unsigned). A SHA-256 in hex is compared with the body's, before it is sent, if the body is known to
/// fit in memory; a longer body, or one of unknown length, is sent as [`Sha256`](Self::Sha256). The header takes
/// precedence over the signer's payload mode. If it contradicts the request's own payload mode, that is an error of kind
/// [`ErrorKind::UnsupportedPayload`]. On a request that was signed before, which has a SigV4 Authorization header, an
/// `x-amz-date` or an `X-Amz-Signature` parameter, the header belongs to that signature and is replaced.
///
/// # AWS documentation
/// Amazon S3 API Reference: ["Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)"][s3], on
/// the values of `x-amz-content-sha256`.
///
/// [s3]: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PayloadMode {
    /// The body is read into memory, up to the signer's [limit](crate::SignerBuilder::body_limit), and its SHA-256 is
    /// signed. The default.
    #[default]
    Buffered,
    /// The body is streamed, and this SHA-256 is signed: 32 raw bytes, not hex.
    ///
    /// The server refuses the request if the body has another hash.
    ///
    /// ```
    /// use sha2::{Digest, Sha256};
    /// use sigv4_middleware::PayloadMode;
    ///
    /// let mode = PayloadMode::Sha256(Sha256::digest("the whole body").into());
    /// ```
    Sha256([u8; 32]),
    /// As [`Sha256`](Self::Sha256), and the body is hashed while it is sent: a body with another hash, or of another length
    /// than the request's `content-length`, is cut off before its end, with an error of kind
    /// [`ErrorKind::BodyMismatch`].
    ///
    /// For servers that do not check the hash. The last frame is held back until the body has ended.
    Sha256Checked([u8; 32]),
    /// The body is streamed, and not signed (`UNSIGNED-PAYLOAD`): for S3 and VPC Lattice, over https only, unless
    /// [`allow_unsigned_over_http`](crate::SignerBuilder::allow_unsigned_over_http) is set.
    ///
    /// VPC Lattice takes no other payload: Amazon VPC Lattice User Guide, ["SIGv4 authenticated requests for Amazon VPC
    /// Lattice"](https://docs.aws.amazon.com/vpc-lattice/latest/ug/sigv4-authenticated-requests.html).
    Unsigned,
    /// The body is streamed in chunks, each signed or the whole followed by a checksum: for S3.
    ///
    /// Set for a whole signer, it applies to PUT requests that have a body, since S3 takes no others in chunks; other
    /// requests are buffered.
    AwsChunked(AwsChunked),
    /// The body is an event stream (`application/vnd.amazon.eventstream`) and is streamed, each of its messages in a signed
    /// envelope: for Amazon Transcribe, Amazon Lex and Amazon Bedrock, over HTTP/2.
    ///
    /// The body consists of encoded messages, in frames of any size. Each message is sent once it is complete, with a date
    /// from the signer's clock. After the last one an empty message ends the stream. SigV4 only. The signer cannot send
    /// such a body a second time, see [`retry_on_auth_error`](crate::SignerBuilder::retry_on_auth_error).
    ///
    /// Set for a whole signer, it applies to requests of that content type; other requests are buffered.
    ///
    /// ```
    /// use aws_smithy_eventstream::frame::write_message_to;
    /// use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
    /// use futures_util::{StreamExt, stream};
    /// use http_body_util::StreamBody;
    /// use sigv4_middleware::PayloadMode;
    ///
    /// let audio = stream::iter(["PCM", "samples"]).map(|samples| {
    ///     let message = Message::new(samples)
    ///         .add_header(Header::new(":message-type", HeaderValue::String("event".into())))
    ///         .add_header(Header::new(":event-type", HeaderValue::String("AudioEvent".into())));
    ///     let mut encoded = Vec::new();
    ///     write_message_to(&message, &mut encoded)?;
    ///     Ok::<_, aws_smithy_eventstream::error::Error>(http_body::Frame::data(bytes::Bytes::from(encoded)))
    /// });
    /// let url = "https://transcribestreaming.eu-west-1.amazonaws.com/stream-transcription";
    /// let request = http::Request::post(url)
    ///     .header("content-type", "application/vnd.amazon.eventstream")
    ///     .header("x-amzn-transcribe-language-code", "en-US")
    ///     .extension(PayloadMode::EventStream)
    ///     .body(StreamBody::new(audio))?;
    /// # Ok::<(), http::Error>(())
    /// ```
    ///
    /// # Errors
    /// A message that is longer than 24 MiB, malformed or incomplete ends the body with an error of kind
    /// [`ErrorKind::BodyMismatch`].
    ///
    /// # AWS documentation
    /// Amazon Transcribe Developer Guide: ["Setting up a streaming transcription"][transcribe].
    ///
    /// [transcribe]: https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html
    #[cfg(feature = "event-stream")]
    EventStream,
}

impl PayloadMode {
    /// Whether the body is sent in frames of the signer's making: chunks, or the envelopes of an event stream.
    pub(crate) fn is_framed(&self) -> bool {
        match self {
            Self::AwsChunked(_) => true,
            #[cfg(feature = "event-stream")]
            Self::EventStream => true,
            Self::Buffered | Self::Sha256(_) | Self::Sha256Checked(_) | Self::Unsigned => false,
        }
    }

    /// The name of the variant, for error messages.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Buffered => "Buffered",
            Self::Sha256(_) => "Sha256",
            Self::Sha256Checked(_) => "Sha256Checked",
            Self::Unsigned => "Unsigned",
            Self::AwsChunked(_) => "AwsChunked",
            #[cfg(feature = "event-stream")]
            Self::EventStream => "EventStream",
        }
    }
}

/// How the body of one request is read and sent.
#[derive(Clone, Debug)]
pub(crate) struct BodyMode {
    pub(crate) payload: PayloadMode,
    /// The hash that the caller declared by `x-amz-content-sha256`, where no payload mode is set: a body that cannot be
    /// held in memory is sent as [`PayloadMode::Sha256`].
    pub(crate) declared_sha256: Option<[u8; 32]>,
    /// Whether the service takes this request's body as [`PayloadMode::AwsChunked`].
    pub(crate) takes_aws_chunked: bool,
}

#[cfg(test)]
impl From<PayloadMode> for BodyMode {
    fn from(payload: PayloadMode) -> Self {
        Self { payload, declared_sha256: None, takes_aws_chunked: false }
    }
}

/// The payload that [`Signer::sign`](crate::Signer::sign) signs: bytes, a known SHA-256, or none (unsigned).
///
/// Made by `From` from anything that holds bytes, or by one of the functions here.
///
/// ```
/// use sha2::{Digest, Sha256};
/// use sigv4_middleware::Payload;
///
/// let of_bytes = Payload::from(r#"{"order":1}"#);
/// let of_hash = Payload::sha256(Sha256::digest(r#"{"order":1}"#).into());
/// let empty = Payload::empty();
/// # let _ = (of_bytes, of_hash, empty);
/// ```
#[derive(Clone, Copy)]
pub struct Payload<'a>(Repr<'a>);

#[derive(Clone, Copy)]
enum Repr<'a> {
    Bytes(&'a [u8]),
    Frames(&'a [Bytes]),
    Sha256([u8; 32]),
    Unsigned,
    Chunked(&'static str),
}

impl<'a> Payload<'a> {
    /// A body in memory, in pieces.
    pub(crate) fn frames(frames: &'a [Bytes]) -> Self {
        match frames {
            [] => Self(Repr::Bytes(&[])),
            [frame] => Self(Repr::Bytes(frame)),
            frames => Self(Repr::Frames(frames)),
        }
    }
}

impl Payload<'_> {
    /// The payload of a request without a body.
    #[must_use]
    pub fn empty() -> Self {
        Self(Repr::Bytes(&[]))
    }

    /// The payload of a body whose SHA-256 is known: 32 raw bytes, not hex.
    #[must_use]
    pub fn sha256(sha256: [u8; 32]) -> Self {
        Self(Repr::Sha256(sha256))
    }

    /// A payload that is not signed: `UNSIGNED-PAYLOAD`, for S3 and VPC Lattice, over https only, unless
    /// [`allow_unsigned_over_http`](crate::SignerBuilder::allow_unsigned_over_http) is set.
    #[must_use]
    pub fn unsigned() -> Self {
        Self(Repr::Unsigned)
    }

    /// A body in chunks, by its value of `x-amz-content-sha256`.
    pub(crate) fn chunked(content_sha256: &'static str) -> Self {
        Self(Repr::Chunked(content_sha256))
    }

    #[cfg(feature = "event-stream")]
    pub(crate) fn event_stream() -> Self {
        Self(Repr::Chunked(EVENTS_SHA256))
    }

    #[cfg(feature = "event-stream")]
    pub(crate) fn is_event_stream(&self) -> bool {
        matches!(self.0, Repr::Chunked(EVENTS_SHA256))
    }

    pub(crate) fn is_unsigned(&self) -> bool {
        match self.0 {
            Repr::Unsigned => true,
            Repr::Chunked(content_sha256) => content_sha256.starts_with("STREAMING-UNSIGNED-"),
            Repr::Bytes(_) | Repr::Frames(_) | Repr::Sha256(_) => false,
        }
    }

    /// Whether it is bytes, which no caller chose to have hashed or unsigned.
    pub(crate) fn is_bytes(&self) -> bool {
        matches!(self.0, Repr::Bytes(_) | Repr::Frames(_))
    }

    /// Whether its SHA-256 is signed.
    pub(crate) fn is_hashed(&self) -> bool {
        matches!(self.0, Repr::Bytes(_) | Repr::Sha256(_))
    }

    pub(crate) fn is_chunked(&self) -> bool {
        matches!(self.0, Repr::Chunked(_))
    }

    /// How many bytes are hashed for it.
    pub(crate) fn hashed_len(&self) -> usize {
        match self.0 {
            Repr::Bytes(bytes) => bytes.len(),
            Repr::Frames(frames) => frames.iter().map(Bytes::len).sum(),
            _ => 0,
        }
    }

    /// What the canonical request ends with.
    pub(crate) fn hash(&self) -> PayloadHash {
        match self.0 {
            Repr::Bytes([]) => PayloadHash::Text(EMPTY_SHA256),
            Repr::Bytes(bytes) => PayloadHash::Hex(hex(&Sha256::digest(bytes).into())),
            Repr::Frames(frames) => {
                let mut hasher = Sha256::new();
                frames.iter().for_each(|frame| hasher.update(frame));
                PayloadHash::Hex(hex(&hasher.finalize().into()))
            }
            Repr::Sha256(sha256) => PayloadHash::Hex(hex(&sha256)),
            Repr::Unsigned => PayloadHash::Text(UNSIGNED),
            Repr::Chunked(content_sha256) => PayloadHash::Text(content_sha256),
        }
    }
}

impl<'a> From<&'a [u8]> for Payload<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(Repr::Bytes(bytes))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Payload<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self(Repr::Bytes(bytes))
    }
}

impl<'a> From<&'a str> for Payload<'a> {
    fn from(text: &'a str) -> Self {
        Self(Repr::Bytes(text.as_bytes()))
    }
}

impl<'a> From<&'a String> for Payload<'a> {
    fn from(text: &'a String) -> Self {
        Self(Repr::Bytes(text.as_bytes()))
    }
}

impl<'a> From<&'a Vec<u8>> for Payload<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self(Repr::Bytes(bytes))
    }
}

impl<'a> From<&'a Bytes> for Payload<'a> {
    fn from(bytes: &'a Bytes) -> Self {
        Self(Repr::Bytes(bytes))
    }
}

impl<'a> From<&'a Cow<'_, [u8]>> for Payload<'a> {
    fn from(bytes: &'a Cow<'_, [u8]>) -> Self {
        Self(Repr::Bytes(bytes))
    }
}

impl fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Repr::Bytes(bytes) => write!(f, "Payload({} bytes)", bytes.len()),
            Repr::Frames(frames) => {
                write!(f, "Payload({} bytes)", frames.iter().map(Bytes::len).sum::<usize>())
            }
            Repr::Sha256(_) => f.write_str("Payload(sha256)"),
            Repr::Unsigned => f.write_str("Payload(unsigned)"),
            Repr::Chunked(content_sha256) => write!(f, "Payload({content_sha256})"),
        }
    }
}

/// The last line of a canonical request, and the value of `x-amz-content-sha256`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PayloadHash {
    Text(&'static str),
    Hex([u8; 64]),
}

impl PayloadHash {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Hex(hex) => hex,
        }
    }

    pub(crate) fn to_header(self) -> Result<HeaderValue, Error> {
        // Constants are checked when this is compiled.
        const OF_UNSIGNED: HeaderValue = HeaderValue::from_static(UNSIGNED);
        const OF_EMPTY: HeaderValue = HeaderValue::from_static(EMPTY_SHA256);
        match self {
            Self::Text(UNSIGNED) => Ok(OF_UNSIGNED),
            Self::Text(EMPTY_SHA256) => Ok(OF_EMPTY),
            Self::Text(text) => Ok(HeaderValue::from_static(text)),
            Self::Hex(hex) => HeaderValue::from_bytes(&hex).map_err(|error| {
                Error::with_source(ErrorKind::UnsupportedPayload, "the payload hash is not text", error)
            }),
        }
    }
}

/// Whether `content-type` is that of an event stream.
#[cfg(feature = "event-stream")]
pub(crate) fn is_event_stream(headers: &HeaderMap) -> bool {
    let Some(Ok(value)) = headers.get(CONTENT_TYPE).map(HeaderValue::to_str) else { return false };
    let media_type = value.split_once(';').map_or(value, |(media_type, _)| media_type);
    media_type.trim().eq_ignore_ascii_case(EVENT_STREAM)
}
