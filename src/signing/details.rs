//! [`SigningDetails`]: what was signed, to compare with what a server expected.

use std::fmt;

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

/// What was signed: shown by `sigv4_curl -v`, and what to compare with the canonical request that a server prints when it
/// refuses a signature.
///
/// Secret values are shown as `[redacted]`, in the same way as in the messages of the crate's emulator: those of the
/// session token, of cookies and of SSE-C keys. Display writes all of it over several lines.
#[derive(Clone, Debug, Default)]
pub struct SigningDetails {
    pub(super) canonical_request: String,
    pub(super) string_to_sign: String,
    pub(super) rule: Option<String>,
}

impl SigningDetails {
    /// The canonical request, its secret values redacted.
    #[must_use]
    pub fn canonical_request(&self) -> &str {
        &self.canonical_request
    }

    /// The string to sign: algorithm, date, credential scope, and the hash of the canonical request before redaction.
    #[must_use]
    pub fn string_to_sign(&self) -> &str {
        &self.string_to_sign
    }

    /// The rule by which service and region were inferred from the host, if they were.
    #[must_use]
    pub fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }
}

impl fmt::Display for SigningDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "canonical request:\n{}\n", self.canonical_request)?;
        write!(f, "string to sign:\n{}", self.string_to_sign)
    }
}
