//! A server on loopback with IAM authorization, for tests.

mod canonical_text;
mod clock;
mod parsed_authorization;
mod policy;
mod refusal;
mod response;
mod server;
mod service_rules;
mod style;
mod verify;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource, TimeSource};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use policy::PolicyDenial;
use server::{Config, Fault, MutableState, State};
pub use style::RefusalStyle;
use verify::Key;

/// The default limit of a request body, in bytes.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// A test server on 127.0.0.1 that accepts only requests signed with AWS Signature Version 4, like an API Gateway API with
/// IAM authorization.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// use aws_credential_types::Credentials;
/// use sigv4_middleware::IamGateway;
///
/// let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
/// let gateway = IamGateway::builder().credentials(credentials).region("ap-northeast-1").start().await?;
/// // … call gateway.url() with a client that signs …
/// assert!(gateway.requests().is_empty());
/// # Ok(()) }
/// ```
///
/// It verifies each request as received (target, headers, body; HTTP/1.1, or HTTP/2 without TLS) with aws-sigv4 and
/// not with this crate's own signer, so that a test checks one against the other. It accepts a signature in the
/// `Authorization` header or in a presigned URL, and responds with API Gateway's statuses, `x-amzn-errortype` and JSON
/// message, or in the form of another service ([`refusal_style`](IamGatewayBuilder::refusal_style)):
///
/// | status | `x-amzn-errortype` | when |
/// |---|---|---|
/// | 200 | | the request is authorized; [`respond_with`](Self::respond_with) sets another response |
/// | 403 | `MissingAuthenticationTokenException` | no signature at all, or an unknown [route](IamGatewayBuilder::route) |
/// | 403 | `IncompleteSignatureException` | a malformed `Authorization` header or presigned query |
/// | 403 | `InvalidSignatureException` | wrong signature, scope, signed headers or payload hash; a date more than five minutes off |
/// | 403 | `UnrecognizedClientException` | an unknown access key; a wrong, missing or superfluous session token |
/// | 403 | `ExpiredTokenException` | credentials past their expiry, or that the test [expired](Self::expire) |
/// | 403 | `AccessDeniedException` | a key that the test denied, by [any policy](Self::deny_by) |
/// | 403 | `ForbiddenException` | the [API key](IamGatewayBuilder::api_key) is missing |
/// | 413, 414 | `RequestTooLargeException` | a body over the limit; a target too long for aws-sigv4 |
/// | 501 | `NotImplementedException` | an S3 `STREAMING-…` payload, which the gateway does not decode |
///
/// What must be signed depends on the service, as AWS documents it: `s3`, `s3-outposts`, `s3-object-lambda` and
/// `s3express` encode the path once and require `x-amz-content-sha256`; `aoss` and `vpc-lattice-svcs` require that
/// header; all others normalize the path, encode it twice, and hash the body.
///
/// Where AWS prints the canonical request in its message, so does this server, with `[redacted]` in place of the values
/// of `x-amz-security-token` and other secret headers and parameters, as messages end up in logs.
///
/// Limits: the date must be in `X-Amz-Date` (not `Date`); white space in headers and `/.` in paths are canonicalized as
/// aws-sigv4 does it; the HTTP parser removes a fragment (`#…`) from a target before this server sees it.
///
/// Dropping the gateway stops the server and closes its connections.
///
/// # AWS documentation
/// - IAM User Guide: ["Create a signed AWS API request"][create].
/// - API Gateway Developer Guide: ["Gateway response types for API Gateway"][types].
///
/// [create]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
/// [types]: https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
pub struct IamGateway {
    addr: SocketAddr,
    state: Arc<State>,
    accept_task: JoinHandle<()>,
}

impl IamGateway {
    /// A builder of a gateway for service `execute-api` in region `us-east-1`, without credentials.
    pub fn builder() -> IamGatewayBuilder {
        IamGatewayBuilder {
            credentials: Vec::new(),
            service: "execute-api".to_owned(),
            region: "us-east-1".to_owned(),
            clock_offset: 0,
            time_source: SharedTimeSource::new(SystemTimeSource::new()),
            max_body: MAX_BODY,
            style: RefusalStyle::default(),
            routes: Vec::new(),
            api_key: None,
        }
    }

    /// Starts a gateway with the builder's defaults that accepts these credentials.
    ///
    /// # Errors
    /// An `io::Error` if no port on 127.0.0.1 can be opened.
    pub async fn start(credentials: Credentials) -> io::Result<Self> {
        Self::builder().credentials(credentials).start().await
    }

    /// The gateway's URL: `http://127.0.0.1:PORT`, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The address that the gateway listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Adds credentials, or replaces those with the same access key id. They are neither expired nor denied.
    pub fn add_credentials(&self, credentials: Credentials) {
        insert_key(&mut self.state.mutable().keys, credentials);
    }

    /// Refuses requests signed with this key with `ExpiredTokenException` from now on. Does nothing for an unknown key.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use aws_credential_types::Credentials;
    /// use sigv4_middleware::{IamGateway, SigV4Middleware, Signer};
    ///
    /// let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("token".into()), None, "test");
    /// let gateway = IamGateway::start(credentials.clone()).await?;
    /// let signer =
    ///     Signer::builder().credentials(credentials).service("execute-api").region("us-east-1").build()?;
    /// let client = reqwest_middleware::ClientBuilder::new(sigv4_middleware::reqwest_client().build()?)
    ///     .with(SigV4Middleware::new(signer))
    ///     .build();
    ///
    /// assert_eq!(client.get(gateway.url()).send().await?.status(), 200);
    /// gateway.expire("AKIDEXAMPLE");
    /// assert_eq!(client.get(gateway.url()).send().await?.status(), 403);
    /// assert_eq!(gateway.requests()[1].error_type, Some("ExpiredTokenException"));
    /// # Ok(()) }
    /// ```
    pub fn expire(&self, access_key_id: &str) {
        self.expire_after(0, access_key_id);
    }

    /// Like [`expire`](Self::expire), after this many more authorized requests with the key.
    pub fn expire_after(&self, requests: u64, access_key_id: &str) {
        if let Some(key) = self.state.mutable().keys.get_mut(access_key_id) {
            key.expired = requests == 0;
            key.uses_left = Some(requests);
        }
    }

    /// Refuses requests correctly signed with this key with `AccessDeniedException` from now on. Does nothing for an
    /// unknown key.
    pub fn deny(&self, access_key_id: &str) {
        self.deny_by(access_key_id, PolicyDenial::Implicit);
    }

    /// Like [`deny`](Self::deny), with IAM's message for this policy.
    pub fn deny_by(&self, access_key_id: &str, denial: PolicyDenial) {
        if let Some(key) = self.state.mutable().keys.get_mut(access_key_id) {
            key.denied = Some(denial);
        }
    }

    /// Sets how many seconds the gateway's clock, and the `Date` of its responses, is ahead of its time source; negative if
    /// behind.
    pub fn set_clock_offset(&self, seconds: i64) {
        self.state.mutable().clock_offset = seconds;
    }

    /// Sets the response to authorized requests; `x-amzn-requestid` and `date` are added if it has none.
    pub fn respond_with(&self, response: Response<Bytes>) {
        self.state.mutable().response = response;
    }

    /// Responds to the next `requests` authorized requests with this status and API Gateway's message for it.
    ///
    /// Faults are used in the order in which they were added; a refused request uses none.
    pub fn fail_next(&self, requests: usize, status: StatusCode) {
        self.push_faults(requests, Fault::Fail(status));
    }

    /// Responds to the next `requests` authorized requests with this status, this `Location` and an empty body, in the same
    /// order as [`fail_next`](Self::fail_next).
    pub fn redirect_next(&self, requests: usize, status: StatusCode, location: HeaderValue) {
        self.push_faults(requests, Fault::Redirect(status, location));
    }

    fn push_faults(&self, requests: usize, fault: Fault) {
        self.state.mutable().faults.extend(std::iter::repeat_n(fault, requests));
    }

    /// The requests received so far, each with the status of its response, in the order of the responses.
    ///
    /// They are kept, with their bodies, until [`clear`](Self::clear).
    #[must_use]
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.state.mutable().received.clone()
    }

    /// Removes the recorded requests; credentials, response and faults stay.
    pub fn clear(&self) {
        self.state.mutable().received.clear();
    }
}

impl Drop for IamGateway {
    fn drop(&mut self) {
        self.accept_task.abort();
    }
}

impl fmt::Debug for IamGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Config { service, region, .. } = &self.state.config;
        f.debug_struct("IamGateway")
            .field("addr", &self.addr)
            .field("service", service)
            .field("region", region)
            .finish_non_exhaustive()
    }
}

/// Builder of an [`IamGateway`], made by [`IamGateway::builder`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// use aws_credential_types::Credentials;
/// use http::Method;
/// use sigv4_middleware::{IamGateway, RefusalStyle};
///
/// let gateway = IamGateway::builder()
///     .credentials(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
///     .service("s3")
///     .region("eu-central-1")
///     .refusal_style(RefusalStyle::S3)
///     .route(Method::GET, "/bucket/report.pdf")
///     .clock_offset(-600) // seconds
///     .max_body(1024 * 1024) // bytes
///     .start()
///     .await?;
/// # drop(gateway);
/// # Ok(()) }
/// ```
#[must_use = "call .start() to run the gateway"]
pub struct IamGatewayBuilder {
    credentials: Vec<Credentials>,
    service: String,
    region: String,
    clock_offset: i64,
    time_source: SharedTimeSource,
    max_body: usize,
    style: RefusalStyle,
    routes: Vec<(Method, String)>,
    api_key: Option<String>,
}

impl IamGatewayBuilder {
    /// Adds credentials to accept.
    ///
    /// If they have a session token, a request must send it. If they have an expiry, they are refused as expired when the
    /// gateway's clock reaches it.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials.push(credentials);
        self
    }

    /// Sets the service's signing name; `execute-api` by default.
    pub fn service(mut self, service: impl Into<String>) -> Self {
        self.service = service.into();
        self
    }

    /// Sets the region; `us-east-1` by default.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// Sets how many seconds the gateway's clock is ahead of its time source; 0 by default, negative if behind.
    pub fn clock_offset(mut self, seconds: i64) -> Self {
        self.clock_offset = seconds;
        self
    }

    /// Sets the time source of the gateway's clock; the system's clock by default.
    pub fn time_source(mut self, source: impl TimeSource + 'static) -> Self {
        self.time_source = SharedTimeSource::new(source);
        self
    }

    /// Sets the limit of a request body, in bytes; 64 MiB by default.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets the service whose form refusals are written in; API Gateway's by default.
    pub fn refusal_style(mut self, style: RefusalStyle) -> Self {
        self.style = style;
        self
    }

    /// Adds a route: requests with another method or path than those added are refused with API Gateway's
    /// `Missing Authentication Token`. If no route is added, every method and path is accepted.
    pub fn route(mut self, method: Method, path: impl Into<String>) -> Self {
        self.routes.push((method, path.into()));
        self
    }

    /// Sets an API key that requests have to send in `x-api-key`, besides their signature.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// Opens a port on 127.0.0.1 and serves it on the current tokio runtime until the gateway is dropped.
    ///
    /// # Errors
    /// An `io::Error` if no port can be opened.
    pub async fn start(self) -> io::Result<IamGateway> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let mut keys = HashMap::new();
        for credentials in self.credentials {
            insert_key(&mut keys, credentials);
        }
        let config = Config {
            service: self.service,
            region: self.region,
            max_body: self.max_body,
            time_source: self.time_source,
            style: self.style,
            routes: self.routes,
            api_key: self.api_key,
        };
        let mutable = MutableState {
            keys,
            clock_offset: self.clock_offset,
            response: response::default_response(),
            faults: VecDeque::new(),
            received: Vec::new(),
        };
        let state = Arc::new(State::new(config, mutable));
        let accept_task = tokio::spawn(server::accept(listener, Arc::clone(&state)));
        Ok(IamGateway { addr, state, accept_task })
    }
}

impl fmt::Debug for IamGatewayBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IamGatewayBuilder")
            .field("service", &self.service)
            .field("region", &self.region)
            .field("clock_offset", &self.clock_offset)
            .field("max_body", &self.max_body)
            .finish_non_exhaustive()
    }
}

fn insert_key(keys: &mut HashMap<String, Key>, credentials: Credentials) {
    let id = credentials.access_key_id().to_owned();
    keys.insert(id, Key { credentials, expired: false, denied: None, uses_left: None });
}

/// A request that an [`IamGateway`] received, with the status of the response; returned by [`IamGateway::requests`].
#[derive(Clone)]
#[non_exhaustive]
pub struct ReceivedRequest {
    /// The method.
    pub method: Method,
    /// The request target, path and query, unmodified.
    pub target: String,
    /// HTTP/1.1 or HTTP/2.
    pub version: Version,
    /// The headers; for HTTP/2 `host` is the `:authority`. Secret values are marked sensitive.
    pub headers: HeaderMap,
    /// The body; empty if it was not read to its end.
    pub body: Bytes,
    /// The status of the response.
    pub status: StatusCode,
    /// The `x-amzn-errortype` of the response; `None` if the request was authorized.
    pub error_type: Option<&'static str>,
}

impl ReceivedRequest {
    /// The value of a header as text; `None` if it is missing or not visible ASCII.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Leaves out the query, which may hold a presigned URL's token, the body, and the values of secret headers.
impl fmt::Debug for ReceivedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.target.split('?').next().unwrap_or_default();
        f.debug_struct("ReceivedRequest")
            .field("method", &self.method)
            .field("path", &path)
            .field("version", &self.version)
            .field("headers", &self.headers)
            .field("body_bytes", &self.body.len())
            .field("status", &self.status)
            .field("error_type", &self.error_type)
            .finish()
    }
}
