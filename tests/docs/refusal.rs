//! The README's reports of refusals are what the library writes.

use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, Request, StatusCode};
use sigv4_middleware::diagnosis::{RefusedResponse, SentRequest, diagnose};
use sigv4_middleware::{Credentials, IamGateway, RefusalStyle, Signer, TimeSource, reqwest_client};

use crate::{blocks, read};

/// As API Gateway writes it for a role without permission.
const DENIED: &str = r#"{"Message":"User: arn:aws:sts::444455556666:assumed-role/orders-client/i-0abc is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:eu-west-1:********3333:abc123/prod/GET/orders"}"#;

/// 2027-01-15, for client and server.
#[derive(Clone, Copy, Debug)]
struct Noon;

impl TimeSource for Noon {
    fn now(&self) -> std::time::SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_014_400)
    }
}

fn keys() -> Credentials {
    Credentials::new("AKIDEXAMPLE", "secret", None, None, "test")
}

fn signer() -> Signer {
    Signer::builder().credentials(keys()).time_source(Noon).build().unwrap()
}

/// The report on a role without permission.
async fn denied() -> String {
    let request =
        Request::get("https://abc123.execute-api.eu-west-1.amazonaws.com/prod/orders").body(()).unwrap();
    let details = signer().sign_with_details(&mut request.into_parts().0, "").await.unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("x-amzn-errortype", "AccessDeniedException".parse().unwrap());
    headers.insert("x-amzn-requestid", "5e0c4a9e-7f3b-4c6b-9a57-2f6d1d0c8f11".parse().unwrap());
    let refused = RefusedResponse::new(StatusCode::FORBIDDEN, &headers, DENIED.as_bytes());
    diagnose(&refused, &SentRequest::from(&details)).unwrap().to_string()
}

/// The report on what S3 refuses, with the response's request id left out: a request that arrives in the region eu-west-1
/// under the name of `arrived`.
async fn refused_by_s3(uri: &str, arrived: &str) -> String {
    let gateway = IamGateway::builder()
        .credentials(keys())
        .service("s3")
        .region("eu-west-1")
        .refusal_style(RefusalStyle::S3)
        .time_source(Noon);
    let gateway = gateway.start().await.unwrap();
    let mut request = Request::get(uri).body(()).unwrap().into_parts().0;
    let details = signer().sign_with_details(&mut request, "").await.unwrap();
    let mut headers = request.headers;
    headers.insert("host", arrived.parse().unwrap());
    let url = format!("{}{}", gateway.url(), request.uri.path());
    let client = reqwest_client().build().unwrap();
    let response = client.get(url).headers(headers).send().await.unwrap();
    let (status, mut headers) = (response.status(), response.headers().clone());
    assert!(headers.remove("x-amzn-requestid").is_some());
    let body = response.bytes().await.unwrap();
    let refused = RefusedResponse::new(status, &headers, &body);
    diagnose(&refused, &SentRequest::from(&details)).unwrap().to_string()
}

#[tokio::test]
async fn is_explained_as_the_readme_shows() {
    let reports = [
        denied().await,
        refused_by_s3("https://files.s3.eu-west-1.amazonaws.com/film.mkv", "files.internal").await,
        refused_by_s3(
            "https://files.s3.us-east-1.amazonaws.com/film.mkv",
            "files.s3.us-east-1.amazonaws.com",
        )
        .await,
    ];
    let readme = read("README.md");
    let section = readme.split("\n## ").find(|section| section.starts_with("When AWS says no")).unwrap();
    assert_eq!(blocks(section, "text").concat(), format!("{}\n", reports.join("\n\n")));
}
