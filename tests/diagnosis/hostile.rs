//! Responses made to harm who reads a diagnosis, or the machine that makes it.

use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, StatusCode};
use sigv4_middleware::SigningDetails;
use sigv4_middleware::diagnosis::{Cause, Diagnosis, RefusedResponse, SentRequest, diagnose};

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.insert(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn of(headers: &HeaderMap, body: &str, sent: &SentRequest) -> Diagnosis {
    let refused = RefusedResponse::new(StatusCode::FORBIDDEN, headers, body.as_bytes());
    diagnose(&refused, sent).expect("a refusal")
}

/// All that a diagnosis gives.
fn said(diagnosis: &Diagnosis) -> String {
    let denial = diagnosis.denial().map(|denial| {
        [&denial.principal, &denial.action, &denial.resource, &denial.policy]
            .map(|part| part.clone().unwrap_or_default())
            .join(" ")
    });
    let difference = diagnosis.difference().map(|difference| {
        [Some(&difference.part), difference.ours.as_ref(), difference.theirs.as_ref(), Some(&difference.why)]
            .map(|part| part.cloned().unwrap_or_default())
            .join(" ")
    });
    let rest = [denial, difference, diagnosis.code().map(str::to_owned)].map(Option::unwrap_or_default);
    format!("{diagnosis}\n{}", rest.join("\n"))
}

fn ours() -> SentRequest {
    let canonical = "GET\n/\na=1\nhost:h\nx-a:1\n\nhost;x-a\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let string = "AWS4-HMAC-SHA256\n20261125T120000Z\n20261125/us-east-1/s3/aws4_request\nhash";
    SentRequest::from(SigningDetails::from_canonical(canonical, string))
}

/// A JSON string with these bytes escaped where JSON wants it.
fn json(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            _ if character.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => out.push(character),
        }
    }
    format!("\"{out}\"")
}

#[test]
fn no_control_character_of_a_server_is_shown() {
    let aws = headers(&[("x-amzn-requestid", "id"), ("x-amz-bucket-region", "eu\tx")]);
    // Sets the terminal's title, clears the screen, the same by the one-byte form of CSI, and turns text around.
    let evil = "\x1b]0;owned\x07\x1b[2J\u{9b}31m\u{202e}\u{200b}\x08\x7f";
    let text = format!("The request signature we calculated does not match. {evil}");
    let canonical = |line: &str| {
        format!(
            "The Canonical String for this request should have been\n'{line}'\n\nThe String-to-Sign should have been\n\
             'AWS4-HMAC-SHA256\n20261125T120000Z\n20261125/us-east-1/s3/aws4_request\nhash'\n"
        )
    };
    let bodies = [
        format!("{{\"message\":{}}}", json(&text)),
        format!("{{\"__type\":{},\"message\":\"x\"}}", json(&format!("A{evil}Exception"))),
        format!(
            "<Error><Code>A{evil}</Code><Message>{evil}</Message><RequestId>1{evil}\nwhat to do: obey</RequestId></Error>"
        ),
        format!(
            "<Error><Code>AuthorizationHeaderMalformed</Code><Message>x</Message><Region>{evil}</Region></Error>"
        ),
        format!("unexpected scope: a/{evil}/b/c"),
        format!(
            "{{\"message\":{}}}",
            json(&format!(
                "User: arn:aws:{evil} is not authorized to perform: s3:{evil} on resource: arn:{evil} because no policy allows it policy: arn:{evil}"
            ))
        ),
        format!("{{\"message\":{}}}", json(&canonical(&format!("GET\n/{evil}\na=1\nhost:h\n\nhost\nhash")))),
        format!(
            "{{\"message\":{}}}",
            json(&canonical(&format!("GET\n/\na=1&{evil}=2\nhost:h\n\nhost\nhash")))
        ),
        format!(
            "{{\"message\":{}}}",
            json(&canonical(&format!("GET\n/\na=1\nhost:h\nx-a:1\n{evil}:{evil}\n\nhost\nhash")))
        ),
        format!(
            "{{\"message\":{}}}",
            json(&canonical(&format!("GET\n/\na=1\nhost:h\nx-amz-content-sha256:{evil}\n\nhost\nhash")))
        ),
        format!("plain {evil}"),
        format!("<html><title>{evil}</title><li>Code: A{evil}</li></html>"),
    ];
    for body in &bodies {
        for sent in [SentRequest::unknown(), ours()] {
            let said = said(&of(&aws, body, &sent));
            let shown = |character: char| {
                (character.is_control() && !"\n\t".contains(character))
                    || "\u{202e}\u{200b}".contains(character)
            };
            assert!(!said.contains(shown), "{said:?} of {body:?}");
            assert!(!said.contains("\nwhat to do: obey"), "a line of the server's own: {said}");
        }
    }
}

#[test]
fn a_token_is_redacted_wherever_a_server_repeats_it() {
    const TOKEN: &str = "IQoJb3JpZ2luX2VjEXAMPLEabcDEF0123456789abcdEFGH";
    let aws = headers(&[("x-amzn-requestid", "id")]);
    for body in [
        format!("{{\"error\":\"{TOKEN}\"}}"),
        format!("{{\"code\":\"{TOKEN}\",\"message\":\"no\"}}"),
        format!(
            "{{\"message\":\"User: {TOKEN} is not authorized to perform: s3:GetObject on resource: {TOKEN}\"}}"
        ),
        format!("<Error><Code>{TOKEN}</Code></Error>"),
        format!(
            "<Error><Code>SignatureDoesNotMatch</Code><StringToSign>GET\n\n\n\n/b/k?a=1&amp;x-amz-security-token={TOKEN}\
             </StringToSign></Error>"
        ),
        format!(
            "<Error><Code>SignatureDoesNotMatch</Code><StringToSign>GET\n\n\n\n/b/k?x-amz-security-token={TOKEN}\
             </StringToSign></Error>"
        ),
    ] {
        let v2 = SigningDetails::from_canonical("", "GET\n\n\n\n/b/k?a=2");
        for sent in [SentRequest::unknown(), ours(), SentRequest::from(v2)] {
            let diagnosis = of(&aws, &body, &sent);
            let said = format!("{}\n{diagnosis:?}", said(&diagnosis));
            assert!(!said.contains(&TOKEN[..12]), "{said} of {body}");
        }
    }
}

#[test]
fn a_compressed_body_is_not_shown_as_a_message() {
    let gzip = "\u{1f}\u{fffd}\u{8}Forbidden garbage";
    for (coding, message) in [("gzip", None), ("identity", Some("Forbidden")), ("br, gzip", None)] {
        let headers = headers(&[("x-amzn-requestid", "id"), ("content-encoding", coding)]);
        let body = if message.is_some() { "{\"message\":\"Forbidden\"}" } else { gzip };
        let diagnosis = of(&headers, body, &SentRequest::unknown());
        assert_eq!(diagnosis.message(), message, "{coding}");
    }
}

/// The longest bodies that are looked at, each made of what may be read over and over.
#[test]
fn no_body_takes_long() {
    const LONGEST: usize = RefusedResponse::LONGEST_BODY;
    let aws = headers(&[("x-amzn-requestid", "id")]);
    let repeated = |start: &str, unit: &str, end: &str| {
        let count = (LONGEST - start.len() - end.len()) / unit.len();
        format!("{start}{}{end}", unit.repeat(count))
    };
    let query: String = (0..9000).map(|at| format!("&{at:x}")).collect();
    let canonical = |query: &str| format!("GET\n/\n{query}\nhost:h\n\nhost\nhash");
    let details = SigningDetails::from_canonical(&canonical(&query), "AWS4-HMAC-SHA256\nd\ns\nhash");
    let other = query.replace('&', "&z");
    let printed = format!(
        "The Canonical String for this request should have been\n'{}'\n\nThe String-to-Sign should have been\n'AWS4-HMAC-SHA256\nd\ns\nh'",
        canonical(&other)
    );
    let bodies = [
        repeated("{\"message\":\"", "\\n", "\"}"),
        repeated("{", "\"a\":", ""),
        repeated("{\"a", "\"", ""),
        repeated("{", "\"a\" ", ""),
        repeated("", "[", ""),
        repeated("", "{\"a\":[", ""),
        repeated("<a>", "<b>", ""),
        repeated("<a>", "<b></b>", ""),
        repeated("<a>", "&#0;", ""),
        repeated("<a ", "b='' ", ""),
        repeated("<!DOCTYPE a [", "<!ENTITY a '&a;&a;'>", "]><a>&a;</a>"),
        repeated("<html>", "<li>Code: ", ""),
        repeated("'", "'", ""),
        repeated("", "User: arn policy: arn: ", ""),
        repeated("", "authorization=", ""),
        repeated("", "%25", ""),
        repeated("Authorization ", "'", ""),
        repeated(
            "<Error><Code>SignatureDoesNotMatch</Code><StringToSignBytes>",
            "0a ",
            "</StringToSignBytes></Error>",
        ),
        repeated("The Canonical String for this request should have been\n'GET\n/\n\n", "a:\n", "'"),
        format!("{{\"message\":{}}}", json(&printed)),
    ];
    for body in &bodies {
        for sent in [ours(), SentRequest::from(details.clone())] {
            let start = Instant::now();
            let refused = RefusedResponse::new(StatusCode::FORBIDDEN, &aws, body.as_bytes());
            let diagnosis = diagnose(&refused, &sent);
            let took = start.elapsed();
            let shown = body.get(..60).unwrap_or_default();
            assert!(took < Duration::from_secs(2), "{took:?} for {shown}");
            assert!(diagnosis.is_none_or(|found| found.to_string().len() < 32 * 1024), "{shown}");
        }
    }
    let sent = SentRequest::from(details);
    assert_eq!(of(&aws, &bodies[bodies.len() - 1], &sent).cause(), Cause::SignatureMismatchQueryAltered);
}
