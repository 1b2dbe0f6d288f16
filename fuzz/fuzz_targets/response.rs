//! Answers of any kind to a signed request: read for recovery, and handed on whole.
#![no_main]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arbitrary::{Arbitrary, Result, Unstructured};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, future};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use libfuzzer_sys::{Corpus, fuzz_target};
use sigv4_middleware::{SigV4Layer, Signer};
use sigv4_middleware_fuzz::signed::Claim;
use sigv4_middleware_fuzz::{At, run, text};
use tower::{Layer, ServiceExt, service_fn};

const NOW: u64 = 1_440_938_160;
const HOST: &str = "abc123.execute-api.eu-west-1.amazonaws.com";

const WORDS: [&str; 28] = [
    "<Code>",
    "</Code>",
    "<Error>",
    "\"__type\"",
    "\"code\"",
    ":",
    "\"",
    "#",
    " ",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "RequestExpired",
    "AccessDenied",
    "com.amazon.coral#ExpiredToken:http://",
    "{\"__type\":\"ExpiredToken\"}",
    "<Code>ExpiredToken</Code>",
    "<Code>RequestTimeTooSkewed</Code>",
    "{\"code\": \"RequestExpired\"}",
    "Sun, 30 Aug 2015 12:36:00 GMT",
    "Sunday, 30-Aug-15 12:36:00 GMT",
    "Sun Aug 30 12:36:00 2015",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "\u{e9}",
];

/// One answer of the service, and how far its body comes.
#[derive(Clone, Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    frames: Vec<Piece>,
    /// Whether the body says its size beforehand.
    sized: bool,
}

#[derive(Clone, Debug)]
enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
    Failure(u8),
    /// Nothing for so many seconds.
    Stall(u8),
}

#[derive(Debug)]
struct Input {
    method: http::Method,
    body: Vec<u8>,
    token: bool,
    rotates: bool,
    recovery: bool,
    correction: bool,
    answers: Vec<Answer>,
}

fn header(u: &mut Unstructured<'_>) -> Result<(HeaderName, HeaderValue)> {
    let name = text::one_of(u, &["date", "date", "x-amzn-errortype", "age", "content-length", "x-amz-id-2"])?;
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| arbitrary::Error::IncorrectFormat)?;
    let near = u.ratio(1, 2)?;
    let value = if near && name == http::header::DATE {
        let seconds = i64::from(i16::arbitrary(u)?);
        let date = UNIX_EPOCH + Duration::from_secs(NOW.saturating_add_signed(seconds));
        httpdate::fmt_http_date(date).into_bytes()
    } else {
        text::one_of(u, &WORDS)?.into_bytes()
    };
    Ok((name, HeaderValue::from_bytes(&value).map_err(|_| arbitrary::Error::IncorrectFormat)?))
}

fn headers(u: &mut Unstructured<'_>) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for _ in 0..u.int_in_range(0..=4)? {
        let (name, value) = header(u)?;
        headers.append(name, value);
    }
    Ok(headers)
}

impl Arbitrary<'_> for Answer {
    fn arbitrary(u: &mut Unstructured<'_>) -> Result<Self> {
        let status =
            if u.ratio(7, 8)? { *u.choose(&[400, 401, 403, 200])? } else { u.int_in_range(100..=999)? };
        let mut frames = Vec::new();
        for _ in 0..u.int_in_range(0..=6)? {
            frames.push(match u.int_in_range(0..=15)? {
                0 => Piece::Failure(u.arbitrary()?),
                1 => Piece::Trailers(headers(u)?),
                2 => Piece::Stall(u.int_in_range(0..=4)?),
                3 => Piece::Data(Vec::<u8>::arbitrary(u)?.into()),
                _ => Piece::Data(text::text(u, &WORDS)?.into()),
            });
        }
        Ok(Self {
            status: StatusCode::from_u16(status).map_err(|_| arbitrary::Error::IncorrectFormat)?,
            headers: headers(u)?,
            frames,
            sized: u.arbitrary()?,
        })
    }
}

impl Arbitrary<'_> for Input {
    fn arbitrary(u: &mut Unstructured<'_>) -> Result<Self> {
        Ok(Self {
            method: u.choose(&[http::Method::GET, http::Method::POST, http::Method::HEAD])?.clone(),
            body: u.arbitrary()?,
            token: u.arbitrary()?,
            rotates: u.arbitrary()?,
            recovery: u.ratio(7, 8)?,
            correction: u.arbitrary()?,
            answers: vec![u.arbitrary()?, u.arbitrary()?, u.arbitrary()?],
        })
    }
}

/// A body that answers with its pieces, one after another.
struct Pieces {
    left: VecDeque<Piece>,
    sized: bool,
    stalled: Option<Pin<Box<tokio::time::Sleep>>>,
}

#[derive(Debug, PartialEq, Eq)]
struct Failed(u8);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Failed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Failed>>> {
        loop {
            if let Some(stalled) = &mut self.stalled {
                std::task::ready!(stalled.as_mut().poll(cx));
                self.stalled = None;
            }
            return Poll::Ready(match self.left.pop_front() {
                None => None,
                Some(Piece::Data(data)) => Some(Ok(Frame::data(data))),
                Some(Piece::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
                Some(Piece::Failure(failure)) => {
                    // What failed is over.
                    self.left.clear();
                    Some(Err(Failed(failure)))
                }
                Some(Piece::Stall(seconds)) => {
                    let time = Duration::from_secs(seconds.into());
                    self.stalled = Some(Box::pin(tokio::time::sleep(time)));
                    continue;
                }
            });
        }
    }

    fn is_end_stream(&self) -> bool {
        self.sized && self.left.is_empty() && self.stalled.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.sized { SizeHint::with_exact(size(self.left.iter())) } else { SizeHint::default() }
    }
}

/// Bytes of data until the end or a failure.
fn size<'a>(pieces: impl Iterator<Item = &'a Piece>) -> u64 {
    let data = |piece: &Piece| if let Piece::Data(data) = piece { data.len() as u64 } else { 0 };
    pieces.take_while(|piece| !matches!(piece, Piece::Failure(_))).map(data).sum()
}

/// Gives other credentials each time, or always the same.
#[derive(Debug)]
struct Provider {
    token: bool,
    rotates: bool,
    asked: Mutex<u64>,
}

impl ProvideCredentials for Provider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let mut asked = self.asked.lock().expect("no panic");
        *asked += u64::from(self.rotates);
        let token = self.token.then(|| format!("token-{asked}"));
        future::ProvideCredentials::ready(Ok(Credentials::new(
            format!("AKID{asked}"),
            "secret",
            token,
            None::<SystemTime>,
            "fuzz",
        )))
    }
}

fuzz_target!(|data: &[u8]| -> Corpus {
    let Ok(input) = Input::arbitrary(&mut Unstructured::new(data)) else { return Corpus::Reject };
    run(check(input));
    Corpus::Keep
});

async fn check(input: Input) {
    let provider = Provider { token: input.token, rotates: input.rotates, asked: Mutex::default() };
    let signer = Signer::builder()
        .credentials(provider)
        .time_source(At(UNIX_EPOCH + Duration::from_secs(NOW)))
        .retry_on_auth_error(input.recovery)
        .clock_skew_correction(input.correction)
        .build()
        .expect("a signer");
    let seen: Arc<Mutex<Vec<Parts>>> = Arc::default();
    let (to_come, sent) = (input.answers.clone(), Bytes::from(input.body));
    let (record, expected) = (Arc::clone(&seen), sent.clone());
    let service =
        SigV4Layer::new(signer).layer(service_fn(move |request: Request<Full<Bytes>>| {
            let (record, expected, to_come) = (Arc::clone(&record), expected.clone(), to_come.clone());
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.unwrap_or_else(|_| panic!("a whole body")).to_bytes();
                assert_eq!(body, expected, "each try has the whole body");
                let mut record = record.lock().expect("no panic");
                let answer = to_come[record.len()].clone();
                record.push(head);
                let left = VecDeque::from(answer.frames);
                let mut response = Response::new(Pieces { left, sized: answer.sized, stalled: None });
                (*response.status_mut(), *response.headers_mut()) = (answer.status, answer.headers);
                Ok::<_, Infallible>(response)
            }
        }));

    let request = || {
        let uri = format!("https://{HOST}/prod?a=1");
        let request = Request::builder().method(input.method.clone()).uri(uri);
        request.body(Full::new(sent.clone())).expect("a request")
    };
    let response = service.clone().oneshot(request()).await.expect("an answer");
    let tries = seen.lock().expect("no panic").len();
    assert!(tries == 1 || (tries == 2 && input.recovery), "{tries} tries");
    whole(response, &input.answers[tries - 1]).await;

    // The next request is as good as the first, whatever was learned.
    if tries < input.answers.len() {
        let before = tries;
        let mut left = input.answers.len() - before;
        if input.recovery && left < 2 {
            left = 0;
        }
        if left > 0 {
            let response = service.oneshot(request()).await.expect("an answer");
            let tries = seen.lock().expect("no panic").len();
            assert!(tries > before && tries - before <= 2);
            whole(response, &input.answers[tries - 1]).await;
        }
    }
    for head in seen.lock().expect("no panic").iter() {
        let claim = Claim::of_headers(&head.headers);
        assert_eq!((&*claim.region, &*claim.service), ("eu-west-1", "execute-api"));
        assert_eq!(head.headers.contains_key("x-amz-security-token"), input.token);
        assert_eq!(head.uri.host(), Some(HOST));
        assert_eq!(head.headers["x-amz-date"].to_str().expect("text")[..8], claim.day);
    }
}

/// The answer is the one that the service gave, frame by frame.
async fn whole<B: Body<Data = Bytes, Error = Failed>>(response: Response<B>, answer: &Answer) {
    let (head, body) = response.into_parts();
    assert_eq!((head.status, &head.headers), (answer.status, &answer.headers));
    let mut body = Box::pin(body);
    let mut pieces = answer.frames.iter().filter(|piece| !matches!(piece, Piece::Stall(_)));
    loop {
        let left = size(pieces.clone());
        let hint = body.size_hint();
        assert!(hint.lower() <= left && hint.upper().is_none_or(|upper| left <= upper), "{hint:?} of {left}");
        let ends = body.is_end_stream();
        let frame = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await;
        assert!(!ends || frame.is_none(), "it said that it was over");
        match (frame, pieces.next()) {
            (None, None) => return,
            (Some(Ok(frame)), Some(Piece::Data(data))) => assert_eq!(frame.into_data().expect("data"), data),
            (Some(Ok(frame)), Some(Piece::Trailers(trailers))) => {
                assert_eq!(&frame.into_trailers().expect("trailers"), trailers);
            }
            (Some(Err(error)), Some(Piece::Failure(failure))) => {
                assert_eq!(error, Failed(*failure));
                return;
            }
            (_, expected) => panic!("expected {expected:?}"),
        }
    }
}
