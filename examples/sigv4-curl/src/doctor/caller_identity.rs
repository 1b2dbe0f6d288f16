//! Whose credentials they are: STS GetCallerIdentity.

use std::time::Duration;

use aws_config::Region;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sts::error::ProvideErrorMetadata;

use crate::advice;
use crate::credentials::{Identity, STS_REGION};

const PATIENCE: Duration = Duration::from_secs(5);

pub(super) enum CallerIdentity {
    /// Whose they are.
    Arn(String),
    Refused(String),
    Unreachable(String),
}

pub(super) async fn ask(identity: &Identity, endpoint: Option<&str>) -> CallerIdentity {
    let mut config = aws_sdk_sts::config::Builder::from(&identity.config)
        .credentials_provider(identity.provider.clone())
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(PATIENCE).build());
    if identity.config.region().is_none() {
        config = config.region(Region::new(STS_REGION));
    }
    if let Some(endpoint) = endpoint {
        config = config.endpoint_url(endpoint);
    }
    let asked = aws_sdk_sts::Client::from_conf(config.build()).get_caller_identity().send().await;
    match asked {
        Ok(identity) => {
            CallerIdentity::Arn(identity.arn().or(identity.user_id()).unwrap_or("nobody").to_owned())
        }
        Err(error) => match error.as_service_error() {
            Some(refused) => {
                let [code, message] = [refused.code(), refused.message()].map(Option::unwrap_or_default);
                match code {
                    "" => CallerIdentity::Unreachable("the response is not STS's".to_owned()),
                    code => CallerIdentity::Refused(format!("{code}: {message}")),
                }
            }
            None => CallerIdentity::Unreachable(advice::causes_of(&error).replace('\n', ": ")),
        },
    }
}
