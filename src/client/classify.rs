//! What a response means for the request that it refuses. Pure functions; by the AWS SDKs' common rules of 2026.
//!
//! Two refusals can be recovered from: a wrong date, since a clock is wrong or since the process stood still between
//! signing and sending; and credentials that are expired to the server. The caller gets all others.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, Method, StatusCode};

use crate::clock::RETRY_BEYOND;
use crate::error_code::bare_code;

/// Codes of a signature or a date that was refused.
const BAD_SIGNATURE: [&str; 5] = [
    "InvalidSignatureException",
    "RequestExpired",
    "RequestInTheFuture",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
];

/// Codes that may mean a wrong date, among other things.
const MAY_BE_SKEW: [&str; 4] =
    ["AccessDenied", "AccessDeniedException", "AuthFailure", "BadRequestException"];

/// Codes that mean that the credentials have expired.
const EXPIRED: [&str; 2] = ["ExpiredToken", "ExpiredTokenException"];

/// The same, of S3 and STS.
const INVALID_TOKEN: &str = "InvalidToken";

/// A date further off than this is refused by every service: AWS allows a signature 5 minutes, S3 15.
const REFUSED_BEYOND: Duration = Duration::from_secs(15 * 60);

/// Headers that every response of AWS carries one of.
const REQUEST_ID: [&str; 3] = ["x-amzn-requestid", "x-amz-request-id", "apigw-requestid"];

/// How a request can be made good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recovery {
    /// Sign with a new date.
    NewDate,
    /// Sign with new credentials.
    NewCredentials,
    /// Nothing for this request; the credentials may have expired.
    MaybeNewCredentials,
}

/// How far the date that a request was signed with is from the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DateCheck {
    /// By more than a server may allow, and not so if the request were signed now.
    pub(crate) is_off: bool,
    /// Whether that is also what a server would send that took its time, and whose clock agrees with ours.
    pub(crate) may_be_slow: bool,
    /// The distance, if the response has a `Date`.
    pub(crate) distance: Option<Duration>,
}

/// A refusal that may be recovered from, by its status and headers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Recoverable(Recovery),
    /// Its code, if it has one, is in the body.
    SeeBody {
        date: DateCheck,
        /// What the head alone allows: a new date, if the date is so far off that every service refuses it.
        without_body: Option<Recovery>,
    },
}

/// Reads the head of a response; `None` if another attempt would not help.
///
/// `has_token`: whether the request was signed with temporary credentials, which alone can expire.
pub(crate) fn classify(
    method: &Method,
    status: StatusCode,
    headers: &HeaderMap,
    date: DateCheck,
    service: &str,
    has_token: bool,
) -> Option<Refusal> {
    if !is_refusal(status) {
        return None;
    }
    if let Some(code) = code_in_head(headers) {
        return recovery(&code, date, service).map(Refusal::Recoverable);
    }
    if request_id(headers).is_none() || !(date.is_off || has_token) {
        return None;
    }
    let far_off =
        date.is_off && !date.may_be_slow && date.distance.is_some_and(|distance| distance > REFUSED_BEYOND);
    let expired = has_token.then_some(Recovery::MaybeNewCredentials);
    let without_body = far_off.then_some(Recovery::NewDate).or(expired);
    // The response to a HEAD has no body, and a HEAD changes nothing.
    if *method == Method::HEAD {
        return date.is_off.then_some(Refusal::Recoverable(Recovery::NewDate));
    }
    Some(Refusal::SeeBody { date, without_body })
}

/// How to recover from a refusal with this code.
pub(crate) fn recovery(code: &str, date: DateCheck, service: &str) -> Option<Recovery> {
    let invalid_token = code == INVALID_TOKEN && (service == "sts" || service.starts_with("s3"));
    if EXPIRED.contains(&code) || invalid_token {
        return Some(Recovery::NewCredentials);
    }
    // A request that a server worked on for minutes was signed as long ago when the response is dated.
    let means_date = BAD_SIGNATURE.contains(&code) || (MAY_BE_SKEW.contains(&code) && !date.may_be_slow);
    (date.is_off && means_date).then_some(Recovery::NewDate)
}

/// Whether a status is one that requests are refused with.
pub(crate) fn is_refusal(status: StatusCode) -> bool {
    [StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status)
}

/// The error code that API Gateway and most services give in a header.
pub(crate) fn code_in_head(headers: &HeaderMap) -> Option<String> {
    let code = headers.get("x-amzn-errortype")?;
    Some(bare_code(&String::from_utf8_lossy(code.as_bytes())).to_owned())
}

/// The id that AWS, and stores that follow S3, give each request.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<&str> {
    REQUEST_ID.iter().find_map(|name| headers.get(*name)).map(|id| id.to_str().unwrap_or_default())
}

/// Whether a request was signed so long before the server saw it that it was refused for it, and a signature made now
/// would not be. Also true of a round trip too long to learn from.
pub(crate) fn is_stale(server: Option<SystemTime>, signed: SystemTime, again: SystemTime) -> bool {
    let Some(server) = server else { return false };
    distance(server, signed) > RETRY_BEYOND && distance(server, again) <= RETRY_BEYOND
}

pub(crate) fn distance(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other).unwrap_or_else(|error| error.duration())
}

/// Whether this may be an error code. Only then is it logged: what a server has in its place may be of any length, have
/// lines of its own, or repeat a token.
pub(crate) fn is_code(code: &str) -> bool {
    code.len() <= 128 && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// The error code in a body, where AWS puts it: `__type` or `code` at the top level of a JSON object, or
/// `<Error><Code>`, `<ErrorResponse><Error><Code>` or EC2's `<Response><Errors><Error><Code>` at the root of XML.
#[cfg(feature = "reqwest")]
pub(crate) fn code_in_body(body: &[u8]) -> Option<String> {
    let first = *body.trim_ascii_start().first()?;
    let code = if first == b'{' { json_code(body) } else { xml_code(body) }?;
    Some(bare_code(&code).to_owned())
}

#[cfg(feature = "reqwest")]
fn json_code(body: &[u8]) -> Option<String> {
    // Not as a map: its error for other types would bring the formatting of floats into every program.
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let text = |name| value.get(name)?.as_str().map(str::to_owned);
    text("__type").or_else(|| text("code"))
}

#[cfg(feature = "reqwest")]
fn xml_code(body: &[u8]) -> Option<String> {
    use quick_xml::events::Event;

    const PLACES: [&[&str]; 3] =
        [&["Error", "Code"], &["ErrorResponse", "Error", "Code"], &["Response", "Errors", "Error", "Code"]];
    let body = String::from_utf8_lossy(body);
    let mut reader = quick_xml::Reader::from_str(&body);
    let mut path: Vec<String> = Vec::new();
    let mut code = None;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => path.push(start.local_name().as_ref().to_owned()),
            Event::End(_) if code.is_some() => return code,
            Event::End(_) => {
                path.pop();
                if path.is_empty() {
                    return None;
                }
            }
            Event::Text(text) if PLACES.iter().any(|place| path.iter().eq(place.iter())) => {
                code = Some(text.xml10_content().into_owned());
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[cfg(feature = "reqwest")]
    #[test]
    fn codes_are_read_where_services_put_them() {
        for (body, code) in [
            (
                "<?xml version=\"1.0\"?>\n<Error><Code>ExpiredToken</Code><Message/></Error>",
                Some("ExpiredToken"),
            ),
            (
                "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
                 <Code>ExpiredToken</Code></Error><RequestId>1</RequestId></ErrorResponse>",
                Some("ExpiredToken"),
            ),
            (
                "<Response><Errors><Error><Code>RequestExpired</Code></Error></Errors></Response>",
                Some("RequestExpired"),
            ),
            (
                r#"{"__type":"com.amazonaws.dynamodb.v20120810#ExpiredTokenException","message":"x"}"#,
                Some("ExpiredTokenException"),
            ),
            (r#"{"message":"x", "code" : "RequestExpired"}"#, Some("RequestExpired")),
            (r#"{"warnings":[{"code":"ExpiredToken"}]}"#, None),
            (r#"{"error":{"__type":"ExpiredToken"}}"#, None),
            (r#"["code","ExpiredToken"]"#, None),
            ("<Result><Error><Code>ExpiredToken</Code></Error></Result>", None),
            ("<html><body><Code>ExpiredToken</Code></body></html>", None),
            ("<Error><Detail><Code>ExpiredToken</Code></Detail></Error>", None),
            ("<Error><Code>cut off", None),
            ("<Code>cut off", None),
            (r#"{"__type":3}"#, None),
            ("", None),
        ] {
            assert_eq!(code_in_body(body.as_bytes()).as_deref(), code, "{body}");
        }
        assert_eq!(
            bare_code("InvalidSignatureException:http://internal.amazon.com/coral/"),
            "InvalidSignatureException"
        );
    }

    #[test]
    fn only_what_may_be_a_code_is_logged() {
        for code in ["ExpiredToken", "Client.AuthFailure", "security_exception", ""] {
            assert!(is_code(code), "{code}");
        }
        let long = "A".repeat(129);
        for code in
            ["IQoJb3JpZ2luX2Vj+token/==", "a\nERROR forged", "\u{1b}[2J", "\u{9b}", "not a code", &*long]
        {
            assert!(!is_code(code), "{code}");
        }
    }

    #[test]
    fn an_invalid_token_is_an_expired_one_of_s3_and_sts_alone() {
        for (service, expected) in [
            ("s3", Some(Recovery::NewCredentials)),
            ("s3express", Some(Recovery::NewCredentials)),
            ("sts", Some(Recovery::NewCredentials)),
            ("execute-api", None),
        ] {
            let date = DateCheck { is_off: false, may_be_slow: true, distance: None };
            assert_eq!(recovery("InvalidToken", date, service), expected, "{service}");
            assert_eq!(recovery("ExpiredToken", date, service), Some(Recovery::NewCredentials));
        }
    }

    #[test]
    fn a_slow_server_is_not_taken_for_a_wrong_date() {
        let headers = |code: Option<&'static str>| {
            let id = ("x-amzn-requestid", "1");
            let code = code.map(|code| ("x-amzn-errortype", code));
            let pairs = code.into_iter().chain([id]);
            pairs.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect::<HeaderMap>()
        };
        let date_of = |may_be_slow| DateCheck {
            is_off: true,
            may_be_slow,
            distance: Some(Duration::from_secs(16 * 60)),
        };
        for (code, slow, skewed) in [
            (Some("BadRequestException"), false, true),
            (Some("AccessDeniedException"), false, true),
            (Some("ValidationException"), false, false),
            (Some("InvalidSignatureException"), true, true),
            (None, false, true),
        ] {
            for (may_be_slow, expected) in [(true, slow), (false, skewed)] {
                let found = classify(
                    &Method::POST,
                    StatusCode::FORBIDDEN,
                    &headers(code),
                    date_of(may_be_slow),
                    "execute-api",
                    false,
                );
                let again = match found {
                    Some(Refusal::Recoverable(recovery)) => Some(recovery),
                    Some(Refusal::SeeBody { without_body, .. }) => without_body,
                    None => None,
                };
                assert_eq!(again == Some(Recovery::NewDate), expected, "{code:?} {may_be_slow}");
            }
        }
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
