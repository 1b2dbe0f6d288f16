//! What the client's record shows by itself, where the server prints nothing to compare it with.

use super::cause::Cause;
use super::facts::{Facts, seconds_ahead, time_of};
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
const FRAGILE: [&str; 10] = [
    "accept-encoding",
    "cdn-loop",
    "forwarded",
    "max-forwards",
    "traceparent",
    "user-agent",
    "via",
    "x-amzn-trace-id",
    "x-real-ip",
    "x-request-id",
];

/// What may be wrong with what was signed, the likeliest first.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<(Cause, String)> {
    let mut found = Vec::new();
    let mut add = |finding: Option<(Cause, String)>| found.extend(finding);
    add(host(facts));
    add(token(facts));
    if let Some(details) = &facts.sent.details {
        add(consistency(details));
        add(payload(details));
        add(scope_day(details));
        add(path(details));
        add(query(details));
        add(fragile_headers(details));
        add(white_space(details));
    }
    found
}

fn host(facts: &Facts<'_>) -> Option<(Cause, String)> {
    let (signed, called) = (facts.signed_host()?, facts.url_host()?);
    (plain_host(signed) != plain_host(called)).then(|| {
        (Cause::SignatureMismatchHost, format!("signed was the host {signed}, and called was {called}"))
    })
}

/// In lower case and without a default port.
fn plain_host(host: &str) -> String {
    let host = host.trim().to_ascii_lowercase();
    let bare = host.strip_suffix(":443").or(host.strip_suffix(":80"));
    bare.map_or(host.clone(), str::to_owned)
}

/// Temporary credentials whose token was not sent.
pub(super) fn token(facts: &Facts<'_>) -> Option<(Cause, String)> {
    let temporary = facts.access_key_id()?.starts_with("ASIA");
    (temporary && facts.session_token() == Some(false)).then(|| {
        let why = "the access key id begins with ASIA, and no session token was sent";
        (Cause::SessionTokenMissing, why.to_owned())
    })
}

fn consistency(details: &SigningDetails) -> Option<(Cause, String)> {
    details.algorithm()?;
    let (hash, signed) = (details.canonical_request_sha256()?, details.string_to_sign().lines().nth(3)?);
    (hash != signed).then(|| {
        let why = "the last line of the client's string to sign is not the hash of its canonical request";
        (Cause::SignatureMismatchStringToSign, why.to_owned())
    })
}

fn payload(details: &SigningDetails) -> Option<(Cause, String)> {
    let signed = details.payload_hash()?;
    if let Some(declared) =
        details.signed_header("x-amz-content-sha256").filter(|declared| *declared != signed)
    {
        let why =
            format!("x-amz-content-sha256 is {declared}, and the payload hash that was signed is {signed}");
        return Some((Cause::SignatureMismatchPayloadHash, why));
    }
    let service = details.service()?;
    (signed == "UNSIGNED-PAYLOAD" && !TAKE_UNSIGNED.contains(&service)).then(|| {
        let why = format!("the payload was left unsigned, which the service {service} does not take");
        (Cause::SignatureMismatchPayloadHash, why)
    })
}

fn scope_day(details: &SigningDetails) -> Option<(Cause, String)> {
    let (day, date) = (details.scope()?.split('/').next()?, details.date()?);
    (!date.starts_with(day))
        .then(|| (Cause::ScopeDateMismatch, format!("the scope is of the day {day}, and the date is {date}")))
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn path(details: &SigningDetails) -> Option<(Cause, String)> {
    let (path, service) = (details.path()?, details.service()?);
    if let Some(raw) = path.bytes().find(|byte| !is_unreserved(*byte) && !b"/%".contains(byte)) {
        let why = format!("the canonical path has {:?} unescaped", char::from(raw));
        return Some((Cause::SignatureMismatchPathEncoding, why));
    }
    let encoded_once = path.split('%').skip(1).any(|after| !after.starts_with("25"));
    (!service.starts_with("s3") && encoded_once).then(|| {
        let why =
            format!("the canonical path is encoded once, and the service {service} signs it encoded twice");
        (Cause::SignatureMismatchPathEncoding, why)
    })
}

fn query(details: &SigningDetails) -> Option<(Cause, String)> {
    let query = details.query()?;
    let pairs: Vec<(&str, &str)> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    if !pairs.is_sorted() {
        let why = "the parameters of the canonical query are not sorted by name, then by value";
        return Some((Cause::SignatureMismatchQueryOrder, why.to_owned()));
    }
    let is_raw = |byte: u8| !is_unreserved(byte) && !b"%[]".contains(&byte);
    let raw =
        pairs.iter().flat_map(|(name, value)| name.bytes().chain(value.bytes())).find(|byte| is_raw(*byte));
    raw.map(|raw| {
        let why = format!("the canonical query has {:?} unescaped", char::from(raw));
        (Cause::SignatureMismatchQueryEncoding, why)
    })
}

fn fragile_headers(details: &SigningDetails) -> Option<(Cause, String)> {
    let names = details.signed_headers()?.split(';');
    let forwarded = |name: &str| name.starts_with("x-forwarded-") || name.starts_with("cf-");
    let mut signed: Vec<_> =
        names.filter(|name| HOP_BY_HOP.contains(name) || FRAGILE.contains(name) || forwarded(name)).collect();
    // The surest first.
    signed.sort_by_key(|name| if HOP_BY_HOP.contains(name) { 0 } else { usize::from(!forwarded(name)) + 1 });
    let name = signed.first()?;
    if HOP_BY_HOP.contains(name) {
        let why = format!(
            "the header {name} was signed, which belongs to one connection and does not reach the service"
        );
        return Some((Cause::SignatureMismatchHeaderMissing, why));
    }
    let why = format!("the header {name} was signed, which proxies and HTTP libraries often change");
    Some((Cause::SignatureMismatchHeaderAltered, why))
}

fn white_space(details: &SigningDetails) -> Option<(Cause, String)> {
    let lines = details.canonical_request().split('\n').skip(3).take_while(|line| !line.is_empty());
    let (name, _) = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(_, value)| value.contains("  ") || value.starts_with(' ') || value.ends_with(' '))?;
    let why = format!("white space in the signed header {name} is not folded");
    Some((Cause::SignatureMismatchHeaderWhitespace, why))
}

/// By how many seconds the server's clock is ahead of the signing date, where both are known.
pub(super) fn clock_offset(facts: &Facts<'_>) -> Option<i64> {
    let date = facts.sent.details.as_ref().and_then(|details| details.date())?;
    Some(seconds_ahead(facts.server_date()?, time_of(date)?))
}
