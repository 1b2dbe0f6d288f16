//! A body whose hash and length are compared, while it is sent, with those that were declared.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use sha2::{Digest, Sha256};

use super::chunked::content_length;
use super::coalesce::{mismatch, poll_data, shown_length};
use crate::error::{BoxError, Error};
use crate::metrics;

pin_project! {
    /// Yields each frame when the next one has come, and the last when hash and length are right: no server gets the whole
    /// of another body, nor as many bytes as were declared of a longer one.
    #[derive(Debug)]
    pub(crate) struct VerifiedBody<B> {
        #[pin]
        source: B,
        check: Box<Check>,
    }
}

#[derive(Debug)]
struct Check {
    expected: [u8; 32],
    hasher: Sha256,
    /// The length that the client sends as `content-length`: the request's own, or the exact one that the source claims.
    length: Option<u64>,
    /// Bytes that have come.
    received: u64,
    held: Bytes,
    ended: bool,
}

impl<B: Body> VerifiedBody<B> {
    /// `headers` are the request's own, whose `content-length` the body has to have.
    ///
    /// # Errors
    /// [`ErrorKind::BodyMismatch`] for an empty body of another hash, since no client asks such a body for its frames; and
    /// for a body whose own length contradicts `content-length`.
    pub(super) fn new(source: B, expected: [u8; 32], headers: &HeaderMap) -> Result<Self, Error> {
        let hint = if source.is_end_stream() { SizeHint::with_exact(0) } else { source.size_hint() };
        let ended = hint.exact() == Some(0);
        let declared = content_length(headers);
        if let Some(length) = declared
            && (length < hint.lower() || hint.upper().is_some_and(|upper| length > upper))
        {
            return Err(mismatch(format!(
                "content-length is {length}, and the body's own length contradicts it: {}; nothing was sent. Remove the \
                 header",
                shown_length(&hint)
            )));
        }
        let hasher = Sha256::new();
        let length = declared.or_else(|| hint.exact());
        let check = Check { expected, hasher, length, received: 0, held: Bytes::new(), ended };
        if ended && !check.has_hash() {
            return Err(mismatch(
                "there is no body, and its SHA-256 was declared to be that of one; nothing was sent",
            ));
        }
        Ok(Self { source, check: Box::new(check) })
    }
}

impl Check {
    fn has_hash(&self) -> bool {
        self.hasher.clone().finalize()[..] == self.expected
    }

    fn receive(&mut self, data: &[u8]) -> Result<(), Error> {
        self.received += data.len() as u64;
        match self.length.filter(|length| self.received > *length) {
            Some(length) => Err(mismatch(format!(
                "the body is longer than the {length} bytes that its content-length or its own size hint declares; it was cut off \
                 before its end"
            ))),
            None => {
                metrics::hashed(data.len());
                self.hasher.update(data);
                Ok(())
            }
        }
    }

    fn end(&mut self) -> Result<(), Error> {
        self.ended = true;
        match self.length.filter(|length| self.received != *length) {
            Some(length) => Err(mismatch(format!(
                "the body ended after {} of the {length} bytes that its content-length or its own size hint declares; it was cut \
                 off",
                self.received
            ))),
            None if self.has_hash() => Ok(()),
            None => Err(mismatch(
                "the body's SHA-256 is not the one that was declared; it was cut off before its end",
            )),
        }
    }
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
            let received = match ready!(poll_data(this.source.as_mut(), cx)) {
                None => check.end().map(|()| None).map_err(BoxError::from),
                Some(data) => data.and_then(|data| {
                    check.receive(&data)?;
                    Ok(Some(data))
                }),
            };
            match received {
                Ok(None) => {}
                Ok(Some(data)) => {
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
    use crate::error::ErrorKind;

    fn frames(frames: [&'static str; 3]) -> impl Body<Data = Bytes, Error = BoxError> + Unpin {
        StreamBody::new(stream::iter(frames.map(|frame| Ok(Frame::data(Bytes::from(frame))))))
    }

    fn verified<B: Body>(body: B, sha256: [u8; 32], length: Option<u64>) -> Result<VerifiedBody<B>, Error> {
        let headers = length.map(|length| (http::header::CONTENT_LENGTH, length.into()));
        VerifiedBody::new(body, sha256, &headers.into_iter().collect())
    }

    /// What was given out before the error, and the error.
    async fn cut_off(
        mut body: VerifiedBody<impl Body<Data = Bytes, Error = BoxError> + Unpin>,
    ) -> (Vec<u8>, Error) {
        let mut seen = Vec::new();
        loop {
            match body.frame().await.expect("an error") {
                Ok(frame) => seen.extend_from_slice(&frame.into_data().unwrap()),
                Err(error) => {
                    let error = Error::find(error.as_ref()).unwrap().clone();
                    assert!(body.frame().await.is_none() && body.is_end_stream());
                    return (seen, error);
                }
            }
        }
    }

    /// A client sends as many bytes as `content-length` says, and a server that trusts the hash would take them.
    #[tokio::test]
    async fn a_body_of_another_length_is_cut_off() {
        let sha256 = Sha256::digest("abcdef").into();
        for (length, seen) in [(1, ""), (3, ""), (4, "abc"), (5, "abc"), (7, "abcd"), (1000, "abcd")] {
            let body = verified(frames(["abc", "d", "ef"]), sha256, Some(length)).unwrap();
            let (given_out, error) = cut_off(body).await;
            assert_eq!(
                (error.kind(), &given_out[..]),
                (ErrorKind::BodyMismatch, seen.as_bytes()),
                "{length}"
            );
            assert!(error.to_string().contains(&length.to_string()), "{error}");
            assert!((given_out.len() as u64) < length);
        }
        let right = verified(frames(["abc", "d", "ef"]), sha256, Some(6)).unwrap();
        assert_eq!(right.collect().await.unwrap().to_bytes(), "abcdef");
    }

    /// A client that finds an exact size hint sends it as `content-length`.
    #[tokio::test]
    async fn a_body_of_another_length_than_its_size_hint_is_cut_off() {
        struct Hinted<B>(B, u64);
        impl<B: Body + Unpin> Body for Hinted<B> {
            type Data = B::Data;
            type Error = B::Error;

            fn poll_frame(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
                Pin::new(&mut self.0).poll_frame(cx)
            }

            fn size_hint(&self) -> SizeHint {
                SizeHint::with_exact(self.1)
            }
        }
        for (claimed, declared, seen) in
            [(3, "abc", ""), (4, "abcd", "abc"), (4, "other", "abc"), (9, "abcdef", "abcd")]
        {
            let body = Hinted(frames(["abc", "d", "ef"]), claimed);
            let body = verified(body, Sha256::digest(declared).into(), None).unwrap();
            let (given_out, error) = cut_off(body).await;
            assert_eq!(
                (error.kind(), &given_out[..]),
                (ErrorKind::BodyMismatch, seen.as_bytes()),
                "{claimed}"
            );
        }
    }

    #[test]
    fn a_length_that_the_body_contradicts_is_refused_at_once() {
        let sha256 = |text| Sha256::digest(text).into();
        for length in [0, 2, 4] {
            let error = verified(Full::new(Bytes::from("abc")), sha256("abc"), Some(length)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BodyMismatch);
            assert!(error.to_string().contains("3 bytes; nothing was sent"), "{error}");
        }
        let error = verified(Empty::<Bytes>::new(), sha256(""), Some(1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BodyMismatch);
        assert!(verified(Empty::<Bytes>::new(), sha256(""), Some(0)).is_ok());
    }

    #[tokio::test]
    async fn the_last_frame_comes_when_the_hash_is_right() {
        let sha256 = Sha256::digest("abcdef").into();
        let body = verified(frames(["abc", "", "def"]), sha256, None).unwrap();
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abcdef");

        let body = verified(frames(["abc", "de", "g"]), sha256, None).unwrap();
        let (seen, error) = cut_off(body).await;
        assert_eq!((error.kind(), &seen[..]), (ErrorKind::BodyMismatch, &b"abcde"[..]));
    }

    #[tokio::test]
    async fn the_length_is_that_of_the_source() {
        let mut body =
            verified(Full::new(Bytes::from("abc")), Sha256::digest("abc").into(), Some(3)).unwrap();
        assert_eq!(body.size_hint().exact(), Some(3));
        assert!(!body.is_end_stream());
        assert!(body.frame().await.unwrap().is_ok());
        assert_eq!(body.size_hint().exact(), Some(0));
        assert!(body.is_end_stream());
    }

    #[test]
    fn nothing_of_another_hash_is_refused_at_once() {
        assert!(verified(Empty::<Bytes>::new(), Sha256::digest("").into(), None).is_ok());
        let error = verified(Empty::<Bytes>::new(), [0; 32], None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BodyMismatch);
    }
}
