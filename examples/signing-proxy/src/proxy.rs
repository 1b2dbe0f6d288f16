//! [`Proxy`].

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use http::header::{HeaderName, HeaderValue};
use sigv4_middleware::Signer;

use crate::builder::ProxyBuilder;
use crate::error::DrainTimeout;
use crate::health::Health;
use crate::secret::Secret;
use crate::server::Server;

/// A running proxy.
///
/// It runs on the tokio runtime that it was started on. Dropping it cuts off the requests in flight; [`drain`](Self::drain)
/// lets them end.
///
/// ```
/// use signing_proxy::Proxy;
/// use sigv4_middleware::{Credentials, IamGateway, Signer};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let keys = Credentials::new("AKIDEXAMPLE", "secret", None, None, "example");
/// let api = IamGateway::start(keys.clone()).await?;
///
/// let signer = Signer::builder().credentials(keys).service("execute-api").region("us-east-1").build()?;
/// let proxy = Proxy::builder(signer).upstream(api.url()).start().await?;
///
/// // A client that knows nothing of signatures, and only takes a base URL.
/// let client = reqwest::Client::builder().no_proxy().build()?;
/// let response = client.get(format!("{}/orders", proxy.base_url())).send().await?;
/// assert_eq!(response.status(), 200);
/// # Ok(()) }
/// ```
///
/// A client that honors `HTTP_PROXY` may send requests for loopback there, secret and all: turn that off, as here.
pub struct Proxy {
    pub(crate) address: SocketAddr,
    pub(crate) base_url: String,
    pub(crate) secret: Secret,
    pub(crate) health: Health,
    pub(crate) server: Server,
}

impl Proxy {
    /// A builder of a proxy that signs with this signer.
    ///
    /// The signer has to allow the upstreams: AWS's own hosts and loopback it does, others by its builder's `allow_host`.
    pub fn builder(signer: Signer) -> ProxyBuilder {
        ProxyBuilder::new(signer)
    }

    /// `http://127.0.0.1:PORT`, followed by the secret path segment if there is one, without a slash at its end.
    ///
    /// Treat it as a secret: anyone on the machine who has it can make requests with the signer's credentials.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The header that requests must have, with [`Access::SecretHeader`](crate::Access::SecretHeader). Its value is marked
    /// sensitive.
    #[must_use]
    pub fn secret_header(&self) -> Option<(HeaderName, HeaderValue)> {
        self.secret.header()
    }

    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Signs a request to an upstream and throws it away.
    ///
    /// # Errors
    /// Why requests cannot be signed: no credentials, an upstream that the signer does not allow, or whose service and
    /// region are not known.
    pub async fn check(&self) -> Result<(), sigv4_middleware::Error> {
        self.health.try_to_sign().await
    }

    /// Stops listening, and waits for the requests in flight.
    ///
    /// # Errors
    /// If they take longer than `limit`; they are cut off then.
    pub async fn drain(self, limit: Duration) -> Result<(), DrainTimeout> {
        self.server.drain(limit).await
    }
}

/// Leaves out the base URL, which may hold a secret.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("address", &self.address)
            .field("secret", &self.secret)
            .finish_non_exhaustive()
    }
}
