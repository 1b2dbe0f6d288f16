//! [`SignerBuilder`].

mod build;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource, TimeSource};
use http::HeaderName;

use super::settings::Settings;
use super::signer::Signer;
use crate::credentials::{self, EnvironmentCredentials};
use crate::env::Env;
use crate::error::{BuildError, BuildErrorKind};
use crate::signing::payload::PayloadMode;
use crate::signing::signing_settings::SigningSettings;
use crate::signing::target::PlusInQuery;

/// Builder of a [`Signer`], made by [`Signer::builder`].
///
/// Only credentials have to be set. Each setter replaces what was set before, except [`allow_host`](Self::allow_host),
/// [`allow_origin`](Self::allow_origin) and [`sign_header`](Self::sign_header), which add. Values are checked by
/// [`build`](Self::build).
///
/// | to set | call |
/// |---|---|
/// | credentials | [`credentials`](Self::credentials), [`credentials_from_env`](Self::credentials_from_env), [`cache_credentials`](Self::cache_credentials) |
/// | service and region | [`service`](Self::service), [`region`](Self::region), [`default_region`](Self::default_region), [`region_set`](Self::region_set), [`scope_overrides_host`](Self::scope_overrides_host) |
/// | hosts to sign for | [`allow_host`](Self::allow_host), [`allow_origin`](Self::allow_origin), [`pass_through_disallowed_origins`](Self::pass_through_disallowed_origins), [`disallow_loopback`](Self::disallow_loopback) |
/// | headers and query | [`sign_header`](Self::sign_header), [`sign_all_headers`](Self::sign_all_headers), [`replace_authorization`](Self::replace_authorization), [`allow_host_mismatch`](Self::allow_host_mismatch), [`plus_in_query`](Self::plus_in_query) |
/// | bodies | [`payload_mode`](Self::payload_mode), [`body_limit`](Self::body_limit), [`body_timeout`](Self::body_timeout), [`allow_unsigned_over_http`](Self::allow_unsigned_over_http), [`signing_settings`](Self::signing_settings) |
/// | clock and retries | [`time_source`](Self::time_source), [`clock_skew_correction`](Self::clock_skew_correction), [`retry_on_auth_error`](Self::retry_on_auth_error) |
/// | diagnosis | [`record_signing_details`](Self::record_signing_details) |
///
/// ```
/// use std::time::Duration;
/// use sigv4_middleware::{Credentials, Signer};
///
/// let signer = Signer::builder()
///     .credentials(Credentials::new("AKIDEXAMPLE", "secret", None, None, "static"))
///     .service("execute-api")
///     .region("ap-northeast-1")
///     .allow_host("api.example.com")
///     .body_limit(64 * 1024 * 1024)
///     .build()?;
/// # Ok::<(), sigv4_middleware::BuildError>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until .build() is called"]
pub struct SignerBuilder {
    credentials: Option<SharedCredentialsProvider>,
    /// Why the last source of credentials that was set has none.
    pub(super) error: Option<BuildError>,
    cache_credentials: bool,
    time_source: SharedTimeSource,
    clock_skew_correction: Option<bool>,
    hosts: Vec<String>,
    origins: Vec<String>,
    loopback_disallowed: bool,
    settings: Settings,
}

impl Signer {
    /// A builder of a signer. Only credentials have to be set.
    ///
    /// ```
    /// use sigv4_middleware::{Credentials, Signer};
    ///
    /// let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "static");
    /// let signer = Signer::builder().credentials(credentials).build()?;
    /// # Ok::<(), sigv4_middleware::BuildError>(())
    /// ```
    pub fn builder() -> SignerBuilder {
        SignerBuilder::default()
    }

    /// A signer with the credentials of the environment, as a Lambda function has them.
    ///
    /// Reads `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`. Service and region are inferred from each
    /// request's host; for hosts from which no region can be, it is that of `AWS_REGION`, then `AWS_DEFAULT_REGION`.
    ///
    /// The same as `Signer::builder().credentials_from_env().build()`, which takes further settings, such as those that
    /// errors name: see [`credentials_from_env`](SignerBuilder::credentials_from_env). With feature `aws-config`,
    /// `Signer::from_default_chain().await` also finds credentials in profiles, SSO, containers and EC2.
    ///
    /// ```no_run
    /// let signer = sigv4_middleware::Signer::from_env()?;
    /// # Ok::<(), sigv4_middleware::BuildError>(())
    /// ```
    ///
    /// # Errors
    /// - [`BuildErrorKind::MissingCredentials`](crate::BuildErrorKind::MissingCredentials): the environment has no access
    ///   key id or no secret access key.
    /// - [`BuildErrorKind::InvalidValue`](crate::BuildErrorKind::InvalidValue): the environment's region has characters that
    ///   a credential scope cannot carry.
    ///
    /// # AWS documentation
    /// AWS SDKs and Tools Reference Guide: ["AWS access keys"][keys] and ["AWS Region"][region].
    ///
    /// [keys]: https://docs.aws.amazon.com/sdkref/latest/guide/feature-static-credentials.html
    /// [region]: https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html
    pub fn from_env() -> Result<Self, BuildError> {
        Self::builder().credentials_from_env().build()
    }

    /// A signer that signs nothing: every request is sent unchanged and unsigned.
    ///
    /// For development without AWS, with the same types: `if local { Signer::disabled() } else { Signer::from_env()? }`.
    /// It needs no credentials and no tokio runtime, adds no header and refuses nothing. URLs to be presigned come back
    /// unchanged. The first request is logged at WARN.
    ///
    /// ```
    /// use sigv4_middleware::Signer;
    ///
    /// let signer = Signer::disabled();
    /// assert!(signer.is_disabled());
    /// ```
    #[must_use]
    pub fn disabled() -> Self {
        SignerBuilder::disabled()
    }
}

impl Default for SignerBuilder {
    fn default() -> Self {
        Self {
            credentials: None,
            error: None,
            cache_credentials: true,
            time_source: SharedTimeSource::new(SystemTimeSource::new()),
            clock_skew_correction: None,
            hosts: Vec::new(),
            origins: Vec::new(),
            loopback_disallowed: false,
            settings: Settings::default(),
        }
    }
}

impl SignerBuilder {
    /// Sets the credentials provider: static [`Credentials`](crate::Credentials), any provider of the AWS SDK, or your
    /// own [`ProvideCredentials`](crate::ProvideCredentials).
    ///
    /// The signer caches the credentials and refreshes them before they expire, see
    /// [`CachedCredentials`](crate::CachedCredentials).
    ///
    /// ```
    /// use sigv4_middleware::{Credentials, ProvideCredentials, Signer, provider::{self, future}};
    ///
    /// #[derive(Debug)]
    /// struct Vault;
    ///
    /// impl Vault {
    ///     async fn load(&self) -> provider::Result {
    ///         // … ask the store …
    ///         Ok(Credentials::new("AKIDEXAMPLE", "secret", None, None, "vault"))
    ///     }
    /// }
    ///
    /// impl ProvideCredentials for Vault {
    ///     fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    ///     where
    ///         Self: 'a,
    ///     {
    ///         future::ProvideCredentials::new(self.load())
    ///     }
    /// }
    ///
    /// let signer = Signer::builder().credentials(Vault).build()?;
    /// # Ok::<(), sigv4_middleware::BuildError>(())
    /// ```
    pub fn credentials(mut self, provider: impl ProvideCredentials + 'static) -> Self {
        self.credentials = Some(SharedCredentialsProvider::new(provider));
        self.error = None;
        self
    }

    /// Sets whether the signer caches credentials; `true` by default.
    ///
    /// Set `false` for a provider that has its own cache: it is then called for every request.
    pub fn cache_credentials(mut self, cache: bool) -> Self {
        self.cache_credentials = cache;
        self
    }

    /// Sets the environment as the source of credentials (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
    /// `AWS_SESSION_TOKEN`) and of the default region (`AWS_REGION`, then `AWS_DEFAULT_REGION`).
    ///
    /// [`Signer::from_env`] does this and builds the signer. With feature `aws-config`, `.default_chain().await` also finds
    /// credentials in profiles, SSO, containers and EC2, and `.sdk_config(&config)` takes those of an `SdkConfig`; any
    /// other provider is set by [`credentials`](Self::credentials). The last one that is set is used.
    ///
    /// ```no_run
    /// use sigv4_middleware::Signer;
    ///
    /// let signer = Signer::builder().credentials_from_env().allow_host("api.example.com").build()?;
    /// # Ok::<(), sigv4_middleware::BuildError>(())
    /// ```
    ///
    /// # Errors
    /// [`build`](Self::build) fails with [`BuildErrorKind::MissingCredentials`] if key id or secret is missing or empty.
    ///
    /// # AWS documentation
    /// AWS SDKs and Tools Reference Guide: ["AWS access keys"][keys] and ["AWS Region"][region].
    ///
    /// [keys]: https://docs.aws.amazon.com/sdkref/latest/guide/feature-static-credentials.html
    /// [region]: https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html
    pub fn credentials_from_env(self) -> Self {
        self.credentials_from(&Env::process())
    }

    fn credentials_from(mut self, env: &Env) -> Self {
        let provider = EnvironmentCredentials::from_env(env.clone());
        if let Err(error) = provider.load() {
            let why =
                std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            let mut message = format!("no credentials in the environment: {why}");
            // With a profile, the reason says what to do.
            if env.text("AWS_PROFILE").is_none() {
                message.push_str(
                    "; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, give a provider by .credentials(…), turn on the \
                     feature aws-config for Signer::from_default_chain().await, or use Signer::disabled() to send \
                     requests unsigned",
                );
            }
            self.error = Some(BuildError::with_source(BuildErrorKind::MissingCredentials, message, error));
            return self;
        }
        let region = credentials::region_from_env(env);
        let builder = self.credentials(provider);
        match region {
            Some(region) => builder.default_region(region),
            None => builder,
        }
    }

    /// Sets the service's signing name (`execute-api`, `s3`, `es`, …) for every request.
    ///
    /// Needed for hosts from which it cannot be inferred, such as custom domains. A request to a host of another service
    /// is an error, unless [`scope_overrides_host`](Self::scope_overrides_host) is set.
    ///
    /// ```
    /// # use sigv4_middleware::{Credentials, Signer};
    /// # let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "static");
    /// let signer = Signer::builder()
    ///     .credentials(credentials)
    ///     .service("execute-api")
    ///     .region("eu-central-1")
    ///     .allow_host("orders.example.com")
    ///     .build()?;
    /// # Ok::<(), sigv4_middleware::BuildError>(())
    /// ```
    pub fn service(mut self, service: impl Into<Cow<'static, str>>) -> Self {
        self.settings.scope.service = Some(service.into());
        self
    }

    /// Sets the region (`eu-central-1`, …) for every request.
    ///
    /// Needed for hosts from which it cannot be inferred. A request to a host of another region is an error, unless
    /// [`scope_overrides_host`](Self::scope_overrides_host) is set; see [`default_region`](Self::default_region) for one
    /// that gives way to the host's.
    pub fn region(mut self, region: impl Into<Cow<'static, str>>) -> Self {
        self.settings.scope.region = Some(region.into());
        self
    }

    /// Sets the region set for every request, which is then signed with SigV4a instead of SigV4.
    ///
    /// A region set is a list of regions separated by commas, each of which may contain `*`: `us-east-1,eu-*`, or `*` for
    /// every region. Needs feature `sigv4a`; without it every request is an error of kind
    /// [`ErrorKind::ScopeInvalid`](crate::ErrorKind::ScopeInvalid). Not needed for hosts that take SigV4a only, such as S3's
    /// Multi-Region Access Points: their region set is inferred.
    ///
    /// # AWS documentation
    /// IAM User Guide: ["Elements of an AWS API request signature"][elements].
    ///
    /// [elements]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html
    pub fn region_set(mut self, region_set: impl Into<Cow<'static, str>>) -> Self {
        self.settings.scope.region_set = Some(region_set.into());
        self
    }

    /// Sets the region for hosts from which none can be inferred; requests to all other hosts are signed for the host's
    /// region.
    pub fn default_region(mut self, region: impl Into<Cow<'static, str>>) -> Self {
        self.settings.scope.default_region = Some(region.into());
        self
    }

    /// Sets whether the configured service and region are used even if the host belongs to another; `false` by default:
    /// the contradiction is an error of kind [`ErrorKind::ScopeInvalid`](crate::ErrorKind::ScopeInvalid).
    pub fn scope_overrides_host(mut self, overrides_host: bool) -> Self {
        self.settings.scope.overrides_host = overrides_host;
        self
    }

    /// Adds a host that https requests may be signed for, besides AWS's services and loopback: `api.example.com`, with a
    /// port `api.example.com:8443`, or `*.internal.example.com` for all names below one.
    ///
    /// ```
    /// # use sigv4_middleware::{BuildErrorKind, Credentials, Signer};
    /// # let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "static");
    /// let builder = Signer::builder().credentials(credentials);
    /// let signer = builder.clone().allow_host("*.internal.example.com").allow_origin("http://minio:9000").build()?;
    ///
    /// let error = builder.allow_host("https://api.example.com/orders").build().unwrap_err();
    /// assert_eq!(error.kind(), BuildErrorKind::InvalidOrigin);
    /// # Ok::<(), sigv4_middleware::BuildError>(())
    /// ```
    ///
    /// The host's owner gets the request with its body and headers, the access key id and the session token, and a
    /// signature that is good for this request to this host for some minutes. The secret access key is never sent, and
    /// without it the token is of no use.
    ///
    /// # Errors
    /// [`build`](Self::build) fails with [`BuildErrorKind::InvalidOrigin`] for text that is not a host.
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(host.into());
        self
    }

    /// Adds one origin that requests may be signed for: scheme, host and port, such as `http://minio:9000`.
    ///
    /// This is the only way to sign requests over plain http to a host other than loopback. Everyone on the network path
    /// can read such a request.
    ///
    /// # Errors
    /// [`build`](Self::build) fails with [`BuildErrorKind::InvalidOrigin`] for text that is not an origin.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// Sets whether requests to disallowed origins are sent unchanged and unsigned; `false` by default: they are errors of
    /// kind [`ErrorKind::OriginNotAllowed`](crate::ErrorKind::OriginNotAllowed).
    ///
    /// For a client that calls other hosts too. Loopback is allowed by default: add
    /// [`disallow_loopback(true)`](Self::disallow_loopback) to let requests to it pass as well, or give one request
    /// [`SkipSigning`](crate::overrides::SkipSigning).
    pub fn pass_through_disallowed_origins(mut self, pass_through: bool) -> Self {
        self.settings.pass_through_disallowed_origins = pass_through;
        self
    }

    /// Sets whether loopback (`localhost`, 127.0.0.0/8, `::1`) is disallowed as any other host is; `false` by default.
    ///
    /// [`allow_host`](Self::allow_host) and [`allow_origin`](Self::allow_origin) still allow it.
    pub fn disallow_loopback(mut self, disallow: bool) -> Self {
        self.loopback_disallowed = disallow;
        self
    }

    /// Adds a header that is signed if a request has it, besides `host`, `content-type`, `content-md5` and `x-amz-*`, which
    /// always are.
    ///
    /// Clients and proxies often change `content-length`, `cookie`, `user-agent` and the like: add them only if they
    /// arrive unchanged.
    ///
    /// ```
    /// # use sigv4_middleware::{Credentials, Signer};
    /// # let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "static");
    /// let signer = Signer::builder().credentials(credentials).sign_header(http::header::RANGE).build()?;
    /// # Ok::<(), sigv4_middleware::BuildError>(())
    /// ```
    ///
    /// # Errors
    /// [`build`](Self::build) fails with [`BuildErrorKind::InvalidValue`] for a header of the connection, such as
    /// `connection` or `te`, which cannot be signed.
    pub fn sign_header(mut self, name: HeaderName) -> Self {
        self.settings.headers.named.push(name);
        self
    }

    /// Sets whether all headers are signed except those that clients and proxies often change (`user-agent`,
    /// `connection`, `x-forwarded-*`, …); `false` by default.
    pub fn sign_all_headers(mut self, all: bool) -> Self {
        self.settings.headers.all = all;
        self
    }

    /// Sets whether an Authorization header of another scheme, such as a bearer token, is replaced; `false` by default: it
    /// is an error of kind [`ErrorKind::ForeignAuthorization`](crate::ErrorKind::ForeignAuthorization).
    ///
    /// The header of an earlier SigV4 signature is always replaced.
    pub fn replace_authorization(mut self, replace: bool) -> Self {
        self.settings.headers.replace_authorization = replace;
        self
    }

    /// Sets whether a Host header may name another host than the URI, and is signed unchanged; `false` by default: it is
    /// an error of kind [`ErrorKind::HostMismatch`](crate::ErrorKind::HostMismatch).
    ///
    /// This works over HTTP/1.1 only. An HTTP/2 client sends the URI's host as `:authority`, whatever the Host header is,
    /// and the server refuses the signature. To reach a host at another address over HTTP/2 as well, keep the host in the
    /// URI and override its address: by reqwest's `ClientBuilder::resolve("api.example.com", address)`, or by a resolver
    /// of hyper-util's `HttpConnector`. Otherwise keep the client to HTTP/1.1, by reqwest's
    /// `ClientBuilder::http1_only()`.
    ///
    /// ```
    /// # use sigv4_middleware::{Credentials, Signer};
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// # let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "static");
    /// // A tunnel on loopback to a private API.
    /// let signer = Signer::builder()
    ///     .credentials(credentials)
    ///     .service("execute-api")
    ///     .region("eu-west-1")
    ///     .allow_host_mismatch(true)
    ///     .build()?;
    /// let host = "abc123.execute-api.eu-west-1.amazonaws.com";
    /// let request = http::Request::get("http://localhost:8443/prod/orders").header("host", host).body(())?;
    /// let (mut parts, ()) = request.into_parts();
    /// signer.sign(&mut parts, "").await?;
    /// assert_eq!(parts.headers["host"], host);
    /// # Ok(()) }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
    /// ```
    ///
    /// A Host header that only spells the URI's host in another way (upper case, a default port) needs no permission: it
    /// is removed, and the client sends the URI's.
    pub fn allow_host_mismatch(mut self, may_differ: bool) -> Self {
        self.settings.allow_host_mismatch = may_differ;
        self
    }

    /// Sets what a raw `+` in a query means; a space by default. See [`PlusInQuery`].
    pub fn plus_in_query(mut self, plus: PlusInQuery) -> Self {
        self.settings.plus = plus;
        self
    }

    /// Sets how bodies are hashed and sent; [`PayloadMode::Buffered`] by default. A [`PayloadMode`] in a request's
    /// extensions overrides it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use sigv4_middleware::{AwsChunked, Credentials, PayloadMode, Signer};
    ///
    /// # let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "static");
    /// let signer = Signer::builder()
    ///     .credentials(credentials)
    ///     .payload_mode(PayloadMode::AwsChunked(AwsChunked::signed())) // uploads to S3
    ///     .body_limit(1024 * 1024) // other bodies, in bytes
    ///     .body_timeout(Duration::from_secs(10))
    ///     .build()?;
    /// # Ok::<(), sigv4_middleware::BuildError>(())
    /// ```
    ///
    /// # Errors
    /// [`build`](Self::build) fails with [`BuildErrorKind::InvalidValue`] for chunks that are smaller than 8 KiB.
    pub fn payload_mode(mut self, payload: PayloadMode) -> Self {
        self.settings.payload = payload;
        self
    }

    /// Sets whether unsigned payloads may be sent over plain http; `false` by default: they are an error of kind
    /// [`ErrorKind::UnsupportedPayload`](crate::ErrorKind::UnsupportedPayload).
    ///
    /// Everyone on the network path can change such a payload. For tests against a server on loopback.
    pub fn allow_unsigned_over_http(mut self, allow: bool) -> Self {
        self.settings.allow_unsigned_over_http = allow;
        self
    }

    /// Sets the [`SigningSettings`] of every request, in place of those of the service's signing name.
    pub fn signing_settings(mut self, settings: SigningSettings) -> Self {
        self.settings.signing = Some(settings);
        self
    }

    /// Sets the largest body, in bytes, that is held in memory to be hashed or to be sent again; 10 MiB by default.
    ///
    /// A longer body that has to be hashed is an error of kind [`ErrorKind::BodyTooLarge`](crate::ErrorKind::BodyTooLarge).
    pub fn body_limit(mut self, bytes: u64) -> Self {
        self.settings.limits.size = bytes;
        self
    }

    /// Sets how long reading a streaming body into memory may take; 60 seconds by default.
    ///
    /// After that it is an error of kind [`ErrorKind::BodyTimeout`](crate::ErrorKind::BodyTimeout). The client's own
    /// timeouts begin later, when the request is sent.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.settings.limits.timeout = timeout;
        self
    }

    /// Sets the clock that signing dates are read from; the system's clock by default.
    pub fn time_source(mut self, time_source: impl TimeSource + 'static) -> Self {
        self.time_source = SharedTimeSource::new(time_source);
        self
    }

    /// Sets whether the offset of each server's clock is learned from its responses and corrected; `true` by default,
    /// unless the environment has `AWS_DISABLE_CLOCK_SKEW_CORRECTION=true`.
    ///
    /// ```
    /// # use sigv4_middleware::{Credentials, Signer};
    /// # let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "static");
    /// // Signs by the local clock alone, and returns every refusal to the caller.
    /// let signer = Signer::builder()
    ///     .credentials(credentials)
    ///     .clock_skew_correction(false)
    ///     .retry_on_auth_error(false)
    ///     .build()?;
    /// # Ok::<(), sigv4_middleware::BuildError>(())
    /// ```
    ///
    /// Follows the AWS SDKs' common rule of 2026, whose test cases aws-runtime ships as `clock-skew-test-cases.json`.
    pub fn clock_skew_correction(mut self, correct: bool) -> Self {
        self.clock_skew_correction = Some(correct);
        self
    }

    /// Sets whether the integrations sign and send a request once more if the server refused it for its date or for
    /// expired credentials; `true` by default.
    ///
    /// After expired credentials the provider is called for new ones. If it returns the same again, as static credentials
    /// do, the caller gets the refusal. The caller gets any other refusal, too.
    ///
    /// Only a request without a body or with one in memory can be sent again: a body that was read to be hashed; or, in
    /// the modes that send it unchanged, a body of a single frame no longer than [`body_limit`](Self::body_limit). If the
    /// second attempt cannot be made, the caller gets the first response.
    ///
    /// Follows the AWS SDKs' common rules of 2026 for clock skew and for expired credentials.
    pub fn retry_on_auth_error(mut self, retry: bool) -> Self {
        self.settings.retry_on_auth_error = retry;
        self
    }

    /// Sets whether each response of the layer, the middleware and the blocking client has its request's
    /// [`SigningDetails`](crate::SigningDetails) in its extensions; `false` by default.
    ///
    /// `response.diagnose()` compares a refusal with them. They contain no secret. For a request that was sent unsigned, by
    /// [`SkipSigning`](crate::overrides::SkipSigning), they are [empty](crate::SigningDetails::is_empty). They are made when
    /// the response has arrived, from the same date and keys, which takes about as long as signing once more.
    ///
    /// ```
    /// # use sigv4_middleware::{Credentials, SigningDetails, Signer};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "static");
    /// let signer = Signer::builder().credentials(credentials).record_signing_details(true).build()?;
    /// # let response = http::Response::new(());
    /// // … the response of a client that signs with it …
    /// if let Some(details) = response.extensions().get::<SigningDetails>() {
    ///     println!("{details}");
    /// }
    /// # Ok(()) }
    /// ```
    pub fn record_signing_details(mut self, record: bool) -> Self {
        self.settings.record_details = record;
        self
    }
}

/// Leaves out the provider, whose own Debug may show secrets.
impl fmt::Debug for SignerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignerBuilder")
            .field("has_credentials", &self.credentials.is_some())
            .field("error", &self.error)
            .field("cache_credentials", &self.cache_credentials)
            .field("time_source", &self.time_source)
            .field("clock_skew_correction", &self.clock_skew_correction)
            .field("hosts", &self.hosts)
            .field("origins", &self.origins)
            .field("loopback_disallowed", &self.loopback_disallowed)
            .field("settings", &self.settings)
            .finish()
    }
}
