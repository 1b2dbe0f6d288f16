//! The rules.

use http::StatusCode;

use super::cause::Cause;
use super::parse::Body;
use super::refused::RefusedResponse;
use super::report::Diagnosis;
use super::sent::SentRequest;

pub(super) fn diagnose(refused: &RefusedResponse<'_>, _sent: &SentRequest) -> Option<Diagnosis> {
    let body = Body::parse(refused.body);
    let cause = match refused.status {
        StatusCode::UNAUTHORIZED => Cause::Application401,
        StatusCode::FORBIDDEN if body.message().contains("scoped to a valid region") => {
            Cause::ScopeRegionWrong
        }
        StatusCode::FORBIDDEN => Cause::AccessDeniedUnspecified,
        _ => return None,
    };
    Some(Diagnosis {
        status: refused.status,
        causes: vec![cause],
        code: body.code().map(str::to_owned),
        message: None,
        evidence: Vec::new(),
        what_to_do: cause.what_to_do().to_owned(),
        request_ids: Vec::new(),
        difference: None,
        denial: None,
        clock_offset_seconds: None,
    })
}
