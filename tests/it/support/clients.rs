//! Every way of sending a request through an integration. The types of the layer's client are named here only.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector, connect::dns::Name};
use hyper_util::rt::TokioExecutor;
use reqwest_middleware::ClientWithMiddleware;
use sigv4_middleware::{
    BoxError, IamGateway, ReceivedRequest, ServiceError, SigV4, SigV4Layer, SigV4Middleware, SignedBody,
    Signer,
};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

use super::{client_config, root_certificate};

/// The body that the layer hands to the client beneath it, for a request with a body `B`.
pub(crate) type Outgoing<B> = SignedBody<B>;

/// The error of a layer around a client.
pub(crate) type LayerError = ServiceError;

/// How the layer makes the body of a client that is built for the signed body.
pub(crate) type KeepBody<B> = fn(Outgoing<B>) -> Outgoing<B>;

/// A body that tests write, of a request or a server's response.
pub(crate) type TestBody = BoxBody<Bytes, io::Error>;

/// The body of a response that an integration returned.
pub(crate) type ResponseBody = BoxBody<Bytes, BoxError>;

/// A body in memory.
pub(crate) fn in_memory(bytes: impl Into<Bytes>) -> TestBody {
    Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed()
}

/// A body of which nobody can see what it is.
pub(crate) fn boxed(
    body: impl http_body::Body<Data = Bytes, Error = io::Error> + Send + Sync + 'static,
) -> TestBody {
    BodyExt::boxed(body)
}

/// A body to send.
pub(crate) enum RequestBody {
    /// Handed over so that every integration can see that it is in memory.
    InMemory(Bytes),
    /// Handed over so that no integration can see what it is.
    Opaque(TestBody),
}

impl From<&'static str> for RequestBody {
    fn from(text: &'static str) -> Self {
        Self::InMemory(text.into())
    }
}

impl From<Bytes> for RequestBody {
    fn from(bytes: Bytes) -> Self {
        Self::InMemory(bytes)
    }
}

impl From<TestBody> for RequestBody {
    fn from(body: TestBody) -> Self {
        Self::Opaque(body)
    }
}

/// A response read to its end.
#[derive(Debug)]
pub(crate) struct TestResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl TestResponse {
    pub(crate) async fn read_reqwest(response: reqwest::Response) -> Self {
        Self::read(from_reqwest(response)).await.unwrap()
    }

    async fn read(response: Response<ResponseBody>) -> Result<Self, BoxError> {
        let (head, body) = response.into_parts();
        Ok(Self { status: head.status, headers: head.headers, body: body.collect().await?.to_bytes() })
    }

    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The value of `x-amzn-errortype`, or an empty text.
    pub(crate) fn error_type(&self) -> &str {
        let error = self.headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok());
        error.unwrap_or_default()
    }

    /// Status and error type.
    pub(crate) fn verdict(&self) -> (u16, &str) {
        (self.status.as_u16(), self.error_type())
    }
}

fn opaque<B>(body: B) -> ResponseBody
where
    B: http_body::Body<Data = Bytes> + Send + Sync + 'static,
    B::Error: Into<BoxError>,
{
    BodyExt::boxed(body.map_err(Into::into))
}

fn from_reqwest(response: reqwest::Response) -> Response<ResponseBody> {
    Response::from(response).map(opaque)
}

/// One way of sending a request signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Integration {
    /// `SigV4Middleware` on a reqwest client.
    Middleware,
    /// `SigV4Layer` around hyper-util's client, whose body type stays the caller's.
    LayerSameBody,
    /// `SigV4Layer` with `map_body` around hyper-util's client.
    LayerOnHyper,
    /// `SigV4Layer` around `reqwest::Client`.
    LayerOnReqwest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Http {
    One,
    Two,
}

pub(crate) const INTEGRATIONS: [Integration; 4] = [
    Integration::Middleware,
    Integration::LayerSameBody,
    Integration::LayerOnHyper,
    Integration::LayerOnReqwest,
];

/// The integrations that can read the extensions of a request.
pub(crate) const WITH_EXTENSIONS: [Integration; 3] =
    [Integration::Middleware, Integration::LayerSameBody, Integration::LayerOnHyper];

/// Those of them that can check or encode a body while it is sent.
pub(crate) const WRAPPING: [Integration; 2] = [Integration::Middleware, Integration::LayerOnHyper];

/// Every integration, over every version of HTTP.
pub(crate) fn ways() -> impl Iterator<Item = (Integration, Http)> {
    INTEGRATIONS.into_iter().flat_map(|integration| [(integration, Http::One), (integration, Http::Two)])
}

/// Every integration that can check or encode a body while it is sent, over every version of HTTP.
pub(crate) fn wrapping_ways() -> impl Iterator<Item = (Integration, Http)> {
    ways().filter(|(integration, _)| *integration != Integration::LayerSameBody)
}

/// A hyper client, for bodies of any kind, that sends everything to one address.
pub(crate) fn hyper<B>(to: SocketAddr, http: Http) -> Client<HttpsConnector<HttpConnector<ToOne>>, B>
where
    B: http_body::Body + Send,
    B::Data: Send,
{
    let mut connector = HttpConnector::new_with_resolver(ToOne(to));
    connector.enforce_http(false);
    let builder = HttpsConnectorBuilder::new().with_tls_config(client_config()).https_or_http();
    let connector = match http {
        Http::One => builder.enable_http1().wrap_connector(connector),
        Http::Two => builder.enable_http2().wrap_connector(connector),
    };
    Client::builder(TokioExecutor::new()).http2_only(http == Http::Two).build(connector)
}

/// A reqwest client for which every host that the tests name is at one address.
pub(crate) fn reqwest(to: SocketAddr, http: Http) -> reqwest::Client {
    let mut builder = sigv4_middleware::reqwest_client().no_proxy().tls_certs_only([root_certificate()]);
    for host in HOSTS {
        builder = builder.resolve(host, to);
    }
    let builder = match http {
        Http::One => builder.http1_only(),
        Http::Two => builder.http2_prior_knowledge(),
    };
    builder.build().unwrap()
}

/// A reqwest client that the crate makes, without proxies and certificates.
pub(crate) fn plain_reqwest() -> reqwest::Client {
    sigv4_middleware::reqwest_client().no_proxy().tls_certs_only([]).build().unwrap()
}

/// Hosts that the tests name; nothing is ever sent to the real ones.
pub(crate) const HOSTS: [&str; 6] = [
    "localhost",
    "api.example.com",
    "example.amazonaws.com",
    "abc.execute-api.ap-northeast-1.amazonaws.com",
    "abc123.execute-api.eu-west-1.amazonaws.com",
    "bucket.s3.ap-northeast-1.amazonaws.com",
];

pub(crate) fn middleware(client: reqwest::Client, signer: &Signer) -> ClientWithMiddleware {
    reqwest_middleware::ClientBuilder::new(client).with(SigV4Middleware::new(signer.clone())).build()
}

/// A layer for a client of one body type.
pub(crate) fn layered<S>(service: S, signer: &Signer) -> SigV4<S> {
    ServiceBuilder::new().layer(SigV4Layer::new(signer.clone())).service(service)
}

/// A layer for a client that takes the signed body.
pub(crate) fn wrapping<B>(signer: &Signer) -> SigV4Layer<KeepBody<B>> {
    SigV4Layer::new(signer.clone()).map_body(std::convert::identity as KeepBody<B>)
}

pub(crate) fn layered_wrapping<S, B>(service: S, signer: &Signer) -> SigV4<S, KeepBody<B>> {
    ServiceBuilder::new().layer(wrapping(signer)).service(service)
}

/// What the layer hands to the client beneath it, the body read to its end. Nothing is sent.
pub(crate) async fn handed_on<B>(signer: &Signer, request: Request<B>) -> Result<(Parts, Bytes), LayerError>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let seen = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&seen);
    let client = service_fn(move |request: Request<Outgoing<B>>| {
        let keep = Arc::clone(&keep);
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            *keep.lock().unwrap() = Some((head, body));
            Ok::<_, BoxError>(Response::new(Full::<Bytes>::default()))
        }
    });
    layered_wrapping(client, signer).oneshot(request).await?;
    let seen = seen.lock().unwrap().take();
    Ok(seen.expect("the layer calls its client"))
}

impl Integration {
    /// Whether it reads the body of a refusal; the layer on `http` goes by status, headers and dates alone.
    pub(crate) fn reads_refusals(self) -> bool {
        matches!(self, Self::Middleware | Self::LayerOnReqwest)
    }

    /// Sends a request, whatever its host, to one address.
    pub(crate) async fn open_at(
        self,
        http: Http,
        to: SocketAddr,
        signer: &Signer,
        request: Request<impl Into<RequestBody>>,
    ) -> Result<Response<ResponseBody>, BoxError> {
        let request = request.map(Into::into);
        if self == Self::LayerSameBody {
            let request = request.map(|payload| match payload {
                RequestBody::InMemory(bytes) => axum::body::Body::from(bytes),
                RequestBody::Opaque(body) => axum::body::Body::new(body),
            });
            let client = hyper::<axum::body::Body>(to, http);
            return Ok(layered(client, signer).oneshot(request).await?.map(opaque));
        }
        if self == Self::LayerOnHyper {
            let request = request.map(|payload| match payload {
                RequestBody::InMemory(bytes) => in_memory(bytes),
                RequestBody::Opaque(body) => body,
            });
            return Ok(layered_wrapping(hyper(to, http), signer).oneshot(request).await?.map(opaque));
        }
        let mut extensions = request.extensions().clone();
        let request = reqwest::Request::try_from(request.map(|payload| match payload {
            RequestBody::InMemory(bytes) => reqwest::Body::from(bytes),
            RequestBody::Opaque(body) => reqwest::Body::wrap(body),
        }))?;
        let client = reqwest(to, http);
        let response = match self {
            Self::Middleware => {
                middleware(client, signer).execute_with_extensions(request, &mut extensions).await?
            }
            _ => layered(client, signer).oneshot(request).await?,
        };
        Ok(from_reqwest(response))
    }

    /// Sends a request, whatever its host, to one address, and reads the response.
    pub(crate) async fn send_to(
        self,
        http: Http,
        to: SocketAddr,
        signer: &Signer,
        request: Request<impl Into<RequestBody>>,
    ) -> Result<TestResponse, BoxError> {
        TestResponse::read(self.open_at(http, to, signer, request).await?).await
    }

    /// Sends a request, over HTTP/1.1, to the address and port that its URI has for a host.
    pub(crate) async fn open(
        self,
        signer: &Signer,
        request: Request<impl Into<RequestBody>>,
    ) -> Response<ResponseBody> {
        let to = request.uri().authority().unwrap().as_str().parse().unwrap();
        let response = self.open_at(Http::One, to, signer, request).await;
        response.unwrap_or_else(|error| panic!("{self:?}: {error:?}"))
    }

    /// Like [`open`](Self::open), and reads the response.
    pub(crate) async fn send(
        self,
        signer: &Signer,
        request: Request<impl Into<RequestBody>>,
    ) -> TestResponse {
        TestResponse::read(self.open(signer, request).await).await.unwrap()
    }

    /// Sends a request that has to succeed, and gives what the gateway received.
    #[track_caller]
    pub(crate) fn accepted(
        self,
        http: Http,
        gateway: &IamGateway,
        signer: &Signer,
        request: Request<TestBody>,
    ) -> impl Future<Output = ReceivedRequest> {
        let shown = format!("{self:?} {http:?} {} {}", request.method(), request.uri());
        let response = self.send_to(http, gateway.addr(), signer, request);
        async move {
            let response = response.await.unwrap_or_else(|error| panic!("{shown}: {error:?}"));
            assert_eq!(response.status, 200, "{shown}: {}", response.text());
            gateway.requests().pop().unwrap()
        }
    }
}

/// Resolves every name to one address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ToOne(SocketAddr);

impl Service<Name> for ToOne {
    type Response = std::iter::Once<SocketAddr>;
    type Error = io::Error;
    type Future = std::future::Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Name) -> Self::Future {
        std::future::ready(Ok(std::iter::once(self.0)))
    }
}
