//! The second attempt has no response: the first one is the caller's, whole. And the first response must not be in the way
//! of the second attempt.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use aws_smithy_async::test_util::ManualTimeSource;
use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use http::{Extensions, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use reqwest_middleware::{ClientBuilder, Middleware, Next};
use sigv4_middleware::{BoxError, SigV4Middleware, Signer};
use tokio::net::TcpListener;
use tower::{Service, ServiceExt};

use crate::support::*;

/// Bytes that are more than an integration reads of a refusal.
const LARGE: usize = 300_000;

fn large() -> Bytes {
    (0..LARGE).map(|n| b'a' + (n % 26) as u8).collect()
}

/// A refusal that is recovered from: for the date, or for expired credentials.
fn refusal(code: &str, body: TestBody) -> Response<TestBody> {
    let mut response = invalid_signature(noon() + Duration::from_secs(3600)).map(|_| body);
    let headers = response.headers_mut();
    headers.insert("x-amzn-requestid", "1".parse().unwrap());
    headers.insert("x-amzn-errortype", code.parse().unwrap());
    response
}

const CODES: [&str; 2] = ["InvalidSignatureException", "ExpiredTokenException"];

fn two_keys() -> Signer {
    let clock = ManualTimeSource::new(noon());
    signer_at(FakeProvider::of([role_of("AKID1"), role_of("AKID2")]), &clock).build().unwrap()
}

/// A server of one response. It is gone, or closes each further connection, before that arrives.
async fn once(code: &'static str, body: Bytes, listens_on: bool) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        if listens_on {
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    drop(stream);
                }
            });
        } else {
            drop(listener);
        }
        let service = service_fn(move |request: Request<Incoming>| {
            let response = refusal(code, in_memory(body.clone()));
            async move {
                request.into_body().collect().await.unwrap();
                Ok::<_, Infallible>(response)
            }
        });
        let mut server = http1::Builder::new();
        let server = server.auto_date_header(false).keep_alive(false);
        server.serve_connection(TokioIo::new(stream), service).await
    });
    addr
}

#[tokio::test]
async fn that_cannot_connect_leaves_the_first_response() {
    for body in [Bytes::from_static(b"refused"), large()] {
        for code in CODES {
            for listens_on in [false, true] {
                for integration in INTEGRATIONS {
                    let to = once(code, body.clone(), listens_on).await;
                    let request = post(&format!("http://{to}"));
                    let response = in_time(integration.send(&two_keys(), request)).await;
                    let what = format!("{integration:?} {code} {listens_on}");
                    assert_eq!(response.verdict(), (403, code), "{what}");
                    assert!(response.body == body, "{what}: {} bytes", response.body.len());
                }
            }
        }
    }
}

#[cfg(feature = "blocking")]
#[test]
fn that_cannot_connect_leaves_the_first_response_blocking() {
    use sigv4_middleware::SendSigned;

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let client = sigv4_middleware::reqwest_blocking_client().no_proxy().tls_certs_only([]).build().unwrap();
    for body in [Bytes::from_static(b"refused"), large()] {
        for code in CODES {
            let to = runtime.block_on(once(code, body.clone(), false));
            let request = client.post(format!("http://{to}/")).body("order");
            let response = request.send_signed(&two_keys()).unwrap();
            assert_eq!(
                (response.status().as_u16(), &response.headers()["x-amzn-errortype"]),
                (403, &code.parse().unwrap())
            );
            assert!(response.bytes().unwrap() == body, "{code}");
        }
    }
}

/// A service that is ready for one call.
#[derive(Clone)]
struct ReadyOnce<S> {
    service: S,
    calls: Arc<AtomicUsize>,
}

impl<S> ReadyOnce<S> {
    fn new(service: S) -> Self {
        Self { service, calls: Arc::default() }
    }
}

impl<S: Service<R, Error: Into<BoxError>, Future: Send + 'static>, R> Service<R> for ReadyOnce<S> {
    type Response = S::Response;
    type Error = BoxError;
    type Future = futures_util::future::BoxFuture<'static, Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.calls.load(Ordering::SeqCst) > 0 {
            return Poll::Ready(Err("no longer ready".into()));
        }
        self.service.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let response = self.service.call(request);
        Box::pin(async move { response.await.map_err(Into::into) })
    }
}

/// Lets one request through.
struct OnceOnly(AtomicUsize);

#[async_trait::async_trait]
impl Middleware for OnceOnly {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        if self.0.fetch_add(1, Ordering::SeqCst) > 0 {
            return Err(reqwest_middleware::Error::middleware(io::Error::other("no longer ready")));
        }
        next.run(request, extensions).await
    }
}

#[tokio::test]
async fn whose_client_is_not_ready_leaves_the_first_response() {
    for body in [Bytes::from_static(b"refused"), large()] {
        for code in CODES {
            let sent = body.clone();
            let server = Server::start(move |_| refusal(code, in_memory(sent.clone()))).await;
            let to = server.url.strip_prefix("http://").unwrap().parse().unwrap();

            let service = ReadyOnce::new(hyper::<axum::body::Body>(to, Http::One));
            let response = layered(service, &two_keys()).oneshot(post(&server.url).map(Into::into)).await;
            let response = response.unwrap();
            assert_eq!(response.headers()["x-amzn-errortype"], code);
            assert!(response.into_body().collect().await.unwrap().to_bytes() == body);

            let service = ReadyOnce::new(hyper(to, Http::One));
            let response =
                layered_wrapping(service, &two_keys()).oneshot(post(&server.url).map(in_memory)).await;
            assert!(response.unwrap().into_body().collect().await.unwrap().to_bytes() == body);

            let service = ReadyOnce::new(reqwest(to, Http::One));
            let request = post(&server.url).try_into().unwrap();
            let response = layered(service, &two_keys()).oneshot(request).await.unwrap();
            assert_eq!(response.headers()["x-amzn-errortype"], code);
            assert!(response.bytes().await.unwrap() == body);

            let client = ClientBuilder::new(reqwest(to, Http::One))
                .with(SigV4Middleware::new(two_keys()))
                .with(OnceOnly(AtomicUsize::new(0)))
                .build();
            let response = client.post(&server.url).body("order").send().await.unwrap();
            assert_eq!(response.headers()["x-amzn-errortype"], code);
            assert!(response.bytes().await.unwrap() == body);
            assert_eq!(server.tries(), 4, "{code}: one for each client");
        }
    }
}

/// What the body of a first refusal is like.
#[derive(Clone, Copy, Debug)]
enum Refused {
    Large,
    /// Nothing comes after its head.
    Silent,
    /// Some bytes come, and then nothing.
    NeverEnds,
    /// A byte comes now and then, for longer than a refusal is read.
    Trickles,
}

const REFUSED: [Refused; 4] = [Refused::Large, Refused::Silent, Refused::NeverEnds, Refused::Trickles];

impl Refused {
    /// `ended` counts bodies that were sent to their end.
    fn body(self, ended: Arc<AtomicUsize>) -> TestBody {
        let first = stream::iter([Ok(Frame::data(Bytes::from_static(b"{\"message\":")))]);
        match self {
            Self::Large => in_memory(vec![b' '; 4 * 1024 * 1024]),
            Self::Silent => boxed(StreamBody::new(stream::pending())),
            Self::NeverEnds => boxed(StreamBody::new(first.chain(stream::pending()))),
            Self::Trickles => {
                let bytes = stream::iter(0..100).then(|_| async {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    Ok(Frame::data(Bytes::from_static(b" ")))
                });
                let end = stream::once(async move {
                    ended.fetch_add(1, Ordering::SeqCst);
                    Ok(Frame::data(Bytes::from_static(b" ")))
                });
                boxed(StreamBody::new(bytes.chain(end)))
            }
        }
    }
}

/// A server that takes one stream of a connection at a time, and refuses the first request of each.
struct OneStream {
    addr: SocketAddr,
    requests: Arc<AtomicUsize>,
    /// First responses that were sent to their end.
    ended: Arc<AtomicUsize>,
}

impl OneStream {
    async fn start(refused: Refused) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (requests, ended) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let started = Self { addr, requests: Arc::clone(&requests), ended: Arc::clone(&ended) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (requests, ended) = (Arc::clone(&requests), Arc::clone(&ended));
                let before = AtomicUsize::new(0);
                let service = service_fn(move |request: Request<Incoming>| {
                    requests.fetch_add(1, Ordering::SeqCst);
                    let response = match before.fetch_add(1, Ordering::SeqCst) {
                        0 => refusal(CODES[0], refused.body(Arc::clone(&ended))),
                        _ => ok(),
                    };
                    async move {
                        request.into_body().collect().await.unwrap();
                        Ok::<_, Infallible>(response)
                    }
                });
                let mut server = http2::Builder::new(TokioExecutor::new());
                server.max_concurrent_streams(1).auto_date_header(false);
                tokio::spawn(async move { server.serve_connection(TokioIo::new(stream), service).await });
            }
        });
        started
    }

    fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    fn check(&self, calls: usize, what: &str) {
        assert_eq!(self.requests.load(Ordering::SeqCst), 2 * calls, "{what}");
        assert_eq!(self.ended.load(Ordering::SeqCst), 0, "{what}: the first response was waited for");
    }
}

/// Each by a client and a connection of its own: a stream that the first response keeps is one that the second attempt
/// cannot have.
#[tokio::test]
async fn gets_the_only_stream_of_its_connection() {
    let all = REFUSED.into_iter().flat_map(|refused| INTEGRATIONS.map(|integration| (refused, integration)));
    let calls = all.map(|(refused, integration)| async move {
        let (server, what) = (OneStream::start(refused).await, format!("{integration:?} {refused:?}"));
        let call = || async {
            let (signer, request) = (two_keys(), post(&server.url()));
            let response = integration.send_to(Http::Two, server.addr, &signer, request).await;
            let response = response.unwrap_or_else(|error| panic!("{what}: {error:?}"));
            assert_eq!(response.status, 200, "{what}");
            assert_eq!(response.text(), "ok", "{what}");
        };
        join_all((0..3).map(|_| call())).await;
        server.check(3, &what);
    });
    in_time(join_all(calls)).await;
}

#[cfg(feature = "blocking")]
#[test]
fn gets_the_only_stream_of_its_connection_blocking() {
    use sigv4_middleware::SendSigned;

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for refused in REFUSED {
        let server = runtime.block_on(OneStream::start(refused));
        // A reader of reqwest's blocks until the client's own timeout, 30 seconds by default.
        let client = sigv4_middleware::reqwest_blocking_client().no_proxy().tls_certs_only([]);
        let client = client.http2_prior_knowledge().timeout(Duration::from_secs(1)).build().unwrap();
        let response = client.post(server.url()).body("order").send_signed(&two_keys()).unwrap();
        assert_eq!(response.status(), 200, "{refused:?}");
        assert_eq!(response.text().unwrap(), "ok");
        server.check(1, &format!("{refused:?}"));
    }
}

/// Counts the frames that it gives, all of them empty.
fn empty_frames(given: &Arc<AtomicUsize>) -> TestBody {
    let given = Arc::clone(given);
    boxed(StreamBody::new(stream::repeat_with(move || {
        given.fetch_add(1, Ordering::SeqCst);
        Ok(Frame::data(Bytes::new()))
    })))
}

/// A code that would stand in the body.
const UNKNOWN: &str = "unknown";

/// Responds without a server: first with a refusal of empty frames.
struct EmptyFrames {
    code: &'static str,
    given: Arc<AtomicUsize>,
    calls: AtomicUsize,
}

impl EmptyFrames {
    fn respond(&self, url: &reqwest::Url) -> reqwest::Response {
        let response = match self.calls.fetch_add(1, Ordering::SeqCst) {
            0 => {
                let mut response = refusal(self.code, empty_frames(&self.given));
                if self.code == UNKNOWN {
                    response.headers_mut().remove("x-amzn-errortype");
                }
                response
            }
            _ => ok(),
        };
        let (mut head, body) = response.into_parts();
        let url = reqwest::ResponseBuilderExt::url(Response::builder(), url.clone()).body(()).unwrap();
        head.extensions.extend(url.into_parts().0.extensions);
        Response::from_parts(head, reqwest::Body::wrap(body)).into()
    }
}

#[async_trait::async_trait]
impl Middleware for EmptyFrames {
    async fn handle(
        &self,
        request: reqwest::Request,
        _: &mut Extensions,
        _: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        Ok(self.respond(request.url()))
    }
}

/// A refusal whose body gives empty frames without end is read for a while and not for longer, and none of them is kept:
/// the next frame that the caller asks for is asked of the body.
#[tokio::test]
async fn comes_though_the_first_response_is_endless() {
    const URL: &str = "http://localhost/orders";
    let case = |through_layer: bool, code: &'static str| async move {
        let given = Arc::<AtomicUsize>::default();
        let beneath = EmptyFrames { code, given: Arc::clone(&given), calls: AtomicUsize::new(0) };
        let mut response = if through_layer {
            let beneath = Arc::new(beneath);
            let client = tower::service_fn(move |request: reqwest::Request| {
                std::future::ready(Ok::<_, Infallible>(beneath.respond(request.url())))
            });
            let request = reqwest::Client::new().post(URL).body("order").build().unwrap();
            layered(client, &two_keys()).oneshot(request).await.unwrap()
        } else {
            let client = ClientBuilder::new(plain_reqwest())
                .with(SigV4Middleware::new(two_keys()))
                .with(beneath)
                .build();
            client.post(URL).body("order").send().await.unwrap()
        };
        let what = format!("layer: {through_layer}, {code}");
        if code == UNKNOWN {
            assert_eq!(response.status(), 403, "{what}");
            let before = given.load(Ordering::SeqCst);
            assert!(before > 1000, "{what}: {before} frames");
            assert!(response.chunk().await.unwrap().unwrap().is_empty());
            assert_eq!(given.load(Ordering::SeqCst), before + 1, "{what}: a frame was kept");
        } else {
            assert_eq!(response.status(), 200, "{what}");
            assert_eq!(response.chunk().await.unwrap().unwrap(), "ok");
        }
    };
    let cases = [false, true].into_iter().flat_map(|layer| [UNKNOWN, CODES[0]].map(|code| case(layer, code)));
    in_time(join_all(cases)).await;
}
