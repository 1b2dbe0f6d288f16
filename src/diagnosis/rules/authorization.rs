//! Authorization headers that cannot be read as SigV4's.

use super::Verdict;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::facts::{Facts, between};

/// What kind of value a response quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quoted {
    Sigv4,
    Other,
    Unknown,
}

/// API Gateway reads the Authorization as SigV4's where it knows no such route, too.
pub(super) fn authorization(facts: &Facts<'_>) -> Option<Verdict> {
    let mut verdict = unreadable(facts)?;
    if !(facts.is_api_gateway() && verdict.causes.first() == Some(&Cause::AuthorizationSchemeWrong)) {
        return Some(verdict);
    }
    let at = match facts.sent.route_known {
        Some(true) => return Some(verdict),
        Some(false) => 0,
        None => verdict.causes.len(),
    };
    verdict.causes.insert(at, Cause::RouteNotFoundMasked);
    Some(verdict.because("API Gateway says this of a method, path or stage that does not exist, too"))
}

fn unreadable(facts: &Facts<'_>) -> Option<Verdict> {
    if facts.says_any(&[
        "unsupported authorization type",
        "unsupported authorization scheme",
        "authorization type is not supported",
    ]) {
        return Some(Cause::AuthorizationSchemeWrong.into());
    }
    let undated = facts.says("requires existence of either a 'x-amz-date'");
    if undated && !facts.says("' parameter") {
        let causes = [Cause::RequiredHeaderMissing, Cause::AuthorizationHeaderMalformed];
        return Some(Verdict::of(&causes).advice("send and sign x-amz-date"));
    }
    let unreadable = facts.code_is(&[
        "IncompleteSignature",
        "AuthorizationHeaderMalformed",
        "MissingFields",
        "CredMalformed",
    ]) || (facts.says("authorization")
        && facts.says_any(&[
            "key=value pair",
            "requires three components",
            "' parameter",
            "header is malformed",
            "header is invalid",
            "one and only one",
            "mal-formed",
        ]))
        || (facts.is_aws()
            && facts.says_any(&[
                "missing fields in request",
                "signature header missing",
                "missing credential field",
                "missing credential tag",
            ]));
    if !unreadable {
        return None;
    }
    if let Some(verdict) = by_hash(facts) {
        return Some(verdict);
    }
    let malformed = Verdict::from(Cause::AuthorizationHeaderMalformed);
    let of_aws = facts.body.field("ArgumentValue").is_some_and(|value| value.starts_with("AWS"));
    if facts.says("one and only one") && of_aws {
        let causes = [Cause::AuthorizationSchemeWrong, Cause::AuthorizationHeaderMalformed];
        let why = "the response quotes an Authorization of an older scheme of AWS, or one that is cut";
        return Some(Verdict::of(&causes).because(why));
    }
    Some(match quoted(facts) {
        Quoted::Sigv4 => malformed.because("the Authorization that the response quotes is SigV4's, in part"),
        Quoted::Other => Verdict::from(Cause::AuthorizationSchemeWrong)
            .because("the Authorization that the response quotes is of another scheme than SigV4"),
        Quoted::Unknown => by_client(facts),
    })
}

/// What the client knows of its own header.
fn by_client(facts: &Facts<'_>) -> Verdict {
    let malformed = Verdict::from(Cause::AuthorizationHeaderMalformed);
    match (&facts.sent.authorization, facts.signed()) {
        (Some(sent), _) if !sent.scheme.starts_with("AWS4-") => {
            Verdict::from(Cause::AuthorizationSchemeWrong)
                .because("an Authorization of another scheme than SigV4 was sent")
        }
        (Some(_), _) | (None, Some(true)) => malformed,
        (None, Some(false)) => {
            Verdict::from(Cause::AuthorizationSchemeWrong).because("the request was not signed")
        }
        (None, None) if facts.is_error_document() || !facts.is_api_gateway() => malformed,
        (None, None) => Verdict::of(&[Cause::AuthorizationSchemeWrong, Cause::AuthorizationHeaderMalformed])
            .because("the response does not show the Authorization that arrived"),
    }
}

/// Newer texts quote only the Base64 of the SHA-256 of what arrived.
fn by_hash(facts: &Facts<'_>) -> Option<Verdict> {
    let message = facts.body.message();
    if !facts.says("hashed with sha-256") {
        return None;
    }
    let hash = between(message, "Base64): '", "'")
        .or_else(|| between(message, "Authorization='", "'"))
        .or_else(|| {
            let words = message.split(|char: char| char.is_whitespace() || char == '\'' || char == '=');
            words.into_iter().find(|word| word.len() == 43)
        });
    let same = facts
        .sent
        .authorization
        .as_ref()
        .zip(hash)
        .map(|(sent, hash)| sent.sha256.trim_end_matches('=') == hash.trim_end_matches('='));
    let verdict = by_client(facts);
    Some(match same {
        Some(true) => verdict.because("the hash that the response quotes is that of the Authorization that was sent"),
        Some(false) => Verdict::of(&[Cause::AuthorizationHeaderMalformed, Cause::AuthorizationSchemeWrong])
            .because("the hash that the response quotes is not that of the Authorization that was sent: a hop changed it")
            .advice("look for what replaces or rewrites the Authorization header on the way"),
        // What was signed was SigV4's, so that a hop may have replaced it by another scheme's.
        None if facts.signed() == Some(true) => {
            Verdict::of(&[Cause::AuthorizationHeaderMalformed, Cause::AuthorizationSchemeWrong])
                .because("the request was signed, and another Authorization may have arrived")
        }
        None => verdict,
    })
}

fn quoted(facts: &Facts<'_>) -> Quoted {
    let message = facts.body.message();
    let after = ["Authorization header: '", "Authorization header: ", "Authorization=", "Authorization: '"];
    let value = after.iter().find_map(|start| message.split_once(start)).map(|(_, value)| value);
    let argument = facts.body.field("ArgumentValue");
    match value.or(argument) {
        Some(value) if value.contains("AWS4-") => Quoted::Sigv4,
        Some(value) if value.trim().is_empty() => Quoted::Unknown,
        Some(_) => Quoted::Other,
        None if message.contains("AWS4-") || message.contains("/aws4_request") => Quoted::Sigv4,
        None if message.contains("Bearer") || message.contains("'eyJ") => Quoted::Other,
        None => Quoted::Unknown,
    }
}
