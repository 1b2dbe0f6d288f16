//! Checks of a signed request, which is parsed as a server would.

use http::request::Parts;
use http::{HeaderMap, Uri};

use crate::case::Case;

/// The longest URI that the `http` crate parses.
pub const MAX_URI: usize = 65_534;

/// The parts of an Authorization header, or of a presigned URL.
#[derive(Debug, PartialEq, Eq)]
pub struct ParsedAuthorization {
    pub key_id: String,
    pub day: String,
    pub region: String,
    pub service: String,
    pub signed_headers: Vec<String>,
    pub signature: String,
}

impl ParsedAuthorization {
    /// Parses the Authorization header.
    pub fn of_headers(headers: &HeaderMap) -> Self {
        let mut all = headers.get_all("authorization").iter();
        let authorization = all.next().expect("an Authorization header").to_str().expect("text");
        assert!(all.next().is_none(), "one Authorization header");
        let rest = authorization.strip_prefix("AWS4-HMAC-SHA256 Credential=").expect("SigV4");
        let parts: Vec<&str> = rest.split(", ").collect();
        let [credential, signed_headers, signature] = parts[..] else {
            panic!("three parts: {authorization}")
        };
        let signed_headers = signed_headers.strip_prefix("SignedHeaders=").expect("signed headers");
        let signature = signature.strip_prefix("Signature=").expect("a signature");
        Self::new(credential, signed_headers, signature)
    }

    pub fn new(credential: &str, signed_headers: &str, signature: &str) -> Self {
        let parts: Vec<&str> = credential.split('/').collect();
        let [key_id, day, region, service, "aws4_request"] = parts[..] else {
            panic!("a scope: {credential}")
        };
        assert!(day.len() == 8 && day.bytes().all(|byte| byte.is_ascii_digit()), "{day}");
        assert!(signature.len() == 64 && signature.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
        let signed_headers: Vec<String> = signed_headers.split(';').map(str::to_owned).collect();
        assert!(signed_headers.is_sorted_by(|a, b| a < b), "sorted, each once: {signed_headers:?}");
        assert!(signed_headers.iter().any(|name| name == "host"), "host is signed");
        let text = str::to_owned;
        Self {
            key_id: text(key_id),
            day: text(day),
            region: text(region),
            service: text(service),
            signed_headers,
            signature: text(signature),
        }
    }

    /// Checks that hold for headers and presigned URLs alike.
    pub fn check(&self, case: &Case, headers: &HeaderMap, date: &str) {
        assert_eq!(self.key_id, case.keys.id);
        assert_eq!(date.len(), 16);
        assert_eq!(date[..8], self.day);
        for name in &self.signed_headers {
            assert!(name == "host" || headers.contains_key(name), "{name} is signed and not there");
        }
        for name in ["authorization", "connection", "transfer-encoding", "x-amzn-trace-id", "te"] {
            assert!(!self.signed_headers.iter().any(|signed| signed == name), "{name} is signed");
        }
    }
}

/// Checks a request that is signed in its headers.
pub fn check(case: &Case, signed: &Parts) -> ParsedAuthorization {
    let parsed = ParsedAuthorization::of_headers(&signed.headers);
    let value = |name| signed.headers.get(name).map(|value| value.to_str().expect("text"));
    parsed.check(case, &signed.headers, value("x-amz-date").expect("a date"));
    for name in signed.headers.keys() {
        let signs = parsed.signed_headers.iter().any(|signed| signed == name.as_str());
        assert!(signs || !name.as_str().starts_with("x-amz-"), "{name} is not signed");
    }
    let token = value("x-amz-security-token").or(value("x-amz-s3session-token"));
    assert_eq!(token, case.keys.token.as_deref().filter(|token| !token.is_empty()), "the session token");
    check_uri(&case.parts.uri, &signed.uri);
    parsed
}

/// Checks that the rewritten URI is valid and has the same host.
pub fn check_uri(given: &Uri, out: &Uri) {
    let target = out.path_and_query().map_or(0, |target| target.as_str().len());
    assert!(target <= MAX_URI, "a target of {target} bytes");
    let text = out.to_string();
    if text.len() > MAX_URI && given == out {
        return;
    }
    let again: Uri =
        text.parse().unwrap_or_else(|error| panic!("{error}: {} bytes, {:.200}", text.len(), text));
    assert_eq!(again, *out);
    assert_eq!((again.path(), again.query()), (out.path(), out.query()));
    assert_eq!(again.host(), given.host());
    if let Some(query) = out.query() {
        let strict = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%=&".contains(&byte);
        assert!(query.bytes().all(strict), "{query}");
        assert!(percent_encoding::percent_decode_str(query).decode_utf8().is_ok());
    }
    assert!(out.path().is_ascii() && out.path().starts_with('/'), "{}", out.path());
}
