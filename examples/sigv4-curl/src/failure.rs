//! Why the program failed: curl's exit code for it, what happened, and what to do next.

use std::error::Error as StdError;
use std::fmt::Display;
use std::path::Path;

use sigv4_middleware::{BuildError, Error, ErrorKind};

use crate::advice;

#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) message: String,
}

impl Failure {
    // The exit codes of curl's manual, https://curl.se/docs/manpage.html#EXIT
    pub(crate) const UNSUPPORTED_PROTOCOL: u8 = 1;
    pub(crate) const USAGE: u8 = 2;
    pub(crate) const MALFORMED_URL: u8 = 3;
    pub(crate) const RESOLVE_PROXY: u8 = 5;
    pub(crate) const RESOLVE: u8 = 6;
    pub(crate) const CONNECT: u8 = 7;
    pub(crate) const WEIRD_RESPONSE: u8 = 8;
    pub(crate) const PARTIAL_FILE: u8 = 18;
    pub(crate) const HTTP_STATUS: u8 = 22;
    pub(crate) const WRITE: u8 = 23;
    pub(crate) const READ: u8 = 26;
    pub(crate) const TIMEOUT: u8 = 28;
    pub(crate) const TLS: u8 = 35;
    pub(crate) const TOO_MANY_REDIRECTS: u8 = 47;
    pub(crate) const OPTION_SYNTAX: u8 = 49;
    pub(crate) const NOTHING_RECEIVED: u8 = 52;
    pub(crate) const RECEIVE: u8 = 56;
    pub(crate) const CERTIFICATE: u8 = 60;
    pub(crate) const BAD_ENCODING: u8 = 61;
    pub(crate) const CA_FILE: u8 = 77;
    pub(crate) const HTTP2: u8 = 92;
    /// "An authentication function returned an error": the request cannot be signed, and was not sent.
    pub(crate) const SIGNING: u8 = 94;

    pub(crate) fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The query is left out, as it may hold secrets.
    pub(crate) fn url(url: &str, error: impl Display) -> Self {
        let url = url.split(['?', '#']).next().unwrap_or_default();
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

    /// The request was not signed with credentials from this source.
    pub(crate) fn signing(error: &Error, source: &str) -> Self {
        let mut failure = Self::from(error);
        if error.kind() == ErrorKind::CredentialsUnavailable {
            failure.message = failure.message.replacen('\n', &format!("\n  looked for in: {source}\n"), 1);
        }
        failure
    }

    pub(crate) fn timeout(message: impl Into<String>) -> Self {
        Self::new(Self::TIMEOUT, message)
    }
}

/// There is no signer.
impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        Self::new(Self::SIGNING, advice::for_build_error(&error))
    }
}

/// The request was not signed, and not sent; or it was cut off.
impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let code = match error.kind() {
            ErrorKind::Redirected if error.to_string().contains("more than") => Self::TOO_MANY_REDIRECTS,
            ErrorKind::BodyMismatch | ErrorKind::BodyFailed => Self::READ,
            _ => Self::SIGNING,
        };
        Self::new(code, advice::for_error(error))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

/// The request was not signed, or it was and got no complete response.
impl From<reqwest_middleware::Error> for Failure {
    fn from(error: reqwest_middleware::Error) -> Self {
        if let Some(error) = Error::find(&error) {
            return Self::from(error);
        }
        match error {
            reqwest_middleware::Error::Reqwest(error) => error.into(),
            error => Self::new(Self::SIGNING, error.without_url().to_string()),
        }
    }
}

/// The request was signed, but got no complete response.
impl From<reqwest::Error> for Failure {
    fn from(mut error: reqwest::Error) -> Self {
        // The query may hold secrets.
        if let Some(url) = error.url_mut() {
            url.set_query(None);
        }
        let mut text = error.to_string();
        let own = text.len();
        for cause in causes(&error).skip(1).map(ToString::to_string) {
            // Many an error repeats its cause.
            if !text.ends_with(&cause) {
                text += &format!(": {cause}");
            }
        }
        Self::new(code_of(&error, &text[own..]), text)
    }
}

fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| within(error).or_else(|| error.source()))
}

/// The error in an `io::Error`, which does not name it as its source.
fn within<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    error.downcast_ref::<std::io::Error>()?.get_ref().map(|error| error as _)
}

fn code_of(error: &reqwest::Error, causes_text: &str) -> u8 {
    let find_io = || causes(error).find_map(|cause| cause.downcast_ref::<std::io::Error>());
    let hyper = causes(error).find_map(|cause| cause.downcast_ref::<hyper::Error>());
    if let Some(tls) = causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
        return match tls {
            rustls::Error::InvalidCertificate(_) => Failure::CERTIFICATE,
            _ => Failure::TLS,
        };
    }
    let is_of_proxy = causes_text.contains("proxy") || causes_text.contains("tunnel");
    if error.is_timeout() {
        return Failure::TIMEOUT;
    }
    if error.is_connect() {
        return match () {
            () if causes_text.contains("dns error") && is_of_proxy => Failure::RESOLVE_PROXY,
            () if causes_text.contains("dns error") => Failure::RESOLVE,
            () if causes_text.contains("tunnel") => Failure::RECEIVE,
            // The connection ended in the middle of the handshake.
            () if find_io().is_some_and(|io| io.kind() == std::io::ErrorKind::UnexpectedEof) => Failure::TLS,
            () => Failure::CONNECT,
        };
    }
    if causes_text.contains("http2 error") {
        return Failure::HTTP2;
    }
    if let Some(hyper) = hyper {
        return match () {
            () if hyper.is_incomplete_message() && error.is_request() => Failure::NOTHING_RECEIVED,
            () if hyper.is_incomplete_message() || causes_text.contains("end of file before") => {
                Failure::PARTIAL_FILE
            }
            // curl takes what does not begin as HTTP for HTTP/0.9, "unsupported protocol".
            () if hyper.is_parse() && causes_text.contains("HTTP version") => Failure::UNSUPPORTED_PROTOCOL,
            () if hyper.is_parse() && !error.is_body() => Failure::WEIRD_RESPONSE,
            () => Failure::RECEIVE,
        };
    }
    if error.is_decode() {
        return if causes_text.contains("end of file before") {
            Failure::PARTIAL_FILE
        } else {
            Failure::BAD_ENCODING
        };
    }
    Failure::RECEIVE
}
