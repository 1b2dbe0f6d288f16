//! Headers that are not passed on, and those that are added.

use http::Version;
use http::header::{AUTHORIZATION, CONNECTION, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TE};

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

/// Headers by which some servers take another method or path than the request's, past what the proxy allows.
const OVERRIDING: [&str; 14] = [
    "x-envoy-original-path",
    "x-forwarded-method",
    "x-forwarded-path",
    "x-forwarded-prefix",
    "x-forwarded-uri",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-method",
    "x-original-path",
    "x-original-uri",
    "x-original-url",
    "x-override-url",
    "x-rewrite-url",
];

const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");

/// One header, or all with a prefix (`x-amz-meta-*`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NamePattern {
    Exact(HeaderName),
    Prefix(String),
}

impl NamePattern {
    /// # Errors
    /// What is wrong with the text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let error = |_| format!("{text:?} is not the name of a header");
        match text.strip_suffix('*') {
            // A prefix is made of the same characters as a name.
            Some(prefix) => {
                prefix.parse().map(|name: HeaderName| Self::Prefix(name.as_str().to_owned())).map_err(error)
            }
            None => text.parse().map(Self::Exact).map_err(error),
        }
    }

    fn matches(&self, name: &HeaderName) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::Prefix(prefix) => name.as_str().starts_with(prefix),
        }
    }
}

/// What becomes of a request's headers.
#[derive(Debug, Default)]
pub(crate) struct HeaderRules {
    pub(crate) stripped: Vec<NamePattern>,
    /// Those of [`OVERRIDING`] that are passed on.
    pub(crate) kept: Vec<HeaderName>,
    /// Copied to `x-original-NAME` before anything is removed.
    pub(crate) duplicated: Vec<(HeaderName, HeaderName)>,
    pub(crate) added: Vec<(HeaderName, HeaderValue)>,
}

impl HeaderRules {
    /// Makes a client's headers those of the request to the upstream, which the signer then signs.
    ///
    /// What the client's own signature left, the signer replaces, but for an Authorization of another kind and a declared
    /// hash: how a payload is signed is not the client's choice.
    pub(crate) fn apply(&self, headers: &mut HeaderMap, version: Version) {
        // A gRPC client says so that it reads trailers, and its server insists on it.
        let reads_trailers = version == Version::HTTP_2 && headers.get(TE).is_some_and(|te| te == "trailers");
        let copies: Vec<_> = self
            .duplicated
            .iter()
            .flat_map(|(from, to)| {
                headers.get_all(from).into_iter().map(move |value| (to.clone(), value.clone()))
            })
            .collect();
        strip_hop_by_hop(headers);
        for name in [HOST, AUTHORIZATION, EXPECT, CONTENT_SHA256] {
            headers.remove(name);
        }
        remove(headers, |name| {
            (is_overriding(name) && !self.kept.contains(name))
                || self.stripped.iter().any(|pattern| pattern.matches(name))
        });
        if reads_trailers {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
        for (name, value) in copies {
            headers.append(name, value);
        }
        for (name, value) in &self.added {
            headers.insert(name.clone(), value.clone());
        }
    }
}

/// Whether servers may take another method or path of it. To those that hand headers to a program as CGI does, an
/// underscore is a hyphen.
fn is_overriding(name: &HeaderName) -> bool {
    OVERRIDING.contains(&&*name.as_str().replace('_', "-"))
}

/// Removes headers that hold a text, such as a Referer with the URL of the page before.
pub(crate) fn remove_with(headers: &mut HeaderMap, text: &str) {
    let holds =
        |value: &HeaderValue| value.as_bytes().windows(text.len()).any(|part| part == text.as_bytes());
    let names: Vec<HeaderName> =
        headers.iter().filter(|(_, value)| holds(value)).map(|(name, _)| name.clone()).collect();
    for name in names {
        headers.remove(name);
    }
}

/// Why a header cannot be added to every request, if it cannot.
pub(crate) fn refuse_added(name: &HeaderName) -> Option<String> {
    let is_refused = [HOST, AUTHORIZATION, EXPECT, CONTENT_SHA256].contains(name)
        || HOP_BY_HOP.contains(&name.as_str())
        || name.as_str() == "content-length";
    is_refused.then(|| format!("{name} cannot be added: the client, the connection or the signer sets it"))
}

/// Removes headers that are for one connection only, with those that `Connection` names.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let values = headers.get_all(CONNECTION);
    let names = values.into_iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let named: Vec<HeaderName> =
        names.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()).collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Removes all headers whose names are chosen.
pub(crate) fn remove(headers: &mut HeaderMap, is_chosen: impl Fn(&HeaderName) -> bool) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| is_chosen(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// Whether the body is in S3's chunks, whose signatures continue the client's own.
pub(crate) fn is_aws_chunked(headers: &HeaderMap) -> bool {
    let has = |name: &HeaderName, text: &str| {
        let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|value| value.trim().starts_with(text))
    };
    has(&CONTENT_SHA256, "STREAMING-") || has(&http::header::CONTENT_ENCODING, "aws-chunked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_connection_names_is_removed_whatever_else_it_holds() {
        let mut headers = HeaderMap::new();
        headers.append(CONNECTION, HeaderValue::from_bytes(b"close, x-a,\xff, x-b ,").unwrap());
        headers.append(CONNECTION, HeaderValue::from_static("X-C"));
        for name in ["x-a", "x-b", "x-c", "x-d"] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("1"));
        }
        strip_hop_by_hop(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-d"]);
    }
}
