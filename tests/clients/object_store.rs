// Lines beyond the one: 16, the two traits that every client but object_store's own reqwest client needs.

use async_trait::async_trait;
use http_body_util::BodyExt;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use object_store::client::{
    HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody,
    HttpService,
};
use object_store::http::{HttpBuilder, HttpStore};
use object_store::{ClientOptions, ObjectStoreExt, path::Path};
use sigv4_middleware::{SigV4, SigV4Layer};
use tower::{ServiceBuilder, ServiceExt};

use crate::support::*;

#[derive(Clone, Debug)]
struct Signed(SigV4<Client<HttpConnector, HttpRequestBody>>);

#[async_trait]
impl HttpService for Signed {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let failed = |error| HttpError::new(HttpErrorKind::Unknown, error);
        let response = self.0.clone().oneshot(request).await.map_err(failed)?;
        let failed = |error| HttpError::new(HttpErrorKind::Interrupted, error);
        Ok(response.map(|body| HttpResponseBody::new(body.map_err(failed))))
    }
}

impl object_store::client::HttpConnector for Signed {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

fn store(url: String) -> object_store::Result<HttpStore> {
    let hyper = Client::builder(TokioExecutor::new()).build_http();
    let signed = Signed(ServiceBuilder::new().layer(SigV4Layer::new(signer())).service(hyper));

    HttpBuilder::new().with_url(url).with_http_connector(signed).build()
}

#[tokio::test]
async fn put_and_get() -> TestResult {
    let gateway = gateway().await;
    let store = store(gateway.url())?;
    let path = Path::from("a/b c");

    store.put(&path, "hello".into()).await?;
    let received = authorized(&gateway);
    assert_eq!((received.method.as_str(), received.target.as_str()), ("PUT", "/a/b%20c"));
    assert_eq!(received.body, "hello");

    gateway.clear();
    assert_eq!(store.get(&path).await?.bytes().await?, r#"{"message":"ok"}"#);
    authorized(&gateway);
    Ok(())
}

#[tokio::test]
async fn refused() -> TestResult {
    let error = store(DISALLOWED.into())?.get(&Path::from("a")).await.unwrap_err();
    found(&error);
    Ok(())
}
