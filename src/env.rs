//! Environment variables, of the process or of a test.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;

/// Where environment variables are read from: the process, or a test's own list.
#[derive(Clone)]
pub(crate) struct Env(Arc<ReadVariable>);

type ReadVariable = dyn Fn(&str) -> Option<OsString> + Send + Sync;

/// A variable is set to a value that is not Unicode.
pub(crate) struct NotUnicode;

impl Env {
    /// The environment of this process, read at each call.
    pub(crate) fn process() -> Self {
        Self(Arc::new(|name| env::var_os(name)))
    }

    /// An environment that holds just these variables.
    #[cfg(test)]
    pub(crate) fn from_pairs(pairs: &[(&str, &str)]) -> Self {
        let pairs: std::collections::HashMap<String, OsString> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        Self(Arc::new(move |name| pairs.get(name).cloned()))
    }

    /// An environment in which no variable is Unicode.
    #[cfg(all(test, unix))]
    pub(crate) fn not_unicode() -> Self {
        use std::os::unix::ffi::OsStringExt;
        Self(Arc::new(|_| Some(OsString::from_vec(vec![0xff]))))
    }

    /// The variable's value, unmodified; `None` when it is missing, blank, or not Unicode.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.read(name).ok().flatten()
    }

    /// The variable's value, unmodified; `None` when it is missing or blank.
    pub(crate) fn read(&self, name: &str) -> Result<Option<String>, NotUnicode> {
        let Some(value) = (self.0)(name) else { return Ok(None) };
        let value = value.into_string().map_err(|_| NotUnicode)?;
        Ok((!value.trim().is_empty()).then_some(value))
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Env")
    }
}
