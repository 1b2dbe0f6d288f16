//! Random requests, taken off the wire as the integrations sent them, and random presigned URLs, signed once more by
//! botocore and awscrt.

use std::io;
use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use fastrand::Rng;
use http::{HeaderValue, Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use sigv4_middleware::{Credentials, PresigningConfig, Signer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tower::ServiceExt;

use crate::support::{Http, TOKEN, layered, middleware, plain_reqwest};

use sigv4_test_support::ministack::crosscheck;

const REQUESTS: usize = 400;

/// Service, and whether its path is encoded once and left alone.
const SERVICES: [(&str, bool); 8] = [
    ("execute-api", false),
    ("s3", true),
    ("es", false),
    ("lambda", false),
    ("aoss", false),
    ("bedrock", false),
    ("s3-object-lambda", true),
    ("s3", true),
];

/// Characters that a target may hold raw, and ones that it has to escape.
const RAW: &[u8] = b"abcXYZ019-._~!$&'()*+,;=:@";
const ESCAPED: [char; 16] =
    [' ', '%', '/', '?', '#', '"', '<', '[', ']', 'ü', 'é', 'あ', '😀', '\u{1}', 'A', '~'];

/// A piece of a target, some of it escaped though it need not be, in either case.
fn piece(random: &mut Rng, raw: &[u8]) -> String {
    let mut out = String::new();
    for _ in 0..random.usize(0..8) {
        if random.u8(0..3) > 0 {
            out.push(char::from(raw[random.usize(..raw.len())]));
            continue;
        }
        let mut bytes = [0; 4];
        for byte in ESCAPED[random.usize(..ESCAPED.len())].encode_utf8(&mut bytes).bytes() {
            out += &if random.bool() { format!("%{byte:02X}") } else { format!("%{byte:02x}") };
        }
    }
    out
}

fn target(random: &mut Rng) -> String {
    let mut out = String::new();
    for _ in 0..random.usize(1..5) {
        out.push('/');
        out += &match random.u8(0..12) {
            0 => ".".to_owned(),
            1 => "..".to_owned(),
            _ => piece(random, RAW),
        };
    }
    // awscrt's parser takes what is before a `:/` for a scheme, even in the middle of a path.
    out = out.replace(":/", "=/");
    if random.bool() {
        // A raw & divides pairs, a raw = key from value; more of them than meant do no harm.
        let pairs: Vec<_> = (0..random.usize(0..6))
            .map(|_| match random.u8(0..6) {
                0 => piece(random, RAW),
                1 => "same=1".to_owned(),
                _ => format!("{}={}", piece(random, RAW), piece(random, b"abc123/?:@+'")),
            })
            .collect();
        out.push('?');
        out += &pairs.join("&");
    }
    out
}

fn request(random: &mut Rng, origin: &str) -> Request<Bytes> {
    let methods = [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH];
    let method = methods[random.usize(..methods.len())].clone();
    let mut request = Request::builder().method(&method).uri(format!("{origin}{}", target(random)));
    if random.bool() {
        request = request.header("content-type", "application/json;  charset=utf-8");
    }
    // Not Unicode's white space: Python takes it for such, and HTTP does not.
    let values =
        ["plain", "two   spaces", "tab\tand \t more", "a, b ,c", "", "grün あ", "\"quoted  text\"", " x "];
    for _ in 0..random.usize(0..5) {
        let value =
            HeaderValue::from_bytes(values[random.usize(..values.len())].as_bytes()).expect("a value");
        request = request.header(format!("x-amz-meta-{}", random.u8(0..3)), value);
    }
    for (name, value) in
        [("x-amzn-trace-id", "Root=1"), ("cookie", "a=b"), ("user-agent", "test"), ("accept", "*/*")]
    {
        if random.bool() {
            request = request.header(name, value);
        }
    }
    let body = match (method == Method::GET, random.u8(0..4)) {
        (true, _) | (_, 0) => Bytes::new(),
        (_, 1) => (0..random.usize(1..5000)).map(|_| random.u8(..)).collect(),
        _ => Bytes::from_static(b"{\"name\": \"value\"}"),
    };
    request.body(body).expect("a legal request")
}

/// What a signer was told.
struct Drawn {
    service: &'static str,
    single: bool,
    region: &'static str,
    token: Option<&'static str>,
}

fn signer(random: &mut Rng, number: usize) -> (Signer, Drawn) {
    let (service, single) = SERVICES[number % SERVICES.len()];
    let region = ["eu-central-1", "ap-northeast-1", "us-gov-west-1"][number % 3];
    let token = random.bool().then_some(TOKEN);
    let signer = Signer::builder()
        .credentials(Credentials::new("AKIDEXAMPLE", "secret", token.map(Into::into), None, "test"))
        .service(service)
        .region(region)
        .sign_all_headers(random.bool())
        .build()
        .expect("a good signer");
    (signer, Drawn { service, single, region, token })
}

/// What came over the wire.
struct Received {
    head: String,
    body: Vec<u8>,
}

/// Takes requests, responds to each with an empty 200, and hands on the bytes.
async fn record(mut stream: TcpStream, to: mpsc::UnboundedSender<Received>) -> io::Result<()> {
    let mut read = Vec::new();
    loop {
        let head = loop {
            if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
        };
        let text = String::from_utf8(read[..head].to_vec()).expect("the head is UTF-8");
        assert!(!text.to_ascii_lowercase().contains("\r\ntransfer-encoding"), "{text}");
        let length = text.lines().filter_map(|line| line.split_once(": "));
        let length = length.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let end = head + 4 + length.map_or(0, |(_, length)| length.parse().expect("a length"));
        while read.len() < end {
            assert_ne!(stream.read_buf(&mut read).await?, 0, "cut off");
        }
        let rest = read.split_off(end);
        to.send(Received { head: text, body: read.split_off(head + 4) }).expect("the test receives");
        read = rest;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?;
    }
}

impl Received {
    /// The line for crosscheck.py.
    fn line(&self, service: &str, region: &str, single: bool, token: Option<&str>) -> Value {
        let mut lines = self.head.split("\r\n");
        let mut first = lines.next().expect("a request line").split(' ');
        let (method, target) = (first.next().expect("a method"), first.next().expect("a target"));
        let headers: Vec<(&str, &str)> = lines
            .map(|line| {
                line.split_once(':').map(|(n, v)| (n, v.trim_matches([' ', '\t']))).expect("a header")
            })
            .collect();
        let value = |name: &str| {
            let mut values =
                headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
            (values.next().unwrap_or_else(|| panic!("no {name} in {}", self.head)), values.next().is_none())
        };
        let (authorization, alone) = value("authorization");
        assert!(alone, "{}", self.head);
        let (rest, signature) = authorization.rsplit_once(", Signature=").expect("a signature");
        let (_, signed) = rest.rsplit_once(", SignedHeaders=").expect("signed headers");
        json!({
            "service": service,
            "region": region,
            "date": value("x-amz-date").0,
            "credentials": {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "secret", "session_token": token},
            "method": method,
            "target": target,
            "headers": headers,
            "body_b64": BASE64_STANDARD.encode(&self.body),
            "signed_headers": signed.split(';').collect::<Vec<_>>(),
            "signature": signature,
            "config": {"double_uri_encode": !single, "normalize_path": !single, "payload": "sha256"},
        })
    }
}

#[tokio::test]
async fn random_requests_are_signed_as_others_sign_them() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let to = listener.local_addr().expect("an address");
    let origin = format!("http://{to}");
    let (sender, mut received) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(record(stream, sender.clone()));
        }
    });
    let reqwest = plain_reqwest();
    let hyper = crate::support::hyper::<Full<Bytes>>(to, Http::One);

    let mut random = Rng::with_seed(20_261_122);
    let (mut lines, mut refused) = (Vec::new(), 0);
    for n in 0..REQUESTS {
        let (signer, Drawn { service, single, region, token }) = signer(&mut random, n);
        let request = request(&mut random, &origin);
        let shown = format!("{} {}", request.method(), request.uri());
        if random.bool() {
            let client = middleware(reqwest.clone(), &signer);
            let request = reqwest::Request::try_from(request).expect("a request for reqwest");
            match client.execute(request).await {
                Ok(response) => assert_eq!(response.status(), 200),
                // Strict form bares dot segments, which `Url` would take out.
                Err(error) => {
                    assert!(single && error.to_string().contains("dot segments"), "{shown}: {error}");
                    refused += 1;
                    continue;
                }
            }
        } else {
            let client = layered(hyper.clone(), &signer);
            let response = client.oneshot(request.map(Full::new)).await;
            assert_eq!(response.unwrap_or_else(|error| panic!("{shown}: {error:?}")).status(), 200);
        }
        let received = received.recv().await.expect("it was received");
        lines.push(received.line(service, region, single, token));
    }
    assert!(refused < REQUESTS / 20, "{refused}");

    agree(&lines);
}

#[tokio::test]
async fn random_urls_are_presigned_as_others_presign_them() {
    let mut random = Rng::with_seed(20_261_123);
    let mut lines = Vec::new();
    for n in 0..REQUESTS {
        let (signer, Drawn { service, single, region, token }) = signer(&mut random, n);
        let origin = ["http://127.0.0.1:8080", "https://localhost"][n % 2];
        let (parts, body) = request(&mut random, origin).into_parts();
        let expires = [1, 60, 3600, 604_800][random.usize(..4)];
        let presigning = PresigningConfig::new(Duration::from_secs(expires));
        let said = random.bool();
        let presigning = if said { presigning.payload(&body[..]) } else { presigning };
        let presigned = signer.presign_request(&parts, presigning).await;
        let presigned = presigned.unwrap_or_else(|error| panic!("{}: {error}", parts.uri));

        let query = presigned.uri().query().expect("a query");
        let parameter = |name: &str| {
            let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            value.unwrap_or_else(|| panic!("no {name} in {query}"))
        };
        let added = presigned.headers().iter().filter(|(name, _)| !parts.headers.contains_key(*name));
        let headers = parts.headers.iter().chain(added).map(|(name, value)| {
            (name.as_str(), std::str::from_utf8(value.as_bytes()).expect("it was given as a text"))
        });
        let host = ("host", parts.uri.authority().expect("an absolute URI").as_str());
        let payload = match (said, single) {
            (false, true) => "UNSIGNED-PAYLOAD",
            _ => "sha256",
        };
        lines.push(json!({
            "service": service,
            "region": region,
            "date": parameter("X-Amz-Date"),
            "credentials": {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "secret", "session_token": token},
            "method": parts.method.as_str(),
            "target": presigned.uri().path_and_query().expect("a target").as_str(),
            "headers": headers.chain([host]).collect::<Vec<_>>(),
            "body_b64": BASE64_STANDARD.encode(if said { &body[..] } else { b"" }),
            "signed_headers": parameter("X-Amz-SignedHeaders").split("%3B").collect::<Vec<_>>(),
            "signature": parameter("X-Amz-Signature"),
            "config": {
                "double_uri_encode": !single,
                "normalize_path": !single,
                "payload": payload,
                "expires": expires,
            },
        }));
    }
    agree(&lines);
}

/// That both others give the signatures that the lines have; awscrt where it can.
fn agree(lines: &[Value]) {
    let Some(responses) = crosscheck(lines) else { return };
    let agrees = |(line, response): &(&Value, &Value)| {
        let presigned = !line["config"]["expires"].is_null();
        let by_awscrt = !presigned
            || !line["signed_headers"].as_array().unwrap().contains(&json!("x-amz-content-sha256"));
        let same = |signer: &str| response[signer] == line["signature"];
        same("botocore") && (same("awscrt") || !by_awscrt)
    };
    let differ: Vec<_> = lines.iter().zip(&responses).filter(|pair| !agrees(pair)).collect();
    for (line, response) in &differ {
        eprintln!("{response}\n    {line}");
    }
    assert!(differ.is_empty(), "{} of {} differ", differ.len(), lines.len());
}
