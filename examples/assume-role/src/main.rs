//! Calls an API with IAM authorization as a role: STS issues the role's credentials, and the signer renews them before
//! they expire.
//!
//! ```text
//! assume-role ROLE_ARN URL [SERVICE]
//! ```
//!
//! The credentials that may assume the role, and the region, come from the default chain (environment, profile, …).
//! SERVICE is the signing name, for a URL from whose host it cannot be inferred. `AWS_ENDPOINT_URL` sends the call of
//! STS to another endpoint, such as an emulator.

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
        _ => {
            eprintln!("usage: assume-role ROLE_ARN URL [SERVICE]");
            std::process::exit(2);
        }
    };

    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let provider = AssumeRoleProvider::builder(role)
        .session_name("assume-role-example")
        .configure(&config)
        .build()
        .await;
    // The region and clock of the configuration, and the credentials of the role.
    let mut builder = Signer::builder().sdk_config(&config).credentials(provider);
    if let Some(service) = service {
        builder = builder.service(service.clone());
    }
    let client = ClientBuilder::new(sigv4_middleware::reqwest_client().build()?)
        .with(SigV4Middleware::new(builder.build()?))
        .build();

    // Errors leave out the URL, as its query may hold secrets.
    let response = client.get(url).send().await.map_err(reqwest_middleware::Error::without_url)?;
    let status = response.status();
    println!("{status}\n{}", response.text().await.map_err(reqwest::Error::without_url)?);
    Ok(())
}
