//! A request as signing sees it, whatever the client's type.

use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, Method, Uri};

use super::overrides::Overrides;

/// One request, borrowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestView<'a> {
    pub(crate) method: &'a Method,
    pub(crate) scheme: Option<&'a str>,
    /// `[userinfo@]host[:port]`
    pub(crate) authority: Option<&'a str>,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) overrides: Overrides<'a>,
}

impl<'a> RequestView<'a> {
    /// A request without overrides.
    pub(crate) fn new(method: &'a Method, uri: &'a Uri, headers: &'a HeaderMap) -> Self {
        Self::with_overrides(method, uri, headers, Overrides::default())
    }

    #[inline]
    pub(crate) fn of(parts: &'a Parts) -> Self {
        Self::with_overrides(&parts.method, &parts.uri, &parts.headers, Overrides::of(&parts.extensions))
    }

    #[inline]
    fn with_overrides(
        method: &'a Method,
        uri: &'a Uri,
        headers: &'a HeaderMap,
        overrides: Overrides<'a>,
    ) -> Self {
        Self {
            method,
            scheme: uri.scheme_str(),
            authority: uri.authority().map(Authority::as_str),
            path: uri.path(),
            query: uri.query(),
            headers,
            overrides,
        }
    }
}
