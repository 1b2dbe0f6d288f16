//! A server that verifies nothing, and whose responses a test writes.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::{TestBody, in_memory};

/// A server that verifies nothing, and whose responses the test writes.
pub(crate) struct Server {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<(Parts, Bytes)>>>,
    task: AbortHandle,
}

impl Server {
    /// `response` gets the number of earlier requests. A `Date` is sent only if it sets one.
    pub(crate) async fn start(
        response: impl Fn(usize) -> Response<TestBody> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::<Mutex<Vec<_>>>::default();
        let (response, record) = (Arc::new(response), Arc::clone(&seen));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (response, record) = (Arc::clone(&response), Arc::clone(&record));
                let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                    let (response, record) = (Arc::clone(&response), Arc::clone(&record));
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await.unwrap().to_bytes();
                        let before = {
                            let mut seen = record.lock().unwrap();
                            seen.push((head, body));
                            seen.len() - 1
                        };
                        Ok::<_, Infallible>(response(before))
                    }
                });
                let mut server = http1::Builder::new();
                tokio::spawn(server.auto_date_header(false).serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { url, seen, task: task.abort_handle() }
    }

    pub(crate) fn tries(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// A header of a try, counted from 0.
    pub(crate) fn header(&self, of: usize, name: &str) -> Option<String> {
        let seen = self.seen.lock().unwrap();
        seen[of].0.headers.get(name).map(|value| value.to_str().unwrap().to_owned())
    }

    pub(crate) fn bodies(&self) -> Vec<Bytes> {
        self.seen.lock().unwrap().iter().map(|(_, body)| body.clone()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// API Gateway's refusal of a signature by a server that has this time.
pub(crate) fn invalid_signature(server: SystemTime) -> Response<TestBody> {
    Response::builder()
        .status(403)
        .header("x-amzn-errortype", "InvalidSignatureException")
        .header("date", httpdate::fmt_http_date(server))
        .body(in_memory(Bytes::from_static(br#"{"message":"Signature expired"}"#)))
        .unwrap()
}

pub(crate) fn ok() -> Response<TestBody> {
    Response::new(in_memory(Bytes::from_static(b"ok")))
}
