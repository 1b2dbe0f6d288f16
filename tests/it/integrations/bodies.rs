//! Bodies of every make: in memory, streams, files, multipart forms. All arrive whole, with their length.

use std::convert::Infallible;
use std::io;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Method, Request};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use reqwest::multipart::{Form, Part};
use sigv4_middleware::{ErrorKind, IamGateway, PayloadMode, ReceivedRequest};
use tower::ServiceExt;

use crate::support::*;

const CHUNKS: [&str; 4] = ["one, ", "two, ", "", "three"];

fn chunks() -> impl futures_util::Stream<Item = io::Result<Bytes>> + Send + Sync + 'static {
    stream::iter(CHUNKS).map(|chunk| Ok(Bytes::from_static(chunk.as_bytes())))
}

#[track_caller]
fn arrived_whole(received: &ReceivedRequest, expected: &[u8]) {
    assert_eq!(received.status, 200);
    assert_eq!(&received.body[..], expected);
    assert_eq!(received.header("content-length"), Some(expected.len().to_string().as_str()));
    assert!(!received.headers.contains_key("transfer-encoding"));
}

#[tokio::test]
async fn streams_through_the_layer() {
    for service in ["execute-api", "s3"] {
        let (gateway, signer) = (gateway(service).await, signer(service));
        for (integration, http) in ways() {
            let frames = StreamBody::new(chunks().map(|chunk| chunk.map(Frame::data)));
            let request = Request::post(gateway.url()).body(boxed(frames)).unwrap();
            let received = integration.accepted(http, &gateway, &signer, request).await;
            arrived_whole(&received, CHUNKS.concat().as_bytes());
        }
    }
}

/// What a client may send with reqwest: each is another kind of `reqwest::Body`.
#[tokio::test]
async fn what_reqwest_can_send() {
    let (gateway, signer) = (gateway("execute-api").await, signer("execute-api"));
    let path = std::env::temp_dir().join(format!("sigv4-integrations-{}", std::process::id()));
    std::fs::write(&path, "from a file").unwrap();
    let big: Vec<u8> = (0..300_000_u32).map(|n| n.to_be_bytes()[3]).collect();
    for http in [Http::One, Http::Two] {
        for integration in [Integration::Middleware, Integration::LayerOnReqwest] {
            let file = tokio::fs::File::open(&path).await.unwrap();
            let bodies: Vec<(reqwest::Body, Vec<u8>)> = vec![
                ("text".into(), b"text".into()),
                (big.clone().into(), big.clone()),
                (reqwest::Body::wrap_stream(chunks()), CHUNKS.concat().into()),
                (file.into(), b"from a file".into()),
                (reqwest::Body::wrap(Full::new(Bytes::from_static(b"wrapped"))), b"wrapped".into()),
                (reqwest::Body::wrap_stream(stream::empty::<io::Result<Bytes>>()), Vec::new()),
            ];
            for (body, expected) in bodies {
                let mut request = reqwest::Request::new(Method::PUT, gateway.url().parse().unwrap());
                *request.body_mut() = Some(body);
                let received = send(integration, http, &gateway, &signer, request).await;
                arrived_whole(&received, &expected);
            }
            // A body in memory that a GET has is sent and signed as well.
            let get = reqwest::Client::new().get(gateway.url()).body("query").build().unwrap();
            arrived_whole(&send(integration, http, &gateway, &signer, get).await, b"query");
        }
    }
    std::fs::remove_file(path).unwrap();
}

async fn send(
    integration: Integration,
    http: Http,
    gateway: &IamGateway,
    signer: &sigv4_middleware::Signer,
    request: reqwest::Request,
) -> ReceivedRequest {
    let client = reqwest(gateway.addr(), http);
    let response = match integration {
        Integration::Middleware => middleware(client, signer).execute(request).await.unwrap(),
        _ => layered(client, signer).oneshot(request).await.unwrap(),
    };
    assert_eq!(response.status(), 200, "{integration:?} {http:?} {:?}", response.text().await);
    gateway.requests().pop().unwrap()
}

#[tokio::test]
async fn multipart_forms() {
    let (gateway, signer) = (gateway("execute-api").await, signer("execute-api"));
    for http in [Http::One, Http::Two] {
        let form = Form::new()
            .text("name", "ü")
            .part("file", Part::stream(reqwest::Body::wrap_stream(chunks())).file_name("numbers.txt"));
        let client = middleware(reqwest(gateway.addr(), http), &signer);
        assert_eq!(client.post(gateway.url()).multipart(form).send().await.unwrap().status(), 200);
        let received = gateway.requests().pop().unwrap();
        let boundary = received.header("content-type").unwrap().split_once("boundary=").unwrap().1.to_owned();
        let text = String::from_utf8(received.body.to_vec()).unwrap();
        assert!(text.contains("filename=\"numbers.txt\"") && text.contains("one, two, three"), "{text}");
        assert!(text.ends_with(&format!("--{boundary}--\r\n")));
        arrived_whole(&received, text.as_bytes());
    }
}

#[tokio::test]
async fn json_form_and_query_of_reqwest() {
    let (gateway, signer) = (gateway("execute-api").await, signer("execute-api"));
    let client = middleware(reqwest(gateway.addr(), Http::One), &signer);
    let request = client.post(gateway.url()).query(&[("a b", "c+d&e"), ("a b", "ü")]).json(&[1, 2]);
    assert_eq!(request.send().await.unwrap().status(), 200);
    let received = gateway.requests().pop().unwrap();
    assert_eq!(received.target, "/?a%20b=c%2Bd%26e&a%20b=%C3%BC");
    arrived_whole(&received, b"[1,2]");
}

#[tokio::test]
async fn a_body_up_to_the_limit_is_sent() {
    let gateway = gateway("execute-api").await;
    let signer = signing("execute-api").body_limit(15).build().unwrap();
    for integration in INTEGRATIONS {
        let streamed = || {
            let frames = StreamBody::new(chunks().map(|chunk| chunk.map(Frame::data)));
            Request::post(gateway.url()).body(boxed(frames)).unwrap()
        };
        let received = integration.accepted(Http::One, &gateway, &signer, streamed()).await;
        arrived_whole(&received, b"one, two, three");
        let smaller = signing("execute-api").body_limit(14).build().unwrap();
        let error = integration.send_to(Http::One, gateway.addr(), &smaller, streamed()).await.err().unwrap();
        assert_eq!(found(&error).kind(), ErrorKind::BodyTooLarge);
    }
}

/// A hash known beforehand: the stream goes out as it comes, and a wrong hash is noticed by the server.
#[tokio::test]
async fn a_known_hash_saves_the_buffering() {
    use sha2::{Digest, Sha256};

    let (gateway, signer) = (gateway("s3").await, signer("s3"));
    for integration in [Integration::Middleware, Integration::LayerOnHyper] {
        for (hashed, verdict) in
            [("one, two, three", (200, "")), ("another", (403, "InvalidSignatureException"))]
        {
            let frames = StreamBody::new(chunks().map(|chunk| chunk.map(Frame::data)));
            let mut request = Request::put(format!("{}/key", gateway.url())).body(boxed(frames)).unwrap();
            request.extensions_mut().insert(PayloadMode::Sha256(Sha256::digest(hashed).into()));
            let response = integration.send_to(Http::One, gateway.addr(), &signer, request).await.unwrap();
            assert_eq!(response.verdict(), verdict, "{integration:?} {hashed} {}", response.text());
            assert_eq!(gateway.requests().pop().unwrap().header("transfer-encoding"), Some("chunked"));
        }
    }
}

/// The layer takes any body type, and keeps the one it is given.
#[tokio::test]
async fn any_body_type() {
    let (gateway, signer) = (gateway("execute-api").await, signer("execute-api"));
    let hyper = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new());
    let url = gateway.url();

    let client = layered_wrapping(hyper.build_http(), &signer);
    assert_eq!(
        client.oneshot(Request::post(&url).body("text".to_owned()).unwrap()).await.unwrap().status(),
        200
    );
    let client = layered_wrapping(hyper.build_http(), &signer);
    let empty = http_body_util::Empty::<io::Cursor<&[u8]>>::new();
    assert_eq!(client.oneshot(Request::post(&url).body(empty).unwrap()).await.unwrap().status(), 200);
    let client = layered_wrapping(hyper.build_http(), &signer);
    let pieces = ["a", "b"].map(|piece| Ok::<_, Infallible>(Frame::data(io::Cursor::new(piece.as_bytes()))));
    let pieces = StreamBody::new(stream::iter(pieces));
    assert_eq!(client.oneshot(Request::post(&url).body(pieces).unwrap()).await.unwrap().status(), 200);
    let bodies: Vec<_> = gateway.requests().iter().map(|received| received.body.clone()).collect();
    assert_eq!(bodies, ["text", "", "ab"]);
}
