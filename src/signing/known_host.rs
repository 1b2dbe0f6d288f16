//! What is known of an origin, for the signer's cache.

use super::origin::Origin;
use crate::endpoint::Endpoint;

/// What a URI's scheme and authority mean for one signer, cached.
#[derive(Debug)]
pub(super) struct KnownHost {
    scheme: Box<str>,
    /// As the URI has it: `host[:port]`.
    authority: Box<str>,
    /// How much of that is the host.
    host_len: usize,
    port: Option<u16>,
    has_needless_port: bool,
    pub(super) endpoint: Option<Endpoint>,
    /// Whether requests to it may be signed.
    pub(super) allowed: bool,
    /// Whether its paths hold ARNs, see [`PathForm`](super::target::PathForm).
    pub(super) holds_arns: bool,
    /// Whether no request to it can contradict the service and region that are configured.
    pub(super) consistent: bool,
}

impl KnownHost {
    /// `authority` is the URI's, from which `origin` was made.
    pub(super) fn new(
        origin: &Origin<'_>,
        authority: &str,
        endpoint: Option<Endpoint>,
        allowed: bool,
    ) -> Self {
        Self {
            scheme: origin.scheme.into(),
            authority: authority.into(),
            host_len: origin.host.len(),
            port: origin.port,
            has_needless_port: origin.has_needless_port,
            endpoint,
            allowed,
            holds_arns: super::target::holds_arns(origin.host),
            consistent: false,
        }
    }

    pub(super) fn host(&self) -> &str {
        &self.authority[..self.host_len]
    }

    pub(super) fn is_of(&self, scheme: &str, authority: &str) -> bool {
        *self.authority == *authority && *self.scheme == *scheme
    }

    /// The origin of a URI with this scheme and authority, as [`Origin::new`] gives it.
    #[inline]
    pub(super) fn origin<'a>(&self, scheme: &'a str, authority: &'a str) -> Origin<'a> {
        let host = &authority[..self.host_len];
        Origin {
            scheme,
            host,
            port: self.port,
            authority: if self.port.is_some() { authority } else { host },
            has_needless_port: self.has_needless_port,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_origin_is_the_one_that_was_read() {
        for (scheme, authority) in [
            ("https", "example.com"),
            ("https", "example.com:443"),
            ("https", "example.com:"),
            ("http", "example.com:443"),
            ("wss", "[::1]"),
            ("ws", "[::1]:8080"),
        ] {
            let read = Origin::new(Some(scheme), Some(authority)).unwrap();
            let known = KnownHost::new(&read, authority, None, true);
            assert_eq!(format!("{:?}", known.origin(scheme, authority)), format!("{read:?}"));
            assert!(known.is_of(scheme, authority) && !known.is_of("https", "example.org"));
            assert_eq!(known.host(), read.host);
        }
    }
}
