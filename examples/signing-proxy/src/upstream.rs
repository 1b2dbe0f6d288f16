//! Where requests are sent.

use std::sync::Arc;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use sigv4_middleware::overrides::{SigningName, SigningRegion};

use crate::error::StartError;
use crate::host_port::{Host, HostPort};

/// An upstream of a [`Proxy`](crate::Proxy): a URL without a path, and how its requests are signed.
///
/// ```
/// use signing_proxy::Upstream;
///
/// let orders = Upstream::new("https://api.example.com").service("execute-api").region("eu-west-1");
/// let search = Upstream::new("https://localhost:4443")
///     .for_host("search.internal")
///     .sign_host("vpc-logs-abc.eu-west-1.es.amazonaws.com");
/// # let _ = (orders, search);
/// ```
#[derive(Clone, Debug)]
pub struct Upstream {
    pub(crate) url: String,
    pub(crate) host: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) sign_host: Option<String>,
}

impl Upstream {
    /// `https://host` or `https://host:port`, for requests that name the proxy's own host.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), host: None, service: None, region: None, sign_host: None }
    }

    /// For requests whose Host is this one, `name` or `name:port`, and no others.
    #[must_use]
    pub fn for_host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// The service's signing name, if it cannot be inferred from the host, or to replace the inferred one.
    #[must_use]
    pub fn service(mut self, service: impl Into<String>) -> Self {
        self.service = Some(service.into());
        self
    }

    /// The region, if it cannot be inferred from the host, or to replace the inferred one.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// The host that requests are made for, where the URL is only the address that leads to it, as of a tunnel: it is the
    /// request's Host, is signed, and is the name that the server's certificate must have.
    #[must_use]
    pub fn sign_host(mut self, host: impl Into<String>) -> Self {
        self.sign_host = Some(host.into());
        self
    }
}

impl<T: Into<String>> From<T> for Upstream {
    fn from(url: T) -> Self {
        Self::new(url)
    }
}

/// An [`Upstream`] that a request is sent to.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    scheme: Scheme,
    authority: Authority,
    service: Option<SigningName>,
    region: Option<SigningRegion>,
}

impl Route {
    pub(crate) fn uri(&self, target: PathAndQuery) -> Result<Uri, http::Error> {
        let builder = Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone());
        builder.path_and_query(target).build()
    }

    /// Sets how requests to it are signed.
    pub(crate) fn set_scope(&self, extensions: &mut http::Extensions) {
        if let Some(service) = &self.service {
            extensions.insert(service.clone());
        }
        if let Some(region) = &self.region {
            extensions.insert(region.clone());
        }
    }
}

/// An address to connect to for requests that are made for another host.
#[derive(Clone, Debug)]
pub(crate) struct ConnectTo {
    pub(crate) made_for: Authority,
    pub(crate) address: Authority,
}

/// All upstreams, by the Host of requests.
#[derive(Debug, Default)]
pub(crate) struct Upstreams {
    default: Option<Arc<Route>>,
    named: Vec<(HostPort, Arc<Route>)>,
    /// Requests that name such a host are sent to it.
    patterns: Vec<HostPattern>,
    pub(crate) connect_to: Vec<ConnectTo>,
}

impl Upstreams {
    /// # Errors
    /// For an upstream that is not valid or that cannot be distinguished from another, and if no upstream is given.
    pub(crate) fn new(upstreams: &[Upstream], patterns: &[String]) -> Result<Self, StartError> {
        let mut all = Self::default();
        for upstream in upstreams {
            all.add(upstream)?;
        }
        for pattern in patterns {
            all.patterns.push(HostPattern::parse(pattern)?);
        }
        if all.default.is_none() && all.named.is_empty() && all.patterns.is_empty() {
            return Err(StartError::new("there is no upstream; set one by .upstream(\"https://...\")"));
        }
        Ok(all)
    }

    fn add(&mut self, upstream: &Upstream) -> Result<(), StartError> {
        let (scheme, address) = parse_origin(&upstream.url)?;
        let mut authority = address.clone();
        if let Some(host) = &upstream.sign_host {
            let is_host = host.parse::<HostPort>().is_ok();
            // As the signer writes it.
            let default_port = if scheme == Scheme::HTTPS { ":443" } else { ":80" };
            let host = host.strip_suffix(default_port).unwrap_or(host);
            authority = host.parse().ok().filter(|_| is_host).ok_or_else(|| {
                StartError::new(format!("{host:?} is not a host to sign for: write NAME or NAME:PORT"))
            })?;
            let is_taken = |other: &ConnectTo| other.made_for == authority && other.address != address;
            if self.connect_to.iter().any(is_taken) {
                return Err(StartError::new(format!(
                    "requests for {authority} cannot be sent to two addresses; start a second proxy for one"
                )));
            }
            self.connect_to.push(ConnectTo { made_for: authority.clone(), address });
        }
        let route = Arc::new(Route {
            scheme,
            authority,
            service: upstream.service.clone().map(SigningName::new),
            region: upstream.region.clone().map(SigningRegion::new),
        });
        match &upstream.host {
            Some(host) => {
                let host: HostPort = host.parse().map_err(StartError::new)?;
                self.named.push((host, route));
            }
            None if self.default.is_some() => {
                return Err(StartError::new(format!(
                    "there are two upstreams for requests to the proxy's own host; name the host of requests to {}",
                    upstream.url
                )));
            }
            None => self.default = Some(route),
        }
        Ok(())
    }

    /// The upstream of requests that name the proxy's own host.
    pub(crate) fn default_route(&self) -> Option<Arc<Route>> {
        self.default.clone()
    }

    /// The upstream of requests that name this host, which is not the proxy's own.
    pub(crate) fn route(&self, host: &HostPort, listen_port: u16) -> Option<Arc<Route>> {
        let is_named = |named: &HostPort| {
            named.host == host.host && named.port.is_none_or(|port| port == host.port.unwrap_or(80))
        };
        if let Some((_, route)) = self.named.iter().find(|(named, _)| is_named(named)) {
            return Some(Arc::clone(route));
        }
        let Host::Name(name) = &host.host else { return None };
        let is_usual_port = host.port.is_none_or(|port| [80, 443, listen_port].contains(&port));
        if !is_usual_port || !self.patterns.iter().any(|pattern| pattern.matches(name)) {
            return None;
        }
        let authority = name.parse().ok()?;
        Some(Arc::new(Route { scheme: Scheme::HTTPS, authority, service: None, region: None }))
    }

    /// Any upstream's URI, to find out whether requests can be signed.
    pub(crate) fn example(&self) -> Option<(Uri, Arc<Route>)> {
        let pattern = || {
            let HostPattern { suffix, is_exact } = self.patterns.first()?;
            let name = if *is_exact { suffix.clone() } else { format!("host.{suffix}") };
            self.route(&HostPort { host: Host::Name(name), port: None }, 0)
        };
        let named = || self.named.first().map(|(_, route)| Arc::clone(route));
        let route = self.default_route().or_else(named).or_else(pattern)?;
        Some((route.uri(PathAndQuery::from_static("/")).ok()?, route))
    }
}

fn parse_origin(text: &str) -> Result<(Scheme, Authority), StartError> {
    let error =
        || StartError::new(format!("{text:?} is not an upstream: write https://host or https://host:port"));
    let parts = text.parse::<Uri>().map_err(|_| error())?.into_parts();
    let has_no_path = parts.path_and_query.is_none_or(|path| path == "/");
    match (parts.scheme, parts.authority) {
        (Some(scheme), Some(authority))
            if has_no_path
                && (scheme == Scheme::HTTP || scheme == Scheme::HTTPS)
                && !authority.as_str().contains('@') =>
        {
            Ok((scheme, authority))
        }
        _ => Err(error()),
    }
}

/// A host name, or `*.` and the end of one.
#[derive(Debug)]
pub(crate) struct HostPattern {
    suffix: String,
    is_exact: bool,
}

impl HostPattern {
    /// # Errors
    /// For what is not such a name.
    pub(crate) fn parse(text: &str) -> Result<Self, StartError> {
        let (suffix, is_exact) = text.strip_prefix("*.").map_or((text, true), |suffix| (suffix, false));
        let name = match suffix.parse() {
            Ok(HostPort { host: Host::Name(name), port: None }) if name.trim_matches('.').contains('.') => {
                name
            }
            _ => {
                return Err(StartError::new(format!(
                    "{text:?} is not a host of an upstream: write NAME.DOMAIN or *.NAME.DOMAIN, without a port"
                )));
            }
        };
        Ok(Self { suffix: name, is_exact })
    }

    fn matches(&self, name: &str) -> bool {
        match name.strip_suffix(&self.suffix) {
            Some("") => self.is_exact,
            Some(labels) => !self.is_exact && labels.len() > 1 && labels.ends_with('.'),
            None => false,
        }
    }
}
