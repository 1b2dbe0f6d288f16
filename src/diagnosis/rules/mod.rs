//! The rules by which a response is diagnosed: the first that applies decides.
//!
//! A rule looks at the code where services agree on it, and at words of the message where they do not. What stands in front
//! of a service comes first, since nothing else of such a response is the service's. Rules that name a cause surely come
//! before those that leave several.

mod authorization;
mod clock;
mod credentials;
mod denial;
mod form;
mod gateway;
mod intermediary;
mod scope;
mod signature;
mod wrong_endpoint;

use super::cause::Cause;
use super::compare::shorten;
use super::facts::Facts;
use super::refused::{RefusedResponse, may_refuse};
use super::report::{Denial, Diagnosis, Difference};
use super::sent::SentRequest;
use super::{record, redaction};

/// What a rule concludes.
#[derive(Debug, Default)]
struct Verdict {
    causes: Vec<Cause>,
    evidence: Vec<String>,
    what_to_do: Option<String>,
    difference: Option<Difference>,
    denial: Option<Denial>,
    clock_offset_seconds: Option<i64>,
}

impl Verdict {
    fn of(causes: &[Cause]) -> Self {
        Self { causes: causes.to_vec(), ..Self::default() }
    }

    fn because(mut self, evidence: impl Into<String>) -> Self {
        self.evidence.push(evidence.into());
        self
    }

    fn advice(self, what_to_do: impl Into<String>) -> Self {
        Self { what_to_do: Some(what_to_do.into()), ..self }
    }
}

impl From<Cause> for Verdict {
    fn from(cause: Cause) -> Self {
        Self::of(&[cause])
    }
}

/// What the client's record shows by itself, and `otherwise` what it may be if that is not wrong after all.
fn of_record(facts: &Facts<'_>, otherwise: Cause) -> Option<Verdict> {
    let found = record::findings(facts);
    let first = found.first()?.cause;
    let mut verdict = Verdict::from(first);
    if !found[0].sure {
        let mut others: Vec<Cause> = Vec::new();
        for finding in &found[1..] {
            if finding.cause != first && !others.contains(&finding.cause) {
                others.push(finding.cause);
            }
        }
        others.truncate(MOST_OTHERS);
        verdict.causes.extend(others);
        verdict.causes.push(otherwise);
    }
    Some(found.into_iter().fold(verdict, |verdict, finding| verdict.because(finding.why)))
}

/// As many further causes are named of a record that shows several.
const MOST_OTHERS: usize = 2;

/// The longest sentence of a report, in characters.
const LONGEST_SENTENCE: usize = 600;

type Rule = fn(&Facts<'_>) -> Option<Verdict>;

/// What may stand in front of a service, and what is said in the same way by any.
const FIRST: [Rule; 5] = [
    intermediary::proxy_or_cdn,
    intermediary::cloudfront,
    wrong_endpoint::redirect,
    denial::throttled,
    denial::cors,
];

/// What a service says. An application may use the same words, of its own tokens and signatures.
const OF_SERVICES: [Rule; 7] = [
    clock::date,
    scope::scope,
    credentials::web_identity,
    form::form,
    credentials::credentials,
    denial::denial,
    signature::mismatch,
];

/// How to get a diagnosis that compares.
const RECORD_MISSING: &str = "; no record of what was signed came with the response: have one made \
                              (.record_signing_details(true) on the signer's builder), and it is compared with what the \
                              server computed";

/// Whether a signature does not match, and would be compared with the client's record if there were one. A caller who says
/// by other means what was sent has none to give, as a proxy's log beneath the signer.
fn lacks_record(facts: &Facts<'_>, verdict: &Verdict) -> bool {
    let server = &facts.server_text;
    let is_printed = server.canonical.is_some() || server.string_to_sign.is_some();
    let is_open = verdict.causes.contains(&Cause::SignatureMismatchUnspecified);
    facts.signed().is_none() && (is_printed || is_open)
}

pub(super) fn diagnose(refused: &RefusedResponse<'_>, sent: &SentRequest) -> Option<Diagnosis> {
    if !may_refuse(refused.status) {
        return None;
    }
    let facts = Facts::new(refused, sent);
    let of_services = if facts.is_application() { &[][..] } else { &OF_SERVICES[..] };
    let mut rules = FIRST.iter().chain(of_services).chain(&[gateway::unexplained as Rule]);
    let mut verdict = rules.find_map(|rule| rule(&facts))?;
    // The likeliest place is kept of a cause that is concluded twice.
    let mut seen = Vec::new();
    verdict.causes.retain(|cause| {
        !seen.contains(cause) && {
            seen.push(*cause);
            true
        }
    });
    let first = *verdict.causes.first()?;
    let what_to_do = verdict.what_to_do.as_deref().unwrap_or(first.what_to_do());
    let without_record = if lacks_record(&facts, &verdict) { RECORD_MISSING } else { "" };
    Some(Diagnosis {
        status: facts.status,
        code: facts.code.as_deref().map(|code| shorten(&redaction::word(code), 128)),
        message: redaction::message(facts.body.message()),
        // What a response names in them may be as long as the response.
        evidence: verdict.evidence.iter().map(|evidence| shorten(evidence, LONGEST_SENTENCE)).collect(),
        what_to_do: shorten(what_to_do, LONGEST_SENTENCE) + without_record,
        request_ids: facts.request_ids(),
        difference: verdict.difference,
        denial: verdict.denial,
        clock_offset_seconds: verdict.clock_offset_seconds,
        causes: verdict.causes,
    })
}
