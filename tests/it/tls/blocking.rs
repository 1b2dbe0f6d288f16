//! `SendSigned` of `reqwest::blocking` over TLS.

use http::Method;
use reqwest::blocking::{Client, RequestBuilder};
use sigv4_middleware::{PayloadMode, SendSigned};
use tokio::runtime::Runtime;

use super::*;

/// A gateway behind TLS, and the runtime that it lives on.
fn served(service: &str) -> (TlsGateway, Runtime) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    (runtime.block_on(tls_gateway(service)), runtime)
}

fn client(at: &TlsGateway, http: Http) -> Client {
    let mut builder =
        sigv4_middleware::reqwest_blocking_client().no_proxy().tls_certs_only([root_certificate()]);
    for host in HOSTS {
        builder = builder.resolve(host, at.addr());
    }
    let builder = match http {
        Http::One => builder.http1_only(),
        Http::Two => builder.http2_prior_knowledge(),
    };
    builder.build().unwrap()
}

fn request(at: &TlsGateway, http: Http, method: Method, url: &str) -> RequestBuilder {
    client(at, http).request(method, url)
}

#[test]
fn requests_with_and_without_bodies() {
    let (at, _runtime) = served("s3");
    for http in [Http::One, Http::Two] {
        for mode in [PayloadMode::Buffered, PayloadMode::Unsigned] {
            let signer = signing("s3").payload_mode(mode).build().unwrap();
            let get = request(&at, http, Method::GET, &format!("{BUCKET}:443/a?b=/"));
            assert_eq!(get.send_signed(&signer).unwrap().status(), 200, "{http:?}");
            let received = last(&at.gateway);
            assert_eq!((received.version, received.target.as_str()), (version(http), "/a?b=%2F"));
            assert_eq!(received.header("host"), BUCKET.strip_prefix("https://"));
            let put = || request(&at, http, Method::PUT, &format!("{BUCKET}/key"));
            assert_eq!(put().body("text").send_signed(&signer).unwrap().status(), 200, "{http:?}");
            assert_eq!(last(&at.gateway).body, "text");
            assert_eq!(put().send_signed_reader(&b"text"[..], &signer).unwrap().status(), 200, "{http:?}");
            assert_eq!(last(&at.gateway).body, "text");
        }
    }
}

#[test]
fn a_wrong_clock_and_expired_credentials_are_one_more_attempt() {
    for http in [Http::One, Http::Two] {
        let (at, _runtime) = served("s3");
        at.gateway.add_credentials(role_of("AKID2"));
        at.gateway.set_clock_offset(3600);
        let signer = signing("s3").credentials(FakeProvider::of([role(), role_of("AKID2")])).build().unwrap();
        let put = || request(&at, http, Method::PUT, &format!("{BUCKET}/key")).body("text");
        assert_eq!(put().send_signed(&signer).unwrap().status(), 200, "{http:?}");
        at.gateway.expire(KEY);
        assert_eq!(put().send_signed(&signer).unwrap().status(), 200, "{http:?}");
        assert_eq!(tries(&at.gateway), [403, 200, 403, 200], "{http:?}");
    }
}
