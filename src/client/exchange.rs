//! Sign, send, look at the response, and at most once more: the only place with that loop.

use std::future::Future;
use std::mem;
use std::pin::pin;
use std::time::Duration;

use http::header::DATE;
use http::{Extensions, HeaderMap, Method, StatusCode};
use http_body::Body;

#[cfg(feature = "reqwest")]
use super::classify::recovery;
use super::classify::{
    DateCheck, Recovery, Refusal, classify, code_in_head, distance, is_code, is_refusal, is_stale, request_id,
};
use crate::body::{OutgoingBody, SignedBody};
use crate::cache::Found;
use crate::clock::{fits, server_date, should_retry};
use crate::error::{BoxError, Error, ErrorKind};
use crate::metrics::{self, Resigned};
use crate::signing::keys::CurrentKeys;
use crate::signing::overrides::Overrides;
use crate::signing::request::RequestView;
use crate::signing::signature::SignedWith;
use crate::signing::signed_request::SignedRequest;
use crate::signing::signer::Signer;
use crate::timer::timeout;

/// How long a first response that cannot be read is kept while the second attempt is under way: it may hold the only
/// stream that the server allows.
const HOLD: Duration = Duration::from_secs(1);

/// A request's head in a client's own type.
pub(crate) trait Head: Sized {
    /// What is signed of it. `extensions` hold the request's overrides if the head has none of its own.
    fn view<'a>(&'a self, extensions: Option<&'a Extensions>) -> RequestView<'a>;

    /// Its own extensions, if it has any.
    fn extensions(&self) -> Option<&Extensions> {
        None
    }

    /// Where it goes, as the clock knows servers: `host[:port]`.
    fn authority(&self) -> &str;

    fn method(&self) -> &Method;

    fn headers_mut(&mut self) -> &mut HeaderMap;

    /// Replaces path and query.
    fn set_target(&mut self, target: String) -> Result<(), Error>;

    fn duplicate(&self) -> Result<Self, Error>;
}

/// One client, and how it sends.
pub(crate) trait Transport {
    type Head: Head;
    type Body: Body<Error: Into<BoxError>>;
    type Response;
    type Error: From<Error>;

    /// The request's extensions, if its head has none of its own.
    fn extensions(&self) -> Option<&Extensions> {
        None
    }

    /// Notes with a request what was signed, for a guard beneath.
    fn note(&mut self, _head: &mut Self::Head, _signed: SignedRequest) {}

    /// Whether the client takes bodies that are checked or encoded while they are sent.
    const WRAPS: bool = true;

    /// Sends a signed request.
    fn send(
        &mut self,
        head: Self::Head,
        body: Option<SignedBody<Self::Body>>,
    ) -> impl Future<Output = Result<Self::Response, Self::Error>>;

    fn head_of(response: &Self::Response) -> (StatusCode, &HeaderMap);

    fn extensions_of(response: &mut Self::Response) -> &mut Extensions;

    /// Whether the details of what was signed are wanted with this response, besides where the signer records them all.
    fn wants_details(&self, _status: StatusCode) -> bool {
        false
    }

    /// Refuses a response that came from elsewhere than the request was sent to.
    fn check(_sent: &Self::Head, _response: &Self::Response) -> Result<(), Error> {
        Ok(())
    }

    /// Whether sending waits for this response to be dropped if it was not read to its end: sending blocks the thread, and
    /// the response may hold the only stream of their connection.
    fn blocks_next(_response: &Self::Response) -> bool {
        false
    }

    /// Looks for the error code in the body of a refusal, and returns the response with its whole body.
    fn read_refusal(response: Self::Response) -> impl Future<Output = (Self::Response, RefusalBody)>;
}

/// What was read of a refusal's body.
pub(crate) enum RefusalBody {
    /// The client cannot read it and return it whole.
    #[cfg(feature = "tower")]
    Unread,
    /// Its beginning was read, or all of it.
    #[cfg(feature = "reqwest")]
    Read { code: Option<String>, whole: bool },
}

impl RefusalBody {
    fn code(&self) -> Option<&str> {
        match self {
            #[cfg(feature = "tower")]
            Self::Unread => None,
            #[cfg(feature = "reqwest")]
            Self::Read { code, .. } => code.as_deref(),
        }
    }

    /// Whether the response may keep a stream of its connection, which the next request may need.
    fn may_hold_a_stream(&self) -> bool {
        match self {
            #[cfg(feature = "tower")]
            Self::Unread => true,
            #[cfg(feature = "reqwest")]
            Self::Read { whole, .. } => !whole,
        }
    }
}

impl Refusal {
    /// How to recover, by what was read of the body.
    #[cfg_attr(not(feature = "reqwest"), expect(unused_variables, reason = "for codes in a body"))]
    fn recovery(&self, body: &RefusalBody, service: &str) -> Option<Recovery> {
        match (self, body) {
            (Self::Recoverable(recovery), _) => Some(*recovery),
            #[cfg(feature = "reqwest")]
            (Self::SeeBody { date, .. }, RefusalBody::Read { code, .. }) => {
                recovery(code.as_deref()?, *date, service)
            }
            #[cfg(feature = "tower")]
            (Self::SeeBody { without_body, .. }, RefusalBody::Unread) => *without_body,
        }
    }
}

/// A request on its way: its head, as the caller made it, and its body, ready to be signed and sent.
pub(crate) struct OutgoingRequest<H, B> {
    pub(super) head: H,
    pub(super) body: OutgoingBody<B>,
    /// The region that a redirect named or led to.
    pub(super) region: Option<String>,
    /// Whether a redirect asked for it, and not the caller.
    pub(super) redirected: bool,
    /// Day, region and service that the last attempt was signed for.
    #[cfg(feature = "reqwest")]
    pub(super) signed_for: Option<std::sync::Arc<crate::signing::keys::SigningKey>>,
    /// Whether a redirect corrected the region.
    #[cfg(feature = "reqwest")]
    pub(super) region_corrected: bool,
}

impl<H, B> OutgoingRequest<H, B>
where
    H: Head,
    B: Body,
    B::Error: Into<BoxError>,
{
    /// A request whose body is not read yet.
    pub(crate) fn new(head: H, body: B) -> Self {
        Self {
            head,
            body: OutgoingBody::unread(body),
            region: None,
            redirected: false,
            #[cfg(feature = "reqwest")]
            signed_for: None,
            #[cfg(feature = "reqwest")]
            region_corrected: false,
        }
    }

    /// Reads the body, by its payload mode. A request that cannot be signed is refused before its body is waited for.
    pub(crate) async fn read_body<T>(&mut self, signer: &Signer, transport: &mut T) -> Result<(), Error>
    where
        T: Transport<Head = H, Body = B>,
    {
        let Some(body) = self.body.take_unread() else { return Ok(()) };
        let (head, extensions, limits) = (&mut self.head, transport.extensions(), signer.limits());
        let buffers = signer.buffers(extensions.or(head.extensions()));
        let in_memory = body.size_hint().exact().is_some_and(|len| len <= limits.size);
        self.body = if buffers && body.is_end_stream() {
            OutgoingBody::empty()
        } else if buffers && in_memory {
            let check = || signer.check(head.view(extensions)).map(drop);
            OutgoingBody::buffered(body, limits, check).await?
        } else {
            let view = head.view(extensions);
            let mode = signer.check(view)?;
            Box::pin(OutgoingBody::new(body, &mode, limits, view.headers)).await?
        };
        if !T::WRAPS && self.body.is_wrapped() {
            return Err(Error::new(
                ErrorKind::UnsupportedPayload,
                "this payload mode encodes or checks the body while it is sent, so that the client gets another body \
                 type; give the layer a function that makes the client's, as in \
                 SigV4Layer::new(signer).map_body(BoxBody::new)",
            ));
        }
        let method = head.method().clone();
        self.body.declare(&method, head.headers_mut());
        Ok(())
    }

    /// The credentials of this moment, with their keys.
    async fn keys<T>(&mut self, signer: &Signer, transport: &mut T) -> Result<Found<CurrentKeys>, Error>
    where
        T: Transport<Head = H, Body = B>,
    {
        match signer.cached_keys() {
            Some(keys) => Ok(keys),
            // Boxed to keep the future of the usual case small.
            None => Box::pin(signer.keys_for(&self.view(transport.extensions())))
                .await
                .map_err(|error| self.explain(error)),
        }
    }

    fn explain(&self, error: Error) -> Error {
        if self.redirected { error.of_redirect() } else { error }
    }

    /// The request, signed with the clock of this moment.
    ///
    /// Not async: a future would hold what it gives, which is large, and move it once more.
    fn sign<T>(
        &mut self,
        signer: &Signer,
        transport: &mut T,
        keys: Found<CurrentKeys>,
    ) -> Result<(H, SignedWith), Error>
    where
        T: Transport<Head = H, Body = B>,
    {
        let view = self.view(transport.extensions());
        let mut signature = signer
            .signature(keys, &view, self.body.payload(), |made| made.signed_with())
            .map_err(|error| self.explain(error))?;
        if let Some(target) = signature.rewritten.take() {
            self.head.set_target(target).map_err(|error| self.explain(error))?;
        }
        let mut head = self.head.duplicate()?;
        // The caller's own headers are sent: they often have room for a few more.
        mem::swap(head.headers_mut(), self.head.headers_mut());
        let signed_with = signature.apply(head.headers_mut());
        if signer.is_guarded() {
            let signed = SignedRequest::of(&head.view(None), self.body.payload());
            transport.note(&mut head, signed);
        }
        #[cfg(feature = "reqwest")]
        {
            self.signed_for = Some(std::sync::Arc::clone(&signed_with.key));
        }
        Ok((head, signed_with))
    }

    /// Signs the request and begins to send it.
    #[expect(clippy::type_complexity, reason = "the future has no name")]
    fn start<'t, T>(
        &mut self,
        signer: &Signer,
        transport: &'t mut T,
        keys: Found<CurrentKeys>,
    ) -> Result<(impl Future<Output = Result<T::Response, T::Error>> + use<'t, T, H, B>, SignedWith), Error>
    where
        T: Transport<Head = H, Body = B>,
    {
        let (head, mut signed_with) = self.sign(signer, transport, keys)?;
        let body = self.body.take(&mut signed_with);
        Ok((transport.send(head, body), signed_with))
    }

    /// Puts what was signed into the response's extensions, where that is wanted.
    fn record<T>(&self, signer: &Signer, transport: &T, signed_with: &SignedWith, response: &mut T::Response)
    where
        T: Transport<Head = H, Body = B>,
    {
        let (status, _) = T::head_of(response);
        if !signer.records_details() && !transport.wants_details(status) {
            return;
        }
        let view = self.view(transport.extensions());
        if let Ok(details) = signer.details_of(&view, self.body.payload(), signed_with) {
            T::extensions_of(response).insert(details);
        }
    }

    fn view<'a>(&'a self, extensions: Option<&'a Extensions>) -> RequestView<'a> {
        let mut view = self.head.view(extensions);
        if let Some(region) = self.region.as_deref() {
            view.overrides = Overrides { region: Some(region), ..view.overrides };
        }
        view
    }

    /// Learns the server's clock from the head of a response, and what it means for this request.
    fn classify(
        &self,
        signer: &Signer,
        signed_with: &SignedWith,
        (status, headers): (StatusCode, &HeaderMap),
    ) -> Option<Refusal> {
        // Most responses say nothing of the clock or the credentials.
        if !is_refusal(status) && !headers.contains_key(DATE) {
            return None;
        }
        let (clock, reading, host) = (signer.clock(), signed_with.reading, self.head.authority());
        let received = clock.now();
        let learned = clock.learn(host, headers, reading.local, received);
        let skewed = learned.is_some_and(|learned| should_retry(reading.offset, learned));
        let server = server_date(headers);
        let date = DateCheck {
            is_off: skewed || is_stale(server, reading.corrected(), clock.now_for(host)),
            may_be_slow: server.is_some_and(|date| fits(reading.offset, date, reading.local, received)),
            distance: server.map(|server| distance(server, reading.corrected())),
        };
        let has_token = signed_with.keys.token().is_some();
        let service = signed_with.service();
        classify(self.head.method(), status, headers, date, service, has_token)
            .filter(|_| signer.retries_on_auth_error())
    }

    /// One event for each refusal.
    fn log_refusal(
        &self,
        signed_with: &SignedWith,
        (status, headers): (StatusCode, &HeaderMap),
        code_in_body: Option<&str>,
    ) {
        if is_refusal(status) {
            let code = code_in_head(headers);
            let code = code_in_body.or(code.as_deref()).filter(|code| is_code(code));
            metrics::refused(status, code);
            tracing::debug!(
                status = status.as_u16(),
                code,
                scope = signed_with.key.scope(),
                host = self.head.authority(),
                request_id = request_id(headers),
                "the server refused a signed request"
            );
        }
    }
}

/// Signs and sends a request, and once more if the response says that another signature would be accepted.
pub(crate) async fn exchange<T: Transport>(
    signer: &Signer,
    transport: &mut T,
    request: &mut OutgoingRequest<T::Head, T::Body>,
) -> Result<T::Response, T::Error> {
    request.read_body(signer, transport).await.inspect_err(metrics::sign_error)?;
    let keys = request.keys(signer, transport).await.inspect_err(metrics::sign_error)?;
    let (sending, signed_with) = request.start(signer, transport, keys).inspect_err(metrics::sign_error)?;
    let mut first = sending.await.map_err(|error| blame(request, error))?;
    T::check(&request.head, &first)?;
    request.record(signer, transport, &signed_with, &mut first);
    match request.classify(signer, &signed_with, T::head_of(&first)) {
        None => {
            let (first, read) = read_for_log::<T>(first).await;
            let code = read.as_ref().and_then(RefusalBody::code);
            request.log_refusal(&signed_with, T::head_of(&first), code);
            Ok(first)
        }
        // Boxed to keep the future of the usual case small.
        Some(refusal) => Box::pin(recover(signer, transport, request, signed_with, first, refusal)).await,
    }
}

/// Signs and sends a refused request once more, if another signature would be accepted.
async fn recover<T: Transport>(
    signer: &Signer,
    transport: &mut T,
    request: &mut OutgoingRequest<T::Head, T::Body>,
    signed_with: SignedWith,
    first: T::Response,
    refusal: Refusal,
) -> Result<T::Response, T::Error> {
    let (first, read) = T::read_refusal(first).await;
    request.log_refusal(&signed_with, T::head_of(&first), read.code());
    let recovery = refusal.recovery(&read, signed_with.service());
    let is_replayable = request.body.is_replayable();
    let credentials = (signer.credentials(), signed_with.keys.credentials());
    let again = match (recovery, credentials) {
        (Some(Recovery::NewDate), _) => is_replayable,
        // The same credentials again would be refused again.
        (Some(Recovery::NewCredentials), (source, refused)) if is_replayable => {
            source.reload_after_refusal(refused).await.is_some()
        }
        // For the next request.
        (Some(Recovery::NewCredentials | Recovery::MaybeNewCredentials), (source, refused)) => {
            source.reload_in_background(refused);
            false
        }
        (None, _) => false,
    };
    if !again {
        return Ok(first);
    }
    let Ok(keys) = request.keys(signer, transport).await else { return Ok(first) };
    let Ok((head, mut signed_with)) = request.sign(signer, transport, keys) else { return Ok(first) };
    let body = request.body.take(&mut signed_with);
    metrics::resigned(match recovery {
        Some(Recovery::NewDate) => Resigned::Date,
        _ => Resigned::Credentials,
    });
    tracing::debug!(?recovery, host = request.head.authority(), "signed again after a refusal");
    let holds_a_stream = read.may_hold_a_stream();
    let mut second = if holds_a_stream && T::blocks_next(&first) {
        drop(first);
        transport.send(head, body).await?
    } else {
        send_again(transport.send(head, body), first, holds_a_stream).await?
    };
    T::check(&request.head, &second)?;
    request.record(signer, transport, &signed_with, &mut second);
    request.classify(signer, &signed_with, T::head_of(&second));
    let (second, read) = read_for_log::<T>(second).await;
    request.log_refusal(&signed_with, T::head_of(&second), read.as_ref().and_then(RefusalBody::code));
    Ok(second)
}

/// Reads the code from the body of a refusal that the caller gets, if the head has no code and its event is enabled.
async fn read_for_log<T: Transport>(response: T::Response) -> (T::Response, Option<RefusalBody>) {
    let (status, headers) = T::head_of(&response);
    let in_body = is_refusal(status) && code_in_head(headers).is_none() && request_id(headers).is_some();
    if !in_body || !tracing::enabled!(tracing::Level::DEBUG) {
        return (response, None);
    }
    let (response, read) = Box::pin(T::read_refusal(response)).await;
    (response, Some(read))
}

/// The response to a second attempt; the first one if the second has none.
///
/// The first is dropped after [`HOLD`] if it may hold a stream that the second needs.
async fn send_again<R, E>(
    sending: impl Future<Output = Result<R, E>>,
    first: R,
    first_holds_a_stream: bool,
) -> Result<R, E> {
    let mut sending = pin!(sending);
    if first_holds_a_stream {
        match timeout(HOLD, sending.as_mut()).await {
            Ok(sent) => return sent.or(Ok(first)),
            Err(_) => drop(first),
        }
        return sending.await;
    }
    sending.await.or(Ok(first))
}

/// The crate's reason for cutting a body off, which clients lose over HTTP/2, in place of the client's error.
fn blame<H, B, E: From<Error>>(request: &OutgoingRequest<H, B>, error: E) -> E {
    request.body.failure().map_or(error, E::from)
}
