//! [`SigV4Middleware`]: the integration with reqwest, through reqwest-middleware.

use std::fmt;
use std::pin::Pin;

use http::{Extensions, HeaderMap, Method, StatusCode};
use reqwest::{Body, Request, Response, Url};
use reqwest_middleware::{Middleware, Next};

use super::diagnose::Diagnose;
use super::exchange::{Head, OutgoingRequest, RefusalBody, Transport, exchange};
use super::proxy;
use super::redirect::{Redirect, RedirectPolicy, SignedFor};
use super::response_body;
use crate::body::{OutgoingBody, SignedBody};
use crate::diagnosis::{Diagnosis, may_refuse};
use crate::error::{Error, ErrorKind};
use crate::metrics::{self, Resigned};
use crate::signing::details::SigningDetails;
use crate::signing::origin::Origin;
use crate::signing::overrides::Overrides;
use crate::signing::request::RequestView;
use crate::signing::signed_request::SignedRequest;
use crate::signing::signer::Signer;

/// A middleware of reqwest-middleware that signs every request of a reqwest client.
///
/// Attach it last: middleware that is attached after it gets signed requests, and may break the signatures. Attach a retry
/// middleware before it, so that each attempt is signed afresh. The client beneath should follow no redirects, see
/// [`reqwest_client`](crate::reqwest_client).
///
/// Bodies are read into memory to be hashed, up to the signer's [limit](crate::SignerBuilder::body_limit), unless another
/// [`PayloadMode`](crate::PayloadMode) is set; a streaming or multipart body is replaced by the bytes that were read from
/// it. [Overrides](crate::overrides) are set by `.with_extension(…)`. They are lost if a request is sent by `.build()` and
/// `execute()`, or through the client's tower `Service`.
///
/// Headers that the client itself adds, such as those of reqwest's `default_headers`, are added after signing and are not
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
/// A request that cannot be signed is not sent; [`Error::find`] finds the crate's own [`Error`] in the client's error. Its
/// kinds are those of [`Signer::sign`], those of the body's stream ([`ErrorKind::BodyTooLarge`],
/// [`ErrorKind::BodyTimeout`], [`ErrorKind::BodyFailed`], [`ErrorKind::BodyTrailers`], [`ErrorKind::BodyMismatch`]),
/// [`ErrorKind::Redirected`] and, with [`refusals_as_errors`](Self::refusals_as_errors), [`ErrorKind::Refused`].
#[derive(Clone, Debug)]
pub struct SigV4Middleware {
    signer: Signer,
    redirects: RedirectPolicy,
    refusals: Refusals,
}

/// What is done about refusals, besides their event.
#[derive(Clone, Copy, Default)]
struct Refusals {
    logged: bool,
    errors: bool,
    /// Set by the setters of the two above: a program that calls neither does not link the diagnosis.
    explain: Option<for<'a> fn(Self, Response, &'a str) -> Explained<'a>>,
}

type Explained<'a> = Pin<Box<dyn Future<Output = Result<Response, Error>> + Send + 'a>>;

impl fmt::Debug for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusals").field("logged", &self.logged).field("errors", &self.errors).finish()
    }
}

impl SigV4Middleware {
    /// A middleware that signs requests with this signer.
    #[must_use]
    pub fn new(signer: Signer) -> Self {
        Self { signer, redirects: RedirectPolicy::none(), refusals: Refusals::default() }
    }

    /// Sets which redirects are followed; by default [none](RedirectPolicy::none): the caller gets the 3xx response.
    ///
    /// ```
    /// use sigv4_middleware::{RedirectPolicy, SigV4Middleware};
    ///
    /// # fn example(signer: sigv4_middleware::Signer) {
    /// // S3's redirects to the region of a bucket.
    /// let middleware = SigV4Middleware::new(signer).redirects(RedirectPolicy::same_service());
    /// # }
    /// ```
    ///
    /// Each request of the chain is signed afresh. Methods and bodies change as in the Fetch standard: 303, and 301 or 302
    /// to a POST, lead to a GET without a body. If the body would have to be sent again and cannot be, since it is not in
    /// memory, the caller gets the 3xx response.
    ///
    /// Only headers that belong to the request itself are sent to another origin: the safelist of the Fetch standard
    /// (`accept`, `content-type`, `range`, …), other headers that describe the body, preconditions (`if-none-match`, …), and
    /// `x-amz-*` without keys and tokens. Cookies, API keys and all other headers are removed. So is the key of an upload
    /// with a customer's key (SSE-C), which S3 then refuses: send it to the bucket's region. Headers that the client beneath
    /// adds, such as reqwest's `default_headers`, are sent to every origin; put keys on the request.
    ///
    /// A configured region is for the first host: if a region can be inferred from the next host, that is used. S3's
    /// `x-amz-bucket-region` is used too, with or without a Location, from S3's hosts and from custom endpoints whose
    /// signing name is `s3`. Without a Location it is followed at most once for each request; after that the caller gets
    /// the response. With [`scope_overrides_host`](crate::SignerBuilder::scope_overrides_host) the configured region
    /// takes precedence over the next host's. A configured service is kept.
    ///
    /// # Errors
    /// The first request was sent ([`Error::was_sent`]), and nothing is sent to the next host.
    /// - [`ErrorKind::OriginNotAllowed`], [`ErrorKind::InsecureOrigin`]: the policy does not cover the redirect, or the
    ///   signer does not allow its origin. The message names the line to add.
    /// - [`ErrorKind::ScopeInvalid`]: the next host belongs to another service than the configured one.
    /// - [`ErrorKind::Redirected`]: the Location is not a URL, or the chain is longer than [`RedirectPolicy::limit`].
    #[must_use]
    pub fn redirects(self, policy: RedirectPolicy) -> Self {
        Self { redirects: policy, ..self }
    }

    /// Sets whether a refusal is explained in one `tracing` event at WARN; `false` by default: it is an event at DEBUG with
    /// code, scope, host and request id.
    ///
    /// Fields: `status`, `code`, `cause` (or `causes`, the likeliest first, if the response allows more than one),
    /// `difference` (the part of the request in which server and client differ), `host`, `scope`, `request_id` and
    /// `what_to_do`. The caller gets the response with its whole body. Up to 64 KiB of a refusal's body are read, for at
    /// most two seconds. Accepted requests take no more time than without this setting. Only requests that were signed are
    /// explained, not those that were passed through.
    ///
    /// ```
    /// # use sigv4_middleware::SigV4Middleware;
    /// # fn example(signer: sigv4_middleware::Signer) {
    /// let middleware = SigV4Middleware::new(signer).diagnose_refusals(true);
    /// # }
    /// ```
    #[must_use]
    pub fn diagnose_refusals(self, diagnose: bool) -> Self {
        Self { refusals: Refusals { logged: diagnose, explain: Some(explain), ..self.refusals }, ..self }
    }

    /// Sets whether a refusal is an error of kind [`ErrorKind::Refused`] in place of its response; `false` by default.
    ///
    /// [`Error::diagnosis`] is the reason. Responses for which [`diagnosis`](crate::diagnosis) has no cause, such as an
    /// application's 404, stay responses. Logging is a separate setting, see
    /// [`diagnose_refusals`](Self::diagnose_refusals).
    ///
    /// ```
    /// use sigv4_middleware::{Error, SigV4Middleware};
    ///
    /// # fn example(signer: sigv4_middleware::Signer) {
    /// let middleware = SigV4Middleware::new(signer).refusals_as_errors(true);
    /// # }
    /// fn report(error: &(dyn std::error::Error + 'static)) {
    ///     if let Some(diagnosis) = Error::find(error).and_then(Error::diagnosis) {
    ///         eprintln!("{diagnosis}");
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn refusals_as_errors(self, as_errors: bool) -> Self {
        Self { refusals: Refusals { errors: as_errors, explain: Some(explain), ..self.refusals }, ..self }
    }
}

/// A `reqwest::ClientBuilder` for signed requests: follows no redirects, sends no Referer, and uses no proxy for loopback.
///
/// ```
/// let client = sigv4_middleware::reqwest_client().user_agent("orders/1.0").build()?;
/// # Ok::<(), reqwest::Error>(())
/// ```
///
/// When reqwest itself follows a redirect to another host, it removes Authorization and nothing else: the body (unless the
/// method becomes GET), API keys, SSE-C keys and the session token are sent there. The token is of no use without the
/// secret access key; the rest can be used. The integrations detect such a redirect by the URL of the response, after all
/// that was sent, and do not detect one that ends at the URL where it began.
///
/// Requests to loopback (`localhost`, 127.0.0.0/8 and `::1`) bypass the proxies of the environment (`HTTP_PROXY`,
/// `HTTPS_PROXY`, `ALL_PROXY`): they may be signed over plain http, and a proxy could read them. For other hosts the
/// proxies are used as usual. To use another proxy instead, call `.no_proxy()` before `.proxy(…)`: otherwise the
/// environment's proxies are tried first. The rules of the added proxy then decide about loopback.
pub fn reqwest_client() -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).referer(false);
    match proxy::beyond_loopback() {
        Some(proxy) => builder.proxy(proxy),
        None => builder,
    }
}

/// Without `async_trait`, whose future would have room for the request three times.
impl Middleware for SigV4Middleware {
    fn handle<'life0, 'life1, 'life2, 'async_trait>(
        &'life0 self,
        mut request: Request,
        extensions: &'life1 mut Extensions,
        next: Next<'life2>,
    ) -> Pin<Box<dyn Future<Output = reqwest_middleware::Result<Response>> + Send + 'async_trait>>
    where
        Self: 'async_trait,
        'life0: 'async_trait,
        'life1: 'async_trait,
        'life2: 'async_trait,
    {
        let signer = &self.signer;
        let explain = self.refusals.explain.filter(|_| self.refusals.logged || self.refusals.errors);
        let mut client = MiddlewareClient { next, extensions, explains: explain.is_some() };
        let body = request.body_mut().take();
        let had_body = body.is_some();
        // Made here, so that the future has room for it once.
        let mut request = OutgoingRequest::new(request, body.unwrap_or_default());
        Box::pin(async move {
            if signer.passes_through(Some(client.extensions), || request.head.view(None)) {
                // What an earlier request of the same chain was signed as.
                client.extensions.remove::<SignedRequest>();
                *request.head.body_mut() = request.body.take_unread().filter(|_| had_body);
                let mut response = client.next.run(request.head, client.extensions).await?;
                signer.record_unsigned(response.extensions_mut());
                return Ok(response);
            }
            let policy = &self.redirects;
            for _ in 0..=policy.max() {
                let response =
                    exchange(signer, &mut client, &mut request).await.map_err(|ClientError(error)| error)?;
                if !policy.follows()
                    || !request.follow(signer, policy, &response).map_err(Error::into_middleware)?
                {
                    let Some(explain) = explain else { return Ok(response) };
                    let response = explain(self.refusals, response, request.head.authority()).await;
                    return response.map_err(Error::into_middleware);
                }
            }
            let endless = format!(
                "the server redirected more than {} times, the limit of the redirect policy; raise .limit(…) if the \
                 chain has an end",
                policy.max()
            );
            Err(Error::new(ErrorKind::Redirected, endless).into_middleware())
        })
    }
}

/// Explains a response, if it refuses the request.
fn explain(refusals: Refusals, response: Response, host: &str) -> Explained<'_> {
    Box::pin(async move {
        let (response, diagnosis) = response.diagnose().await;
        let Some(diagnosis) = diagnosis else { return Ok(response) };
        if refusals.logged {
            log_diagnosis(&diagnosis, response.extensions().get(), host);
        }
        if !refusals.errors {
            return Ok(response);
        }
        let (status, cause) = (diagnosis.status().as_u16(), diagnosis.cause());
        let message =
            format!("the server refused the request with {status}: {cause}; {}", diagnosis.what_to_do());
        Err(Error::with_source(ErrorKind::Refused, message, diagnosis))
    })
}

/// One event for a refusal that was explained.
fn log_diagnosis(diagnosis: &Diagnosis, details: Option<&SigningDetails>, host: &str) {
    let causes = || diagnosis.causes().iter().map(|cause| cause.as_str()).collect::<Vec<_>>().join(" | ");
    tracing::warn!(
        status = diagnosis.status().as_u16(),
        code = diagnosis.code(),
        cause = diagnosis.is_certain().then(|| diagnosis.cause().as_str()),
        causes = (!diagnosis.is_certain()).then(causes),
        difference = diagnosis.difference().map(|difference| difference.part.as_str()),
        host,
        scope = details.and_then(SigningDetails::scope),
        request_id = diagnosis.request_ids().first().map(|(_, id)| id.as_str()),
        what_to_do = diagnosis.what_to_do(),
        "the server refused a signed request"
    );
}

/// The rest of a middleware chain.
struct MiddlewareClient<'a> {
    next: Next<'a>,
    extensions: &'a mut Extensions,
    /// Whether refusals are explained.
    explains: bool,
}

struct ClientError(reqwest_middleware::Error);

impl From<Error> for ClientError {
    fn from(error: Error) -> Self {
        Self(error.into_middleware())
    }
}

impl<'n> Transport for MiddlewareClient<'n> {
    type Head = Request;
    type Body = Body;
    type Response = Response;
    type Error = ClientError;

    fn extensions(&self) -> Option<&Extensions> {
        Some(self.extensions)
    }

    fn note(&mut self, _: &mut Request, signed: SignedRequest) {
        self.extensions.insert(signed);
    }

    fn send<'t>(
        &'t mut self,
        head: &mut Request,
        body: Option<SignedBody<Body>>,
    ) -> Result<impl Future<Output = Result<Response, ClientError>> + use<'t, 'n>, Error> {
        let sending =
            self.next.clone().run(with_body(taken(head, Request::try_clone)?, body), self.extensions);
        Ok(async { sending.await.map_err(ClientError) })
    }

    fn head_of(response: &Response) -> (StatusCode, &HeaderMap) {
        (response.status(), response.headers())
    }

    fn extensions_of(response: &mut Response) -> &mut Extensions {
        response.extensions_mut()
    }

    fn wants_details(&self, status: StatusCode) -> bool {
        self.explains && may_refuse(status)
    }

    fn check(sent: &Request, response: &Response) -> Result<(), Error> {
        refuse_redirected(sent.url(), response.url())
    }

    async fn read_refusal(response: Response) -> (Response, RefusalBody) {
        response_body::read_reqwest_refusal(response).await
    }
}

/// A request of reqwest's, async or blocking, whose body was taken out.
macro_rules! head_of_reqwest {
    ($request:ty) => {
        impl Head for $request {
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
        }
    };
}

head_of_reqwest!(Request);
#[cfg(feature = "blocking")]
head_of_reqwest!(reqwest::blocking::Request);

impl OutgoingRequest<Request, Body> {
    /// Changes into the request that a redirect asks for; `false` if the response cannot be followed.
    ///
    /// # Errors
    /// For a redirect that the policy does not cover, or to a Location that is not a URL.
    fn follow(
        &mut self,
        signer: &Signer,
        policy: &RedirectPolicy,
        response: &Response,
    ) -> Result<bool, Error> {
        let Some(signed_with) = &self.signed_with else { return Ok(false) };
        let key = &signed_with.key;
        let signed_for = SignedFor {
            service: key.service(),
            region: key.region(),
            region_corrected: self.region_corrected,
        };
        let (method, url) = (self.head.method(), self.head.url());
        let (status, headers) = (response.status(), response.headers());
        let Some(redirect) = Redirect::of(method, url, status, headers, signed_for)? else {
            return Ok(false);
        };
        if redirect.keeps_body && !self.body.is_replayable() {
            return Ok(false);
        }
        match policy.ensure_covered(url, &redirect.url) {
            Ok(()) => {}
            Err(_) if !redirect.has_location => return Ok(false),
            Err(refused) => return Err(refused.of_redirect()),
        }
        let corrects = redirect.region.as_deref().is_some_and(|region| signed_for.corrects(region));
        self.region_corrected |= corrects;
        let from = url.clone();
        self.restore_headers().map_err(Error::of_redirect)?;
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
        metrics::resigned(Resigned::Redirect);
        Ok(true)
    }
}

/// The request to be sent: with the headers of `head`, which are taken, and a copy of all else.
pub(super) fn taken<H: Head>(head: &mut H, copy: impl FnOnce(&H) -> Option<H>) -> Result<H, Error> {
    let headers = std::mem::take(head.headers_mut());
    let mut taken = copy(head).ok_or_else(|| {
        Error::new(ErrorKind::BodyFailed, "the request cannot be sent again; its body was consumed")
    })?;
    *taken.headers_mut() = headers;
    Ok(taken)
}

/// Refuses a response that came from another URL than the request was sent to, before its body is returned.
pub(super) fn refuse_redirected(sent_to: &Url, came_from: &Url) -> Result<(), Error> {
    fn place(url: &Url) -> (&str, &str, &str, Option<&str>) {
        (url.scheme(), url.authority(), url.path(), url.query())
    }
    if sent_to == came_from || place(sent_to) == place(came_from) {
        return Ok(());
    }
    let origin = came_from.origin().ascii_serialization();
    Err(Error::new(
        ErrorKind::Redirected,
        format!(
            "the client itself followed a redirect to {origin}, and may have sent the request's body and headers there; \
             build it from sigv4_middleware::reqwest_client(), or reqwest_blocking_client(), which follow none"
        ),
    ))
}

/// A request with the body to be sent.
pub(super) fn with_body(mut request: Request, body: Option<SignedBody<Body>>) -> Request {
    *request.body_mut() = body.map(|body| body.into_single().map_or_else(Body::wrap, Body::from));
    request
}

/// A request of reqwest's, async or blocking.
fn view_of<'a>(
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
fn rewritten(url: &Url, target: &str) -> Result<Url, Error> {
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
