//! Connections, memory and time are limited.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http::StatusCode;
use sigv4_test_support::{gateway, in_time};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::library::{before, client};
use crate::program::{RawResponse, read_response, reason};
use signing_proxy::Access;

/// A connection with the beginning of a request on it.
async fn begin(address: SocketAddr, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    stream
}

fn put(address: SocketAddr, framing: &str) -> String {
    format!("PUT / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{framing}\r\n\r\n")
}

fn assert_try_again(response: &RawResponse, expected: &str) {
    assert_eq!(response.refusal(), (503, expected.to_owned()));
    assert!(response.head.contains("\r\nretry-after: 1\r\n"), "{}", response.head);
}

#[tokio::test]
async fn connections_over_the_limit_get_503() {
    let gateway = gateway("execute-api").await;
    let proxy = before(&gateway).access(Access::Open).max_connections(1).start().await.unwrap();
    let held = client();
    assert_eq!(held.get(proxy.base_url()).send().await.unwrap().status(), StatusCode::OK);

    let response = client().get(proxy.base_url()).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        (&response.headers()["retry-after"], &response.headers()["connection"]),
        (&"1".parse().unwrap(), &"close".parse().unwrap())
    );
    let body = response.text().await.unwrap();
    assert_eq!(reason(&body), "connections");
    assert!(body.contains(".max_connections("), "{body}");
    assert_eq!(held.get(proxy.base_url()).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(gateway.requests().len(), 2);

    drop(held);
    in_time(async { while client().get(proxy.base_url()).send().await.unwrap().status() != 200 {} }).await;
}

#[tokio::test]
async fn bodies_in_memory_over_the_limit_get_503() {
    let gateway = gateway("execute-api").await;
    let proxy = before(&gateway).access(Access::Open).max_buffered(100).start().await.unwrap();
    let address = proxy.address();

    // Its memory is reserved from the start.
    let mut first = begin(address, &format!("{}x", put(address, "Content-Length: 60"))).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut second = begin(address, &put(address, "Content-Length: 41")).await;
    assert_try_again(&read_response(&mut second).await, "memory");
    // A body of unknown length takes what it needs.
    let chunked = put(address, "Transfer-Encoding: chunked");
    let mut third =
        begin(address, &format!("{chunked}1E\r\n{:30}\r\n14\r\n{:20}\r\n0\r\n\r\n", "", "")).await;
    assert_try_again(&read_response(&mut third).await, "memory");
    let mut fits = begin(address, &format!("{chunked}1E\r\n{:30}\r\n0\r\n\r\n", "")).await;
    assert_eq!(read_response(&mut fits).await.status, 200);

    first.write_all(&[b'x'; 59]).await.unwrap();
    assert_eq!(read_response(&mut first).await.status, 200);
    // What it held is free again.
    let whole = client().put(proxy.base_url()).body("x".repeat(100)).send().await.unwrap();
    assert_eq!(whole.status(), StatusCode::OK);
    let larger = client().put(proxy.base_url()).body("x".repeat(101)).send().await.unwrap();
    assert_eq!(larger.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(gateway.requests().len(), 3);
}

/// How long it takes until a connection is closed.
async fn closed_after(stream: &mut TcpStream) -> Duration {
    let started = Instant::now();
    let mut rest = Vec::new();
    // A reset is an end as well.
    let _ = in_time(stream.read_to_end(&mut rest)).await;
    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    started.elapsed()
}

#[tokio::test]
async fn a_head_has_to_arrive_in_time() {
    let gateway = gateway("execute-api").await;
    let proxy = before(&gateway).header_timeout(Duration::from_millis(300)).start().await.unwrap();
    let head = put(proxy.address(), "X-A: b");
    // Of HTTP/1.1, and what may become HTTP/2.
    for part in [&head[..head.len() - 2], "PRI * HT", "G"] {
        let mut stream = begin(proxy.address(), part).await;
        let time = closed_after(&mut stream).await;
        assert!((200..20_000).contains(&time.as_millis()), "{part:?}: {time:?}");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let gateway = gateway("execute-api").await;
    let proxy =
        before(&gateway).access(Access::Open).idle_timeout(Duration::from_millis(300)).start().await.unwrap();
    let mut silent = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(closed_after(&mut silent).await.as_millis() >= 200);

    let head = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", proxy.address());
    let mut used = begin(proxy.address(), &head).await;
    let mut response = [0; 15];
    used.read_exact(&mut response).await.unwrap();
    assert_eq!(&response, b"HTTP/1.1 200 OK");
    let mut rest = Vec::new();
    let started = Instant::now();
    in_time(used.read_to_end(&mut rest)).await.unwrap();
    assert!((200..20_000).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
}
