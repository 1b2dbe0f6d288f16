//! A body whose hash is compared, while it is sent, with the one that was signed.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use sha2::{Digest, Sha256};

use super::coalesce::{data, mismatch, poll_frame};
use crate::error::{BoxError, Error, ErrorKind};

pin_project! {
    /// Gives each frame when the next has come, and the last when the hash is right: no server gets the whole of a
    /// body that is another.
    #[derive(Clone, Debug)]
    pub(crate) struct VerifiedBody<B> {
        #[pin]
        source: B,
        check: Box<Check>,
    }
}

#[derive(Clone, Debug)]
struct Check {
    expected: [u8; 32],
    hasher: Sha256,
    held: Bytes,
    ended: bool,
}

impl<B: Body> VerifiedBody<B> {
    /// # Errors
    /// [`ErrorKind::BodyMismatch`] for an empty body of another hash: no client asks those for their frames.
    pub(super) fn new(source: B, expected: [u8; 32]) -> Result<Self, Error> {
        let ended = source.is_end_stream() || source.size_hint().exact() == Some(0);
        let check = Check { expected, hasher: Sha256::new(), held: Bytes::new(), ended };
        if ended && !check.agrees() {
            return Err(Error::new(
                ErrorKind::BodyMismatch,
                "there is no body, and its SHA-256 was said to be that of one; nothing was sent",
            ));
        }
        Ok(Self { source, check: Box::new(check) })
    }
}

impl Check {
    fn agrees(&self) -> bool {
        self.hasher.clone().finalize()[..] == self.expected
    }
}

fn another_hash() -> Error {
    mismatch("the body's SHA-256 is not the one it was said to have; it was cut off before its end")
}

impl<B> Body for VerifiedBody<B>
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
        let check = &mut **this.check;
        while !check.ended {
            let data = match ready!(poll_frame(this.source.as_mut(), cx)) {
                Some(frame) => frame.map_err(Into::into).and_then(|frame| data(frame).map_err(Into::into)),
                None if check.agrees() => {
                    check.ended = true;
                    break;
                }
                None => Err(another_hash().into()),
            };
            match data {
                Ok(mut data) => {
                    let data = data.copy_to_bytes(data.remaining());
                    check.hasher.update(&data);
                    let before = std::mem::replace(&mut check.held, data);
                    if !before.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(before))));
                    }
                }
                Err(error) => {
                    check.ended = true;
                    check.held.clear();
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
        let last = std::mem::take(&mut check.held);
        Poll::Ready((!last.is_empty()).then(|| Ok(Frame::data(last))))
    }

    fn size_hint(&self) -> SizeHint {
        let (held, rest) = (self.check.held.len() as u64, self.source.size_hint());
        let mut hint = SizeHint::new();
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(held)) {
            hint.set_upper(upper);
        }
        hint.set_lower(rest.lower().saturating_add(held));
        hint
    }

    fn is_end_stream(&self) -> bool {
        self.check.ended && self.check.held.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::{BodyExt, Empty, Full, StreamBody};

    use super::*;

    fn frames(frames: [&'static str; 3]) -> impl Body<Data = Bytes, Error = BoxError> + Unpin {
        StreamBody::new(stream::iter(frames.map(|frame| Ok(Frame::data(Bytes::from(frame))))))
    }

    #[tokio::test]
    async fn the_last_frame_comes_when_the_hash_is_right() {
        let sha256 = Sha256::digest("abcdef").into();
        let body = VerifiedBody::new(frames(["abc", "", "def"]), sha256).unwrap();
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abcdef");

        let mut body = VerifiedBody::new(frames(["abc", "de", "g"]), sha256).unwrap();
        let mut seen = Vec::new();
        let error = loop {
            match body.frame().await.unwrap() {
                Ok(frame) => seen.extend_from_slice(&frame.into_data().unwrap()),
                Err(error) => break error,
            }
        };
        assert_eq!(Error::find(error.as_ref()).unwrap().kind(), ErrorKind::BodyMismatch);
        assert_eq!(seen, b"abcde");
        assert!(body.frame().await.is_none() && body.is_end_stream());
    }

    #[tokio::test]
    async fn the_length_is_that_of_the_source() {
        let mut body =
            VerifiedBody::new(Full::new(Bytes::from("abc")), Sha256::digest("abc").into()).unwrap();
        assert_eq!(body.size_hint().exact(), Some(3));
        assert!(!body.is_end_stream());
        assert!(body.frame().await.unwrap().is_ok());
        assert_eq!(body.size_hint().exact(), Some(0));
        assert!(body.is_end_stream());
    }

    #[test]
    fn nothing_of_another_hash_is_refused_at_once() {
        assert!(VerifiedBody::new(Empty::<Bytes>::new(), Sha256::digest("").into()).is_ok());
        let error = VerifiedBody::new(Empty::<Bytes>::new(), [0; 32]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BodyMismatch);
    }
}
