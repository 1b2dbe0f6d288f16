//! Sign, send, look at the response, and at most once more: the only place with that loop.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::DATE;
use http::{Extensions, HeaderMap, Method, StatusCode};
use http_body::Body;

#[cfg(feature = "reqwest")]
use super::classify::recovery;
use super::classify::{
    DateCheck, Recovery, Refusal, classify, code_in_head, distance, is_code, is_refusal, is_stale, request_id,
};
use super::kept_headers::KeptHeaders;
use crate::body::{OutgoingBody, SignedBody, buffer};
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
pub(crate) trait Head {
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

    /// Sends a signed request. Takes the head's headers, and copies all else.
    fn send<'t>(
        &'t mut self,
        head: &mut Self::Head,
        body: Option<SignedBody<Self::Body>>,
    ) -> Result<impl Future<Output = Result<Self::Response, Self::Error>> + use<'t, Self>, Error>;

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
    /// The caller's headers, if an attempt was signed: the head's were sent.
    kept_headers: Option<KeptHeaders>,
    pub(super) body: OutgoingBody<B>,
    /// The region that a redirect named or led to.
    pub(super) region: Option<String>,
    /// Whether a redirect asked for it, and not the caller.
    pub(super) redirected: bool,
    /// What the last attempt was signed with.
    pub(super) signed_with: Option<SignedWith>,
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
            kept_headers: None,
            body: OutgoingBody::unread(body),
            region: None,
            redirected: false,
            signed_with: None,
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
        let (head, extensions) = (&mut self.head, transport.extensions());
        let buffers = signer.buffers(extensions.or(head.extensions()));
        self.body = if buffers && body.is_end_stream() {
            OutgoingBody::empty()
        } else {
            // Boxed to keep the future small while the response is waited for.
            Box::pin(read(body, signer, head, extensions, buffers)).await?
        };
        if !T::WRAPS && self.body.is_wrapped() {
            return Err(Error::new(
                ErrorKind::UnsupportedPayload,
                "this payload mode encodes or checks the body while it is sent, so that the client gets another body \
                 type; give the layer a function that makes the client's, as in \
                 SigV4Layer::new(signer).map_body(BoxBody::new)",
            ));
        }
        let method = self.head.method().clone();
        self.body.declare(&method, self.head.headers_mut());
        Ok(())
    }

    /// The credentials of this moment, with their keys.
    async fn keys<T>(&mut self, signer: &Signer, transport: &mut T) -> Result<Found<CurrentKeys>, Error>
    where
        T: Transport<Head = H, Body = B>,
    {
        match signer.cached_keys() {
            Some(keys) => Ok(keys),
            None => {
                let view = self.view(transport.extensions());
                // Boxed to keep the future of the usual case small.
                let keys = Box::pin(async move { signer.keys_for(&view).await });
                keys.await.map_err(|error| self.explain(error))
            }
        }
    }

    fn explain(&self, error: Error) -> Error {
        if self.redirected { error.of_redirect() } else { error }
    }

    /// Signs the request with the clock of this moment, and begins to send it.
    ///
    /// Not async: a future would hold what is made here, which is large, and move it once more.
    fn start<'t, T>(
        &mut self,
        signer: &Signer,
        transport: &'t mut T,
        keys: Found<CurrentKeys>,
    ) -> Result<impl Future<Output = Result<T::Response, T::Error>> + use<'t, T, H, B>, Error>
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
        // The caller's own map is sent: it often has room for a few more.
        let headers = self.head.headers_mut();
        self.kept_headers = Some(KeptHeaders::of(headers));
        let signed_with = self.signed_with.insert(signature.apply(headers));
        if signer.is_guarded() {
            let signed = SignedRequest::of(&self.head.view(None), self.body.payload());
            transport.note(&mut self.head, signed);
        }
        let body = self.body.take(signed_with);
        transport.send(&mut self.head, body)
    }

    /// Gives the head its own headers back, if others were sent.
    pub(super) fn restore_headers(&mut self) -> Result<(), Error> {
        let Some(kept) = &self.kept_headers else { return Ok(()) };
        kept.restore(self.head.headers_mut()).map_err(|error| {
            let message = "the request cannot be sent again: it has a header that no request can have";
            Error::with_source(ErrorKind::InvalidHeader, message, error)
        })?;
        self.kept_headers = None;
        Ok(())
    }

    /// Puts what was signed into the response's extensions, where that is wanted.
    fn record<T>(&mut self, signer: &Signer, transport: &T, response: &mut T::Response)
    where
        T: Transport<Head = H, Body = B>,
    {
        let (status, _) = T::head_of(response);
        if !signer.records_details() && !transport.wants_details(status) {
            return;
        }
        let (Ok(()), Some(signed_with)) = (self.restore_headers(), &self.signed_with) else { return };
        let view = self.view(transport.extensions());
        if let Ok(details) = signer.details_of(&view, self.body.payload(), signed_with) {
            T::extensions_of(response).insert(details);
        }
    }

    fn view<'a>(&'a self, extensions: Option<&'a Extensions>) -> RequestView<'a> {
        debug_assert!(self.kept_headers.is_none(), "the headers are not restored");
        let mut view = self.head.view(extensions);
        if let Some(region) = self.region.as_deref() {
            view.overrides = Overrides { region: Some(region), ..view.overrides };
        }
        view
    }

    /// Learns the server's clock from the head of a response, and what it means for this request.
    fn classify(&self, signer: &Signer, (status, headers): (StatusCode, &HeaderMap)) -> Option<Refusal> {
        // Most responses say nothing of the clock or the credentials.
        if !is_refusal(status) && !headers.contains_key(DATE) {
            return None;
        }
        let signed_with = self.signed_with.as_ref()?;
        let (clock, reading, host) = (signer.clock(), signed_with.reading, self.head.authority());
        let received = clock.now();
        let learned = clock.learn(host, headers, reading.local, received);
        if !is_refusal(status) {
            return None;
        }
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
    fn log_refusal(&self, (status, headers): (StatusCode, &HeaderMap), code_in_body: Option<&str>) {
        let code = code_in_head(headers);
        let code = code_in_body.or(code.as_deref()).filter(|code| is_code(code));
        metrics::refused(status, code);
        tracing::debug!(
            status = status.as_u16(),
            code,
            scope = self.signed_with.as_ref().map(|signed_with| signed_with.key.scope()),
            host = self.head.authority(),
            request_id = request_id(headers),
            "the server refused a signed request"
        );
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
    let sending = request.start(signer, transport, keys).inspect_err(metrics::sign_error)?;
    let mut first = sending.await.map_err(|error| blame(request, error))?;
    T::check(&request.head, &first)?;
    request.record(signer, transport, &mut first);
    let refusal = request.classify(signer, T::head_of(&first));
    if !is_refusal(T::head_of(&first).0) {
        return Ok(first);
    }
    // Boxed to keep the future of the usual case small.
    Box::pin(recover(signer, transport, request, first, refusal)).await
}

/// Reads a body, by its payload mode, or by the signer's one if that `buffers`.
///
/// `head` is not changed: a future that holds a shared reference would be `Send` only if the head were `Sync`.
async fn read<B: Body<Error: Into<BoxError>>>(
    body: B,
    signer: &Signer,
    head: &mut impl Head,
    extensions: Option<&Extensions>,
    buffers: bool,
) -> Result<OutgoingBody<B>, Error> {
    let limits = signer.limits();
    if buffers && body.size_hint().exact().is_some_and(|len| len <= limits.size) {
        let check = || signer.check(head.view(extensions)).map(drop);
        return Ok(buffer(body, limits, check).await?.into());
    }
    let view = head.view(extensions);
    let mode = signer.check(view)?;
    OutgoingBody::new(body, &mode, limits, view.headers).await
}

/// Logs a refusal; signs and sends the request once more, if another signature would be accepted.
async fn recover<T: Transport>(
    signer: &Signer,
    transport: &mut T,
    request: &mut OutgoingRequest<T::Head, T::Body>,
    first: T::Response,
    refusal: Option<Refusal>,
) -> Result<T::Response, T::Error> {
    let Some(refusal) = refusal else { return Ok(log_refusal::<T>(request, first).await) };
    let (first, read) = T::read_refusal(first).await;
    request.log_refusal(T::head_of(&first), read.code());
    let Some(signed_with) = &request.signed_with else { return Ok(first) };
    let recovery = refusal.recovery(&read, signed_with.service());
    let is_replayable = request.body.is_replayable();
    let (source, refused) = (signer.credentials(), Arc::clone(signed_with.keys.credentials()));
    let again = match recovery {
        Some(Recovery::NewDate) => is_replayable,
        // The same credentials again would be refused again.
        Some(Recovery::NewCredentials) if is_replayable => {
            source.reload_after_refusal(&refused).await.is_some()
        }
        // For the next request.
        Some(Recovery::NewCredentials | Recovery::MaybeNewCredentials) => {
            source.reload_in_background(&refused);
            false
        }
        None => false,
    };
    if !again || request.restore_headers().is_err() {
        return Ok(first);
    }
    let Ok(keys) = request.keys(signer, transport).await else { return Ok(first) };
    let Ok(sending) = request.start(signer, transport, keys) else { return Ok(first) };
    metrics::resigned(match recovery {
        Some(Recovery::NewDate) => Resigned::Date,
        _ => Resigned::Credentials,
    });
    tracing::debug!(?recovery, host = request.head.authority(), "signed again after a refusal");
    let holds_a_stream = read.may_hold_a_stream();
    let mut second = if holds_a_stream && T::blocks_next(&first) {
        drop(first);
        sending.await?
    } else {
        send_again(sending, first, holds_a_stream).await?
    };
    T::check(&request.head, &second)?;
    request.record(signer, transport, &mut second);
    request.classify(signer, T::head_of(&second));
    if !is_refusal(T::head_of(&second).0) {
        return Ok(second);
    }
    Ok(log_refusal::<T>(request, second).await)
}

/// Logs a refusal that the caller gets. The code is read from its body, if the head has none and the event is enabled.
async fn log_refusal<T: Transport>(
    request: &mut OutgoingRequest<T::Head, T::Body>,
    response: T::Response,
) -> T::Response {
    let (status, headers) = T::head_of(&response);
    let in_body = code_in_head(headers).is_none() && request_id(headers).is_some();
    if !in_body || !tracing::enabled!(tracing::Level::DEBUG) {
        request.log_refusal((status, headers), None);
        return response;
    }
    let (response, read) = T::read_refusal(response).await;
    request.log_refusal(T::head_of(&response), read.code());
    response
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
