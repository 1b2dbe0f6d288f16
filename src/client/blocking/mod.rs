//! [`SendSigned`], for `reqwest::blocking`.

mod body;

use std::io::{self, Read};

use http::{Extensions, HeaderMap, StatusCode, Version};
use reqwest::blocking::{Body, Client, ClientBuilder, Request, RequestBuilder, Response};

use self::body::{Reader, RequestBody, into_body, into_http};
use super::exchange::{Head as _, OutgoingRequest, RefusalBody, Transport, exchange};
use super::proxy;
use super::reqwest::refuse_redirected;
use super::response_body::{self, with_url};
use crate::block_on::block_on;
use crate::body::SignedBody;
use crate::client::diagnose::explain;
use crate::diagnosis::{Diagnosis, may_refuse};
use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::signing::signer::Signer;

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
    /// The body is one in memory, or none. A reader, a file or a form cannot be seen from here: give it to
    /// [`send_signed_reader`](Self::send_signed_reader), unless the signer's
    /// [payload mode](crate::SignerBuilder::payload_mode) is [`Sha256`](crate::PayloadMode::Sha256) or
    /// [`Unsigned`](crate::PayloadMode::Unsigned).
    ///
    /// # Errors
    /// [`SendError::Signing`] where nothing was sent, of kind [`ErrorKind::UnsupportedPayload`] for such a body; or where the
    /// client followed a redirect. [`SendError::Reqwest`] if the request is invalid or got no response.
    fn send_signed(self, signer: &Signer) -> Result<Response, SendError>;

    /// Signs the request with a body that is read, and sends it.
    ///
    /// By default the body is read into memory, up to the signer's [limit](crate::SignerBuilder::body_limit). Where the
    /// signer's [payload mode](crate::SignerBuilder::payload_mode) is [`AwsChunked`](crate::PayloadMode::AwsChunked),
    /// [`Sha256Checked`](crate::PayloadMode::Sha256Checked) or an event stream, it is sent while it is read, in memory that
    /// does not grow with it; chunks want its length beforehand, as `content-length` on the request.
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
    /// As [`send_signed`](Self::send_signed), and [`ErrorKind::BodyTooLarge`] and [`ErrorKind::BodyFailed`]. A body that
    /// turns out to be other than declared while it is sent is a [`SendError::Reqwest`] with an error of kind
    /// [`ErrorKind::BodyMismatch`] in it.
    fn send_signed_reader(
        self,
        body: impl Read + Send + 'static,
        signer: &Signer,
    ) -> Result<Response, SendError>;
}

/// Why a request was not sent signed, or got no response.
///
/// [`Error::find`] gets the crate's own error out of it, and out of what wraps it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The request could not be signed, and was not sent; or the client followed a redirect.
    #[error("{0}")]
    Signing(#[from] Error),
    /// The request is invalid, or got no response.
    #[error("{0}")]
    Reqwest(#[from] reqwest::Error),
    /// The signer's thread could not be started; nothing was sent.
    #[error("the thread that credentials are loaded on could not be started")]
    Thread(#[source] io::Error),
}

/// A `reqwest::blocking::ClientBuilder` for signed requests: follows no redirects, sends no Referer, and uses no proxy for
/// loopback.
///
/// [`reqwest_client`](crate::reqwest_client) has the reasons, and how to use a proxy of your own.
///
/// ```no_run
/// let client = sigv4_middleware::reqwest_blocking_client().user_agent("orders/1.0").build()?;
/// # Ok::<(), reqwest::Error>(())
/// ```
pub fn reqwest_blocking_client() -> ClientBuilder {
    let builder = Client::builder().redirect(reqwest::redirect::Policy::none()).referer(false);
    match proxy::beyond_loopback() {
        Some(proxy) => builder.proxy(proxy),
        None => builder,
    }
}

/// Says why a response refuses a request, and gives the response back whole: [`Diagnose`](crate::Diagnose) for blocking
/// clients, with the same rules. To compare with what was signed it needs
/// [`record_signing_details(true)`](crate::SignerBuilder::record_signing_details).
///
/// ```no_run
/// use sigv4_middleware::{DiagnoseBlocking, SendSigned, Signer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let signer = Signer::builder().credentials_from_env().record_signing_details(true).build()?;
/// let client = sigv4_middleware::reqwest_blocking_client().build()?;
/// let response = client.get("https://bucket.s3.eu-west-1.amazonaws.com/report.pdf").send_signed(&signer)?;
/// let (response, diagnosis) = response.diagnose();
/// if let Some(diagnosis) = diagnosis {
///     eprintln!("{diagnosis}");
/// }
/// # Ok(()) }
/// ```
pub trait DiagnoseBlocking: sealed::Sealed + Sized {
    /// Gives the response back, and why it refuses the request; `None` if it does not.
    fn diagnose(self) -> (Self, Option<Diagnosis>);
}

impl DiagnoseBlocking for Response {
    fn diagnose(self) -> (Self, Option<Diagnosis>) {
        if !may_refuse(self.status()) {
            return (self, None);
        }
        let url = self.url().clone();
        let (response, diagnosis) = block_on(explain(into_http(self)));
        (with_url(response.map(reqwest::Body::wrap), url), diagnosis)
    }
}

mod sealed {
    #[expect(unnameable_types, reason = "which is what seals `SendSigned`")]
    pub trait Sealed {}
    impl Sealed for reqwest::blocking::RequestBuilder {}
    impl Sealed for reqwest::blocking::Response {}
}

impl SendSigned for RequestBuilder {
    fn send_signed(self, signer: &Signer) -> Result<Response, SendError> {
        send(self, None, signer)
    }

    fn send_signed_reader(
        self,
        body: impl Read + Send + 'static,
        signer: &Signer,
    ) -> Result<Response, SendError> {
        send(self, Some(Box::new(body)), signer)
    }
}

/// `reader`: a body in place of the request's own.
fn send(builder: RequestBuilder, reader: Option<Reader>, signer: &Signer) -> Result<Response, SendError> {
    let (client, request) = builder.build_split();
    let mut request = request?;
    if signer.passes_through(None, || request.view(None)) {
        if let Some(reader) = reader {
            *request.body_mut() = Some(Body::new(reader));
        }
        let mut response = client.execute(request)?;
        signer.record_unsigned(response.extensions_mut());
        return Ok(response);
    }
    let body = RequestBody::new(request.body_mut().take(), reader);
    let mut client = BlockingClient(client);
    let runtime = signer.runtime().waiting().map_err(SendError::Thread)?;
    runtime.until(async {
        let mut request = OutgoingRequest::new(request, body);
        exchange(signer, &mut client, &mut request).await
    })
}

/// A client that blocks the thread that polls it.
struct BlockingClient(Client);

impl Transport for BlockingClient {
    type Head = Request;
    type Body = RequestBody;
    type Response = Response;
    type Error = SendError;

    async fn send(
        &mut self,
        mut head: Request,
        body: Option<SignedBody<RequestBody>>,
    ) -> Result<Response, SendError> {
        *head.body_mut() = body.map(into_body);
        Ok(self.0.execute(head)?)
    }

    fn head_of(response: &Response) -> (StatusCode, &HeaderMap) {
        (response.status(), response.headers())
    }

    fn extensions_of(response: &mut Response) -> &mut Extensions {
        response.extensions_mut()
    }

    fn check(sent: &Request, response: &Response) -> Result<(), Error> {
        refuse_redirected(sent.url(), response.url())
    }

    fn blocks_next(response: &Response) -> bool {
        response.version() >= Version::HTTP_2
    }

    async fn read_refusal(response: Response) -> (Response, RefusalBody) {
        let url = response.url().clone();
        let (response, read) = response_body::read_refusal(into_http(response)).await;
        (with_url(response.map(reqwest::Body::wrap), url), read)
    }
}
