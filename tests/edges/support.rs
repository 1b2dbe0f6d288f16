//! A gateway, a signer that suits it, and every way of sending a request through an edge.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector, connect::dns::Name};
use hyper_util::rt::TokioExecutor;
use sigv4_middleware::{
    BoxError, Credentials, Error, IamGateway, ReceivedRequest, SigV4, SigV4Layer, SigV4Middleware,
    SignedBody, Signer, SignerBuilder,
};
use tokio::net::{TcpListener, TcpStream};
use tower::{Service, ServiceBuilder, ServiceExt};

pub(crate) const KEY: &str = "AKIDEXAMPLE";
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
pub(crate) const TOKEN: &str = "IQoJb3JpZ2luX2VjE+Token/Example==";
pub(crate) const REGION: &str = "ap-northeast-1";

pub(crate) fn role() -> Credentials {
    Credentials::new(KEY, SECRET, Some(TOKEN.into()), None, "test")
}

pub(crate) fn user() -> Credentials {
    Credentials::new(KEY, SECRET, None, None, "test")
}

/// A gateway that knows `role()`.
pub(crate) async fn gateway(service: &str) -> IamGateway {
    IamGateway::builder().credentials(role()).service(service).region(REGION).start().await.unwrap()
}

/// A builder for a signer that the gateway believes.
pub(crate) fn signing(service: &'static str) -> SignerBuilder {
    Signer::builder().credentials(role()).service(service).region(REGION)
}

pub(crate) fn signer(service: &'static str) -> Signer {
    signing(service).build().unwrap()
}

pub(crate) type TestBody = BoxBody<Bytes, io::Error>;

pub(crate) fn body(bytes: impl Into<Bytes>) -> TestBody {
    Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed()
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// What is seen of a refusal: status and error type.
    pub(crate) fn verdict(&self) -> (u16, &str) {
        let error = self.headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok());
        (self.status.as_u16(), error.unwrap_or_default())
    }
}

/// One way of sending a request signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    /// `SigV4Middleware` on a reqwest client.
    Middleware,
    /// `SigV4Layer` around hyper-util's client.
    LayerOnHyper,
    /// `SigV4Layer` around `reqwest::Client`.
    LayerOnReqwest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Http {
    One,
    Two,
}

pub(crate) const EDGES: [Edge; 3] = [Edge::Middleware, Edge::LayerOnHyper, Edge::LayerOnReqwest];

/// What ways of sending there are.
pub(crate) fn ways() -> impl Iterator<Item = (Edge, Http)> {
    EDGES.into_iter().flat_map(|edge| [(edge, Http::One), (edge, Http::Two)])
}

pub(crate) type HyperClient = Client<HttpConnector<ToOne>, SignedBody<TestBody>>;

pub(crate) fn hyper(to: SocketAddr, http: Http) -> HyperClient {
    let connector = HttpConnector::new_with_resolver(ToOne(to));
    Client::builder(TokioExecutor::new()).http2_only(http == Http::Two).build(connector)
}

/// A hyper client over HTTP/1.1 for bodies of any kind.
#[allow(dead_code, reason = "tests/places uses it")]
pub(crate) fn hyper_of<B>(to: SocketAddr) -> Client<HttpConnector<ToOne>, B>
where
    B: http_body::Body + Send,
    B::Data: Send,
{
    Client::builder(TokioExecutor::new()).build(HttpConnector::new_with_resolver(ToOne(to)))
}

/// A reqwest client for which every host that the tests name is at one address.
pub(crate) fn reqwest(to: SocketAddr, http: Http) -> reqwest::Client {
    let mut builder = sigv4_middleware::reqwest_client().no_proxy().tls_certs_only([]);
    for host in HOSTS {
        builder = builder.resolve(host, to);
    }
    if http == Http::Two {
        builder = builder.http2_prior_knowledge();
    }
    builder.build().unwrap()
}

/// Hosts that the tests name; nothing is ever sent to the real ones.
pub(crate) const HOSTS: [&str; 4] =
    ["localhost", "api.example.com", "example.amazonaws.com", "abc.execute-api.ap-northeast-1.amazonaws.com"];

pub(crate) fn middleware(
    client: reqwest::Client,
    signer: &Signer,
) -> reqwest_middleware::ClientWithMiddleware {
    reqwest_middleware::ClientBuilder::new(client).with(SigV4Middleware::new(signer.clone())).build()
}

pub(crate) fn layered<S>(service: S, signer: &Signer) -> SigV4<S> {
    ServiceBuilder::new().layer(SigV4Layer::new(signer.clone())).service(service)
}

impl Edge {
    /// Sends a request, wherever it says it goes, to the gateway.
    pub(crate) async fn send(
        self,
        http: Http,
        to: SocketAddr,
        signer: &Signer,
        request: Request<TestBody>,
    ) -> Result<Answer, BoxError> {
        match self {
            Self::Middleware => {
                let mut extensions = request.extensions().clone();
                let request = reqwest::Request::try_from(request.map(reqwest::Body::wrap))?;
                let client = middleware(reqwest(to, http), signer);
                answer(client.execute_with_extensions(request, &mut extensions).await?).await
            }
            Self::LayerOnHyper => {
                let (parts, body) = layered(hyper(to, http), signer).oneshot(request).await?.into_parts();
                let text = String::from_utf8(body.collect().await?.to_bytes().into())?;
                Ok(Answer { status: parts.status, headers: parts.headers, text })
            }
            Self::LayerOnReqwest => {
                let request = reqwest::Request::try_from(request.map(reqwest::Body::wrap))?;
                answer(layered(reqwest(to, http), signer).oneshot(request).await?).await
            }
        }
    }

    /// Sends a request that is to be taken, and gives what the gateway received.
    #[track_caller]
    pub(crate) fn accepted(
        self,
        http: Http,
        gateway: &IamGateway,
        signer: &Signer,
        request: Request<TestBody>,
    ) -> impl Future<Output = ReceivedRequest> {
        let shown = format!("{self:?} {http:?} {} {}", request.method(), request.uri());
        let answer = self.send(http, gateway.addr(), signer, request);
        async move {
            let answer = answer.await.unwrap_or_else(|error| panic!("{shown}: {error:?}"));
            assert_eq!(answer.status, 200, "{shown}: {}", answer.text);
            gateway.requests().pop().unwrap()
        }
    }
}

pub(crate) async fn answer(response: reqwest::Response) -> Result<Answer, BoxError> {
    let (status, headers) = (response.status(), response.headers().clone());
    Ok(Answer { status, headers, text: response.text().await? })
}

/// The crate's error in what an edge returned.
#[track_caller]
pub(crate) fn found(error: &BoxError) -> &Error {
    Error::find(error.as_ref()).unwrap_or_else(|| panic!("no error of this crate in {error:?}"))
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

/// A port on `[::1]` that leads to the gateway; `None` where the machine has no IPv6.
pub(crate) async fn on_ipv6(gateway: &IamGateway) -> Option<SocketAddr> {
    let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.ok()?;
    let (own, to) = (listener.local_addr().ok()?, gateway.addr());
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut to = TcpStream::connect(to).await?;
                tokio::io::copy_bidirectional(&mut from, &mut to).await
            });
        }
    });
    Some(own)
}

/// A future that has to end; a deadlock is a failure, not a hang.
pub(crate) async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it ends")
}
