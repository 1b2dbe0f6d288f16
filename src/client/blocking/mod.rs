//! [`SendSigned`]: the edge towards `reqwest::blocking`.

mod body;
mod outgoing;

use std::io::{self, Read};

use reqwest::blocking::{Body, Client, ClientBuilder, Request, RequestBuilder, Response};

use self::body::{Reader, into_http};
use self::outgoing::Outgoing;
use crate::client::classify::{Answer, assess};
use crate::client::reqwest::{refuse_redirected, view_of, with_url};
use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::overrides::Overrides;
use crate::runtime::Waiting;
use crate::signing::request::RequestView;
use crate::signing::signature::SignedWith;
use crate::signing::signer::Signer;
use crate::signing::target::Origin;

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
    /// client followed a redirect. [`SendError::Reqwest`] where the request is none, or was not answered.
    fn send_signed(self, signer: &Signer) -> Result<Response, SendError>;

    /// Signs the request with a body that is read, and sends it.
    ///
    /// By default the body is read into memory, up to the signer's [limit](crate::SignerBuilder::body_limit). Where the
    /// signer's [payload mode](crate::SignerBuilder::payload_mode) is [`AwsChunked`](crate::PayloadMode::AwsChunked),
    /// [`Sha256Checked`](crate::PayloadMode::Sha256Checked) or an event stream, it is sent as it is read, in memory that
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
    /// turns out to be other than was said while it is sent is a [`SendError::Reqwest`] with an error of kind
    /// [`ErrorKind::BodyMismatch`] in it.
    fn send_signed_reader(
        self,
        body: impl Read + Send + 'static,
        signer: &Signer,
    ) -> Result<Response, SendError>;
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
    if signer.passes_through(&view(&request)) {
        if let Some(reader) = reader {
            *request.body_mut() = Some(Body::new(reader));
        }
        return Ok(client.execute(request)?);
    }
    // What can be refused is refused before the body is read.
    let mode = signer.preview(view(&request))?;
    let waiting = signer.runtime().waiting().map_err(SendError::Thread)?;
    let outgoing = Outgoing::new(request, reader, &mode, signer.limits(), &waiting)?;
    exchange(&client, outgoing, signer, &waiting)
}

/// Signs and sends, and once more where the server's answer asks for it.
fn exchange(
    client: &Client,
    mut outgoing: Outgoing,
    signer: &Signer,
    waiting: &Waiting<'_>,
) -> Result<Response, SendError> {
    let (request, attempt) = outgoing.attempt(signer, waiting)?;
    let response = client.execute(request)?;
    let answer = read(signer, outgoing.head(), &attempt, &response)?;
    if answer == Answer::Final || !outgoing.is_replayable() {
        return Ok(response);
    }
    let url = response.url().clone();
    let (response, again) = waiting.until(assess(signer, &attempt, answer, into_http(response)));
    let response = with_url(response.map(reqwest::Body::wrap), url);
    if !again {
        return Ok(response);
    }
    let Ok((request, attempt)) = outgoing.attempt(signer, waiting) else { return Ok(response) };
    let response = client.execute(request)?;
    read(signer, outgoing.head(), &attempt, &response)?;
    Ok(response)
}

/// What an answer tells; an error where it came from elsewhere.
fn read(signer: &Signer, sent: &Request, attempt: &SignedWith, response: &Response) -> Result<Answer, Error> {
    refuse_redirected(sent.url(), response.url())?;
    let url = sent.url();
    let origin = Origin::authority_of(Some(url.scheme()), Some(url.authority()));
    Ok(signer.read_answer(attempt, sent.method(), origin, response.status(), response.headers()))
}

fn view(request: &Request) -> RequestView<'_> {
    view_of(request.method(), request.url(), request.headers(), Overrides::default())
}
