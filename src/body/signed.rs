//! [`SignedBody`]: the body of a signed request.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

#[cfg(feature = "tower")]
use bytes::BytesMut;
use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{Buffered, EncodedBody, VerifiedBody};
use crate::error::{BoxError, Error};

pin_project! {
    /// The body of a signed request: bytes in memory, or the caller's own body, which is sent unchanged, checked against its
    /// hash, or encoded in signed chunks or messages.
    ///
    /// The function of `SigV4Layer::map_body`, which has an example, gets it. Its [`size_hint`](Body::size_hint) is exact
    /// if it is in memory or in chunks, so that HTTP/1.1 sends `content-length`. Not `Clone`: a clone of a half-sent body
    /// would sign its chunks twice.
    ///
    /// # Errors
    /// A frame is an error if the caller's body fails, or if it is not the body that was signed or declared: an [`Error`] of
    /// kind [`ErrorKind::BodyMismatch`](crate::ErrorKind::BodyMismatch).
    pub struct SignedBody<B> {
        #[pin]
        repr: Repr<B>,
        // Until the first frame.
        replay: Option<ReplayCell>,
        failure: Option<FailureCell>,
    }
}

/// Where the only frame of a body is kept while it is sent, to be sent again.
pub(super) type ReplayCell = Arc<OnceLock<Bytes>>;

/// Why this crate cut a body off, kept here because clients of hyper lose the error over HTTP/2.
pub(super) type FailureCell = Arc<OnceLock<Error>>;

pin_project! {
    #[project = ReprProjection]
    enum Repr<B> {
        Buffered { body: Buffered, next: usize },
        Unchanged { #[pin] body: B },
        Verified { #[pin] body: VerifiedBody<B> },
        Encoded { #[pin] body: EncodedBody<B> },
    }
}

/// A body that needs no wrapper.
#[cfg(feature = "tower")]
pub(crate) enum Unwrapped<B> {
    /// It is in memory.
    Bytes(Bytes),
    /// The caller's own body, not yet read.
    Unchanged(B),
}

impl<B> SignedBody<B> {
    fn new(repr: Repr<B>) -> Self {
        Self { repr, replay: None, failure: None }
    }

    pub(crate) fn buffered(body: Buffered) -> Self {
        Self::new(Repr::Buffered { body, next: 0 })
    }

    pub(crate) fn unchanged(body: B) -> Self {
        Self::new(Repr::Unchanged { body })
    }

    pub(super) fn verified(body: VerifiedBody<B>) -> Self {
        Self::new(Repr::Verified { body })
    }

    /// A body that is compared with a hash while it is sent, as [`PayloadMode::Sha256Checked`](crate::PayloadMode) does.
    ///
    /// # Errors
    /// If it is empty and the hash is not that of an empty body, or its length contradicts `content-length`.
    pub(crate) fn checked(body: B, sha256: [u8; 32], headers: &HeaderMap) -> Result<Self, Error>
    where
        B: Body,
    {
        Ok(Self::verified(VerifiedBody::new(body, sha256, headers)?))
    }

    pub(super) fn encoded(body: EncodedBody<B>) -> Self {
        Self::new(Repr::Encoded { body })
    }

    pub(super) fn is_verified(&self) -> bool {
        matches!(self.repr, Repr::Verified { .. })
    }

    #[cfg(feature = "tower")]
    pub(crate) fn empty() -> Self {
        Self::buffered(Buffered::default())
    }

    /// Keeps its first frame in `replay`, if that is the whole body.
    pub(super) fn with_replay(self, replay: Option<ReplayCell>) -> Self {
        Self { replay, ..self }
    }

    /// Keeps in `failure` why it was cut off.
    pub(super) fn reporting_to(self, failure: FailureCell) -> Self {
        Self { failure: Some(failure), ..self }
    }

    /// The body without this wrapper, joined if it is in memory in pieces; `None` if it is checked or encoded.
    #[cfg(feature = "tower")]
    pub(crate) fn unwrap_body(self) -> Option<Unwrapped<B>> {
        match self.repr {
            Repr::Buffered { mut body, next: 0 } if body.frames.len() <= 1 => {
                Some(Unwrapped::Bytes(body.frames.pop().unwrap_or_default()))
            }
            Repr::Buffered { body, next } => {
                let mut all = BytesMut::new();
                body.frames.iter().skip(next).for_each(|frame| all.extend_from_slice(frame));
                Some(Unwrapped::Bytes(all.freeze()))
            }
            Repr::Unchanged { body } => Some(Unwrapped::Unchanged(body)),
            _ => None,
        }
    }

    /// The caller's own body, if it is sent unchanged and is of this kind.
    #[cfg(feature = "blocking")]
    pub(crate) fn into_unchanged(self, is_wanted: impl FnOnce(&B) -> bool) -> Result<B, Self> {
        match self.repr {
            Repr::Unchanged { body } if is_wanted(&body) => Ok(body),
            repr => Err(Self { repr, ..self }),
        }
    }

    /// The frame of a body that is in memory in one piece.
    #[cfg(feature = "reqwest")]
    pub(crate) fn into_single(self) -> Result<Bytes, Self> {
        match self.repr {
            Repr::Buffered { mut body, next: 0 } if body.frames.len() <= 1 => {
                Ok(body.frames.pop().unwrap_or_default())
            }
            repr => Err(Self { repr, ..self }),
        }
    }
}

/// Leaves out the bytes, which may be secret.
impl<B> fmt::Debug for SignedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("SignedBody");
        match &self.repr {
            Repr::Buffered { body, .. } => out.field("in_memory", &body.len),
            Repr::Unchanged { .. } => out.field("sent", &"unchanged"),
            Repr::Verified { .. } => out.field("sent", &"verified"),
            Repr::Encoded { .. } => out.field("sent", &"encoded"),
        };
        out.finish_non_exhaustive()
    }
}

impl<B> Body for SignedBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut frame = match self.as_mut().project().repr.project() {
            ReprProjection::Buffered { body, next } => {
                let frame = body.frames.get_mut(*next).map(std::mem::take);
                *next += 1;
                body.len -= frame.as_ref().map_or(0, |frame| frame.len() as u64);
                frame.map(|frame| Ok(Frame::data(frame)))
            }
            ReprProjection::Unchanged { body } => ready!(body.poll_frame(cx)).map(|frame| {
                let to_bytes = |mut data: B::Data| data.copy_to_bytes(data.remaining());
                frame.map(|frame| frame.map_data(to_bytes)).map_err(Into::into)
            }),
            ReprProjection::Verified { body } => ready!(body.poll_frame(cx)),
            ReprProjection::Encoded { body } => ready!(body.poll_frame(cx)),
        };
        if let Some(Err(error)) = &mut frame
            && let Some(found) = Error::find(error.as_ref()).map(Error::while_sending)
        {
            tracing::warn!(error = %found, "a request body was cut off");
            if let Some(failure) = self.as_mut().project().failure {
                failure.get_or_init(|| found.clone());
            }
            if error.is::<Error>() {
                *error = found.into();
            }
        }
        if let Some(replay) = self.as_mut().project().replay.take()
            && let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
            && self.is_end_stream()
        {
            replay.get_or_init(|| data.clone());
        }
        Poll::Ready(frame)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.repr {
            Repr::Buffered { body, .. } => SizeHint::with_exact(body.len),
            Repr::Unchanged { body } => body.size_hint(),
            Repr::Verified { body } => body.size_hint(),
            Repr::Encoded { body } => body.size_hint(),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.repr {
            Repr::Buffered { body, .. } => body.len == 0,
            Repr::Unchanged { body } => body.is_end_stream(),
            Repr::Verified { body } => body.is_end_stream(),
            Repr::Encoded { body } => body.is_end_stream(),
        }
    }
}
