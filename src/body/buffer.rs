//! Bounded buffering: a body's frames, kept as they came and hashed on their way.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use bytes::{Buf, Bytes};
use http_body::Body;
use sha2::{Digest, Sha256};
use smallvec::SmallVec;
use tokio::runtime::Handle;

use super::coalesce::{Frames, data, poll_frame};
use crate::error::{BoxError, Error, ErrorKind};
use crate::signing::payload::Payload;
use crate::signing::settings::BufferLimits;

/// A whole body in memory. Clones share its bytes.
#[derive(Clone, Default)]
pub(crate) struct Buffered {
    pub(crate) frames: SmallVec<[Bytes; 1]>,
    pub(crate) len: u64,
    sha256: [u8; 32],
}

impl Buffered {
    /// One frame, which is sent with a payload that was said beforehand.
    pub(super) fn unhashed(frame: Bytes) -> Self {
        Self { len: frame.len() as u64, frames: SmallVec::from_iter([frame]), ..Self::default() }
    }

    pub(crate) fn payload(&self) -> Payload<'static> {
        if self.len == 0 { Payload::empty() } else { Payload::sha256(self.sha256) }
    }
}

/// Without the bytes, which may be anybody's secret.
impl fmt::Debug for Buffered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffered").field("len", &self.len).finish_non_exhaustive()
    }
}

/// Takes a body into memory.
///
/// # Errors
/// [`ErrorKind::BodyTooLarge`], [`ErrorKind::BodyTimeout`], [`ErrorKind::BodyFailed`], [`ErrorKind::BodyTrailers`].
pub(crate) async fn buffer<B>(body: B, limits: BufferLimits) -> Result<Buffered, Error>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    if body.size_hint().lower() > limits.size {
        return Err(too_large(limits.size, false));
    }
    let mut collecting = pin!(collect(body, limits.size));
    // A body that lies in memory is ready at once and needs no timer.
    if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(collecting.as_mut().poll(cx))).await {
        return done;
    }
    if Handle::try_current().is_err() {
        return Err(Error::new(
            ErrorKind::BodyTimeout,
            "a streaming request body is waited for by a tokio runtime's timer, and this call is not on one; nothing \
             was sent",
        ));
    }
    tokio::time::timeout(limits.timeout, collecting).await.unwrap_or_else(|_| {
        Err(Error::new(
            ErrorKind::BodyTimeout,
            format!(
                "the request body did not end within {:?}; nothing was sent. Raise .body_timeout(…) on the signer's \
                 builder if its source is slow",
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
    let mut hasher = None;
    let mut out = Buffered::default();
    let mut frames = Frames::default();
    while let Some(frame) = poll_fn(|cx| poll_frame(body.as_mut(), cx)).await {
        let frame = frame.map_err(|error| stream_failed(out.len, error))?;
        let mut data = data(frame)?;
        out.len += data.remaining() as u64;
        if out.len > limit {
            return Err(too_large(limit, false));
        }
        let data = data.copy_to_bytes(data.remaining());
        hasher.get_or_insert_with(Sha256::new).update(&data);
        frames.push(data);
    }
    out.frames = frames.take();
    if let Some(hasher) = hasher {
        out.sha256 = hasher.finalize().into();
    }
    Ok(out)
}

pub(crate) fn stream_failed(after: u64, error: impl Into<BoxError>) -> Error {
    Error::with_source(
        ErrorKind::BodyFailed,
        format!("the request body failed after {after} bytes; nothing was sent"),
        error,
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
    use std::time::Duration;

    use futures_util::stream::{self, StreamExt};
    use http::HeaderMap;
    use http_body::Frame;
    use http_body_util::{BodyExt, Full, StreamBody};

    use super::*;

    const LIMITS: BufferLimits = BufferLimits { size: 100_000, timeout: Duration::from_secs(5) };

    fn frames(sizes: &[usize]) -> impl Body<Data = Bytes, Error = Infallible> + use<> {
        let frames: Vec<_> =
            sizes.iter().map(|size| Ok(Frame::data(Bytes::from(vec![b'x'; *size])))).collect();
        StreamBody::new(stream::iter(frames))
    }

    fn joined(buffered: &Buffered) -> Vec<u8> {
        buffered.frames.concat()
    }

    #[tokio::test]
    async fn a_body_in_memory_is_neither_copied_nor_waited_for() {
        let bytes = Bytes::from(vec![7; 50_000]);
        let buffered = buffer(Full::new(bytes.clone()), LIMITS).await.unwrap();
        assert_eq!(buffered.frames[0].as_ptr(), bytes.as_ptr());
        assert_eq!(buffered.sha256[..], Sha256::digest(&bytes)[..]);
    }

    #[tokio::test]
    async fn frames_are_kept_and_small_ones_joined() {
        let buffered = buffer(frames(&[2000, 3000]), LIMITS).await.unwrap();
        assert_eq!(buffered.frames.iter().map(Bytes::len).collect::<Vec<_>>(), [2000, 3000]);
        let buffered = buffer(frames(&[1; 90_000]), LIMITS).await.unwrap();
        assert!(buffered.frames.len() < 10, "{} frames", buffered.frames.len());
        assert_eq!(buffered.len, 90_000);
        assert_eq!(buffered.sha256[..], Sha256::digest(joined(&buffered))[..]);
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
        assert_eq!(kind(buffer(Hinted(never_read), LIMITS).await), ErrorKind::BodyTooLarge);
        assert_eq!(kind(buffer(frames(&[50_000, 50_001]), LIMITS).await), ErrorKind::BodyTooLarge);
        assert!(buffer(frames(&[50_000, 50_000]), LIMITS).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_stream_times_out() {
        let first = stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"a")))]);
        let stalled = StreamBody::new(first.chain(stream::pending()));
        assert_eq!(buffer(stalled, LIMITS).await.unwrap_err().kind(), ErrorKind::BodyTimeout);
    }

    /// As under another executor: tokio's timer would panic.
    #[test]
    fn a_stream_off_any_runtime_is_an_error() {
        let stalled = StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>());
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let Poll::Ready(result) = pin!(buffer(stalled, LIMITS)).poll(&mut cx) else { panic!("waits") };
        assert_eq!(result.unwrap_err().kind(), ErrorKind::BodyTimeout);
    }

    #[tokio::test(start_paused = true)]
    async fn frames_without_data_do_not_outlast_the_timeout() {
        let empties = stream::repeat_with(|| Ok::<_, Infallible>(Frame::data(Bytes::new())));
        let limits = BufferLimits { timeout: Duration::ZERO, ..LIMITS };
        assert_eq!(
            buffer(StreamBody::new(empties), limits).await.unwrap_err().kind(),
            ErrorKind::BodyTimeout
        );
    }

    #[tokio::test]
    async fn a_failing_stream_and_trailers_are_errors() {
        let failing =
            stream::iter([Ok(Frame::data(Bytes::from_static(b"ab"))), Err(io::Error::other("disk gone"))]);
        let error = buffer(StreamBody::new(failing), LIMITS).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BodyFailed);
        assert!(error.to_string().contains("after 2 bytes"), "{error}");
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "disk gone");

        let trailers = Full::new(Bytes::new()).with_trailers(async { Some(Ok(HeaderMap::new())) });
        assert_eq!(buffer(trailers, LIMITS).await.unwrap_err().kind(), ErrorKind::BodyTrailers);
    }
}
