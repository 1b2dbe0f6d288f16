//! A refusal's body, read for its error code and returned whole.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Buf;
#[cfg(feature = "reqwest")]
use http::Response;
use http_body::{Body, Frame, SizeHint};

#[cfg(feature = "reqwest")]
use super::{classify::code_in_body, exchange::RefusalBody};
use crate::body::poll_frame;
#[cfg(feature = "reqwest")]
use crate::diagnosis::RefusedResponse;
use crate::timer::{Instant, timeout};

/// How long a refusal's body is read for its code.
const READ_TIMEOUT: Duration = Duration::from_secs(2);

/// Response body that [`Diagnose`](crate::Diagnose) has read in part: it still yields the whole body.
pub struct ResponseBody<R: Body> {
    read: VecDeque<Result<Frame<R::Data>, R::Error>>,
    rest: Option<Pin<Box<R>>>,
}

/// Reads a refusal for its error code, if it is as short as a refusal of AWS is.
#[cfg(feature = "reqwest")]
pub(super) async fn read_refusal<R: Body>(response: Response<R>) -> (Response<ResponseBody<R>>, RefusalBody) {
    let (head, body) = response.into_parts();
    let (text, body) = ResponseBody::read(body, RefusedResponse::LONGEST_BODY).await;
    let read = RefusalBody::Read { code: code_in_body(&text), whole: body.rest.is_none() };
    (Response::from_parts(head, body), read)
}

/// Reads a refusal of reqwest's for its error code.
#[cfg(feature = "reqwest")]
pub(super) async fn read_reqwest_refusal(response: reqwest::Response) -> (reqwest::Response, RefusalBody) {
    let url = response.url().clone();
    let (response, read) = read_refusal(response.into()).await;
    (with_url(response.map(reqwest::Body::wrap), url), read)
}

/// A response of reqwest's, async or blocking, from this URL; a plain conversion would lose it.
#[cfg(feature = "reqwest")]
pub(super) fn with_url<R: From<Response<reqwest::Body>>>(
    mut response: Response<reqwest::Body>,
    url: reqwest::Url,
) -> R {
    use reqwest::ResponseBuilderExt as _;

    if let Ok(marked) = Response::builder().url(url).body(()) {
        response.extensions_mut().extend(marked.into_parts().0.extensions);
    }
    response.into()
}

impl<R: Body> ResponseBody<R> {
    /// A body of which nothing was read.
    pub(super) fn unread(body: R) -> Self {
        Self { read: VecDeque::new(), rest: Some(Box::pin(body)) }
    }

    /// Reads up to `longest` bytes, and returns them with a body that still yields them.
    pub(super) async fn read(body: R, longest: usize) -> (Vec<u8>, Self) {
        let mut body = Box::pin(body);
        let mut read = VecDeque::new();
        let mut text = Vec::new();
        let reading = async {
            let started = Instant::now();
            // A blocking reader is ready each time, so that the timeout never gets its turn.
            while text.len() < longest && started.elapsed() < READ_TIMEOUT {
                let Some(frame) = poll_fn(|cx| poll_frame(body.as_mut(), cx)).await else { return true };
                if let Some(data) = frame.as_ref().ok().and_then(Frame::data_ref) {
                    let chunk = data.chunk();
                    text.extend_from_slice(&chunk[..chunk.len().min(longest - text.len())]);
                }
                let failed = frame.is_err();
                read.push_back(frame);
                if failed {
                    return true;
                }
            }
            false
        };
        let ended = timeout(READ_TIMEOUT, reading).await.unwrap_or(false);
        let rest = (!ended).then_some(body);
        (text, Self { read, rest })
    }
}

/// Leaves out the bytes, which may be secret.
impl<R: Body> fmt::Debug for ResponseBody<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("is_whole", &self.rest.is_none()).finish_non_exhaustive()
    }
}

impl<R: Body> Unpin for ResponseBody<R> {}

impl<R: Body> Body for ResponseBody<R> {
    type Data = R::Data;
    type Error = R::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<R::Data>, R::Error>>> {
        if let Some(frame) = self.read.pop_front() {
            return Poll::Ready(Some(frame));
        }
        match &mut self.rest {
            Some(rest) => rest.as_mut().poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.read.iter().flatten().filter_map(Frame::data_ref);
        let read: u64 = read.map(|data| data.remaining() as u64).sum();
        let rest = self.rest.as_ref().map_or(SizeHint::with_exact(0), |rest| rest.size_hint());
        let mut hint = SizeHint::new();
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(read));
        }
        hint.set_lower(rest.lower().saturating_add(read));
        hint
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.rest.as_ref().is_none_or(|rest| rest.is_end_stream())
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
        let (text, body) = ResponseBody::read(body, 100).await;
        assert_eq!(text, b"<Code>ExpiredToken</Code>");
        assert_eq!(body.size_hint().exact(), Some(25));
        assert!(!body.is_end_stream());
        assert_eq!(all(body).await, ("<Code>ExpiredToken</Code>".to_owned(), false));
    }

    #[test]
    fn a_body_is_looked_at_without_a_runtime() {
        let body = StreamBody::new(stream::iter(frames(&["<Code>ExpiredToken</Code>"])));
        let (text, body) = crate::block_on::block_on(ResponseBody::read(body, 100));
        assert_eq!(
            (text.as_slice(), body.size_hint().exact()),
            (b"<Code>ExpiredToken</Code>".as_slice(), Some(25))
        );
    }

    #[tokio::test]
    async fn no_more_is_read_than_the_bound() {
        let endless = stream::repeat_with(|| Ok::<_, io::Error>(Frame::data(Bytes::from_static(b"abcd"))));
        let (text, mut body) = ResponseBody::read(StreamBody::new(endless), 10).await;
        assert_eq!(text, b"abcdabcdab");
        for _ in 0..5 {
            assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "abcd");
        }
    }

    #[tokio::test]
    async fn empty_frames_are_not_kept() {
        let empties = stream::repeat_with(|| Ok::<_, io::Error>(Frame::data(Bytes::new()))).take(10_000);
        let body = StreamBody::new(empties.chain(stream::iter(frames(&["end"]))));
        let (text, body) = ResponseBody::read(body, 100).await;
        assert_eq!((&text[..], body.read.len()), (&b"end"[..], 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stalls_or_fails_is_handed_on_as_it_was() {
        let mut failing = frames(&["ab"]);
        failing.push(Err(io::Error::other("reset")));
        let (text, body) = ResponseBody::read(StreamBody::new(stream::iter(failing)), 100).await;
        assert_eq!(text, b"ab");
        assert_eq!(all(body).await, ("ab".to_owned(), true));

        let later = stream::once(async {
            tokio::time::sleep(READ_TIMEOUT * 2).await;
            Ok(Frame::data(Bytes::from_static(b"late")))
        });
        let body = StreamBody::new(Box::pin(stream::iter(frames(&["soon "])).chain(later)));
        let (text, body) = ResponseBody::read(body, 100).await;
        assert_eq!(text, b"soon ");
        assert_eq!(all(body).await, ("soon late".to_owned(), false));
    }
}
