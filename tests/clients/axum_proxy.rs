// Lines beyond the one: 0.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use http::{StatusCode, header};
use http_body_util::{BodyExt, Channel};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use sigv4_middleware::{PayloadMode, SigV4, SigV4Layer, Signer};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, ServiceExt};

use crate::support::*;

#[derive(Clone)]
struct Upstream {
    client: SigV4<Client<HttpConnector, Body>>,
    url: String,
}

async fn forward(State(upstream): State<Upstream>, mut request: Request) -> Result<Response, StatusCode> {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    *request.uri_mut() = format!("{}{target}", upstream.url).parse().map_err(|_| StatusCode::BAD_REQUEST)?;
    request.headers_mut().remove(header::HOST);
    let response = upstream.client.oneshot(request).await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    Ok(response.map(Body::new))
}

/// The URL of a proxy on loopback.
async fn proxy(url: String, signer: Signer) -> String {
    let hyper = Client::builder(TokioExecutor::new()).build_http();
    let client = ServiceBuilder::new().layer(SigV4Layer::new(signer)).service(hyper);

    let router = Router::new().fallback(any(forward)).with_state(Upstream { client, url });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, router).await });
    url
}

#[tokio::test]
async fn buffered() -> TestResult {
    let gateway = gateway().await;
    let client = Client::builder(TokioExecutor::new()).build_http();

    let url = format!("{}/orders?page=2", proxy(gateway.url(), signer()).await);
    let response = client.request(http::Request::post(url).body(String::from("hello"))?).await?;

    assert_eq!(response.into_body().collect().await?.to_bytes(), r#"{"message":"ok"}"#);
    let received = authorized(&gateway);
    assert_eq!((received.target.as_str(), &received.body[..]), ("/orders?page=2", &b"hello"[..]));
    Ok(())
}

/// Each frame comes back before the next is sent.
#[tokio::test]
async fn streaming() -> TestResult {
    let echo = Router::new().fallback(any(async |request: Request| Response::new(request.into_body())));
    let upstream = verified("s3", echo).await;
    let signer = signing("s3").payload_mode(PayloadMode::Unsigned).allow_unsigned_over_http(true).build()?;
    let client = Client::builder(TokioExecutor::new()).build_http();

    let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
    let request = http::Request::post(proxy(upstream.url(), signer).await).body(body)?;
    let mut response = client.request(request).await?.into_body();
    for text in ["a", "b", "c"] {
        sender.send_data(text.into()).await?;
        assert_eq!(response.frame().await.unwrap()?.into_data().unwrap(), text);
    }
    drop(sender);
    assert!(response.frame().await.is_none());
    assert_eq!(upstream.requests(), 1);
    Ok(())
}
