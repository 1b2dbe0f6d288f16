//! Connections to upstreams: direct, or through the proxies of the environment.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::Authority;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV4, SocksV5, Tunnel};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use sigv4_middleware::BoxError;
use tokio::net::TcpStream;
use tower::Service;

use crate::upstream::ConnectTo;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Connects to where a URI leads, without the TLS of the URI itself.
///
/// `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in either case, are honored for all hosts but loopback: an
/// HTTP proxy by a tunnel (CONNECT) for http URIs, too, and SOCKS proxies.
#[derive(Clone)]
pub(crate) struct Connector {
    tcp: HttpConnector,
    /// To a proxy, which may itself be reached over TLS.
    to_proxy: HttpsConnector<HttpConnector>,
    proxies: Arc<Matcher>,
    addresses: Arc<HashMap<Authority, Authority>>,
}

impl Connector {
    /// `tls` is for proxies.
    pub(crate) fn new(proxies: Matcher, tls: ClientConfig, connect_to: Vec<ConnectTo>) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let to_proxy = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let addresses = connect_to.into_iter().map(|to| (to.made_for, to.address)).collect();
        Self {
            to_proxy: to_proxy.wrap_connector(tcp.clone()),
            tcp,
            proxies: Arc::new(proxies),
            addresses: Arc::new(addresses),
        }
    }

    /// The URI with the address to connect to.
    fn addressed(&self, uri: Uri) -> Result<Uri, BoxError> {
        let Some(address) = uri.authority().and_then(|authority| self.addresses.get(authority)) else {
            return Ok(uri);
        };
        let mut parts = uri.into_parts();
        parts.authority = Some(address.clone());
        Ok(parts.try_into()?)
    }

    fn proxy_for(&self, uri: &Uri) -> Option<Intercept> {
        let host = uri.host()?;
        if is_this_machine(host) { None } else { self.proxies.intercept(uri) }
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let uri = this.addressed(uri)?;
            match this.proxy_for(&uri) {
                Some(proxy) => through(&proxy, this, uri).await,
                None => Ok(MaybeHttpsStream::Http({ this.tcp }.call(uri).await?)),
            }
        })
    }
}

async fn through(proxy: &Intercept, connector: Connector, uri: Uri) -> Result<Stream, BoxError> {
    let address = proxy.uri().clone();
    let scheme = address.scheme_str().unwrap_or_default().to_owned();
    match scheme.as_str() {
        "http" | "https" => {
            let mut tunnel = Tunnel::new(address, connector.to_proxy);
            if let Some(authorization) = proxy.basic_auth() {
                tunnel = tunnel.with_auth(authorization.clone());
            }
            Ok(tunnel.call(uri).await?)
        }
        "socks5" | "socks5h" => {
            let mut socks = SocksV5::new(address, connector.tcp).local_dns(scheme == "socks5");
            if let Some((user, password)) = proxy.raw_auth() {
                socks = socks.with_auth(user.to_owned(), password.to_owned());
            }
            Ok(MaybeHttpsStream::Http(socks.call(uri).await?))
        }
        "socks4" | "socks4a" => {
            let mut socks = SocksV4::new(address, connector.tcp).local_dns(scheme == "socks4");
            Ok(MaybeHttpsStream::Http(socks.call(uri).await?))
        }
        other => {
            Err(format!("the proxy of the environment has the scheme {other}, which is not supported").into())
        }
    }
}

/// Whether a host is loopback, or an address that stands for this machine.
pub(crate) fn is_this_machine(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address = match host.parse() {
        Ok(IpAddr::V6(address)) => address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4),
        Ok(address) => address,
        Err(_) => return host.eq_ignore_ascii_case("localhost"),
    };
    address.is_loopback() || address.is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_bypasses_the_proxies() {
        for host in
            ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]"]
        {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["minio.localhost", "localhost.example", "192.0.2.1", "[2001:db8::1]", "10.0.0.1"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
