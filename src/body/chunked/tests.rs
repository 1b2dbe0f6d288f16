use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use aws_credential_types::Credentials;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use proptest::prelude::*;

use super::super::encoded::EncodedBody;
use super::*;
use crate::ChecksumAlgorithm;
use crate::error::BoxError;
use crate::signing::keys::{CredentialsWithKeys, RegionScope, SignatureHex};
use crate::signing::streaming::ChunkSigner;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SEED: [u8; 64] = [b'5'; 64];

fn chunk_signer(reach: RegionScope<'_>) -> ChunkSigner {
    let credentials = Credentials::new("AKIDEXAMPLE", SECRET, None, None, "test");
    let identity = CredentialsWithKeys::new(Arc::new(credentials)).unwrap();
    let key = identity.signing_key(1_440_938_160, reach, "s3").unwrap();
    ChunkSigner::new(Arc::clone(&key), reach.algorithm(), SignatureHex::from_slice(&SEED))
}

fn framed<B: Body>(options: AwsChunked, body: B) -> EncodedBody<B> {
    let framing = Framing::new(options, &body.size_hint(), &HeaderMap::new()).unwrap();
    EncodedBody::in_chunks(body, &framing, chunk_signer(RegionScope::Region("us-east-1")))
}

fn frames_of<E>(frames: Vec<Result<Bytes, E>>) -> impl Body<Data = Bytes, Error = E> {
    StreamBody::new(stream::iter(frames).map(|frame| frame.map(Frame::data)))
}

fn wire(options: AwsChunked, frames: Vec<Bytes>) -> Vec<u8> {
    let length = frames.iter().map(|frame| frame.len() as u64).sum();
    let frames = frames.into_iter().map(Ok::<_, Infallible>).collect();
    collect(framed(options.decoded_length(length), frames_of(frames)))
        .unwrap_or_else(|(error, _)| panic!("{error}"))
}

/// All bytes of a body that is never pending but for being polite, which has to keep to its size hint.
fn collect(body: impl Body<Data = Bytes, Error = BoxError>) -> Result<Vec<u8>, (BoxError, Vec<u8>)> {
    let (mut body, mut out) = (pin!(body), Vec::new());
    let whole = body.size_hint().exact().unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        assert_eq!(body.size_hint().exact().unwrap(), whole - out.len() as u64);
        match body.as_mut().poll_frame(&mut cx) {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(frame))) => out.extend_from_slice(&frame.into_data().unwrap()),
            Poll::Ready(Some(Err(error))) => {
                assert!(matches!(body.as_mut().poll_frame(&mut cx), Poll::Ready(None)));
                return Err((error, out));
            }
            Poll::Ready(None) => {
                assert!(body.is_end_stream());
                assert_eq!(out.len() as u64, whole);
                return Ok(out);
            }
        }
    }
}

fn modes() -> [AwsChunked; 3] {
    let sha256 = ChecksumAlgorithm::Sha256;
    [AwsChunked::signed(), AwsChunked::signed().trailer(sha256), AwsChunked::unsigned(sha256)]
}

/// A body cut into frames of these sizes, over and over; some may be empty.
fn split(body: &[u8], sizes: &[usize]) -> Vec<Bytes> {
    let (mut rest, mut frames) = (Bytes::copy_from_slice(body), Vec::new());
    for size in sizes.iter().cycle().take(10_000) {
        if rest.is_empty() {
            break;
        }
        frames.push(rest.split_to(rest.len().min(*size)));
    }
    frames.push(rest);
    frames
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_of_the_source_gives_the_same_bytes(
        length in prop_oneof![Just(0_usize), 1..50_000_usize, Just(8192), Just(16384)],
        sizes in proptest::collection::vec(prop_oneof![0..40_usize, 0..20_000_usize], 1..20),
        chunk_size in 8192..20_000_u64,
        mode in 0..3_usize,
    ) {
        let body: Vec<u8> = (0..length).map(|n| (n * 31 % 251) as u8).collect();
        let options = modes()[mode].chunk_size(chunk_size);
        let whole = wire(options, vec![Bytes::from(body.clone())]);
        prop_assert_eq!(wire(options, split(&body, &sizes)), whole);
    }
}

#[test]
fn the_frames_of_the_source_are_not_copied() {
    let source = Bytes::from(vec![7; 200_000]);
    let mut body = pin!(framed(AwsChunked::signed(), Full::new(source.clone())));
    let mut cx = Context::from_waker(Waker::noop());
    let mut seen = 0;
    while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut cx) {
        let data = frame.unwrap().into_data().unwrap();
        if source.as_ptr_range().contains(&data.as_ptr()) {
            seen += data.len();
        }
    }
    assert_eq!(seen, 200_000);
}

/// Up to the current chunk, and no further.
#[test]
fn the_source_is_asked_for_no_more_than_is_taken() {
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let frames = stream::repeat_with(move || {
        counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[0; 1024])))
    });
    let options = AwsChunked::signed().chunk_size(8192).decoded_length(1 << 40);
    let mut body = pin!(framed(options, StreamBody::new(frames)));
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 0);
    for _ in 0..3 {
        assert!(body.as_mut().poll_frame(&mut cx).is_ready());
    }
    assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 8);
}

#[test]
fn a_source_that_lies_about_its_length_is_cut_off() {
    let frames = || vec![Ok::<_, Infallible>(Bytes::from(vec![1; 10_000])), Ok(Bytes::from(vec![2; 10_000]))];
    for mode in modes() {
        for (declared, why) in [
            (19_999, "is longer than the 19999 bytes"),
            (10_000, "is longer than the"),
            (0, "is longer than the"),
            (20_001, "ended after 20000 of the 20001"),
        ] {
            let body = framed(mode.chunk_size(8192).decoded_length(declared), frames_of(frames()));
            let (error, sent) = collect(body).unwrap_err();
            let error = Error::find(error.as_ref()).unwrap();
            assert_eq!(error.kind(), ErrorKind::BodyMismatch);
            assert!(error.to_string().contains(why), "{error}");
            let text = String::from_utf8_lossy(&sent);
            assert!(!text.contains("\r\n0") && !text.starts_with('0'), "the end was sent");
            let data = sent.iter().filter(|byte| matches!(byte, 1 | 2)).count() as u64;
            assert!(data < declared || declared == 0, "all that was declared was sent");
        }
        assert!(collect(framed(mode.decoded_length(20_000), frames_of(frames()))).is_ok());
    }
}

#[test]
fn a_failing_source_and_one_with_trailers_are_cut_off() {
    let frames = vec![Ok(Bytes::from(vec![1; 10_000])), Err(io::Error::other("disk gone"))];
    let (error, _) = collect(framed(modes()[0].decoded_length(10_000), frames_of(frames))).unwrap_err();
    assert_eq!(error.to_string(), "disk gone");

    let with_trailers =
        Full::new(Bytes::from_static(b"x")).with_trailers(async { Some(Ok(HeaderMap::new())) });
    let (error, _) = collect(framed(modes()[1].decoded_length(1), with_trailers)).unwrap_err();
    assert_eq!(Error::find(error.as_ref()).unwrap().kind(), ErrorKind::BodyTrailers);
}

#[test]
fn the_length_has_to_be_known_and_to_agree() {
    let new = |options, hint: SizeHint, headers: &HeaderMap| Framing::new(options, &hint, headers);
    let kind = |result: Result<Framing, Error>| result.unwrap_err().kind();
    let mut headers = HeaderMap::new();
    let options = AwsChunked::signed();
    assert_eq!(kind(new(options, SizeHint::new(), &headers)), ErrorKind::UnsupportedPayload);
    let contradicted = new(options.decoded_length(5), SizeHint::with_exact(6), &headers);
    assert_eq!(kind(contradicted), ErrorKind::UnsupportedPayload);
    assert_eq!(
        kind(new(options.decoded_length(u64::MAX), SizeHint::new(), &headers)),
        ErrorKind::UnsupportedPayload
    );
    headers.insert(CONTENT_LENGTH, HeaderValue::from(7));
    assert_eq!(new(options, SizeHint::new(), &headers).unwrap().decoded, 7);
    assert_eq!(new(options, SizeHint::with_exact(6), &headers).unwrap().decoded, 6);
}

#[test]
fn lengths_and_chunk_sizes_at_the_end_of_numbers_do_not_overflow() {
    for mode in modes() {
        for chunk_size in [8192, u64::MAX - 1, u64::MAX] {
            let options = mode.chunk_size(chunk_size);
            let framing = |length: u64| {
                Framing::new(options.decoded_length(length), &SizeHint::new(), &HeaderMap::new())
            };
            assert_eq!(framing(u64::MAX).unwrap_err().kind(), ErrorKind::UnsupportedPayload);
            assert_eq!(framing(u64::MAX - 1).unwrap_err().kind(), ErrorKind::UnsupportedPayload);
            let longest = framing(u64::MAX / 2).unwrap();
            assert!(longest.encoded > longest.decoded);
            wire(options, vec![Bytes::from_static(b"a"), Bytes::from_static(b"b")]);
            wire(options, Vec::new());
        }
    }
}

#[test]
fn headers_say_how_the_body_is_framed() {
    let declared = |given: &[&'static str]| {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, HeaderValue::from(5));
        headers.insert("x-amz-trailer", HeaderValue::from_static("x-amz-checksum-crc32"));
        for encoding in given {
            headers.append(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        let options = AwsChunked::signed().decoded_length(8192);
        let framing = Framing::new(options, &SizeHint::new(), &HeaderMap::new()).unwrap();
        framing.declare(&mut headers);
        assert_eq!(headers[CONTENT_LENGTH], "8367");
        assert_eq!(headers["x-amz-decoded-content-length"], "8192");
        assert!(!headers.contains_key("x-amz-trailer"), "one that nothing will follow");
        assert_eq!(headers.get_all(CONTENT_ENCODING).iter().count(), 1);
        headers[CONTENT_ENCODING].to_str().unwrap().to_owned()
    };
    assert_eq!(declared(&[]), "aws-chunked");
    assert_eq!(declared(&["gzip"]), "aws-chunked,gzip");
    assert_eq!(declared(&["br, gzip", "aws-chunked"]), "aws-chunked,br,gzip");
}

#[test]
fn chunks_have_to_be_large_enough() {
    assert!(AwsChunked::signed().chunk_size(8191).refusal().is_some());
    assert!(AwsChunked::signed().chunk_size(0).refusal().is_some());
    assert!(AwsChunked::signed().chunk_size(8192).refusal().is_none());
}

/// Signatures padded to one length on the wire and bare in what the next one signs, as aws-c-auth does it.
#[cfg(feature = "sigv4a")]
#[test]
fn sigv4a_pads_its_signatures() {
    use aws_sigv4::sign::v4a;
    use sha2::{Digest, Sha256};

    let options = AwsChunked::signed().trailer(ChecksumAlgorithm::Sha256).for_v4a(true);
    let framing = Framing::new(options, &SizeHint::with_exact(3), &HeaderMap::new()).unwrap();
    assert_eq!(framing.content_sha256(), "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER");
    let body = EncodedBody::in_chunks(
        Full::new(Bytes::from_static(b"abc")),
        &framing,
        chunk_signer(RegionScope::RegionSet("*")),
    );
    let text = String::from_utf8(collect(body).unwrap()).unwrap();

    let hash = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect::<String>();
    let key = v4a::generate_signing_key("AKIDEXAMPLE", SECRET);
    let sign = |kind: &str, last: &str, tail: String| {
        let scope = "20150830T123600Z\n20150830/s3/aws4_request";
        let to_sign = format!("AWS4-ECDSA-P256-SHA256-{kind}\n{scope}\n{last}\n{tail}");
        v4a::calculate_signature(&key, to_sign.as_bytes())
    };
    let empty = hash(b"");
    let first = sign("PAYLOAD", &"5".repeat(64), format!("{empty}\n{}", hash(b"abc")));
    let last = sign("PAYLOAD", &first, format!("{empty}\n{empty}"));
    let line = "x-amz-checksum-sha256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
    let trailer = sign("TRAILER", &last, hash(format!("{line}\n").as_bytes()));
    assert_eq!(
        text,
        format!(
            "3;chunk-signature={first:*<144}\r\nabc\r\n0;chunk-signature={last:*<144}\r\n{line}\r\n\
             x-amz-trailer-signature:{trailer:*<144}\r\n\r\n"
        )
    );
}
