//! The host that is signed is the host that is sent: in `Host` over HTTP/1.1, in `:authority` over HTTP/2.

use http::Request;
use sigv4_middleware::Signer;

use super::*;

const HOST: &str = "abc123.execute-api.eu-west-1.amazonaws.com";
const REGION: &str = "eu-west-1";

async fn european() -> (TlsGateway, Signer) {
    let gateway = IamGateway::builder().credentials(role()).region(REGION).start().await.unwrap();
    // Service and region are inferred from the host.
    (TlsGateway::new(gateway).await, Signer::builder().credentials(role()).build().unwrap())
}

/// As hyper sends it, and as tonic does, whose requests are POSTs with a boxed body.
#[tokio::test]
async fn a_default_port_is_not_sent() {
    let (at, signer) = european().await;
    for (integration, http) in ways() {
        for (target, sent) in [
            (format!("https://{HOST}:443/a"), "/a"),
            (format!("https://{HOST}:/a"), "/a"),
            (format!("https://{HOST}:443/a?b=/"), "/a?b=%2F"),
            (format!("https://{HOST}:443"), "/"),
            (format!("https://{HOST}/a"), "/a"),
        ] {
            let call = || Request::post(&target).header("te", "trailers");
            for request in [
                call().body(RequestBody::from(in_memory("framed"))).unwrap(),
                call().body(RequestBody::from("framed")).unwrap(),
                Request::get(&target).body(RequestBody::from("")).unwrap(),
            ] {
                let received = accepted(integration, http, &at, &signer, request).await;
                assert_eq!(received.header("host"), Some(HOST), "{integration:?} {http:?} {target}");
                assert_eq!(received.target, sent, "{integration:?} {http:?} {target}");
            }
        }
    }
}

#[tokio::test]
async fn a_host_header_in_another_spelling_is_not_sent() {
    let (at, signer) = european().await;
    for (integration, http) in ways() {
        for uri in [format!("https://{HOST}/a"), format!("https://{HOST}:443/a")] {
            for given in [HOST.to_uppercase(), format!("{HOST}:443"), format!("{HOST}:"), HOST.to_owned()] {
                let request = Request::get(&uri).header("host", &given).body("").unwrap();
                let received = accepted(integration, http, &at, &signer, request).await;
                assert_eq!(received.header("host"), Some(HOST), "{integration:?} {http:?} {uri} {given}");
            }
        }
    }
}

/// It works over HTTP/1.1 only, as the builder's documentation says: an HTTP/2 client sends the URI's host whatever the
/// header is. The server refuses it, and nothing is sent again.
#[tokio::test]
async fn another_host_than_the_uris_is_for_http_1_only() {
    let (at, _) = european().await;
    let signer = Signer::builder().credentials(role()).service("execute-api").region(REGION);
    let signer = signer.allow_host_mismatch(true).build().unwrap();
    for (integration, http) in ways() {
        at.gateway.clear();
        let request = Request::post(format!("https://{HOST}/a")).header("host", "api.example.com");
        let response =
            integration.send_to(http, at.addr(), &signer, request.body("x").unwrap()).await.unwrap();
        let verdict = match http {
            Http::One => (200, ""),
            Http::Two => (403, "InvalidSignatureException"),
        };
        assert_eq!(response.verdict(), verdict, "{integration:?} {http:?}: {}", response.text());
        assert_eq!(at.gateway.requests().len(), 1, "{integration:?} {http:?}");
        assert_eq!(last(&at.gateway).header("host"), Some("api.example.com"), "{integration:?} {http:?}");
    }
}

/// What the documentation names in its place: the URI's host is kept and its address overridden.
#[tokio::test]
async fn a_custom_domain_at_another_address_works_over_both() {
    let (at, _) = european().await;
    let signer = Signer::builder().credentials(role()).service("execute-api").region(REGION);
    let signer = signer.allow_host("api.example.com").build().unwrap();
    for (integration, http) in ways() {
        let request = Request::post("https://api.example.com/a").body("x").unwrap();
        let received = accepted(integration, http, &at, &signer, request).await;
        assert_eq!(received.header("host"), Some("api.example.com"), "{integration:?} {http:?}");
    }
}
