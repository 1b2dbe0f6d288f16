//! A request as signing sees it, whatever the client's type.

use http::Method;
use http::request::Parts;

use super::overrides::Overrides;

/// One request as an edge hands it over, borrowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestView<'a> {
    pub(crate) method: &'a Method,
    pub(crate) scheme: Option<&'a str>,
    /// `[userinfo@]host[:port]`
    pub(crate) authority: Option<&'a str>,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) headers: &'a http::HeaderMap,
    pub(crate) overrides: Overrides<'a>,
}

impl<'a> RequestView<'a> {
    pub(crate) fn of(parts: &'a Parts) -> Self {
        Self {
            method: &parts.method,
            scheme: parts.uri.scheme_str(),
            authority: parts.uri.authority().map(http::uri::Authority::as_str),
            path: parts.uri.path(),
            query: parts.uri.query(),
            headers: &parts.headers,
            overrides: Overrides::of(&parts.extensions),
        }
    }
}
