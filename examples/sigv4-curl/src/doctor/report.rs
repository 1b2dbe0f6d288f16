//! The report: steps, a verdict, and the line to change.

use serde_json::{Value, json};
use sigv4_middleware::diagnosis::Diagnosis;

use crate::args::Args;
use crate::change::Change;
use crate::terminal::printable;

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Passed,
    Warning,
    Failed,
    Skipped,
}

/// One check.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) status: Status,
    /// What was found, a line each.
    pub(super) found: Vec<String>,
}

/// What all of it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted,
    Credentials,
    Scope,
    Connection,
    Clock,
    Signature,
    Denied,
    Other,
}

impl Verdict {
    pub(super) fn exit_code(self) -> u8 {
        match self {
            Self::Accepted => 0,
            Self::Credentials => 10,
            Self::Scope => 11,
            Self::Connection => 12,
            Self::Clock => 13,
            Self::Signature => 14,
            Self::Denied => 15,
            Self::Other => 16,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Credentials => "credentials",
            Self::Scope => "scope",
            Self::Connection => "connection",
            Self::Clock => "clock",
            Self::Signature => "signature",
            Self::Denied => "denied",
            Self::Other => "other",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Accepted => "the request is signed correctly, and accepted",
            Self::Credentials => "the credentials are the problem",
            Self::Scope => "host, service or region is the problem",
            Self::Connection => "the server cannot be reached",
            Self::Clock => "this machine's clock is wrong",
            Self::Signature => "the signature is refused",
            Self::Denied => "the signature is right, and the request is denied",
            Self::Other => "the request is refused for another reason than its signature",
        }
    }
}

pub(super) struct Report {
    pub(super) steps: Vec<Step>,
    pub(super) verdict: Verdict,
    pub(super) diagnosis: Option<Diagnosis>,
    pub(super) change: Option<Change>,
}

impl Report {
    pub(super) fn to_text(&self, args: &Args, colors: bool) -> String {
        let painted = |text: &str, color: &str| {
            if colors { format!("\x1b[{color}m{text}\x1b[0m") } else { text.to_owned() }
        };
        let mut text = format!("{}\n\n", painted(&printable(&url_of(args)), "1"));
        for step in &self.steps {
            let mark = match step.status {
                Status::Passed => painted("ok  ", "32"),
                Status::Warning => painted("warn", "33"),
                Status::Failed => painted("FAIL", "31"),
                Status::Skipped => painted("skip", "2"),
            };
            let mut found = step.found.iter();
            text += &format!("{mark}  {:<14} {}\n", step.name, found.next().map_or("", String::as_str));
            for line in found {
                text += &format!("{:20} {line}\n", "");
            }
        }
        let color = if self.verdict == Verdict::Accepted { "1;32" } else { "1;31" };
        text += &format!("\nverdict: {}\n", painted(self.verdict.text(), color));
        if let Some(change) = &self.change {
            text += &format!("change:  {}\n", painted(&printable(&change.text), "1"));
        }
        text
    }

    pub(super) fn to_json(&self, args: &Args) -> Value {
        let steps: Vec<Value> = self
            .steps
            .iter()
            .map(|step| {
                let status = match step.status {
                    Status::Passed => "passed",
                    Status::Warning => "warning",
                    Status::Failed => "failed",
                    Status::Skipped => "skipped",
                };
                json!({"name": step.name, "status": status, "found": step.found})
            })
            .collect();
        json!({
            "url": url_of(args),
            "steps": steps,
            "verdict": self.verdict.name(),
            "exit_code": self.verdict.exit_code(),
            "change": self.change.as_ref().map(Change::to_json),
            "diagnosis": self.diagnosis.as_ref().map(diagnosis_json),
        })
    }
}

/// Without the query, which may hold secrets.
fn url_of(args: &Args) -> String {
    args.url.split(['?', '#']).next().unwrap_or_default().to_owned()
}

fn diagnosis_json(diagnosis: &Diagnosis) -> Value {
    json!({
        "status": diagnosis.status().as_u16(),
        "code": diagnosis.code(),
        "causes": diagnosis.causes().iter().map(|cause| cause.as_str()).collect::<Vec<_>>(),
        "evidence": diagnosis.evidence(),
        "what_to_do": diagnosis.what_to_do(),
        "request_ids": diagnosis.request_ids(),
    })
}
