// Lines beyond the one: 0. A body without `From<Bytes>` takes `.map_body(…)` within it.

use std::convert::Infallible;

use bytes::Bytes;
use http::Request;
use http_body::Frame;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Channel, Empty, Full, StreamBody};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use sigv4_middleware::{BoxError, SigV4, SigV4Layer, SignedBody};
use tower::{Service, ServiceBuilder, ServiceExt};

use crate::support::*;

#[tokio::test]
async fn full() -> TestResult {
    let gateway = gateway().await;
    let hyper = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();

    let mut client = ServiceBuilder::new().layer(SigV4Layer::new(signer())).service(hyper);

    let request = Request::post(gateway.url()).body(Full::from("hello"))?;
    let response = client.ready().await?.call(request).await?;
    assert_eq!(response.into_body().collect().await?.to_bytes(), r#"{"message":"ok"}"#);
    assert_eq!(authorized(&gateway).body, "hello");
    Ok(())
}

#[tokio::test]
async fn empty() -> TestResult {
    let gateway = gateway().await;
    let hyper = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();

    let client =
        ServiceBuilder::new().layer(SigV4Layer::new(signer()).map_body(|_| Empty::new())).service(hyper);

    client.oneshot(Request::get(gateway.url()).body(Empty::<Bytes>::new())?).await?;
    authorized(&gateway);
    Ok(())
}

#[tokio::test]
async fn boxed() -> TestResult {
    let gateway = gateway().await;
    let hyper = Client::builder(TokioExecutor::new()).build_http::<BoxBody<Bytes, BoxError>>();

    let client = ServiceBuilder::new().layer(SigV4Layer::new(signer()).map_body(BoxBody::new)).service(hyper);

    let frames = ["he", "llo"].map(|text| Ok::<_, BoxError>(Frame::data(Bytes::from(text))));
    let body = BoxBody::new(StreamBody::new(futures_util::stream::iter(frames)));
    client.oneshot(Request::post(gateway.url()).body(body)?).await?;
    assert_eq!(authorized(&gateway).body, "hello");
    Ok(())
}

#[tokio::test]
async fn channel() -> TestResult {
    let gateway = gateway().await;
    let hyper = Client::builder(TokioExecutor::new()).build_http::<SignedBody<Channel<Bytes>>>();

    let client = ServiceBuilder::new().layer(SigV4Layer::new(signer()).map_body(|body| body)).service(hyper);

    let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
    tokio::spawn(async move {
        sender.send_data("he".into()).await.unwrap();
        sender.send_data("llo".into()).await.unwrap();
    });
    client.oneshot(Request::post(gateway.url()).body(body)?).await?;
    assert_eq!(authorized(&gateway).body, "hello");
    Ok(())
}

/// The type of a signed client can be written.
struct Orders {
    client: SigV4<Client<HttpConnector, Full<Bytes>>>,
    url: String,
}

impl Orders {
    async fn list(&self) -> Result<Bytes, BoxError> {
        let request = Request::get(&self.url).body(Full::default())?;
        let response = self.client.clone().oneshot(request).await?;
        Ok(response.into_body().collect().await?.to_bytes())
    }
}

#[tokio::test]
async fn in_a_struct() -> TestResult {
    let gateway = gateway().await;
    let hyper = Client::builder(TokioExecutor::new()).build_http();
    let client = ServiceBuilder::new().layer(SigV4Layer::new(signer())).service(hyper);

    let orders = Orders { client, url: gateway.url() };
    assert_eq!(orders.list().await?, r#"{"message":"ok"}"#);
    authorized(&gateway);
    Ok(())
}

#[tokio::test]
async fn refused() -> TestResult {
    let hyper = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let client = ServiceBuilder::new().layer(SigV4Layer::new(signer())).service(hyper);
    let error = client.oneshot(Request::get(DISALLOWED).body(Full::default())?).await.unwrap_err();
    found(&error);
    Ok(())
}
