//! Why the program failed: curl's exit code for it, what happened, and what to do next.

use std::error::Error as _;
use std::fmt::Display;
use std::path::Path;

use sigv4_middleware::{BuildError, Error, ErrorKind};

use crate::shared::{OptionOf, for_build_error, for_kind, with_options};

const OPTIONS: [OptionOf; 4] = [
    ("allow_host", "--allow-host", "HOST"),
    ("allow_origin", "--allow-origin", "ORIGIN"),
    ("service", "--service", "NAME"),
    ("region", "--region", "NAME"),
];

#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) message: String,
}

impl Failure {
    /// The exit codes of [curl's manual](https://curl.se/docs/manpage.html#EXIT), and 1 for a request that cannot be
    /// signed.
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

    /// The query is left out, as it may hold secrets.
    pub(crate) fn url(url: &str, error: impl Display) -> Self {
        let url = url.split('?').next().unwrap_or_default();
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

/// There is no signer, most often because there are no credentials.
impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        Self::new(Self::SIGNING, for_build_error(&error, &OPTIONS))
    }
}

/// The request was not signed, and not sent.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut message =
            with_options(&error.to_string(), &OPTIONS).unwrap_or_else(|| without_options(error.kind()));
        if let Some(cause) = error.source().and_then(|cause| with_options(&cause.to_string(), &OPTIONS)) {
            message = format!("{message}\n  because: {cause}");
        }
        Self::new(Self::SIGNING, message)
    }
}

/// What to do about an error for which this program has no option.
fn without_options(kind: ErrorKind) -> String {
    match kind {
        ErrorKind::ForeignAuthorization => {
            "the Authorization header given with -H is not a SigV4 one; leave it out, as \
                                            the signature is sent in that header"
                .to_owned()
        }
        ErrorKind::HostMismatch => {
            "the Host header given with -H is not the URL's host; leave it out, or change the URL".to_owned()
        }
        ErrorKind::UnsupportedPayload => {
            "the payload cannot be signed like this; leave out x-amz-content-sha256 given \
                                          with -H, and use https"
                .to_owned()
        }
        kind => for_kind(kind),
    }
}

/// The request was signed, but got no complete response.
impl From<reqwest::Error> for Failure {
    fn from(mut error: reqwest::Error) -> Self {
        // The query may hold secrets.
        if let Some(url) = error.url_mut() {
            url.set_query(None);
        }
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
