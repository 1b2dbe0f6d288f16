//! Which requests may use the proxy's credentials: those of programs, not those of any web page.
//!
//! A browser lets every page send requests to a loopback address; it names the page in `Origin` and `Sec-Fetch-Site`. A
//! page whose own name is made to resolve to a loopback address (DNS rebinding) may even read the responses; its
//! requests have that name in `Host`.

use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, HOST, HeaderName, HeaderValue, ORIGIN, VARY};
use http::request::Parts;
use http::{Method, Response};

use crate::headers;
use crate::host_port::{Host, HostPort, PageOrigin};
use crate::refusal::Refusal;
use crate::upstream::{Route, Upstreams};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

#[derive(Debug)]
pub(crate) struct Guard {
    /// Where the proxy listens.
    pub(crate) listen: SocketAddr,
    /// Further hosts that requests may name; without a port, at any.
    pub(crate) hosts: Vec<HostPort>,
    /// Origins whose pages may send requests and read the responses.
    pub(crate) origins: Vec<PageOrigin>,
    pub(crate) upstreams: Upstreams,
}

/// The host that a request names, and the upstream for it.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    pub(crate) host: HostPort,
    pub(crate) route: Arc<Route>,
}

/// Who sent a request that is not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// A program, or a page that the proxy itself serves.
    SameOrigin,
    /// A page of an origin that the command line names.
    NamedOrigin,
}

impl Guard {
    /// # Errors
    /// The refusal of a request that does not name one host that the proxy serves.
    pub(crate) fn check_host(&self, request: &Parts) -> Result<Destination, Refusal> {
        let mut headers = request.headers.get_all(HOST).iter();
        let header = headers.next().map(HeaderValue::as_bytes);
        // `:authority` over HTTP/2. The target of CONNECT names the destination of a tunnel.
        let target = request.uri.authority().filter(|_| request.method != Method::CONNECT);
        let mut names = header.into_iter().chain(target.map(|authority| authority.as_str().as_bytes()));
        let Some(name) = names.next() else { return Err(Refusal::no_host(self.listen)) };
        let destination = self.destination(name)?;
        if headers.next().is_some() {
            return Err(Refusal::several_hosts(self.listen));
        }
        match names.next() {
            Some(other) if self.destination(other)?.host != destination.host => {
                Err(Refusal::several_hosts(self.listen))
            }
            _ => Ok(destination),
        }
    }

    fn destination(&self, name: &[u8]) -> Result<Destination, Refusal> {
        let parsed: Option<HostPort> = std::str::from_utf8(name).ok().and_then(|name| name.parse().ok());
        let Some(host) = parsed else { return Err(Refusal::foreign_host(name, false, self.listen)) };
        if let Some(route) = self.upstreams.route(&host, self.listen.port()) {
            return Ok(Destination { host, route });
        }
        if !self.is_own(&host) {
            return Err(Refusal::foreign_host(name, true, self.listen));
        }
        let route = self.upstreams.default_route().ok_or(Refusal::NO_UPSTREAM)?;
        Ok(Destination { host, route })
    }

    fn is_own(&self, host: &HostPort) -> bool {
        let (host, port) = (&host.host, host.port.unwrap_or(80));
        let is_listen_host = host.is_loopback() || *host == Host::Address(self.listen.ip());
        (is_listen_host && port == self.listen.port())
            || self.hosts.iter().any(|named| named.host == *host && named.port.is_none_or(|own| own == port))
    }

    /// # Errors
    /// The refusal of a request that a page of another site sent.
    pub(crate) fn check_sender(&self, request: &Parts, host: HostPort) -> Result<Sender, Refusal> {
        let mut origins = request.headers.get_all(ORIGIN).iter();
        let (origin, several) = (origins.next(), origins.next().is_some());
        let page: Option<PageOrigin> = origin.and_then(|origin| origin.to_str().ok()?.parse().ok());
        if !several && page.as_ref().is_some_and(|page| self.origins.contains(page)) {
            return Ok(Sender::NamedOrigin);
        }
        let origin_is_own = origin.is_none() || page == Some(PageOrigin::over_http(host));
        let sites = request.headers.get_all(SEC_FETCH_SITE).iter();
        let site_is_own = sites.into_iter().all(|site| site == "same-origin" || site == "none");
        let is_preflight =
            request.method == Method::OPTIONS && request.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if several || !origin_is_own || !site_is_own || is_preflight {
            return Err(Refusal::cross_site(origin, page.is_some() && !several));
        }
        Ok(Sender::SameOrigin)
    }
}

impl Sender {
    /// Leaves what a response allows pages of other origins only to those that the command line names.
    pub(crate) fn restrict<B>(self, response: &mut Response<B>) {
        let headers = response.headers_mut();
        match self {
            // A cache must not give this response to another origin.
            Self::NamedOrigin => drop(headers.append(VARY, HeaderValue::from_static("origin"))),
            Self::SameOrigin => {
                headers::remove(headers, |name| name.as_str().starts_with("access-control-allow-"));
            }
        }
    }
}
