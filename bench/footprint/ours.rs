//! A client that signs by this crate.

use sigv4_middleware::{SigV4Middleware, Signer};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("which URL?")?;
    let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new())
        .with(SigV4Middleware::new(Signer::from_env()?))
        .build();
    println!("{}", client.get(url).send().await?.status());
    Ok(())
}
