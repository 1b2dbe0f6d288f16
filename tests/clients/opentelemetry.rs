// Lines beyond the one: 16, the trait that every client but the exporter's own needs. It is called from a thread without
// a tokio runtime, and a hyper client needs one. With `Signer::sign` around a client that has the trait already: 10.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::trace::SdkTracerProvider;
use sigv4_middleware::{SigV4, SigV4Layer, Signer};
use tokio::runtime::Handle;
use tower::{ServiceBuilder, ServiceExt};

use crate::support::*;

/// A signed hyper client, on a runtime.
#[derive(Debug)]
struct Signed {
    client: SigV4<Client<HttpConnector, Full<Bytes>>>,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Signed {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let response = self.client.clone().oneshot(request.map(Full::new));
        let exchange = async {
            let (head, body) = response.await?.into_parts();
            Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
        };
        self.runtime.spawn(exchange).await?
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn layer() -> TestResult {
    let gateway = gateway().await;
    let hyper = Client::builder(TokioExecutor::new()).build_http();
    let client = ServiceBuilder::new().layer(SigV4Layer::new(signer())).service(hyper);

    export(gateway.url(), Signed { client, runtime: Handle::current() })?;
    assert_eq!(authorized(&gateway).target, "/v1/traces");
    Ok(())
}

/// Any client of the exporter, signed; without a runtime where the client needs none.
#[derive(Debug)]
struct SignedBy<C>(C, Signer);

#[async_trait]
impl<C: HttpClient> HttpClient for SignedBy<C> {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (mut head, body) = request.into_parts();
        self.1.sign(&mut head, &body).await?;
        self.0.send_bytes(Request::from_parts(head, body)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_runtime() -> TestResult {
    let gateway = gateway().await;
    let url = gateway.url();
    // reqwest's blocking client must not be built or dropped on a runtime.
    std::thread::spawn(move || {
        let client = reqwest::blocking::Client::builder().redirect(reqwest::redirect::Policy::none());
        export(url, SignedBy(client.build()?, signer()))
    })
    .join()
    .unwrap()?;
    assert_eq!(authorized(&gateway).target, "/v1/traces");
    Ok(())
}

fn export(url: String, client: impl HttpClient + 'static) -> TestResult {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(format!("{url}/v1/traces"))
        .build()?;
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    provider.tracer("test").in_span("work", |_| ());
    provider.force_flush()?;
    Ok(provider.shutdown()?)
}
