//! Bodies on their way through the proxy.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use metrics::Counter;
use sigv4_middleware::BoxError;

use crate::memory::Reservation;

/// Any body.
pub(crate) type Body = UnsyncBoxBody<Bytes, BodyError>;

/// Why a body failed. A type of its own, since the compiler does not take futures with a `BoxError` for `Send` everywhere.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BodyError(#[source] BoxError);

pub(crate) fn boxed<B>(body: B) -> Body
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    body.map_err(|error| BodyError(error.into())).boxed_unsync()
}

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    boxed(Full::new(bytes.into()))
}

/// A request's body as it arrives: counted, and added to a reservation if its length was not known beforehand.
pub(crate) struct ReceivedBody<B> {
    pub(crate) body: B,
    pub(crate) bytes: Counter,
    pub(crate) growing: Option<Arc<Reservation>>,
}

impl<B> http_body::Body for ReceivedBody<B>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let frame = frame.map(|frame| {
            let frame = frame.map_err(Into::into)?;
            let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
            self.bytes.increment(bytes);
            if let Some(reservation) = &self.growing {
                reservation.grow(bytes)?;
            }
            Ok(frame)
        });
        Poll::Ready(frame)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

/// A body with something that is dropped together with it.
pub(crate) struct WithGuard<B, G> {
    pub(crate) body: B,
    pub(crate) _guard: G,
}

impl<B: http_body::Body + Unpin, G: Unpin> http_body::Body for WithGuard<B, G> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

/// An upstream's response body on its way to the client: its bytes are counted, and its failure is recorded.
pub(crate) struct PassedOnBody {
    pub(crate) body: Body,
    pub(crate) bytes: Counter,
    pub(crate) errors: Counter,
}

impl http_body::Body for PassedOnBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => self.bytes.increment(frame.data_ref().map_or(0, Bytes::len) as u64),
            Some(Err(_)) => self.errors.increment(1),
            None => {}
        }
        Poll::Ready(frame)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}
