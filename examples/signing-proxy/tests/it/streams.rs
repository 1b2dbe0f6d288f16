//! Bodies that are streamed, connections that end, and HTTP/2.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use futures_util::StreamExt;
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::program::{Proxy, next_line, reason};
use sigv4_test_support::in_time;

/// An upstream whose response is sent piece by piece, when the test says.
async fn slow_upstream() -> (String, mpsc::Sender<&'static str>) {
    let (sender, pieces) = mpsc::channel::<&'static str>(1);
    let pieces = std::sync::Mutex::new(Some(pieces));
    let response = move || {
        let pieces = pieces.lock().unwrap().take().unwrap();
        let pieces = futures_util::stream::unfold(pieces, |mut pieces| async {
            pieces.recv().await.map(|piece| (Ok::<_, std::io::Error>(piece), pieces))
        });
        std::future::ready(([("connection", "x-hop"), ("x-hop", "1")], Body::from_stream(pieces)))
    };
    let response = std::sync::Arc::new(response);
    let app = Router::new().route("/", get(move || response()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, sender)
}

async fn next(
    body: &mut (impl futures_util::Stream<Item = reqwest::Result<Bytes>> + Unpin),
) -> Option<Bytes> {
    in_time(body.next()).await.transpose().unwrap()
}

#[tokio::test]
async fn a_response_is_streamed() {
    let (upstream, pieces) = slow_upstream().await;
    let proxy = Proxy::start(&upstream, &[]).await;

    pieces.send("first").await.unwrap();
    let response = in_time(reqwest::get(proxy.url("/"))).await.unwrap();
    assert!(!response.headers().contains_key("x-hop"));
    let mut body = response.bytes_stream();
    assert_eq!(next(&mut body).await.unwrap(), "first");
    pieces.send("last").await.unwrap();
    assert_eq!(next(&mut body).await.unwrap(), "last");
    drop(pieces);
    assert_eq!(next(&mut body).await, None);
    assert_eq!(proxy.metric("signing_proxy_response_bytes_total").await, Some(9));
}

#[cfg(unix)]
#[tokio::test]
async fn a_request_in_flight_is_finished_before_the_end() {
    let (upstream, pieces) = slow_upstream().await;
    let mut proxy = Proxy::start(&upstream, &[]).await;
    pieces.send("first").await.unwrap();
    let mut body = reqwest::get(proxy.url("/")).await.unwrap().bytes_stream();
    assert_eq!(next(&mut body).await.unwrap(), "first");

    proxy.terminate();
    assert!(next_line(&mut proxy.stdout, "finishing").await.contains("in flight"));
    in_time(async { while TcpStream::connect(proxy.addr).await.is_ok() {} }).await;

    pieces.send("last").await.unwrap();
    drop(pieces);
    assert_eq!(next(&mut body).await.unwrap(), "last");
    assert_eq!(next(&mut body).await, None);
    let (status, output) = proxy.ended().await;
    assert!(status.success() && output.is_empty(), "{output}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_request_that_does_not_end_is_not_waited_for_forever() {
    let (upstream, pieces) = slow_upstream().await;
    let proxy = Proxy::start(&upstream, &["--drain", "0"]).await;
    pieces.send("first").await.unwrap();
    let mut body = reqwest::get(proxy.url("/")).await.unwrap().bytes_stream();
    assert_eq!(next(&mut body).await.unwrap(), "first");

    proxy.terminate();
    let (status, output) = proxy.ended().await;
    assert!(!status.success() && output.contains("did not end in time"), "{output}");
}

/// An upstream that responds with these bytes to every connection, and closes it.
async fn raw_upstream(response: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 8192]).await;
                let _ = stream.write_all(response.as_bytes()).await;
            });
        }
    });
    url
}

#[tokio::test]
async fn a_response_with_two_lengths_is_refused() {
    for response in [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 16\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nHTTP",
    ] {
        let proxy = Proxy::start(&raw_upstream(response).await, &[]).await;
        let response = reqwest::get(proxy.url("/")).await.unwrap();
        assert_eq!(response.status(), 502);
        assert_eq!(reason(&response.text().await.unwrap()), "response_framing");
        assert_eq!(proxy.metric("signing_proxy_upstream_errors_total").await, Some(1));
    }
    let proxy = Proxy::start(
        &raw_upstream("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd").await,
        &[],
    )
    .await;
    assert_eq!(reqwest::get(proxy.url("/")).await.unwrap().status(), 502);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let proxy = Proxy::start(&raw_upstream(chunked).await, &[]).await;
    assert_eq!(reqwest::get(proxy.url("/")).await.unwrap().text().await.unwrap(), "abc");
}

/// A TLS server that says where its plain connections go: the bytes of a request as they arrive.
#[tokio::test]
async fn an_unsigned_body_is_streamed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let front = sigv4_test_support::tls::TlsFront::before(listener.local_addr().unwrap()).await;
    let upstream = format!("https://localhost:{}", front.addr().port());
    let cacert = crate::tls::cacert();
    let host = "bucket.s3.ap-northeast-1.amazonaws.com";
    let mut command = crate::program::with_role();
    command.args(["--upstream", &upstream, "--sign-host", host, "--unsigned-payload"]);
    let proxy = Proxy::started(command, &["--cacert", cacert.to_str().unwrap()]).await;

    let (sender, pieces) = mpsc::channel::<Result<&str, std::io::Error>>(1);
    let pieces = futures_util::stream::unfold(pieces, |mut pieces| async {
        pieces.recv().await.map(|piece| (piece, pieces))
    });
    let put = reqwest::Client::new().put(proxy.url("/key")).body(reqwest::Body::wrap_stream(pieces));
    let put = tokio::spawn(put.send());
    sender.send(Ok("first piece")).await.unwrap();
    let (mut stream, _) = in_time(listener.accept()).await.unwrap();
    let mut received = Vec::new();
    // HTTP/2 frames hold the body as it is. The client has sent only the first piece so far.
    in_time(async {
        stream.write_all(&SETTINGS).await.unwrap();
        while !String::from_utf8_lossy(&received).contains("first piece") {
            assert!(stream.read_buf(&mut received).await.unwrap() > 0, "{received:?}");
        }
    })
    .await;
    drop(sender);
    drop(stream);
    put.abort();
}

/// An empty SETTINGS frame of HTTP/2, with which a server begins.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

#[tokio::test]
async fn requests_come_by_http2_without_tls() {
    let gateway = sigv4_test_support::gateway("execute-api").await;
    let proxy = crate::program::before(&gateway, &[]).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let requests = (0..20).map(|number| {
        let body = format!("body {number}");
        client.post(proxy.url("/a?b=c")).header("te", "trailers").body(body).send()
    });
    for response in futures_util::future::join_all(requests).await {
        let response = response.unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (200, http::Version::HTTP_2));
        assert_eq!(response.text().await.unwrap(), r#"{"message":"ok"}"#);
    }
    let requests = gateway.requests();
    assert_eq!(requests.len(), 20);
    assert!(
        requests.iter().all(|request| request.header("te") == Some("trailers")),
        "gRPC servers insist on it"
    );
}

#[tokio::test]
async fn a_long_response_is_not_idle() {
    let (upstream, pieces) = slow_upstream().await;
    let proxy = Proxy::start(&upstream, &["--idle-timeout", "1", "--header-timeout", "1"]).await;
    pieces.send("first").await.unwrap();
    let mut body = reqwest::get(proxy.url("/")).await.unwrap().bytes_stream();
    assert_eq!(next(&mut body).await.unwrap(), "first");
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    pieces.send("last").await.unwrap();
    drop(pieces);
    assert_eq!(next(&mut body).await.unwrap(), "last");
    assert_eq!(next(&mut body).await, None);
}

/// As gRPC has it: HTTP/2 on both sides, and a status in the trailers of the response.
#[tokio::test]
async fn trailers_of_a_response_are_passed_on() {
    let response = async || {
        let mut trailers = http::HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        let frames = [Frame::data(Bytes::from_static(b"message")), Frame::trailers(trailers)];
        Body::new(StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, std::io::Error>))))
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let front = sigv4_test_support::tls::TlsFront::before(listener.local_addr().unwrap()).await;
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(response)).await });
    let proxy = crate::library::signer();
    let upstream = format!("https://localhost:{}", front.addr().port());
    let proxy = signing_proxy::Proxy::builder(proxy).upstream(upstream);
    let proxy =
        proxy.root_certificates(sigv4_test_support::tls::root_certificate_pem()).start().await.unwrap();

    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Full<Bytes>>();
    let request = http::Request::post(format!("{}/orders.Orders/List", proxy.base_url()));
    let request = request.header("te", "trailers").body(Full::from("request")).unwrap();
    let body = in_time(client.request(request)).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(body.to_bytes(), "message");
}
