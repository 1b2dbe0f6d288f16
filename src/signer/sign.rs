//! The steps of one signature, in their order.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_ENCODING, HeaderValue};

use super::{Inner, RequestView, Signer, scope::Scope};
use crate::canonical::{CanonicalRequest, HashSink, SignedHeaders};
use crate::chain::Chain;
#[cfg(feature = "event-stream")]
use crate::chain::EventChain;
use crate::date::AmzDate;
use crate::error::{Error, ErrorKind};
use crate::headers::own;
use crate::key::{Identity, Reach, SignatureHex, SigningKey, hex};
#[cfg(feature = "event-stream")]
use crate::payload::is_event_stream;
use crate::payload::{Payload, PayloadMode};
use crate::service::ServiceProfile;
use crate::signature::Attempt;
use crate::signature::Signature;
use crate::wire::{self, Origin, PathForm, Target};

/// Everything about a request that can be decided, or refused, before its body is looked at.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    request: RequestView<'a>,
    origin: Origin<'a>,
    /// The Host that the server will see.
    host: &'a [u8],
    scope: Scope<'a>,
    profile: ServiceProfile,
    target: Target<'a>,
    payload: PayloadMode,
}

impl Plan<'_> {
    /// How the body is to be treated.
    ///
    /// # Errors
    /// [`ErrorKind::Payload`] where the service does not take it so.
    fn payload_mode(&self) -> Result<PayloadMode, Error> {
        #[cfg(feature = "event-stream")]
        if self.payload == PayloadMode::EventStream && self.region_set()?.is_some() {
            return Err(Error::new(
                ErrorKind::Payload,
                "event streams are signed with SigV4, for one region; say a region in place of the region set",
            ));
        }
        let PayloadMode::AwsChunked(options) = &self.payload else { return Ok(self.payload.clone()) };
        if !self.profile.aws_chunked {
            return Err(Error::new(
                ErrorKind::Payload,
                format!(
                    "the service {} does not take bodies in aws-chunked form, which is S3's own; use another payload \
                     mode, or a ServiceProfile with .aws_chunked(true) for a store that speaks S3's dialect",
                    self.service_and_reach()?.0
                ),
            ));
        }
        match options.refusal() {
            Some(refusal) => Err(Error::new(ErrorKind::Payload, refusal)),
            None => {
                let of_signer = self.request.overrides.payload.is_none();
                let options = options.for_v4a(self.region_set()?.is_some()).unless_empty(of_signer);
                Ok(PayloadMode::AwsChunked(options))
            }
        }
    }

    pub(crate) fn service_and_reach(&self) -> Result<(&str, Reach<'_>), Error> {
        self.scope.service_and_reach()
    }

    /// The region set, for a request signed with SigV4a.
    pub(crate) fn region_set(&self) -> Result<Option<&str>, Error> {
        Ok(match self.service_and_reach()?.1 {
            Reach::Region(_) => None,
            Reach::RegionSet(set) => Some(set),
        })
    }

    pub(crate) fn profile(&self) -> &ServiceProfile {
        &self.profile
    }

    pub(crate) fn target(&self) -> &Target<'_> {
        &self.target
    }

    /// Adds the headers that are signed, before the signer's own.
    pub(crate) fn headers<'a>(
        &'a self,
        signer: &Signer,
        headers: &mut SignedHeaders<'a>,
    ) -> Result<(), Error> {
        let policy = &signer.inner.settings.headers;
        policy.select(self.request.headers, self.request.overrides.sign_headers, headers)?;
        headers.push("host", self.host);
        Ok(())
    }

    pub(crate) fn canonical<'a, 'h>(
        &'a self,
        query: &'a str,
        headers: &'a SignedHeaders<'h>,
        payload_hash: &'a [u8],
    ) -> CanonicalRequest<'a, 'h> {
        CanonicalRequest {
            method: self.request.method.as_str(),
            path: &self.target.path,
            query,
            double_encode: self.profile.double_encode,
            normalize_path: self.profile.normalize_path,
            headers,
            payload_hash,
        }
    }
}

/// What was signed, to be looked at: shown by `sigv4_curl -v`, and what to compare with the canonical request that a
/// server prints when it refuses a signature.
///
/// The session token is left out of the canonical request. Display gives all of it over several lines.
#[derive(Clone, Debug)]
pub struct Explanation {
    canonical_request: String,
    string_to_sign: String,
    rule: Option<String>,
}

impl Explanation {
    /// The canonical request, its session token left out.
    #[must_use]
    pub fn canonical_request(&self) -> &str {
        &self.canonical_request
    }

    /// The string to sign: algorithm, date, credential scope, and the hash of the (whole) canonical request.
    #[must_use]
    pub fn string_to_sign(&self) -> &str {
        &self.string_to_sign
    }

    /// The rule by which service and region were read off the host, if they were.
    #[must_use]
    pub fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "canonical request:\n{}\n", self.canonical_request)?;
        write!(f, "string to sign:\n{}", self.string_to_sign)
    }
}

impl Signer {
    /// Decides where, for what and in which form a request is signed.
    pub(crate) fn plan<'a>(&'a self, request: RequestView<'a>) -> Result<Plan<'a>, Error> {
        let inner = &*self.inner;
        let origin = Origin::new(request.scheme, request.authority)?;
        let known = inner.known_host(origin.host);
        if !(known.allowed && origin.is_secure() && origin.port.is_none()) {
            inner.origins.check(origin.http_scheme(), origin.host, origin.port)?;
        }
        let host = wire::host(&origin, request.headers, inner.settings.host_header_may_differ)?;
        let scope = inner.scope(&request, known)?;
        let (service, _) = scope.service_and_reach()?;
        let profile = request.overrides.profile.or(inner.settings.profile);
        let profile = profile.unwrap_or_else(|| ServiceProfile::for_service(service));
        let form = if profile.double_encode { PathForm::AsGiven } else { PathForm::Strict };
        let target = Target::new(request.path, request.query, form, inner.settings.plus, true)?;
        let said = request.overrides.payload.unwrap_or(match inner.settings.payload {
            PayloadMode::AwsChunked(_) if request.method != Method::PUT => &PayloadMode::Buffered,
            #[cfg(feature = "event-stream")]
            PayloadMode::EventStream if !is_event_stream(request.headers) => &PayloadMode::Buffered,
            ref payload => payload,
        });
        let unsigned = *said == PayloadMode::Buffered && inner.leaves_unsigned(&profile, &origin);
        let payload = if unsigned { PayloadMode::Unsigned } else { said.clone() };
        Ok(Plan { request, origin, host, scope, profile, target, payload })
    }

    /// Whether a request is to be sent as it came: it says so, or goes to an origin that may not be signed for and the
    /// signer was told to let such requests through.
    pub(crate) fn passes_through(&self, request: &RequestView<'_>) -> bool {
        let not_allowed = || {
            let origin = Origin::new(request.scheme, request.authority);
            origin.is_ok_and(|origin| {
                self.inner.origins.check(origin.http_scheme(), origin.host, origin.port).is_err()
            })
        };
        request.overrides.skip || (self.inner.settings.unsigned_elsewhere && not_allowed())
    }

    /// Refuses what can be refused before the body is read, and says how to read it.
    pub(crate) fn preview(&self, request: RequestView<'_>) -> Result<PayloadMode, Error> {
        let plan = self.plan(request)?;
        plan.headers(self, &mut SignedHeaders::default())?;
        plan.payload_mode()
    }

    /// The signature of a request, with the credentials and the time of this moment.
    #[cfg(feature = "reqwest-middleware")]
    pub(crate) async fn signature(
        &self,
        request: &RequestView<'_>,
        payload: Payload<'_>,
    ) -> Result<Signature, Error> {
        let identity = self.identity_for(request).await?;
        self.signature_by(identity, request, payload)
    }

    /// The signature of a request, with the time of this moment.
    pub(super) fn signature_by(
        &self,
        identity: Arc<Identity>,
        request: &RequestView<'_>,
        payload: Payload<'_>,
    ) -> Result<Signature, Error> {
        let plan = self.plan(*request)?;
        Ok(self.sign_headers(&plan, identity, payload, |_, _| ())?.0)
    }

    pub(super) async fn explained_signature(
        &self,
        request: &RequestView<'_>,
        payload: Payload<'_>,
    ) -> Result<(Signature, Explanation), Error> {
        let identity = self.identity_for(request).await?;
        let plan = self.plan(*request)?;
        let explain =
            |moment: &Moment, canonical: &CanonicalRequest<'_, '_>| moment.explain(&plan, canonical);
        self.sign_headers(&plan, identity, payload, explain)
    }

    /// Credentials for a request, with their keys. One that cannot be signed does not wait for them, but is refused.
    pub(crate) async fn identity_for(&self, request: &RequestView<'_>) -> Result<Arc<Identity>, Error> {
        if let Some(identity) = self.inner.identity_at_hand() {
            return Ok(identity);
        }
        self.plan(*request)?;
        self.inner.identity().await
    }

    /// Identity, date and key for a presigned URL, whose date is never shifted by what was learned of a clock.
    pub(crate) fn presigning_moment(
        &self,
        plan: &Plan<'_>,
        identity: Arc<Identity>,
    ) -> Result<(Moment, SystemTime), Error> {
        let now = self.inner.clock.now();
        Ok((Moment::new(&self.inner, plan, identity, now)?, now))
    }

    /// Signs a planned request. Pure but for the clock and the caches of the signer.
    ///
    /// `look` is shown what was signed, after the fact.
    fn sign_headers<T>(
        &self,
        plan: &Plan<'_>,
        identity: Arc<Identity>,
        payload: Payload<'_>,
        look: impl FnOnce(&Moment, &CanonicalRequest<'_, '_>) -> T,
    ) -> Result<(Signature, T), Error> {
        let inner = &*self.inner;
        if payload.is_unsigned() && !plan.origin.is_secure() && !inner.settings.unsigned_over_http {
            return Err(Error::new(
                ErrorKind::Payload,
                "an unsigned payload over plain http could be changed by anyone on the way; use https, or a payload \
                 that is hashed or signed, or call .allow_unsigned_over_http(true) on the signer's builder",
            ));
        }
        let unsigned = payload.is_bytes() && inner.leaves_unsigned(&plan.profile, &plan.origin);
        let payload = if unsigned { Payload::unsigned() } else { payload };
        let reading = inner.clock.read(plan.origin.host);
        let moment = Moment::new(inner, plan, Arc::clone(&identity), reading.corrected())?;
        let hash = payload.hash();
        let token = moment.identity.token().map(|token| (plan.profile.token_header, token));

        let mut headers = SignedHeaders::default();
        plan.headers(self, &mut headers)?;
        // The signer's own in part, and signed by all who send chunks.
        if payload.is_chunked()
            && let Some(encoding) = plan.request.headers.get(CONTENT_ENCODING)
            && !headers.contains(CONTENT_ENCODING.as_str())
        {
            headers.push("content-encoding", encoding.as_bytes());
        }
        headers.push_own(own::DATE_NAME, moment.date.as_str().as_bytes());
        if let Some((name, token)) = token {
            headers.push_own(name, token.as_bytes());
        }
        let region_set = plan.region_set()?;
        if let Some(set) = region_set {
            headers.push(own::REGION_SET_NAME, set.as_bytes());
        }
        let declares_payload = plan.profile.content_sha256_header || payload.is_chunked();
        if declares_payload {
            headers.push_own(own::CONTENT_SHA256_NAME, hash.as_bytes());
        }
        headers.sort();

        let canonical = plan.canonical(plan.target.query(), &headers, hash.as_bytes());
        let signature = moment.sign(&canonical);
        let chain = payload.is_chunked().then(|| Box::new(moment.chain(signature.clone())));
        #[cfg(feature = "event-stream")]
        let events = match plan.service_and_reach()? {
            (service, Reach::Region(region)) if payload.is_event_stream() => {
                let clock = (Arc::clone(&inner.clock), plan.origin.host);
                let chain = EventChain::new(Arc::clone(&identity), clock, (service, region), &signature);
                Some(Box::new(chain))
            }
            _ => None,
        };
        let signature = Signature {
            date: moment.date.header().clone(),
            token: token.map(|(_, value)| (plan.profile.token_header_name(), value.clone())),
            content_sha256: declares_payload.then(|| hash.to_header()).transpose()?,
            authorization: authorization(&moment, headers.names(), &signature)?,
            region_set: region_set.map(region_set_header).transpose()?,
            replace: headers.replace,
            rewritten: plan.target.is_rewritten().then(|| plan.target.to_path_and_query()),
            attempt: Attempt {
                identity,
                reading,
                chain,
                #[cfg(feature = "event-stream")]
                events,
            },
        };
        Ok((signature, look(&moment, &canonical)))
    }
}

impl Inner {
    /// Whether a payload of which nothing is said goes unsigned.
    fn leaves_unsigned(&self, profile: &ServiceProfile, origin: &Origin<'_>) -> bool {
        profile.unsigned_payload && (origin.is_secure() || self.settings.unsigned_over_http)
    }

    /// The identity that was last made, if its credentials are those at hand.
    fn identity_at_hand(&self) -> Option<Arc<Identity>> {
        let known = self.identity.load();
        let identity = known.as_ref()?;
        self.credentials.has_at_hand(identity.credentials()).then(|| Arc::clone(identity))
    }

    /// The credentials of this moment, with their keys.
    pub(super) async fn identity(&self) -> Result<Arc<Identity>, Error> {
        let credentials = self.credentials.snapshot().await?;
        let known = self.identity.load();
        if let Some(identity) = known.as_ref() {
            let same = Arc::ptr_eq(identity.credentials(), &credentials) || identity.is_of(&credentials);
            if same {
                return Ok(Arc::clone(identity));
            }
        }
        let identity = Arc::new(Identity::new(credentials)?);
        self.identity.store(Some(Arc::clone(&identity)));
        Ok(identity)
    }
}

/// What a signature is made with, all of one moment.
pub(crate) struct Moment {
    pub(crate) identity: Arc<Identity>,
    pub(crate) date: Arc<AmzDate>,
    pub(crate) key: Arc<SigningKey>,
    pub(crate) algorithm: &'static str,
}

impl Moment {
    fn new(inner: &Inner, plan: &Plan<'_>, identity: Arc<Identity>, time: SystemTime) -> Result<Self, Error> {
        let (service, reach) = plan.service_and_reach()?;
        let date = inner.last_date.at(time)?;
        let key = identity.signing_key(time, &date, reach, service)?;
        Ok(Self { identity, date, key, algorithm: reach.algorithm() })
    }

    /// The signature of a canonical request, in lower-case hex.
    pub(crate) fn sign(&self, canonical: &CanonicalRequest<'_, '_>) -> SignatureHex {
        self.key.sign(&self.string_to_sign(&canonical_hash(canonical)))
    }

    /// What the signatures within the request's body go on from.
    fn chain(&self, signature: SignatureHex) -> Chain {
        Chain::new(Arc::clone(&self.key), Arc::clone(&self.date), self.algorithm, signature)
    }

    fn string_to_sign<'a>(&'a self, canonical_hash: &'a [u8; 64]) -> [&'a [u8]; 7] {
        let (date, scope) = (self.date.as_str().as_bytes(), self.key.scope().as_bytes());
        [self.algorithm.as_bytes(), b"\n", date, b"\n", scope, b"\n", canonical_hash]
    }

    /// What was signed, without the session token.
    pub(crate) fn explain(&self, plan: &Plan<'_>, canonical: &CanonicalRequest<'_, '_>) -> Explanation {
        let string_to_sign = self.string_to_sign(&canonical_hash(canonical)).concat();
        let mut text = Vec::new();
        canonical.write(&mut text);
        let mut text = String::from_utf8_lossy(&text).into_owned();
        if let Some(token) = self.identity.token().and_then(|token| token.to_str().ok()) {
            // In a header as it is, in a presigned URL's query in strict form.
            for form in [token, &wire::strict_value(token)] {
                text = text.replace(form, "** redacted **");
            }
        }
        Explanation {
            canonical_request: text,
            string_to_sign: String::from_utf8_lossy(&string_to_sign).into_owned(),
            rule: plan.scope.rule().map(str::to_owned),
        }
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

fn authorization(moment: &Moment, signed_headers: &[u8], signature: &[u8]) -> Result<HeaderValue, Error> {
    const FIXED: usize = " Credential=/, SignedHeaders=, Signature=".len();
    let (id, scope) = (moment.identity.access_key_id(), moment.key.scope());
    let named = moment.algorithm.len() + id.len() + scope.len() + signed_headers.len();
    let len = FIXED + named + signature.len();
    let mut out = Vec::with_capacity(len);
    for part in [moment.algorithm, " Credential=", id, "/", scope, ", SignedHeaders="] {
        out.extend_from_slice(part.as_bytes());
    }
    out.extend_from_slice(signed_headers);
    out.extend_from_slice(b", Signature=");
    out.extend_from_slice(signature);
    let mut value = HeaderValue::from_maybe_shared(Bytes::from(out)).map_err(|error| {
        Error::with_source(ErrorKind::CredentialsInvalid, "the access key id cannot stand in a header", error)
    })?;
    value.set_sensitive(true);
    Ok(value)
}
