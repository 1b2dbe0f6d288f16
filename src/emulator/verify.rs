//! Verification of a request's signature against the one that aws-sigv4 computes for the bytes received.
//!
//! The checks here make sure that aws-sigv4 signs exactly the request received, and refuse input on which it panics.

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PercentEncodingMode, SessionTokenMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use http::{HeaderMap, Uri, header};

use super::canonical_text::{self, CanonicalText, QueryPairs, sha256_hex};
use super::clock::Seconds;
use super::parsed_authorization::{ParsedAuthorization, X_AMZ_DATE};
use super::policy::PolicyDenial;
use super::refusal::{Detail, Refusal};
use super::service_rules::{Payload, ServiceRules};

/// aws-sigv4 parses the target with its query encoded again, and panics if it is longer than a `Uri` can be.
const MAX_TARGET: usize = 65_534;

const CONTENT_SHA256: &str = "x-amz-content-sha256";

/// A request as received.
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

/// The scope that the gateway expects, and its time.
pub(super) struct Expected<'a> {
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    pub(super) now: Seconds,
    /// How many seconds a signature's date may differ from the clock.
    pub(super) skew: i64,
}

/// An access key that the gateway accepts.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) credentials: Credentials,
    pub(super) expired: bool,
    pub(super) denied: Option<PolicyDenial>,
    /// Authorized requests left before the key expires.
    pub(super) uses_left: Option<u64>,
}

/// Verifies a request, and returns the access key id that signed it.
///
/// # Errors
/// The refusal to send.
pub(super) fn verify(
    request: &Request<'_>,
    expected: &Expected<'_>,
    key: impl FnOnce(&str) -> Option<Key>,
) -> Result<String, Refusal> {
    let rules = ServiceRules::of_service(expected.service);
    let raw_query = request.uri.query().unwrap_or_default();
    let Some(query) = canonical_text::decode_query(raw_query) else {
        return Err(match request.headers.contains_key(header::AUTHORIZATION) {
            true => Refusal::invalid_signature("The query has a malformed escape, or one that is not UTF-8."),
            false => Refusal::missing_token(),
        });
    };
    let authorization = ParsedAuthorization::parse(request.headers, &query)?;
    check_signed_headers(&authorization, request.headers)?;
    check_scope(&authorization, expected)?;
    check_time(&authorization, expected)?;
    let host = single_host(request)?;
    let key = key(&authorization.access_key_id)
        .ok_or_else(|| Refusal::unrecognized(&authorization.access_key_id))?;
    check_token(&authorization, &key, request.headers, &query, &rules)?;
    check_expiry(&key, expected.now)?;

    let payload = check_payload(&authorization, request, &rules)?;
    let headers = signed_header_values(&authorization, request.headers, &host)?;
    // aws-sigv4 adds these parameters again.
    let (target, remaining_query) = without_signature(request.uri, &authorization, &rules)?;
    let expected_signature = ExpectedSignature {
        request,
        authorization: &authorization,
        expected,
        rules: &rules,
        payload: &payload,
    };
    let unsigned_key = if rules.token_signed { "" } else { rules.token_query };
    let signed_query: QueryPairs =
        query.into_iter().filter(|(key, _)| key != "X-Amz-Signature" && key != unsigned_key).collect();
    let signed_query = if authorization.expires.is_some() { signed_query } else { remaining_query };
    if request.uri.path().len() + 1 + canonical_text::canonical_query(&signed_query, false).len() > MAX_TARGET
    {
        return Err(Refusal::from_status(http::StatusCode::URI_TOO_LONG));
    }
    let signature = expected_signature.compute(&key.credentials, &target, &headers)?;
    if signature != authorization.signature {
        return Err(expected_signature.mismatch(&signed_query, headers));
    }
    if let Some(denial) = key.denied {
        let (scope, target) = ((expected.service, expected.region), (request.method, request.uri.path()));
        return Err(Refusal::denied(denial.message(&key.credentials, scope, target)));
    }
    Ok(authorization.access_key_id)
}

fn check_signed_headers(authorization: &ParsedAuthorization, headers: &HeaderMap) -> Result<(), Refusal> {
    let unsigned = |name: &str| {
        Refusal::invalid_signature(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization."))
    };
    if !authorization.signs("host") {
        return Err(unsigned("Host' or ':authority").with(Detail::Unsigned { name: "host".to_owned() }));
    }
    if authorization.expires.is_none() && !authorization.signs(X_AMZ_DATE) {
        return Err(unsigned(X_AMZ_DATE));
    }
    if let Some(name) =
        headers.keys().find(|n| n.as_str().starts_with("x-amz-") && !authorization.signs(n.as_str()))
    {
        let detail = Detail::Unsigned { name: name.as_str().to_owned() };
        return Err(unsigned(name.as_str()).with(detail));
    }
    // aws-sigv4 never signs these two in a presigned URL, so a signature that covers them cannot be verified.
    let skipped = ["x-amz-user-agent", "x-amz-checksum-mode"];
    if authorization.signs("authorization")
        || (authorization.expires.is_some() && skipped.iter().any(|name| authorization.signs(name)))
    {
        return Err(Refusal::invalid_signature("A header among the 'SignedHeaders' cannot be signed."));
    }
    Ok(())
}

fn check_scope(authorization: &ParsedAuthorization, expected: &Expected<'_>) -> Result<(), Refusal> {
    let scope = &authorization.scope;
    let mut errors = Vec::new();
    if scope.region != expected.region {
        errors.push(format!("Credential should be scoped to a valid region, not '{}'. ", scope.region));
    }
    if scope.service != expected.service {
        errors.push(format!("Credential should be scoped to correct service: '{}'. ", expected.service));
    }
    if scope.terminator != "aws4_request" {
        errors.push(format!(
            "Credential should be scoped with a valid terminator: 'aws4_request', not '{}'. ",
            scope.terminator
        ));
    }
    let date_time = authorization.date.amz_date();
    let date = date_time.get(..8).unwrap_or_default();
    if scope.date != date {
        errors.push(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != \
             '{date}', from '{date_time}'. ",
            scope.date
        ));
    }
    if errors.is_empty() {
        return Ok(());
    }
    let (given, wanted) = (|text: &String| text.clone(), str::to_owned);
    let detail = if scope.region != expected.region {
        Detail::Region { given: given(&scope.region), expected: wanted(expected.region) }
    } else if scope.service != expected.service {
        Detail::Service { given: given(&scope.service), expected: wanted(expected.service) }
    } else {
        Detail::None
    };
    Err(Refusal::invalid_signature(errors.concat()).with(detail))
}

fn check_time(authorization: &ParsedAuthorization, expected: &Expected<'_>) -> Result<(), Refusal> {
    let (now, skew) = (expected.now, expected.skew);
    let lifetime = authorization.expires.unwrap_or(skew);
    let detail = |expired: bool| Detail::Time {
        signed: authorization.date,
        now,
        limit: if expired { lifetime } else { skew },
        presigned: authorization.expires.is_some(),
        expired,
    };
    let text = |life: i64| match life % 60 {
        0 => format!("{} min.", life / 60),
        _ => format!("{life} sec."),
    };
    let (date, now_text) = (authorization.date.amz_date(), now.amz_date());
    let (earliest, latest) = (now.plus(-lifetime), now.plus(skew));
    if authorization.date < earliest {
        return Err(Refusal::invalid_signature(format!(
            "Signature expired: {date} is now earlier than {} ({now_text} - {})",
            earliest.amz_date(),
            text(lifetime)
        ))
        .with(detail(true)));
    }
    if authorization.date > latest {
        return Err(Refusal::invalid_signature(format!(
            "Signature not yet current: {date} is still later than {} ({now_text} + {})",
            latest.amz_date(),
            text(skew)
        ))
        .with(detail(false)));
    }
    Ok(())
}

/// The host of a request: its Host header, or its `:authority` over HTTP/2.
fn single_host(request: &Request<'_>) -> Result<String, Refusal> {
    let invalid = || Refusal::invalid_signature("The request must name exactly one host.");
    let mut values = request.headers.get_all(header::HOST).iter();
    let header = match (values.next(), values.next()) {
        (None, _) => None,
        (Some(value), None) => Some(std::str::from_utf8(value.as_bytes()).map_err(|_| invalid())?),
        _ => return Err(invalid()),
    };
    match (header, request.uri.authority().map(|authority| authority.as_str())) {
        (Some(host), None) | (None, Some(host)) => Ok(host.to_owned()),
        (Some(host), Some(authority)) if host == authority => Ok(host.to_owned()),
        _ => Err(invalid()),
    }
}

fn check_token(
    authorization: &ParsedAuthorization,
    key: &Key,
    headers: &HeaderMap,
    query: &QueryPairs,
    rules: &ServiceRules,
) -> Result<(), Refusal> {
    let mut given: Vec<&[u8]> =
        headers.get_all(rules.token_header).iter().map(|value| value.as_bytes()).collect();
    if authorization.expires.is_some() {
        // A presigned URL carries its token in the query only.
        let in_query = query.iter().filter(|(key, _)| key == rules.token_query);
        given.extend(in_query.map(|(_, value)| value.as_bytes()));
        if headers.contains_key(rules.token_header) {
            return Err(Refusal::invalid_token());
        }
    }
    match (given.as_slice(), key.credentials.session_token()) {
        ([], None) => Ok(()),
        ([given], Some(token)) if *given == token.as_bytes() => Ok(()),
        ([], Some(_)) => Err(Refusal::unrecognized(&authorization.access_key_id)),
        _ => Err(Refusal::invalid_token()),
    }
}

fn check_expiry(key: &Key, now: Seconds) -> Result<(), Refusal> {
    let is_past = key.credentials.expiry().is_some_and(|expiry| expiry <= now.system_time());
    if key.expired || is_past { Err(Refusal::expired_token()) } else { Ok(()) }
}

/// What represents the body in the canonical request: its hash, or `UNSIGNED-PAYLOAD`.
enum SignedPayload {
    Hash(String),
    Unsigned,
}

fn check_payload(
    authorization: &ParsedAuthorization,
    request: &Request<'_>,
    rules: &ServiceRules,
) -> Result<SignedPayload, Refusal> {
    let hash = sha256_hex(request.body);
    if rules.payload == Payload::Hash {
        return Ok(SignedPayload::Hash(hash));
    }
    let Some(declared) = request.headers.get(CONTENT_SHA256) else {
        return match authorization.expires.is_some() && rules.payload != Payload::DeclaredHash {
            true => Ok(SignedPayload::Unsigned),
            false => Err(Refusal::invalid_signature(
                "Missing required header for this request: x-amz-content-sha256",
            )
            .with(Detail::HashMissing)),
        };
    };
    match (declared.as_bytes(), rules.payload) {
        (b"UNSIGNED-PAYLOAD", Payload::Declared | Payload::Unsigned) => Ok(SignedPayload::Unsigned),
        (declared, Payload::Declared) if declared.starts_with(b"STREAMING-") => {
            Err(Refusal::from_status(http::StatusCode::NOT_IMPLEMENTED))
        }
        (declared, Payload::Declared | Payload::DeclaredHash) if declared == hash.as_bytes() => {
            Ok(SignedPayload::Hash(hash))
        }
        (declared, _) => Err(Refusal::invalid_signature(
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )
        .with(Detail::Hashes { client: String::from_utf8_lossy(declared).into_owned(), server: hash })),
    }
}

/// The signed headers and their values, in the order of `SignedHeaders`.
fn signed_header_values<'a>(
    authorization: &'a ParsedAuthorization,
    headers: &'a HeaderMap,
    host: &'a str,
) -> Result<Vec<(&'a str, Vec<&'a str>)>, Refusal> {
    let mut signed = Vec::with_capacity(authorization.signed_headers.len());
    for name in &authorization.signed_headers {
        let values = if name == "host" {
            vec![host]
        } else {
            // A header that did not arrive has an empty line in AWS's canonical request.
            let missing = (!headers.contains_key(name)).then_some(Ok(""));
            let values = headers.get_all(name).iter().map(|value| std::str::from_utf8(value.as_bytes()));
            missing.into_iter().chain(values).collect::<Result<_, _>>().map_err(|_| {
                Refusal::invalid_signature(format!("The value of the signed header '{name}' is not UTF-8."))
            })?
        };
        signed.push((name.as_str(), values));
    }
    Ok(signed)
}

/// The target without the parameters that aws-sigv4 adds, and its remaining query, decoded.
fn without_signature(
    uri: &Uri,
    authorization: &ParsedAuthorization,
    rules: &ServiceRules,
) -> Result<(String, QueryPairs), Refusal> {
    let path = uri.path();
    if !path.starts_with('/') {
        return Err(Refusal::invalid_signature("The request target must be a path."));
    }
    let added = |key: &str| {
        authorization.expires.is_some()
            && (key == rules.token_query
                || matches!(
                    key,
                    "X-Amz-Algorithm"
                        | "X-Amz-Credential"
                        | "X-Amz-Date"
                        | "X-Amz-Expires"
                        | "X-Amz-SignedHeaders"
                        | "X-Amz-Signature"
                ))
    };
    let mut remaining = Vec::new();
    for pair in uri.query().unwrap_or_default().split('&') {
        let key = canonical_text::decode(pair.split('=').next().unwrap_or_default());
        if !key.is_some_and(|key| added(&key)) {
            remaining.push(pair);
        }
    }
    let query = remaining.join("&");
    let pairs = canonical_text::decode_query(&query).unwrap_or_default();
    let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    Ok((target, pairs))
}

/// What a request's signature has to cover.
struct ExpectedSignature<'a> {
    request: &'a Request<'a>,
    authorization: &'a ParsedAuthorization,
    expected: &'a Expected<'a>,
    rules: &'a ServiceRules,
    payload: &'a SignedPayload,
}

impl ExpectedSignature<'_> {
    /// The signature that aws-sigv4 computes for this target, these headers and this body.
    fn compute(
        &self,
        credentials: &Credentials,
        target: &str,
        headers: &[(&str, Vec<&str>)],
    ) -> Result<String, Refusal> {
        let presigned = self.authorization.expires.is_some();
        let mut settings = SigningSettings::default();
        settings.excluded_headers = None;
        settings.session_token_name_override = match presigned {
            false => Some(self.rules.token_header),
            true if self.rules.token_signed => Some(self.rules.token_query),
            // aws-sigv4 takes the name of an excluded token for a header's, and panics at a capital letter.
            true => None,
        };
        if self.rules.path_once {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        if let Some(expires) = self.authorization.expires {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(std::time::Duration::from_secs(expires.unsigned_abs()));
            if !self.rules.token_signed {
                settings.session_token_mode = SessionTokenMode::Exclude;
            }
        }
        let refuse = || Refusal::invalid_signature("The request cannot be signed.");
        let identity = credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.expected.region)
            .name(self.expected.service)
            .time(self.authorization.date.system_time())
            .settings(settings)
            .build()
            .map_err(|_| refuse())?
            .into();
        let body = match self.payload {
            SignedPayload::Hash(_) => SignableBody::Bytes(self.request.body),
            SignedPayload::Unsigned => SignableBody::UnsignedPayload,
        };
        let headers =
            headers.iter().flat_map(|(name, values)| values.iter().map(move |value| (*name, *value)));
        let signable =
            SignableRequest::new(self.request.method, target, headers, body).map_err(|_| refuse())?;
        // No tracing: at TRACE aws-sigv4 logs what it signs, tokens in queries and cookies included.
        let signed =
            tracing::dispatcher::with_default(&tracing::Dispatch::none(), || sign(signable, &params));
        signed.map(|output| output.signature().to_owned()).map_err(|_| refuse())
    }

    /// AWS's message for a signature that does not match.
    fn mismatch(&self, query: &QueryPairs, headers: Vec<(&str, Vec<&str>)>) -> Refusal {
        let payload_hash = match self.payload {
            SignedPayload::Hash(hash) => hash,
            SignedPayload::Unsigned => "UNSIGNED-PAYLOAD",
        };
        let text = CanonicalText {
            method: self.request.method,
            path: self.request.uri.path(),
            query,
            headers,
            payload_hash,
            path_once: self.rules.path_once,
        };
        let scope = format!(
            "{}/{}/{}/aws4_request",
            self.authorization.scope.date, self.expected.region, self.expected.service
        );
        let to_sign =
            canonical_text::string_to_sign(&self.authorization.date.amz_date(), &scope, &text.build(false));
        let canonical = text.build(true);
        let message = format!(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
             Access Key and signing method. Consult the service documentation for details.\n\nThe Canonical String \
             for this request should have been\n'{canonical}'\n\nThe String-to-Sign should have been\n'{to_sign}'\n"
        );
        Refusal::invalid_signature(message).with(Detail::Mismatch {
            access_key_id: self.authorization.access_key_id.clone(),
            signature: self.authorization.signature.clone(),
            string_to_sign: to_sign,
            canonical,
        })
    }
}
