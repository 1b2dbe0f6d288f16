//! Callers of every kind, which sometimes drop their calls midway.

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use reqwest_middleware::ClientWithMiddleware;
use sigv4_middleware::{Error, SigV4, SigV4Middleware, Signer};
use tower::ServiceExt;

use crate::faults::Schedule;
use crate::ledger::{Ledger, Outcome};
use crate::server::{BoxError, ID};

/// A call that has not ended after this time is lost. Longer than any load of credentials may take.
const LOST: Duration = Duration::from_secs(40);

type Sent = Pin<Box<dyn Future<Output = Result<(u16, Bytes), BoxError>> + Send>>;

/// One call.
struct Call {
    method: Method,
    url: String,
    id: String,
    body: Bytes,
    streams: bool,
}

#[derive(Clone)]
pub(crate) enum Caller {
    Middleware(ClientWithMiddleware),
    Layer(Box<SigV4<Client<HttpConnector, Full<Bytes>>>>),
}

impl Caller {
    /// Both integrations, over HTTP/1.1 and over HTTP/2.
    pub(crate) fn all(signer: &Signer) -> Result<Vec<Self>, BoxError> {
        let mut all = Vec::new();
        for over_h2 in [false, true] {
            let mut builder = sigv4_middleware::reqwest_client().no_proxy();
            if over_h2 {
                builder = builder.http2_prior_knowledge();
            }
            let client = reqwest_middleware::ClientBuilder::new(builder.build()?);
            all.push(Self::Middleware(client.with(SigV4Middleware::new(signer.clone())).build()));
            let client = Client::builder(TokioExecutor::new()).http2_only(over_h2).build_http();
            all.push(Self::Layer(Box::new(SigV4::new(client, signer.clone()))));
        }
        Ok(all)
    }

    fn send(&self, call: Call) -> Sent {
        match self {
            Self::Middleware(client) => {
                let mut request = client.request(call.method, call.url).header(ID, call.id);
                request = if call.streams {
                    let frames: Vec<_> =
                        call.body.chunks(100).map(Bytes::copy_from_slice).map(Frame::data).collect();
                    let frames = stream::iter(frames.into_iter().map(Ok::<_, BoxError>));
                    request.body(reqwest::Body::wrap(StreamBody::new(frames)))
                } else {
                    request.body(call.body)
                };
                Box::pin(async move {
                    let response = request.send().await?;
                    Ok((response.status().as_u16(), response.bytes().await?))
                })
            }
            Self::Layer(client) => {
                let client = SigV4::clone(client);
                Box::pin(async move {
                    let request = Request::builder().method(call.method).uri(call.url).header(ID, call.id);
                    let response = client.oneshot(request.body(Full::new(call.body))?).await?;
                    Ok((response.status().as_u16(), response.into_body().collect().await?.to_bytes()))
                })
            }
        }
    }
}

/// What all callers share.
pub(crate) struct Shared {
    pub(crate) url: String,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) schedule: Arc<Schedule>,
    pub(crate) stop: AtomicBool,
    pub(crate) ids: AtomicU64,
    /// The most calls that are made in all.
    pub(crate) most: u64,
}

/// Calls until the run is over.
pub(crate) async fn run(caller: Caller, shared: Arc<Shared>) {
    while !shared.stop.load(Ordering::Relaxed) && shared.ledger.sent() < shared.most {
        call(&caller, &shared).await;
        tokio::time::sleep(Duration::from_millis(fastrand::u64(5..60))).await;
    }
}

async fn call(caller: &Caller, shared: &Shared) {
    let id = format!("request-{}", shared.ids.fetch_add(1, Ordering::Relaxed));
    let is_healthy = fastrand::bool();
    let path = if is_healthy { "healthy" } else { "faulty" };
    let method = [Method::GET, Method::POST, Method::PUT][fastrand::usize(0..3)].clone();
    let size = if method == Method::GET { 0 } else { fastrand::usize(0..4_000) };
    let body = Bytes::from(vec![b'x'; size]);
    let url = format!("{}/{path}", shared.url);
    let call = Call { method, url, id: id.clone(), body, streams: fastrand::bool() };
    // One caller in ten is gone before its call has ended.
    let patience =
        if fastrand::u8(0..10) == 0 { Duration::from_micros(fastrand::u64(0..3_000)) } else { LOST };

    shared.ledger.open(&id);
    let phase = shared.schedule.phase();
    let started = Instant::now();
    let result = tokio::time::timeout(patience, caller.send(call)).await;
    let took = started.elapsed();
    let outcome = match result {
        Err(_) if patience == LOST => Outcome::Lost,
        Err(_) => Outcome::Dropped,
        Ok(Ok((200, body))) if body == id => Outcome::Response,
        Ok(Ok((500 | 503, _))) => Outcome::ServerError,
        Ok(Ok((403, body))) => {
            shared.ledger.example(format!("{phase:?}: refused: {}", String::from_utf8_lossy(&body)));
            Outcome::Refused
        }
        Ok(Ok((status, body))) => {
            shared.ledger.example(format!("{status} {}", String::from_utf8_lossy(&body)));
            Outcome::WrongResponse
        }
        Ok(Err(error)) => {
            let found = Error::find(&*error);
            shared.ledger.example(match found {
                Some(error) => format!("{phase:?}: {error}"),
                None => format!("{phase:?} {path}: {}", chain(&*error)),
            });
            match found {
                Some(error) if error.is_credentials() => Outcome::NoCredentials,
                Some(_) => Outcome::SigningError,
                None => Outcome::ClientError,
            }
        }
    };
    shared.ledger.close(&id, [phase, shared.schedule.phase()], is_healthy, outcome, took);
}

/// The messages of an error and its causes, without URLs.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |&error| error.source());
    causes.last().map_or_else(|| error.to_string(), ToString::to_string)
}
