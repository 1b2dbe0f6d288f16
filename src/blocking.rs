//! [`SendSigned`]: the edge towards `reqwest::blocking`.

use std::io::{self, Read};
use std::mem;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use bytes::Bytes;
use http_body::{Body, Frame};
use reqwest::blocking::{Client, ClientBuilder, Request, RequestBuilder, Response};
use reqwest::{ResponseBuilderExt, Url};
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;

use crate::error::{Error, ErrorKind};
use crate::middleware::{refuse_redirected, rewritten, view_of};
use crate::overrides::Overrides;
use crate::payload::{BufferLimits, Payload, PayloadMode, set_length, stream_failed, too_large};
use crate::recovery::{Answer, Attempt, assess};
use crate::signer::{RequestView, Signer};

/// How much is asked of a reader at once.
const PIECE: usize = 8 * 1024;

/// Signs and sends a request of `reqwest::blocking`, in place of its `send()`.
///
/// The rules are those of [`SigV4Middleware`](crate::SigV4Middleware): the body is signed, a request that cannot be
/// signed is not sent, and one that the server refused for its date or for expired credentials is signed and sent once
/// more. The client should follow no redirects, see [`reqwest_blocking_client`].
///
/// As the rest of `reqwest::blocking`, which panics there, it is not for async code: use the middleware, or
/// `tokio::task::spawn_blocking`. A signer that is used so keeps one thread of its own, on which credentials are
/// refreshed; it ends with the signer's last clone.
///
/// ```no_run
/// use sigv4_middleware::{SendSigned, Signer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let signer = Signer::from_env()?;
/// let client = sigv4_middleware::reqwest_blocking_client().build()?;
/// let orders = client
///     .post("https://abc123.execute-api.eu-west-1.amazonaws.com/prod/orders")
///     .body(r#"{"order":1}"#)
///     .send_signed(&signer)?
///     .text()?;
/// # Ok(()) }
/// ```
pub trait SendSigned: sealed::Sealed {
    /// Signs the request and sends it.
    ///
    /// The body is one in memory, or none. A reader, a file or a form has no end that could be seen from here: give it
    /// to [`send_signed_reader`](Self::send_signed_reader), unless the signer's
    /// [payload mode](crate::SignerBuilder::payload_mode) is one that sends it as it comes.
    ///
    /// # Errors
    /// [`SendError::Signing`] where nothing was sent, of kind [`ErrorKind::Payload`] for such a body; or where the
    /// client followed a redirect. [`SendError::Reqwest`] where the request is none, or was not answered.
    fn send_signed(self, signer: &Signer) -> Result<Response, SendError>;

    /// Reads a body into memory, up to the signer's [limit](crate::SignerBuilder::body_limit), signs the request and
    /// sends it.
    ///
    /// A reader that hangs is waited for: the signer's body timeout is for streams.
    ///
    /// ```no_run
    /// # use sigv4_middleware::{SendSigned, Signer};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let signer = Signer::from_env()?;
    /// # let client = sigv4_middleware::reqwest_blocking_client().build()?;
    /// let report = std::fs::File::open("report.pdf")?;
    /// let url = "https://bucket.s3.eu-west-1.amazonaws.com/report.pdf";
    /// client.put(url).send_signed_reader(report, &signer)?.error_for_status()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`send_signed`](Self::send_signed), and [`ErrorKind::BodyTooLarge`] and [`ErrorKind::BodyStream`].
    fn send_signed_reader(self, body: impl Read, signer: &Signer) -> Result<Response, SendError>;
}

/// Why a request was not sent signed, or not answered.
///
/// [`Error::find`] gets the crate's own error out of it, and out of what wraps it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The request could not be signed, and was not sent; or the client followed a redirect.
    #[error("{0}")]
    Signing(#[from] Error),
    /// The request is none, or was not answered.
    #[error("{0}")]
    Reqwest(#[from] reqwest::Error),
    /// The signer's thread could not be started; nothing was sent.
    #[error("the thread that credentials are loaded on could not be started")]
    Thread(#[source] io::Error),
}

/// A `reqwest::blocking::ClientBuilder` fit to carry signed requests: follows no redirects and sends no Referer.
///
/// ```no_run
/// let client = sigv4_middleware::reqwest_blocking_client().user_agent("orders/1.0").build()?;
/// # Ok::<(), reqwest::Error>(())
/// ```
pub fn reqwest_blocking_client() -> ClientBuilder {
    Client::builder().redirect(reqwest::redirect::Policy::none()).referer(false)
}

mod sealed {
    #[expect(unnameable_types, reason = "which is what seals `SendSigned`")]
    pub trait Sealed {}
    impl Sealed for reqwest::blocking::RequestBuilder {}
}

impl SendSigned for RequestBuilder {
    fn send_signed(self, signer: &Signer) -> Result<Response, SendError> {
        let (client, request) = self.build_split();
        exchange(&client, request?, signer)
    }

    fn send_signed_reader(self, body: impl Read, signer: &Signer) -> Result<Response, SendError> {
        let (client, request) = self.build_split();
        let mut request = request?;
        // What can be refused is refused before the body is read.
        if !signer.passes_through(&view(&request)) {
            signer.preview(view(&request))?;
        }
        let body = read(body, signer.limits())?;
        *request.body_mut() = (!body.is_empty()).then(|| body.into());
        exchange(&client, request, signer)
    }
}

/// Signs and sends, and once more where the server's answer asks for it.
fn exchange(client: &Client, mut request: Request, signer: &Signer) -> Result<Response, SendError> {
    if signer.passes_through(&view(&request)) {
        return Ok(client.execute(request)?);
    }
    let mode = signer.preview(view(&request))?;
    let payload = payload(&mut request, &mode, signer.limits())?;
    let waiting = signer.blocking().waiting().map_err(SendError::Thread)?;
    let again = request.try_clone();

    let attempt = waiting.until(sign(signer, &mut request, payload))?;
    let sent = Sent::new(&request, attempt);
    let response = client.execute(request)?;
    let answer = sent.read(signer, &response)?;
    let (Some(mut request), true) = (again, answer != Answer::Final) else { return Ok(response) };

    let url = response.url().clone();
    let assessed = waiting.until(assess(signer, &sent.attempt, answer, into_http(response)));
    let response = whole(assessed.0.map(reqwest::Body::wrap), url);
    if !assessed.1 {
        return Ok(response);
    }
    let Ok(attempt) = waiting.until(sign(signer, &mut request, payload)) else { return Ok(response) };
    let sent = Sent::new(&request, attempt);
    let response = client.execute(request)?;
    sent.read(signer, &response)?;
    Ok(response)
}

/// A request that was sent, so that its answer can be judged.
struct Sent {
    method: http::Method,
    url: Url,
    attempt: Attempt,
}

impl Sent {
    fn new(request: &Request, attempt: Attempt) -> Self {
        Self { method: request.method().clone(), url: request.url().clone(), attempt }
    }

    /// What the answer tells; an error where it came from elsewhere.
    fn read(&self, signer: &Signer, response: &Response) -> Result<Answer, Error> {
        refuse_redirected(&self.url, response.url())?;
        let host = self.url.host_str().unwrap_or_default();
        Ok(signer.read_answer(&self.attempt, &self.method, host, response.status(), response.headers()))
    }
}

fn view(request: &Request) -> RequestView<'_> {
    view_of(request.method(), request.url(), request.headers(), Overrides::default())
}

async fn sign(signer: &Signer, request: &mut Request, payload: Payload<'_>) -> Result<Attempt, Error> {
    let mut signature = signer.signature(&view(request), payload).await?;
    if let Some(target) = signature.rewritten.take() {
        *request.url_mut() = rewritten(request.url(), &target)?;
    }
    Ok(signature.apply(request.headers_mut()))
}

/// What of the body is signed; a body in memory is hashed where it lies.
fn payload(
    request: &mut Request,
    mode: &PayloadMode,
    limits: BufferLimits,
) -> Result<Payload<'static>, Error> {
    let as_it_comes = match mode {
        PayloadMode::Buffered => None,
        PayloadMode::Sha256(sha256) => Some(Payload::sha256(*sha256)),
        PayloadMode::Unsigned => Some(Payload::unsigned()),
        _ => {
            return Err(Error::new(
                ErrorKind::Payload,
                "reqwest::blocking sends bodies in memory, by a known hash or unsigned; for any other payload mode use \
                 the middleware or the layer",
            ));
        }
    };
    let method = request.method().clone();
    if let Some(payload) = as_it_comes {
        if request.body().is_none_or(|body| body.as_bytes().is_some_and(<[u8]>::is_empty)) {
            set_length(0, &method, request.headers_mut());
        }
        return Ok(payload);
    }
    let body = request.body_mut();
    let bytes = match body {
        Some(body) => body.as_bytes().ok_or_else(|| {
            Error::new(
                ErrorKind::Payload,
                "the body is a reader, which cannot be taken into memory in bounds here; give the reader to \
                 .send_signed_reader(reader, &signer), a form's by .into_reader(), in place of .body(…)",
            )
        })?,
        None => &[],
    };
    let len = bytes.len() as u64;
    if len > limits.size {
        return Err(too_large(limits.size));
    }
    let payload =
        if bytes.is_empty() { Payload::empty() } else { Payload::sha256(Sha256::digest(bytes).into()) };
    if len == 0 {
        *body = None;
    }
    set_length(len, &method, request.headers_mut());
    Ok(payload)
}

fn read(body: impl Read, limits: BufferLimits) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    // One byte more than may be, to see that there are more.
    let mut body = body.take(limits.size.saturating_add(1));
    if let Err(error) = body.read_to_end(&mut bytes) {
        return Err(stream_failed(bytes.len() as u64, error));
    }
    if bytes.len() as u64 > limits.size { Err(too_large(limits.size)) } else { Ok(bytes) }
}

/// An answer as the recovery reads it.
fn into_http(mut response: Response) -> http::Response<Reading> {
    let mut out = http::Response::new(());
    *out.status_mut() = response.status();
    *out.version_mut() = response.version();
    *out.headers_mut() = mem::take(response.headers_mut());
    *out.extensions_mut() = mem::take(response.extensions_mut());
    out.map(|()| Reading { response, ended: false })
}

/// An answer as the caller reads it.
fn whole(mut response: http::Response<reqwest::Body>, url: Url) -> Response {
    if let Ok(marked) = http::Response::builder().url(url).body(()) {
        response.extensions_mut().extend(marked.into_parts().0.extensions);
    }
    response.into()
}

/// The body of a blocking answer. Polling it blocks: it is polled by nothing but this thread.
struct Reading {
    response: Response,
    ended: bool,
}

impl Body for Reading {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let mut piece = vec![0; PIECE];
        let read = loop {
            match self.response.read(&mut piece) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.ended = !matches!(read, Ok(1..));
        Poll::Ready(match read {
            Ok(0) => None,
            Ok(len) => {
                piece.truncate(len);
                Some(Ok(Frame::data(piece.into())))
            }
            Err(error) => Some(Err(error)),
        })
    }
}

/// The runtime that a signer's credentials are loaded and refreshed on, started by the first blocking request.
#[derive(Default)]
pub(crate) struct Blocking(OnceLock<OwnRuntime>);

struct OwnRuntime(Option<Runtime>);

/// A plain drop would panic where the last clone of a signer goes in async code.
impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Blocking {
    fn waiting(&self) -> io::Result<Waiting<'_>> {
        if self.0.get().is_none() {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            let runtime = builder.worker_threads(1).thread_name("sigv4-credentials").enable_all().build()?;
            // Another thread may have been first; then this one goes.
            drop(self.0.set(OwnRuntime(Some(runtime))));
        }
        let runtime = self.0.get().and_then(|own| own.0.as_ref());
        runtime.map(Waiting).ok_or_else(|| io::Error::other("the runtime is gone"))
    }
}

struct Waiting<'a>(&'a Runtime);

impl Waiting<'_> {
    /// Waits for a future, on this thread; its timers and what it spawns are the runtime's.
    ///
    /// Not `Runtime::block_on`, which panics in async code.
    fn until<T>(&self, future: impl Future<Output = T>) -> T {
        let _entered = self.0.enter();
        // A task that this thread may be in has a budget that nothing here would renew.
        let mut future = pin!(tokio::task::unconstrained(future));
        let thread = Arc::new(Sleeper { thread: thread::current(), woken: AtomicBool::new(false) });
        let waker = Waker::from(Arc::clone(&thread));
        loop {
            if let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return done;
            }
            // reqwest parks this thread too, and takes wake-ups that were not meant for it.
            while !thread.woken.swap(false, Ordering::Acquire) {
                thread::park();
            }
        }
    }
}

struct Sleeper {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}
