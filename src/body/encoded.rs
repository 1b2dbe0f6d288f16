//! A body that is encoded while it is sent, as a body.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::chunked::{self, Framing};
use super::coalesce::poll_data;
#[cfg(feature = "event-stream")]
use super::event_stream;
use crate::error::{BoxError, Error};
use crate::signing::streaming::ChunkSigner;
#[cfg(feature = "event-stream")]
use crate::signing::streaming::EventSigner;

pin_project! {
    /// A body that is encoded when it is polled: never more than one chunk or message ahead of what was taken.
    #[derive(Debug)]
    pub(crate) struct EncodedBody<B> {
        #[pin]
        source: B,
        // The part of the source's last frame that belongs to later chunks.
        rest: Bytes,
        encoder: Encoder,
        failed: bool,
    }
}

/// Turns a source's bytes into those that are sent. Boxed: hash states are large, and most bodies have none.
#[derive(Debug)]
enum Encoder {
    Chunks(Box<chunked::ChunkEncoder>),
    #[cfg(feature = "event-stream")]
    Events(Box<event_stream::EventEncoder>),
}

impl Encoder {
    fn next(&mut self) -> Option<Bytes> {
        match self {
            Self::Chunks(encoder) => encoder.next(),
            #[cfg(feature = "event-stream")]
            Self::Events(encoder) => encoder.next(),
        }
    }

    fn is_done(&self) -> bool {
        match self {
            Self::Chunks(encoder) => encoder.is_done(),
            #[cfg(feature = "event-stream")]
            Self::Events(encoder) => encoder.is_done(),
        }
    }

    fn feed(&mut self, source: &mut Bytes) -> Result<(), Error> {
        match self {
            Self::Chunks(encoder) => encoder.feed(source),
            #[cfg(feature = "event-stream")]
            Self::Events(encoder) => encoder.feed(source),
        }
    }

    fn end(&mut self) -> Result<(), Error> {
        match self {
            Self::Chunks(encoder) => encoder.end(),
            #[cfg(feature = "event-stream")]
            Self::Events(encoder) => encoder.end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Chunks(encoder) => SizeHint::with_exact(encoder.unsent()),
            #[cfg(feature = "event-stream")]
            Self::Events(_) => SizeHint::default(),
        }
    }
}

impl<B> EncodedBody<B> {
    /// In chunks, each signed with the signature before it; the first with the request's.
    pub(super) fn in_chunks(source: B, framing: &Framing, signer: ChunkSigner) -> Self {
        Self::new(source, Encoder::Chunks(Box::new(chunked::ChunkEncoder::new(framing, signer))))
    }

    /// In the envelopes of an event stream, each signed with the signature before it; the first with the request's.
    #[cfg(feature = "event-stream")]
    pub(super) fn in_envelopes(source: B, signer: EventSigner) -> Self {
        Self::new(source, Encoder::Events(Box::new(event_stream::EventEncoder::new(signer))))
    }

    fn new(source: B, encoder: Encoder) -> Self {
        Self { source, rest: Bytes::new(), encoder, failed: false }
    }
}

impl<B> Body for EncodedBody<B>
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
            if let Some(bytes) = this.encoder.next() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            if this.encoder.is_done() {
                return Poll::Ready(None);
            }
            let taken = if !this.rest.is_empty() {
                this.encoder.feed(this.rest).map_err(Into::into)
            } else if this.source.is_end_stream() {
                this.encoder.end().map_err(Into::into)
            } else {
                match ready!(poll_data(this.source.as_mut(), cx)) {
                    None => this.encoder.end().map_err(Into::into),
                    Some(data) => data.map(|data| *this.rest = data),
                }
            };
            if let Err(error) = taken {
                *this.failed = true;
                return Poll::Ready(Some(Err(error)));
            }
        }
    }

    /// Exact where it can be, so that HTTP/1.1 sends `content-length`.
    fn size_hint(&self) -> SizeHint {
        self.encoder.size_hint()
    }

    fn is_end_stream(&self) -> bool {
        self.encoder.is_done()
    }
}
