//! Every profile's rule on the wire, to a gateway that verifies by the service's own.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Uri};
use http_body_util::Full;
use sha2::Digest;
use sigv4_middleware::{ErrorKind, IamGateway, Payload, ReceivedRequest, SigV4Layer, Signer};
use tower::{ServiceBuilder, ServiceExt};

use crate::support::*;

const OF_HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

/// Services, what they want said of the body over http, and the header of their session token.
const SERVICES: [(&str, Option<&str>, &str); 9] = [
    ("execute-api", None, "x-amz-security-token"),
    ("lambda", None, "x-amz-security-token"),
    ("es", None, "x-amz-security-token"),
    ("iotdevicegateway", None, "x-amz-security-token"),
    ("aoss", Some(OF_HELLO), "x-amz-security-token"),
    ("s3", Some(OF_HELLO), "x-amz-security-token"),
    ("s3-outposts", Some(OF_HELLO), "x-amz-security-token"),
    ("s3-object-lambda", Some(OF_HELLO), "x-amz-security-token"),
    ("s3express", Some(OF_HELLO), "x-amz-s3session-token"),
];

/// A path that is signed in one way if it is encoded twice and normalised, and in another if not.
const PATH: &str = "/a%20b//c:d/./e";

#[tokio::test]
async fn over_http_by_every_integration() {
    for (service, hash, token) in SERVICES {
        let gateway = gateway(service).await;
        for integration in INTEGRATIONS {
            // reqwest's URLs have no dot segments.
            let path = PATH.replace("/./", "/");
            let request = Request::post(format!("{}{path}", gateway.url())).body(in_memory("hello")).unwrap();
            let received =
                integration.accepted(Http::One, &gateway, &signer(static_name(service)), request).await;
            assert_eq!(received.header("x-amz-content-sha256"), hash, "{service} {integration:?}");
            assert_eq!(received.header(token), Some(TOKEN), "{service} {integration:?}");
            let tokens = received.headers.keys().filter(|name| name.as_str().contains("token")).count();
            assert_eq!(tokens, 1, "{service} {integration:?}");
        }
    }
}

fn static_name(service: &str) -> &'static str {
    SERVICES.iter().find(|(name, ..)| *name == service).unwrap().0
}

/// A client that signs for https, behind which stands a proxy that ends TLS: what it hands on is what was signed.
async fn over_https(gateway: &IamGateway, signer: &Signer, url: &str) -> ReceivedRequest {
    let client = ServiceBuilder::new()
        .layer(SigV4Layer::new(signer.clone()))
        .map_request(|mut request: Request<Full<Bytes>>| {
            let plain = request.uri().to_string().replacen("https:", "http:", 1);
            *request.uri_mut() = plain.parse().unwrap();
            request.map(reqwest::Body::wrap)
        })
        .service(hyper::<reqwest::Body>(gateway.addr(), Http::One));
    let request = Request::post(url).body(Full::from("hello")).unwrap();
    client.oneshot(request).await.unwrap_or_else(|error| panic!("{url}: {error:?}"));
    gateway.requests().pop().unwrap()
}

/// The host alone says the service, and the service the rule.
#[tokio::test]
async fn over_https_by_the_host() {
    for (host, service, hash) in [
        ("abc.execute-api.ap-northeast-1.amazonaws.com", "execute-api", None),
        ("abc.lambda-url.ap-northeast-1.on.aws", "lambda", None),
        ("abc.ap-northeast-1.es.amazonaws.com", "es", None),
        ("abc.ap-northeast-1.aoss.amazonaws.com", "aoss", Some(OF_HELLO)),
        ("bucket.s3.ap-northeast-1.amazonaws.com", "s3", Some(OF_HELLO)),
        ("ap.s3-object-lambda.ap-northeast-1.amazonaws.com", "s3-object-lambda", Some(OF_HELLO)),
        ("b--apne1-az4--x-s3.s3express-apne1-az4.ap-northeast-1.amazonaws.com", "s3express", Some(OF_HELLO)),
        ("abc.1a2b.vpc-lattice-svcs.ap-northeast-1.on.aws", "vpc-lattice-svcs", Some("UNSIGNED-PAYLOAD")),
    ] {
        let gateway = gateway(service).await;
        let signer = Signer::builder().credentials(role()).build().unwrap();
        let received = over_https(&gateway, &signer, &format!("https://{host}{PATH}")).await;
        assert_eq!((received.status.as_u16(), received.error_type), (200, None), "{host}");
        assert_eq!(received.header("x-amz-content-sha256"), hash, "{host}");
        let scope = format!("/{REGION}/{service}/aws4_request");
        assert!(received.header("authorization").unwrap().contains(&scope), "{host}");
    }
}

/// Lattice takes unsigned payloads only: over plain http that has to be allowed, and nothing else is tried.
#[tokio::test]
async fn an_unsigned_payload_over_plain_http_has_to_be_allowed() {
    let gateway = gateway("vpc-lattice-svcs").await;
    for integration in INTEGRATIONS {
        let post = || Request::post(gateway.url()).body(in_memory("hello")).unwrap();
        let refused =
            integration.send_to(Http::One, gateway.addr(), &signer("vpc-lattice-svcs"), post()).await;
        let error = refused.err().unwrap();
        assert_eq!(found(&error).kind(), ErrorKind::UnsupportedPayload, "{integration:?}");
        let message = found(&error).to_string();
        assert!(message.contains(".allow_unsigned_over_http(true)"), "{message}");
        assert!(message.contains("vpc-lattice-svcs takes unsigned payloads only"), "{message}");
        let before = gateway.requests().len();
        let allowed = signing("vpc-lattice-svcs").allow_unsigned_over_http(true).build().unwrap();
        let received = integration.accepted(Http::One, &gateway, &allowed, post()).await;
        assert_eq!(received.header("x-amz-content-sha256"), Some("UNSIGNED-PAYLOAD"), "{integration:?}");
        assert_eq!(gateway.requests().len(), before + 1, "{integration:?}");
    }
    assert_eq!(gateway.requests().len(), INTEGRATIONS.len());
}

/// Another client's request follows the profile as the integrations' do, unless it says how its payload is signed.
#[tokio::test]
async fn signed_by_hand() {
    let signer = signer("vpc-lattice-svcs");
    for (scheme, payload, declared) in [
        ("https", Payload::from("hello"), "UNSIGNED-PAYLOAD"),
        ("https", Payload::empty(), "UNSIGNED-PAYLOAD"),
        ("https", Payload::sha256(sha2::Sha256::digest("hello").into()), OF_HELLO),
        ("http", Payload::sha256(sha2::Sha256::digest("hello").into()), OF_HELLO),
    ] {
        let mut parts = Request::post(format!("{scheme}://localhost/")).body(()).unwrap().into_parts().0;
        signer.sign(&mut parts, payload).await.unwrap();
        assert_eq!(parts.headers["x-amz-content-sha256"], declared, "{scheme} {payload:?}");
    }
    let mut parts = Request::post("http://localhost/").body(()).unwrap().into_parts().0;
    let error = signer.sign(&mut parts, "hello").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnsupportedPayload);
}

/// Presigned URLs follow the profile too: S3's leave the payload open, iotdevicegateway's append the token.
#[tokio::test]
async fn presigned() {
    // A URL cannot carry the header that OpenSearch Serverless insists on.
    let services = SERVICES.map(|(service, ..)| service).into_iter().filter(|service| *service != "aoss");
    for service in services.chain(["vpc-lattice-svcs"]) {
        let gateway = gateway(service).await;
        let url: Uri = format!("{}{PATH}", gateway.url()).parse().unwrap();
        let signed = signer(service).presign(&Method::GET, &url, Duration::from_secs(60)).await;
        let signed = signed.unwrap().to_string();
        let parameter =
            if service == "s3express" { "X-Amz-S3session-Token=" } else { "X-Amz-Security-Token=" };
        assert_eq!(signed.matches("Token=").count(), 1, "{signed}");
        let after = signed.find(parameter).unwrap() > signed.find("X-Amz-Signature=").unwrap();
        assert_eq!(after, service == "iotdevicegateway", "{signed}");
        let client = hyper::<Full<Bytes>>(gateway.addr(), Http::One);
        client.get(signed.parse().unwrap()).await.unwrap();
        let received = gateway.requests().pop().unwrap();
        assert_eq!((received.status.as_u16(), received.error_type), (200, None), "{service}");
    }
}

/// A gateway of one service refuses what is signed by the rule of another: what is shown above is not chance.
#[tokio::test]
async fn one_profile_is_not_another() {
    use sigv4_middleware::SigningSettings;
    for (service, other) in [
        ("s3", "execute-api"),
        ("execute-api", "s3"),
        ("aoss", "es"),
        ("s3express", "s3"),
        ("vpc-lattice-svcs", "aoss"),
    ] {
        let gateway = gateway(service).await;
        let signer = Signer::builder().credentials(role()).service(service).region(REGION);
        let signer = signer.signing_settings(SigningSettings::for_service(other)).build().unwrap();
        let received = over_https(&gateway, &signer, &format!("https://localhost{PATH}")).await;
        assert_eq!(received.status, 403, "{service} as {other}");
    }
}
