//! Why a request was refused, on standard error.

use sigv4_middleware::diagnosis::{Cause, Diagnosis};

use crate::change::Change;

/// The report, and the line to change.
pub(crate) fn print(diagnosis: &Diagnosis, change: Option<&Change>) {
    for line in diagnosis.to_string().lines() {
        eprintln!("* {line}");
    }
    if let Some(change) = change {
        eprintln!("* change: {}", change.text);
    }
}

/// Whether the date is wrong, and a second signature may be right.
pub(crate) fn is_clock(diagnosis: &Diagnosis) -> bool {
    matches!(diagnosis.cause(), Cause::ClockSkew | Cause::ClockSkewAhead | Cause::ClockSkewBehind)
}
