//! Whether a request is signed as it must be. The verdict is aws-sigv4's own signature over the bytes received; the
//! checks here make sure that what it is given is what came, and keep from it the input on which it panics.

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PercentEncodingMode, SessionTokenMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use http::{HeaderMap, Uri, header};

use super::canonical_text::{self, CanonicalText, Pairs, sha256_hex};
use super::clock::Seconds;
use super::parsed_authorization::{ParsedAuthorization, X_AMZ_DATE};
use super::profile::{Payload, Profile};
use super::response::Refusal;

/// Seconds that a signature's date may be off, as API Gateway has it.
const SKEW: i64 = 300;

/// aws-sigv4 parses the target with its query re-encoded, and panics past the length a `Uri` takes.
const MAX_TARGET: usize = 65_534;

const CONTENT_SHA256: &str = "x-amz-content-sha256";

/// A request as it came off the wire.
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

/// What the gateway expects: its scope and its clock.
pub(super) struct Expected<'a> {
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    pub(super) now: Seconds,
}

/// An access key the gateway knows.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) credentials: Credentials,
    pub(super) expired: bool,
    pub(super) denied: bool,
    /// Authorised requests left before the key expires.
    pub(super) uses_left: Option<u64>,
}

/// Gives the access key id that signed the request, or why it is refused.
pub(super) fn verify(
    request: &Request<'_>,
    expected: &Expected<'_>,
    key: impl FnOnce(&str) -> Option<Key>,
) -> Result<String, Refusal> {
    let profile = Profile::of(expected.service);
    let raw_query = request.uri.query().unwrap_or_default();
    let Some(query) = canonical_text::decode_query(raw_query) else {
        return Err(match request.headers.contains_key(header::AUTHORIZATION) {
            true => Refusal::invalid_signature("The query has a malformed escape, or one that is not UTF-8."),
            false => Refusal::missing_token(),
        });
    };
    let authorization = ParsedAuthorization::read(request.headers, &query)?;
    check_signed_headers(&authorization, request.headers)?;
    check_scope(&authorization, expected)?;
    check_time(&authorization, expected.now)?;
    let host = read_host(request)?;
    let key = key(&authorization.access_key_id).ok_or_else(Refusal::unrecognized)?;
    check_token(&authorization, &key, request.headers, &query, &profile)?;
    check_expiry(&key, expected.now)?;

    let payload = check_payload(&authorization, request, &profile)?;
    let headers = signed_values(&authorization, request.headers, &host)?;
    // What aws-sigv4 adds itself must not be in the target it is given.
    let (target, rest) = without_signature(request.uri, &authorization, &profile)?;
    let wanted =
        Wanted { request, authorization: &authorization, expected, profile: &profile, payload: &payload };
    let unsigned = if profile.token_signed { "" } else { profile.token_query };
    let shown: Pairs =
        query.into_iter().filter(|(key, _)| key != "X-Amz-Signature" && key != unsigned).collect();
    let shown = if authorization.expires.is_some() { shown } else { rest };
    if request.uri.path().len() + 1 + canonical_text::canonical_query(&shown, false).len() > MAX_TARGET {
        return Err(Refusal::of_status(http::StatusCode::URI_TOO_LONG));
    }
    let signature = wanted.signature(&key.credentials, &target, &headers)?;
    if signature != authorization.signature {
        return Err(Refusal::invalid_signature(wanted.mismatch(&shown, headers)));
    }
    if key.denied {
        return Err(Refusal::denied(denial(request, expected, &key)));
    }
    Ok(authorization.access_key_id)
}

fn check_signed_headers(authorization: &ParsedAuthorization, headers: &HeaderMap) -> Result<(), Refusal> {
    let unsigned = |name: &str| {
        Refusal::invalid_signature(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization."))
    };
    if !authorization.signs("host") {
        return Err(unsigned("Host' or ':authority"));
    }
    if authorization.expires.is_none() && !authorization.signs(X_AMZ_DATE) {
        return Err(unsigned(X_AMZ_DATE));
    }
    if let Some(name) =
        headers.keys().find(|n| n.as_str().starts_with("x-amz-") && !authorization.signs(n.as_str()))
    {
        return Err(unsigned(name.as_str()));
    }
    let missing = |name: &&String| *name != "host" && !headers.contains_key(name.as_str());
    if let Some(name) = authorization.signed_headers.iter().find(missing) {
        return Err(Refusal::invalid_signature(format!("The signed header '{name}' is not in the request.")));
    }
    // aws-sigv4 never signs these two in a presigned URL, so it could not tell whether they were.
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
    let mut wrong = Vec::new();
    if scope.region != expected.region {
        wrong.push(format!("Credential should be scoped to a valid region, not '{}'. ", scope.region));
    }
    if scope.service != expected.service {
        wrong.push(format!("Credential should be scoped to correct service: '{}'. ", expected.service));
    }
    if scope.terminator != "aws4_request" {
        wrong.push(format!(
            "Credential should be scoped with a valid terminator: 'aws4_request', not '{}'. ",
            scope.terminator
        ));
    }
    let date_time = authorization.date.amz_date();
    let date = date_time.get(..8).unwrap_or_default();
    if scope.date != date {
        wrong.push(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != \
             '{date}', from '{date_time}'. ",
            scope.date
        ));
    }
    if wrong.is_empty() { Ok(()) } else { Err(Refusal::invalid_signature(wrong.concat())) }
}

fn check_time(authorization: &ParsedAuthorization, now: Seconds) -> Result<(), Refusal> {
    let life = authorization.expires.unwrap_or(SKEW);
    let text = |life: i64| match life % 60 {
        0 => format!("{} min.", life / 60),
        _ => format!("{life} sec."),
    };
    let (date, now_text) = (authorization.date.amz_date(), now.amz_date());
    let (earliest, latest) = (now.plus(-life), now.plus(SKEW));
    if authorization.date < earliest {
        return Err(Refusal::invalid_signature(format!(
            "Signature expired: {date} is now earlier than {} ({now_text} - {})",
            earliest.amz_date(),
            text(life)
        )));
    }
    if authorization.date > latest {
        return Err(Refusal::invalid_signature(format!(
            "Signature not yet current: {date} is still later than {} ({now_text} + {})",
            latest.amz_date(),
            text(SKEW)
        )));
    }
    Ok(())
}

/// The one host the request names: its Host header, or over HTTP/2 its `:authority`.
fn read_host(request: &Request<'_>) -> Result<String, Refusal> {
    let wrong = || Refusal::invalid_signature("The request must name exactly one host.");
    let mut named = request.headers.get_all(header::HOST).iter();
    let header = match (named.next(), named.next()) {
        (None, _) => None,
        (Some(value), None) => Some(std::str::from_utf8(value.as_bytes()).map_err(|_| wrong())?),
        _ => return Err(wrong()),
    };
    match (header, request.uri.authority().map(|authority| authority.as_str())) {
        (Some(host), None) | (None, Some(host)) => Ok(host.to_owned()),
        (Some(host), Some(authority)) if host == authority => Ok(host.to_owned()),
        _ => Err(wrong()),
    }
}

fn check_token(
    authorization: &ParsedAuthorization,
    key: &Key,
    headers: &HeaderMap,
    query: &Pairs,
    profile: &Profile,
) -> Result<(), Refusal> {
    let mut given: Vec<&[u8]> =
        headers.get_all(profile.token_header).iter().map(|value| value.as_bytes()).collect();
    if authorization.expires.is_some() {
        // A presigned URL has its token in the query, and only there.
        let in_query = query.iter().filter(|(key, _)| key == profile.token_query);
        given.extend(in_query.map(|(_, value)| value.as_bytes()));
        if headers.contains_key(profile.token_header) {
            return Err(Refusal::unrecognized());
        }
    }
    match (given.as_slice(), key.credentials.session_token()) {
        ([], None) => Ok(()),
        ([given], Some(token)) if *given == token.as_bytes() => Ok(()),
        _ => Err(Refusal::unrecognized()),
    }
}

fn check_expiry(key: &Key, now: Seconds) -> Result<(), Refusal> {
    let over = key.credentials.expiry().is_some_and(|expiry| expiry <= now.system_time());
    if key.expired || over { Err(Refusal::expired_token()) } else { Ok(()) }
}

/// What stands in the canonical request for the body: its hash, or the word for none.
enum SignedPayload {
    Hash(String),
    Unsigned,
}

fn check_payload(
    authorization: &ParsedAuthorization,
    request: &Request<'_>,
    profile: &Profile,
) -> Result<SignedPayload, Refusal> {
    let hash = sha256_hex(request.body);
    if profile.payload == Payload::Hash {
        return Ok(SignedPayload::Hash(hash));
    }
    let Some(declared) = request.headers.get(CONTENT_SHA256) else {
        return match authorization.expires.is_some() && profile.payload != Payload::DeclaredHash {
            true => Ok(SignedPayload::Unsigned),
            false => Err(Refusal::invalid_signature(
                "Missing required header for this request: x-amz-content-sha256",
            )),
        };
    };
    match (declared.as_bytes(), profile.payload) {
        (b"UNSIGNED-PAYLOAD", Payload::Declared | Payload::Unsigned) => Ok(SignedPayload::Unsigned),
        (declared, Payload::Declared) if declared.starts_with(b"STREAMING-") => {
            Err(Refusal::of_status(http::StatusCode::NOT_IMPLEMENTED))
        }
        (declared, Payload::Declared | Payload::DeclaredHash) if declared == hash.as_bytes() => {
            Ok(SignedPayload::Hash(hash))
        }
        _ => Err(Refusal::invalid_signature(
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )),
    }
}

/// The signed headers and their values, in the order of the list.
fn signed_values<'a>(
    authorization: &'a ParsedAuthorization,
    headers: &'a HeaderMap,
    host: &'a str,
) -> Result<Vec<(&'a str, Vec<&'a str>)>, Refusal> {
    let mut signed = Vec::with_capacity(authorization.signed_headers.len());
    for name in &authorization.signed_headers {
        let values = if name == "host" {
            vec![host]
        } else {
            let values = headers.get_all(name).iter().map(|value| std::str::from_utf8(value.as_bytes()));
            values.collect::<Result<_, _>>().map_err(|_| {
                Refusal::invalid_signature(format!("The value of the signed header '{name}' is not UTF-8."))
            })?
        };
        signed.push((name.as_str(), values));
    }
    Ok(signed)
}

/// The target without what aws-sigv4 puts there itself, and the decoded query that is left.
fn without_signature(
    uri: &Uri,
    authorization: &ParsedAuthorization,
    profile: &Profile,
) -> Result<(String, Pairs), Refusal> {
    let path = uri.path();
    if !path.starts_with('/') {
        return Err(Refusal::invalid_signature("The request target must be a path."));
    }
    let added = |key: &str| {
        authorization.expires.is_some()
            && (key == profile.token_query
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
    let mut kept = Vec::new();
    for piece in uri.query().unwrap_or_default().split('&') {
        let key = canonical_text::decode(piece.split('=').next().unwrap_or_default());
        if !key.is_some_and(|key| added(&key)) {
            kept.push(piece);
        }
    }
    let query = kept.join("&");
    let pairs = canonical_text::decode_query(&query).unwrap_or_default();
    let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    Ok((target, pairs))
}

/// What the signature must cover.
struct Wanted<'a> {
    request: &'a Request<'a>,
    authorization: &'a ParsedAuthorization,
    expected: &'a Expected<'a>,
    profile: &'a Profile,
    payload: &'a SignedPayload,
}

impl Wanted<'_> {
    /// The signature that aws-sigv4 gives for exactly this target, these headers and this body.
    fn signature(
        &self,
        credentials: &Credentials,
        target: &str,
        headers: &[(&str, Vec<&str>)],
    ) -> Result<String, Refusal> {
        let presigned = self.authorization.expires.is_some();
        let mut settings = SigningSettings::default();
        settings.excluded_headers = None;
        settings.session_token_name_override = match presigned {
            false => Some(self.profile.token_header),
            true if self.profile.token_signed => Some(self.profile.token_query),
            // aws-sigv4 reads the name of a token that is left out as a header's, and panics at a capital.
            true => None,
        };
        if self.profile.path_once {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        if let Some(expires) = self.authorization.expires {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(std::time::Duration::from_secs(expires.unsigned_abs()));
            if !self.profile.token_signed {
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
        // aws-sigv4 logs what it signs at TRACE, tokens in queries and cookies among it: not here.
        let signed =
            tracing::dispatcher::with_default(&tracing::Dispatch::none(), || sign(signable, &params));
        signed.map(|output| output.signature().to_owned()).map_err(|_| refuse())
    }

    /// AWS's words for a signature that does not match.
    fn mismatch(&self, query: &Pairs, headers: Vec<(&str, Vec<&str>)>) -> String {
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
            path_once: self.profile.path_once,
        };
        let scope = format!(
            "{}/{}/{}/aws4_request",
            self.authorization.scope.date, self.expected.region, self.expected.service
        );
        let to_sign =
            canonical_text::string_to_sign(&self.authorization.date.amz_date(), &scope, &text.build(false));
        format!(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
             Access Key and signing method. Consult the service documentation for details.\n\nThe Canonical String \
             for this request should have been\n'{}'\n\nThe String-to-Sign should have been\n'{to_sign}'\n",
            text.build(true)
        )
    }
}

/// What IAM says of a key that may not call; account and names are made up.
fn denial(request: &Request<'_>, expected: &Expected<'_>, key: &Key) -> String {
    let user = match key.credentials.session_token() {
        Some(_) => "arn:aws:sts::123456789012:assumed-role/emulated/session",
        None => "arn:aws:iam::123456789012:user/emulated",
    };
    let (service, region) = (expected.service, expected.region);
    let (method, path) = (request.method, request.uri.path());
    format!(
        "User: {user} is not authorized to perform: {service}:Invoke on resource: \
         arn:aws:{service}:{region}:********9012:emulated/prod/{method}{path}"
    )
}
