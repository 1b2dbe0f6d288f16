//! The steps of one signature, in their order.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, HeaderValue};

use super::canonical::{CanonicalRequest, HashSink, SignedHeaders};
use super::date::epoch_seconds;
use super::details::SigningDetails;
use super::headers::signature_headers;
#[cfg(feature = "event-stream")]
use super::keys::RegionScope;
use super::keys::{CredentialsWithKeys, CurrentKeys, DatedKey, SignatureHex, hex};
use super::payload::Payload;
use super::prepare::PreparedRequest;
use super::request::RequestView;
use super::scope::Scope;
use super::signature::{Signature, SignedWith};
use super::signer::{Inner, Signer};
#[cfg(feature = "event-stream")]
use super::streaming::EventSigner;
use super::streaming::{ChunkSigner, signature_len};
use crate::cache::Found;
use crate::clock::ClockReading;
use crate::error::{Error, ErrorKind};
use crate::metrics::SigningTimer;

impl Signer {
    /// Signs a request with these credentials, at the current time.
    ///
    /// `attempt` makes the caller's record of what the signature was made with.
    pub(crate) fn signature<A>(
        &self,
        keys: Found<CurrentKeys>,
        request: &RequestView<'_>,
        payload: Payload<'_>,
        attempt: impl FnOnce(Attempt<'_>) -> A,
    ) -> Result<Signature<A>, Error> {
        // First, as the clock waits for all before it.
        let now = self.inner.clock.now();
        // Borrowed from the result: it is large to move.
        let known = self.known_host(request)?;
        let prepared = &self.prepare(request, &known);
        let prepared = prepared.as_ref().map_err(Error::clone)?;
        Ok(self.sign_headers(prepared, (keys, now), payload, log_signed(prepared), attempt)?.0)
    }

    pub(super) async fn signature_with_details(
        &self,
        request: &RequestView<'_>,
        payload: Payload<'_>,
    ) -> Result<(Signature<SignedWith>, SigningDetails), Error> {
        let keys = self.keys_for(request).await?;
        let now = self.inner.clock.now();
        let known = self.known_host(request)?;
        let prepared = self.prepare(request, &known)?;
        let explain = |context: &SigningContext, canonical: &CanonicalRequest<'_, '_>| {
            log_signed(&prepared)(context, canonical);
            context.details(&prepared, canonical)
        };
        let (signature, mut details) =
            self.sign_headers(&prepared, (keys, now), payload, explain, |made| made.signed_with())?;
        details.set_clock_offset_seconds(signature.attempt.reading.offset.seconds());
        Ok((signature, details))
    }

    /// What an attempt was signed as, made again from the same request, date and keys.
    pub(crate) fn details_of(
        &self,
        request: &RequestView<'_>,
        payload: Payload<'_>,
        signed_with: &SignedWith,
    ) -> Result<SigningDetails, Error> {
        let known = self.known_host(request)?;
        let prepared = self.prepare(request, &known)?;
        let keys = CurrentKeys { keys: Arc::clone(&signed_with.keys), validity: None };
        let explain = |context: &SigningContext, canonical: &CanonicalRequest<'_, '_>| {
            context.details(&prepared, canonical)
        };
        let (reading, keys) = (signed_with.reading, Found::new(keys.into()));
        Ok(self.sign_headers_at(&prepared, keys, payload, reading, explain, |_| ())?.1)
    }

    /// The keys of the last signature, if their credentials are still the cached ones.
    pub(crate) fn cached_keys(&self) -> Option<Found<CurrentKeys>> {
        self.inner.cached_keys()
    }

    /// Credentials for a request, with their keys. One that cannot be signed does not wait for them, but is refused.
    pub(crate) async fn keys_for(&self, request: &RequestView<'_>) -> Result<Found<CurrentKeys>, Error> {
        if let Some(keys) = self.cached_keys() {
            return Ok(keys);
        }
        self.prepare(request, &*self.known_host(request)?)?;
        // Boxed to keep the future of the usual case small.
        Box::pin(self.inner.load_keys()).await
    }

    /// Credentials, date and key for a presigned URL. Its date is never shifted by a learned offset.
    pub(crate) fn presigning_context(
        &self,
        prepared: &PreparedRequest<'_>,
        keys: Found<CurrentKeys>,
    ) -> Result<(SigningContext, SystemTime), Error> {
        let now = self.inner.clock.now();
        Ok((SigningContext::new(&prepared.scope, keys, now)?, now))
    }

    /// Signs a prepared request. Pure but for the caches of the signer.
    ///
    /// `look` is shown what was signed, after the fact; `attempt` what it was made with.
    fn sign_headers<T, A>(
        &self,
        prepared: &PreparedRequest<'_>,
        (keys, now): (Found<CurrentKeys>, SystemTime),
        payload: Payload<'_>,
        look: impl FnOnce(&SigningContext, &CanonicalRequest<'_, '_>) -> T,
        attempt: impl FnOnce(Attempt<'_>) -> A,
    ) -> Result<(Signature<A>, T), Error> {
        let timer = SigningTimer::start();
        let reading = self.inner.clock.read_at(now, prepared.origin.authority);
        let attempt = |made: Attempt<'_>| {
            timer.signed(made.context.key.service(), made.payload.hashed_len());
            attempt(made)
        };
        self.sign_headers_at(prepared, keys, payload, reading, look, attempt)
    }

    fn sign_headers_at<T, A>(
        &self,
        prepared: &PreparedRequest<'_>,
        keys: Found<CurrentKeys>,
        mut payload: Payload<'_>,
        reading: ClockReading,
        look: impl FnOnce(&SigningContext, &CanonicalRequest<'_, '_>) -> T,
        attempt: impl FnOnce(Attempt<'_>) -> A,
    ) -> Result<(Signature<A>, T), Error> {
        prepared.settle_payload(self, &mut payload)?;
        let context = SigningContext::new(&prepared.scope, keys, reading.corrected())?;
        let hash = payload.hash();

        let mut headers = SignedHeaders::default();
        prepared.headers(self, &mut headers)?;
        // The signer's own in part, and signed by all who send chunks.
        if payload.is_chunked()
            && let Some(encoding) = prepared.request.headers.get(CONTENT_ENCODING)
            && !headers.contains(CONTENT_ENCODING.as_str())
        {
            headers.push("content-encoding", encoding.as_bytes());
        }
        // By their names, so that there is mostly nothing to sort.
        let declares_payload =
            prepared.profile.content_sha256_header || payload.is_chunked() || prepared.declared.is_some();
        if declares_payload {
            headers.push_own(signature_headers::CONTENT_SHA256_NAME, hash.as_bytes());
        }
        headers.push_own(signature_headers::DATE_NAME, context.key.date().as_str().as_bytes());
        let region_set = prepared.region_set();
        if let Some(set) = region_set {
            headers.push(signature_headers::REGION_SET_NAME, set.as_bytes());
        }
        if let Some(token) = context.keys.token() {
            headers.push_own(prepared.profile.token_header, token.as_bytes());
        }
        headers.sort();

        let mut authorization = start_authorization(&context, &headers);
        let signed_names = &authorization[context.key.authorization().len()..];
        let canonical =
            prepared.canonical(prepared.target.query(), (&headers, signed_names), hash.as_bytes());
        let signature = context.sign(&canonical);
        let chain = payload.is_chunked().then(|| Box::new(context.chain(signature.clone())));
        #[cfg(feature = "event-stream")]
        let events = match prepared.scope.reach {
            RegionScope::Region(region) if payload.is_event_stream() => {
                let clock = (Arc::clone(&self.inner.clock), prepared.origin.authority);
                let chain = EventSigner::new(
                    Arc::clone(&context.keys.keys),
                    clock,
                    (prepared.scope.service, region),
                    &signature,
                );
                Some(Box::new(chain))
            }
            _ => None,
        };
        let looked_at = look(&context, &canonical);
        authorization.extend_from_slice(BEFORE_SIGNATURE);
        authorization.extend_from_slice(&signature);
        let authorization = sensitive_header(authorization)?;
        let replace = headers.replace;
        drop(headers);
        let token = context.keys.token();
        let token = token.map(|token| (prepared.profile.token_header_name(), token.clone()));
        let signature = Signature {
            date: context.key.date().header().clone(),
            token,
            content_sha256: declares_payload.then(|| hash.to_header()).transpose()?,
            authorization,
            region_set: region_set.map(region_set_header).transpose()?,
            replace,
            drop_host: prepared.host.drop_header,
            rewritten: prepared.rewrites_uri().then(|| prepared.target.to_path_and_query()),
            attempt: attempt(Attempt {
                context: &context,
                payload: &payload,
                reading,
                chain,
                #[cfg(feature = "event-stream")]
                events,
            }),
        };
        Ok((signature, looked_at))
    }
}

/// Logs what was signed at TRACE, its secret values redacted.
fn log_signed<'p>(
    prepared: &'p PreparedRequest<'_>,
) -> impl FnOnce(&SigningContext, &CanonicalRequest<'_, '_>) + 'p {
    move |context, canonical| {
        if tracing::enabled!(tracing::Level::TRACE) {
            let details = context.details(prepared, canonical);
            tracing::trace!(
                host = prepared.origin.authority,
                access_key_id = context.keys.access_key_id(),
                canonical_request = details.canonical_request(),
                string_to_sign = details.string_to_sign(),
                rule = details.rule(),
                "signed a request"
            );
        }
    }
}

impl Inner {
    /// The keys of the last signature, if their credentials are still the cached ones.
    fn cached_keys(&self) -> Option<Found<CurrentKeys>> {
        let is_valid = |known: &CurrentKeys| {
            known.validity.as_ref().is_some_and(|validity| self.credentials.is_valid(validity))
        };
        if let Some(keys) = self.keys.find(is_valid) {
            return Some(keys);
        }
        let known = self.keys.find(|_| true)?;
        let validity = self.credentials.validity(known.credentials())?;
        Some(self.keys.add(CurrentKeys { keys: Arc::clone(&known.keys), validity: Some(validity) }))
    }

    /// The credentials of this context, with their keys.
    pub(super) async fn load_keys(&self) -> Result<Found<CurrentKeys>, Error> {
        let credentials = self.credentials.snapshot().await?;
        let is_same =
            |known: &CurrentKeys| Arc::ptr_eq(known.credentials(), &credentials) || known.is_of(&credentials);
        if let Some(keys) = self.keys.find(is_same) {
            return Ok(keys);
        }
        let validity = self.credentials.validity(&credentials);
        let keys = Arc::new(CredentialsWithKeys::new(credentials)?);
        Ok(self.keys.add(CurrentKeys { keys, validity }))
    }
}

/// What a signature is made with, all of one context.
pub(crate) struct SigningContext {
    pub(crate) keys: Found<CurrentKeys>,
    pub(crate) key: Found<DatedKey>,
    pub(crate) algorithm: &'static str,
}

/// One signature, and what it was made with.
pub(crate) struct Attempt<'a> {
    context: &'a SigningContext,
    payload: &'a Payload<'a>,
    reading: ClockReading,
    chain: Option<Box<ChunkSigner>>,
    #[cfg(feature = "event-stream")]
    events: Option<Box<EventSigner>>,
}

impl Attempt<'_> {
    /// The same, to be kept until the response is there.
    pub(crate) fn signed_with(self) -> SignedWith {
        SignedWith {
            keys: Arc::clone(&self.context.keys.keys),
            key: Arc::clone(self.context.key.key()),
            reading: self.reading,
            chain: self.chain,
            #[cfg(feature = "event-stream")]
            events: self.events,
        }
    }
}

impl SigningContext {
    #[inline(always)]
    fn new(scope: &Scope<'_>, keys: Found<CurrentKeys>, time: SystemTime) -> Result<Self, Error> {
        let seconds = epoch_seconds(time)?;
        let key = keys.signing_key(seconds, scope.reach, scope.service)?;
        Ok(Self { keys, key, algorithm: scope.reach.algorithm() })
    }

    /// The signature of a canonical request, in lower-case hex.
    pub(crate) fn sign(&self, canonical: &CanonicalRequest<'_, '_>) -> SignatureHex {
        self.key.sign_request(&canonical_hash(canonical))
    }

    /// Signs the chunks of the request's body, the first with the request's signature.
    fn chain(&self, signature: SignatureHex) -> ChunkSigner {
        ChunkSigner::new(Arc::clone(&self.key), self.algorithm, signature)
    }

    /// What was signed, without its secret values.
    pub(crate) fn details(
        &self,
        prepared: &PreparedRequest<'_>,
        canonical: &CanonicalRequest<'_, '_>,
    ) -> SigningDetails {
        let string_to_sign = self.key.string_to_sign(&canonical_hash(canonical)).concat();
        let string_to_sign = String::from_utf8_lossy(&string_to_sign).into_owned();
        let mut details = SigningDetails::of_signer(canonical.redacted_text(), string_to_sign)
            .with_access_key_id(self.keys.access_key_id())
            .with_session_token(self.keys.token().is_some())
            .with_url_host(prepared.origin.authority);
        details.set_sent(prepared.request.headers);
        details.set_rule(prepared.scope.rule(prepared.request.path));
        details
    }
}

fn canonical_hash(canonical: &CanonicalRequest<'_, '_>) -> [u8; 64] {
    let mut sink = HashSink::new();
    canonical.write(&mut sink);
    hex(&sink.finish())
}

fn region_set_header(set: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(set)
        .map_err(|error| Error::with_source(ErrorKind::ScopeInvalid, "the region set is not text", error))
}

/// Stands between the names of the signed headers and the signature.
const BEFORE_SIGNATURE: &[u8] = b", Signature=";

/// An Authorization header up to its signature, in as much memory as the whole needs.
fn start_authorization(context: &SigningContext, headers: &SignedHeaders<'_>) -> Vec<u8> {
    let start = context.key.authorization().as_bytes();
    let signature = BEFORE_SIGNATURE.len() + signature_len(false);
    let mut out = Vec::with_capacity(start.len() + headers.names_len + signature);
    out.extend_from_slice(start);
    headers.write_names(&mut out);
    out
}

#[inline]
fn sensitive_header(text: Vec<u8>) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_maybe_shared(Bytes::from(text)).map_err(|error| {
        Error::with_source(ErrorKind::CredentialsInvalid, "the access key id cannot stand in a header", error)
    })?;
    value.set_sensitive(true);
    Ok(value)
}
