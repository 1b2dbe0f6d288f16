//! Settings from aws-config: its default chain, or an `SdkConfig` that a program has already.

use aws_config::{BehaviorVersion, SdkConfig};

use super::builder::SignerBuilder;
use super::signer::Signer;
use crate::error::{BuildError, BuildErrorKind};

impl SignerBuilder {
    /// Sets the AWS SDK's default credentials chain as the source of credentials, and of the region for hosts from which
    /// none can be inferred.
    ///
    /// Credentials are looked up in the environment, the shared files' profile (static keys, roles to assume, SSO,
    /// processes), a web identity token, a container's and an EC2 instance's metadata service, in this order, and cached
    /// by the signer. They are loaded with the first request, which fails if they cannot be loaded. Without a region, a
    /// request to a host from which none can be inferred is an error of kind
    /// [`ScopeUnknown`](crate::ErrorKind::ScopeUnknown).
    ///
    /// Where no region is set, the chain asks EC2's metadata service for one, and waits some seconds for it outside EC2:
    /// set `AWS_REGION`, or `AWS_EC2_METADATA_DISABLED=true`.
    ///
    /// A login session of the AWS CLI (`aws login`) needs the feature `credentials-login` of aws-config, which a program
    /// turns on by depending on it.
    ///
    /// [`Signer::from_default_chain`] does this and builds the signer. Other sources of credentials are
    /// [`credentials`](Self::credentials), [`credentials_from_env`](Self::credentials_from_env) and
    /// [`sdk_config`](Self::sdk_config); the last one that is set is used.
    ///
    /// ```no_run
    /// use sigv4_middleware::Signer;
    ///
    /// # async fn example() -> Result<(), sigv4_middleware::BuildError> {
    /// let signer = Signer::builder().default_chain().await.service("execute-api").build()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # AWS documentation
    /// AWS SDKs and Tools Reference Guide: ["AWS SDKs and Tools standardized credential providers"][providers].
    ///
    /// [providers]: https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
    pub async fn default_chain(self) -> Self {
        let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
        self.sdk_config(&config)
    }

    /// Takes over the settings of an `SdkConfig`: its credentials provider, its region (for hosts from which none can be
    /// inferred), its time source, and whether clock skew is corrected.
    ///
    /// An `SdkConfig`'s provider is not cached (each SDK client caches for itself), so leave
    /// [`cache_credentials`](Self::cache_credentials) at its default. Endpoint URLs, timeouts and retries are not taken
    /// over, and no host is allowed by them.
    ///
    /// Other sources of credentials are [`default_chain`](Self::default_chain), which loads an `SdkConfig` with the SDK's
    /// defaults, [`credentials_from_env`](Self::credentials_from_env) and [`credentials`](Self::credentials).
    ///
    /// ```
    /// use aws_config::BehaviorVersion;
    /// use sigv4_middleware::Signer;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let config = aws_config::defaults(BehaviorVersion::latest()).profile_name("orders").load().await;
    /// let signer = Signer::builder().sdk_config(&config).service("execute-api").build()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`build`](Self::build) fails with [`BuildErrorKind::MissingCredentials`] if the config has no credentials provider.
    pub fn sdk_config(mut self, config: &SdkConfig) -> Self {
        let Some(provider) = config.credentials_provider() else {
            self.error = Some(BuildError::new(
                BuildErrorKind::MissingCredentials,
                "the SdkConfig has no credentials provider; load it without no_credentials(), or give it one",
            ));
            return self;
        };
        let mut builder = self.credentials(provider);
        // As in `AWS_REGION=`, which sets no region.
        if let Some(region) = config.region().filter(|region| !region.as_ref().is_empty()) {
            builder = builder.default_region(region.to_string());
        }
        if let Some(time_source) = config.time_source() {
            builder = builder.time_source(time_source);
        }
        if let Some(disabled) = config.disable_clock_skew_correction() {
            builder = builder.clock_skew_correction(!disabled);
        }
        builder
    }
}

impl Signer {
    /// A signer with the AWS SDK's default credentials chain and region: environment, profiles, SSO, web identity,
    /// containers, EC2.
    ///
    /// The same as `Signer::builder().default_chain().await.build()`; see
    /// [`default_chain`](SignerBuilder::default_chain) for what is looked up, and use it where further settings are
    /// needed, such as those that error messages name. [`Signer::from_env`] reads the environment alone, and
    /// [`sdk_config`](SignerBuilder::sdk_config) takes an `SdkConfig` that a program has already.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), sigv4_middleware::BuildError> {
    /// let signer = sigv4_middleware::Signer::from_default_chain().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// - [`BuildErrorKind::MissingCredentials`]: the chain has no credentials provider.
    /// - [`BuildErrorKind::InvalidValue`]: the region has characters that a credential scope cannot carry.
    ///
    /// # AWS documentation
    /// AWS SDKs and Tools Reference Guide: ["AWS SDKs and Tools standardized credential providers"][providers].
    ///
    /// [providers]: https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
    pub async fn from_default_chain() -> Result<Self, BuildError> {
        Self::builder().default_chain().await.build()
    }
}
