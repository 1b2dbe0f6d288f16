//! [`ResponseBody`]: an answer's body, whole again after its beginning was looked at.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::timer::timeout;

/// How long a refusal's body is read for its code.
const PATIENCE: Duration = Duration::from_secs(2);

pin_project! {
    /// The body of an answer that came through the layer: all of it, though the signer may have read its beginning to
    /// see why a request was refused.
    #[derive(Debug)]
    pub struct ResponseBody<R>
    where
        R: Body,
    {
        read: VecDeque<Result<Frame<R::Data>, R::Error>>,
        #[pin]
        rest: Rest<R>,
    }
}

pin_project! {
    #[project = RestProjection]
    #[derive(Debug)]
    enum Rest<R> {
        InPlace { #[pin] body: R },
        // Boxed when it has been polled, so that it can move.
        Boxed { body: Pin<Box<R>> },
        Ended,
    }
}

impl<R: Body> ResponseBody<R> {
    pub(crate) fn untouched(body: R) -> Self {
        Self { read: VecDeque::new(), rest: Rest::InPlace { body } }
    }

    /// Reads up to `longest` bytes, and gives them with a body that still has them.
    pub(crate) async fn peek(body: R, longest: usize) -> (Vec<u8>, Self) {
        let mut body = Box::pin(body);
        let mut read = VecDeque::new();
        let mut text = Vec::new();
        let reading = async {
            while text.len() < longest {
                let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await else { return true };
                if let Some(data) = frame.as_ref().ok().and_then(Frame::data_ref) {
                    text.extend_from_slice(data.chunk());
                }
                let failed = frame.is_err();
                read.push_back(frame);
                if failed {
                    return true;
                }
            }
            false
        };
        let ended = timeout(PATIENCE, reading).await.unwrap_or(false);
        text.truncate(longest);
        let rest = if ended { Rest::Ended } else { Rest::Boxed { body } };
        (text, Self { read, rest })
    }
}

impl<R: Body> Body for ResponseBody<R> {
    type Data = R::Data;
    type Error = R::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<R::Data>, R::Error>>> {
        let mut this = self.project();
        if let Some(frame) = this.read.pop_front() {
            return Poll::Ready(Some(frame));
        }
        let frame = match this.rest.as_mut().project() {
            RestProjection::InPlace { body } => ready!(body.poll_frame(cx)),
            RestProjection::Boxed { body } => ready!(body.as_mut().poll_frame(cx)),
            RestProjection::Ended => None,
        };
        Poll::Ready(frame)
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.read.iter().flatten().filter_map(Frame::data_ref);
        let read: u64 = read.map(|data| data.remaining() as u64).sum();
        let rest = match &self.rest {
            Rest::InPlace { body } => body.size_hint(),
            Rest::Boxed { body } => body.size_hint(),
            Rest::Ended => SizeHint::with_exact(0),
        };
        let mut hint = SizeHint::new();
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(read));
        }
        hint.set_lower(rest.lower().saturating_add(read));
        hint
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty()
            && match &self.rest {
                Rest::InPlace { body } => body.is_end_stream(),
                Rest::Boxed { body } => body.is_end_stream(),
                Rest::Ended => true,
            }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use bytes::Bytes;
    use futures_util::stream::{self, StreamExt};
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    type Frames = Vec<Result<Frame<Bytes>, io::Error>>;

    fn frames(texts: &[&'static str]) -> Frames {
        texts.iter().map(|text| Ok(Frame::data(Bytes::from_static(text.as_bytes())))).collect()
    }

    async fn all(mut body: impl Body<Data = Bytes, Error = io::Error> + Unpin) -> (String, bool) {
        let mut text = String::new();
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap()),
                Err(_) => return (text, true),
            }
        }
        (text, false)
    }

    #[tokio::test]
    async fn a_body_looked_at_is_whole_again() {
        let body = StreamBody::new(stream::iter(frames(&["<Code>", "Expired", "Token</Code>"])));
        let (text, body) = ResponseBody::peek(body, 100).await;
        assert_eq!(text, b"<Code>ExpiredToken</Code>");
        assert_eq!(body.size_hint().exact(), Some(25));
        assert!(!body.is_end_stream());
        assert_eq!(all(body).await, ("<Code>ExpiredToken</Code>".to_owned(), false));
    }

    #[test]
    fn a_body_is_looked_at_without_a_runtime() {
        let body = StreamBody::new(stream::iter(frames(&["<Code>ExpiredToken</Code>"])));
        let (text, body) = crate::block_on::block_on(ResponseBody::peek(body, 100));
        assert_eq!(
            (text.as_slice(), body.size_hint().exact()),
            (b"<Code>ExpiredToken</Code>".as_slice(), Some(25))
        );
    }

    #[tokio::test]
    async fn no_more_is_read_than_the_bound() {
        let endless = stream::repeat_with(|| Ok::<_, io::Error>(Frame::data(Bytes::from_static(b"abcd"))));
        let (text, mut body) = ResponseBody::peek(StreamBody::new(endless), 10).await;
        assert_eq!(text, b"abcdabcdab");
        for _ in 0..5 {
            assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "abcd");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stalls_or_fails_is_handed_on_as_it_was() {
        let mut failing = frames(&["ab"]);
        failing.push(Err(io::Error::other("reset")));
        let (text, body) = ResponseBody::peek(StreamBody::new(stream::iter(failing)), 100).await;
        assert_eq!(text, b"ab");
        assert_eq!(all(body).await, ("ab".to_owned(), true));

        let later = stream::once(async {
            tokio::time::sleep(PATIENCE * 2).await;
            Ok(Frame::data(Bytes::from_static(b"late")))
        });
        let body = StreamBody::new(Box::pin(stream::iter(frames(&["soon "])).chain(later)));
        let (text, body) = ResponseBody::peek(body, 100).await;
        assert_eq!(text, b"soon ");
        assert_eq!(all(body).await, ("soon late".to_owned(), false));
    }
}
