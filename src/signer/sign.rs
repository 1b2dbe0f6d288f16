//! The steps of one signature, in their order.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};

use super::{Inner, RequestView, Signer, scope::Scope};
use crate::canonical::{CanonicalRequest, HashSink, SignedHeaders};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind};
use crate::headers::own;
use crate::key::{Identity, hex};
use crate::payload::{Payload, PayloadMode};
use crate::service::ServiceProfile;
use crate::signature::Signature;
use crate::wire::{self, Origin, PathForm, Target};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

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
    pub(crate) fn payload_mode(&self) -> &PayloadMode {
        &self.payload
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
        inner.origins.check(origin.scheme, origin.host, origin.port)?;
        let host = wire::host(&origin, request.headers, inner.host_header_may_differ)?;
        let scope = inner.scope(&request, origin.host)?;
        let Some(service) = scope.service() else { return Err(unknown_scope(&origin, "service")) };
        if scope.region().is_none() {
            return Err(unknown_scope(&origin, "region"));
        }
        let profile = request.overrides.profile.or(inner.profile);
        let profile = profile.unwrap_or_else(|| ServiceProfile::for_service(service));
        let form = if profile.double_encode { PathForm::AsGiven } else { PathForm::Strict };
        let target = Target::new(request.path, request.query, form, inner.plus, true)?;
        let said = request.overrides.payload.unwrap_or(&inner.payload);
        let unsigned = profile.unsigned_payload && *said == PayloadMode::Buffered && origin.scheme == "https";
        let payload = if unsigned { PayloadMode::Unsigned } else { said.clone() };
        Ok(Plan { request, origin, host, scope, profile, target, payload })
    }

    pub(crate) async fn signature(
        &self,
        request: &RequestView<'_>,
        payload: Payload<'_>,
    ) -> Result<Signature, Error> {
        self.planned_signature(&self.plan(*request)?, payload).await
    }

    /// The signature of a planned request, with the credentials and the time of this moment.
    pub(crate) async fn planned_signature(
        &self,
        plan: &Plan<'_>,
        payload: Payload<'_>,
    ) -> Result<Signature, Error> {
        let identity = self.inner.identity().await?;
        Ok(compute(&self.inner, plan, &identity, payload, |_, _| ())?.0)
    }

    pub(super) async fn explained_signature(
        &self,
        request: &RequestView<'_>,
        payload: Payload<'_>,
    ) -> Result<(Signature, Explanation), Error> {
        let plan = self.plan(*request)?;
        let identity = self.inner.identity().await?;
        compute(&self.inner, &plan, &identity, payload, |mut canonical, string_to_sign| {
            let mut text = Vec::new();
            canonical.headers.redact(plan.profile.token_header);
            canonical.write(&mut text);
            Explanation {
                canonical_request: String::from_utf8_lossy(&text).into_owned(),
                string_to_sign: String::from_utf8_lossy(&string_to_sign.concat()).into_owned(),
                rule: plan.scope.rule().map(str::to_owned),
            }
        })
    }
}

fn unknown_scope(origin: &Origin<'_>, missing: &str) -> Error {
    match Endpoint::infer(origin.host) {
        Err(error) => error,
        Ok(_) => Error::new(
            ErrorKind::ScopeUnknown,
            format!(
                "the host {} does not tell its {missing}; say .{missing}(…) on the signer's builder",
                origin.host
            ),
        ),
    }
}

impl Inner {
    /// The credentials of this moment, with their keys.
    async fn identity(&self) -> Result<Arc<Identity>, Error> {
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

/// Signs a planned request. Pure but for the clock and the caches of the signer.
///
/// `look` is shown what was signed, after the fact.
fn compute<T>(
    inner: &Inner,
    plan: &Plan<'_>,
    identity: &Identity,
    payload: Payload<'_>,
    look: impl FnOnce(CanonicalRequest<'_>, &[&[u8]]) -> T,
) -> Result<(Signature, T), Error> {
    if payload.is_unsigned() && plan.origin.scheme != "https" {
        return Err(Error::new(
            ErrorKind::Payload,
            "an unsigned payload over plain http could be changed by anyone on the way; use https or a hashed payload",
        ));
    }
    let (service, region) =
        (plan.scope.service().unwrap_or_default(), plan.scope.region().unwrap_or_default());
    let time = inner.clock.now_for(plan.origin.host);
    let date = inner.last_date.at(time)?;
    let key = identity.signing_key(time, &date, region, service)?;
    let hash = payload.hash();

    let mut headers = inner.headers.select(plan.request.headers, plan.request.overrides.sign_headers)?;
    headers.push("host", plan.host);
    headers.push(own::DATE_NAME, date.as_str().as_bytes());
    let token = identity.token().map(|token| (plan.profile.token_header, token));
    if let Some((name, token)) = &token {
        headers.push(name, token.as_bytes());
    }
    if plan.profile.content_sha256_header {
        headers.push(own::CONTENT_SHA256_NAME, hash.as_str().as_bytes());
    }
    headers.sort();

    let canonical = CanonicalRequest {
        method: plan.request.method.as_str(),
        path: &plan.target.path,
        query: plan.target.query(),
        double_encode: plan.profile.double_encode,
        normalize_path: plan.profile.normalize_path,
        headers,
        payload_hash: hash.as_str(),
    };
    let mut canonical_hash = HashSink::new();
    canonical.write(&mut canonical_hash);
    let canonical_hash = hex(&canonical_hash.finish());
    let string_to_sign: [&[u8]; 7] = [
        ALGORITHM.as_bytes(),
        b"\n",
        date.as_str().as_bytes(),
        b"\n",
        key.scope().as_bytes(),
        b"\n",
        &canonical_hash,
    ];
    let signature = Signature {
        date: date.header().clone(),
        token: token.map(|(name, value)| (HeaderName::from_static(name), value.clone())),
        content_sha256: plan.profile.content_sha256_header.then(|| hash.to_header()).transpose()?,
        authorization: authorization(identity, key.scope(), &canonical.headers, &key.sign(&string_to_sign))?,
        rewritten: plan.target.is_rewritten().then(|| plan.target.to_path_and_query()),
    };
    Ok((signature, look(canonical, &string_to_sign)))
}

fn authorization(
    identity: &Identity,
    scope: &str,
    headers: &SignedHeaders<'_>,
    signature: &[u8; 64],
) -> Result<HeaderValue, Error> {
    const FIXED: usize = " Credential=/, SignedHeaders=, Signature=".len() + 64;
    let id = identity.access_key_id();
    let len = ALGORITHM.len() + FIXED + id.len() + scope.len() + headers.names_len();
    let mut out = Vec::with_capacity(len);
    for part in [ALGORITHM, " Credential=", id, "/", scope, ", SignedHeaders="] {
        out.extend_from_slice(part.as_bytes());
    }
    headers.write_names(&mut out);
    out.extend_from_slice(b", Signature=");
    out.extend_from_slice(signature);
    let mut value = HeaderValue::from_maybe_shared(Bytes::from(out)).map_err(|error| {
        Error::with_source(ErrorKind::CredentialsInvalid, "the access key id cannot stand in a header", error)
    })?;
    value.set_sensitive(true);
    Ok(value)
}
