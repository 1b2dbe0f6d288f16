//! Which origins may be signed for.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::{is_in_aws_domain, is_name, is_run_by_aws, partitions, shown};
use crate::error::{BuildError, BuildErrorKind, Error, ErrorKind};

/// The origins that requests may be signed for.
///
/// By default these are the hosts that AWS runs over https, as far as [`Endpoint`](super::Endpoint) recognizes them,
/// and loopback over https or http: `localhost`, 127.0.0.0/8 and `::1`, nothing else. Names that only resolve to
/// loopback are not included: a DNS search domain can send `minio.localhost` to another machine, and resolvers look
/// `localhost.` and `127.1` up in their own ways. Every other host needs a line: customers' machines in AWS's domains
/// (EC2, load balancers, ECS, notebooks, PrivateLink services, S3 websites), custom domains, and other stores such
/// as Cloudflare R2.
///
/// Hosts are compared by whole labels, in any case, without one trailing dot.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllowedOrigins {
    hosts: Vec<Pattern>,
    origins: Vec<Origin>,
    loopback_disallowed: bool,
}

/// The parts of a credential scope that are neither configured nor inferred from the host; an error names the lines
/// that set them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MissingScope {
    pub(crate) service: bool,
    pub(crate) region: bool,
}

/// A host over https; with `below`, every host below it instead.
#[derive(Clone, Debug)]
struct Pattern {
    below: bool,
    host: Host<Box<str>>,
    port: Option<u16>,
}

#[derive(Clone, Debug)]
struct Origin {
    https: bool,
    host: Host<Box<str>>,
    port: u16,
}

#[derive(Clone, Copy, Debug)]
enum Host<S> {
    /// A DNS name or IPv4 address without a trailing dot; in lower case in a pattern.
    Name(S),
    V6(Ipv6Addr),
}

impl AllowedOrigins {
    /// Allows a host over https: `api.example.com`, `*.internal.example.com` (the star stands for one or more
    /// labels), `[fd00::1]`; at any port unless one is given.
    ///
    /// Names that are not ASCII are converted to punycode (with the feature `reqwest`).
    ///
    /// # Errors
    /// [`BuildErrorKind::InvalidOrigin`] for anything that is not a host.
    pub(crate) fn allow_host(&mut self, pattern: &str) -> Result<(), BuildError> {
        let (below, rest) = match pattern.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, pattern),
        };
        let (host, port) = authority(rest).map_err(|why| not_a_host(pattern, why))?;
        if below {
            match &host {
                Host::Name(name) if name.parse::<Ipv4Addr>().is_err() && name.contains('.') => {}
                _ => return Err(not_a_host(pattern, "at least two labels of a name must follow the star")),
            }
        }
        self.hosts.push(Pattern { below, host, port });
        Ok(())
    }

    /// Allows exactly one origin: `http://minio:9000`, `https://api.example.com`. The only way to allow plain http to
    /// anything but loopback.
    ///
    /// # Errors
    /// [`BuildErrorKind::InvalidOrigin`] for anything that is not a scheme, a host and optionally a port.
    pub(crate) fn allow_origin(&mut self, origin: &str) -> Result<(), BuildError> {
        let (scheme, rest) = origin.split_once("://").unwrap_or_default();
        let https = scheme.eq_ignore_ascii_case("https");
        if !https && !scheme.eq_ignore_ascii_case("http") {
            return Err(not_an_origin(origin, "it must begin with http:// or https://"));
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = authority(rest).map_err(|why| not_an_origin(origin, why))?;
        self.origins.push(Origin { https, host, port: port.unwrap_or(default_port(https)) });
        Ok(())
    }

    /// Allows loopback only where a line names it, as any other host.
    pub(crate) fn disallow_loopback(&mut self) {
        self.loopback_disallowed = true;
    }

    /// Whether requests to an origin may be signed. The parts are those of a parsed URI: an IPv6 address is in
    /// brackets.
    pub(crate) fn allows(&self, scheme: &str, host: &str, port: Option<u16>) -> bool {
        self.allows_endpoint(scheme, host, port, || is_run_by_aws(host))
    }

    /// As [`allows`](Self::allows), where it is known whether AWS runs the host.
    pub(crate) fn allows_endpoint(
        &self,
        scheme: &str,
        host: &str,
        port: Option<u16>,
        run_by_aws: impl FnOnce() -> bool,
    ) -> bool {
        let https = scheme.eq_ignore_ascii_case("https");
        (https || scheme.eq_ignore_ascii_case("http"))
            && parse(host).is_some_and(|parsed| self.allows_parsed(https, host, parsed, port, run_by_aws))
    }

    fn allows_parsed(
        &self,
        https: bool,
        host: &str,
        parsed: Host<&str>,
        port: Option<u16>,
        run_by_aws: impl FnOnce() -> bool,
    ) -> bool {
        let at = port.unwrap_or(default_port(https));
        (is_loopback(host) && !self.loopback_disallowed)
            || self.origins.iter().any(|o| o.https == https && o.port == at && o.host.is(parsed))
            || (https && self.allows_over_https(parsed, port, run_by_aws))
    }

    fn allows_over_https(
        &self,
        host: Host<&str>,
        port: Option<u16>,
        run_by_aws: impl FnOnce() -> bool,
    ) -> bool {
        self.hosts.iter().any(|p| p.matches(host, port.unwrap_or(443)))
            || (matches!(host, Host::Name(_)) && run_by_aws())
    }

    /// Ensures that requests to an origin may be signed, see [`allows`](Self::allows).
    ///
    /// # Errors
    /// [`ErrorKind::OriginNotAllowed`], or [`ErrorKind::InsecureOrigin`] for plain http to a host that is allowed
    /// over https. The message names every line to add to the builder, those for `missing` parts of the scope too.
    pub(crate) fn ensure_allowed(
        &self,
        scheme: &str,
        host: &str,
        port: Option<u16>,
        missing: impl FnOnce() -> MissingScope,
    ) -> Result<(), Error> {
        let https = scheme.eq_ignore_ascii_case("https");
        let parsed = match parse(host) {
            Some(parsed) if https || scheme.eq_ignore_ascii_case("http") => parsed,
            Some(_) => return Err(not_allowed(format!("{} is neither http nor https", shown(scheme)))),
            None if host.is_ascii() => {
                return Err(not_allowed(format!("{} is not a valid host", shown(host))));
            }
            None => {
                let message = format!("{} is not ASCII: send it in punycode (xn--…)", shown(host));
                return Err(not_allowed(message));
            }
        };
        let run_by_aws = || is_run_by_aws(host);
        if self.allows_parsed(https, host, parsed, port, run_by_aws) {
            return Ok(());
        }
        let missing = missing();
        let with_port = WithPort(parsed, port);
        Err(match (https, self.allows_over_https(parsed, port, run_by_aws)) {
            (true, _) => not_allowed(format!(
                "{}: add .allow_host(\"{parsed}\"){missing} to the signer's builder if you trust whoever runs it with \
                 signed requests",
                Reason(host, parsed)
            )),
            (false, true) => Error::new(
                ErrorKind::InsecureOrigin,
                format!(
                    "requests to {parsed} may be signed over https only, and this one uses plain http: use https, or \
                     add .allow_origin(\"http://{with_port}\"){missing} to the signer's builder if plain http is \
                     intended"
                ),
            ),
            (false, false) => not_allowed(format!(
                "{}, and this request uses plain http: add .allow_origin(\"http://{with_port}\"){missing} to the \
                 signer's builder if you trust whoever runs it with signed requests, and everyone on the network \
                 path with their content; with https, the line is .allow_host(\"{parsed}\")",
                Reason(host, parsed)
            )),
        })
    }
}

/// Why an origin is not allowed.
struct Reason<'h>(&'h str, Host<&'h str>);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(host, parsed) = *self;
        match parsed {
            Host::Name(name) if is_in_aws_domain(name) => write!(
                f,
                "{parsed} is in a domain of AWS, but it is not a known service endpoint and may be a customer's \
                 machine, so this signer does not sign requests to it"
            ),
            Host::Name(name) if name.len() < host.len() && is_loopback(name) => write!(
                f,
                "{host} is not loopback, because resolvers may look it up in DNS (write {name} without the trailing \
                 dot), so this signer does not sign requests to it"
            ),
            _ => write!(f, "{parsed} is not a host that this signer signs requests to"),
        }
    }
}

impl fmt::Display for MissingScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (missing, method) in [(self.service, "service"), (self.region, "region")] {
            if missing {
                write!(f, ".{method}(\"...\")")?;
            }
        }
        Ok(())
    }
}

impl Pattern {
    fn matches(&self, host: Host<&str>, port: u16) -> bool {
        let same = match (&self.host, host) {
            (Host::Name(pattern), Host::Name(name)) if self.below => {
                partitions::under(name, pattern).is_some()
            }
            (own, host) => own.is(host),
        };
        same && self.port.is_none_or(|own| own == port)
    }
}

impl Host<Box<str>> {
    fn is(&self, other: Host<&str>) -> bool {
        match (self, other) {
            (Host::Name(own), Host::Name(name)) => own.eq_ignore_ascii_case(name),
            (Host::V6(own), Host::V6(address)) => *own == address,
            _ => false,
        }
    }
}

impl fmt::Display for Host<&str> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::V6(address) => write!(f, "[{address}]"),
        }
    }
}

struct WithPort<'h>(Host<&'h str>, Option<u16>);

impl fmt::Display for WithPort<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        self.1.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

fn default_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

fn not_allowed(message: String) -> Error {
    Error::new(ErrorKind::OriginNotAllowed, message)
}

/// Whether a host, as it stands in a URI, is `localhost`, an address in 127.0.0.0/8 in its four decimal parts, or
/// `[::1]`. With a trailing dot it is not: resolvers then look for it in DNS, and not in their own tables.
pub(crate) fn is_loopback(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(inner) => inner
            .strip_suffix(']')
            .and_then(|inner| inner.parse().ok())
            .is_some_and(|address: Ipv6Addr| address.is_loopback()),
        None => {
            host.eq_ignore_ascii_case("localhost")
                || host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback())
        }
    }
}

/// Parses the host of a request.
fn parse(host: &str) -> Option<Host<&str>> {
    if let Some(inner) = host.strip_prefix('[') {
        return inner.strip_suffix(']')?.parse().ok().map(Host::V6);
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    is_name(name).then_some(Host::Name(name))
}

/// Parses the host of a pattern and the port after it.
fn authority(text: &str) -> Result<(Host<Box<str>>, Option<u16>), &'static str> {
    let end = if text.starts_with('[') {
        text.find(']').map_or(text.len(), |at| at + 1)
    } else {
        text.find(':').unwrap_or(text.len())
    };
    let (host, tail) = text.split_at(end);
    let port = match tail.strip_prefix(':') {
        None if tail.is_empty() => None,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            Some(digits.parse().ok().filter(|port| *port != 0).ok_or("its port is not valid")?)
        }
        _ => {
            return Err(
                "the host is followed by something other than a port; leave out scheme, user and path",
            );
        }
    };
    let ascii = to_ascii(host)?;
    match parse(&ascii) {
        Some(Host::Name(name)) => Ok((Host::Name(name.to_ascii_lowercase().into()), port)),
        Some(Host::V6(address)) => Ok((Host::V6(address), port)),
        None => Err("a host name consists of letters, digits, hyphens and dots, without scheme or path"),
    }
}

#[cfg(feature = "reqwest")]
fn to_ascii(host: &str) -> Result<std::borrow::Cow<'_, str>, &'static str> {
    if host.is_ascii() {
        return Ok(host.into());
    }
    idna::domain_to_ascii(host).map(Into::into).map_err(|_| "it is not a valid internationalized domain name")
}

#[cfg(not(feature = "reqwest"))]
fn to_ascii(host: &str) -> Result<std::borrow::Cow<'_, str>, &'static str> {
    if host.is_ascii() {
        return Ok(host.into());
    }
    Err("write a name that is not ASCII in punycode (xn--…)")
}

fn not_a_host(pattern: &str, why: &str) -> BuildError {
    let message = format!(
        "{} is not a host that can be allowed ({why}): name a host, as in .allow_host(\"api.example.com\"), every \
         host below one, as in .allow_host(\"*.internal.example.com\"), or scheme, host and port, as in \
         .allow_origin(\"http://minio:9000\")",
        shown(pattern)
    );
    BuildError::new(BuildErrorKind::InvalidOrigin, message)
}

fn not_an_origin(origin: &str, why: &str) -> BuildError {
    let message = format!(
        "{} is not an origin that can be allowed ({why}): name scheme, host and port, and nothing else, as in \
         .allow_origin(\"http://minio:9000\")",
        shown(origin)
    );
    BuildError::new(BuildErrorKind::InvalidOrigin, message)
}

#[cfg(test)]
mod tests;
