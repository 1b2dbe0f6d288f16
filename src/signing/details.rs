//! What was signed, to be looked at: [`SigningDetails`].

use std::fmt;

/// What was signed, to be looked at: shown by `sigv4_curl -v`, and what to compare with the canonical request that a
/// server prints when it refuses a signature.
///
/// The session token is left out of the canonical request. Display gives all of it over several lines.
#[derive(Clone, Debug, Default)]
pub struct SigningDetails {
    pub(super) canonical_request: String,
    pub(super) string_to_sign: String,
    pub(super) rule: Option<String>,
}

impl SigningDetails {
    /// The canonical request, its session token left out.
    #[must_use]
    pub fn canonical_request(&self) -> &str {
        &self.canonical_request
    }

    /// The string to sign: algorithm, date, credential scope, and the hash of the (whole) canonical request.
    #[must_use]
    pub fn string_to_sign(&self) -> &str {
        &self.string_to_sign
    }

    /// The rule by which service and region were read off the host, if they were.
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
