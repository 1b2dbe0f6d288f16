//! [`SendSigned`], for `reqwest::blocking`.

mod body;

use std::io::{self, Read};

use http::{Extensions, HeaderMap, StatusCode, Version};
use reqwest::blocking::{Body, Client, ClientBuilder, Request, RequestBuilder, Response};

use self::body::{Reader, RequestBody, into_body, into_http};
use super::exchange::{Head as _, OutgoingRequest, RefusalBody, Transport, exchange};
use super::proxy;
use super::reqwest::{refuse_redirected, taken};
use super::response_body::{self, with_url};
use crate::block_on::block_on;
use crate::body::SignedBody;
use crate::client::diagnose::explain;
use crate::diagnosis::{Diagnosis, may_refuse};
use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::signing::signer::Signer;

/// Extension of `reqwest::blocking::RequestBuilder` that signs and sends a request, in place of its `send()`.
///
/// The rules are those of [`SigV4Middleware`](crate::SigV4Middleware): the body is signed; a request that cannot be signed
/// is not sent; and a request that the server refused for its date or for expired credentials is signed and sent once more.
/// The client should follow no redirects, see [`reqwest_blocking_client`].
///
/// Do not use it in async code, where `reqwest::blocking` panics: use the middleware, or `tokio::task::spawn_blocking`. The
/// signer then has one thread of its own, on which credentials are refreshed; the thread ends with the signer's last
/// clone.
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
    /// The body has to be empty or in memory. A reader, a file or a form cannot be read here: send it by
    /// [`send_signed_reader`](Self::send_signed_reader), unless the signer's
    /// [payload mode](crate::SignerBuilder::payload_mode) is [`Sha256`](crate::PayloadMode::Sha256) or
    /// [`Unsigned`](crate::PayloadMode::Unsigned).
    ///
    /// # Errors
    /// - [`SendError::Signing`]: the request could not be signed, and was not sent. The kinds are those of [`Signer::sign`],
    ///   among them [`ErrorKind::UnsupportedPayload`] for a body that is not in memory. Or, of kind
    ///   [`ErrorKind::Redirected`], the client followed a redirect.
    /// - [`SendError::Reqwest`]: the request is invalid, or got no response.
    /// - [`SendError::Thread`]: the signer's thread could not be started.
    fn send_signed(self, signer: &Signer) -> Result<Response, SendError>;

    /// Signs the request with a body from a reader, and sends it.
    ///
    /// By default the body is read into memory, up to the signer's [limit](crate::SignerBuilder::body_limit). If the
    /// signer's [payload mode](crate::SignerBuilder::payload_mode) is [`AwsChunked`](crate::PayloadMode::AwsChunked),
    /// [`Sha256Checked`](crate::PayloadMode::Sha256Checked) or an event stream, it is sent while it is read, and memory use
    /// does not depend on its length. `AwsChunked` needs the length beforehand, as `content-length` on the request.
    ///
    /// The signer's body timeout does not apply to readers: a reader that blocks forever blocks this call.
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
    /// As [`send_signed`](Self::send_signed), and:
    /// - [`SendError::Signing`] of kind [`ErrorKind::BodyTooLarge`]: the body is longer than the signer's limit.
    /// - [`SendError::Signing`] of kind [`ErrorKind::BodyFailed`]: the reader failed.
    /// - [`SendError::Reqwest`], in which [`Error::find`] finds [`ErrorKind::BodyMismatch`]: the body was not the declared
    ///   one, and was cut off while it was sent.
    fn send_signed_reader(
        self,
        body: impl Read + Send + 'static,
        signer: &Signer,
    ) -> Result<Response, SendError>;
}

/// Error of [`SendSigned`]: why a request was not signed, or got no response.
///
/// [`Error::find`] finds the crate's own error in it, and in any error that has it as a source.
///
/// ```
/// use sigv4_middleware::{ErrorKind, SendError};
///
/// fn is_unsigned_host(error: &SendError) -> bool {
///     matches!(error, SendError::Signing(error) if error.kind() == ErrorKind::OriginNotAllowed)
/// }
/// ```
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

/// Finds out why a response refuses a request, and returns the response with its whole body: [`Diagnose`](crate::Diagnose)
/// for blocking clients, with the same rules. To compare with what was signed it needs
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
    /// Returns the response, and why it refuses the request; `None` if it does not refuse it.
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

    fn send<'t>(
        &'t mut self,
        head: &mut Request,
        body: Option<SignedBody<RequestBody>>,
    ) -> Result<impl Future<Output = Result<Response, SendError>> + use<'t>, Error> {
        let mut request = taken(head, Request::try_clone)?;
        *request.body_mut() = body.map(into_body);
        Ok(async { Ok(self.0.execute(request)?) })
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
