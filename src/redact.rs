//! Which values are secret, and what is shown in their place.

/// What stands in place of a secret value, here and in the messages of the crate's emulator, so that the texts can be
/// compared line by line.
pub(crate) const REDACTED: &str = "[redacted]";

/// Headers and parameters whose values are never shown: the list that aws-sigv4 uses for its own logs, API keys, and the
/// access tokens of APIs that want one besides the signature.
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

/// A canonical request with its secret values replaced. Any text is taken: what is no header line is no secret.
pub(crate) fn canonical_request(text: &str) -> String {
    let mut lines = text.split('\n').enumerate().peekable();
    let mut out = String::with_capacity(text.len());
    let mut in_headers = true;
    while let Some((at, line)) = lines.next() {
        match at {
            0 | 1 => out.push_str(line),
            2 => out.push_str(&query(line)),
            _ => {
                in_headers &= !line.is_empty();
                match line.split_once(':') {
                    Some((name, _)) if in_headers && is_sensitive(name) => {
                        out.push_str(name);
                        out.push(':');
                        out.push_str(REDACTED);
                    }
                    _ => out.push_str(line),
                }
            }
        }
        if lines.peek().is_some() {
            out.push('\n');
        }
    }
    out
}

/// A query with its secret values replaced.
pub(crate) fn query(query: &str) -> String {
    let redact = |pair: &str| {
        let key = pair.split_once('=').map_or(pair, |(key, _)| key);
        if is_sensitive(key) { format!("{key}={REDACTED}") } else { pair.to_owned() }
    };
    query.split('&').map(redact).collect::<Vec<_>>().join("&")
}

/// A text of header lines, such as SigV2's string to sign, with secret values replaced.
pub(crate) fn header_lines(text: &str) -> String {
    let redact = |line: &str| match line.split_once(':') {
        Some((name, _)) if is_sensitive(name) => format!("{name}:{REDACTED}"),
        _ => line.to_owned(),
    };
    text.split('\n').map(redact).collect::<Vec<_>>().join("\n")
}
