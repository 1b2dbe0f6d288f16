//! Connections of clients: how many, how long they may be idle, and how they end.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::advice::Wording;
use crate::body::{Body, WithGuard, boxed};
use crate::error::DrainTimeout;
use crate::metrics::{self, ConnectionCount};
use crate::refusal::Refusal;

/// How many connections over the limit are kept at once to be refused; others are closed without a word.
const REFUSED_AT_ONCE: usize = 64;
/// How long such a connection is kept for its requests.
const REFUSAL_TIME: Duration = Duration::from_secs(5);
/// How long an idle connection has to close after it was asked to.
const CLOSING_TIME: Duration = Duration::from_secs(1);

/// Responds to requests.
pub(crate) type Handler = Arc<dyn Fn(Request<Incoming>) -> BoxFuture<'static, Response<Body>> + Send + Sync>;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    /// From the first byte of a request's head to its last.
    pub(crate) header_timeout: Duration,
    /// Between requests.
    pub(crate) idle_timeout: Duration,
}

/// A server; dropping it cuts all connections off.
#[derive(Debug)]
pub(crate) struct Server {
    tasks: TaskTracker,
    draining: CancellationToken,
    cut: CancellationToken,
}

impl Server {
    /// `draining` ends it as [`drain`](Self::drain) does, but without a limit.
    pub(crate) fn start(
        listener: TcpListener,
        handler: Handler,
        limits: Limits,
        draining: CancellationToken,
        wording: Wording,
    ) -> Self {
        let server = Self { tasks: TaskTracker::new(), draining, cut: CancellationToken::new() };
        let shared = Connections {
            handler,
            limits,
            wording,
            draining: server.draining.clone(),
            cut: server.cut.clone(),
            tasks: server.tasks.clone(),
        };
        server.tasks.spawn(shared.accept(listener));
        server
    }

    /// Stops listening, and waits for the requests in flight.
    ///
    /// # Errors
    /// If they take longer; they are cut off then.
    pub(crate) async fn drain(self, limit: Duration) -> Result<(), DrainTimeout> {
        self.draining.cancel();
        self.tasks.close();
        timeout(limit, self.tasks.wait()).await.map_err(|_| DrainTimeout)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.draining.cancel();
        self.cut.cancel();
    }
}

#[derive(Clone)]
struct Connections {
    handler: Handler,
    limits: Limits,
    wording: Wording,
    draining: CancellationToken,
    cut: CancellationToken,
    tasks: TaskTracker,
}

impl Connections {
    async fn accept(self, listener: TcpListener) {
        let free = Arc::new(Semaphore::new(self.limits.connections));
        let refusals = Arc::new(Semaphore::new(REFUSED_AT_ONCE));
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.draining.cancelled() => return,
            };
            let Ok((stream, _)) = accepted else {
                // Such as too many open files: it passes once connections end.
                sleep(Duration::from_millis(50)).await;
                continue;
            };
            // Small responses are sent at once.
            let _ = stream.set_nodelay(true);
            let this = self.clone();
            if let Ok(permit) = Arc::clone(&free).try_acquire_owned() {
                self.tasks.spawn(async move {
                    let _held = (permit, ConnectionCount::new());
                    this.serve(stream, Arc::clone(&this.handler)).await;
                });
            } else if let Ok(permit) = Arc::clone(&refusals).try_acquire_owned() {
                self.tasks.spawn(async move {
                    let _permit = permit;
                    let serving = this.serve(stream, busy(this.wording));
                    // Ended by either side, it is over.
                    let _ = timeout(REFUSAL_TIME, serving).await;
                });
            }
        }
    }

    async fn serve(&self, stream: TcpStream, handler: Handler) {
        let activity = Activity::new();
        let service = {
            let activity = activity.clone();
            service_fn(move |request| {
                let (guard, response) = (activity.begin(), handler(request));
                async move {
                    // A request lasts until its response has been sent.
                    let response = response.await.map(|body| boxed(WithGuard { body, _guard: guard }));
                    Ok::<_, Infallible>(response)
                }
            })
        };
        let mut builder = auto::Builder::new(TokioExecutor::new());
        // The deadlines here cover what this one does, and HTTP/2 and the choice between the two as well.
        builder.http1().timer(TokioTimer::new()).header_read_timeout(None);
        builder.http2().timer(TokioTimer::new());
        let io = TokioIo::new(Watched { stream, activity: activity.clone() });
        let mut connection = pin!(builder.serve_connection(io, service));
        tokio::select! {
            // A connection that fails concerns its client, which sees it fail.
            _ = connection.as_mut() => return,
            () = self.cut.cancelled() => return,
            () = self.draining.cancelled() => {}
            () = activity.overdue(&self.limits) => {}
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            _ = connection => {}
            () = self.cut.cancelled() => {}
            () = activity.idle_for(CLOSING_TIME) => {}
        }
    }
}

/// Refuses everything: there are too many connections.
fn busy(wording: Wording) -> Handler {
    Arc::new(move |_| {
        let refusal = Refusal::from(Refusal::BUSY);
        metrics::count_refusal(refusal.reason);
        let response = refusal.into_response(wording);
        metrics::count_response(response.status());
        Box::pin(std::future::ready(response))
    })
}

/// What a connection is doing.
#[derive(Clone, Debug)]
struct Activity(Arc<watch::Sender<State>>);

#[derive(Clone, Copy, Debug)]
struct State {
    /// Requests whose response is not yet sent.
    in_flight: usize,
    /// Whether part of a request's head may have arrived.
    is_reading: bool,
    since: Instant,
}

impl Activity {
    fn new() -> Self {
        Self(Arc::new(watch::Sender::new(State { in_flight: 0, is_reading: false, since: Instant::now() })))
    }

    fn begin(&self) -> InFlight {
        self.0.send_modify(|state| state.in_flight += 1);
        InFlight(self.clone())
    }

    fn received(&self) {
        self.0.send_if_modified(|state| {
            let begins = state.in_flight == 0 && !state.is_reading;
            if begins {
                *state = State { is_reading: true, since: Instant::now(), ..*state };
            }
            begins
        });
    }

    /// Returns once nothing is in flight and a deadline of these limits has passed.
    async fn overdue(&self, limits: &Limits) {
        self.without_requests(|state| {
            state.since + if state.is_reading { limits.header_timeout } else { limits.idle_timeout }
        })
        .await;
    }

    /// Returns once nothing has been in flight for so long, from now on.
    async fn idle_for(&self, time: Duration) {
        let now = Instant::now();
        self.without_requests(|state| state.since.max(now) + time).await;
    }

    async fn without_requests(&self, deadline: impl Fn(State) -> Instant) {
        let mut states = self.0.subscribe();
        loop {
            let state = *states.borrow_and_update();
            let due = async {
                if state.in_flight > 0 {
                    std::future::pending::<()>().await;
                }
                sleep_until(deadline(state)).await;
            };
            tokio::select! {
                () = due => return,
                // The sender is `self`.
                _ = states.changed() => {}
            }
        }
    }
}

/// A request in flight, until it is dropped.
#[derive(Debug)]
struct InFlight(Activity);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| {
            *state = State { in_flight: state.in_flight - 1, is_reading: false, since: Instant::now() };
        });
    }
}

/// A stream that reports what is received.
struct Watched {
    stream: TcpStream,
    activity: Activity,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.activity.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
