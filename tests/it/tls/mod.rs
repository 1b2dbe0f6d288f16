//! Over TLS, by HTTP/1.1 and by HTTP/2 as ALPN negotiates them: what is signed for `https://host` is what arrives there.

mod accept;
#[cfg(feature = "blocking")]
mod blocking;
mod chunks;
mod hosts;
mod recovery;
mod redirects;

use http::{Request, Version};
use sigv4_middleware::{IamGateway, ReceivedRequest, Signer};

use crate::support::*;

/// Hosts that the tests' clients find at a gateway behind TLS.
const API: &str = "https://abc.execute-api.ap-northeast-1.amazonaws.com";
const BUCKET: &str = "https://bucket.s3.ap-northeast-1.amazonaws.com";

/// The gateway of [`gateway`], behind TLS.
async fn tls_gateway(service: &str) -> TlsGateway {
    TlsGateway::new(gateway(service).await).await
}

fn version(http: Http) -> Version {
    match http {
        Http::One => Version::HTTP_11,
        Http::Two => Version::HTTP_2,
    }
}

/// Sends a request that has to succeed over the version of HTTP that is asked for, and gives what the gateway received.
async fn accepted(
    integration: Integration,
    http: Http,
    at: &TlsGateway,
    signer: &Signer,
    request: Request<impl Into<RequestBody>>,
) -> ReceivedRequest {
    let shown = format!("{integration:?} {http:?} {} {}", request.method(), request.uri());
    let response = integration.send_to(http, at.addr(), signer, request).await;
    let response = response.unwrap_or_else(|error| panic!("{shown}: {error:?}"));
    assert_eq!(response.status, 200, "{shown}: {}", response.text());
    let received = last(&at.gateway);
    assert_eq!(received.version, version(http), "{shown}");
    received
}

fn last(gateway: &IamGateway) -> ReceivedRequest {
    gateway.requests().pop().expect("nothing was received")
}
