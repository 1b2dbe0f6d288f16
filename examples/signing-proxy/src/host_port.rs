//! Hosts with their ports, and the origins of web pages, as requests and options name them.
//!
//! Parsing is strict: a spelling that a browser does not send, such as `127.1`, equals no other.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// `host` or `host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPort {
    pub(crate) host: Host,
    pub(crate) port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// A name in lower case, with its trailing dot if it has one: DNS may resolve that to another address.
    Name(String),
    Address(IpAddr),
}

/// The origin of a web page: `http://host:port` or `https://host:port`, with the scheme's port if it names none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageOrigin {
    https: bool,
    host: Host,
    port: u16,
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse_host_port(text).ok_or_else(|| {
            format!("{text:?} is not a host: write NAME or NAME:PORT, without a scheme or a path; IPv6 as in [fd00::1]")
        })
    }
}

fn parse_host_port(text: &str) -> Option<HostPort> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(parse_port(port)?)),
        _ => (text, None),
    };
    Some(HostPort { host: parse_host(host)?, port })
}

fn parse_host(text: &str) -> Option<Host> {
    if let Some(inner) = text.strip_prefix('[') {
        let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
        return Some(Host::Address(address.into()));
    }
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Some(Host::Address(address.into()));
    }
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (!text.is_empty() && text.bytes().all(is_name)).then(|| Host::Name(text.to_ascii_lowercase()))
}

fn parse_port(text: &str) -> Option<u16> {
    // `parse` alone takes a sign.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

impl Host {
    /// Whether this is `localhost` or a loopback address.
    pub(crate) fn is_loopback(&self) -> bool {
        match self {
            Self::Name(name) => name == "localhost",
            Self::Address(address) => address.is_loopback(),
        }
    }
}

impl FromStr for PageOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse_page_origin(text).ok_or_else(|| {
            format!("{text:?} is not the origin of a web page: write http://host:port or https://host:port")
        })
    }
}

fn parse_page_origin(text: &str) -> Option<PageOrigin> {
    let (scheme, rest) = text.split_once("://")?;
    let https = scheme.eq_ignore_ascii_case("https");
    if !https && !scheme.eq_ignore_ascii_case("http") {
        return None;
    }
    let HostPort { host, port } = parse_host_port(rest.strip_suffix('/').unwrap_or(rest))?;
    Some(PageOrigin { https, host, port: port.unwrap_or(if https { 443 } else { 80 }) })
}

impl PageOrigin {
    /// The origin of the pages that a server without TLS serves under this host and port.
    pub(crate) fn over_http(host_port: HostPort) -> Self {
        Self { https: false, host: host_port.host, port: host_port.port.unwrap_or(80) }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => self.host.fmt(f),
        }
    }
}

impl fmt::Display for PageOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}
