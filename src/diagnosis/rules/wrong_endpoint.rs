//! Requests that went to the wrong endpoint.

use super::Verdict;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::facts::Facts;

pub(super) fn redirect(facts: &Facts<'_>) -> Option<Verdict> {
    let addressed =
        facts.code_is(&["PermanentRedirect", "TemporaryRedirect", "Redirect", "IllegalLocationConstraint"])
            || facts.says_any(&["must be addressed using", "please use virtual hosted style to access"])
            || facts.says("specified location-constraint is not valid");
    let of_bucket =
        facts.status.is_redirection() && (facts.has("x-amz-bucket-region") || facts.is_error_document());
    if !(addressed || of_bucket) {
        return None;
    }
    let mut verdict = Verdict::from(Cause::WrongEndpoint);
    let region = facts.header("x-amz-bucket-region").or(facts.body.field("Region"));
    if let Some(region) = region {
        verdict = verdict.because(format!("the bucket is in the region {region}"));
    }
    if let Some(endpoint) = facts.body.field("Endpoint") {
        verdict = verdict.because(format!("the endpoint is {endpoint}"));
        let region = region.map_or(String::new(), |region| format!(" and the region {region}"));
        verdict = verdict.advice(format!("send the request to {endpoint}, signed for that host{region}"));
    }
    Some(verdict)
}
