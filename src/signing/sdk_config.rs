//! Settings out of aws-config: its default chain, or an `SdkConfig` that a program has anyway.

use aws_config::{BehaviorVersion, SdkConfig};

use super::builder::SignerBuilder;
use super::signer::Signer;
use crate::error::{BuildError, BuildErrorKind};

impl SignerBuilder {
    /// What an `SdkConfig` has: its credentials provider, its region for hosts that do not tell one, its time source,
    /// and whether clock skew is corrected, where it says so.
    ///
    /// An `SdkConfig`'s provider is not cached (each SDK client caches what it gives for itself), so
    /// [`cache_credentials`](Self::cache_credentials) is to be left as it is. Endpoint URLs, timeouts and retries are not
    /// taken over, and no host is allowed by them.
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
    /// [`BuildErrorKind::MissingCredentials`] where it has no credentials provider.
    pub fn sdk_config(mut self, config: &SdkConfig) -> Self {
        let Some(provider) = config.credentials_provider() else {
            self.error = Some(BuildError::new(
                BuildErrorKind::MissingCredentials,
                "the SdkConfig has no credentials provider; load it without no_credentials(), or give it one",
            ));
            return self;
        };
        let mut builder = self.credentials(provider);
        if let Some(region) = config.region() {
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
    /// A signer with the AWS SDK's default credentials chain and region.
    ///
    /// Credentials are looked for in the environment, the shared files' profile (static keys, roles to assume, SSO,
    /// processes), a web identity token, a container's and an EC2 instance's metadata service, in this order, and cached by
    /// the signer. They are loaded with the first request, so what is wrong with them is that request's error. The region
    /// is for hosts that do not tell one; without any, such a request is an error of kind
    /// [`ScopeUnknown`](crate::ErrorKind::ScopeUnknown).
    ///
    /// Where no region is set, the chain asks EC2's metadata service for one, and waits for it some seconds where there is
    /// none: set `AWS_REGION`, or `AWS_EC2_METADATA_DISABLED=true`.
    ///
    /// A login session of the AWS CLI (`aws login`) needs the feature `credentials-login` of aws-config, which a program
    /// turns on by depending on it.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), sigv4_middleware::BuildError> {
    /// let signer = sigv4_middleware::Signer::from_default_chain().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`BuildErrorKind::InvalidValue`] where the region cannot be signed.
    pub async fn from_default_chain() -> Result<Self, BuildError> {
        let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
        Self::builder().sdk_config(&config).build()
    }
}
