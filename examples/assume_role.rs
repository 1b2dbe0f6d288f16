//! Calls an IAM-authorised endpoint as a role: STS gives the role's credentials, the signer renews them before they end.
//!
//! ```text
//! assume_role ROLE_ARN URL [SERVICE]
//! ```
//!
//! The credentials that may assume the role, and the region, come from the default chain (environment, profile, …).
//! SERVICE is the signing name for a URL whose host does not tell it. `AWS_ENDPOINT_URL` sends the call of STS elsewhere,
//! to an emulator for one.

use std::error::Error;

use aws_config::BehaviorVersion;
use aws_config::sts::AssumeRoleProvider;
use reqwest_middleware::ClientBuilder;
use sigv4_middleware::{SigV4Middleware, Signer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (role, url, service) = match arguments.as_slice() {
        [role, url] => (role, url, None),
        [role, url, service] => (role, url, Some(service)),
        _ => return Err("usage: assume_role ROLE_ARN URL [SERVICE]".into()),
    };

    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let provider = AssumeRoleProvider::builder(role)
        .session_name("assume-role-example")
        .configure(&config)
        .build()
        .await;
    // Region and clock of the configuration, credentials of the role.
    let mut builder = Signer::builder().sdk_config(&config).credentials(provider);
    if let Some(service) = service {
        builder = builder.service(service.clone());
    }
    let client = ClientBuilder::new(sigv4_middleware::reqwest_client().build()?)
        .with(SigV4Middleware::new(builder.build()?))
        .build();

    let answer = client.get(url).send().await?;
    println!("{}\n{}", answer.status(), answer.text().await?);
    Ok(())
}
