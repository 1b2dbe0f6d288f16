// Lines beyond the one: 1, `map_err`, as the client takes no error but its own; its body has no `From<Bytes>`.

use jsonrpsee_core::client::ClientT;
use jsonrpsee_core::http_helpers::{Body, HttpError};
use jsonrpsee_core::params::ArrayParams;
use jsonrpsee_http_client::{HttpClientBuilder, transport};
use sigv4_middleware::{ServiceError, SigV4Layer};
use tower::ServiceBuilder;

use crate::support::*;

async fn block_number(url: &str) -> Result<String, jsonrpsee_core::ClientError> {
    let http = ServiceBuilder::new()
        .map_err(|error: ServiceError| transport::Error::Http(HttpError::Stream(error.into())))
        .layer(SigV4Layer::new(signer()).map_body(Body::new));
    let client = HttpClientBuilder::new().set_http_middleware(http).build(url)?;

    client.request("eth_blockNumber", ArrayParams::new()).await
}

#[tokio::test]
async fn call() -> TestResult {
    let gateway = gateway().await;
    respond_json(&gateway, r#"{"jsonrpc":"2.0","id":0,"result":"0x10"}"#);
    assert_eq!(block_number(&gateway.url()).await?, "0x10");
    let body: serde_json::Value = serde_json::from_slice(&authorized(&gateway).body)?;
    assert_eq!(body["method"], "eth_blockNumber");
    Ok(())
}

#[tokio::test]
async fn refused() {
    found(&block_number(DISALLOWED).await.unwrap_err());
}
