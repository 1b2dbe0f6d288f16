//! [`Diagnosis`]: the result, and its report.

use std::fmt;

use http::StatusCode;

use super::cause::Cause;

/// Why a request was refused, the evidence, and what to do about it; returned by [`diagnose`](super::diagnose).
///
/// Display writes a report over several lines. It contains no secret: tokens, Authorization headers and API keys that a
/// server repeats are redacted.
///
/// ```
/// use sigv4_middleware::diagnosis::{Cause, Diagnosis};
///
/// fn alert(diagnosis: &Diagnosis) {
///     match diagnosis.cause() {
///         Cause::ServiceThrottled => {}
///         cause if cause.signature_was_accepted() => eprintln!("ask for permission: {:?}", diagnosis.denial()),
///         cause => eprintln!("{}: {}", cause.as_str(), diagnosis.what_to_do()),
///     }
/// }
/// ```
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

    /// All possible causes, the likeliest first; never empty. More than one if neither the response nor the client's
    /// record decides between them.
    #[must_use]
    pub fn causes(&self) -> &[Cause] {
        &self.causes
    }

    /// Whether only one cause is possible.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.causes.len() == 1
    }

    /// The response's status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The response's error code, such as `SignatureDoesNotMatch`; `None` if it has none.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The response's message, shortened and with secrets redacted; `None` if it has none.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// The evidence for the causes, one sentence each.
    #[must_use]
    pub fn evidence(&self) -> &[String] {
        &self.evidence
    }

    /// What to do next.
    #[must_use]
    pub fn what_to_do(&self) -> &str {
        &self.what_to_do
    }

    /// The ids that AWS Support needs to find the request: pairs of header name and value.
    #[must_use]
    pub fn request_ids(&self) -> &[(String, String)] {
        &self.request_ids
    }

    /// The first line in which the server's canonical request, or string to sign, differs from the client's; `None` if one
    /// of the two is not known, or if they do not differ.
    #[must_use]
    pub fn difference(&self) -> Option<&Difference> {
        self.difference.as_ref()
    }

    /// The principal, action, resource and policy of a denial; `None` if no policy denied the request, or if the response
    /// names none of them.
    #[must_use]
    pub fn denial(&self) -> Option<&Denial> {
        self.denial.as_ref()
    }

    /// How many seconds the server's clock is ahead of the signing date; negative if it is behind. `None` if the cause is
    /// not a date, or if one of the two is not known.
    #[must_use]
    pub fn clock_offset_seconds(&self) -> Option<i64> {
        self.clock_offset_seconds
    }
}

/// The first line in which two canonical requests, or strings to sign, differ. Secret values are redacted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The text that the line is in: `canonical request` or `string to sign`.
    pub text: &'static str,
    /// The line's number, from 1, in the client's text.
    pub line: usize,
    /// The part of the request: `method`, `path`, `query`, `header content-type`, `signed headers`, `payload hash`, …
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

/// The principal, action, resource and policy of a denial, as far as the response names them; returned by
/// [`Diagnosis::denial`].
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
