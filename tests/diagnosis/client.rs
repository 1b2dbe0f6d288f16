//! The client whose requests are refused.

use http::Request;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use sigv4_middleware::diagnosis::Diagnosis;
use sigv4_middleware::{Diagnose, SigV4Middleware, Signer, SignerBuilder};

use crate::between::{Change, Proxy};
use crate::support::*;

/// A builder for a signer that records what it signs, and tries once.
pub(crate) fn recording(service: &'static str) -> SignerBuilder {
    signing(service).record_signing_details(true).retry_on_auth_error(false).clock_skew_correction(false)
}

pub(crate) fn client(signer: &Signer) -> ClientWithMiddleware {
    ClientBuilder::new(plain_reqwest()).with(SigV4Middleware::new(signer.clone())).build()
}

/// The diagnosis of a refusal; its body is whole after that.
pub(crate) async fn diagnosed(signer: &Signer, request: Request<reqwest::Body>) -> Option<Diagnosis> {
    let response = client(signer).execute(request.try_into().unwrap()).await.unwrap();
    let (response, diagnosis) = response.diagnose().await;
    let length = response.content_length();
    let body = response.bytes().await.unwrap();
    assert!(length.is_none_or(|length| length == body.len() as u64), "the body is whole");
    diagnosis
}

/// A request with everything in it that a proxy may change.
pub(crate) fn request(url: &str) -> Request<reqwest::Body> {
    Request::put(format!("{url}/prod/a%40b/%C3%BC//c-d?a=1&b=x%20y&c=p%2Bq"))
        .header("content-type", "application/json")
        .header("x-amz-meta-a", "one two")
        .header("accept-encoding", "identity")
        .header("user-agent", "tests")
        .body("{\"order\":1}".into())
        .unwrap()
}

/// The diagnosis of a request that a proxy changed on its way.
pub(crate) async fn through(
    signer: &Signer,
    gateway: &sigv4_middleware::IamGateway,
    change: Change,
) -> Option<Diagnosis> {
    let proxy = Proxy::start(gateway.addr(), change).await;
    diagnosed(signer, request(&proxy.url)).await
}
