//! Errors and refusals in terms of the program's options.

use sigv4_middleware::{Error, ErrorKind};
use sigv4_option_names::MethodOption;

/// A method of a builder, the program's option for it, and the name of the option's value.
const OPTIONS: [MethodOption; 17] = [
    ("service", "--service", "NAME"),
    ("region", "--region", "NAME"),
    ("region_set", "--region-set", "REGIONS"),
    ("body_limit", "--body-limit", "BYTES"),
    ("body_timeout", "--body-timeout", "SECONDS"),
    ("allow_host", "--allow-host", "NAME"),
    ("allow_page_origin", "--allow-origin", "URL"),
    ("allow_method", "--allow-method", "METHOD"),
    ("allow_path", "--allow-path", "PATH"),
    ("response_timeout", "--timeout", "SECONDS"),
    ("max_connections", "--max-connections", "NUMBER"),
    ("max_buffered", "--max-buffered", "BYTES"),
    ("keep_header", "--keep-header", "NAME"),
    ("expose", "--expose", ""),
    ("upstream", "--upstream", "URL"),
    ("listen", "--listen", "ADDRESS:PORT"),
    ("root_certificates", "--cacert", "FILE"),
];

const NO_CREDENTIALS: &str = "\n  environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, with a role's credentials also \
     AWS_SESSION_TOKEN;\n  a profile: --profile NAME, after `aws configure`, `aws sso login` or the like;\n  in a container \
     or on EC2: a role of the task, pod or instance";

/// Why a request cannot be signed, and what to do.
pub(crate) fn for_program(error: &Error) -> String {
    let fixed = match error.kind() {
        // Every https upstream is allowed. `--allow-host` and `--allow-origin` are about the other side.
        ErrorKind::OriginNotAllowed | ErrorKind::InsecureOrigin => {
            "the upstream is neither https nor on this machine, and anyone on the network path could read and change \
             requests and responses: use https, or add --allow-http"
        }
        ErrorKind::BodyTooLarge => {
            "the request body is larger than this proxy accepts, and was not sent; send a smaller one, or start the \
             proxy with a larger --body-limit BYTES, or, for S3, with --payload aws-chunked or unsigned"
        }
        ErrorKind::BodyTimeout => {
            "the request body did not end in time, and was not sent; send it faster, or start the proxy with a longer \
             --body-timeout SECONDS"
        }
        ErrorKind::CredentialsUnavailable => {
            return format!(
                "no credentials were found where the AWS CLI and SDKs look for them{NO_CREDENTIALS}"
            );
        }
        kind => return with_options(&error.to_string()).unwrap_or_else(|| without_options(kind)),
    };
    fixed.to_owned()
}

/// What to do about an error for which the program has no option.
fn without_options(kind: ErrorKind) -> String {
    match kind {
        ErrorKind::ScopeUnknown => "the service and the region cannot be inferred from the upstream's host: add \
                                    --service NAME and --region NAME"
            .to_owned(),
        ErrorKind::UnsupportedPayload => {
            "the payload cannot be signed so: unsigned payloads need https, and a service that takes them (S3, VPC \
             Lattice); --payload aws-chunked needs S3 and a body of known length"
                .to_owned()
        }
        kind => format!("the request cannot be signed ({kind:?})"),
    }
}

/// The message with options in place of builder methods, if the program has one for each.
pub(crate) fn with_options(message: &str) -> Option<String> {
    sigv4_option_names::with_options(message, &OPTIONS)
}
