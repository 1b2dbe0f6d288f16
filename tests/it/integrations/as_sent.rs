//! What is signed is what is sent, over HTTP/1.1 and HTTP/2: a server that verifies by the bytes it received accepts it.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sigv4_middleware::{BoxError, Credentials, IamGateway, ReceivedRequest, Signer};
use tokio::net::TcpStream;
use tower::ServiceExt;

use crate::support::*;

type Requests = Request<Full<Bytes>>;

/// Sends a request signed by a hyper client that connects to one address, whatever the URI is.
async fn send(to: SocketAddr, http2: bool, signer: &Signer, request: Requests) -> Result<(), BoxError> {
    let connector = tower::service_fn(move |_: http::Uri| {
        Box::pin(async move { TcpStream::connect(to).await.map(TokioIo::new) })
    });
    let client = Client::builder(TokioExecutor::new()).http2_only(http2).build(connector);
    layered(client, signer).oneshot(request).await?;
    Ok(())
}

async fn accepted(gateway: &IamGateway, http2: bool, signer: &Signer, request: Requests) -> ReceivedRequest {
    let shown = format!("{request:?}, HTTP/2: {http2}");
    if let Err(error) = send(gateway.addr(), http2, signer, request).await {
        panic!("{shown}: {error:?}");
    }
    let received = gateway.requests().pop().unwrap();
    assert_eq!((received.status.as_u16(), received.error_type), (200, None), "{shown}");
    received
}

fn get(uri: &str) -> Requests {
    Request::get(uri).body(Full::default()).unwrap()
}

#[tokio::test]
async fn a_default_port_is_sent_by_neither_version() {
    let (gateway, signer) = (gateway("execute-api").await, signer("execute-api"));
    for http2 in [false, true] {
        for uri in [
            "http://localhost:80/a",
            "http://localhost:/a",
            "http://localhost:80/a?b=/",
            "http://localhost/a",
        ] {
            let received = accepted(&gateway, http2, &signer, get(uri)).await;
            assert_eq!(received.header("host"), Some("localhost"), "{uri}");
        }
        let received = accepted(&gateway, http2, &signer, get("http://localhost:81/a")).await;
        assert_eq!(received.header("host"), Some("localhost:81"));
        // In whatever case, the URI's host is what both versions send.
        let received = accepted(&gateway, http2, &signer, get("http://LocalHost:80/a")).await;
        assert_eq!(received.header("host"), Some("LocalHost"));
    }
}

#[tokio::test]
async fn a_host_header_in_another_spelling_is_not_sent() {
    let (gateway, signer) = (gateway("execute-api").await, signer("execute-api"));
    for http2 in [false, true] {
        for (uri, given, sent) in [
            ("http://localhost:9000/a", "LOCALHOST:9000", "localhost:9000"),
            ("http://localhost/a", "localhost:80", "localhost"),
            ("http://localhost:80/a", "localhost:80", "localhost"),
            ("http://localhost/a", "Localhost:", "localhost"),
            ("http://LOCALHOST/a", "localhost", "LOCALHOST"),
            ("http://localhost:80/a", "localhost", "localhost"),
        ] {
            let request = Request::get(uri).header("host", given).body(Full::default()).unwrap();
            let received = accepted(&gateway, http2, &signer, request).await;
            assert_eq!(received.header("host"), Some(sent), "{uri} {given}");
        }
    }
}

#[tokio::test]
async fn an_escaped_slash_in_an_objects_key_is_sent_as_a_slash() {
    let (gateway, signer) = (gateway("s3").await, signer("s3"));
    for http2 in [false, true] {
        for method in [Method::GET, Method::PUT] {
            let mut request = get("http://localhost/bucket/a%2Fb%2fc?prefix=a%2Fb");
            *request.method_mut() = method;
            let received = accepted(&gateway, http2, &signer, request).await;
            assert_eq!(received.target, "/bucket/a/b/c?prefix=a%2Fb");
        }
    }
}

/// What the signer shows and what a server prints compare equal, even if the token is a word that stands elsewhere too.
#[tokio::test]
async fn what_is_shown_is_what_a_server_prints() {
    let with_secret = |secret| Credentials::new(KEY, secret, Some("token".to_owned()), None, "test");
    let gateway =
        IamGateway::builder().credentials(with_secret(SECRET)).service("execute-api").region(REGION);
    let gateway = gateway.start().await.unwrap();
    let signer = signing("execute-api").credentials(with_secret("another secret")).build().unwrap();
    let request = Request::get(format!("{}/token?token=1", gateway.url())).header("x-amz-meta-a", "token");
    let mut parts = request.body(()).unwrap().into_parts().0;
    let details = signer.sign_with_details(&mut parts, "").await.unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(Request::from_parts(parts, Full::<Bytes>::default())).await.unwrap();
    assert_eq!(response.status(), 403);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let message: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let message = message["message"].as_str().unwrap();
    assert!(message.contains(&format!("'{}'", details.canonical_request())), "{message}\n{details}");
    assert!(message.contains(&format!("'{}'", details.string_to_sign())), "{message}\n{details}");
}
