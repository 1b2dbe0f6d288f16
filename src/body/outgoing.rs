//! A body on its way through an edge: read into memory or left as it is, by the payload mode.

use std::sync::Arc;

use http::Method;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use http_body::Body;

use super::chunked::Framing;
#[cfg(feature = "event-stream")]
use super::event_stream;
use super::{Buffered, EncodedBody, VerifiedBody, buffer, too_large};
use crate::body::{ReplayCell, SignedBody};
use crate::error::{BoxError, Error, ErrorKind};
use crate::signing::payload::{BodyMode, Payload, PayloadMode};
use crate::signing::settings::BufferLimits;
use crate::signing::signature::SignedWith;

/// A body that can be signed, and sent once or, where it is in memory, again.
pub(crate) enum OutgoingBody<B> {
    Buffered(Buffered),
    /// No body, in a mode that would send one as it comes.
    Empty(Payload<'static>),
    AsIs {
        body: Option<SignedBody<B>>,
        payload: Payload<'static>,
        /// Filled while the body is sent, if it came in one piece; `None` for one that is of no known length, or a
        /// longer one than may be kept.
        whole: Option<ReplayCell>,
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

impl<B> OutgoingBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    /// `headers` are the request's own, which may tell the body's length.
    pub(crate) async fn new(
        body: B,
        mode: &BodyMode,
        limits: BufferLimits,
        headers: &HeaderMap,
    ) -> Result<Self, Error> {
        Ok(match &mode.payload {
            PayloadMode::Buffered => match mode.declared_sha256 {
                Some(sha256) if !fits_in_memory(&body, limits) => {
                    Self::as_is(SignedBody::as_is(body), Payload::sha256(sha256), limits)
                }
                _ => Self::Buffered(buffer(body, limits).await.map_err(|error| match error.kind() {
                    ErrorKind::BodyTooLarge => too_large(limits.size, mode.takes_aws_chunked),
                    _ => error,
                })?),
            },
            PayloadMode::Sha256(sha256) => {
                Self::as_is(SignedBody::as_is(body), Payload::sha256(*sha256), limits)
            }
            PayloadMode::Sha256Checked(sha256) => {
                let body = SignedBody::checked(VerifiedBody::new(body, *sha256, headers)?);
                Self::as_is(body, Payload::sha256(*sha256), limits)
            }
            PayloadMode::Unsigned => Self::as_is(SignedBody::as_is(body), Payload::unsigned(), limits),
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

    fn as_is(body: SignedBody<B>, payload: Payload<'static>, limits: BufferLimits) -> Self {
        if body.is_end_stream() {
            return Self::Empty(payload);
        }
        let may_be_kept = body.size_hint().exact().is_some_and(|len| len <= limits.size);
        let whole = may_be_kept.then(Arc::default);
        Self::AsIs { body: Some(body.with_replay(whole.clone())), payload, whole }
    }
}

impl<B> OutgoingBody<B> {
    #[cfg(feature = "reqwest")]
    pub(crate) fn empty() -> Self {
        Self::Buffered(Buffered::default())
    }

    pub(crate) fn payload(&self) -> Payload<'static> {
        match self {
            Self::Buffered(buffered) => buffered.payload(),
            Self::Empty(payload) | Self::AsIs { payload, .. } => *payload,
            Self::Chunked { framing, .. } => Payload::chunked(framing.content_sha256()),
            #[cfg(feature = "event-stream")]
            Self::EventStream { .. } => Payload::event_stream(),
        }
    }

    /// Whether the body, once it was sent, can be sent again.
    pub(crate) fn is_replayable(&self) -> bool {
        match self {
            Self::Buffered(_) | Self::Empty(_) => true,
            Self::AsIs { whole, .. } => whole.as_ref().is_some_and(|whole| whole.get().is_some()),
            Self::Chunked { .. } => false,
            #[cfg(feature = "event-stream")]
            Self::EventStream { .. } => false,
        }
    }

    /// The body for one attempt, which its signatures go on from; `None` where there is none to send.
    pub(crate) fn take(&mut self, attempt: &mut SignedWith) -> Option<SignedBody<B>> {
        match self {
            Self::Empty(_) => None,
            Self::Buffered(buffered) if buffered.len == 0 => None,
            Self::Buffered(buffered) => Some(SignedBody::buffered(buffered.clone())),
            Self::AsIs { body, whole, .. } => body.take().or_else(|| {
                let frame = whole.as_ref()?.get()?.clone();
                Some(SignedBody::buffered(Buffered::unhashed(frame)))
            }),
            Self::Chunked { body, framing } => {
                let chain = attempt.chain.take()?;
                body.take().map(|body| SignedBody::framed(EncodedBody::in_chunks(body, framing, *chain)))
            }
            #[cfg(feature = "event-stream")]
            Self::EventStream { body } => {
                let chain = attempt.events.take()?;
                body.take().map(|body| SignedBody::framed(EncodedBody::in_envelopes(body, *chain)))
            }
        }
    }

    /// Makes the headers tell the length of a body in memory, and how any other is framed.
    pub(crate) fn declare(&self, method: &Method, headers: &mut HeaderMap) {
        match self {
            Self::Buffered(buffered) => set_length(buffered.len, method, headers),
            Self::Empty(_) => set_length(0, method, headers),
            Self::AsIs { .. } => {}
            Self::Chunked { framing, .. } => framing.declare(headers),
            #[cfg(feature = "event-stream")]
            Self::EventStream { .. } => event_stream::declare(headers),
        }
    }
}

/// Whether a body is known to be no longer than may be held in memory.
fn fits_in_memory(body: &impl Body, limits: BufferLimits) -> bool {
    body.is_end_stream() || body.size_hint().exact().is_some_and(|len| len <= limits.size)
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

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};
    use std::time::{Duration, SystemTime};

    use bytes::{Buf, Bytes};
    use http_body::{Frame, SizeHint};
    use http_body_util::{BodyExt, Full};
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::clock::ClockReading;
    use crate::signing::keys::CredentialsWithKeys;

    const TEXT: &str = "one, two";

    /// What one poll gives.
    type Step = Poll<Result<Frame<Bytes>, &'static str>>;

    /// Gives what it is told, of a length that is known.
    struct Scripted(VecDeque<Step>);

    impl Body for Scripted {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
            match self.0.pop_front() {
                Some(step) => step.map(|frame| Some(frame.map_err(io::Error::other))),
                None => Poll::Ready(None),
            }
        }

        fn size_hint(&self) -> SizeHint {
            let data = |step: &Step| match step {
                Poll::Ready(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len) as u64,
                _ => 0,
            };
            SizeHint::with_exact(self.0.iter().map(data).sum())
        }

        fn is_end_stream(&self) -> bool {
            self.0.is_empty()
        }
    }

    fn data(text: &'static str) -> Step {
        Poll::Ready(Ok(Frame::data(Bytes::from(text))))
    }

    fn trailers() -> Step {
        Poll::Ready(Ok(Frame::trailers(
            [(http::header::ETAG, HeaderValue::from_static("a"))].into_iter().collect(),
        )))
    }

    fn attempt() -> SignedWith {
        let credentials = crate::Credentials::new("AKID", "secret", None, None, "test");
        SignedWith {
            keys: CredentialsWithKeys::new(credentials.into()).unwrap().into(),
            reading: ClockReading { local: SystemTime::UNIX_EPOCH, offset: Default::default() },
            chain: None,
            #[cfg(feature = "event-stream")]
            events: None,
        }
    }

    async fn sending<B>(body: B, mode: &PayloadMode, size: u64) -> OutgoingBody<B>
    where
        B: Body,
        B::Error: Into<BoxError>,
    {
        let limits = BufferLimits { size, timeout: Duration::ZERO };
        OutgoingBody::new(body, &mode.clone().into(), limits, &HeaderMap::new()).await.unwrap()
    }

    #[tokio::test]
    async fn a_body_in_one_piece_is_sent_again_as_it_is() {
        let sha256 = Sha256::digest(TEXT).into();
        for mode in [PayloadMode::Unsigned, PayloadMode::Sha256(sha256), PayloadMode::Sha256Checked(sha256)] {
            let bytes = Bytes::from(TEXT.to_owned());
            let mut sending = sending(Full::new(bytes.clone()), &mode, TEXT.len() as u64).await;
            let payload = format!("{:?}", sending.payload());
            assert!(!sending.is_replayable(), "{mode:?}: it has to be seen first");
            for _ in 0..3 {
                let mut body = sending.take(&mut attempt()).unwrap();
                assert_eq!(body.size_hint().exact(), Some(TEXT.len() as u64), "{mode:?}");
                let sent = body.frame().await.unwrap().unwrap().into_data().unwrap();
                assert_eq!(
                    (sent.as_ptr(), sent.len()),
                    (bytes.as_ptr(), bytes.len()),
                    "{mode:?}: not copied"
                );
                assert!(body.is_end_stream() && body.frame().await.is_none(), "{mode:?}");
                assert!(sending.is_replayable(), "{mode:?}");
                assert_eq!(format!("{:?}", sending.payload()), payload);
            }
        }
    }

    #[tokio::test]
    async fn not_kept_beyond_the_limit_or_half_sent() {
        let mode = PayloadMode::Unsigned;
        let mut long = sending(Full::new(Bytes::from(TEXT)), &mode, TEXT.len() as u64 - 1).await;
        let body = long.take(&mut attempt()).unwrap();
        assert_eq!(body.collect().await.unwrap().to_bytes(), TEXT);
        assert!(!long.is_replayable() && long.take(&mut attempt()).is_none());

        let mut unsent = sending(Full::new(Bytes::from(TEXT)), &mode, 100).await;
        drop(unsent.take(&mut attempt()));
        assert!(!unsent.is_replayable() && unsent.take(&mut attempt()).is_none());
    }

    /// Whatever a stream gives comes through, when it gives it.
    #[tokio::test]
    async fn a_stream_goes_through_unchanged_and_once() {
        let scripts: [fn() -> Vec<Step>; 7] = [
            || vec![data("one, "), data("two")],
            || vec![data(""), data(TEXT)],
            || vec![data(TEXT), trailers()],
            || vec![trailers()],
            || vec![data("one, "), Poll::Ready(Err("cut"))],
            || vec![Poll::Ready(Err("cut")), data(TEXT)],
            || vec![Poll::Pending, data("one, "), Poll::Pending, data("two")],
        ];
        for script in scripts {
            let (mut plain, mut sending) = (
                Scripted(script().into()),
                sending(Scripted(script().into()), &PayloadMode::Unsigned, 100).await,
            );
            let mut body = sending.take(&mut attempt()).unwrap();
            let mut cx = Context::from_waker(Waker::noop());
            for _ in 0..=script().len() {
                assert_eq!(body.size_hint().exact(), plain.size_hint().exact());
                assert_eq!(body.is_end_stream(), plain.is_end_stream());
                let expected = Pin::new(&mut plain).poll_frame(&mut cx);
                let polled = Pin::new(&mut body).poll_frame(&mut cx);
                if let Poll::Ready(Some(Err(error))) = &polled {
                    assert!(error.is::<io::Error>(), "its own");
                }
                assert_eq!(format!("{polled:?}"), format!("{expected:?}"));
            }
            assert!(!sending.is_replayable(), "{:?}", script());
        }
    }

    #[tokio::test]
    async fn one_piece_may_come_late() {
        let late = Scripted([Poll::Pending, data(TEXT)].into());
        let mut sending = sending(late, &PayloadMode::Unsigned, 100).await;
        let mut body = sending.take(&mut attempt()).unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut body).poll_frame(&mut cx).is_pending() && !sending.is_replayable());
        assert!(Pin::new(&mut body).poll_frame(&mut cx).is_ready() && sending.is_replayable());
    }

    /// Data of another kind than `Bytes`, which is copied once, to be sent.
    #[tokio::test]
    async fn data_of_any_kind() {
        let body = Full::new(io::Cursor::new(TEXT)).map_err(|never: Infallible| never);
        let mut sending = sending(body, &PayloadMode::Unsigned, 100).await;
        for _ in 0..2 {
            let body = sending.take(&mut attempt()).unwrap();
            assert_eq!(body.collect().await.unwrap().aggregate().remaining(), TEXT.len());
        }
    }
}
