//! Refusals that say nothing: the answer is the same for many causes, and what the client knows decides.

use http::StatusCode;

use super::{Verdict, of_record};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::facts::Facts;
use crate::diagnosis::parse::Form;
use crate::diagnosis::record;

pub(super) fn unexplained(facts: &Facts<'_>) -> Option<Verdict> {
    not_found(facts)
        .or_else(|| not_offered(facts))
        .or_else(|| head(facts))
        .or_else(|| aoss(facts))
        .or_else(|| function_url(facts))
        .or_else(|| forbidden(facts))
        .or_else(|| access_denied(facts))
        .or_else(|| application(facts))
}

fn not_found(facts: &Facts<'_>) -> Option<Verdict> {
    if facts.status != StatusCode::NOT_FOUND {
        return None;
    }
    let code = facts.is_aws()
        && facts.code_is(&[
            "ResourceNotFound",
            "NotFound",
            "UnknownOperation",
            "NoSuchEntity",
            "NoSuchResource",
        ]);
    let gateway = facts.has_aws_id()
        && (["not found", "no route matched", "workspace not found"].contains(&&*facts.words)
            || facts.says("no method found matching route"));
    (code || gateway).then(|| Cause::WrongStageOrRoute.into())
}

/// OpenSearch Service's word for an operation that it does not offer.
fn not_offered(facts: &Facts<'_>) -> Option<Verdict> {
    let said = facts.says("your request: '") && facts.says("is not allowed");
    said.then(|| Verdict::from(Cause::WrongStageOrRoute).because("the service does not offer this operation"))
}

/// A refusal without a body.
fn head(facts: &Facts<'_>) -> Option<Verdict> {
    let refused = [StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
    let is_head = facts.method().map(|method| method.eq_ignore_ascii_case("HEAD"));
    let of_store = facts.has("x-amz-request-id") || facts.has("x-amz-id-2");
    let applies = facts.body.form == Form::Empty
        && facts.code.is_none()
        && refused.contains(&facts.status)
        && (is_head == Some(true) || (is_head.is_none() && of_store));
    if !applies {
        return None;
    }
    let region = facts.header("x-amz-bucket-region");
    let signed = facts.region();
    let mut verdict = Verdict::from(Cause::HeadWithoutBody);
    if let Some((region, signed)) = region.zip(signed).filter(|(region, signed)| region != signed) {
        let why = format!("the bucket is in the region {region}, and signed was {signed}");
        verdict = Verdict::of(&[Cause::ScopeRegionWrong, Cause::HeadWithoutBody]).because(why);
    } else if let Some(region) = region {
        verdict = verdict.because(format!("the bucket is in the region {region}"));
    }
    if let Some(offset) = record::clock_offset(facts).filter(|offset| offset.unsigned_abs() > 300) {
        verdict = verdict.because(format!("the server's clock is {offset} s ahead of the date signed"));
    }
    Some(verdict)
}

/// OpenSearch Serverless answers everything alike.
fn aoss(facts: &Facts<'_>) -> Option<Verdict> {
    let hint = facts.header("x-aoss-response-hint");
    let is_aoss = facts.server().starts_with("aoss") || hint.is_some() || facts.service() == Some("aoss");
    if is_aoss && facts.status == StatusCode::UNAUTHORIZED {
        let causes = [Cause::SignatureMismatchUnspecified, Cause::AccessKeyUnknown, Cause::CredentialsAbsent];
        return Some(
            Verdict::of(&causes).because("the service does not say what is wrong with the signature"),
        );
    }
    if !(is_aoss && facts.status == StatusCode::FORBIDDEN) {
        return None;
    }
    let has_body = facts.sent.has_body.or_else(|| {
        facts
            .method()
            .map(|method| !["GET", "HEAD", "DELETE"].iter().any(|bare| method.eq_ignore_ascii_case(bare)))
    });
    if facts.content_sha256_signed() == Some(false)
        && (has_body != Some(false) && (hint.is_some() || has_body == Some(true)))
    {
        let why = "x-amz-content-sha256 was not signed, which the service requires of a request with a body";
        return Some(Verdict::from(Cause::PayloadHashHeaderMissing).because(why));
    }
    if let Some(verdict) = of_record(facts, Cause::DataAccessPolicyDenied) {
        return Some(verdict);
    }
    let denied = hint.is_some_and(|hint| hint.contains("gw-helper-deny"));
    Some(if denied && facts.content_sha256_signed() != Some(true) {
        Verdict::of(&[Cause::DataAccessPolicyDenied, Cause::PayloadHashHeaderMissing])
            .because("the hint gw-helper-deny stands for both")
    } else if denied {
        Verdict::from(Cause::DataAccessPolicyDenied)
            .because("x-amz-content-sha256 was signed, so that the hint means the policy")
    } else {
        Verdict::of(&[
            Cause::DataAccessPolicyDenied,
            Cause::SignatureMismatchUnspecified,
            Cause::PayloadHashHeaderMissing,
        ])
    })
}

fn function_url(facts: &Facts<'_>) -> Option<Verdict> {
    let named = facts.says("for troubleshooting function url") || facts.says("function url authorization");
    let at_url = facts.host().is_some_and(|host| host.contains(".lambda-url."));
    let null = facts.body.field("message").is_none() && at_url;
    let bare = (facts.words == "forbidden" || null)
        && facts.code_is(&["AccessDenied"])
        && !facts.is_api_gateway()
        && (at_url || facts.service().is_none_or(|service| service == "lambda"));
    (named || bare).then(|| {
        let verdict = Verdict::from(Cause::FunctionUrlDenied);
        match facts.signed() {
            Some(false) => verdict
                .because("the request was not signed")
                .advice("sign the request for the service lambda"),
            _ => verdict,
        }
    })
}

/// `{"message":"Forbidden"}` of API Gateway and IoT.
fn forbidden(facts: &Facts<'_>) -> Option<Verdict> {
    let iot = facts.body.field("traceId").is_some()
        && facts.body.form == Form::Json
        && facts.code_is(&["Forbidden"]);
    // A response to HEAD has the code in a header, and no body.
    let bare = facts.body.form == Form::Empty && facts.is_api_gateway() && facts.code_is(&["Forbidden"]);
    let said = ["forbidden", "forbidden."].contains(&&*facts.words) && facts.body.field("message").is_some();
    if !(facts.status == StatusCode::FORBIDDEN && (said || iot || bare)) {
        return None;
    }
    let iam = || {
        Verdict::from(Cause::IamRefusedUnspecified)
            .because("the response is the same for every refusal by IAM")
    };
    let websocket = facts.body.field("connectionId").is_some()
        || facts
            .sent
            .details
            .as_ref()
            .and_then(|details| details.path())
            .is_some_and(|path| path.contains("connections"));

    if iot || facts.body.field("traceId").is_some() || websocket {
        return Some(of_record(facts, Cause::IamRefusedUnspecified).unwrap_or_else(iam));
    }
    if facts.has("apigw-requestid") {
        return Some(match facts.signed() {
            Some(true) => of_record(facts, Cause::IamRefusedUnspecified).unwrap_or_else(iam),
            Some(false) => iam().because("the request was not signed"),
            None => Verdict::of(&[Cause::IamRefusedUnspecified, Cause::LambdaAuthorizerDenied])
                .because("an HTTP API gives this response where IAM or an authorizer refuses"),
        });
    }

    if !(facts.code_is(&["Forbidden"]) && facts.has("x-amzn-errortype")) {
        return None;
    }
    let custom_domain = facts.host().is_some_and(|host| !host.contains("execute-api"));
    let mut verdict = match facts.api_key() {
        Some(true) => Verdict::from(Cause::WafBlocked).because(
            "an API key was sent, so that a web ACL is the likeliest, or a key of another usage plan",
        ),
        Some(false) => Verdict::of(&[Cause::ApiKeyMissing, Cause::WafBlocked]).because("no API key was sent"),
        None if custom_domain => {
            Verdict::of(&[Cause::WrongStageOrRoute, Cause::ApiKeyMissing, Cause::WafBlocked])
        }
        None => Verdict::of(&[Cause::ApiKeyMissing, Cause::WafBlocked, Cause::WrongStageOrRoute]).because(
            "API Gateway gives this response for a missing API key, a blocked request and an unmapped domain",
        ),
    };
    if custom_domain {
        verdict.causes.push(Cause::WrongStageOrRoute);
        verdict = verdict.because("a custom domain without a mapping of this path gives this response, too");
    }
    Some(verdict)
}

/// S3's bare Access Denied, and its like.
fn access_denied(facts: &Facts<'_>) -> Option<Verdict> {
    let denied = facts.code_is(&["AccessDenied", "AccessDeniedException", "Forbidden", "AllAccessDenied"]);
    let other =
        facts.status == StatusCode::FORBIDDEN && (facts.is_error_document() || facts.has("x-amzn-errortype"));
    if !((denied && (facts.is_aws() || facts.has_aws_id()) && facts.status.is_client_error()) || other) {
        return None;
    }
    // An application's own word for its status.
    if !facts.is_aws() && !facts.has("x-amz-request-id") {
        return None;
    }
    let verdict = match facts.signed() {
        Some(false) => {
            return Some(Verdict::from(Cause::CredentialsAbsent).because("the request was not signed"));
        }
        Some(true) => Verdict::from(Cause::AccessDeniedUnspecified).because("the request was signed"),
        None => Verdict::from(Cause::AccessDeniedUnspecified),
    };
    let owner =
        facts.sent.details.as_ref().is_some_and(|details| details.signs("x-amz-expected-bucket-owner"));
    Some(if owner {
        verdict.because("x-amz-expected-bucket-owner was sent, and may name another account")
    } else {
        verdict
    })
}

/// What is left is the application's own.
fn application(facts: &Facts<'_>) -> Option<Verdict> {
    let cause = match facts.status {
        StatusCode::UNAUTHORIZED => Cause::Application401,
        StatusCode::FORBIDDEN => Cause::Application403,
        _ => return None,
    };
    let why = "the response has no error code of AWS, and a body of its own";
    Some(Verdict::from(cause).because(why))
}
