//! Hosts, and the scopes that botocore signs for there.

use serde::Deserialize;
use sigv4_middleware::Endpoint;

use super::report::{Outcome, Report};

/// A host, and the scopes that are right for it.
#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) host: String,
    /// Any of them is right.
    pub(crate) scopes: Vec<Scope>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Scope {
    pub(crate) service: String,
    /// `*` for the region set of SigV4a.
    pub(crate) region: String,
}

pub(crate) fn check(lines: &str) -> Report {
    let mut report = Report::default();
    for (at, line) in lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str::<Case>(line) {
            Ok(case) => report.add(&case.host, case.check()),
            Err(error) => report.add(&format!("line {}", at + 1), Err(error.to_string())),
        }
    }
    report
}

impl Case {
    pub(crate) fn check(&self) -> Outcome {
        let endpoint = Endpoint::infer(&self.host).map_err(|error| error.to_string())?;
        let region = endpoint.region().or(endpoint.region_set()).unwrap_or_default();
        let right = |scope: &Scope| scope.service == endpoint.service() && scope.region == region;
        match self.scopes.iter().any(right) {
            true => Ok(()),
            false => Err(format!("{endpoint:?}, expected one of {:?}", self.scopes)),
        }
    }
}
