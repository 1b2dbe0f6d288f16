//! A request's body, which can be signed and sent once or, if it is in memory, again.

use std::sync::Arc;

use http::Method;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use http_body::Body;

use super::chunked::Framing;
#[cfg(feature = "event-stream")]
use super::event_stream;
use super::signed::{FailureCell, ReplayCell};
use super::{Buffered, EncodedBody, SignedBody, VerifiedBody, buffer, too_large};
use crate::error::{BoxError, Error, ErrorKind};
use crate::signing::payload::{BodyMode, Payload, PayloadMode};
use crate::signing::settings::BufferLimits;
use crate::signing::signature::SignedWith;

/// A body that can be signed and sent once or, if it is in memory, again.
pub(crate) struct OutgoingBody<B> {
    state: State<B>,
    /// Filled when a body that is checked or encoded while it is sent turns out to be wrong.
    failure: Option<FailureCell>,
}

enum State<B> {
    /// As the caller gave it; `None` while it is read.
    Unread(Option<B>),
    Buffered(Buffered),
    /// No body, in a mode that would send one unchanged.
    Empty(Payload<'static>),
    /// Sent unchanged, its hash checked or not.
    Unchanged {
        // Boxed, since all requests would have room for it.
        body: Option<Box<SignedBody<B>>>,
        payload: Payload<'static>,
        /// Filled while the body is sent, if it is a single frame; `None` if its length is unknown or over the limit.
        replay: Option<ReplayCell>,
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
    /// Reads the body into memory or leaves it unread, by the payload mode.
    ///
    /// `headers` are the request's, which may declare the body's length.
    pub(crate) async fn new(
        body: B,
        mode: &BodyMode,
        limits: BufferLimits,
        headers: &HeaderMap,
    ) -> Result<Self, Error> {
        let failure = FailureCell::default();
        let state = match &mode.payload {
            PayloadMode::Buffered => match mode.declared_sha256 {
                Some(sha256) if !fits_in_memory(&body, limits) => {
                    State::unchanged(SignedBody::unchanged(body), Payload::sha256(sha256), limits)
                }
                _ => {
                    let buffered = buffer(body, limits, || Ok(())).await;
                    return buffered.map(Self::from).map_err(|error| match error.kind() {
                        ErrorKind::BodyTooLarge => too_large(limits.size, mode.takes_aws_chunked),
                        _ => error,
                    });
                }
            },
            PayloadMode::Sha256(sha256) => {
                State::unchanged(SignedBody::unchanged(body), Payload::sha256(*sha256), limits)
            }
            PayloadMode::Sha256Checked(sha256) => {
                let body = SignedBody::verified(VerifiedBody::new(body, *sha256, headers)?);
                let body = body.reporting_to(Arc::clone(&failure));
                State::unchanged(body, Payload::sha256(*sha256), limits)
            }
            PayloadMode::Unsigned => {
                State::unchanged(SignedBody::unchanged(body), Payload::unsigned(), limits)
            }
            PayloadMode::AwsChunked(options) => {
                let framing = Framing::new(*options, &body.size_hint(), headers)?;
                // S3 copies objects and makes buckets by PUT, too, and takes no chunks there.
                if framing.is_needless() && body.is_end_stream() {
                    State::Empty(Payload::empty())
                } else {
                    State::Chunked { body: Some(body), framing }
                }
            }
            #[cfg(feature = "event-stream")]
            PayloadMode::EventStream => State::EventStream { body: Some(body) },
        };
        Ok(Self { state, failure: Some(failure) })
    }
}

impl<B> State<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    fn unchanged(body: SignedBody<B>, payload: Payload<'static>, limits: BufferLimits) -> Self {
        if body.is_end_stream() {
            return Self::Empty(payload);
        }
        let may_be_kept = body.size_hint().exact().is_some_and(|len| len <= limits.size);
        let replay = may_be_kept.then(Arc::default);
        Self::Unchanged { body: Some(Box::new(body.with_replay(replay.clone()))), payload, replay }
    }
}

impl<B> From<State<B>> for OutgoingBody<B> {
    fn from(state: State<B>) -> Self {
        Self { state, failure: None }
    }
}

impl<B> From<Buffered> for OutgoingBody<B> {
    fn from(body: Buffered) -> Self {
        State::Buffered(body).into()
    }
}

impl<B> OutgoingBody<B> {
    pub(crate) fn unread(body: B) -> Self {
        State::Unread(Some(body)).into()
    }

    /// The body, if it is not read yet.
    pub(crate) fn take_unread(&mut self) -> Option<B> {
        match &mut self.state {
            State::Unread(body) => body.take(),
            _ => None,
        }
    }

    /// No body.
    pub(crate) fn empty() -> Self {
        Buffered::default().into()
    }

    pub(crate) fn payload(&self) -> Payload<'_> {
        match &self.state {
            State::Unread(_) => Payload::empty(),
            State::Buffered(buffered) => buffered.payload(),
            State::Empty(payload) | State::Unchanged { payload, .. } => *payload,
            State::Chunked { framing, .. } => Payload::chunked(framing.content_sha256()),
            #[cfg(feature = "event-stream")]
            State::EventStream { .. } => Payload::event_stream(),
        }
    }

    /// Whether the body is checked or encoded while it is sent.
    pub(crate) fn is_wrapped(&self) -> bool {
        match &self.state {
            State::Unread(_) | State::Buffered(_) | State::Empty(_) => false,
            State::Unchanged { body, .. } => body.as_ref().is_some_and(|body| body.is_verified()),
            State::Chunked { .. } => true,
            #[cfg(feature = "event-stream")]
            State::EventStream { .. } => true,
        }
    }

    /// Whether the body, once it was sent, can be sent again.
    pub(crate) fn is_replayable(&self) -> bool {
        match &self.state {
            State::Unread(_) => false,
            State::Buffered(_) | State::Empty(_) => true,
            State::Unchanged { replay, .. } => replay.as_ref().is_some_and(|replay| replay.get().is_some()),
            State::Chunked { .. } => false,
            #[cfg(feature = "event-stream")]
            State::EventStream { .. } => false,
        }
    }

    /// Why the body was cut off while it was sent, if this crate did it.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.failure.as_ref()?.get().cloned()
    }

    /// The body for one attempt, or `None` if it is empty. Chunks and messages are signed with the request's signature.
    pub(crate) fn take(&mut self, signed_with: &mut SignedWith) -> Option<SignedBody<B>> {
        let failure = self.failure.clone();
        let reporting = |body: SignedBody<B>| match failure {
            Some(failure) => body.reporting_to(failure),
            None => body,
        };
        match &mut self.state {
            State::Unread(_) | State::Empty(_) => None,
            State::Buffered(buffered) if buffered.len == 0 => None,
            State::Buffered(buffered) => Some(SignedBody::buffered(buffered.clone())),
            State::Unchanged { body, replay, .. } => body.take().map(|body| *body).or_else(|| {
                let frame = replay.as_ref()?.get()?.clone();
                Some(SignedBody::buffered(Buffered::single(frame)))
            }),
            State::Chunked { body, framing } => {
                let chain = signed_with.chain.take()?;
                let body = EncodedBody::in_chunks(body.take()?, framing, *chain);
                Some(reporting(SignedBody::encoded(body)))
            }
            #[cfg(feature = "event-stream")]
            State::EventStream { body } => {
                let chain = signed_with.events.take()?;
                Some(reporting(SignedBody::encoded(EncodedBody::in_envelopes(body.take()?, *chain))))
            }
        }
    }

    /// Sets the headers with the length of a body in memory, or with the encoding of any other body.
    pub(crate) fn declare(&self, method: &Method, headers: &mut HeaderMap) {
        match &self.state {
            State::Buffered(buffered) => set_length(buffered.len, method, headers),
            State::Empty(_) => set_length(0, method, headers),
            State::Unread(_) | State::Unchanged { .. } => {}
            State::Chunked { framing, .. } => framing.declare(headers),
            #[cfg(feature = "event-stream")]
            State::EventStream { .. } => event_stream::declare(headers),
        }
    }
}

/// Whether a body is known to be no longer than may be held in memory.
fn fits_in_memory(body: &impl Body, limits: BufferLimits) -> bool {
    body.is_end_stream() || body.size_hint().exact().is_some_and(|len| len <= limits.size)
}

/// Sets `content-length` where it has to be there.
///
/// An empty POST, PUT or PATCH gets `content-length: 0`, which clients leave out and S3 insists on (411).
pub(crate) fn set_length(len: u64, method: &Method, headers: &mut HeaderMap) {
    let empty_upload = len == 0 && [Method::POST, Method::PUT, Method::PATCH].contains(method);
    // One pass over the names costs less than two look-ups.
    let (mut has_encoding, mut has_length) = (false, false);
    for name in headers.keys() {
        has_encoding |= name == TRANSFER_ENCODING;
        has_length |= name == CONTENT_LENGTH;
    }
    if has_encoding {
        headers.remove(TRANSFER_ENCODING);
    }
    if empty_upload || has_length {
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
    use crate::signing::keys::{CredentialsWithKeys, RegionScope};

    const TEXT: &str = "one, two";

    /// What one poll gives.
    type Step = Poll<Result<Frame<Bytes>, &'static str>>;

    /// A body that follows a script and knows its length.
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
        let keys = CredentialsWithKeys::new(credentials.into()).unwrap();
        let scope = RegionScope::Region("us-east-1");
        SignedWith {
            key: std::sync::Arc::clone(keys.signing_key(0, scope, "s3").unwrap().key()),
            keys: keys.into(),
            reading: ClockReading { local: SystemTime::UNIX_EPOCH, offset: Default::default() },
            chain: None,
            #[cfg(feature = "event-stream")]
            events: None,
        }
    }

    async fn outgoing<B>(body: B, mode: &PayloadMode, size: u64) -> OutgoingBody<B>
    where
        B: Body,
        B::Error: Into<BoxError>,
    {
        let limits = BufferLimits { size, timeout: Duration::ZERO };
        OutgoingBody::new(body, &mode.clone().into(), limits, &HeaderMap::new()).await.unwrap()
    }

    #[tokio::test]
    async fn a_body_in_one_piece_is_sent_again_unchanged() {
        let sha256 = Sha256::digest(TEXT).into();
        for mode in [PayloadMode::Unsigned, PayloadMode::Sha256(sha256), PayloadMode::Sha256Checked(sha256)] {
            let bytes = Bytes::from(TEXT.to_owned());
            let mut outgoing = outgoing(Full::new(bytes.clone()), &mode, TEXT.len() as u64).await;
            let payload = format!("{:?}", outgoing.payload());
            assert!(!outgoing.is_replayable(), "{mode:?}: it has to be seen first");
            for _ in 0..3 {
                let mut body = outgoing.take(&mut attempt()).unwrap();
                assert_eq!(body.size_hint().exact(), Some(TEXT.len() as u64), "{mode:?}");
                let sent = body.frame().await.unwrap().unwrap().into_data().unwrap();
                assert_eq!(
                    (sent.as_ptr(), sent.len()),
                    (bytes.as_ptr(), bytes.len()),
                    "{mode:?}: not copied"
                );
                assert!(body.is_end_stream() && body.frame().await.is_none(), "{mode:?}");
                assert!(outgoing.is_replayable(), "{mode:?}");
                assert_eq!(format!("{:?}", outgoing.payload()), payload);
            }
        }
    }

    #[tokio::test]
    async fn a_frame_without_data_is_sent_again_as_no_body() {
        let mut outgoing = outgoing(Scripted([data("")].into()), &PayloadMode::Unsigned, 100).await;
        let first = outgoing.take(&mut attempt()).unwrap();
        assert!(!first.is_end_stream());
        assert_eq!(first.collect().await.unwrap().to_bytes(), "");
        let mut second = outgoing.take(&mut attempt()).unwrap();
        assert!(second.is_end_stream() && second.frame().await.is_none());
    }

    #[tokio::test]
    async fn not_kept_beyond_the_limit_or_half_sent() {
        let mode = PayloadMode::Unsigned;
        let mut long = outgoing(Full::new(Bytes::from(TEXT)), &mode, TEXT.len() as u64 - 1).await;
        let body = long.take(&mut attempt()).unwrap();
        assert_eq!(body.collect().await.unwrap().to_bytes(), TEXT);
        assert!(!long.is_replayable() && long.take(&mut attempt()).is_none());

        let mut unsent = outgoing(Full::new(Bytes::from(TEXT)), &mode, 100).await;
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
            let (mut plain, mut outgoing) = (
                Scripted(script().into()),
                outgoing(Scripted(script().into()), &PayloadMode::Unsigned, 100).await,
            );
            let mut body = outgoing.take(&mut attempt()).unwrap();
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
            assert!(!outgoing.is_replayable(), "{:?}", script());
        }
    }

    #[tokio::test]
    async fn one_piece_may_come_late() {
        let late = Scripted([Poll::Pending, data(TEXT)].into());
        let mut outgoing = outgoing(late, &PayloadMode::Unsigned, 100).await;
        let mut body = outgoing.take(&mut attempt()).unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut body).poll_frame(&mut cx).is_pending() && !outgoing.is_replayable());
        assert!(Pin::new(&mut body).poll_frame(&mut cx).is_ready() && outgoing.is_replayable());
    }

    /// Data of another kind than `Bytes`, which is copied once, to be sent.
    #[tokio::test]
    async fn data_of_any_kind() {
        let body = Full::new(io::Cursor::new(TEXT)).map_err(|never: Infallible| never);
        let mut outgoing = outgoing(body, &PayloadMode::Unsigned, 100).await;
        for _ in 0..2 {
            let body = outgoing.take(&mut attempt()).unwrap();
            assert_eq!(body.collect().await.unwrap().aggregate().remaining(), TEXT.len());
        }
    }
}
