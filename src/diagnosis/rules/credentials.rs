//! Credentials that are absent, unknown, expired, or not whole.

use super::{Verdict, of_record};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::facts::Facts;
use crate::diagnosis::record;

/// Calls that are not signed: a role is assumed with an identity provider's token.
pub(super) fn web_identity(facts: &Facts<'_>) -> Option<Verdict> {
    // Amazon Cognito's words for the same token.
    let login = facts.says("invalid login token");
    if login && facts.says("token expired") {
        return Some(Cause::WebIdentityExpired.into());
    }
    let pool = facts.says_any(&[
        "token is not from a supported provider",
        "access to identity '",
        "access is not supported for this identity pool",
    ]);
    let denied = login
        || pool
        || facts.code_is(&[
            "InvalidIdentityPoolConfiguration",
            "IDPRejectedClaim",
            "InvalidIdentityToken",
            "IDPCommunicationError",
        ])
        || facts.says_any(&["sts:assumerolewithwebidentity", "sts:assumerolewithsaml"]);
    if denied {
        return Some(Cause::WebIdentityDenied.into());
    }
    let expired = facts.code_is(&["ExpiredToken", "ExpiredTradeInToken"])
        && facts.says_any(&[
            "token expired: current date",
            "token too old",
            "token must be redeemed",
            "web identity token",
        ]);
    expired.then(|| Cause::WebIdentityExpired.into())
}

pub(super) fn credentials(facts: &Facts<'_>) -> Option<Verdict> {
    subscription(facts)
        .or_else(|| absent(facts))
        .or_else(|| expired(facts))
        .or_else(|| invalid_token(facts))
        .or_else(|| unknown_key(facts))
        .or_else(|| ec2(facts))
}

fn subscription(facts: &Facts<'_>) -> Option<Verdict> {
    let needed = facts.code_is(&[
        "OptInRequired",
        "SubscriptionRequired",
        "NotSignedUp",
        "AccountNotSubscribed",
        "RegionDisabled",
    ]) || facts.says_any(&[
        "needs a subscription",
        "is not signed up for",
        "you are not subscribed to this service",
        "is not enabled for accessing",
        "is not activated in this region",
    ]);
    if needed {
        return Some(Cause::SubscriptionRequired.into());
    }
    let problem = facts.code_is(&[
        "AllAccessDisabled",
        "AccountProblem",
        "UserDisable",
        "UserSuspended",
        "PendingVerification",
        "Blocked",
        "AccountSuspended",
    ]) || (facts.is_aws()
        && facts.says_any(&[
            "all access to this object has been disabled",
            "account is suspended",
            "account has been suspended",
            "account is not yet verified",
            "account is currently blocked",
            "your account is not authorized",
            "cap exceeded",
        ]));
    problem.then(|| Cause::AccountProblem.into())
}

fn absent(facts: &Facts<'_>) -> Option<Verdict> {
    let missing_token =
        facts.code_is(&["MissingAuthenticationToken"]) || facts.says("missing authentication token");
    if missing_token {
        return Some(missing_authentication_token(facts));
    }
    let words = [
        "does not support anonymous access",
        "anonymous access is forbidden",
        "anonymous user has",
        "anonymous users cannot",
        "anonymous request",
        "no awsaccesskey was presented",
        "must contain either a valid (registered) aws access key id",
        "valid authorization header not provided",
        "missing authorization header",
        "no credentials provided",
        "anonymous caller does not have",
        "must contain the parameter awsaccesskeyid",
        "authentication is required",
    ];
    let code = facts.code_is(&["MissingClientTokenId", "AuthenticationRequired", "MissingAuthentication"]);
    let said = facts.is_aws() && facts.says_any(&words);
    // The whole of what R2 says of a request without an Authorization, or with one that it cannot read.
    let r2 = facts.code_is(&["InvalidArgument"]) && facts.words == "authorization";
    if r2 {
        return Some(match facts.signed() {
            Some(true) => Cause::AuthorizationHeaderMalformed.into(),
            Some(false) => Cause::CredentialsAbsent.into(),
            None => Verdict::of(&[Cause::CredentialsAbsent, Cause::AuthorizationHeaderMalformed]),
        });
    }
    (said || code).then(|| absent_although(facts))
}

/// The request arrived unsigned, although it may have been sent otherwise.
fn absent_although(facts: &Facts<'_>) -> Verdict {
    let verdict = Verdict::from(Cause::CredentialsAbsent);
    if facts.signed() == Some(true) {
        return verdict
            .because("the request was signed, so that its Authorization was removed on the way")
            .advice("look for a proxy or a redirect that drops the Authorization header");
    }
    verdict
}

/// API Gateway says this of a route that does not exist, too.
fn missing_authentication_token(facts: &Facts<'_>) -> Verdict {
    let masked = "API Gateway says this of a method, path or stage that does not exist";
    let gateway = facts.is_api_gateway();
    match (facts.signed(), facts.sent.route_known) {
        (_, Some(false)) => Verdict::from(Cause::RouteNotFoundMasked).because(masked),
        (Some(false), _) => {
            let verdict = Verdict::from(Cause::CredentialsAbsent).because("the request was not signed");
            if gateway { verdict.because(masked) } else { verdict }
        }
        (Some(true), Some(true)) => absent_although(facts),
        (Some(true), None) if gateway => {
            Verdict::from(Cause::RouteNotFoundMasked).because("the request was signed").because(masked)
        }
        (Some(true), None) => Verdict::of(&[Cause::RouteNotFoundMasked, Cause::CredentialsAbsent])
            .because("the request was signed: no such route, or its Authorization was removed on the way"),
        (None, known) if gateway && known.is_none() => {
            Verdict::of(&[Cause::CredentialsAbsent, Cause::RouteNotFoundMasked]).because(masked)
        }
        (None, _) => Cause::CredentialsAbsent.into(),
    }
}

fn expired(facts: &Facts<'_>) -> Option<Verdict> {
    let code =
        facts.code_is(&["ExpiredToken", "TokenRefreshRequired", "ExpiredTokenId", "SecurityTokenExpired"]);
    let said = facts.says_any(&[
        "security token included in the request is expired",
        "security token included in the request has expired",
        "the provided token has expired",
        "session token has expired",
        "security token has expired",
    ]);
    let verdict = Verdict::from(Cause::SessionTokenExpired);
    (code || said).then(|| match facts.session_token() {
        Some(false) => verdict.because("no session token was sent by this client: another one's arrived"),
        _ => verdict,
    })
}

fn invalid_token(facts: &Facts<'_>) -> Option<Verdict> {
    let message = facts.body.message();
    // Without its full stop the text comes from after the check of the signature.
    let after_check = facts.code_is(&["UnrecognizedClient"])
        && facts.says("security token included in the request is invalid")
        && !message.trim_end().ends_with('.');
    let invalid = facts.code_is(&["InvalidToken", "InvalidTokenId", "InvalidSecurityToken"])
        || facts.says("the provided token is malformed or otherwise invalid");
    if !(after_check || invalid) {
        return None;
    }
    if let Some(finding) = record::token(facts) {
        return Some(Verdict::from(finding.cause).because(finding.why));
    }
    Some(with_long_lived_key(facts, Verdict::from(Cause::SessionTokenInvalid)))
}

fn has_long_lived_key(facts: &Facts<'_>) -> bool {
    facts.access_key_id().is_some_and(|id| id.starts_with("AKIA"))
}

/// Adds that a session token went along with an access key that has none.
fn with_long_lived_key(facts: &Facts<'_>, verdict: Verdict) -> Verdict {
    if has_long_lived_key(facts) && facts.session_token() == Some(true) {
        return verdict
            .because("the access key id begins with AKIA, a long-lived key, and a session token was sent with it")
            .advice("send no session token with long-lived keys: unset AWS_SESSION_TOKEN, or use the whole new set");
    }
    verdict
}

fn unknown_key(facts: &Facts<'_>) -> Option<Verdict> {
    let inactive = facts.is_aws()
        && facts.says_any(&[
            "account is disabled",
            "access key is inactive",
            "access key is disabled",
            "key is not active",
            "access key has been disabled",
        ]);
    if inactive || facts.code_is(&["InactiveAccessKey", "AccessKeyDisabled"]) {
        return Some(Cause::AccessKeyInactive.into());
    }
    let code = facts.code_is(&[
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "UnrecognizedClient",
        "InvalidSecurity",
        "InvalidAccessKey",
        "NoSuchAccessKey",
    ]);
    let oracle = facts.says("secret key required to complete authentication could not be found");
    if oracle {
        let why = "the region has to be named if it is not the home region of the tenancy";
        return Some(Verdict::of(&[Cause::AccessKeyUnknown, Cause::ScopeRegionWrong]).because(why));
    }
    if code_is_unauthorized(facts) {
        return Some(Verdict::of(&[Cause::AccessKeyUnknown, Cause::AccessDeniedUnspecified]));
    }
    let said = facts.says_any(&[
        "access key id you provided does not exist",
        "access key id provided does not exist",
        "credential access key has length",
    ]) || (facts.is_aws()
        && facts.says_any(&["no such key: ", "no such access key", "access key not found"])
        && !facts.code_is(&["NoSuchKey"]))
        || facts.says("security token included in the request is invalid");
    if !(code || said) {
        return None;
    }
    let temporary = facts.access_key_id().map(|id| id.starts_with("ASIA"));
    match (temporary, facts.session_token(), facts.sent.session_token) {
        (Some(true), Some(false) | None, _) => {
            let why = "the access key id begins with ASIA: it is refused like an unknown one if its token is not sent";
            return Some(Verdict::from(Cause::SessionTokenMissing).because(why));
        }
        (None, _, Some(false)) => {
            let causes = [Cause::SessionTokenMissing, Cause::AccessKeyUnknown];
            return Some(Verdict::of(&causes).because("no session token was sent"));
        }
        _ => {}
    }
    if has_long_lived_key(facts) && facts.session_token() == Some(true) {
        return Some(with_long_lived_key(facts, Verdict::from(Cause::SessionTokenInvalid)));
    }
    let verdict = Verdict::from(Cause::AccessKeyUnknown);
    Some(match facts.access_key_id() {
        Some(id) => verdict.because(format!("the access key id is {}", shown_id(id))),
        None => verdict,
    })
}

/// R2's word for a key that it does not know, or that may not do this.
fn code_is_unauthorized(facts: &Facts<'_>) -> bool {
    facts.is_error_document() && facts.code_is(&["Unauthorized"]) && facts.words == "unauthorized"
}

/// An access key id as it is shown: its length is the first thing to look at.
fn shown_id(id: &str) -> String {
    let id = crate::diagnosis::compare::shorten(id, 128);
    format!("{id:?} ({} characters)", id.chars().count())
}

/// EC2 has one code for every problem of credentials, so that only the client's record tells them apart.
fn ec2(facts: &Facts<'_>) -> Option<Verdict> {
    let validated = facts.says("was not able to validate the provided access credentials");
    if !(facts.code_is(&["AuthFailure"]) && (validated || facts.words.is_empty())) {
        return None;
    }
    if let Some(verdict) = of_record(facts, Cause::AccessKeyUnknown) {
        return Some(verdict);
    }
    if let Some(offset) = record::clock_offset(facts).filter(|offset| offset.unsigned_abs() > 300) {
        let cause = if offset > 0 { Cause::ClockSkewBehind } else { Cause::ClockSkewAhead };
        let mut verdict = Verdict::from(cause)
            .because(format!("the server's clock is {offset} s ahead of the date signed"));
        verdict.clock_offset_seconds = Some(offset);
        return Some(verdict);
    }
    let causes = [
        Cause::AccessKeyUnknown,
        Cause::SignatureMismatchUnspecified,
        Cause::ClockSkew,
        Cause::SubscriptionRequired,
    ];
    Some(Verdict::of(&causes).because("EC2 gives this response for every problem with credentials").advice(
        "check the access key id and its secret, the clock, that Host is signed as it is called, and that the region is \
         enabled for the account",
    ))
}
