//! A client that signs by aws-sigv4 and a middleware of its own.

mod naive;

use std::env;

use aws_credential_types::Credentials;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = env::args().nth(1).ok_or("which URL?")?;
    let (id, secret) = (env::var("AWS_ACCESS_KEY_ID")?, env::var("AWS_SECRET_ACCESS_KEY")?);
    let token = env::var("AWS_SESSION_TOKEN").ok();
    let identity = Credentials::new(id, secret, token, None, "environment").into();
    let naive = naive::Naive { identity, region: env::var("AWS_REGION")?, service: "execute-api" };
    let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new()).with(naive).build();
    println!("{}", client.get(url).send().await?.status());
    Ok(())
}
