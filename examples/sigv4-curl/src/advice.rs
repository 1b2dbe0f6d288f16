//! Advice of the library's errors in terms of this program's command line.
//!
//! The library's errors name methods of its builders. Who runs a program cannot call those, and needs its options.

use std::error::Error as _;

use sigv4_middleware::{BuildError, Error, ErrorKind};
use sigv4_option_names::MethodOption;

/// A method of the library, the option for it, and the name of the option's value (empty for a flag).
const OPTIONS: [MethodOption; 8] = [
    ("allow_host", "--allow-host", "HOST"),
    ("allow_origin", "--allow-origin", "ORIGIN"),
    ("service", "--service", "NAME"),
    ("region_set", "--region-set", "REGIONS"),
    ("region", "--region", "NAME"),
    ("allow_host_mismatch", "--allow-host-mismatch", ""),
    ("allow_unsigned_over_http", "--allow-unsigned-over-http", ""),
    ("replace_authorization", "--replace-authorization", ""),
];

pub(crate) const GET_CREDENTIALS: &str = "\n  with the AWS CLI: aws configure, aws configure sso or aws sso login, and --profile NAME;\n  \
     without it: export AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, with a role's credentials, AWS_SESSION_TOKEN";

/// Why there is no signer, and what to do.
pub(crate) fn for_build_error(error: &BuildError) -> String {
    with_options(&error.to_string())
        .unwrap_or_else(|| "requests cannot be signed with these options".to_owned())
}

/// Why a request was not signed or not sent, and what to do.
pub(crate) fn for_error(error: &Error) -> String {
    let mut message = of_this_program(error)
        .or_else(|| with_options(&error.to_string()))
        .unwrap_or_else(|| for_kind(error.kind()));
    if let Some(cause) = error.source() {
        for line in causes_of(cause).lines() {
            message += &format!("\n  because: {line}");
        }
    }
    if error.kind() == ErrorKind::CredentialsUnavailable {
        message += GET_CREDENTIALS;
    }
    message
}

/// An error and its causes, a line each, without repetitions and in terms of this program.
pub(crate) fn causes_of(error: &dyn std::error::Error) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        // Many an error repeats its cause.
        match with_options(&error.to_string()) {
            Some(line) if !lines.iter().any(|before| before.contains(&line)) => lines.push(line),
            _ => {}
        }
        next = error.source();
    }
    lines.join("\n")
}

/// What the library says in terms of its types, where this program has something better to say.
fn of_this_program(error: &Error) -> Option<String> {
    let text = match error.kind() {
        ErrorKind::CredentialsUnavailable => "there are no credentials to sign with",
        ErrorKind::ForeignAuthorization => {
            "the Authorization header given with -H is not a SigV4 one; leave it out, as the signature is sent in that \
             header, or add --replace-authorization"
        }
        ErrorKind::HostMismatch => {
            "the Host header given with -H is not the URL's host; leave it out, change the URL, send to another address with \
             --resolve HOST:PORT:ADDR, or add --allow-host-mismatch"
        }
        ErrorKind::BodyTooLarge => {
            "the body is too large to be signed as a whole; add --payload aws-chunked (S3), or --payload unsigned where the \
             service takes it"
        }
        ErrorKind::Redirected if error.to_string().contains("more than") => {
            "the server redirected more often than --max-redirs allows; raise it if the chain has an end"
        }
        ErrorKind::OriginNotAllowed | ErrorKind::InsecureOrigin
            if error.to_string().contains("redirect policy") =>
        {
            return Some(of_redirect(&error.to_string()));
        }
        _ => return None,
    };
    Some(text.to_owned())
}

/// A redirect that is not followed, and the option that names its origin.
fn of_redirect(text: &str) -> String {
    let origin = text.split(".allow_origin(\"").nth(1).and_then(|rest| rest.split('"').next());
    let reason = text.split(": add .allow_origin(").next().unwrap_or(text);
    match origin {
        Some(origin) => {
            format!(
                "{reason}: add --allow-redirect {origin} to the command line if you trust whoever runs it"
            )
        }
        None => reason.to_owned(),
    }
}

/// What to say of an error if its message is in the library's terms.
fn for_kind(kind: ErrorKind) -> String {
    match kind {
        ErrorKind::UnsupportedPayload => {
            "the payload cannot be signed like this; leave out x-amz-content-sha256 and other checksums given with -H, choose \
             another --payload, and use https"
                .to_owned()
        }
        ErrorKind::ScopeInvalid => {
            "service or region do not fit; check --service, --region and --region-set".to_owned()
        }
        ErrorKind::InvalidHeader => "a header given with -H cannot be signed; see --help".to_owned(),
        kind => format!("the request cannot be signed ({kind:?})"),
    }
}

/// The message with options in place of builder methods, if the program has one for each.
pub(crate) fn with_options(message: &str) -> Option<String> {
    sigv4_option_names::with_options(message, &OPTIONS)
}
