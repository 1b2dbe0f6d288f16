//! The README's report of a refusal is what the library writes.

use http::{HeaderMap, Request, StatusCode};
use sigv4_middleware::diagnosis::{RefusedResponse, SentRequest, diagnose};
use sigv4_middleware::{Credentials, Signer};

use crate::{blocks, read};

/// As API Gateway writes it for a role without permission.
const DENIED: &str = r#"{"Message":"User: arn:aws:sts::444455556666:assumed-role/orders-client/i-0abc is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:eu-west-1:********3333:abc123/prod/GET/orders"}"#;

#[tokio::test]
async fn is_explained_as_the_readme_shows() {
    let keys = Credentials::new("ASIAEXAMPLE", "secret", Some("token".to_owned()), None, "test");
    let signer = Signer::builder().credentials(keys).build().unwrap();
    let request =
        Request::get("https://abc123.execute-api.eu-west-1.amazonaws.com/prod/orders").body(()).unwrap();
    let details = signer.sign_with_details(&mut request.into_parts().0, "").await.unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("x-amzn-errortype", "AccessDeniedException".parse().unwrap());
    headers.insert("x-amzn-requestid", "5e0c4a9e-7f3b-4c6b-9a57-2f6d1d0c8f11".parse().unwrap());

    let refused = RefusedResponse::new(StatusCode::FORBIDDEN, &headers, DENIED.as_bytes());
    let report = diagnose(&refused, &SentRequest::from(&details)).unwrap().to_string();

    let readme = read("README.md");
    let section = readme.split("\n## ").find(|section| section.starts_with("When AWS says no")).unwrap();
    assert_eq!(blocks(section, "text"), [format!("{report}\n")]);
}
