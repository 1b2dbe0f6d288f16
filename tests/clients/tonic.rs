// Lines beyond the one: 0. `.map_body(tonic::body::Body::new)` is within it, and `with_origin` in place of `new` gives
// the client the host to sign for.

use axum::Router;
use axum::extract::Request;
use axum::routing::post;
use bytes::Bytes;
use http::{Uri, uri::PathAndQuery};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use sigv4_middleware::{ErrorKind, PayloadMode, SigV4Layer, Signer};
use tokio_stream::{Stream, StreamExt, wrappers::ReceiverStream};
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::StdError;
use tonic::transport::Channel;
use tonic::{Code, IntoRequest, IntoStreamingRequest, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::{ServiceBuilder, service_fn};

use crate::support::*;

#[tokio::test]
async fn channel() -> TestResult {
    let server = verified("execute-api", echo()).await;
    let channel = Channel::from_shared(server.url())?.connect_lazy();

    let channel = ServiceBuilder::new().layer(SigV4Layer::new(signer()).map_body(Body::new)).service(channel);
    let client = EchoClient::with_origin(channel, server.url().parse()?);

    every_kind_of_call(client).await?;
    assert_eq!(server.requests(), 4);
    Ok(())
}

#[tokio::test]
async fn hyper() -> TestResult {
    let server = verified("execute-api", echo()).await;
    let hyper = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Body>();

    let service = ServiceBuilder::new().layer(SigV4Layer::new(signer()).map_body(Body::new)).service(hyper);
    let client = EchoClient::with_origin(service, server.url().parse()?);

    every_kind_of_call(client).await?;
    assert_eq!(server.requests(), 4);
    Ok(())
}

/// A signer for a service that takes payloads that are not signed, which streams both ways need.
fn unsigned_payloads() -> Signer {
    let lattice = signing("vpc-lattice-svcs").payload_mode(PayloadMode::Unsigned);
    lattice.allow_unsigned_over_http(true).build().unwrap()
}

#[tokio::test]
async fn channel_both_ways() -> TestResult {
    let server = verified("vpc-lattice-svcs", echo()).await;
    let channel = Channel::from_shared(server.url())?.connect_lazy();

    let channel = ServiceBuilder::new()
        .layer(SigV4Layer::new(unsigned_payloads()).map_body(Body::new))
        .service(channel);
    let client = EchoClient::with_origin(channel, server.url().parse()?);

    both_ways(client).await?;
    assert_eq!(server.requests(), 1);
    Ok(())
}

#[tokio::test]
async fn hyper_both_ways() -> TestResult {
    let server = verified("vpc-lattice-svcs", echo()).await;
    let hyper = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Body>();

    let service =
        ServiceBuilder::new().layer(SigV4Layer::new(unsigned_payloads()).map_body(Body::new)).service(hyper);
    let client = EchoClient::with_origin(service, server.url().parse()?);

    both_ways(client).await?;
    assert_eq!(server.requests(), 1);
    Ok(())
}

#[tokio::test]
async fn refused() -> TestResult {
    let server = verified("execute-api", echo()).await;
    let channel = Channel::from_shared(server.url())?.connect_lazy();
    let layer = |signer| ServiceBuilder::new().layer(SigV4Layer::new(signer).map_body(Body::new));

    // By the server, which verifies.
    let unsigned = layer(Signer::disabled()).service(channel.clone());
    let status = EchoClient::with_origin(unsigned, server.url().parse()?).unary(Text::new("a")).await;
    assert_eq!(status.unwrap_err().code(), Code::PermissionDenied);

    // By the signer.
    let signed = layer(signer()).service(channel);
    let status = EchoClient::with_origin(signed.clone(), DISALLOWED.parse()?).unary(Text::new("a")).await;
    found(&status.unwrap_err());
    let status = EchoClient::with_origin(signed, Uri::default()).unary(Text::new("a")).await.unwrap_err();
    let error = sigv4_middleware::Error::find(&status).unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidUri);
    assert_eq!(server.requests(), 0);
    Ok(())
}

async fn every_kind_of_call<T>(mut client: EchoClient<T>) -> TestResult
where
    T: GrpcService<Body>,
    T::ResponseBody: http_body::Body<Data = Bytes> + Send + 'static,
    <T::ResponseBody as http_body::Body>::Error: Into<StdError> + Send,
{
    assert_eq!(client.unary(Text::new("a")).await?.into_inner(), Text::new("a"));

    let status = client.unary(Text::new("fail")).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::FailedPrecondition, "asked to fail"));

    let replies = client.server_streaming(Text::new("ab!")).await?.into_inner();
    let replies: Vec<_> = replies.map(|reply| reply.map_err(|status| status.code())).collect().await;
    let [a, b] = ["a", "b"].map(|text| Ok(Text::new(text)));
    assert_eq!(replies, [a, b, Err(Code::DataLoss)]);

    let texts = tokio_stream::iter(["a", "b", "c"]).map(Text::new);
    assert_eq!(client.client_streaming(texts).await?.into_inner(), Text::new("abc"));
    Ok(())
}

/// Each message is echoed before the next is sent.
async fn both_ways<T>(mut client: EchoClient<T>) -> TestResult
where
    T: GrpcService<Body>,
    T::ResponseBody: http_body::Body<Data = Bytes> + Send + 'static,
    <T::ResponseBody as http_body::Body>::Error: Into<StdError> + Send,
{
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let mut replies = client.bidirectional(ReceiverStream::new(receiver)).await?.into_inner();
    for text in ["a", "b", "c"] {
        sender.send(Text::new(text)).await?;
        assert_eq!(replies.message().await?, Some(Text::new(text)));
    }
    drop(sender);
    assert_eq!(replies.message().await?, None);
    Ok(())
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Text {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
}

impl Text {
    fn new(text: &str) -> Self {
        Self { text: text.to_owned() }
    }
}

/// A client with the bounds of those that `tonic-prost-build` writes.
struct EchoClient<T> {
    inner: tonic::client::Grpc<T>,
}

impl<T> EchoClient<T>
where
    T: GrpcService<Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: http_body::Body<Data = Bytes> + Send + 'static,
    <T::ResponseBody as http_body::Body>::Error: Into<StdError> + Send,
{
    fn with_origin(inner: T, origin: Uri) -> Self {
        Self { inner: tonic::client::Grpc::with_origin(inner, origin) }
    }

    async fn ready(&mut self) -> Result<(), Status> {
        let not_ready = |error: StdError| Status::unknown(format!("Service was not ready: {error}"));
        self.inner.ready().await.map_err(|error| not_ready(error.into()))
    }

    async fn unary(&mut self, text: Text) -> Result<Response<Text>, Status> {
        self.ready().await?;
        self.inner.unary(text.into_request(), path("Unary"), codec()).await
    }

    async fn server_streaming(&mut self, text: Text) -> Result<Response<Streaming<Text>>, Status> {
        self.ready().await?;
        self.inner.server_streaming(text.into_request(), path("ServerStreaming"), codec()).await
    }

    async fn client_streaming(
        &mut self,
        texts: impl Stream<Item = Text> + Send + 'static,
    ) -> Result<Response<Text>, Status> {
        self.ready().await?;
        let texts = texts.into_streaming_request();
        self.inner.client_streaming(texts, path("ClientStreaming"), codec()).await
    }

    async fn bidirectional(
        &mut self,
        texts: impl Stream<Item = Text> + Send + 'static,
    ) -> Result<Response<Streaming<Text>>, Status> {
        self.ready().await?;
        self.inner.streaming(texts.into_streaming_request(), path("Bidirectional"), codec()).await
    }
}

fn codec() -> ProstCodec<Text, Text> {
    ProstCodec::default()
}

fn path(method: &str) -> PathAndQuery {
    format!("/echo.Echo/{method}").parse().unwrap()
}

/// The server of [`EchoClient`].
fn echo() -> Router {
    async fn unary(text: tonic::Request<Text>) -> Result<Response<Text>, Status> {
        match text.get_ref().text.as_str() {
            "fail" => Err(Status::failed_precondition("asked to fail")),
            _ => Ok(Response::new(text.into_inner())),
        }
    }
    async fn letters(
        text: tonic::Request<Text>,
    ) -> Result<Response<impl Stream<Item = Result<Text, Status>> + Send + 'static>, Status> {
        let letters: Vec<_> = text.get_ref().text.chars().collect();
        Ok(Response::new(tokio_stream::iter(letters).map(|letter| match letter {
            '!' => Err(Status::data_loss("asked to fail")),
            _ => Ok(Text { text: letter.into() }),
        })))
    }
    async fn concatenate(texts: tonic::Request<Streaming<Text>>) -> Result<Response<Text>, Status> {
        let texts: Vec<_> = texts.into_inner().map(|text| text.unwrap().text).collect().await;
        Ok(Response::new(Text::new(&texts.concat())))
    }
    async fn each(texts: tonic::Request<Streaming<Text>>) -> Result<Response<Streaming<Text>>, Status> {
        Ok(Response::new(texts.into_inner()))
    }
    let grpc = || tonic::server::Grpc::new(codec());
    Router::new()
        .route("/echo.Echo/Unary", post(move |call: Request| async move { grpc().unary(service_fn(unary), call).await }))
        .route(
            "/echo.Echo/ServerStreaming",
            post(move |call: Request| async move { grpc().server_streaming(service_fn(letters), call).await }),
        )
        .route(
            "/echo.Echo/ClientStreaming",
            post(move |call: Request| async move { grpc().client_streaming(service_fn(concatenate), call).await }),
        )
        .route(
            "/echo.Echo/Bidirectional",
            post(move |call: Request| async move { grpc().streaming(service_fn(each), call).await }),
        )
}
