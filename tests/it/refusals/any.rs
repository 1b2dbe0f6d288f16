//! Any bytes as a response, and any record: no panic, and a report of bounded length.

use http::{HeaderMap, HeaderValue, StatusCode};
use proptest::prelude::*;
use sigv4_middleware::SigningDetails;
use sigv4_middleware::diagnosis::{RefusedResponse, SentRequest, diagnose};

/// Pieces of refusals, so that the rules are reached.
const PIECES: [&str; 36] = [
    "<Error>",
    "</Error>",
    "<Code>",
    "</Code>",
    "<Message>",
    "</Message>",
    "<CanonicalRequestBytes>47 45 5",
    "<StringToSign>",
    "{\"message\":\"",
    "\"}",
    "{\"__type\":\"a#b\",",
    "\\n",
    "\n",
    "'",
    ":",
    "&",
    ";",
    "\u{e9}",
    "%2",
    "The Canonical String for this request should have been\n'",
    "'\n\nThe String-to-Sign should have been\n'",
    "AWS4-HMAC-SHA256\n",
    "20261125T120000Z",
    "Signature expired: ",
    " is now earlier than ",
    "SignatureDoesNotMatch",
    "Authorization header: '",
    "(hashed with SHA-256 and encoded with Base64): '",
    "unexpected scope: a/b/c",
    "with an explicit deny in a ",
    "User: ",
    " is not authorized to perform: ",
    "host:h\n",
    "GET\n/\n\n",
    "<html>",
    "RequestTimeTooSkewed",
];

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![4 => prop::sample::select(&PIECES[..]).prop_map(str::to_owned), 1 => ".{0,12}"];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => text().prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..256),
        1 => (text(), 0..20_000_usize).prop_map(|(text, times)| text.repeat(times % 2000).into_bytes()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_response_is_too_strange(
        status in 100_u16..1000,
        body in body(),
        code in prop::option::of("[ -~]{0,40}"),
        canonical in text(),
        string in text(),
    ) {
        let mut headers = HeaderMap::new();
        if let Some(code) = code {
            headers.insert("x-amzn-errortype", HeaderValue::from_str(&code).unwrap());
        }
        let sent = SentRequest::from(SigningDetails::from_canonical(&canonical, &string));
        let refused = RefusedResponse::new(StatusCode::from_u16(status).unwrap(), &headers, &body);
        if let Some(diagnosis) = diagnose(&refused, &sent) {
            prop_assert!(!diagnosis.causes().is_empty());
            let report = diagnosis.to_string();
            prop_assert!(report.len() < 32 * 1024, "{} bytes", report.len());
        }
    }
}
