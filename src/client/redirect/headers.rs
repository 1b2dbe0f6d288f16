//! Which headers go along with a redirect.

use http::header::{HOST, HeaderMap, HeaderName};

/// What goes along to another origin, besides `x-amz-*`; sorted.
///
/// The safelist of the Fetch standard (`accept`, `accept-language`, `content-language`, `content-type`, `range`), and
/// what makes a request the one it is: a precondition that got lost would turn "create" into "replace", and an object of
/// S3 would be stored without its encoding. Everything else may be a key for the first origin alone.
const KEPT: [&str; 16] = [
    "accept",
    "accept-language",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "expires",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "range",
];

/// What describes a body, besides checksums, and goes where the body goes; sorted.
const OF_A_BODY: [&str; 10] = [
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-md5",
    "content-type",
    "x-amz-content-sha256",
    // Of one that was sent in chunks.
    "x-amz-decoded-content-length",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-trailer",
];

/// Words that mark a secret in the name of a header.
const SECRETS: [&str; 12] = [
    "apikey",
    "auth",
    "authorization",
    "cookie",
    "credential",
    "credentials",
    "jwt",
    "mfa",
    "passphrase",
    "password",
    "secret",
    "token",
];

/// Removes the headers that do not go along with a redirect.
pub(super) fn prune(headers: &mut HeaderMap, keeps_body: bool, same_origin: bool) {
    let goes_along = |name: &HeaderName| {
        let text = name.as_str();
        *name != HOST
            && (keeps_body || !describes_body(text))
            && (same_origin || goes_to_another_origin(text))
    };
    let gone: Vec<HeaderName> = headers.keys().filter(|name| !goes_along(name)).cloned().collect();
    for name in gone {
        headers.remove(name);
    }
}

fn describes_body(name: &str) -> bool {
    OF_A_BODY.binary_search(&name).is_ok() || name.starts_with("x-amz-checksum-")
}

/// S3 reads from `x-amz-*` how an object is to be stored: its metadata, encryption, access, class. Without them a
/// redirect to the bucket's region would store another object, without an error.
///
/// A customer's key (SSE-C) is removed. The name of its algorithm is kept, so that S3 refuses the request (400) and does not
/// store the object without that encryption.
fn goes_to_another_origin(name: &str) -> bool {
    KEPT.binary_search(&name).is_ok()
        || name
            .strip_prefix("x-amz-")
            // Stored with the object, whatever its name.
            .is_some_and(|parameter| parameter.starts_with("meta-") || !is_secret(parameter))
}

/// Whether a name is that of a key or a token, such as `server-side-encryption-customer-key`; not that of a key's id.
fn is_secret(name: &str) -> bool {
    let mut words = name.split(['-', '_']);
    let is_key = || {
        let name = name.strip_suffix("-md5").unwrap_or(name);
        name == "key" || name.ends_with("-key") || name.ends_with("_key")
    };
    words.any(|word| SECRETS.binary_search(&word).is_ok()) || is_key()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pruned(names: &[&'static str], keeps_body: bool, same_origin: bool) -> Vec<String> {
        let header = |name| (HeaderName::from_static(name), "v".parse().unwrap());
        let mut headers: HeaderMap = names.iter().copied().map(header).collect();
        headers.append(HeaderName::from_static(names[0]), "again".parse().unwrap());
        prune(&mut headers, keeps_body, same_origin);
        headers.keys().map(|name| name.as_str().to_owned()).collect()
    }

    #[test]
    fn the_lists_are_sorted() {
        assert!(KEPT.is_sorted() && OF_A_BODY.is_sorted() && SECRETS.is_sorted());
    }

    /// Header by header: whether it goes along to another origin.
    #[test]
    fn what_goes_to_another_origin() {
        let kept = [
            // The safelist of the Fetch standard.
            "accept",
            "accept-language",
            "content-language",
            "content-type",
            "range",
            // The body's, and what S3 stores with it.
            "cache-control",
            "content-disposition",
            "content-encoding",
            "content-length",
            "content-md5",
            "expires",
            // Without it, another request.
            "if-match",
            "if-modified-since",
            "if-none-match",
            "if-range",
            "if-unmodified-since",
            "x-amz-acl",
            "x-amz-checksum-crc32c",
            "x-amz-content-sha256",
            "x-amz-copy-source",
            "x-amz-expected-bucket-owner",
            "x-amz-grant-read",
            "x-amz-meta-a",
            "x-amz-meta-api-key",
            "x-amz-object-lock-mode",
            "x-amz-request-payer",
            "x-amz-sdk-checksum-algorithm",
            "x-amz-server-side-encryption",
            "x-amz-server-side-encryption-aws-kms-key-id",
            "x-amz-server-side-encryption-bucket-key-enabled",
            "x-amz-server-side-encryption-context",
            "x-amz-server-side-encryption-customer-algorithm",
            "x-amz-storage-class",
            "x-amz-tagging",
            "x-amz-target",
            "x-amz-website-redirect-location",
        ];
        let dropped = [
            "api-key",
            "apikey",
            "authentication",
            "authorization",
            "baggage",
            "cf-access-client-secret",
            "cf-access-jwt-assertion",
            "client-secret",
            "cookie",
            "cookie2",
            "csrf-token",
            "dpop",
            "expect",
            "forwarded",
            "from",
            "host",
            "idempotency-key",
            "ocp-apim-subscription-key",
            "origin",
            "private-token",
            "proxy-authorization",
            "referer",
            "sec-fetch-site",
            "sec-websocket-key",
            "token",
            "traceparent",
            "user-agent",
            "www-authenticate",
            "x-access-token",
            "x-amz-access-token",
            "x-amz-api-key",
            "x-amz-copy-source-server-side-encryption-customer-key",
            "x-amz-copy-source-server-side-encryption-customer-key-md5",
            "x-amz-mfa",
            "x-amz-s3session-token",
            "x-amz-security-token",
            "x-amz-server-side-encryption-customer-key",
            "x-amz-server-side-encryption-customer-key-md5",
            "x-amz-sso_bearer_token",
            "x-amzn-oidc-accesstoken",
            "x-amzn-oidc-data",
            "x-amzn-trace-id",
            "x-api-key",
            "x-auth-token",
            "x-csrf-token",
            "x-custom",
            "x-forwarded-for",
            "x-functions-key",
            "x-gitlab-token",
            "x-goog-api-key",
            "x-hasura-admin-secret",
            "x-internal-user",
            "x-ms-encryption-key",
            "x-session-id",
            "x-shopify-access-token",
            "x-vault-token",
            "x-xsrf-token",
        ];
        for name in kept {
            assert_eq!(pruned(&[name], true, false), [name]);
        }
        for name in dropped {
            assert!(pruned(&[name], true, false).is_empty(), "{name}");
            assert_eq!(pruned(&[name], true, true).is_empty(), name == "host", "{name}");
        }
        let all = [&kept[..], &dropped].concat();
        let mut both = pruned(&all, true, false);
        both.sort();
        let mut expected = kept.to_vec();
        expected.sort_unstable();
        assert_eq!(both, expected);
    }

    #[test]
    fn a_body_that_stays_takes_its_headers_along() {
        let of_a_body = [
            "content-encoding",
            "content-language",
            "content-length",
            "content-location",
            "content-md5",
            "content-type",
            "x-amz-checksum-sha256",
            "x-amz-content-sha256",
            "x-amz-decoded-content-length",
            "x-amz-sdk-checksum-algorithm",
            "x-amz-trailer",
        ];
        for name in of_a_body {
            assert!(pruned(&[name], false, true).is_empty(), "{name}");
            assert!(pruned(&[name], false, false).is_empty(), "{name}");
            assert_eq!(pruned(&[name], true, true), [name]);
        }
        let others = ["accept", "range", "x-amz-meta-a", "x-api-key"];
        assert_eq!(pruned(&others, false, true).len(), others.len());
    }
}
