//! Bodies in signed chunks over TLS. The gateway, which decodes none, gives 501 and keeps what it received; the signatures
//! are made again here by aws-sigv4.

use std::time::SystemTime;

use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SessionTokenMode, SignableBody, SignableRequest,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::stream;
use http::Request;
use http_body::Frame;
use http_body_util::StreamBody;
use sha2::{Digest, Sha256};
use sigv4_middleware::{AwsChunked, ChecksumAlgorithm, PayloadMode};

use super::*;

const LENGTH: usize = 150_000;

fn body() -> Vec<u8> {
    (0..LENGTH).map(|n| (n * 7 + n / 251) as u8).collect()
}

fn streamed() -> TestBody {
    let body = Bytes::from(body());
    let frames: Vec<_> =
        (0..LENGTH).step_by(9_999).map(|at| body.slice(at..LENGTH.min(at + 9_999))).collect();
    boxed(StreamBody::new(stream::iter(frames.into_iter().map(|frame| Ok(Frame::data(frame))))))
}

#[tokio::test]
async fn arrive_whole_and_rightly_signed() {
    let at = tls_gateway("s3").await;
    for (mode, declared) in [
        (AwsChunked::signed(), "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        (
            AwsChunked::signed().trailer(ChecksumAlgorithm::Sha256),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        ),
        (AwsChunked::unsigned(ChecksumAlgorithm::Sha256), "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
    ] {
        let mode = PayloadMode::AwsChunked(mode.decoded_length(LENGTH as u64));
        let signer = signing("s3").payload_mode(mode).build().unwrap();
        for (integration, http) in wrapping_ways() {
            let put = Request::put(format!("{BUCKET}:443/key?a=/")).body(streamed()).unwrap();
            let response = integration.send_to(http, at.addr(), &signer, put).await.unwrap();
            assert_eq!(response.status, 501, "{integration:?} {http:?}");
            let received = last(&at.gateway);
            assert_eq!(received.version, version(http));
            assert_eq!(received.header("x-amz-content-sha256"), Some(declared), "{integration:?} {http:?}");
            assert_eq!(received.header("content-length"), Some(received.body.len().to_string().as_str()));
            assert_eq!(received.header("x-amz-decoded-content-length"), Some("150000"));
            let seed = received.header("authorization").unwrap().rsplit_once("Signature=").unwrap().1;
            assert_eq!(seed, seed_by_aws(&received), "{integration:?} {http:?}");
            assert!(Decoder::new(&received).decode() == body(), "{integration:?} {http:?}: another body");
        }
    }
}

/// A body of another length ends the request, and the reason is the caller's, over HTTP/2 too.
#[tokio::test]
async fn of_another_length_are_cut_off() {
    let at = tls_gateway("s3").await;
    for (integration, http) in wrapping_ways() {
        for length in [LENGTH as u64 - 1, LENGTH as u64 + 1] {
            let mode = PayloadMode::AwsChunked(AwsChunked::signed().decoded_length(length));
            let signer = signing("s3").payload_mode(mode).build().unwrap();
            let put = Request::put(format!("{BUCKET}/key")).body(streamed()).unwrap();
            let error = in_time(integration.send_to(http, at.addr(), &signer, put)).await.err().unwrap();
            let kind = found(&error).kind();
            assert_eq!(kind, sigv4_middleware::ErrorKind::BodyMismatch, "{integration:?} {http:?} {length}");
        }
    }
    assert!(at.gateway.requests().iter().all(|received| received.body.is_empty()), "none came whole");
}

/// The time of `20150830T123600Z`.
fn time_of(received: &ReceivedRequest) -> SystemTime {
    let format = time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
    let time = time::PrimitiveDateTime::parse(received.header("x-amz-date").unwrap(), format);
    time.unwrap().assume_utc().into()
}

/// The signature of the head that was received.
fn seed_by_aws(received: &ReceivedRequest) -> String {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    settings.session_token_mode = SessionTokenMode::Include;
    let authorization = received.header("authorization").unwrap();
    let signed = authorization.split_once("SignedHeaders=").unwrap().1.split_once(',').unwrap().0;
    let own = ["host", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"];
    let headers: Vec<_> = signed
        .split(';')
        .filter(|name| !own.contains(name))
        .map(|name| (name, received.header(name).unwrap()))
        .collect();
    settings.excluded_headers = None;
    let identity = role().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name("s3")
        .time(time_of(received))
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let declared = received.header("x-amz-content-sha256").unwrap().to_owned();
    let url = format!("https://{}{}", received.header("host").unwrap(), received.target);
    let request = SignableRequest::new(
        received.method.as_str(),
        url,
        headers.into_iter(),
        SignableBody::Precomputed(declared),
    );
    sign(request.unwrap(), &params).unwrap().signature().to_owned()
}

/// Reads chunks as S3 does, each against its signature.
struct Decoder<'a> {
    received: &'a ReceivedRequest,
    rest: &'a [u8],
    previous: String,
    is_signed: bool,
}

impl<'a> Decoder<'a> {
    fn new(received: &'a ReceivedRequest) -> Self {
        let seed = received.header("authorization").unwrap().rsplit_once("Signature=").unwrap().1;
        let is_signed = !received.header("x-amz-content-sha256").unwrap().contains("UNSIGNED");
        Self { received, rest: &received.body, previous: seed.to_owned(), is_signed }
    }

    fn line(&mut self) -> &'a str {
        let end = self.rest.windows(2).position(|two| two == b"\r\n").expect("a line without end");
        let line = std::str::from_utf8(&self.rest[..end]).unwrap();
        self.rest = &self.rest[end + 2..];
        line
    }

    fn decode(mut self) -> Vec<u8> {
        let mut decoded = Vec::new();
        loop {
            let line = self.line();
            let (size, extension) = line.split_once(';').unwrap_or((line, ""));
            let size = usize::from_str_radix(size, 16).unwrap();
            let (chunk, rest) = self.rest.split_at(size);
            if self.is_signed {
                let text = format!("{}\n{}", hex(&Sha256::digest("")), hex(&Sha256::digest(chunk)));
                self.follow("PAYLOAD", &text);
                assert_eq!(extension, format!("chunk-signature={}", self.previous));
            } else {
                assert_eq!(extension, "");
            }
            decoded.extend_from_slice(chunk);
            if size == 0 {
                break;
            }
            self.rest = rest.strip_prefix(b"\r\n").unwrap();
        }
        if let Some(name) = self.received.header("x-amz-trailer") {
            let checksum = format!("{name}:{}", BASE64_STANDARD.encode(Sha256::digest(&decoded)));
            assert_eq!(self.line(), checksum);
            if self.is_signed {
                self.follow("TRAILER", &hex(&Sha256::digest(format!("{checksum}\n"))));
                assert_eq!(self.line(), format!("x-amz-trailer-signature:{}", self.previous));
            }
        }
        assert_eq!(self.rest, b"\r\n");
        decoded
    }

    /// Makes the next signature of the chain.
    fn follow(&mut self, kind: &str, hashes: &str) {
        let (date, scope) = (self.received.header("x-amz-date").unwrap(), scope(self.received));
        let text = format!("AWS4-HMAC-SHA256-{kind}\n{date}\n{scope}\n{}\n{hashes}", self.previous);
        let key = v4::generate_signing_key(SECRET, time_of(self.received), REGION, "s3");
        self.previous = v4::calculate_signature(key, text.as_bytes());
    }
}

fn scope(received: &ReceivedRequest) -> &str {
    let authorization = received.header("authorization").unwrap();
    let credential = authorization.split_once("Credential=").unwrap().1.split_once(',').unwrap().0;
    credential.split_once('/').unwrap().1
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
