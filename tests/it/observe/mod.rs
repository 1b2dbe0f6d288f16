//! What can be seen of signing: the record of a request, the log at TRACE, metrics; and that no secret is in any of it.

mod details;
#[cfg(feature = "metrics")]
mod metrics;
mod trace;
