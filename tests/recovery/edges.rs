//! One call through each edge of the crate, with one kind of request and answer for all.

use bytes::Bytes;
use http::{Extensions, HeaderMap, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use reqwest_middleware::ClientBuilder;
use sigv4_middleware::{BoxError, SigV4Layer, SigV4Middleware, SignedBody, Signer};
use tower::{Layer, ServiceExt};

pub(crate) type Body = BoxBody<Bytes, BoxError>;

/// What stands between a caller and the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    /// `SigV4Middleware` in reqwest.
    Middleware,
    /// `SigV4Layer` around hyper-util's client.
    Layer,
    /// `SigV4Layer` around `reqwest::Client`.
    LayerOnReqwest,
}

pub(crate) const EDGES: [Edge; 3] = [Edge::Middleware, Edge::Layer, Edge::LayerOnReqwest];

/// An answer read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Edge {
    /// Sends a body in memory and reads the whole answer.
    pub(crate) async fn send(self, signer: &Signer, request: Request<impl Into<Bytes>>) -> Answer {
        let (head, body) = self.open(signer, request).await.into_parts();
        let body = body.collect().await.expect("the body ends well").to_bytes();
        Answer { status: head.status, headers: head.headers, body }
    }

    /// Sends a body in memory.
    pub(crate) async fn open(self, signer: &Signer, request: Request<impl Into<Bytes>>) -> Response<Body> {
        let request = request.map(Into::into);
        match self {
            Self::Layer => self.open_stream(signer, request.map(in_memory)).await,
            _ => self.through_reqwest(signer, request.map(reqwest::Body::from)).await,
        }
    }

    /// Sends a body of which neither edge can see that it is in memory.
    pub(crate) async fn open_stream(self, signer: &Signer, request: Request<Body>) -> Response<Body> {
        if self != Self::Layer {
            return self.through_reqwest(signer, request.map(reqwest::Body::wrap)).await;
        }
        let client = Client::builder(TokioExecutor::new()).build_http::<SignedBody<Body>>();
        let client = SigV4Layer::new(signer.clone()).layer(client);
        client.oneshot(request).await.expect("an answer").map(boxed)
    }

    async fn through_reqwest(self, signer: &Signer, request: Request<reqwest::Body>) -> Response<Body> {
        let client = sigv4_middleware::reqwest_client().build().expect("a client");
        let request = reqwest::Request::try_from(request).expect("a URL");
        let answer = if self == Self::Middleware {
            let client = ClientBuilder::new(client).with(SigV4Middleware::new(signer.clone())).build();
            client.execute_with_extensions(request, &mut Extensions::new()).await.expect("an answer")
        } else {
            SigV4Layer::new(signer.clone()).layer(client).oneshot(request).await.expect("an answer")
        };
        Response::from(answer).map(boxed)
    }
}

pub(crate) fn in_memory(bytes: Bytes) -> Body {
    boxed(Full::new(bytes))
}

pub(crate) fn boxed<B>(body: B) -> Body
where
    B: http_body::Body<Data = Bytes> + Send + Sync + 'static,
    B::Error: Into<BoxError>,
{
    body.map_err(Into::into).boxed()
}
