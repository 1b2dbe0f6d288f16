//! What errors and refusals say: in the terms of the library's builders, or in those of the program's options.

use std::error::Error as StdError;

use sigv4_middleware::Error;

#[cfg(feature = "program")]
use crate::cli::advice::{for_program, with_options};

/// Whose terms a text is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wording {
    /// Methods of `ProxyBuilder` and `SignerBuilder`.
    #[default]
    Library,
    /// The options of the program `signing-proxy`.
    #[cfg(feature = "program")]
    Program,
}

impl Wording {
    /// A message of this package in these terms.
    pub(crate) fn text(self, message: &str) -> String {
        match self {
            Self::Library => message.to_owned(),
            #[cfg(feature = "program")]
            Self::Program => with_options(message).unwrap_or_else(|| message.to_owned()),
        }
    }

    /// Why a request cannot be signed, and what to do.
    pub(crate) fn of_error(self, error: &Error) -> String {
        match self {
            Self::Library => error.to_string(),
            #[cfg(feature = "program")]
            Self::Program => for_program(error),
        }
    }

    /// What an error of another crate says, unless it is about the library.
    fn of_cause(self, text: String) -> Option<String> {
        match self {
            Self::Library => Some(text),
            #[cfg(feature = "program")]
            Self::Program => with_options(&text),
        }
    }

    /// An error with its causes.
    pub(crate) fn for_log(self, error: &(dyn StdError + 'static)) -> String {
        let error = Error::find(error).map_or(error, |error| error);
        let causes = std::iter::successors(Some(error), |&error| error.source());
        let mut texts: Vec<String> = causes
            .filter_map(|cause| match cause.downcast_ref() {
                Some(error) => Some(self.of_error(error)),
                None => self.of_cause(cause.to_string()),
            })
            .collect();
        // Some errors show their cause's text as their own.
        texts.dedup();
        // After advice of several lines the cause begins a line.
        let joined = texts.into_iter().reduce(|before, cause| {
            format!("{before}{}{cause}", if before.contains('\n') { "\n  reason: " } else { ": " })
        });
        joined.unwrap_or_default()
    }
}
