//! A body on its way through an edge: read into memory or left as it is, by the payload mode.

use http::Method;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use http_body::Body;

use super::{BufferLimits, Buffered, Payload, PayloadMode, buffer};
use crate::body::SignedBody;
use crate::error::{BoxError, Error};

/// A body that can be signed, and sent once or, where it is in memory, again.
pub(crate) enum Sending<B> {
    Buffered(Buffered),
    AsIs { body: Option<B>, payload: Payload<'static> },
}

impl<B> Sending<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    pub(crate) async fn new(body: B, mode: &PayloadMode, limits: BufferLimits) -> Result<Self, Error> {
        Ok(match mode {
            PayloadMode::Buffered => Self::Buffered(buffer(body, limits).await?),
            PayloadMode::Sha256(sha256) => Self::AsIs { body: Some(body), payload: Payload::sha256(*sha256) },
            PayloadMode::Unsigned => Self::AsIs { body: Some(body), payload: Payload::unsigned() },
        })
    }
}

impl<B> Sending<B> {
    pub(crate) fn empty() -> Self {
        Self::Buffered(Buffered::default())
    }

    pub(crate) fn payload(&self) -> Payload<'static> {
        match self {
            Self::Buffered(buffered) => buffered.payload(),
            Self::AsIs { payload, .. } => *payload,
        }
    }

    /// Whether the body can be sent again.
    pub(crate) fn is_replayable(&self) -> bool {
        matches!(self, Self::Buffered(_))
    }

    /// The body for one attempt; `None` where there is none to send.
    pub(crate) fn take(&mut self) -> Option<SignedBody<B>> {
        match self {
            Self::Buffered(buffered) if buffered.len == 0 => None,
            Self::Buffered(buffered) => Some(SignedBody::buffered(buffered.clone())),
            Self::AsIs { body, .. } => body.take().map(SignedBody::as_is),
        }
    }

    /// Makes the headers tell the length of a body in memory.
    ///
    /// An empty POST, PUT or PATCH says `content-length: 0`, which clients leave out and S3 insists on (411).
    pub(crate) fn set_length(&self, method: &Method, headers: &mut HeaderMap) {
        let Self::Buffered(buffered) = self else { return };
        headers.remove(TRANSFER_ENCODING);
        let empty_upload = buffered.len == 0 && [Method::POST, Method::PUT, Method::PATCH].contains(method);
        if empty_upload || headers.contains_key(CONTENT_LENGTH) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(buffered.len));
        }
    }
}
