//! [`ProxyBuilder`].

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http::header::{HeaderName, HeaderValue};
use sigv4_middleware::{PayloadMode, Signer};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::advice::Wording;
use crate::client::{ClientSettings, client};
use crate::error::StartError;
use crate::forward::Forwarder;
use crate::guard::Guard;
use crate::headers::{HeaderRules, NamePattern, refuse_added};
use crate::health::Health;
use crate::memory::Budget;
use crate::metrics::Metrics;
use crate::paths::AllowedPaths;
use crate::policy::Policy;
use crate::proxy::Proxy;
use crate::secret::{Access, Secret};
use crate::server::{Handler, Limits, Server};
use crate::upstream::{Upstream, Upstreams};

/// Configures and starts a [`Proxy`]; made by [`Proxy::builder`].
/// Debug leaves out the secret and the values of headers.
#[derive(Clone)]
#[must_use = "call .start() to run the proxy"]
pub struct ProxyBuilder {
    signer: Signer,
    listen: SocketAddr,
    expose: bool,
    access: Access,
    secret: Option<String>,
    upstreams: Vec<Upstream>,
    upstream_hosts: Vec<String>,
    hosts: Vec<String>,
    page_origins: Vec<String>,
    methods: Vec<Method>,
    paths: Vec<String>,
    stripped_headers: Vec<String>,
    kept_headers: Vec<String>,
    duplicated_headers: Vec<String>,
    added_headers: Vec<(String, String)>,
    stripped_parameters: Vec<String>,
    payload_mode: Option<PayloadMode>,
    max_buffered: u64,
    limits: Limits,
    client: ClientSettings,
    health_path: Option<String>,
    wording: Wording,
}

impl ProxyBuilder {
    pub(crate) fn new(signer: Signer) -> Self {
        Self {
            signer,
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            expose: false,
            access: Access::default(),
            secret: None,
            upstreams: Vec::new(),
            upstream_hosts: Vec::new(),
            hosts: Vec::new(),
            page_origins: Vec::new(),
            methods: Vec::new(),
            paths: Vec::new(),
            stripped_headers: Vec::new(),
            kept_headers: Vec::new(),
            duplicated_headers: Vec::new(),
            added_headers: Vec::new(),
            stripped_parameters: Vec::new(),
            payload_mode: None,
            max_buffered: 256 * 1024 * 1024,
            limits: Limits {
                connections: 1024,
                header_timeout: Duration::from_secs(30),
                idle_timeout: Duration::from_secs(90),
            },
            client: ClientSettings {
                root_certificates: Vec::new(),
                verify_certificates: true,
                connect_to: Vec::new(),
                idle_timeout: Duration::from_secs(40),
                response_timeout: Duration::from_secs(60),
                log_failures: false,
            },
            health_path: None,
            wording: Wording::Library,
        }
    }

    /// Texts are in the terms of the program's options.
    #[cfg(feature = "program")]
    pub(crate) fn for_program(mut self) -> Self {
        self.wording = Wording::Program;
        self
    }

    /// Adds an upstream: a URL, or an [`Upstream`]. One of them may be without a host of its own, for requests that name
    /// the proxy's.
    pub fn upstream(mut self, upstream: impl Into<Upstream>) -> Self {
        self.upstreams.push(upstream.into());
        self
    }

    /// Sends requests whose Host is this name, or ends like it (`*.s3.eu-west-1.amazonaws.com`), to that host by https.
    pub fn upstream_host(mut self, pattern: impl Into<String>) -> Self {
        self.upstream_hosts.push(pattern.into());
        self
    }

    /// Where to listen; by default a free port of 127.0.0.1.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Whether to listen on an address that other machines can reach; `false` by default: an error.
    pub fn expose(mut self, expose: bool) -> Self {
        self.expose = expose;
        self
    }

    /// Who may use the proxy; [`Access::SecretPath`] by default.
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// The secret of [`access`](Self::access): 16 or more letters, digits and `-._~`. A random one by default.
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secret = Some(secret.into());
        self
    }

    /// Adds a host that requests may name, `name` or `name:port`, besides the listen address and loopback.
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(host.into());
        self
    }

    /// Adds the origin of web pages that may send requests, and read the responses as far as the upstream allows it.
    pub fn allow_page_origin(mut self, origin: impl Into<String>) -> Self {
        self.page_origins.push(origin.into());
        self
    }

    /// Adds a method to pass on; all but CONNECT and TRACE by default.
    pub fn allow_method(mut self, method: Method) -> Self {
        self.methods.push(method);
        self
    }

    /// Adds a path to pass on, with everything below it; all by default.
    ///
    /// Paths are compared as a server reads them, with escapes decoded. If there is a list, a path that servers read in
    /// different ways is refused: with dot segments in any spelling, empty segments, escaped slashes, backslashes, or
    /// escapes of escapes.
    pub fn allow_path(mut self, path: impl Into<String>) -> Self {
        self.paths.push(path.into());
        self
    }

    /// Adds a header to remove from requests, by its name or a prefix (`x-amz-meta-*`).
    pub fn strip_header(mut self, name: impl Into<String>) -> Self {
        self.stripped_headers.push(name.into());
        self
    }

    /// Adds a header to pass on of those by which some servers take another method or path than the request's, such as
    /// `x-http-method-override` and `x-original-url`. They are removed by default.
    pub fn keep_header(mut self, name: impl Into<String>) -> Self {
        self.kept_headers.push(name.into());
        self
    }

    /// Adds a header to copy to `x-original-NAME`, such as `authorization`, which is removed itself.
    pub fn duplicate_header(mut self, name: impl Into<String>) -> Self {
        self.duplicated_headers.push(name.into());
        self
    }

    /// Adds a header to every request, in place of the client's.
    pub fn add_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.added_headers.push((name.into(), value.into()));
        self
    }

    /// Adds a query parameter to remove from requests.
    pub fn strip_parameter(mut self, name: impl Into<String>) -> Self {
        self.stripped_parameters.push(name.into());
        self
    }

    /// How bodies are hashed and sent, in place of the signer's payload mode. `AwsChunked` applies to PUT requests.
    pub fn payload_mode(mut self, mode: PayloadMode) -> Self {
        self.payload_mode = Some(mode);
        self
    }

    /// The most bytes of request bodies that are held in memory together; 256 MiB by default. Requests beyond are refused
    /// with status 503 and `Retry-After`. The signer's `body_limit` is for each body.
    pub fn max_buffered(mut self, bytes: u64) -> Self {
        self.max_buffered = bytes;
        self
    }

    /// The most connections of clients at once; 1024 by default. Requests on others are refused with status 503 and
    /// `Retry-After`.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.limits.connections = connections;
        self
    }

    /// How long a client may take to send a request's head; 30 seconds by default.
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.limits.header_timeout = timeout;
        self
    }

    /// How long a client's connection may have no request; 90 seconds by default.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.limits.idle_timeout = timeout;
        self
    }

    /// How long a connection to an upstream is kept without a request; 40 seconds by default.
    pub fn upstream_idle_timeout(mut self, timeout: Duration) -> Self {
        self.client.idle_timeout = timeout;
        self
    }

    /// How long an upstream may take to begin its response; 60 seconds by default.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.client.response_timeout = timeout;
        self
    }

    /// Adds certificate authorities, in PEM form, to trust besides the system's.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.client.root_certificates.push(pem.into());
        self
    }

    /// Whether any certificate of an upstream is accepted; `false` by default.
    ///
    /// Whoever is on the network path can then read and change requests and responses, and read the session token.
    pub fn danger_accept_invalid_certificates(mut self, accept: bool) -> Self {
        self.client.verify_certificates = !accept;
        self
    }

    /// Whether responses with a status of 400 or more are logged with the beginning of their bodies; `false` by default.
    ///
    /// The request's token and signature are left out. What else a service repeats of a request is not.
    pub fn log_failed_requests(mut self, log: bool) -> Self {
        self.client.log_failures = log;
        self
    }

    /// A path on which the proxy responds itself: 200 if requests can be signed, 503 if there are no credentials or it is
    /// ending. Whoever can connect may ask, with any Host and without the secret. None by default.
    pub fn health_path(mut self, path: impl Into<String>) -> Self {
        self.health_path = Some(path.into());
        self
    }

    /// Opens the port and serves it on the current tokio runtime.
    ///
    /// # Errors
    /// For settings that are not valid, and if the port cannot be opened. The message says which and what to do.
    pub async fn start(self) -> Result<Proxy, StartError> {
        self.start_draining_with(CancellationToken::new()).await
    }

    /// As [`start`](Self::start); the proxy drains once the token is canceled.
    pub(crate) async fn start_draining_with(self, draining: CancellationToken) -> Result<Proxy, StartError> {
        let wording = self.wording;
        self.try_start(draining).await.map_err(|error| error.worded(wording))
    }

    async fn try_start(mut self, draining: CancellationToken) -> Result<Proxy, StartError> {
        if !self.listen.ip().is_loopback() && !self.expose {
            return Err(exposed(self.listen));
        }
        let secret = Secret::new(self.access.clone(), self.secret.take())?;
        let upstreams = Upstreams::new(&self.upstreams, &self.upstream_hosts)?;
        let policy = Policy {
            methods: std::mem::take(&mut self.methods),
            paths: AllowedPaths::new(std::mem::take(&mut self.paths)).map_err(|path| {
                StartError::new(format!(
                    "{path:?} is not a path to allow: begin it with a slash, and write it without dot segments, empty \
                     segments and escaped slashes"
                ))
            })?,
            stripped_parameters: std::mem::take(&mut self.stripped_parameters),
        };
        let headers = self.header_rules()?;
        if self.health_path.as_ref().is_some_and(|path| !path.starts_with('/')) {
            return Err(StartError::new("the health path does not begin with a slash"));
        }
        if !self.client.verify_certificates {
            tracing::warn!(
                target: "signing_proxy",
                "certificates of upstreams are NOT verified: whoever is on the network path can read and change \
                 requests and responses, and read the session token"
            );
        }
        let settings = ClientSettings { connect_to: upstreams.connect_to.clone(), ..self.client.clone() };
        let client = client(self.signer.clone(), settings)?;
        let health = Health::new(self.signer.clone(), &upstreams, draining.clone());

        let (listener, address) = listen(self.listen).await?;
        let guard = Guard {
            listen: address,
            hosts: parsed(&self.hosts)?,
            origins: parsed(&self.page_origins)?,
            upstreams,
        };
        let forwarder = Arc::new(Forwarder {
            guard,
            secret: secret.clone(),
            policy,
            headers,
            payload_mode: self.payload_mode,
            memory: Budget::new(self.max_buffered),
            client,
            health: health.clone(),
            health_path: self.health_path,
            metrics: Metrics::new(),
            wording: self.wording,
        });
        let handler: Handler = Arc::new(move |request| {
            let forwarder = Arc::clone(&forwarder);
            Box::pin(async move { forwarder.respond(request).await })
        });
        let server = Server::start(listener, handler, self.limits, draining, self.wording);
        let base_url = format!("http://{address}{}", secret.path_prefix());
        Ok(Proxy { address, base_url, secret, health, server })
    }

    fn header_rules(&self) -> Result<HeaderRules, StartError> {
        let pattern = |text: &String| NamePattern::parse(text).map_err(StartError::new);
        let duplicated = |text: &String| Ok((name(text)?, name(&format!("x-original-{text}"))?));
        let added = |(header, value): &(String, String)| {
            let header = name(header)?;
            if let Some(refusal) = refuse_added(&header) {
                return Err(StartError::new(refusal));
            }
            // Not shown: it may be a secret.
            let mut value = HeaderValue::from_str(value)
                .map_err(|_| StartError::new(format!("the value of the header {header} is not text")))?;
            value.set_sensitive(true);
            Ok((header, value))
        };
        Ok(HeaderRules {
            stripped: self.stripped_headers.iter().map(pattern).collect::<Result<_, _>>()?,
            kept: self.kept_headers.iter().map(|text| name(text)).collect::<Result<_, _>>()?,
            duplicated: self.duplicated_headers.iter().map(duplicated).collect::<Result<_, _>>()?,
            added: self.added_headers.iter().map(added).collect::<Result<_, _>>()?,
        })
    }
}

fn name(text: &str) -> Result<HeaderName, StartError> {
    text.parse().map_err(|_| StartError::new(format!("{text:?} is not the name of a header")))
}

fn parsed<T: std::str::FromStr<Err = String>>(texts: &[String]) -> Result<Vec<T>, StartError> {
    texts.iter().map(|text| text.parse().map_err(StartError::new)).collect()
}

/// The error for a listen address that other machines can reach.
fn exposed(listen: SocketAddr) -> StartError {
    StartError::new(format!(
        "{listen} is not a loopback address: whoever can reach it could make requests with the AWS credentials of this \
         program. Listen on 127.0.0.1:{port}, or add .expose(true) if that is intended, and .allow_host(\"NAME\") for each \
         name or address that clients call it by",
        port = listen.port()
    ))
}

pub(crate) async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let error = |error| StartError::with_source(format!("cannot listen on {address}"), error);
    let listener = TcpListener::bind(address).await.map_err(error)?;
    let address = listener.local_addr().map_err(error)?;
    Ok((listener, address))
}

/// Without the secret, and the values of headers, which may be secret too.
impl fmt::Debug for ProxyBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let added: Vec<&str> = self.added_headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("ProxyBuilder")
            .field("listen", &self.listen)
            .field("access", &self.access)
            .field("upstreams", &self.upstreams)
            .field("upstream_hosts", &self.upstream_hosts)
            .field("hosts", &self.hosts)
            .field("page_origins", &self.page_origins)
            .field("methods", &self.methods)
            .field("paths", &self.paths)
            .field("added_headers", &added)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
