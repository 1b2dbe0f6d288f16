//! [`SigningDetails`]: what was signed, to compare with what a server expected.

use std::fmt;

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
