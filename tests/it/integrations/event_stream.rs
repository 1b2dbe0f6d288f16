//! Event streams through every integration: each message taken out of its envelope by AWS's decoder, each signature
//! computed once more by hand.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_async::time::TimeSource;
use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder, write_message_to};
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use hmac::{Hmac, KeyInit, Mac};
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use sigv4_middleware::{Error, ErrorKind, PayloadMode, Signer};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::support::*;

const EVENTS: &str = "STREAMING-AWS4-HMAC-SHA256-EVENTS";
const MEDIA_TYPE: &str = "application/vnd.amazon.eventstream";
/// 30 August 2015, three seconds before midnight.
const LATE: u64 = 1_440_979_197;

#[derive(Debug)]
enum Piece {
    Head(Box<Parts>),
    Data(Bytes),
    /// Whether the body ended as it should.
    End(bool),
}

/// A server that hands on all it receives, and responds when it has it all or, if it is eager, at once.
async fn sink(eager: bool, date: Option<&'static str>) -> (SocketAddr, UnboundedReceiver<Piece>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (sender, receiver) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let sender = sender.clone();
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let sender = sender.clone();
                async move {
                    let (head, body) = request.into_parts();
                    let _ = sender.send(Piece::Head(Box::new(head)));
                    let reading = tokio::spawn(read(body, sender));
                    if !eager {
                        let _ = reading.await;
                    }
                    let date = date.map(|date| ("date", date));
                    let response = date
                        .into_iter()
                        .fold(Response::builder(), |response, (name, value)| response.header(name, value));
                    response.body(Full::new(Bytes::from_static(b"taken")))
                }
            });
            let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            tokio::spawn(async move {
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    (addr, receiver)
}

async fn read(mut body: Incoming, sender: UnboundedSender<Piece>) {
    let whole = loop {
        match body.frame().await {
            None => break true,
            Some(Err(_)) => break false,
            Some(Ok(frame)) => drop(sender.send(Piece::Data(frame.into_data().unwrap()))),
        }
    };
    let _ = sender.send(Piece::End(whole));
}

/// One request, and whether its body ended as it should.
async fn received(pieces: &mut UnboundedReceiver<Piece>) -> (Parts, Vec<u8>, bool) {
    let (mut head, mut body) = (None, Vec::new());
    loop {
        match in_time(pieces.recv()).await.unwrap() {
            Piece::Head(parts) => head = Some(*parts),
            Piece::Data(data) => body.extend_from_slice(&data),
            Piece::End(whole) => return (head.unwrap(), body, whole),
        }
    }
}

/// A second later whenever it is asked.
#[derive(Debug)]
struct Ticking(AtomicU64);

impl TimeSource for Ticking {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

#[derive(Debug)]
struct Still(u64);

impl TimeSource for Still {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0)
    }
}

fn still() -> Signer {
    signing("transcribe").time_source(Still(LATE)).build().unwrap()
}

fn encoded(payload: impl Into<Bytes>) -> Bytes {
    let message = Message::new(payload)
        .add_header(Header::new(":event-type", HeaderValue::String("AudioEvent".into())))
        .add_header(Header::new("n", HeaderValue::Int32(-7)))
        .add_header(Header::new("raw", HeaderValue::ByteArray(Bytes::from_static(&[0, 255]))))
        .add_header(Header::new("yes", HeaderValue::Bool(true)));
    let mut out = Vec::new();
    write_message_to(&message, &mut out).unwrap();
    out.into()
}

fn messages() -> Vec<Bytes> {
    let mut bare = Vec::new();
    write_message_to(&Message::new(Bytes::new()), &mut bare).unwrap();
    assert_eq!(bare.len(), 16);
    vec![encoded("one"), encoded(vec![7; 100_000]), bare.into(), encoded(Bytes::new()), encoded("last")]
}

/// Bytes cut into frames of these sizes, over and over; some may be empty.
fn split(messages: &[Bytes], sizes: &[usize]) -> Vec<Bytes> {
    let (mut rest, mut frames) = (Bytes::from(messages.concat()), Vec::new());
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        frames.push(rest.split_to(rest.len().min(*size)));
    }
    frames
}

fn streamed(frames: Vec<io::Result<Bytes>>) -> TestBody {
    boxed(StreamBody::new(stream::iter(frames).map_ok(Frame::data)))
}

fn of(frames: Vec<Bytes>) -> TestBody {
    streamed(frames.into_iter().map(Ok).collect())
}

/// A body of what is sent to it.
fn channelled(receiver: UnboundedReceiver<io::Result<Bytes>>) -> TestBody {
    let frames = stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) });
    boxed(StreamBody::new(frames.map_ok(Frame::data)))
}

fn request(to: SocketAddr, body: TestBody) -> Request<TestBody> {
    Request::post(format!("http://{to}/stream-transcription"))
        .header("content-type", MEDIA_TYPE)
        .header("content-length", 5)
        .header("x-amz-target", "com.amazonaws.transcribe.Transcribe.StartStreamTranscription")
        .extension(PayloadMode::EventStream)
        .body(body)
        .unwrap()
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn mac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

/// AWS's own example of a task: `AWS4` and the secret, the day, the region, the service, `aws4_request`.
fn signature(date: &str, to_sign: &str) -> String {
    let parts = [&date[..8], REGION, "transcribe", "aws4_request"];
    let key = parts.iter().fold(format!("AWS4{SECRET}").into_bytes(), |key, part| mac(&key, part.as_bytes()));
    hex(mac(&key, to_sign.as_bytes()))
}

fn scope(date: &str) -> String {
    format!("{}/{REGION}/transcribe/aws4_request", &date[..8])
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).unwrap_or_else(|| panic!("no {name} in {headers:?}")).to_str().unwrap()
}

/// The request's own signature, computed once more.
fn seed(head: &Parts) -> String {
    let authorization = text(&head.headers, "authorization");
    let (rest, given) = authorization.split_once(", Signature=").unwrap();
    let names = rest.split_once("SignedHeaders=").unwrap().1;
    for name in ["content-type", "host", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"] {
        assert!(names.split(';').any(|signed| signed == name), "{name} is not signed: {names}");
    }
    assert_eq!(text(&head.headers, "x-amz-content-sha256"), EVENTS);
    let host = head.uri.authority().map(ToString::to_string);
    let lines = names.split(';').map(|name| match &host {
        Some(host) if name == "host" => format!("host:{host}\n"),
        _ => format!("{name}:{}\n", text(&head.headers, name)),
    });
    let lines: String = lines.collect();
    let canonical = format!("POST\n{}\n\n{lines}\n{names}\n{EVENTS}", head.uri.path());
    let date = text(&head.headers, "x-amz-date");
    let to_sign =
        format!("AWS4-HMAC-SHA256\n{date}\n{}\n{}", scope(date), hex(Sha256::digest(canonical.as_bytes())));
    assert_eq!(given, signature(date, &to_sign), "{canonical}");
    given.to_owned()
}

/// What was in each envelope, with its date. Fails where a signature or anything of an envelope is wrong.
fn opened(head: &Parts, body: &[u8]) -> Vec<(Bytes, i64)> {
    let (mut last, mut rest, mut messages) = (seed(head), body, Vec::new());
    let mut decoder = MessageFrameDecoder::new();
    while let DecodedFrame::Complete(envelope) = decoder.decode_frame(&mut rest).unwrap() {
        let [first, second] = envelope.headers() else { panic!("{:?}", envelope.headers()) };
        assert_eq!((first.name().as_str(), second.name().as_str()), (":chunk-signature", ":date"));
        let seconds = second.value().as_timestamp().unwrap().secs();
        let date = time::OffsetDateTime::from_unix_timestamp(seconds).unwrap();
        let format = time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
        let date = date.format(format).unwrap();
        let mut date_header = b"\x05:date\x08".to_vec();
        date_header.extend_from_slice(&(seconds * 1000).to_be_bytes());
        let to_sign = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{date}\n{}\n{last}\n{}\n{}",
            scope(&date),
            hex(Sha256::digest(&date_header)),
            hex(Sha256::digest(envelope.payload()))
        );
        last = signature(&date, &to_sign);
        assert_eq!(hex(first.value().as_byte_array().unwrap()), last, "message {}", messages.len());
        messages.push((envelope.payload().clone(), seconds));
    }
    assert!(rest.is_empty());
    messages
}

/// The messages of a body that came whole, its end checked and left out.
fn whole(head: &Parts, body: &[u8]) -> Vec<Bytes> {
    let mut messages: Vec<_> = opened(head, body).into_iter().map(|(message, _)| message).collect();
    assert_eq!(messages.pop().unwrap(), "", "the last envelope is empty");
    messages
}

#[tokio::test]
async fn every_message_arrives_signed() {
    let (addr, mut pieces) = sink(false, None).await;
    for (integration, http) in wrapping_ways() {
        for sizes in [vec![usize::MAX], vec![3, 0, 16, 1000, 7], vec![16]] {
            // The layer around reqwest has no extensions to read a mode from.
            let clock = Ticking(AtomicU64::new(LATE));
            let signer = signing("transcribe").time_source(clock).payload_mode(PayloadMode::EventStream);
            let signer = signer.clock_skew_correction(false).build().unwrap();
            let request = request(addr, of(split(&messages(), &sizes)));
            let response = in_time(integration.send_to(http, addr, &signer, request)).await.unwrap();
            assert_eq!((response.status.as_u16(), response.text()), (200, "taken"));
            let (head, body, ended) = received(&mut pieces).await;
            assert!(ended);
            assert!(!head.headers.contains_key("content-length"), "{integration:?} {http:?}");
            assert_eq!(whole(&head, &body), messages(), "{integration:?} {http:?}");
            let dates: Vec<_> = opened(&head, &body).iter().map(|(_, date)| *date).collect();
            assert!(dates.is_sorted_by(|one, next| one < next), "each has a date of its own: {dates:?}");
            assert!(dates.last().unwrap() / 86_400 > LATE as i64 / 86_400, "it went on after midnight");
        }
    }
}

#[tokio::test]
async fn a_stream_of_nothing_is_its_end() {
    let (addr, mut pieces) = sink(false, None).await;
    for integration in [Integration::Middleware, Integration::LayerOnHyper] {
        for http in [Http::One, Http::Two] {
            let mut request = request(addr, in_memory(""));
            request.headers_mut().remove("content-type");
            in_time(integration.send_to(http, addr, &still(), request)).await.unwrap();
            let (head, body, _) = received(&mut pieces).await;
            assert_eq!(text(&head.headers, "content-type"), MEDIA_TYPE);
            assert!(whole(&head, &body).is_empty());
        }
    }
}

/// A message goes out when it is whole, whatever comes after it; and the response comes when the server gives it, whose
/// clock the later messages go by.
#[tokio::test]
async fn both_sides_speak_at_once() {
    let (addr, mut pieces) = sink(true, Some("Mon, 31 Aug 2015 01:00:00 GMT")).await;
    for integration in [Integration::Middleware, Integration::LayerOnHyper] {
        let (sender, receiver) = unbounded_channel();
        let body = channelled(receiver);
        let signer = still();
        let mut sending = std::pin::pin!(integration.send_to(Http::Two, addr, &signer, request(addr, body)));
        sender.send(Ok(encoded("one"))).unwrap();
        let response = in_time(&mut sending).await.unwrap();
        assert_eq!(response.status, 200, "before the body's end");
        sender.send(Ok(encoded("two"))).unwrap();
        drop(sender);
        let (head, body, _) = received(&mut pieces).await;
        assert_eq!(whole(&head, &body), [encoded("one"), encoded("two")]);
        let dates: Vec<_> = opened(&head, &body).iter().map(|(_, date)| *date).collect();
        assert_eq!(dates[1], LATE as i64 + 3603, "{dates:?}");
    }
}

const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_split_of_the_source_gives_the_same_bytes(
        lengths in proptest::collection::vec(prop_oneof![0..20_usize, 0..5000_usize], 0..6),
        sizes in proptest::collection::vec(prop_oneof![0..6_usize, 0..3000_usize], 1..12),
    ) {
        let messages: Vec<_> = lengths.iter().map(|&length| encoded(vec![length as u8; length])).collect();
        let frames = if sizes.iter().all(|&size| size == 0) { messages.clone() } else { split(&messages, &sizes) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let one = runtime.block_on(handed_on(&still(), request(NOWHERE, of(messages.clone())))).unwrap();
        let other = runtime.block_on(handed_on(&still(), request(NOWHERE, of(frames)))).unwrap();
        prop_assert_eq!(&one.1, &other.1);
        prop_assert_eq!(whole(&one.0, &one.1), messages);
    }
}

fn broken() -> Vec<(&'static str, Vec<io::Result<Bytes>>)> {
    let cut = |at: usize| Ok(encoded("cut off").slice(..at));
    let mut corrupt = encoded("corrupt").to_vec();
    *corrupt.last_mut().unwrap() ^= 1;
    let told = |length: u32| Ok(Bytes::copy_from_slice(&length.to_be_bytes()));
    vec![
        ("ended after 3 bytes of a message", vec![cut(3)]),
        ("ended after 4 bytes of 69 of a message", vec![cut(4)]),
        ("ended after 68 bytes of 69 of a message", vec![cut(68)]),
        ("declares 25165825 bytes", vec![told(24 * 1024 * 1024 + 1)]),
        ("declares 4294967295 bytes", vec![told(u32::MAX)]),
        ("declares 15 bytes", vec![told(15)]),
        ("declares 0 bytes", vec![told(0), Ok(Bytes::from(vec![0; 100]))]),
        ("has to consist of encoded messages", vec![Ok(Bytes::from_static(b"{\"json\": 1}"))]),
        ("is malformed", vec![Ok(corrupt.into())]),
    ]
}

#[tokio::test]
async fn what_is_no_message_cuts_the_stream_off() {
    for (why, frames) in broken() {
        let frames = [Ok(encoded("one"))].into_iter().chain(frames).collect();
        let error = handed_on(&still(), request(NOWHERE, streamed(frames))).await.err().unwrap();
        assert_eq!(Error::find(&error).map(Error::kind), Some(ErrorKind::BodyMismatch));
        assert!(error.to_string().contains(why), "{error}, not {why}");
    }
    let frames = vec![Ok(encoded("one")), Err(io::Error::other("microphone gone"))];
    let error = handed_on(&still(), request(NOWHERE, streamed(frames))).await.err().unwrap();
    assert_eq!(
        std::error::Error::source(&error).unwrap().downcast_ref::<io::Error>().unwrap().to_string(),
        "microphone gone"
    );
}

/// The longest message there may be is sent.
#[tokio::test]
async fn a_message_at_the_limit() {
    let mut message = Vec::new();
    let payload = vec![1; 24 * 1024 * 1024 - 16];
    write_message_to(&Message::new(payload), &mut message).unwrap();
    let (head, body) = handed_on(&still(), request(NOWHERE, of(vec![message.clone().into()]))).await.unwrap();
    assert!(whole(&head, &body) == [message]);
}

#[tokio::test]
async fn a_server_sees_that_a_stream_was_cut_off() {
    for (integration, http) in [Integration::Middleware, Integration::LayerOnHyper]
        .into_iter()
        .flat_map(|integration| [(integration, Http::One), (integration, Http::Two)])
    {
        for fails in [false, true] {
            let (addr, mut pieces) = sink(false, None).await;
            let (sender, receiver) = unbounded_channel::<io::Result<Bytes>>();
            let signer = still();
            let mut sending =
                std::pin::pin!(integration.send_to(http, addr, &signer, request(addr, channelled(receiver))));
            sender.send(Ok(encoded("one"))).unwrap();
            // Nothing is half-sent when the server has it.
            let (mut head, mut body) = (None, Vec::new());
            while body.is_empty() {
                tokio::select! {
                    response = &mut sending => panic!("{:?}", response.map(|response| response.status)),
                    piece = pieces.recv() => match piece.unwrap() {
                        Piece::Head(parts) => head = Some(*parts),
                        Piece::Data(data) => body.extend_from_slice(&data),
                        Piece::End(_) => panic!("it ended"),
                    },
                }
            }
            let last = encoded("two").slice(..20);
            sender.send(if fails { Err(io::Error::other("microphone gone")) } else { Ok(last) }).unwrap();
            drop(sender);
            let error = in_time(sending).await.err().unwrap();
            // Of a source's own error over HTTP/2 hyper says no more than that the stream was reset.
            match (http, fails) {
                (_, false) => assert_eq!(found(&error).kind(), ErrorKind::BodyMismatch, "{error:?}"),
                (Http::One, true) => assert!(format!("{error:?}").contains("microphone gone"), "{error:?}"),
                (Http::Two, true) => assert!(format!("{error:?}").contains("INTERNAL_ERROR"), "{error:?}"),
            }
            match in_time(pieces.recv()).await {
                Some(Piece::End(whole)) => assert!(!whole, "{integration:?} {http:?}"),
                other => panic!("{other:?}"),
            }
            let messages = opened(&head.unwrap(), &body);
            assert_eq!(
                messages.iter().map(|(message, _)| message.clone()).collect::<Vec<_>>(),
                [encoded("one")]
            );
        }
    }
}

/// Said for a whole signer it is for event streams; other requests are signed as ever.
#[tokio::test]
async fn other_requests_of_the_signer_are_buffered() {
    let signer = signing("transcribe").payload_mode(PayloadMode::EventStream).build().unwrap();
    for (content_type, expected) in [
        (Some("application/json"), None),
        (None, None),
        (Some("Application/Vnd.Amazon.EventStream; v=1"), Some(EVENTS)),
    ] {
        let mut request = Request::post(format!("http://{NOWHERE}/"));
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let message = encoded("one");
        let (head, body) =
            handed_on(&signer, request.body(of(vec![message.clone()])).unwrap()).await.unwrap();
        let said = head.headers.get("x-amz-content-sha256").map(|value| value.to_str().unwrap());
        assert_eq!(said, expected);
        assert_eq!(body == message, expected.is_none());
    }
}

#[cfg(feature = "sigv4a")]
#[tokio::test]
async fn a_region_set_is_refused() {
    let signer = Signer::builder().credentials(role()).service("transcribe").region_set("*").build().unwrap();
    let error = handed_on(&signer, request(NOWHERE, of(messages()))).await.err().unwrap();
    assert_eq!(Error::find(&error).map(Error::kind), Some(ErrorKind::UnsupportedPayload));
}
