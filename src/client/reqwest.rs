//! [`SigV4Middleware`]: the edge towards reqwest, through reqwest-middleware.

use http::{Extensions, HeaderMap, Method, StatusCode};
use reqwest::{Body, Request, Response, ResponseBuilderExt, Url};
use reqwest_middleware::{Middleware, Next};

use super::exchange::{Head, OutgoingRequest, RefusalBody, Transport, exchange};
use super::redirect::{LONGEST_CHAIN, Redirect};
use super::response_body;
use crate::body::{OutgoingBody, SignedBody, set_length};
use crate::error::{Error, ErrorKind};
use crate::signing::overrides::Overrides;
use crate::signing::payload::{Payload, PayloadMode};
use crate::signing::request::RequestView;
use crate::signing::signer::Signer;
use crate::signing::target::Origin;

/// Signs every request of a reqwest client.
///
/// Attach it last: what is attached after it sees, and may break, signed requests. A retry middleware goes before it,
/// so that each try is signed afresh. The client beneath should follow no redirects, see
/// [`reqwest_client`](crate::reqwest_client).
///
/// Requests are held in memory to be hashed up to the signer's [limit](crate::SignerBuilder::body_limit), unless their
/// [`PayloadMode`](crate::PayloadMode) says otherwise; a streaming or multipart body is replaced by what was read from
/// it. [Overrides](crate::overrides) are given by
/// `.with_extension(…)`, and lost where a request is sent by `.build()` and `execute()` or through the client's tower
/// `Service`.
///
/// Headers that the client itself adds, such as those of reqwest's `default_headers`, are added after that and not
/// signed. Put `x-amz-*` headers on the request: AWS refuses one that is not signed.
///
/// ```
/// use reqwest_middleware::ClientBuilder;
/// use sigv4_middleware::{Credentials, SigV4Middleware, Signer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let signer = Signer::builder()
///     .credentials(Credentials::new("AKIDEXAMPLE", "secret", None, None, "static"))
///     .build()?;
/// let client = ClientBuilder::new(sigv4_middleware::reqwest_client().build()?)
///     .with(SigV4Middleware::new(signer))
///     .build();
/// # Ok(()) }
/// ```
///
/// # Errors
/// A request that cannot be signed is not sent; [`Error::find`] gets the reason out of the client's error.
#[derive(Clone, Debug)]
pub struct SigV4Middleware {
    signer: Signer,
    follows_redirects: bool,
}

impl SigV4Middleware {
    /// A middleware that signs with this signer.
    #[must_use]
    pub fn new(signer: Signer) -> Self {
        Self { signer, follows_redirects: false }
    }

    /// Whether redirects are followed, at most 5 of them; `false` by default: the caller sees the 3xx answer.
    ///
    /// Each request of the chain is signed afresh and goes only to origins that the signer may sign for: a redirect to
    /// any other is an error, and nothing is sent there. Methods and bodies change as the Fetch standard has it; of a
    /// body that cannot be sent again, see [`recovery`](crate::SignerBuilder::recovery), the caller sees the 3xx answer.
    ///
    /// A region, however it was said, is for the first host: a redirect to a host that tells its own is signed for
    /// that, and one with S3's `x-amz-bucket-region`, which needs no Location, for the bucket's. Only
    /// [`scope_overrides_host`](crate::SignerBuilder::scope_overrides_host) keeps what was said. A service that was
    /// said is kept, and is an error where the signer's builder said it and the host belongs to another.
    #[must_use]
    pub fn follow_redirects(self, follow: bool) -> Self {
        Self { follows_redirects: follow, ..self }
    }
}

/// A `reqwest::ClientBuilder` fit to carry signed requests: follows no redirects and sends no Referer.
///
/// reqwest's own redirects keep `X-Amz-Security-Token` and the other headers of a signature but Authorization when they
/// go to another host, and the body unless the method becomes GET. The edges notice a redirect that was followed beneath
/// them by the answer's URL, when the token is gone already; not one that led back to where it began.
///
/// ```
/// let client = sigv4_middleware::reqwest_client().user_agent("orders/1.0").build()?;
/// # Ok::<(), reqwest::Error>(())
/// ```
pub fn reqwest_client() -> reqwest::ClientBuilder {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).referer(false)
}

#[async_trait::async_trait]
impl Middleware for SigV4Middleware {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let signer = &self.signer;
        if signer.passes_through(Some(extensions), || request.view(None)) {
            return next.run(request, extensions).await;
        }
        let mut client = MiddlewareClient { next, extensions };
        let body = request.body_mut().take().unwrap_or_default();
        let mut request = OutgoingRequest::new(request, body);
        for _ in 0..=LONGEST_CHAIN {
            let response =
                exchange(signer, &mut client, &mut request).await.map_err(|ClientError(error)| error)?;
            if !self.follows_redirects
                || !request.follow(signer, &response).map_err(Error::into_middleware)?
            {
                return Ok(response);
            }
        }
        let endless = format!("the server redirected more than {LONGEST_CHAIN} times");
        Err(Error::new(ErrorKind::Redirected, endless).into_middleware())
    }
}

/// The rest of a middleware chain.
struct MiddlewareClient<'a> {
    next: Next<'a>,
    extensions: &'a mut Extensions,
}

struct ClientError(reqwest_middleware::Error);

impl From<Error> for ClientError {
    fn from(error: Error) -> Self {
        Self(error.into_middleware())
    }
}

impl Transport for MiddlewareClient<'_> {
    type Head = Request;
    type Body = Body;
    type Response = Response;
    type Error = ClientError;

    fn extensions(&self) -> Option<&Extensions> {
        Some(self.extensions)
    }

    async fn send(&mut self, head: Request, body: Option<SignedBody<Body>>) -> Result<Response, ClientError> {
        self.next.clone().run(with_body(head, body), self.extensions).await.map_err(ClientError)
    }

    fn head_of(response: &Response) -> (StatusCode, &HeaderMap) {
        (response.status(), response.headers())
    }

    fn check(sent: &Request, response: &Response) -> Result<(), Error> {
        refuse_redirected(sent.url(), response.url())
    }

    async fn read_refusal(response: Response) -> (Response, RefusalBody) {
        read_refusal(response).await
    }
}

impl Head for Request {
    fn view<'a>(&'a self, extensions: Option<&'a Extensions>) -> RequestView<'a> {
        view_of(self.method(), self.url(), self.headers(), extensions)
    }

    fn authority(&self) -> &str {
        Origin::authority_of(Some(self.url().scheme()), Some(self.url().authority()))
    }

    fn method(&self) -> &Method {
        self.method()
    }

    fn headers_mut(&mut self) -> &mut HeaderMap {
        self.headers_mut()
    }

    fn set_target(&mut self, target: String) -> Result<(), Error> {
        *self.url_mut() = rewritten(self.url(), &target)?;
        Ok(())
    }

    fn duplicate(&self) -> Result<Self, Error> {
        self.try_clone().ok_or_else(|| {
            Error::new(ErrorKind::BodyFailed, "the request cannot be sent again; its body was consumed")
        })
    }
}

impl OutgoingRequest<Request, Body> {
    /// Turns into the request that a redirect asks for; `false` if the response is not one that can be followed.
    fn follow(&mut self, signer: &Signer, response: &Response) -> Result<bool, Error> {
        let (method, url) = (self.head.method(), self.head.url());
        let Some(redirect) = Redirect::of(method, url, response.status(), response.headers())? else {
            return Ok(false);
        };
        if redirect.keeps_body && !self.body.is_replayable() {
            return Ok(false);
        }
        let from = url.clone();
        redirect.prune(&from, self.head.headers_mut());
        // A region that was set is the first host's.
        let same_host = from.host_str() == redirect.url.host_str();
        self.region = match redirect.region {
            None if same_host => self.region.take(),
            None => redirect.url.host_str().and_then(|host| signer.region_of_host(host)),
            named => named,
        };
        if !redirect.keeps_body {
            self.body = OutgoingBody::empty();
        }
        *self.head.method_mut() = redirect.method;
        *self.head.url_mut() = redirect.url;
        self.redirected = true;
        Ok(true)
    }
}

/// Reads a refusal for its error code.
pub(super) async fn read_refusal(response: Response) -> (Response, RefusalBody) {
    let url = response.url().clone();
    let (response, read) = response_body::read_refusal(response.into()).await;
    (with_url(response.map(Body::wrap), url), read)
}

impl Signer {
    /// Signs a `reqwest::Request` in place, for a client that somebody else sends it with.
    ///
    /// For hooks that are given a request, such as progenitor's, and for a plain `reqwest::Client`. The body has to be
    /// in memory, or there is none, unless the signer's [payload mode](crate::SignerBuilder::payload_mode) is
    /// [`Unsigned`](PayloadMode::Unsigned) or [`Sha256`](PayloadMode::Sha256). The client must follow no redirects, see
    /// [`reqwest_client`]. Nothing is sent again after a refusal; use [`SigV4Middleware`] for that.
    ///
    /// ```
    /// use sigv4_middleware::{Credentials, Signer};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// # let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "static");
    /// let signer = Signer::builder().credentials(credentials).build()?;
    /// let client = sigv4_middleware::reqwest_client().build()?;
    /// let url = "https://abc123.execute-api.eu-west-1.amazonaws.com/prod/orders";
    /// let mut request = client.post(url).body(r#"{"order":1}"#).build()?;
    /// signer.sign_reqwest(&mut request).await?;
    /// assert!(request.headers().contains_key("authorization"));
    /// # Ok(()) }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`sign`](Self::sign), and [`ErrorKind::UnsupportedPayload`] for a body that is a stream. The request is then
    /// unchanged.
    pub async fn sign_reqwest(&self, request: &mut Request) -> Result<(), Error> {
        if self.passes_through(None, || request.view(None)) {
            return Ok(());
        }
        let keys = self.keys_for(&request.view(None)).await?;
        let mode = self.check(request.view(None))?;
        let in_memory = request.body().map_or(Some(&[][..]), Body::as_bytes);
        let payload = match (&mode.payload, in_memory) {
            (PayloadMode::Sha256(sha256), _) => Payload::sha256(*sha256),
            (PayloadMode::Unsigned, _) => Payload::unsigned(),
            (PayloadMode::Buffered, Some(bytes)) => Payload::from(bytes),
            _ => {
                return Err(Error::new(
                    ErrorKind::UnsupportedPayload,
                    "the body of the request is a stream, which sign_reqwest cannot read; give it as bytes, or send the \
                     request through SigV4Middleware, which reads or streams it",
                ));
            }
        };
        let mut signature = self.signature(keys, &request.view(None), payload)?;
        let empty = in_memory.is_some_and(<[u8]>::is_empty);
        if let Some(target) = signature.rewritten.take() {
            request.set_target(target)?;
        }
        if empty {
            let method = request.method().clone();
            set_length(0, &method, request.headers_mut());
        }
        signature.apply(request.headers_mut());
        Ok(())
    }
}

/// Refuses an answer that came from elsewhere than the request was sent to, before its body is handed on.
pub(super) fn refuse_redirected(sent_to: &Url, answered_by: &Url) -> Result<(), Error> {
    fn place(url: &Url) -> (&str, &str, &str, Option<&str>) {
        (url.scheme(), url.authority(), url.path(), url.query())
    }
    if place(sent_to) == place(answered_by) {
        return Ok(());
    }
    let origin = answered_by.origin().ascii_serialization();
    Err(Error::new(
        ErrorKind::Redirected,
        format!(
            "the client followed a redirect to {origin} by itself, and may have carried the session token there; \
             build it from sigv4_middleware::reqwest_client(), or reqwest_blocking_client(), which follow none"
        ),
    ))
}

/// An answer of reqwest's, async or blocking, of this URL; a plain conversion would forget it.
pub(super) fn with_url<R: From<http::Response<Body>>>(mut response: http::Response<Body>, url: Url) -> R {
    if let Ok(marked) = http::Response::builder().url(url).body(()) {
        response.extensions_mut().extend(marked.into_parts().0.extensions);
    }
    response.into()
}

/// A request with the body to be sent.
pub(super) fn with_body(mut request: Request, body: Option<SignedBody<Body>>) -> Request {
    *request.body_mut() = body.map(|body| body.into_single().map_or_else(Body::wrap, Body::from));
    request
}

/// A request of reqwest's, async or blocking.
pub(super) fn view_of<'a>(
    method: &'a Method,
    url: &'a Url,
    headers: &'a HeaderMap,
    extensions: Option<&'a Extensions>,
) -> RequestView<'a> {
    RequestView {
        method,
        scheme: Some(url.scheme()),
        authority: Some(url.authority()),
        path: url.path(),
        query: url.query(),
        headers,
        overrides: extensions.map(Overrides::of).unwrap_or_default(),
    }
}

/// The URL with the path and the query that are signed.
pub(super) fn rewritten(url: &Url, target: &str) -> Result<Url, Error> {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let mut url = url.clone();
    url.set_path(path);
    url.set_query(query);
    // `Url` has rules of its own; a target that it changes would not be the one that is signed.
    if (url.path(), url.query()) != (path, query) {
        return Err(Error::new(
            ErrorKind::InvalidUri,
            format!("the path {path:?} cannot be sent in the form to be signed; remove its dot segments"),
        ));
    }
    Ok(url)
}
