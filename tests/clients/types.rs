// Lines beyond the one: 0.
//! The layer keeps a client's types: what takes the client takes the signed client.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use object_store::client::HttpRequestBody;
use sigv4_middleware::{ServiceError, SigV4};
use tower::Service;
use tower::util::BoxCloneSyncService;

/// Compiles where the signed client takes the client's requests and gives its responses.
fn same<S, B>()
where
    S: Service<Request<B>>,
    SigV4<S>:
        Service<Request<B>, Response = S::Response, Error = ServiceError> + Clone + Send + Sync + 'static,
    <SigV4<S> as Service<Request<B>>>::Future: Send,
    ServiceError: std::error::Error + Send + Sync + 'static,
{
}

#[test]
fn request_and_response() {
    same::<Client<HttpConnector, Full<Bytes>>, _>();
    same::<Client<HttpConnector, axum::body::Body>, _>();
    same::<Client<HttpConnector, reqwest::Body>, _>();
    same::<Client<HttpConnector, kube::client::Body>, _>();
    same::<Client<HttpConnector, HttpRequestBody>, _>();
    same::<BoxCloneSyncService<Request<Full<Bytes>>, Response<String>, std::io::Error>, _>();
}
