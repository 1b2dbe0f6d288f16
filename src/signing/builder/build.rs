//! From a [`SignerBuilder`] to a [`Signer`]: everything that was set is checked here.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;

use super::SignerBuilder;
use crate::cache::SmallCache;
use crate::clock::{self, Clock};
use crate::credentials::{CachedCredentials, CredentialsSource};
use crate::endpoint::AllowedOrigins;
use crate::env::Env;
use crate::error::{BuildError, BuildErrorKind};
use crate::signing::headers::HeaderPolicy;
use crate::signing::payload::PayloadMode;
use crate::signing::scope;
use crate::signing::signer::{Inner, Signer};

/// How many hosts are cached with their endpoints.
const HOSTS: usize = 64;

impl SignerBuilder {
    /// Builds the signer. Nothing is loaded before the first request.
    ///
    /// ```
    /// use sigv4_middleware::{BuildErrorKind, Signer};
    ///
    /// let error = Signer::builder().region("eu-central-1").build().unwrap_err();
    /// assert_eq!(error.kind(), BuildErrorKind::MissingCredentials);
    /// ```
    ///
    /// # Errors
    /// - [`BuildErrorKind::MissingCredentials`]: no credentials are configured, or the environment has none.
    /// - [`BuildErrorKind::InvalidValue`]: a service, region or region set has characters that a credential scope cannot
    ///   carry, a header cannot be signed, or chunks are smaller than 8 KiB.
    /// - [`BuildErrorKind::InvalidOrigin`]: a host or origin to be allowed is not valid.
    pub fn build(mut self) -> Result<Signer, BuildError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let provider = self.credentials.take().ok_or_else(|| {
            BuildError::new(
                BuildErrorKind::MissingCredentials,
                "no credentials are configured: call .credentials(provider) or .credentials_from_env() on the signer's \
                 builder, or use Signer::disabled() to send requests unsigned",
            )
        })?;
        let scope = &self.settings.scope;
        for region in [&scope.region, &scope.default_region] {
            scope::validate(scope.service.as_deref(), region.as_deref(), scope.region_set.as_deref())
                .map_err(|why| BuildError::new(BuildErrorKind::InvalidValue, why))?;
        }
        if let Some(refusal) = self.settings.headers.named.iter().find_map(HeaderPolicy::refusal) {
            return Err(BuildError::new(BuildErrorKind::InvalidValue, refusal));
        }
        if let PayloadMode::AwsChunked(options) = self.settings.payload
            && let Some(refusal) = options.refusal()
        {
            return Err(BuildError::new(BuildErrorKind::InvalidValue, refusal));
        }
        let mut origins = AllowedOrigins::default();
        if self.loopback_disallowed {
            origins.disallow_loopback();
        }
        self.hosts.iter().try_for_each(|host| origins.allow_host(host))?;
        self.origins.iter().try_for_each(|origin| origins.allow_origin(origin))?;
        let credentials = if self.cache_credentials {
            let cache = CachedCredentials::builder(provider).time_source(self.time_source.clone());
            CredentialsSource::Cached(cache.build())
        } else {
            CredentialsSource::uncached(provider, self.time_source.clone())
        };
        Ok(self.with_sources(credentials, origins))
    }

    /// A signer that signs nothing, see [`Signer::disabled`].
    pub(in crate::signing) fn disabled() -> Signer {
        let nobody = Credentials::new("", "", None, None, "disabled");
        let mut builder = Self::default();
        builder.settings.disabled = true;
        let provider = SharedCredentialsProvider::new(nobody);
        let source = CredentialsSource::uncached(provider, builder.time_source.clone());
        builder.with_sources(source, AllowedOrigins::default())
    }

    fn with_sources(self, credentials: CredentialsSource, origins: AllowedOrigins) -> Signer {
        let correction = self.clock_skew_correction.unwrap_or_else(|| !clock::disabled_by(&Env::process()));
        Signer {
            inner: Arc::new(Inner {
                credentials,
                keys: SmallCache::new(1),
                clock: Arc::new(Clock::new(self.time_source, correction)),
                hosts: SmallCache::new(HOSTS),
                origins,
                settings: self.settings,
                guarded: AtomicBool::new(false),
                logged_disabled: AtomicBool::new(false),
                #[cfg(feature = "blocking")]
                runtime: crate::runtime::LazyRuntime::default(),
            }),
        }
    }
}
