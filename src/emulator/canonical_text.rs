//! The canonical request and string to sign as text, for error messages only.
//!
//! AWS prints both when a signature does not match, and aws-sigv4, which computes the signature, returns neither.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::redact::{REDACTED, is_sensitive};

/// Everything but the unreserved characters of RFC 3986.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const STRICT_PATH: &AsciiSet = &STRICT.remove(b'/');

/// The keys and values of a query, decoded, in the order received.
pub(super) type QueryPairs = Vec<(String, String)>;

/// Decodes a query. `None` if an escape is malformed or not UTF-8: aws-sigv4 would sign another query than the one
/// received.
pub(super) fn decode_query(query: &str) -> Option<QueryPairs> {
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        pairs.push((decode(key)?, decode(value)?));
    }
    Some(pairs)
}

pub(super) fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let hex = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_hexdigit());
        if byte == b'%' && !(hex(bytes.next()) && hex(bytes.next())) {
            return None;
        }
    }
    let text = text.replace('+', " ");
    Some(percent_decode_str(&text).decode_utf8().ok()?.into_owned())
}

/// The parts of a canonical request.
pub(super) struct CanonicalText<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a QueryPairs,
    /// Names and values, sorted by name.
    pub(super) headers: Vec<(&'a str, Vec<&'a str>)>,
    pub(super) payload_hash: &'a str,
    /// Whether the path is used unchanged, as by S3; otherwise it is normalized and encoded again.
    pub(super) path_once: bool,
}

impl CanonicalText<'_> {
    /// The canonical request; `redact` replaces secret values.
    pub(super) fn build(&self, redact: bool) -> String {
        let path = if self.path_once {
            self.path.to_owned()
        } else {
            utf8_percent_encode(&normalize(self.path), STRICT_PATH).to_string()
        };
        let headers: String = self
            .headers
            .iter()
            .map(|(name, values)| {
                let values: Vec<_> = values.iter().map(|value| collapse(value)).collect();
                let value = if redact && is_sensitive(name) { REDACTED.to_owned() } else { values.join(",") };
                format!("{name}:{value}\n")
            })
            .collect();
        let names: Vec<_> = self.headers.iter().map(|(name, _)| *name).collect();
        let query = canonical_query(self.query, redact);
        format!("{}\n{path}\n{query}\n{headers}\n{}\n{}", self.method, names.join(";"), self.payload_hash)
    }
}

/// The canonical query of decoded pairs: encoded strictly and sorted.
pub(super) fn canonical_query(pairs: &QueryPairs, redact: bool) -> String {
    let encode = |text: &str| utf8_percent_encode(text, STRICT).to_string();
    let mut encoded: Vec<_> = pairs
        .iter()
        .map(|(key, value)| {
            let value = if redact && is_sensitive(key) { REDACTED.to_owned() } else { encode(value) };
            (encode(key), value)
        })
        .collect();
    encoded.sort();
    encoded.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("&")
}

/// The string to sign for a canonical request; `scope` is `date/region/service/aws4_request`.
pub(super) fn string_to_sign(date_time: &str, scope: &str, canonical: &str) -> String {
    format!("AWS4-HMAC-SHA256\n{date_time}\n{scope}\n{}", sha256_hex(canonical.as_bytes()))
}

pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Removes dot segments and empty segments, as aws-sigv4 does.
fn normalize(path: &str) -> Cow<'_, str> {
    if !(path.contains('.') || path.contains("//")) {
        return Cow::Borrowed(path);
    }
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            other => kept.push(other),
        }
    }
    let ends_in_slash = ["/", "/.", "/..", "/./", "/../"].iter().any(|end| path.ends_with(end));
    let mut result = format!("/{}", kept.join("/"));
    if ends_in_slash && !result.ends_with('/') {
        result.push('/');
    }
    Cow::Owned(result)
}

/// Trims spaces and collapses runs of them; tabs stay, as in aws-sigv4.
fn collapse(value: &str) -> String {
    value.trim_matches(' ').split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}
