//! What a refusal means, and whether one more signed try is right.
//!
//! Two things can be healed: a clock that was wrong, be it ours, the server's or one that stood still between signing
//! and sending; and credentials that ended before they said they would. By the AWS SDKs' common rules of 2026. All
//! else is the caller's to see.

use std::time::SystemTime;

use http::{HeaderMap, Method, Response, StatusCode};
use http_body::Body;

use crate::client::response_body::ResponseBody;
use crate::clock::{RETRY_BEYOND, server_date, should_retry};
use crate::signing::signature::SignedWith;
use crate::signing::signer::Signer;

/// The longest body that is read for an error code.
const LONGEST_REFUSAL: usize = 64 * 1024;

/// Codes that may mean that the date was wrong.
const MAY_BE_SKEW: [&str; 9] = [
    "AccessDeniedException",
    "AuthFailure",
    "BadRequestException",
    "InvalidSignatureException",
    "RequestExpired",
    "RequestInTheFuture",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "AccessDenied",
];

/// Codes that mean that the credentials are no longer good.
const EXPIRED: [&str; 3] = ["ExpiredToken", "ExpiredTokenException", "InvalidToken"];

/// What an answer's status and headers tell.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing that another try would heal.
    Final,
    /// A refusal of this code.
    Refused { code: String, drift: Drift },
    /// A refusal whose code, if any, is in its body.
    RefusedInBody { drift: Drift },
}

/// How far the request's date was from the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drift {
    Small,
    /// More than a server allows, and not so if the request were signed now.
    Curable,
}

impl Signer {
    /// Learns the server's clock from an answer's head, and reads there whether another try may be right.
    pub(crate) fn read_answer(
        &self,
        attempt: &SignedWith,
        method: &Method,
        origin: &str,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Answer {
        let clock = self.clock();
        let candidate = clock.learn(origin, headers, attempt.reading.local, clock.now());
        let refused = [StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
        if !self.recovers() || !refused.contains(&status) {
            return Answer::Final;
        }
        let skewed = candidate.is_some_and(|candidate| should_retry(attempt.reading.offset, candidate));
        let stale = is_stale(server_date(headers), attempt.reading.corrected(), clock.now_for(origin));
        let drift = if skewed || stale { Drift::Curable } else { Drift::Small };
        match headers.get("x-amzn-errortype") {
            Some(code) => Answer::Refused {
                code: bare_code(&String::from_utf8_lossy(code.as_bytes())).to_owned(),
                drift,
            },
            // The answer to a HEAD has no body to tell its code.
            None if *method == Method::HEAD && drift == Drift::Curable => {
                Answer::Refused { code: "RequestTimeTooSkewed".to_owned(), drift }
            }
            None if *method == Method::HEAD => Answer::Final,
            None if drift == Drift::Curable || attempt.keys.token().is_some() => {
                Answer::RefusedInBody { drift }
            }
            None => Answer::Final,
        }
    }

    /// Whether a request refused with this code shall be signed and sent once more. Drops refused credentials.
    async fn shall_try_again(&self, attempt: &SignedWith, code: Option<&str>, drift: Drift) -> bool {
        let Some(code) = code else { return false };
        if EXPIRED.contains(&code) {
            let refused = attempt.keys.credentials();
            let fresh = self.credentials().reload_after_refusal(refused).await.is_some();
            tracing::debug!(code, fresh, "the server refused the credentials as expired");
            return fresh;
        }
        let skewed = drift == Drift::Curable && MAY_BE_SKEW.contains(&code);
        if skewed {
            tracing::debug!(code, "the server refused the signature's date; signing again");
        }
        skewed
    }
}

/// Whether a request shall be signed and sent once more; and its answer, whole, though its body may have been read.
pub(crate) async fn assess<R: Body>(
    signer: &Signer,
    attempt: &SignedWith,
    answer: Answer,
    response: Response<R>,
) -> (Response<ResponseBody<R>>, bool) {
    match answer {
        Answer::Final => (response.map(ResponseBody::untouched), false),
        Answer::Refused { code, drift } => {
            let again = signer.shall_try_again(attempt, Some(&code), drift).await;
            (response.map(ResponseBody::untouched), again)
        }
        Answer::RefusedInBody { drift } => {
            let (head, body) = response.into_parts();
            let (text, body) = ResponseBody::peek(body, LONGEST_REFUSAL).await;
            let text = String::from_utf8_lossy(&text);
            let again = signer.shall_try_again(attempt, code_in_body(&text), drift).await;
            (Response::from_parts(head, body), again)
        }
    }
}

/// Whether a request was signed so long before the server saw it that it was refused for it, and a signature made now
/// would not be. Also true of a round trip too long to learn from.
fn is_stale(server: Option<SystemTime>, signed: SystemTime, again: SystemTime) -> bool {
    let Some(server) = server else { return false };
    let distance = |time: SystemTime| server.duration_since(time).unwrap_or_else(|error| error.duration());
    distance(signed) > RETRY_BEYOND && distance(again) <= RETRY_BEYOND
}

/// `InvalidSignatureException` of `com.amazon.coral#InvalidSignatureException:http://internal.amazon.com/…`.
fn bare_code(code: &str) -> &str {
    let code = code.split(':').next().unwrap_or(code);
    code.rsplit('#').next().unwrap_or(code).trim()
}

/// The error code in a body: `<Code>…</Code>` of XML, or the `__type` or `code` of JSON.
fn code_in_body(body: &str) -> Option<&str> {
    let within = |from: &str, to: char| {
        let rest = &body[body.find(from)? + from.len()..];
        Some(&rest[..rest.find(to)?])
    };
    let string_of = |name: &str| {
        let rest = body[body.find(name)? + name.len()..].trim_start().strip_prefix(':')?;
        let rest = rest.trim_start().strip_prefix('"')?;
        Some(&rest[..rest.find('"')?])
    };
    within("<Code>", '<').or_else(|| string_of("\"__type\"")).or_else(|| string_of("\"code\"")).map(bare_code)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn codes_are_read_where_services_put_them() {
        for (body, code) in [
            (
                "<?xml version=\"1.0\"?>\n<Error><Code>ExpiredToken</Code><Message/></Error>",
                Some("ExpiredToken"),
            ),
            (
                r#"{"__type":"com.amazonaws.dynamodb.v20120810#ExpiredTokenException","message":"x"}"#,
                Some("ExpiredTokenException"),
            ),
            (r#"{"message":"x", "code" : "RequestExpired"}"#, Some("RequestExpired")),
            ("<Code>cut off", None),
            (r#"{"__type":3}"#, None),
            ("", None),
        ] {
            assert_eq!(code_in_body(body), code, "{body}");
        }
        assert_eq!(
            bare_code("InvalidSignatureException:http://internal.amazon.com/coral/"),
            "InvalidSignatureException"
        );
    }

    #[test]
    fn a_date_is_stale_only_if_a_new_one_would_do() {
        let at = |minutes: u64| UNIX_EPOCH + Duration::from_secs(minutes * 60);
        assert!(!is_stale(Some(at(100)), at(97), at(100)), "the server would have taken it");
        assert!(is_stale(Some(at(100)), at(90), at(100)), "signed long before it was sent");
        assert!(is_stale(Some(at(100)), at(110), at(100)), "our clock was ahead, and is corrected");
        assert!(!is_stale(Some(at(100)), at(90), at(95)), "correction is off, and time went on");
        assert!(!is_stale(None, at(90), at(100)));
    }
}
