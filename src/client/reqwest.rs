//! [`SigV4Middleware`]: the edge towards reqwest, through reqwest-middleware.

use http::Extensions;
use reqwest::{Body, Request, Response, ResponseBuilderExt, Url};
use reqwest_middleware::{Middleware, Next};

use crate::body::{BodyFailure, OutgoingBody, SignedBody};
use crate::client::classify::{Answer, assess};
use crate::client::redirect::{LONGEST_CHAIN, Step};
#[cfg(feature = "tower")]
use crate::error::BoxError;
use crate::error::{Error, ErrorKind};
use crate::overrides::Overrides;
use crate::signing::request::RequestView;
use crate::signing::signature::SignedWith;
use crate::signing::signer::Signer;

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
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        if self.signer.passes_through(&view(&request, Overrides::of(extensions))) {
            return next.run(request, extensions).await;
        }
        let outgoing = Outgoing::new(&self.signer, request, Overrides::of(extensions)).await;
        let mut outgoing = outgoing.map_err(Error::into_middleware)?;
        for _ in 0..=LONGEST_CHAIN {
            let response = self.exchange(&mut outgoing, extensions, next.clone()).await?;
            if !self.follows_redirects
                || !outgoing.follow(&self.signer, &response).map_err(Error::into_middleware)?
            {
                return Ok(response);
            }
        }
        let endless = format!("the server redirected more than {LONGEST_CHAIN} times");
        Err(Error::new(ErrorKind::Redirected, endless).into_middleware())
    }
}

impl SigV4Middleware {
    /// Signs and sends, and once more where the server's answer asks for it.
    async fn exchange(
        &self,
        outgoing: &mut Outgoing,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let signed = outgoing.attempt(&self.signer, Overrides::of(extensions)).await;
        let (request, attempt) = signed.map_err(Error::into_middleware)?;
        let response = next.clone().run(request, extensions).await;
        let response = response.map_err(|error| outgoing.explain_middleware_failure(error))?;
        let (response, try_again) =
            outgoing.assess(&self.signer, &attempt, response).await.map_err(Error::into_middleware)?;
        if !try_again {
            return Ok(response);
        }
        let again = outgoing.attempt(&self.signer, Overrides::of(extensions)).await;
        let Ok((request, attempt)) = again else { return Ok(response) };
        let response = next.run(request, extensions).await?;
        outgoing.accept(&self.signer, &attempt, response).map_err(Error::into_middleware)
    }
}

/// A reqwest request on its way: its head as the caller made it, and its body ready to be signed and sent.
pub(crate) struct Outgoing {
    head: Request,
    body: OutgoingBody<Body>,
    /// Of the body that was last sent.
    failure: Option<BodyFailure>,
    /// The region that a redirect named, or led to.
    region: Option<String>,
    /// Whether a redirect asked for it, and not the caller.
    redirected: bool,
}

impl Outgoing {
    /// Checks all that can be checked before the body is read, then reads it.
    pub(crate) async fn new(
        signer: &Signer,
        mut request: Request,
        overrides: Overrides<'_>,
    ) -> Result<Self, Error> {
        let mode = signer.preview(view(&request, overrides))?;
        let body = request.body_mut().take().unwrap_or_default();
        let body = OutgoingBody::new(body, &mode, signer.limits(), request.headers()).await?;
        let method = request.method().clone();
        body.declare(&method, request.headers_mut());
        Ok(Self { head: request, body, failure: None, region: None, redirected: false })
    }

    /// The request, signed with the credentials and the clock of this moment.
    pub(crate) async fn attempt(
        &mut self,
        signer: &Signer,
        overrides: Overrides<'_>,
    ) -> Result<(Request, SignedWith), Error> {
        let overrides = Overrides { region: self.region.as_deref().or(overrides.region), ..overrides };
        let signature = signer.signature(&view(&self.head, overrides), self.body.payload()).await;
        let mut signature =
            signature.map_err(|error| if self.redirected { error.of_redirect() } else { error })?;
        if let Some(target) = signature.rewritten.take() {
            *self.head.url_mut() = rewritten(self.head.url(), &target)?;
        }
        let mut request = self.head.try_clone().ok_or_else(|| {
            Error::new(ErrorKind::BodyFailed, "the request cannot be sent again; its body was consumed")
        })?;
        let mut attempt = signature.apply(request.headers_mut());
        let body = self.body.take(&mut attempt);
        self.failure = body.as_ref().and_then(SignedBody::failure);
        *request.body_mut() = body.map(into_body);
        Ok((request, attempt))
    }

    /// The error to return where sending failed: the body's own where that is why, which HTTP/2 clients do not give.
    #[cfg(feature = "tower")]
    pub(crate) fn explain_failure(&self, error: BoxError) -> BoxError {
        BodyFailure::cause(self.failure.as_ref(), error.as_ref()).map_or(error, Into::into)
    }

    fn explain_middleware_failure(&self, error: reqwest_middleware::Error) -> reqwest_middleware::Error {
        BodyFailure::cause(self.failure.as_ref(), &error).map_or(error, Error::into_middleware)
    }

    /// Whether the request shall be signed and sent once more; and the answer, whole.
    pub(crate) async fn assess(
        &self,
        signer: &Signer,
        attempt: &SignedWith,
        response: Response,
    ) -> Result<(Response, bool), Error> {
        self.refuse_redirected(&response)?;
        let answer = self.read(signer, attempt, &response);
        if answer == Answer::Final {
            return Ok((response, false));
        }
        let url = response.url().clone();
        let (response, again) = assess(signer, attempt, answer, response.into()).await;
        Ok((with_url(response.map(Body::wrap), url), again))
    }

    /// Turns into the request that a redirect asks for; `false` where the answer is none that can be followed.
    fn follow(&mut self, signer: &Signer, response: &Response) -> Result<bool, Error> {
        let (method, url) = (self.head.method(), self.head.url());
        let Some(step) = Step::of(method, url, response.status(), response.headers())? else {
            return Ok(false);
        };
        if step.keeps_body && !self.body.is_replayable() {
            return Ok(false);
        }
        let from = url.clone();
        step.prune(&from, self.head.headers_mut());
        // What was said of a region was said of the first host.
        let same_host = from.host_str() == step.url.host_str();
        self.region = match step.region {
            None if same_host => self.region.take(),
            None => step.url.host_str().and_then(|host| signer.region_of_host(host)),
            named => named,
        };
        if !step.keeps_body {
            self.body = OutgoingBody::empty();
        }
        *self.head.method_mut() = step.method;
        *self.head.url_mut() = step.url;
        self.redirected = true;
        Ok(true)
    }

    /// The last answer, learned from.
    pub(crate) fn accept(
        &self,
        signer: &Signer,
        attempt: &SignedWith,
        response: Response,
    ) -> Result<Response, Error> {
        self.refuse_redirected(&response)?;
        self.read(signer, attempt, &response);
        Ok(response)
    }

    fn read(&self, signer: &Signer, attempt: &SignedWith, response: &Response) -> Answer {
        let host = self.head.url().host_str().unwrap_or_default();
        let answer =
            signer.read_answer(attempt, self.head.method(), host, response.status(), response.headers());
        if self.body.is_replayable() { answer } else { Answer::Final }
    }

    fn refuse_redirected(&self, response: &Response) -> Result<(), Error> {
        refuse_redirected(self.head.url(), response.url())
    }
}

/// Refuses an answer that came from elsewhere than the request was sent to, before its body is handed on.
pub(crate) fn refuse_redirected(sent_to: &Url, answered_by: &Url) -> Result<(), Error> {
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
pub(crate) fn with_url<R: From<http::Response<Body>>>(mut response: http::Response<Body>, url: Url) -> R {
    if let Ok(marked) = http::Response::builder().url(url).body(()) {
        response.extensions_mut().extend(marked.into_parts().0.extensions);
    }
    response.into()
}

fn into_body(body: SignedBody<Body>) -> Body {
    match body.into_single() {
        Ok(bytes) => Body::from(bytes),
        Err(body) => Body::wrap(body),
    }
}

pub(crate) fn view<'a>(request: &'a Request, overrides: Overrides<'a>) -> RequestView<'a> {
    view_of(request.method(), request.url(), request.headers(), overrides)
}

/// A request of reqwest's, async or blocking.
pub(crate) fn view_of<'a>(
    method: &'a http::Method,
    url: &'a Url,
    headers: &'a http::HeaderMap,
    overrides: Overrides<'a>,
) -> RequestView<'a> {
    RequestView {
        method,
        scheme: Some(url.scheme()),
        authority: Some(url.authority()),
        path: url.path(),
        query: url.query(),
        headers,
        overrides,
    }
}

/// The URL with the path and the query that are signed.
pub(crate) fn rewritten(url: &Url, target: &str) -> Result<Url, Error> {
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
