//! Which values are secret, and what is shown in their place.

/// What stands in place of a secret value, here and in the messages of the crate's emulator, so that the texts can be
/// compared line by line.
pub(crate) const REDACTED: &str = "[redacted]";

/// Headers and parameters whose values are never shown: the list that aws-sigv4 uses for its own logs, API keys, and the
/// access tokens of APIs that require one besides the signature.
const SENSITIVE: [&str; 14] = [
    "authorization",
    "proxy-authorization",
    "x-amz-access-token",
    "x-amz-security-token",
    "x-amz-s3session-token",
    "cookie",
    "set-cookie",
    "x-amz-server-side-encryption-customer-key",
    "x-amz-server-side-encryption-customer-key-md5",
    "x-amz-copy-source-server-side-encryption-customer-key",
    "x-amz-copy-source-server-side-encryption-customer-key-md5",
    "x-api-key",
    "x-auth-token",
    "api-key",
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
