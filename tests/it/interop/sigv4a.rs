//! SigV4a to ministack, which verifies it: by every integration, and presigned.

use std::time::Duration;

use http::{Method, Request, StatusCode};
use sigv4_middleware::{Credentials, Signer, overrides::SigningRegionSet};

use crate::support::{Integration, WITH_EXTENSIONS, middleware, plain_reqwest};

use sigv4_test_support::ministack::{Keys, Ministack};

fn signer(service: &'static str, keys: &Keys, region_set: &'static str) -> Signer {
    let token = keys.session_token.clone();
    let credentials =
        Credentials::new(&keys.access_key_id, &keys.secret_access_key, token, None, "ministack");
    Signer::builder().credentials(credentials).service(service).region_set(region_set).build().unwrap()
}

async fn send(
    integration: Integration,
    signer: Signer,
    method: Method,
    url: &str,
    body: &'static str,
) -> StatusCode {
    let request = Request::builder().method(method).uri(url).body(body).unwrap();
    integration.send(&signer, request).await.status
}

#[tokio::test]
async fn an_object_and_an_api() {
    let Some(ministack) = Ministack::shared() else { return };
    let setup = &ministack.setup;
    let object = format!("{}/{}/sigv4a/a%20b+c", setup.endpoint, setup.bucket);
    let api = format!("{}/items?a=1&b=%2A", setup.api_url);
    for integration in WITH_EXTENSIONS {
        for keys in [&setup.user, &setup.session] {
            for set in ["*", "eu-*", "us-east-1,eu-central-1"] {
                let s3 = || signer("s3", keys, set);
                assert_eq!(
                    send(integration, s3(), Method::PUT, &object, "hello").await,
                    200,
                    "{integration:?} {set}"
                );
                assert_eq!(
                    send(integration, s3(), Method::GET, &object, "").await,
                    200,
                    "{integration:?} {set}"
                );
                let execute = signer("execute-api", keys, set);
                assert_eq!(
                    send(integration, execute, Method::POST, &api, "{}").await,
                    200,
                    "{integration:?} {set}"
                );
            }
        }
        let wrong = Keys { secret_access_key: "wrong".to_owned(), ..setup.user.clone() };
        assert_eq!(send(integration, signer("s3", &wrong, "*"), Method::GET, &object, "").await, 403);
        assert_eq!(send(integration, signer("execute-api", &wrong, "*"), Method::GET, &api, "").await, 403);
    }
}

#[tokio::test]
async fn presigned() {
    let Some(ministack) = Ministack::shared() else { return };
    let setup = &ministack.setup;
    let object = format!("{}/{}/sigv4a-presigned", setup.endpoint, setup.bucket);
    let plain = reqwest::Client::builder().no_proxy().build().unwrap();
    for keys in [&setup.user, &setup.session] {
        let signer = signer("s3", keys, "*");
        let url = |method| {
            let (signer, object) = (signer.clone(), object.parse().unwrap());
            async move { signer.presign(&method, &object, Duration::from_secs(60)).await.unwrap().to_string() }
        };
        let put = url(Method::PUT).await;
        assert!(put.contains("X-Amz-Region-Set=%2A"), "{put}");
        assert_eq!(plain.put(&put).body("hello").send().await.unwrap().status(), 200);
        assert_eq!(plain.get(url(Method::GET).await).send().await.unwrap().status(), 200);
        assert_eq!(plain.get(&put).send().await.unwrap().status(), 403, "another method");
        let other = put.replace("X-Amz-Region-Set=%2A", "X-Amz-Region-Set=eu-%2A");
        assert_eq!(plain.put(other).body("hello").send().await.unwrap().status(), 403, "another region set");
    }
}

/// One request of a signer that otherwise signs with SigV4.
#[tokio::test]
async fn by_an_override() {
    let Some(ministack) = Ministack::shared() else { return };
    let setup = &ministack.setup;
    let keys = &setup.user;
    let credentials = Credentials::new(&keys.access_key_id, &keys.secret_access_key, None, None, "ministack");
    let signer = Signer::builder().credentials(credentials).service("execute-api");
    let signer = signer.region(setup.region.clone()).build().unwrap();
    let client = middleware(plain_reqwest(), &signer);
    let url = format!("{}/items", setup.api_url);
    let seen = async |request: reqwest_middleware::RequestBuilder| {
        let response: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
        response["headers"]["x-amz-region-set"].clone()
    };
    assert_eq!(seen(client.get(&url)).await, serde_json::Value::Null);
    let with = client.get(&url).with_extension(SigningRegionSet::new("eu-*"));
    assert_eq!(seen(with).await, "eu-*");
}
