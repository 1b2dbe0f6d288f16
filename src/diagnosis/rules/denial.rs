//! Denials of requests whose signature was accepted, and limits.

use http::StatusCode;

use super::Verdict;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::facts::{Facts, between};
use crate::diagnosis::redaction;
use crate::diagnosis::report::Denial;

pub(super) fn throttled(facts: &Facts<'_>) -> Option<Verdict> {
    let limited = facts.status == StatusCode::TOO_MANY_REQUESTS;
    if limited && facts.is_api_gateway() && facts.says("limit exceeded") {
        return Some(Cause::UsagePlanExceeded.into());
    }
    let code = facts.code_is(&[
        "BandwidthLimitExceeded",
        "EC2Throttled",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "SlowDownRead",
        "SlowDownWrite",
        "Throttled",
        "Throttling",
        "TooManyRequests",
        "XMinioRequestTimeout",
    ]);
    let said =
        facts.is_aws() && facts.says_any(&["rate exceeded", "reduce your request rate", "too many requests"]);
    (limited || code || said).then(|| Cause::ServiceThrottled.into())
}

pub(super) fn cors(facts: &Facts<'_>) -> Option<Verdict> {
    let refused = facts.says_any(&[
        "corsresponse:",
        "cors is not enabled",
        "this cors request is not allowed",
        "invalid cors request",
    ]);
    (refused || facts.code_is(&["AccessForbidden"])).then(|| Cause::CorsRefused.into())
}

pub(super) fn denial(facts: &Facts<'_>) -> Option<Verdict> {
    let verdict = by_authorizer(facts).or_else(|| by_name(facts)).or_else(|| by_policy(facts))?;
    Some(Verdict { denial: denied(facts), ..verdict })
}

/// Authorizers of the API's owner, and AppSync's.
fn by_authorizer(facts: &Facts<'_>) -> Option<Verdict> {
    if facts.says("authorization method mismatch") {
        return Some(Verdict::of(&[Cause::AuthorizationSchemeWrong, Cause::JwtAuthorizerRefused]));
    }
    if facts.says("requested resource is denied") && facts.says("access token") {
        let why = "the details speak of the access token that the API requires besides the signature";
        return Some(Verdict::from(Cause::JwtAuthorizerRefused).because(why));
    }
    let lambda = facts
        .says_any(&["user is not authorized to access this resource", "not authorized to make this call"]);
    if lambda {
        let why = "the message names no principal (User: arn:…), as IAM's do";
        return Some(Verdict::from(Cause::LambdaAuthorizerDenied).because(why));
    }
    let token = facts
        .header("www-authenticate")
        .is_some_and(|value| value.to_ascii_lowercase().starts_with("bearer"));
    let jwt = (token && (facts.has_aws_id() || facts.has("x-amzn-errortype")))
        || facts.says_any(&[
            "unable to parse jwt",
            "the incoming token has expired",
            "identity token has expired",
            "jwt token",
        ])
        || (facts.code_is(&["Unauthorized"]) && facts.says("token has expired"));
    if jwt {
        let verdict = Verdict::from(Cause::JwtAuthorizerRefused);
        return Some(match facts.header("www-authenticate") {
            Some(value) => verdict
                .because(format!("WWW-Authenticate is {:?}", crate::diagnosis::compare::shorten(value, 200))),
            None => verdict,
        });
    }
    // API Gateway's own word where a token is missing or refused.
    let customized =
        facts.has("x-amz-apigw-id") && facts.has("x-amzn-errortype") && facts.code_is(&["Unauthorized"]);
    let unauthorized = facts.status == StatusCode::UNAUTHORIZED
        && facts.has_aws_id()
        && ((facts.words == "unauthorized" && !facts.is_error_document()) || customized);

    unauthorized.then(|| {
        if facts.has("apigw-requestid") {
            Cause::JwtAuthorizerRefused.into()
        } else {
            Verdict::of(&[Cause::JwtAuthorizerRefused, Cause::LambdaAuthorizerDenied])
                .because("the token that the route's authorizer requires is missing or refused")
        }
    })
}

/// Denials that have a code or words of their own.
fn by_name(facts: &Facts<'_>) -> Option<Verdict> {
    if facts.says("user: anonymous is not authorized") {
        let mut verdict = Verdict::from(Cause::ResourcePolicyAnonymous);
        if facts.says("with an explicit deny") {
            verdict.causes.push(Cause::PolicyExplicitDenyResource);
        }
        return Some(match facts.signed() {
            Some(true) => {
                verdict.because("the request was signed, so that its Authorization was removed on the way")
            }
            _ => verdict,
        });
    }
    let model = facts.says_any(&[
        "access to the model with the specified model id",
        "model access is denied",
        "don't have access to the model",
        "do not have access to the model",
        "model use case details have not been submitted",
        "access to bedrock models is not allowed",
        "models is not allowed from unsupported countries",
        "model is marked by provider as legacy",
        "other available models on amazon bedrock",
    ]);
    if model {
        return Some(Cause::ModelAccessNotGranted.into());
    }
    let organization = facts.says_any(&["in a service control policy", "in a resource control policy"]);
    let kms = facts.says_any(&[
        "kms:",
        "customer master key",
        "the ciphertext refers to",
        "aws kms",
        "access to kms",
        "kms key",
        "kms.keyunavailable",
    ]) || facts.code.as_ref().is_some_and(|code| code.starts_with("KMS"));
    if kms && !organization && !facts.says("execute-api:") {
        return Some(Cause::KmsDenied.into());
    }
    if facts.code_is(&["security_exception"]) || facts.says("no permissions for [") {
        return Some(Cause::DataAccessPolicyDenied.into());
    }
    if facts.code_is(&["WAFForbidden"]) {
        return Some(Cause::WafBlocked.into());
    }
    if facts.has("x-amzn-errortype")
        && facts.says_any(&["invalid api key", "api key is required", "missing api key"])
    {
        return Some(Cause::ApiKeyMissing.into());
    }
    if facts.says("unable to determine service/operation name to be authorized") {
        let why = "the service has no operation with this method and path";
        return Some(Verdict::from(Cause::WrongStageOrRoute).because(why));
    }
    if facts.code_is(&["InvalidObjectState"]) {
        return Some(Cause::ObjectStateInvalid.into());
    }
    None
}

/// IAM's words, which name the kind of policy.
fn by_policy(facts: &Facts<'_>) -> Option<Verdict> {
    let text = &facts.words;
    let explicit = text.find("explicit deny").map(|at| &text[at..]);
    let implicit = text.find("because no ").map(|at| &text[at..]).filter(|rest| rest.contains("allow"));
    if let Some(policy) = explicit {
        let causes: &[Cause] = match kind_of_policy(policy) {
            Some(Cause::PolicyImplicitDeny) => &[Cause::PolicyExplicitDenyIdentity],
            Some(Cause::PolicyExplicitDenyResource) => &[Cause::PolicyExplicitDenyResource],
            Some(Cause::PolicyScpDeny) => &[Cause::PolicyScpDeny],
            Some(Cause::PolicyRcpDeny) => &[Cause::PolicyRcpDeny],
            Some(Cause::PolicyBoundaryDeny) => &[Cause::PolicyBoundaryDeny],
            Some(Cause::PolicySessionDeny) => &[Cause::PolicySessionDeny],
            Some(Cause::PolicyVpcEndpointDeny) => &[Cause::PolicyVpcEndpointDeny],
            // API Gateway says no more, and evaluates the API's own policy.
            _ if facts.says("execute-api:") => &[Cause::PolicyExplicitDenyResource],
            _ => {
                &[Cause::PolicyExplicitDenyIdentity, Cause::PolicyExplicitDenyResource, Cause::PolicyScpDeny]
            }
        };
        return Some(Verdict::of(causes));
    }
    if let Some(policy) = implicit {
        let cause = match kind_of_policy(policy) {
            Some(Cause::PolicyExplicitDenyResource) | None => Cause::PolicyImplicitDeny,
            Some(cause) => cause,
        };
        return Some(cause.into());
    }
    let words = [
        "is not authorized to perform",
        "not authorized to perform",
        "not authorized to access",
        "you are not authorized to",
        "operation is not allowed for this key",
        "access to requested resource is denied",
        "insufficient lake formation permission",
        "not authorized for images",
        "you have no right to access",
        "doesn't have the right to",
        "not entitled",
        "you do not have permission",
    ];
    let code = facts.code_is(&["UnauthorizedOperation", "UnauthorizedAccess", "AuthorizationError"]);
    let denied = facts.code_is(&["AccessDenied", "AccessDeniedException", "UnauthorizedException"]);
    let vague = denied
        && facts.says_any(&[
            "permission denied",
            "does not have permission",
            "do not have permission",
            "don't have permission",
            "insufficient permission",
            "insufficient privileges",
            "is not authorized",
            "not authorized",
            "does not have access",
            "doesn't have access",
            "access to the resource",
        ]);
    // `… does not have storage.objects.get access to …`, of Google's.
    let lacks = denied && facts.says("does not have ") && facts.says(" access to the ");
    (code || facts.says_any(&words) || vague || lacks).then(|| Cause::PolicyImplicitDeny.into())
}

/// The kind of policy that is named first, as the cause of its explicit denial; an identity-based one as the implicit.
fn kind_of_policy(text: &str) -> Option<Cause> {
    let kinds = [
        ("identity-based policy", Cause::PolicyImplicitDeny),
        ("resource-based policy", Cause::PolicyExplicitDenyResource),
        ("service control policy", Cause::PolicyScpDeny),
        ("resource control policy", Cause::PolicyRcpDeny),
        ("permissions boundary", Cause::PolicyBoundaryDeny),
        ("session policy", Cause::PolicySessionDeny),
        ("vpc endpoint policy", Cause::PolicyVpcEndpointDeny),
        ("role trust policy", Cause::PolicyExplicitDenyResource),
        ("bucket policy", Cause::PolicyExplicitDenyResource),
        ("key policy", Cause::PolicyExplicitDenyResource),
    ];
    let found = kinds.iter().filter_map(|(name, cause)| Some((text.find(name)?, *cause)));
    found.min_by_key(|(at, _)| *at).map(|(_, cause)| cause)
}

/// `User: ARN is not authorized to perform: ACTION on resource: ARN with an explicit deny in a … policy: ARN`.
fn denied(facts: &Facts<'_>) -> Option<Denial> {
    let message = facts.body.message();
    let word = |text: &str| {
        let word =
            text.trim_start().split(char::is_whitespace).next()?.trim_matches(|char| "\"',.;".contains(char));
        (!word.is_empty() && word.len() <= 2048).then(|| redaction::word(word))
    };
    let after = |start: &str| message.split_once(start).map(|(_, after)| after).and_then(word);
    let principal = between(message, "User: ", " is not authorized").and_then(word);
    let policy = message.rfind("policy: arn:").and_then(|at| word(&message[at + "policy: ".len()..]));
    let denial = Denial {
        principal,
        action: after("to perform: ").or_else(|| after("to perform ")).filter(|action| action.contains(':')),
        resource: after("on resource: "),
        policy,
    };
    (denial != Denial::default()).then_some(denial)
}
