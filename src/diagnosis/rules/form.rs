//! The form of the request: what keeps a signature from being compared at all.

use super::{Verdict, authorization};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::facts::Facts;

const CONTENT_SHA256: &str = "x-amz-content-sha256";
/// The largest object that S3 takes in one request, in bytes.
const LARGEST_PUT: &str = "5368709120";

pub(super) fn form(facts: &Facts<'_>) -> Option<Verdict> {
    duplicated(facts)
        .or_else(|| credential(facts))
        .or_else(|| unsigned_headers(facts))
        .or_else(|| content_sha256(facts))
        .or_else(|| post_policy(facts))
        .or_else(|| version(facts))
        .or_else(|| presigned(facts))
        .or_else(|| authorization::authorization(facts))
        .or_else(|| required_header(facts))
        .or_else(|| digest(facts))
}

fn duplicated(facts: &Facts<'_>) -> Option<Verdict> {
    let both =
        facts.says_any(&["found both", "only one auth mechanism", "multiple auth", "more than one auth"])
            && facts.says_any(&["auth", "x-amz-algorithm", "signature"]);
    both.then(|| Cause::AuthorizationDuplicated.into())
}

fn credential(facts: &Facts<'_>) -> Option<Verdict> {
    if facts.says("non-empty access key") {
        let causes = [Cause::CredentialMalformed, Cause::AuthorizationHeaderMalformed];
        return Some(
            Verdict::of(&causes)
                .because("the access key id is empty")
                .advice("look for an access key id that is not set, or that is read from an empty variable"),
        );
    }
    let malformed = facts.says_any(&[
        "credential is mal-formed",
        "credential is malformed",
        "slash-delimited",
        "malformed credential",
        "credential field malformed",
    ]) || (facts.says("credential")
        && facts.says_any(&["incorrect date format", "invalid credential format"]));
    malformed.then(|| Cause::CredentialMalformed.into())
}

fn unsigned_headers(facts: &Facts<'_>) -> Option<Verdict> {
    if facts.says("is named as a signedheader") {
        let why = "the response names a signed header that is not in the request";
        return Some(Verdict::from(Cause::SignatureMismatchHeaderMissing).because(why));
    }
    if facts.says("'host'") && facts.says_any(&["signedheader", "signed header"]) {
        return Some(Cause::HostNotSigned.into());
    }
    let named = facts.body.field("HeadersNotSigned");
    let present = named.is_some()
        || facts.says("were not signed")
        || facts.says("must be a 'signedheader'")
        || facts.says_any(&["must be included in signature", "must be included in the signature"])
        || (facts.says_any(&["header", "x-amz-"])
            && facts.says_any(&["should be signed", "must be signed", "is not signed"]));
    if !present {
        return None;
    }
    let names: Vec<String> = named
        .unwrap_or_default()
        .split(|char: char| char == ',' || char.is_whitespace())
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty())
        .collect();
    let host_only = names == ["host"]
        || (named.is_none() && facts.says_any(&["header `host` should", "header host", "host header"]));
    if host_only {
        return Some(
            Verdict::from(Cause::HostNotSigned)
                .because("the response names host among the headers that are not signed"),
        );
    }
    let mut verdict = Verdict::from(Cause::UnsignedHeadersPresent);
    if !names.is_empty() {
        let shown = names.join(", ");
        verdict = verdict
            .because(format!("not signed were: {shown}"))
            .advice(format!("sign these headers, or do not send them: {shown}"));
    } else if let Some(details) = &facts.sent.details {
        let own = details.unsigned_headers().iter().filter(|name| name.as_str().starts_with("x-amz-"));
        let own: Vec<_> = own.map(http::HeaderName::as_str).collect();
        if !own.is_empty() {
            verdict = verdict.because(format!("sent unsigned were: {}", own.join(", ")));
        }
    }
    Some(verdict)
}

fn content_sha256(facts: &Facts<'_>) -> Option<Verdict> {
    if facts.code_is(&["XAmzContentSHA256Mismatch", "ContentSHA256Mismatch", "XAmzContentChecksumMismatch"]) {
        return Some(hash_mismatch(facts));
    }
    let named = facts.says(CONTENT_SHA256)
        || facts.body.field("ArgumentName").is_some_and(|name| name.eq_ignore_ascii_case(CONTENT_SHA256));
    if !named {
        let garage = facts.says_any(&[
            "invalid content sha256 hash",
            "request content hash does not match",
            "invalid sha256",
        ]);
        return garage.then(|| {
            let mismatch = facts.says("does not match");
            Verdict::from(if mismatch { Cause::PayloadHashMismatch } else { Cause::PayloadHashHeaderInvalid })
        });
    }
    if facts.says("missing") || facts.says("is required") || facts.says("not found") {
        return Some(Cause::PayloadHashHeaderMissing.into());
    }
    if facts.says("does not match") || facts.says("mismatch") {
        return Some(hash_mismatch(facts));
    }
    let invalid = facts.code_is(&[
        "InvalidArgument",
        "InvalidRequest",
        "BadRequest",
        "NotImplemented",
        "InvalidDigest",
    ]) || facts.says_any(&["must be", "invalid", "not valid"]);
    invalid.then(|| Cause::PayloadHashHeaderInvalid.into())
}

fn hash_mismatch(facts: &Facts<'_>) -> Verdict {
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let signed = facts.body.field("ClientComputedContentSHA256");
    let arrived = facts.body.field("S3ComputedContentSHA256");
    if let Some((signed, arrived)) = signed.zip(arrived) {
        let is_hash = signed.len() == 64 && signed.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hash {
            return Verdict::from(Cause::PayloadHashHeaderInvalid)
                .because("the value of the header is not a hash");
        }
        let verdict = Verdict::from(Cause::PayloadHashMismatch);
        return match (signed, arrived) {
            (EMPTY, _) => verdict
                .because("the hash of an empty body was signed, and a body arrived")
                .advice("hash the body that is sent; a stream may have been read to its end before it was hashed"),
            (_, EMPTY) => verdict.because("the server saw an empty body").advice(
                "look for what dropped the body: a redirect, a proxy, or a stream that was read before it was sent",
            ),
            _ => verdict.because("the server computed another hash than the one in x-amz-content-sha256"),
        };
    }
    if facts.says_any(&["invalid header", "must be ", "is not a valid", "is not valid"]) {
        return Verdict::from(Cause::PayloadHashHeaderInvalid)
            .because("the value of the header is not a hash");
    }
    // Versions of versitygw before 1.0.15 say so of a value that is no hash.
    if facts.server() == "versitygw" {
        let details = facts.sent.details.as_ref();
        let declared = details.and_then(|details| details.signed_header(CONTENT_SHA256));
        let is_hash = declared
            .is_some_and(|value| value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if !is_hash {
            let why = "this version of versitygw says so where the header's value is no hash at all";
            return Verdict::from(Cause::PayloadHashHeaderInvalid).because(why);
        }
    }
    Cause::PayloadHashMismatch.into()
}

fn post_policy(facts: &Facts<'_>) -> Option<Verdict> {
    let violated = facts.says_any(&[
        "invalid according to policy",
        "policy condition failed",
        "invalid policy document",
        "post policy",
    ]) || facts.code_is(&["PostPolicyInvalidKeyName", "InvalidPolicyDocument"]);
    if violated {
        return Some(Cause::PostPolicyViolated.into());
    }
    // Only a form's policy sets another limit than the largest object that one request may have.
    let limit = match (facts.body.field("MaxSizeAllowed"), facts.body.field("MinSizeAllowed")) {
        (Some(LARGEST_PUT), _) | (None, None) => return None,
        (Some(most), _) => format!("the policy allows at most {most} bytes"),
        (None, Some(least)) => format!("the policy requires at least {least} bytes"),
    };
    let sized = facts.code_is(&["EntityTooLarge", "EntityTooSmall"]);
    sized.then(|| Verdict::from(Cause::PostPolicyViolated).because(limit))
}

/// Other versions of the signature.
fn version(facts: &Facts<'_>) -> Option<Verdict> {
    let required = facts.says_any(&[
        "please use aws4-hmac-sha256",
        "aws signature version 4",
        "aws v4 signing",
        "signature version 4",
        "sigv4",
        "only supports \"aws4-hmac-sha256",
        "signature version 2",
        "unsupported signature version",
        "unsupported signature algorithm",
        "authorization mechanism you have provided is not supported",
    ]) || facts.code_is(&["SignatureVersionNotSupported"]);
    (required && !facts.says("mismatch") && !facts.code_is(&["SignatureDoesNotMatch"]))
        .then(|| Cause::Sigv4Required.into())
}

fn presigned(facts: &Facts<'_>) -> Option<Verdict> {
    let missing = (facts.says_any(&["query-string authentication", "query string authentication"])
        && facts.says_any(&["require", "must"]))
        || facts.says_any(&["must contain a field named", "must contain the specified field name"])
        || facts.says("query-string parameters must include")
        || facts.code_is(&["AuthorizationQueryParametersError"]);
    missing.then(|| Cause::PresignedParametersMissing.into())
}

fn required_header(facts: &Facts<'_>) -> Option<Verdict> {
    let missing = facts.code_is(&["MissingSecurityHeader", "MissingRequiredHeader"])
        || facts.says_any(&["missing a required header", "missing required header"]);
    if facts.says_any(&["requires a valid date", "valid date or x-amz-date"]) {
        return Some(Verdict::from(Cause::RequiredHeaderMissing).advice("send and sign x-amz-date"));
    }
    missing.then(|| Cause::RequiredHeaderMissing.into())
}

fn digest(facts: &Facts<'_>) -> Option<Verdict> {
    let differs = facts.code_is(&["BadDigest", "InvalidDigest"])
        || facts.says_any(&[
            "content-md5 you specified did not match",
            "checksum did not match",
            "crc32 did not match",
        ]);
    differs.then(|| Cause::BodyDigestMismatch.into())
}
