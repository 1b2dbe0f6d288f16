// Lines beyond the one: 0. The one line is the setting
// `inner_type = sigv4_middleware::Signer, pre_hook_async = sigv4_middleware::Signer::sign_reqwest` of `generate_api!`.

use progenitor_client::{ClientHooks, ClientInfo, Error, OperationInfo, ResponseValue};
use serde_json::Value;
use sigv4_middleware::Signer;

use crate::support::*;

/// As the macro writes it, but for the types of parameters and responses.
struct Client {
    baseurl: String,
    client: reqwest::Client,
    inner: Signer,
}

impl ClientInfo<Signer> for Client {
    fn api_version() -> &'static str {
        "1"
    }
    fn baseurl(&self) -> &str {
        &self.baseurl
    }
    fn client(&self) -> &reqwest::Client {
        &self.client
    }
    fn inner(&self) -> &Signer {
        &self.inner
    }
}

impl ClientHooks<Signer> for &Client {}

impl Client {
    async fn create_order(&self, body: &Value) -> Result<ResponseValue<Value>, Error<()>> {
        let url = format!("{}/orders", self.baseurl);
        let mut request = self.client.post(url).json(body).build()?;
        let info = OperationInfo { operation_id: "create_order" };
        match (Signer::sign_reqwest)(&self.inner, &mut request).await {
            Ok(_) => (),
            Err(e) => return Err(Error::Custom(e.to_string())),
        }
        self.pre(&mut request, &info).await?;
        let result = self.exec(request, &info).await;
        self.post(&result, &info).await?;
        ResponseValue::from_response(result?).await
    }
}

fn client(baseurl: String) -> Client {
    let client = sigv4_middleware::reqwest_client().build().unwrap();
    Client { baseurl, client, inner: signer() }
}

#[tokio::test]
async fn call() -> TestResult {
    let gateway = gateway().await;
    let order = serde_json::json!({ "id": 1 });
    assert_eq!(client(gateway.url()).create_order(&order).await?["message"], "ok");
    let received = authorized(&gateway);
    assert_eq!((received.target.as_str(), &received.body[..]), ("/orders", &br#"{"id":1}"#[..]));
    Ok(())
}

#[tokio::test]
async fn refused() {
    let error = client("http://api.example.com".into()).create_order(&Value::Null).await.unwrap_err();
    assert!(matches!(&error, Error::Custom(text) if text.contains("api.example.com")), "{error}");
}
