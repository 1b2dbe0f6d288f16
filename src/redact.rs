//! Which values are secret, and what is shown in their place.

/// What stands in place of a secret value, here and in the messages of the crate's emulator, so that the texts can be
/// compared line by line.
pub(crate) const REDACTED: &str = "[redacted]";

/// Headers and parameters whose values are never shown: the list that aws-sigv4 uses for its own logs.
const SENSITIVE: [&str; 10] = [
    "authorization",
    "proxy-authorization",
    "x-amz-security-token",
    "x-amz-s3session-token",
    "cookie",
    "set-cookie",
    "x-amz-server-side-encryption-customer-key",
    "x-amz-server-side-encryption-customer-key-md5",
    "x-amz-copy-source-server-side-encryption-customer-key",
    "x-amz-copy-source-server-side-encryption-customer-key-md5",
];

/// Whether the value of a header or parameter is a secret.
pub(crate) fn is_sensitive(name: &str) -> bool {
    SENSITIVE.iter().any(|sensitive| name.eq_ignore_ascii_case(sensitive))
}
