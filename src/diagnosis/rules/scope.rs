//! Credential scopes that are not the server's.

use super::Verdict;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::facts::{Facts, between};

pub(super) fn scope(facts: &Facts<'_>) -> Option<Verdict> {
    if let Some(unexpected) = unexpected_scope(facts) {
        return Some(unexpected);
    }
    let region = facts.says("scoped to a valid region")
        || (facts.says("region")
            && facts.says_any(&[
                "is wrong",
                "is incorrect",
                "incorrect region",
                "wrong region",
                "invalid region",
                "region does not match",
            ]))
        || facts.code_is(&["InvalidRegion", "InvalidRegionName", "IncorrectEndpoint"])
        || (facts.code_is(&["AuthorizationHeaderMalformed", "AuthorizationQueryParametersError"])
            && facts.body.field("Region").is_some()
            && !facts.says_any(&["mal-formed", "malformed;"]));
    let service = facts.says_any(&[
        "scoped to correct service",
        "incorrect service",
        "service scope should be of value",
        "wrong service",
        "credential service should be",
        "invalid service",
    ]);
    let terminator = facts.says_any(&[
        "valid terminator",
        "incorrect terminal",
        "request scope should be of value",
        "invalid terminator",
    ]);
    let date = facts.says_any(&[
        "date in credential scope does not match",
        "date is not the same as x-amz-date",
        "date in the credential scope does not match",
        "credential date does not match",
    ]);
    let named = [
        (region, Cause::ScopeRegionWrong),
        (service, Cause::ScopeServiceWrong),
        (terminator, Cause::ScopeTerminatorWrong),
        (date, Cause::ScopeDateMismatch),
    ];
    let causes: Vec<Cause> = named.iter().filter(|(said, _)| *said).map(|(_, cause)| *cause).collect();
    let first = *causes.first()?;
    let mut verdict = Verdict::of(&causes);
    if let Some(scope) = facts.sent.details.as_ref().and_then(|details| details.scope()) {
        verdict = verdict.because(format!("signed was the scope {scope}"));
    }
    Some(match (first, wanted(facts, first)) {
        (Cause::ScopeRegionWrong, Some(region)) => verdict
            .because(format!("the server's region is {region}"))
            .advice(format!("sign for the region {region}")),
        (Cause::ScopeServiceWrong, Some(service)) => verdict
            .because(format!("the server's service is {service}"))
            .advice(format!("sign for the service {service}")),
        _ => verdict,
    })
}

/// The region or service that the response names.
fn wanted(facts: &Facts<'_>, cause: Cause) -> Option<String> {
    let message = facts.body.message();
    let quoted = |start: &str| {
        between(message, start, "'").or_else(|| between(message, &start.replace('\'', "\""), "\""))
    };
    let named = match cause {
        Cause::ScopeRegionWrong => facts
            .body
            .field("Region")
            .or_else(|| quoted("expecting '"))
            .or(facts.header("x-amz-bucket-region")),
        Cause::ScopeServiceWrong => quoted("correct service: '")
            .or_else(|| quoted("belongs to '"))
            .or_else(|| between(message, "service should be ", ",")),
        _ => None,
    };
    let is_name = |name: &&str| {
        !name.is_empty()
            && name.len() <= 64
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-*,".contains(&byte))
    };
    named.filter(is_name).map(str::to_owned)
}

/// Garage's words, which name the whole scope, and the region as an element.
fn unexpected_scope(facts: &Facts<'_>) -> Option<Verdict> {
    let scope = facts.body.message().split_once("unexpected scope: ")?.1;
    let scope = scope.split(|char: char| char.is_whitespace() || char == ',').next()?;
    let parts: Vec<&str> = scope.split('/').collect();
    let [_, region, service, terminator] = parts[..] else { return Some(Cause::CredentialMalformed.into()) };
    let expected = facts.body.field("Region");
    let region_differs = expected.is_some_and(|expected| expected != region);
    let verdict = if region_differs {
        Verdict::from(Cause::ScopeRegionWrong)
    } else if terminator != "aws4_request" {
        Verdict::from(Cause::ScopeTerminatorWrong)
    } else if service != "s3" && service != "k2v" {
        Verdict::from(Cause::ScopeServiceWrong)
    } else if expected.is_none() {
        Verdict::of(&[Cause::ScopeRegionWrong, Cause::ScopeDateMismatch])
    } else {
        Verdict::from(Cause::ScopeDateMismatch)
    };
    let verdict = verdict.because(format!("signed was the scope {scope}"));
    Some(match expected {
        Some(region) if region_differs => verdict.advice(format!("sign for the region {region}")),
        _ => verdict,
    })
}
