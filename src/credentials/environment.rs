//! Credentials and region from the process environment.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::env::{Env, NotUnicode};

const ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";
const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";
const EXPIRATION: &str = "AWS_CREDENTIAL_EXPIRATION";
const PROFILE: &str = "AWS_PROFILE";

/// Credentials from the environment variables that AWS Lambda, the AWS CLI and every AWS SDK use.
///
/// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` must be set; temporary credentials also need `AWS_SESSION_TOKEN`.
/// `AWS_CREDENTIAL_EXPIRATION` sets the expiry: an RFC 3339 time, which botocore, the JavaScript SDK and aws-vault use as
/// well. A variable that is empty or blank counts as missing, as in aws-config. The variables are read at every call.
/// Profiles (`AWS_PROFILE`) are not read: use `Signer::from_default_chain()` of feature `aws-config`.
///
/// ```
/// use aws_credential_types::provider::ProvideCredentials;
/// use sigv4_middleware::EnvironmentCredentials;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let credentials = EnvironmentCredentials::new().provide_credentials().await?;
/// println!("{}", credentials.access_key_id());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`provide_credentials`](ProvideCredentials::provide_credentials) fails with:
/// - [`CredentialsError::CredentialsNotLoaded`]: a key is missing.
/// - [`CredentialsError::InvalidConfiguration`]: a variable is not Unicode, or the expiry is not a time.
///
/// The source names the variable, never its value.
///
/// # AWS documentation
/// AWS SDKs and Tools Reference Guide: ["AWS access keys"][keys].
///
/// [keys]: https://docs.aws.amazon.com/sdkref/latest/guide/feature-static-credentials.html
#[derive(Clone, Debug)]
pub struct EnvironmentCredentials {
    env: Env,
}

impl EnvironmentCredentials {
    /// A provider that reads the environment of this process.
    #[must_use]
    pub fn new() -> Self {
        Self::from_env(Env::process())
    }

    pub(crate) fn from_env(env: Env) -> Self {
        Self { env }
    }

    pub(crate) fn load(&self) -> provider::Result {
        let mut credentials = Credentials::builder()
            .access_key_id(self.required(ACCESS_KEY_ID)?)
            .secret_access_key(self.required(SECRET_ACCESS_KEY)?)
            .provider_name("Environment");
        credentials.set_session_token(self.optional(SESSION_TOKEN)?.map(|token| token.trim().to_owned()));
        credentials.set_expiry(self.expiry()?);
        Ok(credentials.build())
    }

    fn required(&self, name: &str) -> Result<String, CredentialsError> {
        self.optional(name)?.ok_or_else(|| self.missing(name))
    }

    fn missing(&self, name: &str) -> CredentialsError {
        let mut message = format!("environment variable {name} is not set");
        if let Some(profile) = self.env.text(PROFILE) {
            let feature =
                if cfg!(feature = "aws-config") { "" } else { "turn on the feature `aws-config` and " };
            message.push_str(&format!(
                "; {PROFILE} names the profile {profile:?}, which the environment's credentials do not include: \
                 {feature}use Signer::from_default_chain(), which reads profiles"
            ));
        }
        CredentialsError::not_loaded(message)
    }

    fn optional(&self, name: &str) -> Result<Option<String>, CredentialsError> {
        self.env.read(name).map_err(|NotUnicode| {
            CredentialsError::invalid_configuration(format!("environment variable {name} is not Unicode"))
        })
    }

    fn expiry(&self) -> Result<Option<SystemTime>, CredentialsError> {
        let Some(text) = self.optional(EXPIRATION)? else { return Ok(None) };
        let expiry = OffsetDateTime::parse(text.trim(), &Rfc3339).map_err(|_| {
            CredentialsError::invalid_configuration(format!(
                "environment variable {EXPIRATION} is not an RFC 3339 time such as 2026-01-31T12:00:00Z"
            ))
        })?;
        Ok(Some(expiry.into()))
    }
}

impl Default for EnvironmentCredentials {
    fn default() -> Self {
        Self::new()
    }
}

impl ProvideCredentials for EnvironmentCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(self.load())
    }
}

/// The region that the environment names: `AWS_REGION`, else `AWS_DEFAULT_REGION`; blank counts as missing.
pub(crate) fn region_from_env(env: &Env) -> Option<String> {
    env.text("AWS_REGION").or_else(|| env.text("AWS_DEFAULT_REGION")).map(|region| region.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;
    use std::time::Duration;

    fn load(pairs: &[(&str, &str)]) -> provider::Result {
        EnvironmentCredentials::from_env(Env::from_pairs(pairs)).load()
    }

    const KEYS: [(&str, &str); 2] = [(ACCESS_KEY_ID, "AKIDEXAMPLE"), (SECRET_ACCESS_KEY, "s3cr3t")];

    #[test]
    fn keys_alone_are_long_term_credentials() {
        let credentials = load(&KEYS).unwrap();
        assert_eq!(credentials.access_key_id(), "AKIDEXAMPLE");
        assert_eq!(credentials.secret_access_key(), "s3cr3t");
        assert_eq!(credentials.session_token(), None);
        assert_eq!(credentials.expiry(), None);
    }

    #[test]
    fn a_missing_key_where_a_profile_is_set_names_the_profile_and_what_reads_it() {
        let [id, _] = KEYS;
        let source = |pairs: &[_]| load(pairs).unwrap_err().source().unwrap().to_string();
        for pairs in [&[("AWS_PROFILE", "orders")][..], &[id, ("AWS_PROFILE", "orders")]] {
            let message = source(pairs);
            for part in ["is not set", "AWS_PROFILE", "\"orders\"", "Signer::from_default_chain()"] {
                assert!(message.contains(part), "{part}: {message}");
            }
            assert_eq!(
                message.contains("the feature `aws-config`"),
                cfg!(not(feature = "aws-config")),
                "{message}"
            );
        }
        assert!(!source(&[("AWS_PROFILE", " ")]).contains("AWS_PROFILE"));
    }

    #[test]
    fn a_token_is_trimmed_and_a_blank_one_ignored() {
        let [id, secret] = KEYS;
        let with_token = |token| load(&[id, secret, (SESSION_TOKEN, token)]).unwrap();
        assert_eq!(with_token(" t0ken\n").session_token(), Some("t0ken"));
        assert_eq!(with_token(" ").session_token(), None);
    }

    #[test]
    fn a_missing_or_blank_key_is_named_and_no_value_shown() {
        let [id, secret] = KEYS;
        for (pairs, name) in [
            (vec![secret], ACCESS_KEY_ID),
            (vec![id], SECRET_ACCESS_KEY),
            (vec![secret, (ACCESS_KEY_ID, "")], ACCESS_KEY_ID),
            (vec![id, (SECRET_ACCESS_KEY, " \t")], SECRET_ACCESS_KEY),
        ] {
            let error = load(&pairs).unwrap_err();
            assert!(matches!(error, CredentialsError::CredentialsNotLoaded(_)), "{error:?}");
            let source = error.source().unwrap().to_string();
            assert!(source.contains(name), "{source}");
            assert!(!format!("{error:?}").contains("s3cr3t"));
        }
    }

    #[test]
    fn the_expiry_is_read_and_a_broken_one_refused() {
        let [id, secret] = KEYS;
        let until = |text| load(&[id, secret, (EXPIRATION, text)]);
        let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(1_769_860_800);
        assert_eq!(until("2026-01-31T12:00:00Z").unwrap().expiry(), Some(noon));
        assert_eq!(until("2026-01-31T21:00:00+09:00").unwrap().expiry(), Some(noon));
        assert_eq!(until(" ").unwrap().expiry(), None);
        assert!(matches!(until("tomorrow"), Err(CredentialsError::InvalidConfiguration(_))));
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_not_unicode_is_an_error_and_not_a_panic() {
        let env = Env::not_unicode();
        assert_eq!(region_from_env(&env), None);
        let error = EnvironmentCredentials::from_env(env).load().unwrap_err();
        assert!(matches!(error, CredentialsError::InvalidConfiguration(_)), "{error:?}");
    }

    #[test]
    fn the_region_is_aws_region_then_the_default() {
        let region = |pairs: &[_]| region_from_env(&Env::from_pairs(pairs));
        assert_eq!(region(&[("AWS_REGION", "a"), ("AWS_DEFAULT_REGION", "b")]).as_deref(), Some("a"));
        assert_eq!(region(&[("AWS_REGION", ""), ("AWS_DEFAULT_REGION", "b ")]).as_deref(), Some("b"));
        assert_eq!(region(&[]), None);
    }
}
