//! A clock and a provider to be moved by hand, and a server that answers as it is told.

use std::convert::Infallible;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use aws_smithy_async::test_util::ManualTimeSource;
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sigv4_middleware::{Credentials, IamGateway, Signer, SignerBuilder};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::edges::{Body, in_memory};

pub(crate) const REGION: &str = "ap-northeast-1";

/// 2015-08-30T12:36:00Z
pub(crate) fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160)
}

/// Keys of this id, with a session token.
pub(crate) fn role(id: &str) -> Credentials {
    Credentials::new(id, format!("secret of {id}"), Some(format!("token-of-{id}")), None, "test")
}

/// Keys of this id, without a session token.
pub(crate) fn user(id: &str) -> Credentials {
    Credentials::new(id, format!("secret of {id}"), None, None, "test")
}

pub(crate) fn signer(provider: impl ProvideCredentials + 'static, clock: &ManualTimeSource) -> SignerBuilder {
    Signer::builder().credentials(provider).service("execute-api").region(REGION).time_source(clock.clone())
}

/// A gateway whose clock is the signer's, and that knows these keys.
pub(crate) async fn gateway(
    clock: &ManualTimeSource,
    keys: impl IntoIterator<Item = Credentials>,
) -> IamGateway {
    let builder = IamGateway::builder().region(REGION).time_source(clock.clone());
    keys.into_iter().fold(builder, |builder, keys| builder.credentials(keys)).start().await.unwrap()
}

pub(crate) fn post(url: &str) -> Request<&'static str> {
    Request::post(format!("{url}/orders?a=1")).body(r#"{"order":1}"#).unwrap()
}

/// The statuses of all tries that a gateway saw.
pub(crate) fn tries(gateway: &IamGateway) -> Vec<u16> {
    gateway.requests().iter().map(|request| request.status.as_u16()).collect()
}

/// Gives these answers one after the other, and the last one ever after.
#[derive(Clone)]
pub(crate) struct Provider {
    answers: Arc<Vec<Option<Credentials>>>,
    calls: Arc<AtomicUsize>,
}

impl Provider {
    /// `None` is a failure.
    pub(crate) fn new(answers: impl IntoIterator<Item = Option<Credentials>>) -> Self {
        Self { answers: Arc::new(answers.into_iter().collect()), calls: Arc::default() }
    }

    pub(crate) fn of(answers: impl IntoIterator<Item = Credentials>) -> Self {
        Self::new(answers.into_iter().map(Some))
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Provider")
    }
}

impl ProvideCredentials for Provider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers[call.min(self.answers.len() - 1)].clone();
        let answer: provider::Result =
            answer.ok_or_else(|| CredentialsError::provider_error("the metadata service is down"));
        future::ProvideCredentials::ready(answer)
    }
}

/// A server that verifies nothing, and whose answers the test writes.
pub(crate) struct Server {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<(Parts, Bytes)>>>,
    task: AbortHandle,
}

impl Server {
    /// `answer` is told how many requests came before. A `Date` is sent only if it gives one.
    pub(crate) async fn start(answer: impl Fn(usize) -> Response<Body> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::<Mutex<Vec<_>>>::default();
        let (answer, record) = (Arc::new(answer), Arc::clone(&seen));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (answer, record) = (Arc::clone(&answer), Arc::clone(&record));
                let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                    let (answer, record) = (Arc::clone(&answer), Arc::clone(&record));
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await.unwrap().to_bytes();
                        let before = {
                            let mut seen = record.lock().unwrap();
                            seen.push((head, body));
                            seen.len() - 1
                        };
                        Ok::<_, Infallible>(answer(before))
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
pub(crate) fn invalid_signature(server: SystemTime) -> Response<Body> {
    Response::builder()
        .status(403)
        .header("x-amzn-errortype", "InvalidSignatureException")
        .header("date", httpdate::fmt_http_date(server))
        .body(in_memory(Bytes::from_static(br#"{"message":"Signature expired"}"#)))
        .unwrap()
}

pub(crate) fn ok() -> Response<Body> {
    Response::new(in_memory(Bytes::from_static(b"ok")))
}
