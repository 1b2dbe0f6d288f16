//! Bounded buffering: a body's frames, kept as they came and hashed on their way.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use bytes::{Buf, Bytes};
use http_body::Body;
use smallvec::SmallVec;

use super::coalesce::{Frames, data, poll_frame};
use crate::error::{BoxError, Error, ErrorKind};
use crate::signing::payload::Payload;
use crate::signing::settings::BufferLimits;
use crate::timer::timeout;

/// A whole body in memory. Clones share its bytes.
#[derive(Clone, Default)]
pub(crate) struct Buffered {
    pub(crate) frames: SmallVec<[Bytes; 1]>,
    pub(crate) len: u64,
}

impl Buffered {
    /// A body of one frame; of none if that is empty, as a body that has ended has no more frames.
    pub(super) fn single(frame: Bytes) -> Self {
        if frame.is_empty() {
            return Self::default();
        }
        Self { len: frame.len() as u64, frames: SmallVec::from_iter([frame]) }
    }

    /// The bytes, to be hashed where they lie.
    pub(crate) fn payload(&self) -> Payload<'_> {
        Payload::frames(&self.frames)
    }
}

/// Without the bytes, which may be anybody's secret.
impl fmt::Debug for Buffered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffered").field("len", &self.len).finish_non_exhaustive()
    }
}

/// Reads a body into memory.
///
/// `before_waiting` is called if the body is not ready at once; its error ends the reading.
///
/// # Errors
/// [`ErrorKind::BodyTooLarge`], [`ErrorKind::BodyTimeout`], [`ErrorKind::BodyFailed`], [`ErrorKind::BodyTrailers`].
pub(crate) async fn buffer<B>(
    body: B,
    limits: BufferLimits,
    before_waiting: impl FnOnce() -> Result<(), Error>,
) -> Result<Buffered, Error>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    if body.size_hint().lower() > limits.size {
        return Err(too_large(limits.size, false));
    }
    let mut collecting = pin!(collect(body, limits.size));
    // A body in memory is ready at once and needs no timer.
    if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(collecting.as_mut().poll(cx))).await {
        return done;
    }
    before_waiting()?;
    timeout(limits.timeout, collecting).await.unwrap_or_else(|_| {
        Err(Error::new(
            ErrorKind::BodyTimeout,
            format!(
                "the request body did not end within {:?}; nothing was sent. If its source is slow, raise \
                 .body_timeout(…) on the signer's builder; if it never ends, as in a bidirectional gRPC call, use a \
                 payload mode that streams (PayloadMode::Unsigned or PayloadMode::EventStream, where the service takes it), \
                 since a service that needs the payload's hash cannot take such a body",
                limits.timeout
            ),
        ))
    })
}

async fn collect<B>(body: B, limit: u64) -> Result<Buffered, Error>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let mut body = pin!(body);
    let mut len = 0;
    let mut frames = Frames::default();
    while let Some(frame) = poll_fn(|cx| poll_frame(body.as_mut(), cx)).await {
        let frame = frame.map_err(|error| stream_failed(len, error))?;
        let mut data = data(frame)?;
        len += data.remaining() as u64;
        if len > limit {
            return Err(too_large(limit, false));
        }
        frames.push(data.copy_to_bytes(data.remaining()));
    }
    Ok(Buffered { frames: frames.take(), len })
}

/// The error of a stream that failed; an error of this crate is passed on unchanged.
fn stream_failed(after: u64, error: impl Into<BoxError>) -> Error {
    error.into().downcast::<Error>().map_or_else(
        |error| {
            let message = format!("the request body failed after {after} bytes; nothing was sent");
            Error::with_source(ErrorKind::BodyFailed, message, error)
        },
        |error| *error,
    )
}

/// The error for a body that may not be held in memory. Names the payload mode that needs no memory for it.
pub(crate) fn too_large(limit: u64, takes_aws_chunked: bool) -> Error {
    let streaming = if takes_aws_chunked {
        "stream the body by PayloadMode::AwsChunked"
    } else {
        "stream a body whose SHA-256 is known by PayloadMode::Sha256"
    };
    Error::new(
        ErrorKind::BodyTooLarge,
        format!(
            "the request body is larger than the buffering limit of {limit} bytes; nothing was sent. Raise \
             .body_limit(bytes) on the signer's builder, or {streaming}"
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::io;
    use std::task::Poll;
    use std::time::Duration;

    use futures_util::stream::{self, StreamExt};
    use http::HeaderMap;
    use http_body::Frame;
    use http_body_util::{BodyExt, Full, StreamBody};

    use super::*;
    use crate::block_on::block_on;
    use crate::timer::sleep;

    const LIMITS: BufferLimits = BufferLimits { size: 100_000, timeout: Duration::from_secs(5) };

    fn frames(sizes: &[usize]) -> impl Body<Data = Bytes, Error = Infallible> + use<> {
        let frames: Vec<_> =
            sizes.iter().map(|size| Ok(Frame::data(Bytes::from(vec![b'x'; *size])))).collect();
        StreamBody::new(stream::iter(frames))
    }

    fn hash(payload: Payload<'_>) -> Vec<u8> {
        payload.hash().as_bytes().to_vec()
    }

    fn joined(buffered: &Buffered) -> Vec<u8> {
        buffered.frames.concat()
    }

    #[tokio::test]
    async fn a_body_in_memory_is_neither_copied_nor_waited_for() {
        let bytes = Bytes::from(vec![7; 50_000]);
        let buffered = buffer(Full::new(bytes.clone()), LIMITS, || Ok(())).await.unwrap();
        assert_eq!(buffered.frames[0].as_ptr(), bytes.as_ptr());
        assert_eq!(hash(buffered.payload()), hash(Payload::from(&bytes)));
    }

    #[tokio::test]
    async fn frames_are_kept_and_small_ones_joined() {
        let buffered = buffer(frames(&[2000, 3000]), LIMITS, || Ok(())).await.unwrap();
        assert_eq!(buffered.frames.iter().map(Bytes::len).collect::<Vec<_>>(), [2000, 3000]);
        let buffered = buffer(frames(&[1; 90_000]), LIMITS, || Ok(())).await.unwrap();
        assert!(buffered.frames.len() < 10, "{} frames", buffered.frames.len());
        assert_eq!(buffered.len, 90_000);
        assert_eq!(hash(buffered.payload()), hash(Payload::from(&joined(&buffered))));
        assert_eq!(joined(&buffered).len(), 90_000);
    }

    #[tokio::test]
    async fn too_much_is_refused_by_its_hint_or_when_it_comes() {
        let never_read =
            StreamBody::new(stream::poll_fn(|_| -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
                panic!("read although its hint is too large")
            }));
        struct Hinted<B>(B);
        impl<B: Body + Unpin> Body for Hinted<B> {
            type Data = B::Data;
            type Error = B::Error;
            fn poll_frame(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
                std::pin::Pin::new(&mut self.0).poll_frame(cx)
            }
            fn size_hint(&self) -> http_body::SizeHint {
                http_body::SizeHint::with_exact(100_001)
            }
        }
        let kind = |result: Result<Buffered, Error>| result.unwrap_err().kind();
        assert_eq!(kind(buffer(Hinted(never_read), LIMITS, || Ok(())).await), ErrorKind::BodyTooLarge);
        assert_eq!(kind(buffer(frames(&[50_000, 50_001]), LIMITS, || Ok(())).await), ErrorKind::BodyTooLarge);
        assert!(buffer(frames(&[50_000, 50_000]), LIMITS, || Ok(())).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_stream_times_out() {
        let first = stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"a")))]);
        let stalled = StreamBody::new(first.chain(stream::pending()));
        assert_eq!(buffer(stalled, LIMITS, || Ok(())).await.unwrap_err().kind(), ErrorKind::BodyTimeout);
    }

    #[test]
    fn a_stream_needs_no_runtime_and_still_times_out() {
        let slow = stream::once(async {
            sleep(Duration::from_millis(5)).await;
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"a")))
        });
        assert_eq!(joined(&block_on(buffer(StreamBody::new(slow), LIMITS, || Ok(()))).unwrap()), b"a");

        let stalled = StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>());
        let limits = BufferLimits { timeout: Duration::from_millis(5), ..LIMITS };
        assert_eq!(block_on(buffer(stalled, limits, || Ok(()))).unwrap_err().kind(), ErrorKind::BodyTimeout);
    }

    #[tokio::test(start_paused = true)]
    async fn frames_without_data_do_not_outlast_the_timeout() {
        let empties = stream::repeat_with(|| Ok::<_, Infallible>(Frame::data(Bytes::new())));
        let limits = BufferLimits { timeout: Duration::ZERO, ..LIMITS };
        assert_eq!(
            buffer(StreamBody::new(empties), limits, || Ok(())).await.unwrap_err().kind(),
            ErrorKind::BodyTimeout
        );
    }

    #[tokio::test]
    async fn a_failing_stream_and_trailers_are_errors() {
        let failing =
            stream::iter([Ok(Frame::data(Bytes::from_static(b"ab"))), Err(io::Error::other("disk gone"))]);
        let error = buffer(StreamBody::new(failing), LIMITS, || Ok(())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BodyFailed);
        assert!(error.to_string().contains("after 2 bytes"), "{error}");
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "disk gone");

        let trailers = Full::new(Bytes::new()).with_trailers(async { Some(Ok(HeaderMap::new())) });
        assert_eq!(buffer(trailers, LIMITS, || Ok(())).await.unwrap_err().kind(), ErrorKind::BodyTrailers);
    }
}
