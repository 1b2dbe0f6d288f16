//! Any request body in any payload mode: the client gets exactly the source's bytes, or an error before the end.
#![no_main]

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, UNIX_EPOCH};

use arbitrary::{Arbitrary, Result, Unstructured};
use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderValue, Method, Request, Response};
use http_body::{Body, Frame, SizeHint};
use libfuzzer_sys::fuzz_target;
use reqwest::ResponseBuilderExt;
use reqwest_middleware::{ClientBuilder, Middleware, Next};
use sha2::{Digest, Sha256};
use sigv4_middleware::{
    AwsChunked, BoxError, ChecksumAlgorithm, Error, ErrorKind, PayloadMode, SigV4Layer, SigV4Middleware,
    SignedBody, Signer,
};
use sigv4_middleware_fuzz::provider::Provider;
use sigv4_middleware_fuzz::response::NOW;
use sigv4_middleware_fuzz::scripted::{Failed, Scripted, Step, data, steps};
use sigv4_middleware_fuzz::{FixedClock, chunked, run};
use tower::{Layer, ServiceExt, service_fn};

const URL: &str = "https://bucket.s3.eu-west-1.amazonaws.com/key";
/// Bytes that may be held in memory.
const LIMIT: u64 = 100_000;

#[derive(Clone, Copy, Debug)]
enum Client {
    MapBody,
    SameBody,
    Middleware,
}

#[derive(Clone, Copy, Debug)]
enum Mode {
    Buffered,
    Unsigned,
    Sha256([u8; 32]),
    Sha256Checked([u8; 32]),
    Chunked(AwsChunked, Option<u64>),
}

#[derive(Debug)]
struct Input {
    client: Client,
    method: Method,
    mode: Mode,
    is_signers_mode: bool,
    steps: Vec<Step>,
    /// What the source claims to be its exact length.
    hint: Option<u64>,
    content_length: Option<u64>,
    /// Frames that the client takes of the first attempt, before the server refuses the request.
    refused_after: Option<u8>,
}

/// The length of the source, or one time in four another.
fn length(u: &mut Unstructured<'_>, len: u64) -> Result<u64> {
    Ok(if u.ratio(3, 4)? { len } else { len.saturating_add_signed(i64::from(i8::arbitrary(u)?)) })
}

/// The hash of the source, or that of some of it, or another.
fn hash(u: &mut Unstructured<'_>, steps: &[Step]) -> Result<[u8; 32]> {
    Ok(match u.int_in_range(0..=7)? {
        0 => u.arbitrary()?,
        1 => Sha256::digest(data(&steps[..u.int_in_range(0..=steps.len())?])).into(),
        _ => Sha256::digest(data(steps)).into(),
    })
}

fn chunked_mode(u: &mut Unstructured<'_>, len: u64) -> Result<Mode> {
    let algorithms = [
        ChecksumAlgorithm::Sha256,
        ChecksumAlgorithm::Sha1,
        ChecksumAlgorithm::Crc32,
        ChecksumAlgorithm::Crc32c,
        ChecksumAlgorithm::Crc64Nvme,
    ];
    let mut options = match u.int_in_range(0..=2)? {
        0 => AwsChunked::signed(),
        1 => AwsChunked::signed().trailer(*u.choose(&algorithms)?),
        _ => AwsChunked::unsigned(*u.choose(&algorithms)?),
    };
    if u.ratio(3, 4)? {
        options = options.chunk_size(u.int_in_range(8192..=16_384)?);
    }
    let decoded_length = if u.ratio(1, 4)? { Some(length(u, len)?) } else { None };
    Ok(Mode::Chunked(decoded_length.into_iter().fold(options, AwsChunked::decoded_length), decoded_length))
}

impl Arbitrary<'_> for Input {
    fn arbitrary(u: &mut Unstructured<'_>) -> Result<Self> {
        let steps = steps(u, 6, |u| u.arbitrary())?;
        let len = data(&steps).len() as u64;
        let mode = match u.int_in_range(0..=6)? {
            0 => Mode::Buffered,
            1 => Mode::Unsigned,
            2 => Mode::Sha256(hash(u, &steps)?),
            3 | 4 => Mode::Sha256Checked(hash(u, &steps)?),
            _ => chunked_mode(u, len)?,
        };
        Ok(Self {
            client: *u.choose(&[Client::MapBody, Client::SameBody, Client::Middleware])?,
            method: u.choose(&[Method::PUT, Method::PUT, Method::POST])?.clone(),
            mode,
            is_signers_mode: u.arbitrary()?,
            hint: if u.ratio(2, 3)? { Some(length(u, len)?) } else { None },
            content_length: if u.ratio(1, 3)? { Some(length(u, len)?) } else { None },
            refused_after: u.arbitrary()?,
            steps,
        })
    }
}

impl Input {
    fn payload_mode(&self) -> PayloadMode {
        match self.mode {
            Mode::Buffered => PayloadMode::Buffered,
            Mode::Unsigned => PayloadMode::Unsigned,
            Mode::Sha256(sha256) => PayloadMode::Sha256(sha256),
            Mode::Sha256Checked(sha256) => PayloadMode::Sha256Checked(sha256),
            Mode::Chunked(options, _) => PayloadMode::AwsChunked(options),
        }
    }

    /// The mode of this request: only a PUT takes the chunks of a whole signer.
    fn effective_mode(&self) -> Mode {
        match self.mode {
            Mode::Chunked(..) if self.is_signers_mode && self.method != Method::PUT => Mode::Buffered,
            mode => mode,
        }
    }

    fn source(&self) -> Source {
        Source { body: Scripted::new(&self.steps, self.hint.is_some()), left: self.hint }
    }

    fn fails(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Failure(_)))
    }

    fn has_trailers(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Trailers(_)))
    }

    fn headers(&self) -> HeaderMap {
        self.content_length
            .map(|len| (http::header::CONTENT_LENGTH, HeaderValue::from(len)))
            .into_iter()
            .collect()
    }

    /// Whether nothing is wrong with the request, so that it has to arrive.
    fn is_valid(&self) -> bool {
        let bytes = data(&self.steps);
        let is_len = |len: Option<u64>| len.is_none_or(|len| len == bytes.len() as u64);
        if self.fails() || !is_len(self.hint) {
            return false;
        }
        let takes_wrapped = !matches!(self.client, Client::SameBody);
        match self.effective_mode() {
            Mode::Buffered => !self.has_trailers() && bytes.len() as u64 <= LIMIT,
            Mode::Unsigned | Mode::Sha256(_) => true,
            Mode::Sha256Checked(sha256) => {
                let hash = Sha256::digest(&bytes);
                takes_wrapped && !self.has_trailers() && is_len(self.content_length) && sha256 == hash[..]
            }
            Mode::Chunked(_, decoded) => {
                let is_known = decoded.or(self.hint).or(self.content_length).is_some();
                let is_right = is_len(decoded.or(self.hint).or(self.content_length));
                takes_wrapped && !self.has_trailers() && is_known && is_right
            }
        }
    }
}

/// A scripted body that claims a length, which may be wrong.
#[derive(Debug)]
struct Source {
    body: Scripted,
    left: Option<u64>,
}

impl Body for Source {
    type Data = Bytes;
    type Error = Failed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Failed>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let (Some(Ok(frame)), Some(left)) = (&frame, &mut self.left) {
            *left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len) as u64);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// The body of a client that keeps the caller's type.
#[derive(Debug)]
enum SameBody {
    Source(Source),
    Bytes(http_body_util::Full<Bytes>),
}

impl From<Bytes> for SameBody {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl Body for SameBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, BoxError>>> {
        match &mut *self {
            Self::Source(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Self::Bytes(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Source(body) => body.is_end_stream(),
            Self::Bytes(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Source(body) => body.size_hint(),
            Self::Bytes(body) => body.size_hint(),
        }
    }
}

/// What a client got to send.
#[derive(Debug, Default)]
struct Received {
    headers: HeaderMap,
    /// The length that the client sends as `content-length`, as hyper finds it.
    framing_length: Option<u64>,
    data: Vec<u8>,
    has_trailers: bool,
    end: End,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum End {
    /// The client stopped reading.
    #[default]
    Dropped,
    Complete,
    Failed,
}

/// Takes the body as hyper does: one that has ended is not polled.
async fn receive<B: Body<Data = Bytes>>(
    headers: &HeaderMap,
    body: B,
    most: Option<u8>,
) -> (Received, Option<B::Error>) {
    let mut body = Box::pin(body);
    let content_length =
        headers.get("content-length").map(|len| len.to_str().expect("text").parse().expect("a number"));
    let framing_length = content_length.or(body.size_hint().exact());
    let mut received = Received { headers: headers.clone(), framing_length, ..Received::default() };
    for _ in 0..most.map_or(usize::MAX, usize::from) {
        let ends = body.is_end_stream();
        match std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            None => {
                received.end = End::Complete;
                break;
            }
            _ if ends => panic!("a body that has ended has no more frames"),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => received.data.extend_from_slice(&data),
                Err(_) => received.has_trailers = true,
            },
            Some(Err(error)) => {
                received.end = End::Failed;
                return (received, Some(error));
            }
        }
    }
    (received, None)
}

/// Stands for the client and the server: refuses the first request as expired, if the input says so.
#[derive(Clone)]
struct Network {
    refused_after: Option<u8>,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Network {
    async fn send<B: Body<Data = Bytes>>(
        &self,
        headers: &HeaderMap,
        body: B,
    ) -> std::result::Result<http::response::Builder, B::Error> {
        let is_first = self.received.lock().expect("not poisoned").is_empty();
        let refused_after = self.refused_after.filter(|_| is_first);
        let (received, error) = receive(headers, body, refused_after).await;
        self.received.lock().expect("not poisoned").push(received);
        match error {
            Some(error) => Err(error),
            None if refused_after.is_some() => {
                Ok(Response::builder().status(403).header("x-amzn-errortype", "ExpiredTokenException"))
            }
            None => Ok(Response::builder()),
        }
    }
}

#[async_trait::async_trait]
impl Middleware for Network {
    async fn handle(
        &self,
        mut request: reqwest::Request,
        _: &mut Extensions,
        _: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        let body = request.body_mut().take().unwrap_or_default();
        let response = self.send(request.headers(), body).await?.url(request.url().clone());
        Ok(response.body("").expect("a response").into())
    }
}

fuzz_target!(|input: Input| run(check(input)));

async fn check(input: Input) {
    let network = Network { refused_after: input.refused_after, received: Arc::default() };
    let result = send(&input, network.clone()).await;
    let received = network.received.lock().expect("not poisoned");
    for received in received.iter() {
        check_received(&input, received);
    }
    match &result {
        Ok(status) => {
            assert!(received.len() == 1 || (received.len() == 2 && input.refused_after.is_some()));
            let is_refused = input.refused_after.is_some() && received.len() == 1;
            assert_eq!(*status == 403, is_refused);
            let is_buffered = matches!(input.effective_mode(), Mode::Buffered);
            assert!(!(is_refused && is_buffered), "a body in memory is sent again");
        }
        Err(Some(kind)) => {
            let kinds = [
                ErrorKind::BodyTooLarge,
                ErrorKind::BodyFailed,
                ErrorKind::BodyTrailers,
                ErrorKind::BodyMismatch,
                ErrorKind::UnsupportedPayload,
            ];
            assert!(kinds.contains(kind), "{kind:?}");
            assert!(!input.is_valid(), "{kind:?}");
        }
        Err(None) => assert!(input.fails(), "only the source's own failure is the client's error"),
    }
}

/// Sends the request. `Err(None)` is an error of the client's.
async fn send(input: &Input, network: Network) -> std::result::Result<u16, Option<ErrorKind>> {
    let mut builder = Signer::builder()
        .credentials(Provider::new(true, true))
        .time_source(FixedClock(UNIX_EPOCH + Duration::from_secs(NOW)))
        .body_limit(LIMIT);
    if input.is_signers_mode {
        builder = builder.payload_mode(input.payload_mode());
    }
    let signer = builder.build().expect("a signer");
    let mut extensions = Extensions::new();
    if !input.is_signers_mode {
        extensions.insert(input.payload_mode());
    }
    let mut request = Request::builder().method(input.method.clone()).uri(URL).body(()).expect("a request");
    (*request.headers_mut(), *request.extensions_mut()) = (input.headers(), extensions.clone());
    let kind = |error: &(dyn std::error::Error + 'static)| Error::find(error).map(Error::kind);
    match input.client {
        Client::MapBody => {
            let service = service_fn(move |request: Request<SignedBody<Source>>| {
                let network = network.clone();
                async move {
                    let (head, body) = request.into_parts();
                    network
                        .send(&head.headers, body)
                        .await
                        .map(|response| response.body(()).expect("a response"))
                }
            });
            let layer = SigV4Layer::new(signer).map_body(|body: SignedBody<Source>| body);
            let response = layer.layer(service).oneshot(request.map(|()| input.source())).await;
            response.map(|response| response.status().as_u16()).map_err(|error| kind(&error))
        }
        Client::SameBody => {
            let service = service_fn(move |request: Request<SameBody>| {
                let network = network.clone();
                async move {
                    let (head, body) = request.into_parts();
                    network
                        .send(&head.headers, body)
                        .await
                        .map(|response| response.body(()).expect("a response"))
                }
            });
            let request = request.map(|()| SameBody::Source(input.source()));
            let response = SigV4Layer::new(signer).layer(service).oneshot(request).await;
            response.map(|response| response.status().as_u16()).map_err(|error| kind(&error))
        }
        Client::Middleware => {
            thread_local! {
                static CLIENT: reqwest::Client =
                    sigv4_middleware::reqwest_client().no_proxy().build().expect("a client");
            }
            let client = ClientBuilder::new(CLIENT.with(Clone::clone));
            let client = client.with(SigV4Middleware::new(signer)).with(network).build();
            let mut request = reqwest::Request::new(input.method.clone(), URL.parse().expect("a URL"));
            *request.headers_mut() = input.headers();
            *request.body_mut() = Some(reqwest::Body::wrap(input.source()));
            let response = client.execute_with_extensions(request, &mut extensions).await;
            response.map(|response| response.status().as_u16()).map_err(|error| kind(&error))
        }
    }
}

fn check_received(input: &Input, received: &Received) {
    let source = data(&input.steps);
    let header = |name: &str| received.headers.get(name).map(|value| value.to_str().expect("text"));
    let number = |name: &str| header(name).map(|value| value.parse::<u64>().expect("a number"));
    let declared = header("x-amz-content-sha256").expect("a payload hash");
    let sha256 =
        |data: &[u8]| -> String { Sha256::digest(data).iter().map(|byte| format!("{byte:02x}")).collect() };
    if received.end == End::Failed
        && let Some(length) = received.framing_length
        && !matches!(input.effective_mode(), Mode::Unsigned | Mode::Sha256(_))
    {
        let len = received.data.len() as u64;
        assert!(len < length || length == 0, "a body that is cut off must not look complete");
    }
    let is_complete = received.end == End::Complete;
    match input.effective_mode() {
        Mode::Buffered => {
            assert!(received.end != End::Failed && !received.has_trailers);
            assert!(source.starts_with(&received.data) && !input.fails());
            assert_eq!(declared, sha256(&source));
            assert!(!is_complete || received.data == source);
            assert!(number("content-length").is_none_or(|len| len == source.len() as u64));
        }
        Mode::Unsigned | Mode::Sha256(_) => {
            assert!(source.starts_with(&received.data));
            assert!(!is_complete || (received.data == source && !input.fails()));
            assert!(!is_complete || received.has_trailers == input.has_trailers());
            assert!(received.end != End::Failed || input.fails());
        }
        // A body that claims to be empty is not read, as clients do not read it either.
        Mode::Sha256Checked(expected) if input.hint == Some(0) => {
            assert!(received.data.is_empty() && Sha256::digest(b"")[..] == expected);
        }
        Mode::Sha256Checked(expected) => {
            assert!(source.starts_with(&received.data) && !received.has_trailers);
            if is_complete {
                assert!(received.data == source && !input.fails());
                assert_eq!(Sha256::digest(&received.data)[..], expected);
                assert!(number("content-length").is_none_or(|len| len == source.len() as u64));
            }
        }
        Mode::Chunked(..) if !declared.starts_with("STREAMING-") => {
            assert!(input.is_signers_mode, "chunks that are set for a request are sent, even of no bytes");
            assert!(received.data.is_empty() && source.is_empty() && declared == sha256(b""));
        }
        Mode::Chunked(..) => {
            let decoded = chunked::decode(&received.data, !declared.starts_with("STREAMING-UNSIGNED-"));
            match received.end {
                End::Complete => assert!(decoded.is_some(), "a complete body"),
                End::Failed => assert!(decoded.is_none(), "a body that is cut off must not look complete"),
                End::Dropped => {}
            }
            assert!(!received.has_trailers && received.framing_length == number("content-length"));
            if let Some(decoded) = decoded {
                assert!(decoded.data == source && !input.fails());
                assert_eq!(number("x-amz-decoded-content-length"), Some(source.len() as u64));
                assert_eq!(number("content-length"), Some(received.data.len() as u64));
                let (name, value) = decoded.trailer.unzip();
                assert_eq!(name.as_deref(), header("x-amz-trailer"));
                if name.as_deref() == Some("x-amz-checksum-sha256") {
                    assert_eq!(value, Some(chunked::sha256_checksum(&source)));
                }
            }
        }
    }
}
