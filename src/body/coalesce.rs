//! Frames of a body, kept as they came.

use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use http_body::{Body, Frame};
use smallvec::SmallVec;

use crate::error::{Error, ErrorKind};

/// Frames shorter than this are joined: a body that comes byte by byte shall not take 32 times its size.
const SMALL_FRAME: usize = 1024;
/// Joined frames are handed on when they have grown to this.
const JOINED_FRAME: usize = 64 * 1024;

/// Frames in their order, small ones joined.
#[derive(Default)]
pub(super) struct Frames {
    kept: SmallVec<[Bytes; 1]>,
    joined: BytesMut,
}

impl Frames {
    pub(super) fn push(&mut self, data: Bytes) {
        if data.len() >= SMALL_FRAME || self.kept.is_empty() {
            self.flush();
            self.kept.push(data);
        } else {
            self.joined.extend_from_slice(&data);
            if self.joined.len() >= JOINED_FRAME {
                self.flush();
            }
        }
    }

    /// All frames so far, which are then no longer here.
    pub(super) fn take(&mut self) -> SmallVec<[Bytes; 1]> {
        self.flush();
        std::mem::take(&mut self.kept)
    }

    fn flush(&mut self) {
        if !self.joined.is_empty() {
            self.kept.push(self.joined.split().freeze());
        }
    }
}

/// What a body answers when it is polled.
type Polled<B> = Poll<Option<Result<Frame<<B as Body>::Data>, <B as Body>::Error>>>;

/// The next frame of a body, unless it is one of data without any.
pub(super) fn poll_frame<B: Body>(body: Pin<&mut B>, cx: &mut Context<'_>) -> Polled<B> {
    let polled = body.poll_frame(cx);
    if let Poll::Ready(Some(Ok(frame))) = &polled
        && frame.data_ref().is_some_and(|data| !data.has_remaining())
    {
        // Of these there may be no end; timeouts and other tasks have to have their turn.
        cx.waker().wake_by_ref();
        return Poll::Pending;
    }
    polled
}

/// The data of a frame.
///
/// # Errors
/// [`ErrorKind::BodyTrailers`]
pub(super) fn data<D>(frame: Frame<D>) -> Result<D, Error> {
    frame.into_data().map_err(|_| {
        Error::new(
            ErrorKind::BodyTrailers,
            "the request body ends with trailers, which a signed payload does not send; send them as headers",
        )
    })
}

/// The error that cuts off a body that is not what it was said to be.
pub(super) fn mismatch(message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::BodyMismatch, message)
}
