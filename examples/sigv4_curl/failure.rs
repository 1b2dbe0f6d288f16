//! Why the program failed: curl's exit code for it, what happened, and what to do next.

use std::error::Error as _;
use std::fmt::Display;
use std::path::Path;

use sigv4_middleware::{BuildError, BuildErrorKind, Error};

/// The lines of a signer's builder that are options of this program.
const OPTIONS: [(&str, &str); 4] = [
    (".allow_host(", "--allow-host"),
    (".allow_origin(", "--allow-origin"),
    (".service(", "--service"),
    (".region(", "--region"),
];

#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) message: String,
}

impl Failure {
    /// As [curl's manual](https://curl.se/docs/manpage.html#EXIT) has them, and 1 for what curl does not know.
    pub(crate) const SIGNING: u8 = 1;
    pub(crate) const MALFORMED_URL: u8 = 3;
    pub(crate) const RESOLVE: u8 = 6;
    pub(crate) const CONNECT: u8 = 7;
    pub(crate) const HTTP_STATUS: u8 = 22;
    pub(crate) const WRITE: u8 = 23;
    pub(crate) const READ: u8 = 26;
    pub(crate) const TIMEOUT: u8 = 28;
    pub(crate) const TRANSFER: u8 = 56;

    pub(crate) fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(crate) fn url(url: &str, error: impl Display) -> Self {
        Self::new(
            Self::MALFORMED_URL,
            format!("{url} is not a URL to call ({error}): write https://host/path"),
        )
    }

    pub(crate) fn reading(path: &Path, error: impl Display) -> Self {
        Self::new(Self::READ, format!("{} cannot be read: {error}", path.display()))
    }

    pub(crate) fn writing(error: impl Display) -> Self {
        Self::new(Self::WRITE, format!("the response cannot be written: {error}"))
    }
}

/// No signer: most often there are no credentials.
impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        let mut message = error.to_string();
        if error.kind() == BuildErrorKind::MissingCredentials {
            message += "\n  export AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, with a role's credentials, \
                        AWS_SESSION_TOKEN;\n  those of a profile of the AWS CLI: \
                        eval \"$(aws configure export-credentials --format env)\"";
        }
        Self::new(Self::SIGNING, message + &options_in(&error.to_string()))
    }
}

/// The request was not signed, and not sent.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut message = error.to_string() + &options_in(&error.to_string());
        if let Some(cause) = error.source() {
            message = format!("{message}\n  because: {cause}");
        }
        Self::new(Self::SIGNING, message)
    }
}

/// The request was signed, but not answered.
impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        let causes = std::iter::successors(error.source(), |&error| error.source());
        let causes: String = causes.map(|cause| format!(": {cause}")).collect();
        let code = match () {
            () if error.is_connect() && causes.contains("dns error") => Self::RESOLVE,
            () if error.is_connect() => Self::CONNECT,
            () if error.is_timeout() => Self::TIMEOUT,
            () => Self::TRANSFER,
        };
        Self::new(code, format!("{error}{causes}"))
    }
}

/// Where a message names lines of a signer's builder: what they are on this program's command line.
fn options_in(message: &str) -> String {
    let mut options: Vec<_> = OPTIONS
        .iter()
        .filter_map(|(line, option)| {
            let at = message.find(line)?;
            let value = message[at + line.len()..].split(')').next()?.trim_matches('"');
            let value = if matches!(value, "" | "..." | "…") { "NAME" } else { value };
            Some((at, format!("{option} {value}")))
        })
        .collect();
    if options.is_empty() {
        return String::new();
    }
    options.sort();
    let options: Vec<_> = options.into_iter().map(|(_, option)| option).collect();
    format!("\n  on this command line: {}", options.join(", "))
}
