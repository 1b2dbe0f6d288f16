//! A body that gives scripted frames.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use arbitrary::{Arbitrary, Result, Unstructured};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame, SizeHint};

/// What one poll of a body gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Data(Bytes),
    Trailers(HeaderMap),
    /// The body ends with this error.
    Failure(u8),
    Pending,
}

/// The error of a [`Scripted`] body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed(pub u8);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scripted failure {}", self.0)
    }
}

impl std::error::Error for Failed {}

/// Gives its steps in order.
#[derive(Debug)]
pub struct Scripted {
    steps: VecDeque<Step>,
    /// Whether its length is known before it is read.
    is_sized: bool,
    /// Bytes that were read from it, to be seen from outside.
    read: Arc<AtomicU64>,
}

impl Scripted {
    pub fn new(steps: &[Step], is_sized: bool) -> Self {
        Self { steps: steps.iter().cloned().collect(), is_sized, read: Arc::default() }
    }

    /// The number of bytes that were read from the body so far.
    pub fn read_counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read)
    }
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = Failed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Failed>>> {
        Poll::Ready(match self.steps.pop_front() {
            None => None,
            Some(Step::Data(data)) => {
                self.read.fetch_add(data.len() as u64, Ordering::Relaxed);
                Some(Ok(Frame::data(data)))
            }
            Some(Step::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Some(Step::Failure(failure)) => {
                self.steps.clear();
                Some(Err(Failed(failure)))
            }
            Some(Step::Pending) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.is_sized && self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_sized { SizeHint::with_exact(data_len(&self.steps)) } else { SizeHint::default() }
    }
}

/// Bytes of data up to the end or a failure.
pub fn data_len<'a>(steps: impl IntoIterator<Item = &'a Step>) -> u64 {
    let len = |step: &Step| if let Step::Data(data) = step { data.len() as u64 } else { 0 };
    steps.into_iter().take_while(|step| !matches!(step, Step::Failure(_))).map(len).sum()
}

/// The data up to the end or a failure.
pub fn data(steps: &[Step]) -> Vec<u8> {
    let mut all = Vec::new();
    for step in steps {
        match step {
            Step::Data(data) => all.extend_from_slice(data),
            Step::Failure(_) => break,
            Step::Trailers(_) | Step::Pending => {}
        }
    }
    all
}

/// Up to `most` steps, the data made by `text`.
pub fn steps(
    u: &mut Unstructured<'_>,
    most: usize,
    mut text: impl FnMut(&mut Unstructured<'_>) -> Result<Vec<u8>>,
) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    for _ in 0..u.int_in_range(0..=most)? {
        steps.push(match u.int_in_range(0..=31)? {
            0 => Step::Failure(u.arbitrary()?),
            1 => Step::Trailers(trailers(u)?),
            2..=4 => Step::Pending,
            5 => Step::Data(Bytes::new()),
            6..=8 => {
                let (byte, len) = (u8::arbitrary(u)?, u.int_in_range(0..=70_000)?);
                Step::Data(vec![byte; len].into())
            }
            9..=12 => Step::Data(Vec::<u8>::arbitrary(u)?.into()),
            _ => Step::Data(text(u)?.into()),
        });
    }
    Ok(steps)
}

fn trailers(u: &mut Unstructured<'_>) -> Result<HeaderMap> {
    let names = ["etag", "x-amz-checksum-sha256", "grpc-status"];
    let mut trailers = HeaderMap::new();
    for _ in 0..u.int_in_range(0..=2)? {
        let value = u8::arbitrary(u)?.to_string();
        let value = HeaderValue::from_str(&value).map_err(|_| arbitrary::Error::IncorrectFormat)?;
        trailers.append(HeaderName::from_static(u.choose(&names)?), value);
    }
    Ok(trailers)
}

/// Reads a body to its end, and checks that it consists of these steps, frame by frame, and keeps its promises of length.
pub async fn assert_unchanged<B>(body: B, steps: &[Step])
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut body = Box::pin(body);
    let mut steps = steps.iter().filter(|step| **step != Step::Pending);
    loop {
        let left = data_len(steps.clone());
        let hint = body.size_hint();
        assert!(hint.lower() <= left && hint.upper().is_none_or(|upper| left <= upper), "{hint:?} of {left}");
        let ends = body.is_end_stream();
        let frame = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await;
        assert!(!ends || frame.is_none(), "a body that has ended has no more frames");
        // Whatever reads a body may leave out frames without data.
        let mut expected = steps.next();
        while frame.as_ref().is_none_or(|frame| !is_empty(frame)) && expected.is_some_and(is_empty_step) {
            expected = steps.next();
        }
        match (frame, expected) {
            (None, None) => return,
            (Some(Ok(frame)), Some(Step::Data(data))) => assert_eq!(frame.into_data().expect("data"), data),
            (Some(Ok(frame)), Some(Step::Trailers(trailers))) => {
                assert_eq!(&frame.into_trailers().expect("trailers"), trailers);
            }
            (Some(Err(error)), Some(Step::Failure(failure))) => {
                let error: Box<dyn std::error::Error + Send + Sync> = error.into();
                let found =
                    std::iter::successors(Some(&*error as &(dyn std::error::Error + 'static)), |error| {
                        error.source()
                    })
                    .find_map(|error| error.downcast_ref::<Failed>());
                assert_eq!(found, Some(&Failed(*failure)), "{error:?}");
                return;
            }
            (_, expected) => panic!("expected {expected:?}"),
        }
    }
}

fn is_empty<E>(frame: &std::result::Result<Frame<Bytes>, E>) -> bool {
    frame.as_ref().is_ok_and(|frame| frame.data_ref().is_some_and(Bytes::is_empty))
}

fn is_empty_step(step: &Step) -> bool {
    matches!(step, Step::Data(data) if data.is_empty())
}
