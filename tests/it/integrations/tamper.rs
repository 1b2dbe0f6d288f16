//! One byte of a good request flipped on its way: 403, whichever byte it is.

use std::time::{Duration, SystemTime};

use aws_smithy_async::time::StaticTimeSource;
use http::{Request, StatusCode};
use sigv4_middleware::IamGateway;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::*;

/// A request as bytes, and where its parts lie in them.
struct Wire {
    bytes: Vec<u8>,
    parts: Vec<(String, std::ops::Range<usize>)>,
}

impl Wire {
    fn push(&mut self, part: &str, text: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend(text);
        self.parts.push((part.to_owned(), start..self.bytes.len()));
    }
}

/// A good request, signed by `Signer::sign`, with every kind of thing that is signed in it.
async fn good(gateway: &IamGateway, service: &'static str) -> Wire {
    let body = r#"{"amount": 1000}"#;
    let uri = format!("{}/prod/a%20b/%C3%BC/item-1~?b=two+words&a=1&a=%E3%81%82&flag", gateway.url());
    let request = Request::put(uri)
        .header("content-type", "application/json")
        .header("x-amz-meta-name", "value of it")
        .header("range", "bytes=0-9")
        .body(())
        .unwrap();
    let (mut parts, ()) = request.into_parts();
    let time = StaticTimeSource::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160));
    let signer = signing(service).sign_header(http::header::RANGE).time_source(time).build().unwrap();
    signer.sign(&mut parts, body).await.unwrap();

    // Without its first slash a target is no HTTP.
    let mut wire = Wire { bytes: b"PUT /".to_vec(), parts: Vec::new() };
    wire.push("path", &parts.uri.path().as_bytes()[1..]);
    wire.bytes.push(b'?');
    wire.push("query", parts.uri.query().unwrap().as_bytes());
    wire.bytes.extend(format!(" HTTP/1.1\r\ncontent-length: {}", body.len()).bytes());
    let host = gateway.addr().to_string();
    let host = ("host", host.as_bytes());
    let headers = parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    for (name, value) in std::iter::once(host).chain(headers) {
        wire.bytes.extend(format!("\r\n{name}: ").bytes());
        wire.push(name, value);
    }
    wire.bytes.extend(b"\r\n\r\n");
    wire.push("body", body.as_bytes());
    wire
}

/// Another byte that HTTP allows in the same place.
fn flipped(byte: u8) -> u8 {
    match byte {
        b'9' => b'8',
        b'f' | b'F' | b'z' | b'Z' => byte - 1,
        b'0'..=b'8' | b'a'..=b'y' | b'A'..=b'Y' => byte + 1,
        _ => b'x',
    }
}

/// The status of the response to exactly these bytes, over a connection that is kept.
async fn send(stream: &mut TcpStream, bytes: &[u8]) -> StatusCode {
    stream.write_all(bytes).await.unwrap();
    let mut read = Vec::new();
    loop {
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "closed without a response");
        let Some(head) = read.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&read[..head]).to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if read.len() == head + 4 + length.parse::<usize>().unwrap() {
            return StatusCode::from_bytes(&read[9..12]).unwrap();
        }
    }
}

async fn every_byte_counts(service: &'static str, expected_parts: &[&str]) {
    let time = StaticTimeSource::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160));
    let gateway = IamGateway::builder().credentials(role()).service(service).region(REGION).time_source(time);
    let gateway = gateway.start().await.unwrap();
    let good = good(&gateway, service).await;
    let mut parts: Vec<_> = good.parts.iter().map(|(part, _)| part.as_str()).collect();
    parts.sort_unstable();
    assert_eq!(parts, expected_parts);

    let mut stream = TcpStream::connect(gateway.addr()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    assert_eq!(send(&mut stream, &good.bytes).await, 200);
    for (part, range) in &good.parts {
        for at in range.clone() {
            let mut bytes = good.bytes.clone();
            bytes[at] = flipped(bytes[at]);
            assert_ne!(bytes[at], good.bytes[at]);
            let status = send(&mut stream, &bytes).await;
            assert_eq!(status, 403, "{part} {:?}", String::from_utf8_lossy(&bytes[range.clone()]));
        }
    }
    assert_eq!(send(&mut stream, &good.bytes).await, 200);
    let flips: usize = good.parts.iter().map(|(_, range)| range.len()).sum();
    assert!(flips > 400, "{flips}");
    assert_eq!(gateway.requests().len(), flips + 2);
}

#[tokio::test]
async fn of_a_request_to_an_api() {
    let parts = [
        "authorization",
        "body",
        "content-type",
        "host",
        "path",
        "query",
        "range",
        "x-amz-date",
        "x-amz-meta-name",
        "x-amz-security-token",
    ];
    every_byte_counts("execute-api", &parts).await;
}

#[tokio::test]
async fn of_a_request_to_s3() {
    let parts = [
        "authorization",
        "body",
        "content-type",
        "host",
        "path",
        "query",
        "range",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-meta-name",
        "x-amz-security-token",
    ];
    every_byte_counts("s3", &parts).await;
}
