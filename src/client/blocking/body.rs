//! Adapters between `io::Read` and `http_body::Body`.

use std::io::{self, Read};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use reqwest::blocking::{Body, Response};

use crate::body::SignedBody;
use crate::error::{BoxError, Error, ErrorKind};

/// How many bytes are read from a reader at once.
const PIECE: usize = 16 * 1024;

/// The caller's reader.
pub(super) type Reader = Box<dyn Read + Send>;

/// A reader as a body. Polling it blocks: only the thread that sends it, or that reads the response, polls it.
pub(super) struct ReadBody<R> {
    reader: R,
    /// The number of bytes that are still to be read, if it is known.
    left: Option<u64>,
    ended: bool,
}

impl<R: Read> ReadBody<R> {
    pub(super) fn new(reader: R, length: Option<u64>) -> Self {
        Self { reader, left: length, ended: length == Some(0) }
    }
}

impl<R: Read + Unpin> http_body::Body for ReadBody<R> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let mut piece = vec![0; PIECE];
        let read = loop {
            match self.reader.read(&mut piece) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.ended = !matches!(read, Ok(1..));
        Poll::Ready(match read {
            Ok(0) => None,
            Ok(len) => {
                self.left = self.left.map(|left| left.saturating_sub(len as u64));
                piece.truncate(len);
                Some(Ok(Frame::data(piece.into())))
            }
            Err(error) => Some(Err(error)),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// The body of a blocking request.
pub(super) enum RequestBody {
    Memory(Bytes),
    Reader(ReadBody<Reader>),
    /// A reader within a body of reqwest's, which only reqwest can read.
    Unreadable(Body),
}

impl RequestBody {
    /// A body of the request's own, or a reader in its place.
    pub(super) fn new(own: Option<Body>, reader: Option<Reader>) -> Self {
        match (own, reader) {
            (_, Some(reader)) => Self::Reader(ReadBody::new(reader, None)),
            (None, None) => Self::Memory(Bytes::new()),
            (Some(body), None) if body.as_bytes().is_some() => {
                Self::Memory(Bytes::from_owner(InMemory(body)))
            }
            (Some(body), None) => Self::Unreadable(body),
        }
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Memory(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Memory(bytes) => Poll::Ready(Some(Ok(Frame::data(mem::take(bytes))))),
            Self::Reader(reader) => Pin::new(reader).poll_frame(cx).map_err(Into::into),
            Self::Unreadable(_) => Poll::Ready(Some(Err(unreadable().into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Memory(bytes) => bytes.is_empty(),
            Self::Reader(reader) => reader.is_end_stream(),
            Self::Unreadable(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Memory(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Reader(reader) => reader.size_hint(),
            Self::Unreadable(_) => SizeHint::default(),
        }
    }
}

fn unreadable() -> Error {
    Error::new(
        ErrorKind::UnsupportedPayload,
        "the body is a reader inside a request of reqwest::blocking, where it cannot be read to be hashed; give it to \
         .send_signed_reader(reader, &signer), a form's by .into_reader(), in place of .body(…)",
    )
}

/// A signed body as `reqwest::blocking` sends it.
pub(super) fn into_body(body: SignedBody<RequestBody>) -> Body {
    let body = match body.into_single() {
        Ok(bytes) => return bytes.into(),
        Err(body) => body,
    };
    let body = match body.into_unchanged(|body| matches!(body, RequestBody::Unreadable(_))) {
        Ok(RequestBody::Unreadable(body)) => return body,
        Ok(body) => SignedBody::unchanged(body),
        Err(body) => body,
    };
    let length = body.size_hint().exact();
    let reader = BodyReader { body: Box::pin(body), rest: Bytes::new() };
    match length {
        Some(length) => Body::sized(reader, length),
        None => Body::new(reader),
    }
}

struct BodyReader {
    body: Pin<Box<SignedBody<RequestBody>>>,
    rest: Bytes,
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.body.as_mut().poll_frame(&mut Context::from_waker(Waker::noop())) {
                // What it waits for is its turn, which it has.
                Poll::Pending => {}
                Poll::Ready(None) => return Ok(0),
                Poll::Ready(Some(Err(error))) => return Err(io::Error::other(Wrapped(error))),
                Poll::Ready(Some(Ok(frame))) => self.rest = frame.into_data().unwrap_or_default(),
            }
        }
        let len = buffer.len().min(self.rest.len());
        buffer[..len].copy_from_slice(&self.rest.split_to(len));
        Ok(len)
    }
}

/// Keeps an error in the chain of sources: the source of an `io::Error` is that of its inner error, not the inner error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Wrapped(#[source] BoxError);

/// A body in memory, which is read without a copy.
struct InMemory(Body);

impl AsRef<[u8]> for InMemory {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes().unwrap_or_default()
    }
}

/// A response whose body can be polled.
pub(super) fn into_http(mut response: Response) -> http::Response<ReadBody<Response>> {
    let mut out = http::Response::new(());
    *out.status_mut() = response.status();
    *out.version_mut() = response.version();
    *out.headers_mut() = mem::take(response.headers_mut());
    *out.extensions_mut() = mem::take(response.extensions_mut());
    out.map(|()| ReadBody::new(response, None))
}
