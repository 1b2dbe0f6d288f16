//! A client that signs nothing.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("which URL?")?;
    let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new()).build();
    println!("{}", client.get(url).send().await?.status());
    Ok(())
}
