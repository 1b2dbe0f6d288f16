//! No secret is in a record or a diagnosis, wherever a server repeats it.

use http::{HeaderMap, StatusCode};
use sigv4_middleware::SigningDetails;
use sigv4_middleware::diagnosis::{RefusedResponse, SentRequest, diagnose};

/// Is nowhere to be seen.
const SECRET: &str = "IQoJb3JpZ2luX2VjETopSecret/Part+Of+It/0123456789==";

#[test]
fn a_servers_echo_of_a_secret_is_redacted() {
    let canonical = format!(
        "GET\n/\nX-Amz-Security-Token={SECRET}\ncookie:a={SECRET}\nhost:h\nx-amz-security-token:{SECRET}\n\
         x-api-key:{SECRET}\n\ncookie;host;x-amz-security-token;x-api-key\nhash"
    );
    let changed = canonical.replace("host:h", "host:other");
    let string = "AWS4-HMAC-SHA256\n20261125T120000Z\n20261125/us-east-1/s3/aws4_request\nhash";
    let printed = format!(
        "The request signature we calculated does not match.\n\nThe Canonical String for this request should have \
         been\n'{changed}'\n\nThe String-to-Sign should have been\n'{string}'\n"
    );
    let sigv2 = format!("GET\n\n\ndate\nx-amz-security-token:{SECRET}\n/b");
    let xml = |inner: &str| format!("<Error><Code>InvalidToken</Code><Message>m</Message>{inner}</Error>");
    let bodies = [
        serde_json::json!({ "message": printed }).to_string(),
        // Not JSON, as a customized response may be.
        format!("{{\"message\": {printed}, \"code\": 1}}"),
        printed.clone(),
        xml(&format!("<Token-0>{SECRET}</Token-0>")),
        xml(&format!("<CanonicalRequest>{changed}</CanonicalRequest><StringToSign>{string}</StringToSign>")),
        xml(&format!("<StringToSign>{sigv2}</StringToSign>")),
        xml(&format!(
            "<ArgumentName>Authorization</ArgumentName><ArgumentValue>Bearer {SECRET}</ArgumentValue>"
        )),
        format!(
            r#"{{"message":"'{SECRET}' not a valid key=value pair in Authorization header: 'Bearer {SECRET}'."}}"#
        ),
        format!(
            r#"{{"message":"Authorization header requires 'Credential' parameter. Authorization={SECRET}"}}"#
        ),
        format!(
            r#"{{"message":"Authorization header requires 'Signature' parameter. Authorization=Bearer {SECRET}"}}"#
        ),
        format!(r#"{{"message":"The token {SECRET} is not valid"}}"#),
        format!("<html><body>token={SECRET}</body></html>"),
        SECRET.to_owned(),
    ];
    for code in
        ["InvalidSignatureException", "IncompleteSignatureException", "UnrecognizedClientException", ""]
    {
        for ours in [&*canonical, ""] {
            for body in &bodies {
                let mut headers = HeaderMap::new();
                if !code.is_empty() {
                    headers.insert("x-amzn-errortype", code.parse().unwrap());
                }
                let details =
                    SigningDetails::from_canonical(ours, if ours.is_empty() { &sigv2 } else { string });
                let sent = SentRequest::from(&details).authorization(&format!("Bearer {SECRET}"));
                let refused = RefusedResponse::new(StatusCode::FORBIDDEN, &headers, body.as_bytes());
                let diagnosis = diagnose(&refused, &sent);
                let shown = format!(
                    "{details} {details:?} {sent:?} {diagnosis:?} {}",
                    diagnosis.as_ref().map(ToString::to_string).unwrap_or_default()
                );
                let part = &SECRET[8..20];
                assert!(!shown.contains(part), "{code} {body}\n{shown}");
                assert!(diagnosis.is_some(), "{code} {body}");
            }
        }
    }
}
