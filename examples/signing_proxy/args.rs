//! The command line.

use std::net::SocketAddr;
use std::str::FromStr;

use clap::Parser;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Uri};

use crate::headers::{KeptHeaders, Name};
use crate::host_port::{HostPort, PageOrigin};

/// A reverse proxy that signs every request with the credentials of the environment.
///
/// Credentials are read from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, the region from AWS_REGION
/// or AWS_DEFAULT_REGION. Whoever can connect to the proxy can make requests with these credentials. Requests of web
/// pages are refused, except of pages whose origin --allow-origin names.
#[derive(Debug, Parser)]
#[command(name = "signing_proxy")]
pub(crate) struct Args {
    /// Where to listen; port 0 stands for any free one, which is printed
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,

    /// Listen even if other machines can reach the address: whoever can connect uses the credentials. A browser does
    /// not say which page sends a GET to a host other than loopback over plain http, so any page can send one there
    #[arg(long)]
    pub(crate) expose: bool,

    /// A host that requests may name, besides the listen address and loopback at the port of --listen; without PORT, at
    /// any port; may be repeated
    #[arg(long = "allow-host", value_name = "NAME[:PORT]")]
    pub(crate) hosts: Vec<HostPort>,

    /// The origin of web pages that may send requests, such as http://localhost:3000, and read the responses as far as
    /// the upstream allows it; may be repeated
    #[arg(long = "allow-origin", value_name = "URL")]
    pub(crate) page_origins: Vec<PageOrigin>,

    /// Where every request is sent: scheme, host and, if it is not the scheme's, port
    #[arg(long, value_name = "URL")]
    pub(crate) upstream: UpstreamOrigin,

    /// The service's signing name (execute-api, s3, …), if it cannot be inferred from the upstream's host, or to
    /// replace the inferred one
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,

    /// The region, if it cannot be inferred from the upstream's host, or to replace the inferred one
    #[arg(long, value_name = "NAME")]
    pub(crate) region: Option<String>,

    /// Send requests over plain http to an upstream that is not on this machine
    #[arg(long)]
    pub(crate) allow_http: bool,

    /// A method to pass on; may be repeated [default: all but CONNECT and TRACE]
    #[arg(long = "allow-method", value_name = "METHOD")]
    pub(crate) methods: Vec<Method>,

    /// A path to pass on, with everything below it; may be repeated [default: all]
    #[arg(long = "allow-path", value_name = "PATH", value_parser = path)]
    pub(crate) paths: Vec<String>,

    /// A header to remove from requests, besides those that are always removed; may be repeated
    #[arg(long = "strip-header", value_name = "NAME")]
    pub(crate) stripped: Vec<Name>,

    /// An x-amz- header to pass on and sign, such as x-amz-target or x-amz-meta-*; may be repeated
    #[arg(long = "keep-header", value_name = "NAME")]
    pub(crate) kept: Vec<KeptHeaders>,

    /// The largest request body, in bytes; it is held in memory
    #[arg(long, value_name = "BYTES", default_value_t = 10 * 1024 * 1024)]
    pub(crate) body_limit: u64,

    /// How long a client may take to send a request's body
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) body_timeout: u64,

    /// How long the upstream may take to begin its response
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) timeout: u64,

    /// How long requests in flight may take to finish after SIGINT or SIGTERM
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) drain: u64,

    /// Where to serve /metrics for Prometheus [default: not served]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) metrics: Option<SocketAddr>,
}

fn path(text: &str) -> Result<String, String> {
    if text.starts_with('/') { Ok(text.to_owned()) } else { Err("begin it with a slash".to_owned()) }
}

/// `https://host[:port]`.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamOrigin {
    text: String,
    scheme: Scheme,
    authority: Authority,
}

impl FromStr for UpstreamOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = || format!("{text:?} is not an upstream: write https://host or https://host:port");
        let uri: Uri = text.parse().map_err(|_| error())?;
        let parts = uri.into_parts();
        let has_no_path = parts.path_and_query.is_none_or(|path| path == "/");
        match (parts.scheme, parts.authority) {
            (Some(scheme), Some(authority))
                if has_no_path
                    && (scheme == Scheme::HTTP || scheme == Scheme::HTTPS)
                    && !authority.as_str().contains('@') =>
            {
                Ok(Self { text: format!("{scheme}://{authority}"), scheme, authority })
            }
            _ => Err(error()),
        }
    }
}

impl UpstreamOrigin {
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    pub(crate) fn root(&self) -> Result<Uri, http::Error> {
        self.with_target(PathAndQuery::from_static("/"))
    }

    /// The upstream's URI with a path and query.
    pub(crate) fn with_target(&self, target: PathAndQuery) -> Result<Uri, http::Error> {
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(target)
            .build()
    }
}
