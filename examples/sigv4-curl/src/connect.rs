//! The client: certificates, addresses, proxy, timeouts.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use reqwest::{Certificate, Client, Proxy, Url};

use crate::args::Args;
use crate::failure::Failure;

/// The port of a proxy that names none, as with curl.
const PROXY_PORT: u16 = 1080;

/// A client that does not follow redirects, and uses no proxy for loopback unless one is named.
pub(crate) fn client(args: &Args, url: &Url) -> Result<Client, Failure> {
    let transfer = &args.transfer;
    let mut builder = sigv4_middleware::reqwest_client();
    if !transfer.compressed {
        builder = builder.no_gzip().no_brotli().no_deflate();
    }
    // Over HTTP/2 another Host cannot be sent: the URL's is in `:authority`.
    if transfer.http1_1 || args.signing.allow_host_mismatch {
        builder = builder.http1_only();
    }
    if transfer.connect_timeout > Duration::ZERO {
        builder = builder.connect_timeout(transfer.connect_timeout);
    }
    if transfer.insecure {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    if let Some(path) = &transfer.cacert {
        let failure = |error: &dyn std::fmt::Display| {
            Failure::new(Failure::CA_FILE, format!("--cacert {}: {error}", path.display()))
        };
        let pem = std::fs::read(path).map_err(|error| failure(&error))?;
        let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| failure(&error))?;
        if certificates.is_empty() {
            return Err(failure(&"it holds no PEM certificate"));
        }
        builder = builder.tls_certs_only(certificates);
    }
    for entry in &transfer.resolve {
        let resolve = Resolve::parse(entry)
            .map_err(|error| Failure::new(Failure::OPTION_SYNTAX, format!("--resolve {entry}: {error}")))?;
        if url.port_or_known_default() == Some(resolve.port) {
            builder = builder.resolve_to_addrs(&resolve.host, &resolve.addresses);
        }
    }
    if let Some(proxy) = &transfer.proxy {
        builder = builder.no_proxy();
        if !proxy.is_empty() {
            builder = builder.proxy(named_proxy(proxy)?);
        }
    }
    Ok(builder.build()?)
}

fn named_proxy(text: &str) -> Result<Proxy, Failure> {
    // Never the text itself, as it may hold a password.
    let failure =
        |error: &dyn std::fmt::Display| Failure::new(Failure::RESOLVE_PROXY, format!("-x: {error}"));
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let mut url = Url::parse(&with_scheme).map_err(|error| failure(&error))?;
    // `Url` drops a port that is the scheme's own.
    let names_port = with_scheme
        .trim_end_matches('/')
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if !names_port && url.set_port(Some(PROXY_PORT)).is_err() {
        return Err(failure(&"it names no host"));
    }
    Proxy::all(url).map_err(|error| failure(&error.without_url()))
}

/// `--resolve host:port:addr[,addr]`
#[derive(Clone, Debug)]
pub(crate) struct Resolve {
    host: String,
    port: u16,
    addresses: Vec<SocketAddr>,
}

impl Resolve {
    fn parse(text: &str) -> Result<Self, String> {
        // A prefix `+` lets the entry expire, after longer than this program lives.
        let text = text.strip_prefix('+').unwrap_or(text);
        let mut parts = text.splitn(3, ':');
        let (Some(host), Some(port), Some(addresses)) = (parts.next(), parts.next(), parts.next()) else {
            return Err("write it as host:port:addr[,addr]".to_owned());
        };
        if host == "*" {
            return Err("name the host; * is not supported".to_owned());
        }
        let port = port.parse().map_err(|_| format!("{port:?} is not a port"))?;
        let addresses = addresses.split(',').map(|address| {
            let address = address.trim_start_matches('[').trim_end_matches(']');
            let address: IpAddr = address.parse().map_err(|_| format!("{address:?} is not an address"))?;
            Ok(SocketAddr::new(address, port))
        });
        let addresses = addresses.collect::<Result<_, String>>()?;
        Ok(Self { host: host.to_ascii_lowercase(), port, addresses })
    }
}
