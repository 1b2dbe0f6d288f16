//! Headers and query parameters that are not passed on.

use std::str::FromStr;

use http::header::{AUTHORIZATION, CONNECTION, EXPECT, HOST, HeaderMap, HeaderName};
use http::uri::PathAndQuery;

/// Headers of one connection: RFC 9110 section 7.6.1, and older usage.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers that only the signer sets.
const SIGNATURE: [&str; 5] = [
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-region-set",
    "x-amz-s3session-token",
    "x-amz-security-token",
];

/// Query parameters of presigned URLs.
const SIGNATURE_PARAMETERS: [&str; 9] = [
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-region-set",
    "x-amz-s3session-token",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
];

/// The name of a header.
#[derive(Clone, Debug)]
pub(crate) struct Name(HeaderName);

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| format!("{text:?} is not the name of a header"))
    }
}

/// `x-amz-…` headers that are passed on: one, or all with a prefix (`x-amz-meta-*`).
#[derive(Clone, Debug)]
pub(crate) struct KeptHeaders {
    prefix: String,
    is_exact: bool,
}

impl FromStr for KeptHeaders {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.to_ascii_lowercase();
        let (prefix, is_exact) = text.strip_suffix('*').map_or((text.as_str(), true), |text| (text, false));
        if !prefix.starts_with("x-amz-") || SIGNATURE.contains(&prefix) {
            return Err("name an x-amz- header that is not part of the signature".to_owned());
        }
        Ok(Self { prefix: prefix.to_owned(), is_exact })
    }
}

impl KeptHeaders {
    fn contains(&self, name: &str) -> bool {
        if self.is_exact { name == self.prefix } else { name.starts_with(&self.prefix) }
    }
}

/// Removes the headers of the client's connection and of any signature of its own, and those of the options.
pub(crate) fn strip_request(headers: &mut HeaderMap, stripped: &[Name], kept: &[KeptHeaders]) {
    strip_hop_by_hop(headers);
    for name in [HOST, AUTHORIZATION, EXPECT] {
        headers.remove(name);
    }
    for Name(name) in stripped {
        headers.remove(name);
    }
    let amz: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with("x-amz-")).cloned().collect();
    for name in amz {
        if SIGNATURE.contains(&name.as_str()) || !kept.iter().any(|kept| kept.contains(name.as_str())) {
            headers.remove(name);
        }
    }
}

/// Removes headers that are for one connection only, with those that `Connection` names.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let values = headers.get_all(CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    let named: Vec<HeaderName> =
        values.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok()).collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Whether the body is in S3's signed chunks, whose signatures continue the client's own.
pub(crate) fn is_aws_chunked(headers: &HeaderMap) -> bool {
    let has = |name: &str, text: &str| {
        let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|value| value.trim().starts_with(text))
    };
    has("x-amz-content-sha256", "STREAMING-") || has("content-encoding", "aws-chunked")
}

/// The target without the parameters of a presigned URL; `None` if it has none.
pub(crate) fn without_signature(target: &PathAndQuery) -> Option<String> {
    let is_signature = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
        SIGNATURE_PARAMETERS.iter().any(|parameter| name.eq_ignore_ascii_case(parameter))
    };
    let query = target.query().filter(|query| query.split('&').any(|pair| is_signature(&pair)))?;
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_signature(pair)).collect();
    let mut unsigned = target.path().to_owned();
    if !kept.is_empty() {
        unsigned.push('?');
        unsigned.push_str(&kept.join("&"));
    }
    Some(unsigned)
}
