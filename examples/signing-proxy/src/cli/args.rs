//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Parser, ValueEnum};
use http::Method;

use crate::Upstream;
use crate::host_port::{HostPort, PageOrigin};
use crate::upstream::HostPattern;

/// A reverse proxy that signs every request with AWS Signature Version 4.
///
/// Credentials and region come from where the AWS CLI finds them: environment, profile (with SSO and processes), web
/// identity, container, EC2. Whoever can connect to the proxy can make requests with these credentials: see --secret.
/// Requests of web pages are refused, except of pages whose origin --allow-origin names.
#[derive(Parser)]
#[command(name = "signing-proxy", version)]
pub(crate) struct Args {
    /// Where to listen; port 0 stands for any free one, which is printed
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,

    /// Listen even if other machines can reach the address: whoever can connect uses the credentials. A browser does
    /// not say which page sends a GET to a host other than loopback over plain http, so any page can send one there
    #[arg(long)]
    pub(crate) expose: bool,

    /// Let only clients in that know a secret: in the first segment of the path, or in the header
    /// x-signing-proxy-secret. It is taken from SIGNING_PROXY_SECRET, or made at the start and printed
    #[arg(long, value_name = "PLACE")]
    pub(crate) secret: Option<SecretPlace>,

    /// Not an option of the command line, which other programs of the machine can read
    #[arg(skip = std::env::var("SIGNING_PROXY_SECRET").ok().filter(|secret| !secret.is_empty()))]
    pub(crate) secret_value: Option<String>,

    /// A host that requests may name, besides the listen address and loopback at the port of --listen; without PORT, at
    /// any port; may be repeated
    #[arg(long = "allow-host", value_name = "NAME[:PORT]")]
    pub(crate) hosts: Vec<HostPort>,

    /// The origin of web pages that may send requests, such as http://localhost:3000, and read the responses as far as
    /// the upstream allows it; may be repeated
    #[arg(long = "allow-origin", value_name = "URL")]
    pub(crate) page_origins: Vec<PageOrigin>,

    /// Where requests are sent: scheme, host and, if it is not the scheme's, port. With HOST=, requests whose Host is
    /// that one, and may then be repeated. `,service=NAME`, `,region=NAME` and `,sign-host=HOST` after the URL are for
    /// this upstream alone
    #[arg(long = "upstream", value_name = "[HOST=]URL", value_parser = upstream, required_unless_present = "upstream_hosts")]
    pub(crate) upstreams: Vec<Upstream>,

    /// Send requests whose Host is this name, or ends like it (*.s3.eu-west-1.amazonaws.com), to that host by https;
    /// may be repeated
    #[arg(long = "upstream-host", value_name = "NAME", value_parser = upstream_host)]
    pub(crate) upstream_hosts: Vec<String>,

    /// The host that requests are made for, where --upstream is only the address that leads to it, as of a tunnel: it is
    /// their Host, is signed, and is the name that the server's certificate must have
    #[arg(long, value_name = "HOST")]
    pub(crate) sign_host: Option<String>,

    /// The service's signing name (execute-api, s3, …), if it cannot be inferred from the upstream's host, or to
    /// replace the inferred one
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,

    /// The region, if it cannot be inferred from the upstream's host, or to replace the inferred one
    #[arg(long, value_name = "NAME")]
    pub(crate) region: Option<String>,

    /// The profile of ~/.aws/config and ~/.aws/credentials to take credentials and region from
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,

    /// The role to assume with these credentials; its own are renewed before they expire
    #[arg(long, value_name = "ARN")]
    pub(crate) role_arn: Option<String>,

    /// The name of the role's session, which CloudTrail shows [default: signing-proxy]
    #[arg(long, value_name = "NAME", requires = "role_arn")]
    pub(crate) role_session_name: Option<String>,

    /// The external id that the role's trust policy asks for
    #[arg(long, value_name = "ID", requires = "role_arn")]
    pub(crate) external_id: Option<String>,

    /// Send requests over plain http to an upstream that is not on this machine
    #[arg(long)]
    pub(crate) allow_http: bool,

    /// A file of certificate authorities, in PEM form, to trust besides the system's; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Vec<PathBuf>,

    /// Accept any certificate of an upstream. Whoever is on the network path can then read and change requests and
    /// responses, and read the session token
    #[arg(long)]
    pub(crate) no_verify_ssl: bool,

    /// A method to pass on; may be repeated [default: all but CONNECT and TRACE]
    #[arg(long = "allow-method", value_name = "METHOD")]
    pub(crate) methods: Vec<Method>,

    /// A path to pass on, with everything below it; paths that servers read in different ways are then refused; may be
    /// repeated [default: all]
    #[arg(long = "allow-path", value_name = "PATH")]
    pub(crate) paths: Vec<String>,

    /// A header to remove from requests, or all with a prefix (x-amz-meta-*); may be repeated
    #[arg(long = "strip-header", value_name = "NAME")]
    pub(crate) stripped_headers: Vec<String>,

    /// A query parameter to remove from requests; may be repeated
    #[arg(long = "strip-param", value_name = "NAME")]
    pub(crate) stripped_parameters: Vec<String>,

    /// A header to add to every request, in place of the client's; may be repeated
    #[arg(long = "custom-header", value_name = "NAME: VALUE", value_parser = custom_header)]
    pub(crate) custom_headers: Vec<(String, String)>,

    /// A header to copy to x-original-NAME, such as authorization, which is removed itself; may be repeated
    #[arg(long = "duplicate-header", value_name = "NAME")]
    pub(crate) duplicated_headers: Vec<String>,

    /// A header to pass on of those by which some servers take another method or path, such as x-http-method-override
    /// and x-original-url, which are removed else; may be repeated
    #[arg(long = "keep-header", value_name = "NAME")]
    pub(crate) kept_headers: Vec<String>,

    /// How request bodies are sent: held in memory and hashed, which every service takes; for S3, streamed in signed
    /// chunks (PUT requests of known length); for S3 and VPC Lattice over https, streamed unsigned
    #[arg(long, value_name = "MODE", default_value = "buffered")]
    pub(crate) payload: PayloadArg,

    /// The same as --payload unsigned
    #[arg(long, conflicts_with = "payload")]
    pub(crate) unsigned_payload: bool,

    /// The largest request body, in bytes, that is held in memory
    #[arg(long, value_name = "BYTES", default_value_t = 10 * 1024 * 1024)]
    pub(crate) body_limit: u64,

    /// The most bytes of request bodies that are held in memory together; requests beyond get status 503
    #[arg(long, value_name = "BYTES", default_value_t = 256 * 1024 * 1024)]
    pub(crate) max_buffered: u64,

    /// The most connections of clients at once; requests on others get status 503
    #[arg(long, value_name = "NUMBER", default_value_t = 1024)]
    pub(crate) max_connections: usize,

    /// How long a client may take to send a request's head
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) header_timeout: u64,

    /// How long a client may take to send a request's body that is held in memory
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) body_timeout: u64,

    /// How long the upstream may take to begin its response
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) timeout: u64,

    /// How long a client's connection may have no request
    #[arg(long, value_name = "SECONDS", default_value_t = 90)]
    pub(crate) idle_timeout: u64,

    /// How long a connection to an upstream is kept without a request
    #[arg(long, value_name = "SECONDS", default_value_t = 40)]
    pub(crate) upstream_idle_timeout: u64,

    /// How long requests in flight may take to finish after SIGINT or SIGTERM
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) drain: u64,

    /// Where to serve /metrics for Prometheus, and /health [default: not served]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) metrics: Option<SocketAddr>,

    /// A path on which the proxy itself responds, to anyone: 200 if requests can be signed, else 503 [default: none]
    #[arg(long, value_name = "PATH")]
    pub(crate) health_path: Option<String>,

    /// Log responses with a status of 400 or more, with the beginning of their bodies
    #[arg(long)]
    pub(crate) log_failed_requests: bool,

    /// Log what is done, and what --log-failed-requests does; RUST_LOG chooses more finely
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

/// Where a client sends the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SecretPlace {
    Path,
    Header,
}

/// How request bodies are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PayloadArg {
    Buffered,
    AwsChunked,
    Unsigned,
}

/// `[HOST=]URL[,service=NAME][,region=NAME][,sign-host=HOST]`.
fn upstream(text: &str) -> Result<Upstream, String> {
    let mut parts = text.split(',');
    let place = parts.next().unwrap_or_default();
    let (host, url) = match place.split_once('=') {
        Some((host, url)) => (Some(host), url),
        None => (None, place),
    };
    let has_scheme = url.starts_with("https://") || url.starts_with("http://");
    let is_origin = url.split('/').skip(3).all(str::is_empty) && !url.contains(['@', '?', '#']);
    if !has_scheme || !is_origin {
        return Err(format!("{url:?} is not an upstream: write https://host or https://host:port"));
    }
    let mut upstream = Upstream::new(url.trim_end_matches('/'));
    if let Some(host) = host {
        HostPort::from_str(host)?;
        upstream = upstream.for_host(host);
    }
    for setting in parts {
        upstream = match setting.split_once('=') {
            Some(("service", name)) => upstream.service(name),
            Some(("region", name)) => upstream.region(name),
            Some(("sign-host", host)) => upstream.sign_host(host),
            _ => {
                return Err(format!(
                    "{setting:?} is not one of service=NAME, region=NAME and sign-host=HOST"
                ));
            }
        };
    }
    Ok(upstream)
}

fn upstream_host(text: &str) -> Result<String, String> {
    HostPattern::parse(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn custom_header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write NAME: VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
