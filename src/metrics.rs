//! Metrics of all signers, recorded through the [`metrics`](https://docs.rs/metrics) crate: feature `metrics`.
//!
//! Install a recorder, such as that of `metrics-exporter-prometheus`, and then call [`describe`] once. Without a recorder
//! nothing is counted; without the feature nothing of this is compiled.
//!
//! ```
//! // … install a recorder …
//! sigv4_middleware::metrics::describe();
//! ```
//!
//! | name | kind | unit | labels | what |
//! |---|---|---|---|---|
//! | [`sigv4_signed_total`](SIGNED) | counter | | `service`, `place`: `header`, `presigned` | signatures made, second attempts included |
//! | [`sigv4_skipped_total`](SKIPPED) | counter | | `reason`: `disabled`, `skip_signing`, `origin` | requests sent unsigned, as configured |
//! | [`sigv4_sign_errors_total`](SIGN_ERRORS) | counter | | `kind`: an [`ErrorKind`](crate::ErrorKind), `OriginNotAllowed` as `origin_not_allowed` | requests that were not signed |
//! | [`sigv4_refusals_total`](REFUSALS) | counter | | `status`: `400`, `401`, `403`; `kind`: `signature`, `date`, `credentials`, `unsigned`, `denied`, `other` | signed requests that a server refused |
//! | [`sigv4_resigned_total`](RESIGNED) | counter | | `reason`: `date`, `credentials`, `redirect` | requests signed once more |
//! | [`sigv4_credential_loads_total`](CREDENTIAL_LOADS) | counter | | `outcome`: `loaded`, `failed` | calls of the credentials provider |
//! | [`sigv4_credential_age_seconds`](CREDENTIAL_AGE) | histogram | seconds | | age of credentials when others replace them |
//! | [`sigv4_clock_offset_seconds`](CLOCK_OFFSET) | histogram | seconds | | offset of a server's clock, each time one is learned; negative: the server's is behind |
//! | [`sigv4_hashed_bytes_total`](HASHED_BYTES) | counter | bytes | | bytes of bodies that were hashed |
//! | [`sigv4_signing_duration_seconds`](SIGNING_DURATION) | histogram | seconds | | time of one signature, its body's hash included, without credentials that had to be loaded |
//!
//! Labels have few values: `service` is a signing name from the crate's table of AWS's services, or `other`; all other
//! labels have the values listed. No host, path, region, key id, secret or token is ever a label. The kind of a refusal is
//! read from `x-amzn-errortype`, and from the body if the integration has read it; otherwise it is `other`.

#![cfg_attr(
    not(feature = "metrics"),
    allow(unused_variables, clippy::missing_const_for_fn, reason = "nothing is counted without the feature")
)]

use std::time::SystemTime;

use http::StatusCode;

use crate::error::Error;

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $(#[cfg(feature = "metrics")] $(#[$doc])* pub const $name: &str = $text;)*
    };
}

names! {
    /// Name of a counter: signatures made.
    SIGNED = "sigv4_signed_total";
    /// Name of a counter: requests sent unsigned, as configured.
    SKIPPED = "sigv4_skipped_total";
    /// Name of a counter: requests that could not be signed.
    SIGN_ERRORS = "sigv4_sign_errors_total";
    /// Name of a counter: signed requests that a server refused.
    REFUSALS = "sigv4_refusals_total";
    /// Name of a counter: requests signed once more.
    RESIGNED = "sigv4_resigned_total";
    /// Name of a counter: calls of the credentials provider.
    CREDENTIAL_LOADS = "sigv4_credential_loads_total";
    /// Name of a histogram, in seconds: the age of credentials when others replace them.
    CREDENTIAL_AGE = "sigv4_credential_age_seconds";
    /// Name of a histogram, in seconds: the offset of a server's clock, each time one is learned; negative if the server's
    /// clock is behind.
    CLOCK_OFFSET = "sigv4_clock_offset_seconds";
    /// Name of a counter, in bytes: bytes of bodies that were hashed.
    HASHED_BYTES = "sigv4_hashed_bytes_total";
    /// Name of a histogram, in seconds: the time of one signature, its body's hash included.
    SIGNING_DURATION = "sigv4_signing_duration_seconds";
}

/// Describes all metrics, with their units, to the installed recorder.
#[cfg(feature = "metrics")]
pub fn describe() {
    use ::metrics::{Unit, describe_counter, describe_histogram};

    describe_counter!(SIGNED, Unit::Count, "Signatures made.");
    describe_counter!(SKIPPED, Unit::Count, "Requests sent unsigned, because that was asked for.");
    describe_counter!(SIGN_ERRORS, Unit::Count, "Requests that could not be signed.");
    describe_counter!(REFUSALS, Unit::Count, "Signed requests that a server refused.");
    describe_counter!(RESIGNED, Unit::Count, "Requests signed once more.");
    describe_counter!(CREDENTIAL_LOADS, Unit::Count, "Calls of the credentials provider.");
    describe_histogram!(CREDENTIAL_AGE, Unit::Seconds, "Age of credentials when others replace them.");
    describe_histogram!(CLOCK_OFFSET, Unit::Seconds, "Offset of a server's clock, each time one is learned.");
    describe_counter!(HASHED_BYTES, Unit::Bytes, "Bytes of bodies that were hashed.");
    describe_histogram!(SIGNING_DURATION, Unit::Seconds, "Time of one signature.");
}

/// The time of one signature. Reads no clock without the feature.
pub(crate) struct SigningTimer {
    #[cfg(feature = "metrics")]
    started: std::time::Instant,
}

impl SigningTimer {
    pub(crate) fn start() -> Self {
        Self {
            #[cfg(feature = "metrics")]
            started: std::time::Instant::now(),
        }
    }

    /// A request was signed in its headers for this service, and this many bytes of its body hashed.
    pub(crate) fn signed(self, service: &str, hashed_bytes: usize) {
        hashed(hashed_bytes);
        #[cfg(feature = "metrics")]
        ::metrics::histogram!(SIGNING_DURATION).record(self.started.elapsed());
        signed(service, "header");
    }
}

fn signed(service: &str, place: &'static str) {
    #[cfg(feature = "metrics")]
    ::metrics::counter!(SIGNED, "service" => crate::endpoint::signing_name(service).unwrap_or("other"), "place" => place)
        .increment(1);
}

/// A URL was presigned for this service.
pub(crate) fn presigned(service: &str) {
    signed(service, "presigned");
}

/// Why a request is sent unsigned.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Skipped {
    Disabled,
    SkipSigning,
    Origin,
}

pub(crate) fn skipped(why: Skipped) {
    #[cfg(feature = "metrics")]
    {
        let reason = match why {
            Skipped::Disabled => "disabled",
            Skipped::SkipSigning => "skip_signing",
            Skipped::Origin => "origin",
        };
        ::metrics::counter!(SKIPPED, "reason" => reason).increment(1);
    }
}

/// A request could not be signed.
pub(crate) fn sign_error(error: &Error) {
    #[cfg(feature = "metrics")]
    {
        let mut kind = String::new();
        for letter in format!("{:?}", error.kind()).chars() {
            if letter.is_ascii_uppercase() && !kind.is_empty() {
                kind.push('_');
            }
            kind.push(letter.to_ascii_lowercase());
        }
        ::metrics::counter!(SIGN_ERRORS, "kind" => kind).increment(1);
    }
}

/// A server refused a signed request, with this error code.
pub(crate) fn refused(status: StatusCode, code: Option<&str>) {
    #[cfg(feature = "metrics")]
    {
        let code = code.unwrap_or_default();
        let code = code.strip_suffix("Exception").unwrap_or(code);
        let kind = match code {
            "SignatureDoesNotMatch" | "InvalidSignature" | "IncompleteSignature" => "signature",
            "RequestExpired" | "RequestInTheFuture" | "RequestTimeTooSkewed" => "date",
            "ExpiredToken"
            | "InvalidToken"
            | "UnrecognizedClient"
            | "InvalidClientTokenId"
            | "InvalidAccessKeyId" => "credentials",
            "MissingAuthenticationToken" => "unsigned",
            "AccessDenied" | "Forbidden" | "UnauthorizedOperation" => "denied",
            _ => "other",
        };
        let status = match status.as_u16() {
            400 => "400",
            401 => "401",
            _ => "403",
        };
        ::metrics::counter!(REFUSALS, "status" => status, "kind" => kind).increment(1);
    }
}

/// Why a request is signed once more.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resigned {
    Date,
    Credentials,
    #[cfg_attr(not(feature = "reqwest"), expect(dead_code, reason = "only the middleware follows redirects"))]
    Redirect,
}

pub(crate) fn resigned(why: Resigned) {
    #[cfg(feature = "metrics")]
    {
        let reason = match why {
            Resigned::Date => "date",
            Resigned::Credentials => "credentials",
            Resigned::Redirect => "redirect",
        };
        ::metrics::counter!(RESIGNED, "reason" => reason).increment(1);
    }
}

/// A load of credentials ended.
pub(crate) fn credentials_loaded(loaded: bool) {
    #[cfg(feature = "metrics")]
    {
        let outcome = if loaded { "loaded" } else { "failed" };
        ::metrics::counter!(CREDENTIAL_LOADS, "outcome" => outcome).increment(1);
    }
}

/// Credentials that were loaded then are replaced by others now.
pub(crate) fn credentials_replaced(loaded_at: SystemTime, now: SystemTime) {
    #[cfg(feature = "metrics")]
    ::metrics::histogram!(CREDENTIAL_AGE).record(now.duration_since(loaded_at).unwrap_or_default());
}

/// The offset of a server's clock was learned.
pub(crate) fn clock_offset(milliseconds: i64) {
    #[cfg(feature = "metrics")]
    ::metrics::histogram!(CLOCK_OFFSET).record(milliseconds as f64 / 1000.0);
}

/// Bytes of a body were hashed.
pub(crate) fn hashed(bytes: usize) {
    #[cfg(feature = "metrics")]
    if bytes > 0 {
        ::metrics::counter!(HASHED_BYTES).increment(bytes as u64);
    }
}
