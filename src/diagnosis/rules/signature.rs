//! Signatures that do not match: what the server computed is compared with what the client signed.

use super::{Verdict, of_record};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::compare::{self, Found};
use crate::diagnosis::facts::Facts;
use crate::diagnosis::record;
use crate::diagnosis::server_text::ServerText;
use crate::redact::REDACTED;

/// What hops on the way write into headers, in lower case.
const OF_HOPS: [&str; 3] = ["gzip(gfe)", "amazon cloudfront", "(cloudfront)"];

pub(super) fn mismatch(facts: &Facts<'_>) -> Option<Verdict> {
    let code = facts.code_is(&["SignatureDoesNotMatch", "InvalidSignature", "SignatureMismatch"]);
    let said = facts.says("signature we calculated does not match")
        || (facts.is_aws()
            && facts.says_any(&[
                "invalid signature",
                "signature validation failed",
                "signature mismatch",
                "signature does not match",
            ]));
    let computed = facts.server_text.canonical.is_some() || facts.server_text.string_to_sign.is_some();
    if !(said || computed || (code && facts.is_aws())) {
        return None;
    }
    Some(compared(facts).or_else(|| within_response(facts)).unwrap_or_else(|| by_record(facts)))
}

/// Compares with the client's record, as far as both sides are known.
fn compared(facts: &Facts<'_>) -> Option<Verdict> {
    let (details, server) = (facts.sent.details.as_ref()?, &facts.server_text);
    let (ours, theirs) = (details.string_to_sign(), server.string_to_sign.as_deref());
    if let Some((hash, expected)) = details.canonical_request_sha256().zip(server.canonical_hash())
        && hash == expected
    {
        return Some(equal_requests(facts, ours, theirs?));
    }
    if let Some(canonical) = &server.canonical
        && !details.canonical_request().is_empty()
    {
        let evidence = exactness(server);
        let found = compare::canonical_requests(details.canonical_request(), canonical);
        return Some(match (found, server.is_exact()) {
            (Some(found), exact) => {
                let redacted = canonical.contains(REDACTED);
                let sure = exact != Some(false) || redacted;
                verdict(found, sure).because(evidence)
            }
            // Equal but for what is redacted on our side.
            (None, Some(true)) if details.canonical_request().contains(REDACTED) => {
                let name = redacted_header(details.canonical_request());
                Verdict::from(Cause::SignatureMismatchHeaderAltered)
                    .because(format!(
                        "all lines are the same but the value of {name}, which is not kept here"
                    ))
                    .advice(format!("look for what changed {name} between signing and the server"))
            }
            (None, _) => equal_requests(facts, ours, theirs.unwrap_or(ours)),
        });
    }
    let theirs = theirs?;
    if ours.is_empty() {
        return None;
    }
    if ours == theirs {
        return Some(equal_requests(facts, ours, theirs));
    }
    compare::strings_to_sign(ours, theirs).map(|found| verdict(found, true))
}

/// The canonical requests are equal: scope and date, or the secret.
fn equal_requests(facts: &Facts<'_>, ours: &str, theirs: &str) -> Verdict {
    if let Some(found) = compare::strings_to_sign(ours, theirs) {
        return verdict(found, true);
    }
    let mut verdict = Verdict::from(Cause::SignatureMismatchSecret)
        .because("canonical request and string to sign are the same on both sides, so that only the signing key differs");
    if let Some(finding) = record::token(facts) {
        verdict = verdict.because(finding.why);
    }
    verdict
}

fn verdict(found: Found, sure: bool) -> Verdict {
    let mut verdict = Verdict::from(found.cause);
    if !sure {
        verdict.causes.push(Cause::SignatureMismatchUnspecified);
    }
    let Found { difference, .. } = found;
    Verdict { difference: Some(difference), ..verdict }
}

/// What is known of the printed canonical request's being what the server hashed.
fn exactness(server: &ServerText) -> &'static str {
    match server.is_exact() {
        Some(true) => "the server's canonical request hashes to the last line of its string to sign",
        Some(false) if server.canonical.as_ref().is_some_and(|text| text.contains(REDACTED)) => {
            "the server's canonical request has secrets redacted"
        }
        Some(false) => {
            "the canonical request as printed does not hash to the last line of the server's string to sign, \
             so that it was changed in printing"
        }
        None => "the server prints no hash to check its canonical request by",
    }
}

fn redacted_header(canonical: &str) -> &str {
    let line = canonical.split('\n').skip(2).find(|line| line.contains(REDACTED));
    line.and_then(|line| line.split([':', '=']).next()).unwrap_or("a secret header")
}

/// What the response shows without the client's record.
fn within_response(facts: &Facts<'_>) -> Option<Verdict> {
    let canonical = facts.server_text.canonical.as_deref()?;
    let lines: Vec<&str> = canonical.split('\n').collect();
    let header =
        |name: &str| lines.iter().skip(3).find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let payload_hash = lines.last()?;
    if let Some(declared) = header("x-amz-content-sha256").filter(|declared| declared != payload_hash) {
        let why = format!("x-amz-content-sha256 arrived as {declared}, and the server hashed {payload_hash}");
        return Some(Verdict::from(Cause::SignatureMismatchPayloadHash).because(why));
    }
    let headers = || lines.iter().skip(3).take_while(|line| !line.is_empty());
    let by_hop = headers().filter_map(|line| line.split_once(':')).find(|(_, value)| {
        let value = value.to_ascii_lowercase();
        OF_HOPS.iter().any(|mark| value.contains(mark))
    });
    if let Some((name, value)) = by_hop {
        let why =
            format!("the signed header {name} arrived as {value:?}, as only a hop on the way writes it");
        return Some(Verdict::from(Cause::SignatureMismatchHeaderAltered).because(why));
    }
    let empty = headers().filter_map(|line| line.strip_suffix(':')).next()?;
    let why = format!("the signed header {empty} is empty at the server");
    Some(Verdict::from(Cause::SignatureMismatchHeaderMissing).because(why))
}

/// There is nothing to compare: the server prints nothing, or the client kept nothing.
fn by_record(facts: &Facts<'_>) -> Verdict {
    // A distribution signs for its origin, and takes the hash of a body from the request.
    if facts.signed() == Some(false) && facts.has("x-amz-cf-id") && facts.sent.has_body != Some(false) {
        let why = "this client did not sign, so that CloudFront did, which needs the hash of a body from the client";
        return Verdict::of(&[Cause::SignatureMismatchPayloadHash, Cause::SignatureMismatchUnspecified])
            .because(why)
            .advice("send x-amz-content-sha256 with the SHA-256 of the body to the distribution");
    }
    of_record(facts, Cause::SignatureMismatchUnspecified).unwrap_or_else(|| {
        let verdict = Verdict::from(Cause::SignatureMismatchUnspecified);
        match facts.sent.details {
            Some(_) => verdict.because("the client's record shows nothing wrong with what was signed"),
            None if facts.server_text.canonical.is_some() => verdict
                .because("the response shows the server's canonical request, and no record of what was signed is at hand")
                .advice(
                    "have what is signed recorded (.record_signing_details(true) on the signer's builder): the first line \
                     that differs from the server's is then named",
                ),
            None => verdict,
        }
    })
}
