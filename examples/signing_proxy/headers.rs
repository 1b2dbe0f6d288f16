//! Which headers and parameters do not pass.

use std::str::FromStr;

use http::header::{AUTHORIZATION, CONNECTION, EXPECT, HOST, HeaderMap, HeaderName};
use http::uri::PathAndQuery;

/// Headers of one connection, by RFC 9110 section 7.6.1 and older usage.
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

/// What the signer alone writes.
const SIGNATURE: [&str; 5] = [
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-region-set",
    "x-amz-s3session-token",
    "x-amz-security-token",
];

/// What a presigned URL has in its query, and nothing else has.
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

/// A header's name.
#[derive(Clone, Debug)]
pub(crate) struct Named(HeaderName);

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| format!("{text:?} is not a header's name"))
    }
}

/// `x-amz-…` headers that pass: one, or with a `*` at the end all that begin so.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    beginning: String,
    whole: bool,
}

impl FromStr for Kept {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.to_ascii_lowercase();
        let (beginning, whole) = text.strip_suffix('*').map_or((text.as_str(), true), |text| (text, false));
        if !beginning.starts_with("x-amz-") || SIGNATURE.contains(&beginning) {
            return Err("name an x-amz- header that is not part of the signature".to_owned());
        }
        Ok(Self { beginning: beginning.to_owned(), whole })
    }
}

impl Kept {
    fn keeps(&self, name: &str) -> bool {
        if self.whole { name == self.beginning } else { name.starts_with(&self.beginning) }
    }
}

/// Makes a client's headers those of a request that was never sent before.
pub(crate) fn strip_request(headers: &mut HeaderMap, stripped: &[Named], kept: &[Kept]) {
    strip_hop_by_hop(headers);
    for name in [HOST, AUTHORIZATION, EXPECT] {
        headers.remove(name);
    }
    for Named(name) in stripped {
        headers.remove(name);
    }
    let amz: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with("x-amz-")).cloned().collect();
    for name in amz {
        if SIGNATURE.contains(&name.as_str()) || !kept.iter().any(|kept| kept.keeps(name.as_str())) {
            headers.remove(name);
        }
    }
}

/// Takes out what is between this program and its neighbour, the headers that `Connection` names among it.
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

/// Whether a body is in S3's signed chunks, which the caller's signature belongs to.
pub(crate) fn is_aws_chunked(headers: &HeaderMap) -> bool {
    let has = |name: &str, text: &str| {
        let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|value| value.trim().starts_with(text))
    };
    has("x-amz-content-sha256", "STREAMING-") || has("content-encoding", "aws-chunked")
}

/// The target without an earlier signature's parameters; `None` where it has none.
pub(crate) fn without_signature(target: &PathAndQuery) -> Option<String> {
    let is_signature = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
        SIGNATURE_PARAMETERS.iter().any(|parameter| name.eq_ignore_ascii_case(parameter))
    };
    let query = target.query().filter(|query| query.split('&').any(|pair| is_signature(&pair)))?;
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_signature(pair)).collect();
    let mut left = target.path().to_owned();
    if !kept.is_empty() {
        left.push('?');
        left.push_str(&kept.join("&"));
    }
    Some(left)
}
