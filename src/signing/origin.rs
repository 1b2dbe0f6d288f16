//! [`Origin`] and [`Host`]: where a request goes, and the host that is signed for it.

use http::{HeaderMap, HeaderValue, header::HOST};

use crate::error::{Error, ErrorKind};

/// Scheme, host and port that a request goes to, checked and borrowed from its URI.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    /// `https`, `http`, `wss` or `ws`.
    pub(crate) scheme: &'a str,
    /// Host as written in the URI; an IPv6 literal keeps its brackets.
    pub(crate) host: &'a str,
    /// The port, unless it is the scheme's default.
    pub(crate) port: Option<u16>,
    /// `host[:port]` as HTTP/1.1's Host and HTTP/2's `:authority` will carry it.
    pub(crate) authority: &'a str,
    /// Whether the URI spells out a default port, or an empty one, which has to be dropped from it: over HTTP/1.1
    /// clients leave it out of Host, over HTTP/2 they leave it in `:authority`.
    pub(crate) has_needless_port: bool,
}

impl<'a> Origin<'a> {
    /// Takes the scheme and the authority component (`[userinfo@]host[:port]`) of an absolute URI.
    pub(crate) fn new(scheme: Option<&'a str>, authority: Option<&'a str>) -> Result<Self, Error> {
        let (Some(scheme), Some(authority)) = (scheme, authority) else {
            return Err(Error::new(
                ErrorKind::InvalidUri,
                "the request's URI is relative; give it a scheme and host, as in https://host/path. A tonic client gets \
                 them by with_origin or its Endpoint's origin; on a request of an axum handler, set scheme and authority",
            ));
        };
        let default_port = match scheme {
            "https" | "wss" => 443,
            "http" | "ws" => 80,
            _ => {
                return Err(Error::new(
                    ErrorKind::InvalidUri,
                    "only http, https, ws and wss requests are signed; use one of these schemes",
                ));
            }
        };
        if authority.contains('@') {
            return Err(Error::new(
                ErrorKind::InvalidUri,
                "the request's URI has userinfo (user:password@); remove it, the signature replaces it",
            ));
        }
        let (host, port) = split_port(authority)?;
        if host.is_empty() || host == "[]" {
            return Err(Error::new(ErrorKind::InvalidUri, "the request's URI has an empty host; name one"));
        }
        let port = port.filter(|port| *port != default_port);
        let has_needless_port = port.is_none() && host.len() != authority.len();
        let authority = if port.is_some() { authority } else { host };
        Ok(Self { scheme, host, port, authority, has_needless_port })
    }

    /// The [`authority`](Self::authority) of a request that was signed, which has a valid origin.
    pub(crate) fn authority_of(scheme: Option<&'a str>, authority: Option<&'a str>) -> &'a str {
        Self::new(scheme, authority).map_or("", |origin| origin.authority)
    }

    /// Whether the request goes over TLS.
    pub(crate) fn is_secure(&self) -> bool {
        matches!(self.scheme, "https" | "wss")
    }

    /// `https` or `http`, also for a web socket, which starts as an HTTP request.
    pub(crate) fn http_scheme(&self) -> &'static str {
        if self.is_secure() { "https" } else { "http" }
    }
}

/// Splits `host[:port]`; an empty port (`host:`) counts as no port.
fn split_port(authority: &str) -> Result<(&str, Option<u16>), Error> {
    if !authority.contains(':') {
        return Ok((authority, None));
    }
    let after_host = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let Some(colon) = authority[after_host..].find(':').map(|at| after_host + at) else {
        return Ok((authority, None));
    };
    match &authority[colon + 1..] {
        "" => Ok((&authority[..colon], None)),
        // Rust reads `+443` as a number, HTTP does not.
        digits => match digits.parse() {
            Ok(port) if !digits.starts_with('+') => Ok((&authority[..colon], Some(port))),
            _ => Err(Error::new(
                ErrorKind::InvalidUri,
                format!("the port {digits:?} in the request's URI is not a number from 0 to 65535"),
            )),
        },
    }
}

/// The Host of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Host<'a> {
    /// What the server will see, and what is signed.
    pub(crate) value: &'a [u8],
    /// Whether the request's Host header has to be removed: it spells the URI's host in another way (upper case, a
    /// default port). Over HTTP/1.1 clients send the header, over HTTP/2 the URI's authority; without the header both
    /// send the latter.
    pub(crate) drop_header: bool,
}

impl<'a> Host<'a> {
    /// The host of the URI, for a request without a Host header.
    pub(crate) fn of(origin: &Origin<'a>) -> Self {
        Self { value: origin.authority.as_bytes(), drop_header: false }
    }

    /// The host of the URI, or that of the request's Host header where it names another and `may_differ`.
    ///
    /// # Errors
    /// [`ErrorKind::HostMismatch`] for a header that names another host unless `may_differ`, and for more than one.
    pub(crate) fn new(origin: &Origin<'a>, headers: &'a HeaderMap, may_differ: bool) -> Result<Self, Error> {
        let mut given = headers.get_all(HOST).iter();
        let of_uri = Self::of(origin);
        let Some(first) = given.next() else { return Ok(of_uri) };
        if given.next().is_some() {
            return Err(Error::new(
                ErrorKind::HostMismatch,
                "the request has more than one Host header; keep one",
            ));
        }
        if first == origin.authority {
            return Ok(of_uri);
        }
        if first.to_str().is_err() {
            return Err(Error::new(
                ErrorKind::HostMismatch,
                "the Host header has characters that no host has; write an international name in its xn-- form",
            ));
        }
        if names_same_host(first, origin) {
            return Ok(Self { drop_header: true, ..of_uri });
        }
        if !may_differ {
            return Err(Error::new(
                ErrorKind::HostMismatch,
                format!(
                    "the Host header {:?} differs from the URI's authority {:?}; remove the header, or call \
                     .allow_host_mismatch(true) on the signer's builder if they have to differ",
                    String::from_utf8_lossy(first.as_bytes()),
                    origin.authority
                ),
            ));
        }
        Ok(Self { value: first.as_bytes(), drop_header: false })
    }
}

fn names_same_host(header: &HeaderValue, origin: &Origin<'_>) -> bool {
    let Ok(header) = header.to_str() else { return false };
    let same = Origin::new(Some(origin.scheme), Some(header.trim()));
    same.is_ok_and(|header| header.authority.eq_ignore_ascii_case(origin.authority))
}

#[cfg(test)]
mod tests;
