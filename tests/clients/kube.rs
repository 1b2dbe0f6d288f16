// Lines beyond the one: 0.

use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, PostParams};
use kube::client::{Body, middleware::BaseUriLayer};
use sigv4_middleware::SigV4Layer;
use tower::ServiceBuilder;

use crate::support::*;

fn client(url: &str) -> kube::Client {
    let hyper = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let service = ServiceBuilder::new()
        .layer(BaseUriLayer::new(url.parse().unwrap()))
        .layer(SigV4Layer::new(signer()))
        .service(hyper);
    kube::Client::new(service, "default")
}

const CONFIG_MAP: &str =
    r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings"},"data":{"a":"b"}}"#;

#[tokio::test]
async fn get_and_create() -> TestResult {
    let gateway = gateway().await;
    respond_json(&gateway, CONFIG_MAP);
    let maps: Api<ConfigMap> = Api::default_namespaced(client(&gateway.url()));

    let map = maps.get("settings").await?;
    assert_eq!(map.data.as_ref().unwrap()["a"], "b");
    assert_eq!(authorized(&gateway).target, "/api/v1/namespaces/default/configmaps/settings");

    gateway.clear();
    maps.create(&PostParams::default(), &map).await?;
    assert_eq!(serde_json::from_slice::<ConfigMap>(&authorized(&gateway).body)?, map);
    Ok(())
}

#[tokio::test]
async fn refused() {
    let maps: Api<ConfigMap> = Api::default_namespaced(client(DISALLOWED));
    found(&maps.get("settings").await.unwrap_err());
}
