//! [`BodyFailure`]: why a body was cut off, for the client's caller.

use std::error::Error as StdError;
use std::sync::{Arc, OnceLock};

use crate::error::{BoxError, Error};

/// The error of this crate that a body was cut off with, shared between the body and whoever sends it.
///
/// Over HTTP/2 clients of hyper reset the stream of a body that fails, and report only that. Whoever sends such a body
/// takes this before, and reads it when sending has failed.
#[derive(Clone, Debug, Default)]
pub(crate) struct BodyFailure(Arc<OnceLock<Error>>);

impl BodyFailure {
    /// Keeps the crate's error in what a body failed with, if it has one; the first of them counts.
    pub(super) fn record(&self, error: &BoxError) {
        if let Some(error) = Error::find(error.as_ref()) {
            self.0.get_or_init(|| error.clone());
        }
    }

    /// The error that the body was cut off with, if it was.
    pub(super) fn get(&self) -> Option<&Error> {
        self.0.get()
    }

    /// The error to return in place of `sending_failed`: the body's own, unless that is in it already.
    pub(crate) fn cause(failure: Option<&Self>, sending_failed: &(dyn StdError + 'static)) -> Option<Error> {
        failure.and_then(Self::get).filter(|_| Error::find(sending_failed).is_none()).cloned()
    }
}
