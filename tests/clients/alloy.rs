// Lines beyond the one: 0.

use alloy_rpc_client::RpcClient;
use alloy_transport_http::{Http, HyperClient};
use sigv4_middleware::SigV4Layer;

use crate::support::*;

#[tokio::test]
async fn call() -> TestResult {
    let gateway = gateway().await;
    respond_json(&gateway, r#"{"jsonrpc":"2.0","id":0,"result":"0x10"}"#);

    let hyper = HyperClient::new().layer(SigV4Layer::new(signer()));
    let client = RpcClient::new(Http::with_client(hyper, gateway.url().parse()?), true);

    let number: String = client.request_noparams("eth_blockNumber").await?;
    assert_eq!(number, "0x10");
    let body: serde_json::Value = serde_json::from_slice(&authorized(&gateway).body)?;
    assert_eq!(body["method"], "eth_blockNumber");
    Ok(())
}

#[tokio::test]
async fn refused() -> TestResult {
    let hyper = HyperClient::new().layer(SigV4Layer::new(signer()));
    let client = RpcClient::new(Http::with_client(hyper, DISALLOWED.parse()?), false);
    let error = client.request_noparams::<String>("eth_blockNumber").await.unwrap_err();
    found(&error);
    Ok(())
}
