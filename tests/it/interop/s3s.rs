//! s3s-fs, an S3 server that verifies every chunk: takes all that is sent, and none of it changed or cut off.
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, StatusCode};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use sha2::{Digest, Sha256};
use sigv4_middleware::{
    AwsChunked, BoxError, ChecksumAlgorithm, Error, ErrorKind, PayloadMode, Signer, SignerBuilder,
};
use sigv4_test_support::s3s::S3s;

use crate::support::*;

const ALGORITHMS: [ChecksumAlgorithm; 5] = [
    ChecksumAlgorithm::Crc32,
    ChecksumAlgorithm::Crc32c,
    ChecksumAlgorithm::Crc64Nvme,
    ChecksumAlgorithm::Sha1,
    ChecksumAlgorithm::Sha256,
];

fn signer() -> Signer {
    signing().build().unwrap()
}

pub(crate) fn signing() -> SignerBuilder {
    Signer::builder().credentials(user()).service("s3").region("eu-west-1").allow_unsigned_over_http(true)
}

fn whole(body: &[u8]) -> TestBody {
    in_memory(Bytes::copy_from_slice(body))
}

/// A stream of frames of all sizes, without a size hint.
fn streamed(frames: Vec<io::Result<Bytes>>) -> TestBody {
    boxed(StreamBody::new(stream::iter(frames).map(|frame| frame.map(Frame::data))))
}

fn put(url: &str, mode: PayloadMode, body: TestBody) -> Request<TestBody> {
    Request::put(url).extension(mode).header("expect", "100-continue").body(body).unwrap()
}

/// Sends a request through an integration; status and text of the response.
async fn send(
    integration: Integration,
    request: Request<TestBody>,
) -> Result<(StatusCode, String), BoxError> {
    let to = request.uri().authority().unwrap().as_str().parse().unwrap();
    let response = in_time(integration.send_to(Http::One, to, &signer(), request)).await?;
    Ok((response.status, response.text().to_owned()))
}

pub(crate) fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 7 % 251) as u8).collect()
}

/// Every payload mode that a body can be sent in.
pub(crate) fn modes(body: &[u8]) -> Vec<PayloadMode> {
    let sha256 = Sha256::digest(body).into();
    let mut modes = vec![
        PayloadMode::Buffered,
        PayloadMode::Sha256(sha256),
        PayloadMode::Sha256Checked(sha256),
        PayloadMode::Unsigned,
        PayloadMode::AwsChunked(AwsChunked::signed()),
        PayloadMode::AwsChunked(AwsChunked::signed().chunk_size(8192)),
    ];
    for algorithm in ALGORITHMS {
        modes.push(PayloadMode::AwsChunked(AwsChunked::signed().trailer(algorithm)));
        modes.push(PayloadMode::AwsChunked(AwsChunked::unsigned(algorithm)));
    }
    modes
}

#[tokio::test]
async fn every_payload_mode_is_taken() {
    let Some(s3s) = S3s::start("modes") else { return };
    for integration in WRAPPING {
        for (number, length) in [0, 1, 8192, 65_536, 200_000].into_iter().enumerate() {
            let body = bytes(length);
            for (mode_number, mode) in modes(&body).into_iter().enumerate() {
                let key = format!("{integration:?}-{number}-{mode_number}");
                let (status, text) =
                    send(integration, put(&s3s.url(&key), mode.clone(), whole(&body))).await.unwrap();
                assert_eq!(status, 200, "{integration:?} {length} {mode:?}: {text}");
                assert_eq!(s3s.stored(&key).as_deref(), Some(&body[..]), "{integration:?} {length} {mode:?}");
            }
        }
    }
}

/// The store decodes the path to the object's key, and signs that key with its slashes raw.
#[tokio::test]
async fn an_object_arrives_under_the_key_its_path_says() {
    let Some(s3s) = S3s::start("keys") else { return };
    for integration in WITH_EXTENSIONS {
        for (number, (path, key)) in [
            ("a%2Fb", "a/b"),
            ("deep%2fer/c%2Fd", "deep/er/c/d"),
            ("e%20f", "e f"),
            ("g+h", "g+h"),
            ("i%2Bj=k", "i+j=k"),
            ("%C3%BCber%25", "über%"),
        ]
        .into_iter()
        .enumerate()
        {
            let body = format!("{integration:?} {number}");
            let url = s3s.url(&format!("{integration:?}/{path}"));
            let (status, text) =
                send(integration, put(&url, PayloadMode::Buffered, whole(body.as_bytes()))).await.unwrap();
            assert_eq!(status, 200, "{integration:?} {path}: {text}");
            let stored = s3s.stored(&format!("{integration:?}/{key}"));
            assert_eq!(stored.as_deref(), Some(body.as_bytes()), "{integration:?} {path}");
            let read = Request::get(&url).body(whole(b"")).unwrap();
            assert_eq!(
                send(integration, read).await.unwrap(),
                (StatusCode::OK, body),
                "{integration:?} {path}"
            );
        }
    }
}

#[tokio::test]
async fn a_stream_whose_length_is_said_is_taken() {
    let Some(s3s) = S3s::start("streams") else { return };
    let body = bytes(300_000);
    let frames = || body.chunks(7001).map(|frame| Ok(Bytes::copy_from_slice(frame))).collect::<Vec<_>>();
    let mode = AwsChunked::signed().trailer(ChecksumAlgorithm::Crc32c);
    for integration in WRAPPING {
        let key = format!("{integration:?}");
        let said = PayloadMode::AwsChunked(mode.decoded_length(300_000));
        let (status, text) = send(integration, put(&s3s.url(&key), said, streamed(frames()))).await.unwrap();
        assert_eq!(
            (status, s3s.stored(&key)),
            (StatusCode::OK, Some(body.clone())),
            "{integration:?}: {text}"
        );

        let key = format!("{integration:?}-by-header");
        let mut request = put(&s3s.url(&key), PayloadMode::AwsChunked(mode), streamed(frames()));
        request.headers_mut().insert("content-length", 300_000.into());
        let (status, text) = send(integration, request).await.unwrap();
        assert_eq!(
            (status, s3s.stored(&key)),
            (StatusCode::OK, Some(body.clone())),
            "{integration:?}: {text}"
        );

        let unknown =
            send(integration, put(&s3s.url("no"), PayloadMode::AwsChunked(mode), streamed(frames()))).await;
        assert_eq!(Error::find(unknown.unwrap_err().as_ref()).unwrap().kind(), ErrorKind::UnsupportedPayload);
    }
}

/// A source that fails or lies: the request fails, and the server keeps nothing of it.
#[tokio::test]
async fn nothing_half_signed_is_kept() {
    let Some(s3s) = S3s::start("broken") else { return };
    let frame = || Ok(Bytes::from(bytes(40_000)));
    for integration in WRAPPING {
        for mode in [
            AwsChunked::signed(),
            AwsChunked::signed().trailer(ChecksumAlgorithm::Crc32),
            AwsChunked::unsigned(ChecksumAlgorithm::Crc64Nvme),
        ] {
            let fails = || Err(io::Error::other("disk gone"));
            for (what, said, frames) in [
                ("fails", 120_000, vec![frame(), frame(), fails()]),
                ("fails at its end", 80_000, vec![frame(), frame(), fails()]),
                ("is short", 80_001, vec![frame(), frame()]),
                ("is long", 79_999, vec![frame(), frame()]),
                ("is long by a frame", 80_000, vec![frame(), frame(), frame()]),
            ] {
                let mode = PayloadMode::AwsChunked(mode.decoded_length(said));
                let error = send(integration, put(&s3s.url("broken"), mode, streamed(frames))).await;
                let error = error.expect_err(what);
                let mismatch = Error::find(error.as_ref()).map(Error::kind) == Some(ErrorKind::BodyMismatch);
                assert_eq!(mismatch, !what.starts_with("fails"), "{integration:?} {what}: {error:?}");
                assert_eq!(s3s.stored("broken"), None, "{integration:?} {what}");
            }
        }
        let wrong = PayloadMode::Sha256Checked([7; 32]);
        let error = send(integration, put(&s3s.url("broken"), wrong, whole(b"body"))).await.unwrap_err();
        assert_eq!(Error::find(error.as_ref()).unwrap().kind(), ErrorKind::BodyMismatch, "{integration:?}");
        assert_eq!(s3s.stored("broken"), None);
    }
}

/// A caller that gives up on a source that has stopped: the server keeps nothing of what it got.
#[tokio::test]
async fn nothing_dropped_midway_is_kept() {
    let Some(s3s) = S3s::start("dropped") else { return };
    for integration in WRAPPING {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let mut sender = Some(sender);
        let frames = stream::repeat_with(|| Ok(Frame::data(Bytes::from(bytes(30_000))))).take(4);
        let stalled = stream::poll_fn(move |_| {
            sender.take().map(|sender| sender.send(()));
            std::task::Poll::Pending
        });
        let body = boxed(StreamBody::new(frames.chain(stalled)));
        let mode = PayloadMode::AwsChunked(AwsChunked::signed().decoded_length(200_000));
        let task = tokio::spawn(send(integration, put(&s3s.url("dropped"), mode, body)));
        // The source has been asked for all it has, and the request is under way.
        receiver.await.unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        let (status, _) =
            send(integration, put(&s3s.url("after"), PayloadMode::Buffered, whole(b"x"))).await.unwrap();
        assert_eq!((status, s3s.stored("dropped")), (StatusCode::OK, None));
    }
}

/// What an integration would put on the wire.
async fn wire(request: Request<TestBody>) -> Request<Vec<u8>> {
    let (head, body) = handed_on(&signer(), request).await.unwrap();
    Request::from_parts(head, body.to_vec())
}

/// Sends a request as it is, its content-length made right; whether the server took it.
async fn taken(mut request: Request<Vec<u8>>) -> bool {
    let length = request.body().len();
    request.headers_mut().insert("content-length", length.into());
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let sent = client.request(request.map(Full::from));
    let sent = tokio::time::timeout(Duration::from_secs(20), sent).await.expect("nothing hangs");
    sent.is_ok_and(|response| response.status().is_success())
}

fn find(wire: &[u8], text: &str) -> usize {
    wire.windows(text.len()).rposition(|window| window == text.as_bytes()).expect("it is there") + text.len()
}

fn flip(wire: &mut [u8], at: usize) {
    // From one digit of hex or base64 to another.
    wire[at] = if wire[at] == b'1' { b'2' } else { b'1' };
}

/// One way of changing a request on its way.
type Tampering = (&'static str, fn(&mut Request<Vec<u8>>));

const OF_ALL: [Tampering; 4] = [
    ("a byte of the body", |request| request.body_mut()[500] ^= 1),
    ("declared length", |request| {
        request.headers_mut().insert("x-amz-decoded-content-length", 29_999.into()).unwrap();
    }),
    ("declared form", |request| {
        request.headers_mut().insert("x-amz-content-sha256", "UNSIGNED-PAYLOAD".parse().unwrap()).unwrap();
    }),
    ("cut off within a chunk", |request| request.body_mut().truncate(20_000)),
];

const OF_SIGNED: [Tampering; 3] = [
    ("signature of the first chunk", |request| {
        let at = request.body().iter().position(|&byte| byte == b'=').unwrap() + 1;
        flip(request.body_mut(), at);
    }),
    ("signature of the last chunk", |request| {
        let at = find(request.body(), "\r\n0;chunk-signature=");
        flip(request.body_mut(), at + 5);
    }),
    ("a chunk left out", |request| {
        let first = request.body().windows(2).position(|two| two == b"\r\n").unwrap();
        request.body_mut().drain(..first + 2 + 8192 + 2);
    }),
];

const OF_TRAILERS: [Tampering; 2] = [
    ("trailer", |request| {
        let at = find(request.body(), "x-amz-checksum-crc32c:");
        flip(request.body_mut(), at + 1);
    }),
    ("trailer's name", |request| {
        let at = find(request.body(), "x-amz-checksum-crc32c:");
        request.body_mut().remove(at - 2);
    }),
];

const OF_SIGNED_TRAILERS: [Tampering; 2] = [
    ("trailer's signature", |request| {
        let at = find(request.body(), "x-amz-trailer-signature:");
        flip(request.body_mut(), at + 9);
    }),
    ("trailer's signature left out", |request| {
        let at = find(request.body(), "x-amz-trailer-signature:");
        request.body_mut().drain(at - "x-amz-trailer-signature:".len()..at + 64 + 2);
    }),
];

#[tokio::test]
async fn every_tampering_is_refused() {
    let Some(s3s) = S3s::start("tampering") else { return };
    let crc = ChecksumAlgorithm::Crc32c;
    let signed = AwsChunked::signed().chunk_size(8192);
    let unsigned = AwsChunked::unsigned(crc).chunk_size(8192);
    let all_of = |lists: &[&[Tampering]]| lists.concat();
    for (mode, tamperings) in [
        (signed, all_of(&[&OF_ALL, &OF_SIGNED])),
        (signed.trailer(crc), all_of(&[&OF_ALL, &OF_SIGNED, &OF_TRAILERS, &OF_SIGNED_TRAILERS])),
        (unsigned, all_of(&[&OF_ALL, &OF_TRAILERS])),
    ] {
        let url = s3s.url("tampered");
        let good = || wire(put(&url, PayloadMode::AwsChunked(mode), whole(&bytes(30_000))));
        let head = good().await.map(drop);
        let authorization = head.headers()["authorization"].to_str().unwrap();
        assert!(authorization.contains("x-amz-decoded-content-length"), "{authorization}");
        assert!(head.headers()["expect"] == "100-continue" && !authorization.contains("expect"));
        for (what, tamper) in tamperings {
            let mut request = good().await;
            tamper(&mut request);
            assert!(!taken(request).await, "{mode:?}: {what} changed, and taken");
            // It compares a checksum when it has stored what came, and leaves that where it is.
            let kept = s3s.stored("tampered").is_some();
            assert!(!kept || mode == unsigned, "{mode:?}: {what} changed, and kept");
        }
        assert!(taken(good().await).await);
        assert_eq!(s3s.stored("tampered"), Some(bytes(30_000)));
        s3s.remove("tampered");
    }
}
