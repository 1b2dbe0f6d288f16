//! An IAM-authorised endpoint on loopback, for tests.

mod canonical_text;
mod clock;
mod parsed_authorization;
mod profile;
mod response;
mod server;
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

use server::{Fault, Fixed, MutableState, State};
use verify::Key;

/// The largest body taken unless the builder says otherwise: 64 MiB.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// An endpoint on 127.0.0.1 that lets a request in only if it is signed with AWS Signature Version 4, as an API
/// Gateway API does whose authorisation is IAM.
///
/// It checks each request from what came over the wire (target, headers, body; HTTP/1.1, or HTTP/2 without TLS)
/// with aws-sigv4, not with this crate's own signer, so that a test against it says something about both. It takes
/// a signature in the `Authorization` header or in a presigned URL, and answers with API Gateway's statuses,
/// `x-amzn-errortype` and JSON message:
///
/// | status | `x-amzn-errortype` | when |
/// |---|---|---|
/// | 200 | | the request is authorised; the response is [`respond_with`](Self::respond_with)'s |
/// | 403 | `MissingAuthenticationTokenException` | no signature at all |
/// | 403 | `IncompleteSignatureException` | a malformed `Authorization` header or presigned query |
/// | 403 | `InvalidSignatureException` | wrong signature, scope, signed headers or payload hash; a date more than five minutes off |
/// | 403 | `UnrecognizedClientException` | an unknown access key; a session token wrong, missing or too many |
/// | 403 | `ExpiredTokenException` | credentials past their expiry, or [expired](Self::expire) by the test |
/// | 403 | `AccessDeniedException` | a key the test [denied](Self::deny) |
/// | 413, 414 | `RequestTooLargeException` | a body over the limit; a target aws-sigv4 cannot take |
/// | 501 | `NotImplementedException` | an S3 `STREAMING-…` payload, which is not decoded here |
///
/// The service decides what must be signed, as AWS's documents have it: `s3`, `s3-outposts`, `s3-object-lambda` and
/// `s3express` encode the path once and need `x-amz-content-sha256`; `aoss` and `vpc-lattice-svcs` need that header;
/// all others encode the path twice, normalised, and hash the body. Answers are API Gateway's whatever the service.
///
/// Where AWS repeats the canonical request in its message, so does this server, but with the values of
/// `x-amz-security-token` and other secret headers and parameters as `[redacted]`: messages end up in logs.
///
/// Limits: a date must be in `X-Amz-Date` (not `Date`); white space in headers and `/.` in paths are canonicalised
/// aws-sigv4's way; a fragment (`#…`) in a target is cut off by the HTTP parser before this server sees it.
///
/// Dropping it stops the server and its connections.
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
pub struct IamGateway {
    addr: SocketAddr,
    state: Arc<State>,
    accept: JoinHandle<()>,
}

impl IamGateway {
    /// A builder for a gateway of service `execute-api` in region `us-east-1` that knows no credentials yet.
    pub fn builder() -> IamGatewayBuilder {
        IamGatewayBuilder {
            credentials: Vec::new(),
            service: "execute-api".to_owned(),
            region: "us-east-1".to_owned(),
            clock_offset: 0,
            time_source: SharedTimeSource::new(SystemTimeSource::new()),
            max_body: MAX_BODY,
        }
    }

    /// Starts a gateway with the builder's defaults that knows these credentials.
    ///
    /// # Errors
    /// When no loopback port can be opened.
    pub async fn start(credentials: Credentials) -> io::Result<Self> {
        Self::builder().credentials(credentials).start().await
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The address it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Adds credentials, or replaces those of the same access key id; they are neither expired nor denied.
    pub fn add_credentials(&self, credentials: Credentials) {
        insert_key(&mut self.state.mutable().keys, credentials);
    }

    /// From now on requests signed with this key get `ExpiredTokenException`. An unknown key is left unknown.
    pub fn expire(&self, access_key_id: &str) {
        self.expire_after(0, access_key_id);
    }

    /// As [`expire`](Self::expire), after this many more authorised requests with the key.
    pub fn expire_after(&self, requests: u64, access_key_id: &str) {
        if let Some(key) = self.state.mutable().keys.get_mut(access_key_id) {
            key.expired = requests == 0;
            key.uses_left = Some(requests);
        }
    }

    /// From now on requests rightly signed with this key get `AccessDeniedException`. An unknown key is left unknown.
    pub fn deny(&self, access_key_id: &str) {
        if let Some(key) = self.state.mutable().keys.get_mut(access_key_id) {
            key.denied = true;
        }
    }

    /// Sets how many seconds the gateway's clock, and the `Date` it answers with, is ahead of its time source.
    pub fn set_clock_offset(&self, seconds: i64) {
        self.state.mutable().clock_offset = seconds;
    }

    /// Sets the response to authorised requests; `x-amzn-requestid` and `date` are added where it lacks them.
    pub fn respond_with(&self, response: Response<Bytes>) {
        self.state.mutable().response = response;
    }

    /// The next `requests` authorised requests get this status and API Gateway's message for it. Faults are given in
    /// the order they were asked for; requests that are refused use none up.
    pub fn fail_next(&self, requests: usize, status: StatusCode) {
        self.push_faults(requests, Fault::Fail(status));
    }

    /// The next `requests` authorised requests get this status with this `Location` and an empty body.
    pub fn redirect_next(&self, requests: usize, status: StatusCode, location: HeaderValue) {
        self.push_faults(requests, Fault::Redirect(status, location));
    }

    fn push_faults(&self, requests: usize, fault: Fault) {
        self.state.mutable().faults.extend(std::iter::repeat_n(fault, requests));
    }

    /// What was received so far and what was answered, in the order of the answers. All of it, bodies included, is
    /// kept until [`clear`](Self::clear).
    #[must_use]
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.state.mutable().received.clone()
    }

    /// Forgets what was received so far; credentials, response and faults stay.
    pub fn clear(&self) {
        self.state.mutable().received.clear();
    }
}

impl Drop for IamGateway {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

impl fmt::Debug for IamGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fixed { service, region, .. } = &self.state.fixed;
        f.debug_struct("IamGateway")
            .field("addr", &self.addr)
            .field("service", service)
            .field("region", region)
            .finish_non_exhaustive()
    }
}

/// Says what an [`IamGateway`] expects, and starts it.
#[must_use = "a gateway runs only once it is started"]
pub struct IamGatewayBuilder {
    credentials: Vec<Credentials>,
    service: String,
    region: String,
    clock_offset: i64,
    time_source: SharedTimeSource,
    max_body: usize,
}

impl IamGatewayBuilder {
    /// Adds credentials whose signatures are right. Those with a session token need the request to carry it; those
    /// with an expiry are refused as expired once the gateway's clock has reached it.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials.push(credentials);
        self
    }

    /// Sets the service's signing name; `execute-api` if unsaid.
    pub fn service(mut self, service: impl Into<String>) -> Self {
        self.service = service.into();
        self
    }

    /// Sets the region; `us-east-1` if unsaid.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// Sets how many seconds the gateway's clock is ahead of its time source.
    pub fn clock_offset(mut self, seconds: i64) -> Self {
        self.clock_offset = seconds;
        self
    }

    /// Sets where the gateway's clock comes from; the system's clock if unsaid.
    pub fn time_source(mut self, source: impl TimeSource + 'static) -> Self {
        self.time_source = SharedTimeSource::new(source);
        self
    }

    /// Sets the largest body taken, in bytes; 64 MiB if unsaid.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Opens a port on 127.0.0.1 and serves it on the current tokio runtime until the gateway is dropped.
    ///
    /// # Errors
    /// When no port can be opened.
    pub async fn start(self) -> io::Result<IamGateway> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let mut keys = HashMap::new();
        for credentials in self.credentials {
            insert_key(&mut keys, credentials);
        }
        let fixed = Fixed {
            service: self.service,
            region: self.region,
            max_body: self.max_body,
            time_source: self.time_source,
        };
        let mutable = MutableState {
            keys,
            clock_offset: self.clock_offset,
            response: response::default_response(),
            faults: VecDeque::new(),
            received: Vec::new(),
        };
        let state = Arc::new(State::new(fixed, mutable));
        let accept = tokio::spawn(server::accept(listener, Arc::clone(&state)));
        Ok(IamGateway { addr, state, accept })
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
    keys.insert(id, Key { credentials, expired: false, denied: false, uses_left: None });
}

/// A request the gateway received, and what it answered.
#[derive(Clone)]
#[non_exhaustive]
pub struct ReceivedRequest {
    /// The method.
    pub method: Method,
    /// The request target as it came: path and query, every character as on the wire.
    pub target: String,
    /// HTTP/1.1 or HTTP/2.
    pub version: Version,
    /// The headers; over HTTP/2 `host` is the `:authority`. Secret values are marked sensitive.
    pub headers: HeaderMap,
    /// The body; empty where it was not read to its end.
    pub body: Bytes,
    /// The status answered.
    pub status: StatusCode,
    /// The `x-amzn-errortype` answered.
    pub error_type: Option<&'static str>,
}

impl ReceivedRequest {
    /// The value of a header as text; `None` when it is absent or not visible ASCII.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Shows neither the query, which may hold a presigned URL's token, nor the body, nor secret headers.
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
