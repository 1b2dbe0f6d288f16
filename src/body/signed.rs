//! [`SignedBody`], the body that the layer hands on.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::body::{BodyFailure, Buffered, EncodedBody, VerifiedBody};
use crate::error::{BoxError, Error};

pin_project! {
    /// The body of a signed request: the buffered frames; or the caller's own body, as it is, checked against its hash,
    /// or framed in chunks or in the envelopes of an event stream.
    ///
    /// Gives an exact [`size_hint`](Body::size_hint) whenever it is buffered or in chunks, so that HTTP/1.1 sends
    /// `content-length`. Not `Clone`: a clone of a half-sent body would sign its chunks twice.
    #[derive(Debug)]
    pub struct SignedBody<B> {
        #[pin]
        repr: Repr<B>,
        // Until the first frame.
        whole: Option<ReplayCell>,
    }
}

/// Where the only frame of a body is put on its way, for it to be sent again.
pub(crate) type ReplayCell = Arc<OnceLock<Bytes>>;

pin_project! {
    #[project = ReprProjection]
    #[derive(Debug)]
    enum Repr<B> {
        Buffered { body: Buffered, next: usize },
        AsIs { #[pin] body: B },
        Checked { #[pin] body: VerifiedBody<B> },
        Framed { #[pin] body: EncodedBody<B> },
    }
}

impl<B> SignedBody<B> {
    fn of(repr: Repr<B>) -> Self {
        Self { repr, whole: None }
    }

    pub(crate) fn buffered(body: Buffered) -> Self {
        Self::of(Repr::Buffered { body, next: 0 })
    }

    pub(crate) fn as_is(body: B) -> Self {
        Self::of(Repr::AsIs { body })
    }

    pub(crate) fn checked(body: VerifiedBody<B>) -> Self {
        Self::of(Repr::Checked { body })
    }

    pub(crate) fn framed(body: EncodedBody<B>) -> Self {
        Self::of(Repr::Framed { body })
    }

    /// Leaves its first frame there, if that is all of it.
    pub(crate) fn with_replay(self, whole: Option<ReplayCell>) -> Self {
        Self { whole, ..self }
    }

    /// Where the body leaves the error of this crate that it is cut off with, if it can be.
    ///
    /// To be taken before the body is sent, and read when sending has failed: over HTTP/2 clients of hyper report only
    /// that the stream was reset.
    pub(crate) fn failure(&self) -> Option<BodyFailure> {
        match &self.repr {
            Repr::Buffered { .. } | Repr::AsIs { .. } => None,
            Repr::Checked { body } => Some(body.failure().clone()),
            Repr::Framed { body } => Some(body.failure().clone()),
        }
    }

    #[cfg(feature = "tower")]
    pub(crate) fn empty() -> Self {
        Self::buffered(Buffered::default())
    }

    /// The one frame of a body that lies in memory in one piece.
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
        let frame = match self.as_mut().project().repr.project() {
            ReprProjection::Buffered { body, next } => {
                let frame = body.frames.get_mut(*next).map(std::mem::take);
                *next += 1;
                body.len -= frame.as_ref().map_or(0, |frame| frame.len() as u64);
                frame.map(|frame| Ok(Frame::data(frame)))
            }
            ReprProjection::AsIs { body } => ready!(body.poll_frame(cx)).map(|frame| {
                let to_bytes = |mut data: B::Data| data.copy_to_bytes(data.remaining());
                frame.map(|frame| frame.map_data(to_bytes)).map_err(Into::into)
            }),
            ReprProjection::Checked { body } => ready!(body.poll_frame(cx)),
            ReprProjection::Framed { body } => ready!(body.poll_frame(cx)),
        };
        // Over HTTP/2 clients of hyper lose it, and say only that the stream was reset.
        if let Some(Err(error)) = &frame
            && let Some(error) = Error::find(error.as_ref())
        {
            tracing::warn!(%error, "a request was cut off");
        }
        if let Some(whole) = self.as_mut().project().whole.take()
            && let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
            && self.is_end_stream()
        {
            whole.get_or_init(|| data.clone());
        }
        Poll::Ready(frame)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.repr {
            Repr::Buffered { body, .. } => SizeHint::with_exact(body.len),
            Repr::AsIs { body } => body.size_hint(),
            Repr::Checked { body } => body.size_hint(),
            Repr::Framed { body } => body.size_hint(),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.repr {
            Repr::Buffered { body, .. } => body.len == 0,
            Repr::AsIs { body } => body.is_end_stream(),
            Repr::Checked { body } => body.is_end_stream(),
            Repr::Framed { body } => body.is_end_stream(),
        }
    }
}
