//! A body on its way through an edge: read into memory or left as it is, by the payload mode.

use http::Method;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use http_body::Body;

use super::chunked::Framing;
#[cfg(feature = "event-stream")]
use super::event_stream;
use super::{BufferLimits, Buffered, CheckedBody, FramedBody, Payload, PayloadMode, buffer};
use crate::body::SignedBody;
use crate::error::{BoxError, Error};
use crate::signature::Attempt;

/// A body that can be signed, and sent once or, where it is in memory, again.
pub(crate) enum Sending<B> {
    Buffered(Buffered),
    /// No body, in a mode that would send one as it comes.
    Empty(Payload<'static>),
    AsIs {
        body: Option<B>,
        payload: Payload<'static>,
    },
    Checked {
        body: Option<CheckedBody<B>>,
        sha256: [u8; 32],
    },
    Chunked {
        body: Option<B>,
        framing: Framing,
    },
    #[cfg(feature = "event-stream")]
    EventStream {
        body: Option<B>,
    },
}

impl<B> Sending<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    /// `headers` are the request's own, which may tell the body's length.
    pub(crate) async fn new(
        body: B,
        mode: &PayloadMode,
        limits: BufferLimits,
        headers: &HeaderMap,
    ) -> Result<Self, Error> {
        Ok(match mode {
            PayloadMode::Buffered => Self::Buffered(buffer(body, limits).await?),
            PayloadMode::Sha256(sha256) => Self::as_is(body, Payload::sha256(*sha256)),
            PayloadMode::Sha256Checked(sha256) => {
                let empty = body.is_end_stream();
                let body = CheckedBody::new(body, *sha256)?;
                if empty {
                    Self::Empty(Payload::sha256(*sha256))
                } else {
                    Self::Checked { body: Some(body), sha256: *sha256 }
                }
            }
            PayloadMode::Unsigned => Self::as_is(body, Payload::unsigned()),
            PayloadMode::AwsChunked(options) => {
                let framing = Framing::new(*options, &body.size_hint(), headers)?;
                // S3 copies objects and makes buckets by PUT, too, and takes no chunks there.
                if framing.is_needless() && body.is_end_stream() {
                    Self::Empty(Payload::empty())
                } else {
                    Self::Chunked { body: Some(body), framing }
                }
            }
            #[cfg(feature = "event-stream")]
            PayloadMode::EventStream => Self::EventStream { body: Some(body) },
        })
    }

    fn as_is(body: B, payload: Payload<'static>) -> Self {
        if body.is_end_stream() { Self::Empty(payload) } else { Self::AsIs { body: Some(body), payload } }
    }
}

impl<B> Sending<B> {
    #[cfg(feature = "reqwest-middleware")]
    pub(crate) fn empty() -> Self {
        Self::Buffered(Buffered::default())
    }

    pub(crate) fn payload(&self) -> Payload<'static> {
        match self {
            Self::Buffered(buffered) => buffered.payload(),
            Self::Empty(payload) | Self::AsIs { payload, .. } => *payload,
            Self::Checked { sha256, .. } => Payload::sha256(*sha256),
            Self::Chunked { framing, .. } => Payload::chunked(framing.content_sha256()),
            #[cfg(feature = "event-stream")]
            Self::EventStream { .. } => Payload::event_stream(),
        }
    }

    /// Whether the body can be sent again.
    pub(crate) fn is_replayable(&self) -> bool {
        matches!(self, Self::Buffered(_) | Self::Empty(_))
    }

    /// The body for one attempt, which its signatures go on from; `None` where there is none to send.
    pub(crate) fn take(&mut self, attempt: &mut Attempt) -> Option<SignedBody<B>> {
        match self {
            Self::Empty(_) => None,
            Self::Buffered(buffered) if buffered.len == 0 => None,
            Self::Buffered(buffered) => Some(SignedBody::buffered(buffered.clone())),
            Self::AsIs { body, .. } => body.take().map(SignedBody::as_is),
            Self::Checked { body, .. } => body.take().map(SignedBody::checked),
            Self::Chunked { body, framing } => {
                let chain = attempt.chain.take()?;
                body.take().map(|body| SignedBody::framed(FramedBody::in_chunks(body, framing, *chain)))
            }
            #[cfg(feature = "event-stream")]
            Self::EventStream { body } => {
                let chain = attempt.events.take()?;
                body.take().map(|body| SignedBody::framed(FramedBody::in_envelopes(body, *chain)))
            }
        }
    }

    /// Makes the headers tell the length of a body in memory, and how any other is framed.
    pub(crate) fn declare(&self, method: &Method, headers: &mut HeaderMap) {
        match self {
            Self::Buffered(buffered) => set_length(buffered.len, method, headers),
            Self::Empty(_) => set_length(0, method, headers),
            Self::AsIs { .. } | Self::Checked { .. } => {}
            Self::Chunked { framing, .. } => framing.declare(headers),
            #[cfg(feature = "event-stream")]
            Self::EventStream { .. } => event_stream::declare(headers),
        }
    }
}

/// Makes the headers tell the length of a body.
///
/// An empty POST, PUT or PATCH says `content-length: 0`, which clients leave out and S3 insists on (411).
pub(crate) fn set_length(len: u64, method: &Method, headers: &mut HeaderMap) {
    headers.remove(TRANSFER_ENCODING);
    let empty_upload = len == 0 && [Method::POST, Method::PUT, Method::PATCH].contains(method);
    if empty_upload || headers.contains_key(CONTENT_LENGTH) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(len));
    }
}
