//! Which origins may be signed for.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::{is_name, partitions, shown};
use crate::error::{BuildError, BuildErrorKind, Error, ErrorKind};

/// The origins that credentials may go to.
///
/// By default the domains of AWS's partitions over https, and loopback (127.0.0.0/8, `::1`, `localhost` and names
/// under it) over https or http. Not the names under those domains that belong to customers' machines and
/// services (EC2, load balancers, others' PrivateLink services, S3 websites), and not S3-compatible stores such
/// as Cloudflare's R2: those need a line.
///
/// Hosts are compared by whole labels, whatever the case of their letters, without one trailing dot.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllowedOrigins {
    hosts: Vec<Pattern>,
    origins: Vec<Origin>,
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
    /// A DNS name or IPv4 address without trailing dot; in lower case where it is a pattern's.
    Name(S),
    V6(Ipv6Addr),
}

impl AllowedOrigins {
    /// Allows a host over https: `api.example.com`, `*.internal.example.com` (one label or more in the star's
    /// place), `[fd00::1]`; at any port unless one is given.
    ///
    /// Names that are not ASCII are turned into punycode (with the feature `reqwest`).
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

    /// Allows one origin exactly: `http://minio:9000`, `https://api.example.com`. The only way to allow plain
    /// http to anything but loopback.
    ///
    /// # Errors
    /// [`BuildErrorKind::InvalidOrigin`] for anything that is not scheme, host and perhaps port.
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

    /// Whether credentials may go to an origin, given as the parts of a parsed URI (IPv6 addresses in brackets).
    ///
    /// # Errors
    /// [`ErrorKind::OriginNotAllowed`], or [`ErrorKind::InsecureOrigin`] for plain http to a host that is allowed
    /// over https; the message names the line to add.
    pub(crate) fn check(&self, scheme: &str, host: &str, port: Option<u16>) -> Result<(), Error> {
        let https = scheme.eq_ignore_ascii_case("https");
        let parsed = match parse(host) {
            Some(parsed) if https || scheme.eq_ignore_ascii_case("http") => parsed,
            Some(_) => return Err(refused(format!("{} is neither http nor https", shown(scheme)))),
            None if host.is_ascii() => return Err(refused(format!("{} is not a host", shown(host)))),
            None => {
                return Err(refused(format!("{} is not ASCII: send it in punycode (xn--…)", shown(host))));
            }
        };
        if is_loopback(parsed) {
            return Ok(());
        }
        let at = port.unwrap_or(default_port(https));
        if self.origins.iter().any(|o| o.https == https && o.port == at && o.host.is(parsed)) {
            return Ok(());
        }
        let aws = matches!(parsed, Host::Name(name) if partitions::is_aws(name));
        let over_https = aws || self.hosts.iter().any(|p| p.matches(parsed, port.unwrap_or(443)));
        match (https, over_https) {
            (true, true) => Ok(()),
            (true, false) => Err(refused(format!(
                "{parsed} is not among the hosts to sign for: add .allow_host(\"{parsed}\") to the signer's \
                 builder if its owner may hold your credentials"
            ))),
            (false, true) => {
                let message = format!(
                    "{parsed} may be signed for over https only, and this is plain http: use https, or add \
                     .allow_origin(\"http://{}\") to the signer's builder if plain http is meant",
                    WithPort(parsed, port)
                );
                Err(Error::new(ErrorKind::InsecureOrigin, message))
            }
            (false, false) => Err(refused(format!(
                "http://{0} is not among the origins to sign for: add .allow_origin(\"http://{0}\") to the \
                 signer's builder if its owner may hold your credentials, and everyone on the way may read what \
                 is sent; over https it would be .allow_host(\"{parsed}\")",
                WithPort(parsed, port)
            ))),
        }
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

fn refused(message: String) -> Error {
    Error::new(ErrorKind::OriginNotAllowed, message)
}

fn is_loopback(host: Host<&str>) -> bool {
    match host {
        Host::V6(address) => address.is_loopback(),
        Host::Name(name) => {
            name.eq_ignore_ascii_case("localhost")
                || partitions::under(name, "localhost").is_some()
                || name.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback())
        }
    }
}

/// A host of a request.
fn parse(host: &str) -> Option<Host<&str>> {
    if let Some(inner) = host.strip_prefix('[') {
        return inner.strip_suffix(']')?.parse().ok().map(Host::V6);
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    is_name(name).then_some(Host::Name(name))
}

/// A host of a pattern and the port behind it.
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
            Some(digits.parse().ok().filter(|port| *port != 0).ok_or("its port is none")?)
        }
        _ => return Err("what follows the host is no port; scheme, user and path do not belong here"),
    };
    let ascii = to_ascii(host)?;
    match parse(&ascii) {
        Some(Host::Name(name)) => Ok((Host::Name(name.to_ascii_lowercase().into()), port)),
        Some(Host::V6(address)) => Ok((Host::V6(address), port)),
        None => {
            Err("letters, digits, hyphens and dots make a host name, and no scheme or path belongs to it")
        }
    }
}

#[cfg(feature = "reqwest")]
fn to_ascii(host: &str) -> Result<std::borrow::Cow<'_, str>, &'static str> {
    if host.is_ascii() {
        return Ok(host.into());
    }
    idna::domain_to_ascii(host).map(Into::into).map_err(|_| "it is no internationalised domain name")
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
        "{} is not a host to allow ({why}): say a host such as .allow_host(\"api.example.com\"), every host below \
         one with .allow_host(\"*.internal.example.com\"), or scheme, host and port with \
         .allow_origin(\"http://minio:9000\")",
        shown(pattern)
    );
    BuildError::new(BuildErrorKind::InvalidOrigin, message)
}

fn not_an_origin(origin: &str, why: &str) -> BuildError {
    let message = format!(
        "{} is not an origin to allow ({why}): say scheme, host and port, and nothing else, such as \
         .allow_origin(\"http://minio:9000\")",
        shown(origin)
    );
    BuildError::new(BuildErrorKind::InvalidOrigin, message)
}

#[cfg(test)]
mod tests;
