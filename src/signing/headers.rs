//! Which headers are signed.

use http::header::{self, HeaderMap, HeaderName};

use crate::error::{Error, ErrorKind};
use crate::signing::canonical::{SignedHeaders, ValueLook};

/// More signed header lines than any server accepts; a bound against requests that are slow to sign.
const MAX_SIGNED: usize = 512;

/// Headers that belong to one connection, to another signature or to the servers on the way: never signed.
const NEVER: [&str; 13] = [
    "authorization",
    "connection",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-amzn-trace-id",
];

/// Headers that clients and proxies like to add, change or drop: signed only where they are named.
const FRAGILE: [&str; 10] = [
    "accept-encoding",
    "baggage",
    "content-length",
    "cookie",
    "forwarded",
    "max-forwards",
    "referer",
    "traceparent",
    "tracestate",
    "user-agent",
];

fn is_never_signed(name: &str) -> bool {
    NEVER.binary_search(&name).is_ok()
}

fn is_fragile(name: &str) -> bool {
    FRAGILE.binary_search(&name).is_ok() || name.starts_with("x-forwarded-") || name.starts_with("sec-")
}

/// Headers that the signer itself writes, and replaces where a request has them from an earlier signature.
pub(crate) mod signature_headers {
    use http::HeaderName;

    pub(crate) const DATE_NAME: &str = "x-amz-date";
    pub(crate) const TOKEN_NAME: &str = "x-amz-security-token";
    pub(crate) const S3_SESSION_TOKEN_NAME: &str = "x-amz-s3session-token";
    pub(crate) const CONTENT_SHA256_NAME: &str = "x-amz-content-sha256";
    pub(crate) const REGION_SET_NAME: &str = "x-amz-region-set";

    pub(crate) const DATE: HeaderName = HeaderName::from_static(DATE_NAME);
    pub(crate) const TOKEN: HeaderName = HeaderName::from_static(TOKEN_NAME);
    pub(crate) const S3_SESSION_TOKEN: HeaderName = HeaderName::from_static(S3_SESSION_TOKEN_NAME);
    pub(crate) const CONTENT_SHA256: HeaderName = HeaderName::from_static(CONTENT_SHA256_NAME);
    pub(crate) const REGION_SET: HeaderName = HeaderName::from_static(REGION_SET_NAME);

    /// All of them but Authorization.
    pub(crate) const ALL: [HeaderName; 5] = [DATE, TOKEN, S3_SESSION_TOKEN, CONTENT_SHA256, REGION_SET];

    /// Whether a name is one of [`ALL`].
    pub(crate) fn is_one(name: &str) -> bool {
        matches!(name, DATE_NAME | TOKEN_NAME | S3_SESSION_TOKEN_NAME | CONTENT_SHA256_NAME | REGION_SET_NAME)
    }
}

/// Which headers that concern more than their own signature a request has; found in one pass, which costs less than a
/// look-up.
pub(crate) struct PresentHeaders {
    pub(crate) host: bool,
    pub(crate) content_sha256: bool,
}

impl PresentHeaders {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut present = Self { host: false, content_sha256: false };
        for name in headers.keys() {
            present.host |= name == header::HOST;
            present.content_sha256 |= name.as_str() == signature_headers::CONTENT_SHA256_NAME;
        }
        present
    }
}

/// What is signed beyond the headers that always are.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeaderPolicy {
    pub(crate) all: bool,
    pub(crate) named: Vec<HeaderName>,
    pub(crate) replace_authorization: bool,
}

impl HeaderPolicy {
    /// Why a header cannot be named to be signed, if it cannot.
    pub(crate) fn refusal(name: &HeaderName) -> Option<String> {
        let refusal = || {
            format!(
                "the header {name} cannot be signed: it does not reach the server unchanged; remove its name"
            )
        };
        is_never_signed(name.as_str()).then(refusal)
    }

    fn is_named(&self, name: &HeaderName, for_this_request: &[HeaderName]) -> bool {
        self.named.contains(name) || for_this_request.contains(name)
    }

    /// Whether a header is signed whose name does not begin with `x-amz-`; those that do always are.
    fn signs(&self, name: &HeaderName, for_this_request: &[HeaderName]) -> bool {
        let text = name.as_str();
        name == header::CONTENT_TYPE
            || text == "content-md5"
            || self.is_named(name, for_this_request)
            || (self.all && !is_never_signed(text) && !is_fragile(text))
    }

    /// Adds the headers to be signed, all but host and the signer's own.
    ///
    /// # Errors
    /// [`ErrorKind::ForeignAuthorization`], and [`ErrorKind::InvalidHeader`] for a value that is not text.
    pub(crate) fn select<'a>(
        &self,
        headers: &'a HeaderMap,
        for_this_request: &[HeaderName],
        signed: &mut SignedHeaders<'a>,
    ) -> Result<(), Error> {
        self.select_by(|name| self.signs(name, for_this_request), headers, for_this_request, signed)
    }

    /// As [`select`](Self::select), for a presigned URL: all headers that can be signed, as botocore does.
    ///
    /// A user agent is that of the client which later makes the request, and is signed only where it is named.
    pub(crate) fn select_to_presign<'a>(
        &self,
        headers: &'a HeaderMap,
        for_this_request: &[HeaderName],
        signed: &mut SignedHeaders<'a>,
    ) -> Result<(), Error> {
        let signs = |name: &HeaderName| {
            !is_never_signed(name.as_str())
                && (name != header::USER_AGENT || self.is_named(name, for_this_request))
        };
        self.select_by(signs, headers, for_this_request, signed)
    }

    fn select_by<'a>(
        &self,
        signs: impl Fn(&HeaderName) -> bool,
        headers: &'a HeaderMap,
        for_this_request: &[HeaderName],
        signed: &mut SignedHeaders<'a>,
    ) -> Result<(), Error> {
        if let Some(refusal) = for_this_request.iter().find_map(Self::refusal) {
            return Err(Error::new(ErrorKind::InvalidHeader, refusal));
        }
        for (name, value) in headers {
            let is_amz = name.as_str().starts_with("x-amz-");
            if !is_amz && name == header::AUTHORIZATION {
                if !self.replace_authorization && !value.as_bytes().starts_with(b"AWS4-") {
                    return Err(foreign_authorization(value.as_bytes()));
                }
            } else if is_amz && signature_headers::is_one(name.as_str()) {
                signed.replace = true;
            } else if is_amz || (name != header::HOST && signs(name)) {
                // AWS compares text, and would read other bytes as other characters.
                let bytes = value.as_bytes();
                let look = ValueLook::at(bytes);
                if !look.is_ascii && std::str::from_utf8(bytes).is_err() {
                    return Err(Error::new(
                        ErrorKind::InvalidHeader,
                        format!(
                            "the value of the header {name} is not UTF-8 and cannot be signed; encode it"
                        ),
                    ));
                }
                if signed.len() == MAX_SIGNED {
                    return Err(Error::new(
                        ErrorKind::InvalidHeader,
                        format!(
                            "the request has more than {MAX_SIGNED} header lines to be signed; send fewer of them"
                        ),
                    ));
                }
                signed.push_looked_at(name.as_str(), bytes, look);
            }
        }
        Ok(())
    }
}

fn foreign_authorization(value: &[u8]) -> Error {
    let hint =
        if value.starts_with(b"Basic ") { " (reqwest makes one from user:password@ in a URL)" } else { "" };
    Error::new(
        ErrorKind::ForeignAuthorization,
        format!(
            "the request already has an Authorization header that is not SigV4's{hint}; remove it, or call \
             .replace_authorization(true) on the signer's builder"
        ),
    )
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn select(policy: &HeaderPolicy, headers: &HeaderMap, named: &[HeaderName]) -> Result<(), Error> {
        policy.select(headers, named, &mut SignedHeaders::default())
    }

    fn names_of(signed: &SignedHeaders<'_>) -> String {
        let mut names = Vec::new();
        signed.write_names(&mut names);
        String::from_utf8(names).unwrap()
    }

    fn names(policy: &HeaderPolicy, headers: &HeaderMap) -> String {
        let mut signed = SignedHeaders::default();
        policy.select(headers, &[], &mut signed).unwrap();
        signed.sort();
        names_of(&signed)
    }

    fn headers(names: &[&'static str]) -> HeaderMap {
        names.iter().map(|name| (HeaderName::from_static(name), HeaderValue::from_static("v"))).collect()
    }

    #[test]
    fn the_lists_are_sorted() {
        assert!(NEVER.is_sorted() && FRAGILE.is_sorted());
    }

    #[test]
    fn an_allow_list_decides() {
        let given = headers(&[
            "content-type",
            "content-md5",
            "x-amz-meta-a",
            "x-amz-date",
            "x-amz-security-token",
            "x-amzn-trace-id",
            "accept",
            "range",
            "user-agent",
            "cookie",
            "x-forwarded-for",
            "sec-fetch-mode",
            "host",
            "content-length",
        ]);
        assert_eq!(names(&HeaderPolicy::default(), &given), "content-md5;content-type;x-amz-meta-a");
        let all = HeaderPolicy { all: true, ..HeaderPolicy::default() };
        assert_eq!(names(&all, &given), "accept;content-md5;content-type;range;x-amz-meta-a");
        let named = vec![header::RANGE, header::CONTENT_LENGTH];
        let named = HeaderPolicy { named, ..HeaderPolicy::default() };
        assert_eq!(names(&named, &given), "content-length;content-md5;content-type;range;x-amz-meta-a");
    }

    #[test]
    fn a_request_to_be_presigned_has_all_its_headers_signed() {
        let given = headers(&[
            "x-k8s-aws-id",
            "accept",
            "cookie",
            "content-length",
            "user-agent",
            "host",
            "x-amz-date",
            "x-amzn-trace-id",
            "connection",
            "expect",
            "te",
            "via",
            "transfer-encoding",
        ]);
        let names = |policy: &HeaderPolicy, named: &[HeaderName]| {
            let mut signed = SignedHeaders::default();
            policy.select_to_presign(&given, named, &mut signed).unwrap();
            signed.sort();
            names_of(&signed)
        };
        let all = "accept;content-length;cookie;x-k8s-aws-id";
        assert_eq!(names(&HeaderPolicy::default(), &[]), all);
        let with_agent = "accept;content-length;cookie;user-agent;x-k8s-aws-id";
        assert_eq!(names(&HeaderPolicy::default(), &[header::USER_AGENT]), with_agent);
        let named = HeaderPolicy { named: vec![header::USER_AGENT], ..HeaderPolicy::default() };
        assert_eq!(names(&named, &[]), with_agent);
    }

    #[test]
    fn hop_by_hop_headers_cannot_be_named() {
        assert!(HeaderPolicy::refusal(&header::CONNECTION).is_some());
        assert!(HeaderPolicy::refusal(&header::COOKIE).is_none(), "the caller may know that it survives");
        let error = select(&HeaderPolicy::default(), &HeaderMap::new(), &[header::TE]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidHeader);
    }

    #[test]
    fn utf8_values_are_signed_and_others_refused() {
        let with = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert("x-amz-meta-a", HeaderValue::from_bytes(value).unwrap());
            headers
        };
        assert!(select(&HeaderPolicy::default(), &with("gr\u{fc}n".as_bytes()), &[]).is_ok());
        let error = select(&HeaderPolicy::default(), &with(b"gr\xfcn"), &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidHeader);
        assert!(error.to_string().contains("x-amz-meta-a"));
    }

    #[test]
    fn a_bearer_token_is_not_replaced_unasked() {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer abc"));
        let error = select(&HeaderPolicy::default(), &headers, &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ForeignAuthorization);
        assert!(!format!("{error:?}").contains("abc"));
        let replacing = HeaderPolicy { replace_authorization: true, ..HeaderPolicy::default() };
        assert!(select(&replacing, &headers, &[]).is_ok());
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("AWS4-HMAC-SHA256 old"));
        assert!(select(&HeaderPolicy::default(), &headers, &[]).is_ok());
    }
}
