//! Responses whose code is in the body: it is found, and the caller gets the body as it came. And requests whose own
//! body cannot be had twice.

use std::io;
use std::time::Duration;

use aws_smithy_async::test_util::ManualTimeSource;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::{Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, StreamBody};
use sha2::{Digest, Sha256};
use sigv4_middleware::PayloadMode;

use crate::support::*;

const KIB: usize = 1024;

/// S3's refusal, drawn out to this many bytes after its code.
fn xml(code: &str, size: usize) -> Bytes {
    let mut body = format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>").into_bytes();
    let more = (0..size.saturating_sub(body.len())).map(|n| b'a' + (n % 26) as u8);
    body.extend(more);
    body.into()
}

/// S3's response by a server an hour ahead.
fn s3(status: u16, body: TestBody) -> Response<TestBody> {
    let date = httpdate::fmt_http_date(noon() + Duration::from_secs(3600));
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/xml")
        .header("x-amz-request-id", "4442587FB7D0A2F9");
    response.header("date", date).body(body).unwrap()
}

/// How often a request is sent that is refused with a code that is not recovered from, by a server an hour ahead: what
/// does not see the code goes by the date.
fn by_its_date(integration: Integration) -> usize {
    if integration.reads_refusals() { 1 } else { 2 }
}

/// Frames of at most this size, without a length said beforehand.
fn streamed(bytes: Bytes, size: usize) -> TestBody {
    let frame = |part: &[u8]| Ok(Frame::data(bytes.slice_ref(part)));
    let frames: Vec<_> = bytes.chunks(size).map(frame).collect();
    boxed(StreamBody::new(stream::iter(frames)))
}

#[tokio::test]
async fn a_code_in_the_body_is_found_within_64_kib() {
    for integration in INTEGRATIONS {
        for (status, code) in [
            (403, "RequestTimeTooSkewed"),
            (403, "SignatureDoesNotMatch"),
            (400, "RequestExpired"),
            (400, "ExpiredToken"),
            (400, "InvalidToken"),
        ] {
            // With more after the code, and with the code's end as the last bytes that are looked at.
            let short = xml(code, 0).len() - "<Message>".len();
            let last = [vec![b' '; 64 * KIB - short], xml(code, 100).to_vec()].concat();
            for body in [xml(code, 100), xml(code, 64 * KIB - 1), xml(code, 70 * KIB), last.into()] {
                let clock = ManualTimeSource::new(noon());
                let size = body.len();
                let server = Server::start(move |before| match before {
                    0 => s3(status, in_memory(body.clone())),
                    _ => ok(),
                });
                let server = server.await;
                let provider = FakeProvider::of([role_of("AKID1"), role_of("AKID2")]);
                let signer = signer_at(provider, &clock).service("s3").build().unwrap();
                let response = integration.send(&signer, post(&server.url)).await;
                assert_eq!(
                    (response.body.as_ref(), server.tries()),
                    (&b"ok"[..], 2),
                    "{integration:?} {code} {size}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_code_beyond_64_kib_is_not_looked_for() {
    let mut body = vec![b' '; 64 * KIB];
    body.extend_from_slice(&xml("ExpiredToken", 0));
    let body = Bytes::from(body);
    for integration in INTEGRATIONS {
        let clock = ManualTimeSource::new(noon());
        let sent = body.clone();
        let server = Server::start(move |_| s3(403, streamed(sent.clone(), KIB))).await;
        let signer =
            signer_at(FakeProvider::of([role_of("AKID1"), role_of("AKID2")]), &clock).build().unwrap();
        let response = integration.send(&signer, post(&server.url)).await;
        assert_eq!(server.tries(), by_its_date(integration), "{integration:?}");
        assert!(response.body == body, "{integration:?}: the body is whole");
    }
}

#[tokio::test]
async fn a_body_that_was_looked_at_is_whole_again() {
    let endings = [("ten bytes", Bytes::from_static(b"<Code>Abc<")), ("empty", Bytes::new())];
    let sizes = [64 * KIB - 1, 64 * KIB, 70 * KIB, 1024 * KIB];
    let sized = sizes.map(|size| ("drawn out", xml("AccessDeniedForGood", size)));
    for integration in INTEGRATIONS {
        for (what, body) in endings.iter().chain(&sized) {
            for frame in [None, Some(1000), Some(64 * KIB)] {
                let clock = ManualTimeSource::new(noon());
                let sent = body.clone();
                let server = Server::start(move |_| {
                    let body = sent.clone();
                    s3(
                        403,
                        frame.map_or_else(|| in_memory(body.clone()), |frame| streamed(body.clone(), frame)),
                    )
                });
                let server = server.await;
                let signer = signer_at(role_of("AKID"), &clock).service("s3").build().unwrap();
                let (head, response) = integration.open(&signer, post(&server.url)).await.into_parts();
                assert_eq!(head.headers["content-type"], "application/xml");
                if frame.is_none() {
                    assert_eq!(
                        response.size_hint().exact(),
                        Some(body.len() as u64),
                        "{integration:?}, {what}"
                    );
                }
                let response = response.collect().await.unwrap().to_bytes();
                assert!(response == body, "{integration:?}, {what}, {} bytes in {frame:?}", body.len());
                assert_eq!(server.tries(), by_its_date(integration), "{integration:?}, {what}");
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_fails_is_handed_on_up_to_its_failure() {
    for integration in INTEGRATIONS {
        for size in [10, 64 * KIB - 1, 70 * KIB] {
            let clock = ManualTimeSource::new(noon());
            let server = Server::start(move |_| {
                let good = streamed(xml("AccessDenied!", size).slice(..size), 4096).into_data_stream();
                // Failing at once may take what was written before along with the connection.
                let bad = stream::once(async {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    Err(io::Error::other("cut"))
                });
                s3(403, boxed(StreamBody::new(good.chain(bad).map(|data| data.map(Frame::data)))))
            });
            let server = server.await;
            let signer = signer_at(role_of("AKID"), &clock).service("s3").build().unwrap();
            let mut response = integration.open(&signer, post(&server.url)).await.into_body();
            let mut got = Vec::new();
            let failure = loop {
                match response.frame().await {
                    Some(Ok(frame)) => got.extend_from_slice(frame.data_ref().unwrap()),
                    other => break other,
                }
            };
            assert!(matches!(failure, Some(Err(_))), "{integration:?} {size}");
            assert!(got == xml("AccessDenied!", size)[..size], "{integration:?} {size}: {} bytes", got.len());
            assert_eq!(server.tries(), by_its_date(integration));
        }
    }
}

/// The response to a HEAD has no body, so that the date alone must do.
#[tokio::test]
async fn head_is_tried_again_for_its_date_only() {
    for integration in INTEGRATIONS {
        // Seconds after 10:36, where we have 12:36.
        for (ahead, expected) in [(0, 2), (10_800, 2), (7560, 2), (7200, 1), (7400, 1)] {
            let clock = ManualTimeSource::new(noon());
            let server = Server::start(move |before| {
                let mut response = s3(if before == 0 { 403 } else { 200 }, in_memory(Bytes::new()));
                let server = noon() - Duration::from_secs(7200) + Duration::from_secs(ahead);
                let date = httpdate::fmt_http_date(server);
                response.headers_mut().insert("date", date.parse().unwrap());
                response
            });
            let server = server.await;
            let signer =
                signer_at(FakeProvider::of([role_of("AKID1"), role_of("AKID2")]), &clock).build().unwrap();
            let request = Request::head(format!("{}/key", server.url)).body("").unwrap();
            let response = integration.send(&signer, request).await;
            let status = if expected == 2 { 200 } else { 403 };
            assert_eq!(
                (response.status.as_u16(), server.tries()),
                (status, expected),
                "{integration:?} {ahead}"
            );
        }
    }
}

#[tokio::test]
async fn a_stream_read_into_memory_is_sent_again_as_it_was() {
    for integration in INTEGRATIONS {
        let clock = ManualTimeSource::new(noon());
        let gateway = gateway_at(&clock, [role_of("AKID")]).await;
        gateway.set_clock_offset(3600);
        let signer = signer_at(role_of("AKID"), &clock).build().unwrap();
        let body = xml("anything", 300 * KIB);
        let request = Request::put(format!("{}/key", gateway.url())).body(streamed(body.clone(), 10_000));
        assert_eq!(integration.open(&signer, request.unwrap()).await.status(), 200, "{integration:?}");
        assert_eq!(tries(&gateway), [403, 200]);
        assert!(gateway.requests().iter().all(|seen| seen.body == body), "{integration:?}");
    }
}

/// With a hash known beforehand the body passes through as it comes and is gone after one try.
#[tokio::test]
async fn a_body_that_cannot_be_replayed_is_sent_once_and_the_refusal_is_whole() {
    let body = xml("anything", 300 * KIB);
    let mode = PayloadMode::Sha256(Sha256::digest(&body).into());
    for integration in INTEGRATIONS {
        let clock = ManualTimeSource::new(noon());
        let refusal = xml("RequestTimeTooSkewed", 70 * KIB);
        let sent = refusal.clone();
        let server = Server::start(move |_| s3(403, streamed(sent.clone(), 3000))).await;
        let signer =
            signer_at(role_of("AKID"), &clock).service("s3").payload_mode(mode.clone()).build().unwrap();
        let request =
            Request::put(format!("{}/key", server.url)).body(streamed(body.clone(), 10_000)).unwrap();
        let response = integration.open(&signer, request).await;
        assert_eq!(response.status(), 403);
        assert!(response.into_body().collect().await.unwrap().to_bytes() == refusal, "{integration:?}");
        assert!(server.bodies() == [&body], "{integration:?}: one try");

        let request =
            Request::put(format!("{}/key", server.url)).body(streamed(body.clone(), 10_000)).unwrap();
        integration.open(&signer, request).await;
        assert_eq!(
            server.header(1, "x-amz-date").unwrap(),
            "20150830T133600Z",
            "{integration:?}: learned all the same"
        );
    }
}

/// Neither hashed nor read beforehand, and in hand all the same.
#[tokio::test]
async fn a_body_in_memory_is_sent_again_in_the_modes_that_send_it_as_it_comes() {
    let body = xml("anything", 300 * KIB);
    let sha256 = Sha256::digest(&body).into();
    for (service, mode) in [
        // Its profile leaves payloads unsigned.
        ("vpc-lattice-svcs", PayloadMode::Buffered),
        ("s3", PayloadMode::Unsigned),
        ("s3", PayloadMode::Sha256(sha256)),
        ("s3", PayloadMode::Sha256Checked(sha256)),
    ] {
        for integration in INTEGRATIONS {
            // What the client takes back unwrapped cannot be looked at on its way.
            if integration == Integration::LayerSameBody && mode != PayloadMode::Buffered {
                continue;
            }
            // Wrapped, too, no integration can see beforehand what it is.
            for wrapped in [false, true] {
                let clock = ManualTimeSource::new(noon());
                let server = Server::start(|before| match before {
                    0 => s3(403, in_memory(xml("RequestTimeTooSkewed", 100))),
                    _ => ok(),
                });
                let server = server.await;
                let signer =
                    signer_at(role_of("AKID"), &clock).service(service).allow_unsigned_over_http(true);
                let signer = signer.payload_mode(mode.clone()).build().unwrap();
                let request = Request::post(format!("{}/key", server.url));
                let response = match wrapped {
                    true => integration.open(&signer, request.body(in_memory(body.clone())).unwrap()).await,
                    false => integration.open(&signer, request.body(body.clone()).unwrap()).await,
                };
                let what = format!("{integration:?} {service} {mode:?} {wrapped}");
                assert_eq!(response.status(), 200, "{what}");
                assert!(server.bodies() == [&body, &body], "{what}: {} tries", server.tries());
                for name in ["x-amz-content-sha256", "content-length", "transfer-encoding"] {
                    assert_eq!(server.header(0, name), server.header(1, name), "{what}");
                }
                assert_eq!(server.header(1, "content-length"), Some(body.len().to_string()), "{what}");
                assert_eq!(server.header(1, "x-amz-date").unwrap(), "20150830T133600Z", "{what}");
            }
        }
    }
}

/// What has no body can be sent again in every payload mode.
#[tokio::test]
async fn a_request_without_a_body_is_tried_again_in_every_payload_mode() {
    let nothing = Sha256::digest("").into();
    for mode in [PayloadMode::Unsigned, PayloadMode::Sha256(nothing), PayloadMode::Sha256Checked(nothing)] {
        for integration in INTEGRATIONS {
            let clock = ManualTimeSource::new(noon());
            let server = Server::start(|before| match before {
                0 => s3(403, in_memory(xml("RequestTimeTooSkewed", 100))),
                _ => ok(),
            });
            let server = server.await;
            let signer = signer_at(role_of("AKID"), &clock).service("s3").allow_unsigned_over_http(true);
            let signer = signer.payload_mode(mode.clone()).build().unwrap();
            let get = Request::get(format!("{}/key", server.url)).body("").unwrap();
            let response = integration.send(&signer, get).await;
            assert_eq!((response.status.as_u16(), server.tries()), (200, 2), "{integration:?} {mode:?}");
        }
    }
}
