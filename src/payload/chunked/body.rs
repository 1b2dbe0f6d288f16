//! A body in chunks, as a body.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::super::frames::{data, poll_frame};
use super::framer::Framer;
use crate::error::BoxError;

pin_project! {
    /// A body framed as it is asked for: never more than one chunk ahead of what was taken.
    #[derive(Clone, Debug)]
    pub(crate) struct ChunkedBody<B> {
        #[pin]
        source: B,
        // What of the source's last frame belongs to later chunks.
        rest: Bytes,
        // Boxed: hash states are large, and most bodies have none.
        framer: Box<Framer>,
        failed: bool,
    }
}

impl<B> ChunkedBody<B> {
    pub(super) fn new(source: B, framer: Framer) -> Self {
        Self { source, rest: Bytes::new(), framer: Box::new(framer), failed: false }
    }
}

impl<B> Body for ChunkedBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        loop {
            if *this.failed {
                return Poll::Ready(None);
            }
            if let Some(bytes) = this.framer.next() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            if this.framer.is_done() {
                return Poll::Ready(None);
            }
            let taken = if !this.rest.is_empty() {
                this.framer.feed(this.rest).map_err(Into::into)
            } else if this.framer.is_sated() && this.source.is_end_stream() {
                this.framer.end().map_err(Into::into)
            } else {
                match ready!(poll_frame(this.source.as_mut(), cx)) {
                    None => this.framer.end().map_err(Into::into),
                    Some(Err(error)) => Err(error.into()),
                    Some(Ok(frame)) => data(frame).map_err(Into::into).map(|mut data| {
                        *this.rest = data.copy_to_bytes(data.remaining());
                    }),
                }
            };
            if let Err(error) = taken {
                *this.failed = true;
                return Poll::Ready(Some(Err(error)));
            }
        }
    }

    /// Exact, so that HTTP/1.1 sends `content-length`.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.framer.unsent())
    }

    fn is_end_stream(&self) -> bool {
        self.framer.is_done()
    }
}
