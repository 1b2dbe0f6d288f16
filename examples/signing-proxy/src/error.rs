//! Why a proxy did not start, or did not end in time.

use std::error::Error as StdError;
use std::fmt;

use sigv4_middleware::BoxError;

use crate::advice::Wording;

/// Why a [`Proxy`](crate::Proxy) did not start. The message says what to do.
#[derive(Debug)]
pub struct StartError {
    message: String,
    source: Option<BoxError>,
}

impl StartError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None }
    }

    pub(crate) fn with_source(message: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self { message: message.into(), source: Some(source.into()) }
    }

    /// The same failure in other terms.
    pub(crate) fn worded(self, wording: Wording) -> Self {
        Self { message: wording.text(&self.message), ..self }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for StartError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

/// Requests in flight did not end within the time that [`Proxy::drain`](crate::Proxy::drain) was given, and were cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("requests in flight did not end in time and were cut off; give them longer")]
pub struct DrainTimeout;
