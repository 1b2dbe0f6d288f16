//! The signer and the server of most tests.

use bytes::Bytes;
use http::{Response, header};
use sigv4_middleware::{Credentials, Error, ErrorKind, IamGateway, ReceivedRequest, Signer, SignerBuilder};
use sigv4_test_support::verified::Verified;

pub(crate) type TestResult = Result<(), sigv4_middleware::BoxError>;

pub(crate) const REGION: &str = "eu-west-1";

/// A URL that the signer of [`signer`] refuses.
pub(crate) const DISALLOWED: &str = "http://api.example.com/";

pub(crate) fn credentials() -> Credentials {
    Credentials::new("AKIDEXAMPLE", "secret", Some("token".into()), None, "test")
}

pub(crate) fn signing(service: &'static str) -> SignerBuilder {
    Signer::builder().credentials(credentials()).service(service).region(REGION)
}

pub(crate) fn signer() -> Signer {
    signing("execute-api").build().unwrap()
}

/// A gateway that authorizes what [`signer`] signs.
pub(crate) async fn gateway() -> IamGateway {
    IamGateway::builder().credentials(credentials()).region(REGION).start().await.unwrap()
}

/// A server for protocols that need more than one fixed response, which verifies what [`signing`] signs.
pub(crate) async fn verified(service: &'static str, router: axum::Router) -> Verified {
    Verified::serve_for(credentials(), REGION, service, router).await
}

/// Sets the response to authorized requests.
pub(crate) fn respond_json(gateway: &IamGateway, json: &'static str) {
    let response = Response::builder().header(header::CONTENT_TYPE, "application/json");
    gateway.respond_with(response.body(Bytes::from_static(json.as_bytes())).unwrap());
}

/// `hello`, compressed by gzip.
pub(crate) const HELLO_GZIP: &[u8] =
    b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\x48\xcd\xc9\xc9\x07\0\x86\xa6\x10\x36\x05\0\0\0";

/// The only request that the gateway received, which it authorized.
#[track_caller]
pub(crate) fn authorized(gateway: &IamGateway) -> ReceivedRequest {
    let [request] = gateway.requests().try_into().unwrap();
    assert_eq!((request.status.as_u16(), request.error_type), (200, None));
    request
}

/// The error of a request to [`DISALLOWED`] is found in the client's error.
#[track_caller]
pub(crate) fn found(error: &(dyn std::error::Error + 'static)) {
    let found = Error::find(error).unwrap_or_else(|| panic!("not found in {error:?}"));
    assert_eq!(found.kind(), ErrorKind::OriginNotAllowed, "{found}");
}
