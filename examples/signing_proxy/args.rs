//! The command line.

use std::net::SocketAddr;
use std::str::FromStr;

use clap::Parser;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Uri};

use crate::headers::{Kept, Named};

/// A reverse proxy that signs every request with the credentials of the environment.
///
/// Credentials are read from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, the region from AWS_REGION
/// or AWS_DEFAULT_REGION. Whoever reaches the proxy has the power of these credentials.
#[derive(Debug, Parser)]
#[command(name = "signing_proxy")]
pub(crate) struct Args {
    /// Where to listen; port 0 takes any that is free, and the program says which
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,

    /// Where every request is sent: scheme, host and, if need be, port
    #[arg(long, value_name = "URL")]
    pub(crate) upstream: Origin,

    /// The service's signing name (execute-api, s3, …), where the upstream's host does not tell it or tells another
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,

    /// The region, where the upstream's host does not tell it or tells another
    #[arg(long, value_name = "NAME")]
    pub(crate) region: Option<String>,

    /// Send signatures over plain http to an upstream that is not on this machine
    #[arg(long)]
    pub(crate) allow_http: bool,

    /// A method to let through; may be repeated [default: all but CONNECT and TRACE]
    #[arg(long = "allow-method", value_name = "METHOD")]
    pub(crate) methods: Vec<Method>,

    /// A path to let through, with everything below it; may be repeated [default: all]
    #[arg(long = "allow-path", value_name = "PATH", value_parser = path)]
    pub(crate) paths: Vec<String>,

    /// A header to take out of requests, besides those that always are; may be repeated
    #[arg(long = "strip-header", value_name = "NAME")]
    pub(crate) stripped: Vec<Named>,

    /// An x-amz- header to let through and sign, such as x-amz-target or x-amz-meta-*; may be repeated
    #[arg(long = "keep-header", value_name = "NAME")]
    pub(crate) kept: Vec<Kept>,

    /// The largest request body, in bytes; it is held in memory
    #[arg(long, value_name = "BYTES", default_value_t = 10 * 1024 * 1024)]
    pub(crate) body_limit: u64,

    /// How long the upstream may take to begin its answer
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) timeout: u64,

    /// How long requests in flight may go on after SIGINT or SIGTERM
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) drain: u64,

    /// Where to serve /metrics for Prometheus [default: nowhere]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) metrics: Option<SocketAddr>,
}

fn path(text: &str) -> Result<String, String> {
    if text.starts_with('/') { Ok(text.to_owned()) } else { Err("begin it with a slash".to_owned()) }
}

/// `https://host[:port]`.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    text: String,
    scheme: Scheme,
    authority: Authority,
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shape = || format!("{text:?} is not an upstream: write https://host or https://host:port");
        let uri: Uri = text.parse().map_err(|_| shape())?;
        let parts = uri.into_parts();
        let bare = parts.path_and_query.is_none_or(|path| path == "/");
        match (parts.scheme, parts.authority) {
            (Some(scheme), Some(authority))
                if bare
                    && (scheme == Scheme::HTTP || scheme == Scheme::HTTPS)
                    && !authority.as_str().contains('@') =>
            {
                Ok(Self { text: format!("{scheme}://{authority}"), scheme, authority })
            }
            _ => Err(shape()),
        }
    }
}

impl Origin {
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    pub(crate) fn root(&self) -> Result<Uri, http::Error> {
        self.at(PathAndQuery::from_static("/"))
    }

    /// The upstream's URI of a path.
    pub(crate) fn at(&self, target: PathAndQuery) -> Result<Uri, http::Error> {
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(target)
            .build()
    }
}
