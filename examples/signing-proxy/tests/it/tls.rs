//! Upstreams over TLS: which certificates are trusted, HTTP/2, and the host that requests are made for.

use std::path::PathBuf;

use http::Version;
use sigv4_test_support::tls::{TlsGateway, root_certificate_pem};
use sigv4_test_support::{assert_names_no_library_item, gateway, temporary_file};

use crate::program::{Proxy, reason, with_role};

pub(crate) fn cacert() -> PathBuf {
    let path = temporary_file("cacert.pem");
    std::fs::write(&path, root_certificate_pem()).unwrap();
    path
}

async fn tls_gateway() -> (TlsGateway, String) {
    let gateway = TlsGateway::new(gateway("execute-api").await).await;
    let url = format!("https://{}", gateway.addr());
    (gateway, url)
}

#[tokio::test]
async fn only_trusted_certificates_are_accepted() {
    let (gateway, url) = tls_gateway().await;
    let cacert = cacert();
    let trusting = Proxy::start(&url, &["--cacert", cacert.to_str().unwrap()]).await;
    let response = reqwest::get(trusting.url("/orders")).await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_11));
    let [request] = <[_; 1]>::try_from(gateway.gateway.requests()).unwrap();
    assert_eq!(request.version, Version::HTTP_2, "HTTP/2 where the upstream offers it");

    let proxy = Proxy::start(&url, &[]).await;
    let response = reqwest::get(proxy.url("/")).await.unwrap();
    assert_eq!(response.status(), 502);
    assert_eq!(reason(&response.text().await.unwrap()), "upstream");
    proxy.terminate();
    let (_, log) = proxy.ended().await;
    assert!(log.to_lowercase().contains("certificate"), "the log has the cause: {log}");
    assert_eq!(gateway.gateway.requests().len(), 1);
}

#[tokio::test]
async fn without_verification_there_is_a_loud_warning() {
    let (gateway, url) = tls_gateway().await;
    let proxy = Proxy::start(&url, &["--no-verify-ssl"]).await;
    assert_eq!(reqwest::get(proxy.url("/")).await.unwrap().status(), 200);
    assert_eq!(gateway.gateway.requests().len(), 1);
    proxy.terminate();
    let (_, log) = proxy.ended().await;
    assert!(log.starts_with("WARNING: --no-verify-ssl: certificates of upstreams are NOT verified"), "{log}");
    assert_names_no_library_item(&log);
}

/// As with an SSH tunnel to a domain in a VPC: the address is loopback's, the host that of the service.
#[tokio::test]
async fn a_request_is_made_for_the_sign_host() {
    let (tls, cacert) = (TlsGateway::new(gateway("es").await).await, cacert());
    let upstream = format!("https://localhost:{}", tls.addr().port());
    let host = "vpc-logs-abc.ap-northeast-1.es.amazonaws.com";
    for sign_host in [host, &format!("{host}:443")] {
        let mut command = with_role();
        command.args([
            "--upstream",
            &upstream,
            "--sign-host",
            sign_host,
            "--cacert",
            cacert.to_str().unwrap(),
        ]);
        let proxy = Proxy::started(command, &[]).await;
        assert_eq!(reqwest::get(proxy.url("/_search?q=a")).await.unwrap().status(), 200);
        let request = tls.gateway.requests().pop().unwrap();
        assert_eq!(request.header("host"), Some(host));
        assert!(request.header("authorization").unwrap().contains("/ap-northeast-1/es/aws4_request"));
    }
}
