//! [`Diagnosis`]: the result, and the report that a person can act on.

use std::fmt;

use http::StatusCode;

use super::cause::Cause;

/// Why a request was refused, by what evidence, and what to do about it.
///
/// Display writes a report over several lines. No secret is in it: values of tokens, of Authorization headers and of API
/// keys that a server repeats are redacted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Diagnosis {
    pub(super) status: StatusCode,
    /// Never empty.
    pub(super) causes: Vec<Cause>,
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
    pub(super) evidence: Vec<String>,
    pub(super) what_to_do: String,
    pub(super) request_ids: Vec<(String, String)>,
    pub(super) difference: Option<Difference>,
    pub(super) denial: Option<Denial>,
    pub(super) clock_offset_seconds: Option<i64>,
}

impl Diagnosis {
    /// The likeliest cause.
    #[must_use]
    pub fn cause(&self) -> Cause {
        self.causes[0]
    }

    /// All causes that the response allows, the likeliest first. More than one where neither the response nor what the
    /// client knows decides.
    #[must_use]
    pub fn causes(&self) -> &[Cause] {
        &self.causes
    }

    /// Whether only one cause is left.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.causes.len() == 1
    }

    /// The response's status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The response's error code, such as `SignatureDoesNotMatch`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The response's message, shortened and with secrets redacted.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// What the causes were concluded from, a sentence each.
    #[must_use]
    pub fn evidence(&self) -> &[String] {
        &self.evidence
    }

    /// What to do next.
    #[must_use]
    pub fn what_to_do(&self) -> &str {
        &self.what_to_do
    }

    /// The ids by which AWS Support finds the request: header names and their values.
    #[must_use]
    pub fn request_ids(&self) -> &[(String, String)] {
        &self.request_ids
    }

    /// The first line in which the server's canonical request, or string to sign, differs from the client's.
    #[must_use]
    pub fn difference(&self) -> Option<&Difference> {
        self.difference.as_ref()
    }

    /// Who was denied what, where a policy did it and the response says so.
    #[must_use]
    pub fn denial(&self) -> Option<&Denial> {
        self.denial.as_ref()
    }

    /// By how many seconds the server's clock is ahead of the signing date, where the response shows both and the cause is
    /// a date; negative if it is behind.
    #[must_use]
    pub fn clock_offset_seconds(&self) -> Option<i64> {
        self.clock_offset_seconds
    }
}

/// The first line in which two canonical requests, or strings to sign, differ. Secret values are redacted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// `canonical request` or `string to sign`.
    pub text: &'static str,
    /// The line's number, from 1, in the client's text.
    pub line: usize,
    /// What the line is: `method`, `path`, `query`, `header content-type`, `signed headers`, `payload hash`, …
    pub part: String,
    /// The client's line; `None` if it has none.
    pub ours: Option<String>,
    /// The server's line; `None` if it has none.
    pub theirs: Option<String>,
    /// The likely cause of this difference.
    pub why: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line =
            |line: &Option<String>| line.as_ref().map_or("(none)".to_owned(), |line| format!("{line:?}"));
        writeln!(f, "line {} of the {} ({}) differs:", self.line, self.text, self.part)?;
        writeln!(f, "  client: {}", line(&self.ours))?;
        writeln!(f, "  server: {}", line(&self.theirs))?;
        write!(f, "  {}", self.why)
    }
}

/// Who was denied what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Denial {
    /// The principal's ARN, or `anonymous`.
    pub principal: Option<String>,
    /// The action, such as `s3:GetObject`.
    pub action: Option<String>,
    /// The resource's ARN.
    pub resource: Option<String>,
    /// The ARN of the policy that denies, where AWS names it.
    pub policy: Option<String>,
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused = self.code.as_ref().map_or(String::new(), |code| format!(" {code}"));
        if let [cause] = self.causes[..] {
            writeln!(f, "refused with {}{refused}: {cause} ({})", self.status.as_u16(), cause.as_str())?;
        } else {
            writeln!(
                f,
                "refused with {}{refused}, by one of these, the likeliest first:",
                self.status.as_u16()
            )?;
            for cause in &self.causes {
                writeln!(f, "- {cause} ({})", cause.as_str())?;
            }
        }
        if let Some(message) = &self.message {
            writeln!(f, "message: {message}")?;
        }
        for evidence in &self.evidence {
            writeln!(f, "evidence: {evidence}")?;
        }
        if let Some(difference) = &self.difference {
            writeln!(f, "{difference}")?;
        }
        for (name, id) in &self.request_ids {
            writeln!(f, "{name}: {id}")?;
        }
        write!(f, "what to do: {}", self.what_to_do)
    }
}

impl std::error::Error for Diagnosis {}
