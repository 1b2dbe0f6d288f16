//! What the client's record shows by itself, where the server prints nothing to compare it with.

use super::cause::Cause;
use super::facts::{Facts, seconds_ahead, time_of};
use crate::endpoint::Endpoint;
use crate::signing::details::SigningDetails;

/// Signing names of services that take an unsigned payload.
const TAKE_UNSIGNED: [&str; 6] =
    ["s3", "s3express", "s3-object-lambda", "s3-outposts", "vpc-lattice-svcs", "glacier"];

/// Headers of one connection: they never reach the service.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "expect",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
];

/// Headers that proxies and HTTP libraries often change.
const FRAGILE: [&str; 15] = [
    "accept-encoding",
    "b3",
    "baggage",
    "cdn-loop",
    "forwarded",
    "max-forwards",
    "sentry-trace",
    "traceparent",
    "tracestate",
    "user-agent",
    "via",
    "x-amzn-trace-id",
    "x-b3-traceid",
    "x-real-ip",
    "x-request-id",
];

/// What may be wrong with what was signed.
pub(super) struct Finding {
    pub(super) cause: Cause,
    pub(super) why: String,
    /// Whether it is wrong in any case; otherwise it is where to look first.
    pub(super) sure: bool,
}

impl Finding {
    fn sure(cause: Cause, why: impl Into<String>) -> Self {
        Self { cause, why: why.into(), sure: true }
    }

    fn likely(cause: Cause, why: impl Into<String>) -> Self {
        Self { cause, why: why.into(), sure: false }
    }
}

/// What may be wrong with what was signed, the surest first.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found: Vec<_> = [host(facts), token(facts), sent_body(facts), sent_content_type(facts)]
        .into_iter()
        .flatten()
        .collect();
    if let Some(details) = &facts.sent.details {
        let of_record =
            [consistency(details), payload(details), scope_day(details), scope_of_host(facts, details)];
        found.extend(of_record.into_iter().flatten());
        let of_form = [
            path(details),
            query(details),
            hop_by_hop(details),
            fragile_headers(details),
            white_space(details),
            content_length(details),
        ];
        found.extend(of_form.into_iter().flatten());
    }
    found.sort_by_key(|finding| !finding.sure);
    found
}

fn host(facts: &Facts<'_>) -> Option<Finding> {
    let signed = facts.signed_host()?;
    let differs = |other: &&str| plain_host(other) != plain_host(signed);
    if let Some(sent) = facts.sent.sent_host.as_deref().filter(differs) {
        let why = format!("signed was the host {signed}, and sent was {sent}");
        return Some(Finding::sure(Cause::SignatureMismatchHost, why));
    }
    let called = facts.url_host().filter(differs)?;
    let why = format!("signed was the host {signed}, and called was {called}");
    Some(Finding::sure(Cause::SignatureMismatchHost, why))
}

/// In lower case and without a default port.
fn plain_host(host: &str) -> String {
    let host = host.trim().to_ascii_lowercase();
    let bare = host.strip_suffix(":443").or(host.strip_suffix(":80"));
    bare.map_or(host.clone(), str::to_owned)
}

fn sent_body(facts: &Facts<'_>) -> Option<Finding> {
    let signed = facts.sent.details.as_ref()?.payload_hash().filter(|hash| hash.len() == 64)?;
    let sent = facts.sent.body_sha256.as_deref().filter(|sent| !sent.eq_ignore_ascii_case(signed))?;
    let why = format!("signed was the payload hash {signed}, and the body that was sent has {sent}");
    Some(Finding::sure(Cause::SignatureMismatchPayloadHash, why))
}

fn sent_content_type(facts: &Facts<'_>) -> Option<Finding> {
    let signed = facts.sent.details.as_ref()?.signed_header("content-type")?;
    let sent = facts.sent.sent_content_type.as_deref().filter(|sent| *sent != signed)?;
    let why = format!("signed was content-type {signed:?}, and sent was {sent:?}");
    Some(Finding::sure(Cause::SignatureMismatchContentType, why))
}

/// Temporary credentials whose token was not sent.
pub(super) fn token(facts: &Facts<'_>) -> Option<Finding> {
    let temporary = facts.access_key_id()?.starts_with("ASIA");
    (temporary && facts.session_token() == Some(false)).then(|| {
        let why = "the access key id begins with ASIA, and no session token was sent";
        Finding::sure(Cause::SessionTokenMissing, why)
    })
}

fn consistency(details: &SigningDetails) -> Option<Finding> {
    details.algorithm()?;
    let (hash, signed) = (details.canonical_request_sha256()?, details.string_to_sign().lines().nth(3)?);
    (hash != signed).then(|| {
        let why = "the last line of the client's string to sign is not the hash of its canonical request";
        Finding::likely(Cause::SignatureMismatchStringToSign, why)
    })
}

fn payload(details: &SigningDetails) -> Option<Finding> {
    let signed = details.payload_hash()?;
    if let Some(declared) = details.signed_header("x-amz-content-sha256").filter(|hash| *hash != signed) {
        let why =
            format!("x-amz-content-sha256 is {declared}, and the payload hash that was signed is {signed}");
        return Some(Finding::sure(Cause::SignatureMismatchPayloadHash, why));
    }
    let service = details.service()?;
    (signed == "UNSIGNED-PAYLOAD" && !TAKE_UNSIGNED.contains(&service)).then(|| {
        let why = format!("the payload was left unsigned, which the service {service} does not take");
        Finding::likely(Cause::SignatureMismatchPayloadHash, why)
    })
}

fn scope_day(details: &SigningDetails) -> Option<Finding> {
    let (day, date) = (details.scope()?.split('/').next()?, details.date()?);
    (!date.starts_with(day)).then(|| {
        let why = format!("the scope is of the day {day}, and the date is {date}");
        Finding::sure(Cause::ScopeDateMismatch, why)
    })
}

/// Service and region as they are inferred from the host. A bucket may be in another region than its host names.
fn scope_of_host(facts: &Facts<'_>, details: &SigningDetails) -> Option<Finding> {
    let (service, host) = (details.service()?, facts.host()?);
    let host = host.split(':').next().unwrap_or(host);
    let endpoint = Endpoint::infer_with_path(host, details.path().unwrap_or("/")).ok()?;
    if endpoint.service() != service {
        let why = format!("signed was for the service {service}, and {host} is of {}", endpoint.service());
        return Some(Finding::likely(Cause::ScopeServiceWrong, why));
    }
    let (signed, region) = (details.region()?, endpoint.region()?);
    (signed != region && !service.starts_with("s3")).then(|| {
        let why = format!("signed was for the region {signed}, and {host} is in {region}");
        Finding::likely(Cause::ScopeRegionWrong, why)
    })
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn path(details: &SigningDetails) -> Option<Finding> {
    let (path, service) = (details.path()?, details.service()?);
    if let Some(raw) = path.bytes().find(|byte| !is_unreserved(*byte) && !b"/%".contains(byte)) {
        let why = format!("the canonical path has {:?} unescaped", char::from(raw));
        return Some(Finding::likely(Cause::SignatureMismatchPathEncoding, why));
    }
    let encoded_once = path.split('%').skip(1).any(|after| !after.starts_with("25"));
    (!service.starts_with("s3") && encoded_once).then(|| {
        let why =
            format!("the canonical path is encoded once, and the service {service} signs it encoded twice");
        Finding::likely(Cause::SignatureMismatchPathEncoding, why)
    })
}

fn query(details: &SigningDetails) -> Option<Finding> {
    let query = details.query()?;
    let pairs: Vec<(&str, &str)> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    if !pairs.is_sorted() {
        let why = "the parameters of the canonical query are not sorted by name, then by value";
        return Some(Finding::likely(Cause::SignatureMismatchQueryOrder, why));
    }
    let is_raw = |byte: u8| !is_unreserved(byte) && !b"%[]".contains(&byte);
    let raw =
        pairs.iter().flat_map(|(name, value)| name.bytes().chain(value.bytes())).find(|byte| is_raw(*byte));
    raw.map(|raw| {
        let why = format!("the canonical query has {:?} unescaped", char::from(raw));
        Finding::likely(Cause::SignatureMismatchQueryEncoding, why)
    })
}

fn hop_by_hop(details: &SigningDetails) -> Option<Finding> {
    let name = details.signed_headers()?.split(';').find(|name| HOP_BY_HOP.contains(name))?;
    let why = format!(
        "the header {name} was signed, which belongs to one connection and does not reach the service"
    );
    Some(Finding::likely(Cause::SignatureMismatchHeaderMissing, why))
}

fn fragile_headers(details: &SigningDetails) -> Option<Finding> {
    let forwarded = |name: &str| name.starts_with("x-forwarded-") || name.starts_with("cf-");
    let names = || details.signed_headers().into_iter().flat_map(|names| names.split(';'));
    let name =
        names().find(|name| forwarded(name)).or_else(|| names().find(|name| FRAGILE.contains(name)))?;
    let why = format!("the header {name} was signed, which proxies and HTTP libraries often change");
    Some(Finding::likely(Cause::SignatureMismatchHeaderAltered, why))
}

/// OpenSearch Serverless takes no signature over `Content-Length`.
fn content_length(details: &SigningDetails) -> Option<Finding> {
    let signed = details.service() == Some("aoss") && details.signs("content-length");
    signed.then(|| {
        let why = "the header content-length was signed, which OpenSearch Serverless does not accept";
        Finding::likely(Cause::SignatureMismatchHeaderAltered, why)
    })
}

fn white_space(details: &SigningDetails) -> Option<Finding> {
    let lines = details.canonical_request().split('\n').skip(3).take_while(|line| !line.is_empty());
    let (name, _) = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(_, value)| value.contains("  ") || value.starts_with(' ') || value.ends_with(' '))?;
    let why = format!("white space in the signed header {name} is not folded");
    Some(Finding::likely(Cause::SignatureMismatchHeaderWhitespace, why))
}

/// By how many seconds the server's clock is ahead of the signing date, where both are known.
pub(super) fn clock_offset(facts: &Facts<'_>) -> Option<i64> {
    let date = facts.sent.details.as_ref().and_then(|details| details.date())?;
    Some(seconds_ahead(facts.server_date()?, time_of(date)?))
}
