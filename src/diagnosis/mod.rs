//! Why a request was refused: [`diagnose`] compares a response with what was signed.
//!
//! A server that refuses a signature often prints the canonical request that it computed. [`SigningDetails`] holds the
//! client's. The first line in which they differ names the cause. Other refusals name theirs in a code or a message, each
//! service in its own words.
//!
//! ```
//! use http::{HeaderMap, StatusCode};
//! use sigv4_middleware::diagnosis::{Cause, RefusedResponse, SentRequest, diagnose};
//!
//! let mut headers = HeaderMap::new();
//! headers.insert("x-amzn-requestid", "0badcafe".parse().unwrap());
//! let body = br#"{"message":"Credential should be scoped to a valid region, not 'us-east-1'."}"#;
//! let refused = RefusedResponse::new(StatusCode::FORBIDDEN, &headers, body);
//! let diagnosis = diagnose(&refused, &SentRequest::unknown()).expect("a refusal");
//! assert_eq!(diagnosis.cause(), Cause::ScopeRegionWrong);
//! println!("{diagnosis}");
//! ```
//!
//! [`SigningDetails`]: crate::SigningDetails

mod cause;
mod compare;
mod facts;
mod parse;
mod record;
mod redaction;
mod refused;
mod report;
mod rules;
mod sent;
mod server_text;

pub use cause::Cause;
pub use refused::RefusedResponse;
#[cfg(any(feature = "tower", feature = "reqwest"))]
pub(crate) use refused::may_refuse;
pub use report::{Denial, Diagnosis, Difference};
pub use sent::SentRequest;

/// Explains a refusal. Pure: nothing is sent, and only [`RefusedResponse::LONGEST_BODY`] bytes of a body are looked at.
///
/// A signature that does not match is compared with the [`SigningDetails`](crate::SigningDetails) in `sent`; without them,
/// [`what_to_do`](Diagnosis::what_to_do) says how to get them.
///
/// `None` for a response that refuses nothing: one of success, and an error that concerns neither authentication nor
/// authorization nor the way to the service.
#[must_use]
pub fn diagnose(refused: &RefusedResponse<'_>, sent: &SentRequest) -> Option<Diagnosis> {
    rules::diagnose(refused, sent)
}
