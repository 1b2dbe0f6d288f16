//! Why a request was refused, on standard error.

use sigv4_middleware::diagnosis::{Cause, Diagnosis};

use crate::change::Change;
use crate::terminal::printable;

/// The report, and the line to change.
pub(crate) fn print(diagnosis: &Diagnosis, change: Option<&Change>) {
    for line in diagnosis.to_string().lines() {
        eprintln!("* {}", printable(line));
    }
    if let Some(change) = change {
        eprintln!("* change: {}", printable(&change.text));
    }
}

/// Whether the date is wrong, and a second signature may be right.
pub(crate) fn is_clock(diagnosis: &Diagnosis) -> bool {
    matches!(diagnosis.cause(), Cause::ClockSkew | Cause::ClockSkewAhead | Cause::ClockSkewBehind)
}
