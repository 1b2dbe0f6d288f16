//! Why a request was refused: [`diagnose`] compares a response with what was signed.
//!
//! A server that refuses a signature often prints the canonical request that it computed. [`SigningDetails`] contains the
//! client's. The first line in which they differ shows the cause. Other refusals state their cause in a code or a message,
//! each service in its own words.
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
//! With an integration, call `response.diagnose()` of the trait `Diagnose`, or set
//! `SigV4Middleware::diagnose_refusals(true)`.
//!
//! # AWS documentation
//! - IAM User Guide: ["Troubleshoot Signature Version 4 signing for AWS API requests"][signing].
//! - API Gateway Developer Guide: ["Gateway response types for API Gateway"][types].
//!
//! Most texts of refusals are in no document; they are recognized as services write them.
//!
//! [signing]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
//! [types]: https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
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

/// Finds out why a request was refused.
///
/// A signature that does not match is compared with the [`SigningDetails`](crate::SigningDetails) in `sent`; without them,
/// [`what_to_do`](Diagnosis::what_to_do) says how to get them. Nothing is sent, and at most
/// [`RefusedResponse::LONGEST_BODY`] bytes of a body are examined.
///
/// `None` for a response that is not a refusal: a successful one, or an error that concerns neither authentication nor
/// authorization nor what stands in front of the service.
///
/// ```
/// use http::{HeaderMap, StatusCode};
/// use sigv4_middleware::diagnosis::{Cause, RefusedResponse, SentRequest, diagnose};
///
/// let body = br#"{"__type":"com.amazon.coral.service#ExpiredTokenException","message":"expired"}"#;
/// let headers = HeaderMap::new();
/// let refused = RefusedResponse::new(StatusCode::BAD_REQUEST, &headers, body);
/// let diagnosis = diagnose(&refused, &SentRequest::unknown()).expect("a refusal");
/// assert_eq!(diagnosis.cause(), Cause::SessionTokenExpired);
///
/// let not_found = RefusedResponse::new(StatusCode::NOT_FOUND, &headers, b"no such order");
/// assert!(diagnose(&not_found, &SentRequest::unknown()).is_none());
/// ```
#[must_use]
pub fn diagnose(refused: &RefusedResponse<'_>, sent: &SentRequest) -> Option<Diagnosis> {
    rules::diagnose(refused, sent)
}
