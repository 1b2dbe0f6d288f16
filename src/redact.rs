//! Which values are secret, and what is shown in their place.

/// What stands in place of a secret value, here and in the messages of the crate's emulator, so that the texts can be
/// compared line by line.
pub(crate) const REDACTED: &str = "[redacted]";

/// Headers and parameters whose values are never shown: the list that aws-sigv4 uses for its own logs, API keys, the
/// access tokens of APIs that require one besides the signature, and what OAuth 2 calls secrets. Not tokens of pagination and
/// idempotency: they are none, and often encoded wrongly.
const SENSITIVE: [&str; 31] = [
    "authorization",
    "proxy-authorization",
    "x-amz-access-token",
    "x-amz-security-token",
    "x-amz-s3session-token",
    "x-amz-sso_bearer_token",
    "x-amzn-oidc-accesstoken",
    "x-amzn-oidc-data",
    "cookie",
    "set-cookie",
    "x-amz-server-side-encryption-customer-key",
    "x-amz-server-side-encryption-customer-key-md5",
    "x-amz-copy-source-server-side-encryption-customer-key",
    "x-amz-copy-source-server-side-encryption-customer-key-md5",
    "x-api-key",
    "x-apikey",
    "x-access-token",
    "x-auth-token",
    "x-csrf-token",
    "x-functions-key",
    "x-vault-token",
    "x-xsrf-token",
    "access_token",
    "api-key",
    "api_key",
    "apikey",
    "client_secret",
    "id_token",
    "password",
    "refresh_token",
    "secret",
];

/// Whether the value of a header or parameter is a secret.
pub(crate) fn is_sensitive(name: &str) -> bool {
    SENSITIVE.iter().any(|sensitive| name.eq_ignore_ascii_case(sensitive))
}

/// A canonical request, or a string to sign, with its secret values replaced: header lines and parameters of these names
/// anywhere in it, so that nothing shows in a text that is not in its form.
pub(crate) fn canonical_request(text: &str) -> String {
    let redact = |line: &str| match line.split_once(':') {
        Some((name, _)) if is_sensitive(name.trim()) => format!("{name}:{REDACTED}"),
        _ => query(line),
    };
    text.split('\n').map(redact).collect::<Vec<_>>().join("\n")
}

/// A query with its secret values replaced.
pub(crate) fn query(query: &str) -> String {
    let redact = |pair: &str| {
        let key = pair.split_once('=').map_or(pair, |(key, _)| key);
        // In a resource of SigV2, the path is before the query.
        let name = key.rsplit('?').next().unwrap_or(key);
        if is_sensitive(name) { format!("{key}={REDACTED}") } else { pair.to_owned() }
    };
    query.split('&').map(redact).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_redacted_where_a_text_has_them() {
        for (text, shown) in [
            ("a=1&access_token=s&b=2", "a=1&access_token=[redacted]&b=2"),
            ("X-Amz-Security-Token=s", "X-Amz-Security-Token=[redacted]"),
            ("/bucket/key?id_token=s&a=1", "/bucket/key?id_token=[redacted]&a=1"),
            (
                "GET\n/\n\nX-Api-Key: s\nx-vault-token:s\n",
                "GET\n/\n\nX-Api-Key:[redacted]\nx-vault-token:[redacted]\n",
            ),
            ("continuation-token=a%2Fb&tokens=1", "continuation-token=a%2Fb&tokens=1"),
        ] {
            assert_eq!(canonical_request(text), shown);
        }
    }
}
