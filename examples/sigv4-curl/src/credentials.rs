//! Where credentials come from: the default chain or a profile, and a role that is assumed with them.

use std::io::Write;
use std::sync::Mutex;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::default_provider::region::DefaultRegionChain;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::ProvideRegion;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_sts::error::{DisplayErrorContext, ProvideErrorMetadata};
use sigv4_middleware::Endpoint;

use crate::args::SigningArgs;
use crate::failure::Failure;

/// STS's global endpoint is in this region.
pub(crate) const STS_REGION: &str = "us-east-1";

/// The configuration of the AWS SDK with the credentials to sign with.
pub(crate) struct Identity {
    pub(crate) config: SdkConfig,
    pub(crate) provider: SharedCredentialsProvider,
    /// Where they come from, for people.
    pub(crate) source: String,
}

impl Identity {
    /// Credentials are loaded with the first request; only the code of an MFA device is asked for now.
    pub(crate) async fn from_args(
        args: &SigningArgs,
        host: Option<&str>,
        stdin_is_body: bool,
    ) -> Result<Self, Failure> {
        let region = region(args, host).await;
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        // None, too: the loader would look for one again.
        loader = loader.region(region.clone());
        if let Some(profile) = &args.profile {
            loader = loader.profile_name(profile);
        }
        let (mut provider, mut source) = match &args.profile {
            // The environment's keys do not take precedence over a profile that is named, as with the AWS CLI.
            Some(profile) => {
                let mut builder = ProfileFileCredentialsProvider::builder().profile_name(profile);
                let config =
                    aws_config::provider_config::ProviderConfig::default().with_region(region.clone());
                builder = builder.configure(&config);
                (SharedCredentialsProvider::new(builder.build()), format!("profile {profile}"))
            }
            None => {
                let mut builder = DefaultCredentialsChain::builder();
                if let Some(region) = &region {
                    builder = builder.region(region.clone());
                }
                (SharedCredentialsProvider::new(builder.build().await), from_environment())
            }
        };
        let config = loader.credentials_provider(provider.clone()).load().await;
        if let Some(role) = &args.role_arn {
            source = format!("role {role}, assumed with the credentials of: {source}");
            provider = SharedCredentialsProvider::new(AssumedRole::new(args, role, &config, stdin_is_body)?);
        }
        Ok(Self { config, provider, source })
    }
}

/// What the default chain finds first, as far as it can be told without looking.
fn from_environment() -> String {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let profile = std::env::var("AWS_PROFILE").unwrap_or_else(|_| "default".to_owned());
    match () {
        () if set("AWS_ACCESS_KEY_ID") && !(set("AWS_SECRET_ACCESS_KEY") || set("SECRET_ACCESS_KEY")) => {
            "the default chain; AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not".to_owned()
        }
        () if set("AWS_ACCESS_KEY_ID") => "the environment (AWS_ACCESS_KEY_ID)".to_owned(),
        () if set("AWS_PROFILE") => format!("profile {profile} (AWS_PROFILE)"),
        () if set("AWS_WEB_IDENTITY_TOKEN_FILE") => {
            "the default profile, or the web identity of AWS_WEB_IDENTITY_TOKEN_FILE".to_owned()
        }
        () if set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || set("AWS_CONTAINER_CREDENTIALS_FULL_URI") => {
            "the default profile, or the container's endpoint".to_owned()
        }
        () => "the default chain: environment, default profile, web identity, container, EC2".to_owned(),
    }
}

/// How credentials were found, by what their provider says of them.
pub(crate) fn feature(keys: &Credentials) -> Option<&'static str> {
    use AwsCredentialFeature as Feature;
    let features = keys.get_property::<Vec<Feature>>()?;
    features.iter().find_map(|feature| {
        Some(match feature {
            Feature::CredentialsSso | Feature::CredentialsProfileSso => "single sign-on",
            Feature::CredentialsProcess | Feature::CredentialsProfileProcess => "a process",
            Feature::CredentialsHttp => "a container's endpoint",
            Feature::CredentialsImds => "the EC2 instance's metadata service",
            Feature::CredentialsEnvVarsStsWebIdToken
            | Feature::CredentialsProfileStsWebIdToken
            | Feature::CredentialsStsAssumeRoleWebId => "a web identity",
            Feature::CredentialsStsAssumeRole => "a role of the profile",
            Feature::CredentialsProfile => "keys of the profile",
            _ => return None,
        })
    })
}

/// The region of the command line, the environment, the profile or, where none can be inferred from the host, EC2's
/// metadata service, which is slow to find out that it is not there.
async fn region(args: &SigningArgs, host: Option<&str>) -> Option<Region> {
    if let Some(region) = &args.region {
        return Some(Region::new(region.clone()));
    }
    let mut profile = ProfileFileRegionProvider::builder();
    if let Some(name) = &args.profile {
        profile = profile.profile_name(name);
    }
    let found = match EnvironmentVariableRegionProvider::new().region().await {
        Some(region) if !region.as_ref().is_empty() => Some(region),
        _ => profile.build().region().await,
    };
    let inferred = host
        .and_then(|host| Endpoint::infer(host).ok())
        .and_then(|endpoint| endpoint.region().map(|region| Region::new(region.to_owned())));
    // The environment's may be set to nothing.
    match found.filter(|region| !region.as_ref().is_empty()).or(inferred) {
        Some(region) => Some(region),
        None => {
            let found = DefaultRegionChain::builder().build().region().await;
            found.filter(|region| !region.as_ref().is_empty())
        }
    }
}

/// Credentials of a role, by STS AssumeRole.
#[derive(Debug)]
struct AssumedRole {
    sts: aws_sdk_sts::Client,
    role_arn: String,
    session_name: String,
    external_id: Option<String>,
    mfa_serial: Option<String>,
    /// Good for one call.
    mfa_code: Mutex<Option<String>>,
}

impl AssumedRole {
    fn new(args: &SigningArgs, role: &str, config: &SdkConfig, stdin_is_body: bool) -> Result<Self, Failure> {
        let mut sts = aws_sdk_sts::config::Builder::from(config);
        if config.region().is_none() {
            sts = sts.region(Region::new(STS_REGION));
        }
        let code = match (&args.mfa_serial, &args.mfa_code) {
            (Some(_), Some(code)) => Some(code.clone()),
            (Some(_), None) if stdin_is_body => {
                return Err(Failure::new(
                    Failure::USAGE,
                    "standard input is the request's body, so it cannot give the MFA code as well; add --mfa-code CODE",
                ));
            }
            (Some(serial), None) => Some(ask_code(serial)?),
            (None, _) => None,
        };
        Ok(Self {
            sts: aws_sdk_sts::Client::from_conf(sts.build()),
            role_arn: role.to_owned(),
            session_name: args.role_session_name.clone(),
            external_id: args.external_id.clone(),
            mfa_serial: args.mfa_serial.clone(),
            mfa_code: Mutex::new(code),
        })
    }

    async fn assume(&self) -> provider::Result {
        let code = self.mfa_code.lock().ok().and_then(|mut code| code.take());
        if self.mfa_serial.is_some() && code.is_none() {
            return Err(CredentialsError::provider_error(
                "the MFA code was used; run the command again with a new one",
            ));
        }
        let call = self.sts.assume_role().role_arn(&self.role_arn).role_session_name(&self.session_name);
        let call = call.set_external_id(self.external_id.clone()).set_serial_number(self.mfa_serial.clone());
        let output = call.set_token_code(code).send().await.map_err(|error| {
            let reason =
                error.message().map_or_else(|| DisplayErrorContext(&error).to_string(), str::to_owned);
            CredentialsError::provider_error(format!("role {} cannot be assumed: {reason}", self.role_arn))
        })?;
        let Some(keys) = output.credentials else {
            return Err(CredentialsError::provider_error("STS returned no credentials"));
        };
        let expiration = (*keys.expiration()).try_into().ok();
        Ok(Credentials::new(
            keys.access_key_id,
            keys.secret_access_key,
            Some(keys.session_token),
            expiration,
            "AssumeRole",
        ))
    }
}

impl ProvideCredentials for AssumedRole {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.assume())
    }
}

/// Asks on standard error, since standard output is the response's, and reads a line of standard input.
fn ask_code(serial: &str) -> Result<String, Failure> {
    eprint!("MFA code for {serial}: ");
    let _ = std::io::stderr().flush();
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    match line.trim() {
        code if read.is_ok() && !code.is_empty() => Ok(code.to_owned()),
        _ => Err(Failure::new(Failure::SIGNING, "no MFA code was given; type it, or add --mfa-code CODE")),
    }
}
