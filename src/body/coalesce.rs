//! Frames of a body: polled without empty ones, kept with small ones joined.

use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use smallvec::SmallVec;

use crate::error::{BoxError, Error, ErrorKind};

/// Frames shorter than this, in bytes, are joined: a body that comes byte by byte would take 32 times its size.
const SMALL_FRAME: usize = 1024;
/// Joined frames are a frame of their own from this many bytes on.
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

    /// Takes all frames so far.
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

/// The result of polling a body.
pub(crate) type Polled<B> = Poll<Option<Result<Frame<<B as Body>::Data>, <B as Body>::Error>>>;

/// The next frame of a body, without data frames that are empty.
pub(crate) fn poll_frame<B: Body>(body: Pin<&mut B>, cx: &mut Context<'_>) -> Polled<B> {
    let polled = body.poll_frame(cx);
    if let Poll::Ready(Some(Ok(frame))) = &polled
        && frame.data_ref().is_some_and(|data| !data.has_remaining())
    {
        // There may be endlessly many of these; timeouts and other tasks have to run in between.
        cx.waker().wake_by_ref();
        return Poll::Pending;
    }
    polled
}

/// The data of a body's next frame that is not empty.
///
/// # Errors
/// The body's own, and [`ErrorKind::BodyTrailers`]
pub(super) fn poll_data<B>(body: Pin<&mut B>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BoxError>>>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    poll_frame(body, cx).map(|frame| {
        frame.map(|frame| {
            let mut data = data(frame.map_err(Into::into)?)?;
            Ok(data.copy_to_bytes(data.remaining()))
        })
    })
}

/// The data of a frame.
///
/// # Errors
/// [`ErrorKind::BodyTrailers`]
pub(super) fn data<D>(frame: Frame<D>) -> Result<D, Error> {
    frame.into_data().map_err(|_| {
        Error::new(
            ErrorKind::BodyTrailers,
            "the request body ends with trailers, which a signed payload cannot have; send them as headers",
        )
    })
}

/// The error that cuts off a body that is not the declared one.
pub(super) fn mismatch(message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::BodyMismatch, message)
}

/// A size hint for an error message.
pub(super) fn shown_length(hint: &SizeHint) -> String {
    match (hint.lower(), hint.upper()) {
        (lower, Some(upper)) if lower == upper => format!("{lower} bytes"),
        (lower, Some(upper)) => format!("{lower} to {upper} bytes"),
        (lower, None) => format!("{lower} bytes or more"),
    }
}
