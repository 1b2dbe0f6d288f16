//! The library's errors in terms of this program's options.

use std::error::Error as StdError;

use sigv4_middleware::{BuildError, Error, ErrorKind};

use crate::shared::{OptionOf, for_build_error, for_kind, with_options};

const OPTIONS: [OptionOf; 4] = [
    ("service", "--service", "NAME"),
    ("region", "--region", "NAME"),
    ("body_limit", "--body-limit", "BYTES"),
    ("body_timeout", "--body-timeout", "SECONDS"),
];

/// Why a request cannot be signed, and what to do.
pub(crate) fn of_error(error: &Error) -> String {
    let kind = error.kind();
    let fixed = match kind {
        // Every https upstream is allowed. `--allow-host` and `--allow-origin` are about the other side.
        ErrorKind::OriginNotAllowed | ErrorKind::InsecureOrigin => {
            "the upstream is neither https nor on this machine, and anyone on the network path could read and change \
             requests and responses: use https, or add --allow-http"
        }
        ErrorKind::BodyTooLarge => {
            "the request body is larger than this proxy accepts, and was not sent; send a smaller one, or start the \
             proxy with a larger --body-limit BYTES"
        }
        ErrorKind::BodyTimeout => {
            "the request body did not end in time, and was not sent; send it faster, or start the proxy with a longer \
             --body-timeout SECONDS"
        }
        _ => return with_options(&error.to_string(), &OPTIONS).unwrap_or_else(|| without_options(kind)),
    };
    fixed.to_owned()
}

/// What to do about an error for which this program has no option.
fn without_options(kind: ErrorKind) -> String {
    match kind {
        ErrorKind::ScopeUnknown => {
            "the service and the region cannot be inferred from the upstream's host: add \
                                    --service NAME and --region NAME"
                .to_owned()
        }
        ErrorKind::UnsupportedPayload => {
            "the service takes unsigned payloads only, which anyone on the network path \
                                          could change over plain http: use https"
                .to_owned()
        }
        kind => for_kind(kind),
    }
}

/// Why there is no signer, and what to do.
pub(crate) fn of_build_error(error: &BuildError) -> String {
    for_build_error(error, &OPTIONS)
}

/// An error with its causes on one line.
pub(crate) fn for_log(error: &(dyn StdError + 'static)) -> String {
    let error = Error::find(error).map_or(error, |error| error);
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let mut texts: Vec<String> = causes
        .filter_map(|cause| match cause.downcast_ref() {
            Some(error) => Some(of_error(error)),
            None => with_options(&cause.to_string(), &OPTIONS),
        })
        .collect();
    // Some errors show their cause's text as their own.
    texts.dedup();
    texts.join(": ")
}
