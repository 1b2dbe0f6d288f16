//! What a `reqwest::Response` tells besides status, headers and body stays, though the body was read and put back.

use aws_smithy_async::test_util::ManualTimeSource;
use http::Response;
use reqwest_middleware::ClientBuilder;
use sigv4_middleware::{SigV4Layer, SigV4Middleware};
use tower::{Layer, ServiceExt};

use crate::support::*;

const BODY: &str = "<Error><Code>AccessDenied</Code></Error>";

#[tokio::test]
async fn url_address_version_and_length_are_kept() {
    let clock = ManualTimeSource::new(noon());
    let server = Server::start(|_| Response::builder().status(403).body(in_memory(BODY)).unwrap()).await;
    let url = format!("{}/a%20b?c=d", server.url);
    let signer = signer_at(role_of("AKID"), &clock).build().unwrap();
    let reqwest = sigv4_middleware::reqwest_client().build().unwrap();

    let client = ClientBuilder::new(reqwest.clone()).with(SigV4Middleware::new(signer.clone())).build();
    let through_middleware = client.get(&url).send().await.unwrap();
    let request = reqwest.get(&url).build().unwrap();
    let through_layer = SigV4Layer::new(signer).layer(reqwest).oneshot(request).await.unwrap();

    for response in [through_middleware, through_layer] {
        assert_eq!(response.url().as_str(), url);
        assert_eq!(format!("http://{}", response.remote_addr().unwrap()), server.url);
        assert_eq!(response.version(), http::Version::HTTP_11);
        assert_eq!(response.content_length(), Some(BODY.len() as u64));
        let error = response.error_for_status_ref().unwrap_err();
        assert_eq!(error.url().unwrap().as_str(), url);
        assert_eq!(response.text().await.unwrap(), BODY);
    }
    assert_eq!(server.tries(), 2);
}
