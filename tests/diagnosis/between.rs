//! A proxy that stands between client and server and changes a request.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// What a proxy does to a request: its target is relative, its Host a header.
pub(crate) type Change = fn(&mut Request<Bytes>);

/// A proxy on loopback; ends when dropped.
pub(crate) struct Proxy {
    pub(crate) url: String,
    task: AbortHandle,
}

impl Proxy {
    pub(crate) async fn start(to: SocketAddr, change: Change) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let change = Arc::new(change);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let change = Arc::clone(&change);
                let service = service_fn(move |request: Request<Incoming>| {
                    let change = Arc::clone(&change);
                    async move { Ok::<_, Infallible>(forward(request, to, *change).await) }
                });
                tokio::spawn(
                    http1::Builder::new()
                        .auto_date_header(false)
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { url, task: task.abort_handle() }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(request: Request<Incoming>, to: SocketAddr, change: Change) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let mut request = Request::from_parts(head, body);
    request.headers_mut().remove("content-length");
    request.headers_mut().remove("transfer-encoding");
    change(&mut request);
    let stream = TcpStream::connect(to).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(request.map(Full::new)).await.unwrap();
    let (mut head, body) = response.into_parts();
    head.headers.remove("transfer-encoding");
    let is_head = head.headers.contains_key("x-was-head");
    let body = if is_head { Bytes::new() } else { body.collect().await.unwrap().to_bytes() };
    Response::from_parts(head, Full::new(body))
}

/// The target with one text replaced by another.
#[track_caller]
pub(crate) fn retarget(request: &mut Request<Bytes>, from: &str, to: &str) {
    let target = request.uri().to_string();
    let changed = target.replacen(from, to, 1);
    assert_ne!(target, changed, "{from} is not in it");
    *request.uri_mut() = changed.parse().unwrap();
}

pub(crate) fn set(request: &mut Request<Bytes>, name: &'static str, value: &str) {
    request.headers_mut().insert(name, value.parse().unwrap());
}

#[track_caller]
pub(crate) fn remove(request: &mut Request<Bytes>, name: &str) {
    request.headers_mut().remove(name).unwrap();
}

/// The Authorization header with one text replaced by another.
#[track_caller]
pub(crate) fn reauthorize(request: &mut Request<Bytes>, from: &str, to: &str) {
    let authorization = request.headers()["authorization"].to_str().unwrap().to_owned();
    let changed = authorization.replacen(from, to, 1);
    assert_ne!(authorization, changed, "{from} is not in it");
    set(request, "authorization", &changed);
}
