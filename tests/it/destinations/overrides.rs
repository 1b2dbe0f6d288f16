//! Every override with every integration, where they are lost, and what they cannot do.

use http::{Request, header};
use reqwest_middleware::ClientWithMiddleware;
use sha2::{Digest, Sha256};
use sigv4_middleware::overrides::{SignHeaders, SigningName, SigningRegion, SigningRegionSet, SkipSigning};
use sigv4_middleware::{Error, ErrorKind, IamGateway, PayloadMode, ReceivedRequest, Signer, SigningSettings};
use tower::ServiceExt;

use crate::support::*;

/// The integrations that have extensions to read.
const INTEGRATIONS: [Integration; 2] = [Integration::Middleware, Integration::LayerOnHyper];

fn put(gateway: &IamGateway) -> http::request::Builder {
    Request::put(format!("{}/a%20b//c", gateway.url())).header("range", "bytes=0-1")
}

/// Sends to a gateway of another service and region than the configured ones.
async fn sent(
    integration: Integration,
    gateway: &IamGateway,
    with: impl FnOnce(http::request::Builder) -> http::request::Builder,
) -> ReceivedRequest {
    let signer = Signer::builder().credentials(role()).service("sqs").region("us-east-1").build().unwrap();
    let request = with(put(gateway)).body(in_memory("hello")).unwrap();
    integration.send_to(Http::One, gateway.addr(), &signer, request).await.unwrap();
    gateway.requests().pop().unwrap()
}

#[tokio::test]
async fn service_and_region() {
    let gateway = gateway("s3").await;
    for integration in INTEGRATIONS {
        let received = sent(integration, &gateway, |request| request).await;
        assert_eq!(received.status, 403, "{integration:?}: the signer is configured with another scope");
        let received = sent(integration, &gateway, |request| request.extension(SigningName::new("s3"))).await;
        assert_eq!(received.status, 403, "{integration:?}: the region is another");
        let received = sent(integration, &gateway, |request| {
            request.extension(SigningName::new("s3")).extension(SigningRegion::new(REGION.to_owned()))
        })
        .await;
        assert_eq!(received.status, 200, "{integration:?}");
        assert!(received.header("authorization").unwrap().contains(&format!("/{REGION}/s3/aws4_request")));
    }
}

/// The gateway knows no SigV4a: what reaches it is looked at. A real check of the signature is in tests/it/interop.
#[cfg(feature = "sigv4a")]
#[tokio::test]
async fn region_set() {
    let gateway = gateway("s3").await;
    for integration in INTEGRATIONS {
        let received = sent(integration, &gateway, |request| {
            // A region set wins over a region.
            request.extension(SigningRegionSet::new("eu-*,us-east-1")).extension(SigningRegion::new(REGION))
        })
        .await;
        let authorization = received.header("authorization").unwrap();
        assert!(authorization.starts_with("AWS4-ECDSA-P256-SHA256 Credential="), "{integration:?}");
        assert!(
            authorization.contains("/sqs/aws4_request") && !authorization.contains(REGION),
            "{integration:?}"
        );
        assert!(authorization.contains(";x-amz-region-set"), "{integration:?}");
        assert_eq!(received.header("x-amz-region-set"), Some("eu-*,us-east-1"), "{integration:?}");
    }
}

fn right(request: http::request::Builder) -> http::request::Builder {
    request.extension(SigningName::new("s3")).extension(SigningRegion::new(REGION))
}

#[tokio::test]
async fn headers_to_sign() {
    let gateway = gateway("s3").await;
    for integration in INTEGRATIONS {
        let names = |received: &ReceivedRequest| received.header("authorization").unwrap().to_owned();
        let received = sent(integration, &gateway, right).await;
        assert!(received.status == 200 && !names(&received).contains(";range;"), "{integration:?}");
        let received = sent(integration, &gateway, |request| {
            right(request).extension(SignHeaders::from_iter([header::RANGE]))
        })
        .await;
        assert!(received.status == 200 && names(&received).contains(";range;"), "{integration:?}");
    }
}

#[tokio::test]
async fn payload_mode() {
    let gateway = gateway("s3").await;
    for integration in INTEGRATIONS {
        let hash: [u8; 32] = Sha256::digest("hello").into();
        let known = PayloadMode::Sha256(hash);
        assert_eq!(sent(integration, &gateway, |request| right(request).extension(known)).await.status, 200);
        let wrong = PayloadMode::Sha256([0; 32]);
        let received = sent(integration, &gateway, |request| right(request).extension(wrong)).await;
        assert_eq!(received.header("x-amz-content-sha256"), Some("0".repeat(64).as_str()), "{integration:?}");
        assert_eq!(received.status, 403, "{integration:?}");

        let before = gateway.requests().len();
        let unsigned = put(&gateway).extension(PayloadMode::Unsigned).body(in_memory("hello")).unwrap();
        let error =
            integration.send_to(Http::One, gateway.addr(), &signer("s3"), unsigned).await.err().unwrap();
        assert_eq!(found(&error).kind(), ErrorKind::UnsupportedPayload, "{integration:?}: over plain http");
        assert_eq!(gateway.requests().len(), before);
    }
}

#[tokio::test]
async fn service_profile() {
    let gateway = gateway("s3").await;
    for integration in INTEGRATIONS {
        let received =
            sent(integration, &gateway, |request| right(request).extension(SigningSettings::default())).await;
        assert_eq!(
            (received.status.as_u16(), received.header("x-amz-content-sha256")),
            (403, None),
            "{integration:?}"
        );
        let received = sent(integration, &gateway, |request| {
            right(request).extension(SigningSettings::for_service("s3"))
        })
        .await;
        assert_eq!(received.status, 200, "{integration:?}");
    }
}

#[tokio::test]
async fn skip_signing() {
    let gateway = gateway("s3").await;
    for integration in INTEGRATIONS {
        let received = sent(integration, &gateway, |request| {
            request.header("authorization", "Bearer of the caller").extension(SkipSigning)
        })
        .await;
        assert_eq!(received.header("authorization"), Some("Bearer of the caller"), "{integration:?}");
        assert!(!received.headers.keys().any(|name| name.as_str().starts_with("x-amz-")), "{integration:?}");
        assert_eq!(
            (&received.body[..], received.target.as_str()),
            (&b"hello"[..], "/a%20b//c"),
            "{integration:?}"
        );
    }
}

/// reqwest-middleware keeps extensions with its own request builder, and nowhere else.
#[tokio::test]
async fn what_is_lost_in_reqwest_middleware() {
    let gateway = gateway("s3").await;
    let client: ClientWithMiddleware = middleware(reqwest(gateway.addr(), Http::One), &signer("s3"));
    let request = || client.get(gateway.url()).with_extension(SkipSigning);
    let was_signed = || gateway.requests().pop().unwrap().header("authorization").is_some();

    request().send().await.unwrap();
    assert!(!was_signed(), "send() keeps them");
    client.execute(request().build().unwrap()).await.unwrap();
    assert!(was_signed(), "build() and execute() lose them");
    let (_, built) = request().build_split();
    client.execute(built.unwrap()).await.unwrap();
    assert!(was_signed(), "so does build_split()");
    let mut extensions = http::Extensions::new();
    extensions.insert(SkipSigning);
    client.execute_with_extensions(request().build().unwrap(), &mut extensions).await.unwrap();
    assert!(!was_signed(), "execute_with_extensions() is the way");
    client.clone().oneshot(request().build().unwrap()).await.unwrap();
    assert!(was_signed(), "its tower Service has no place for them");

    // reqwest's own request keeps what an `http::Request` had, for nobody to read.
    let http = Request::get(gateway.url()).extension(SkipSigning).body("").unwrap();
    client.execute(http.clone().try_into().unwrap()).await.unwrap();
    assert!(was_signed());
    let layered = layered(reqwest(gateway.addr(), Http::One), &signer("s3"));
    layered.oneshot(reqwest::Request::try_from(http).unwrap()).await.unwrap();
    assert!(was_signed(), "nor can the layer read them");
}

/// Overrides widen nothing, and are checked before anything is sent.
#[tokio::test]
async fn no_override_widens_the_allowed_origins() {
    let evil = Recorder::start().await;
    let scoped = |uri: &str| -> Request<TestBody> {
        Request::put(uri)
            .extension(SigningName::new("execute-api"))
            .extension(SigningRegion::new("us-east-1"))
            .extension(SigningRegionSet::new("*"))
            .extension(SignHeaders::from_iter([header::RANGE]))
            .extension(PayloadMode::Unsigned)
            .extension(SigningSettings::for_service("s3"))
            .body(in_memory("hello"))
            .unwrap()
    };
    let url = format!("http://api.example.com:{}/", evil.addr().port());
    let aws = format!("http://abc.execute-api.ap-northeast-1.amazonaws.com:{}/", evil.addr().port());
    let signer = Signer::builder().credentials(role()).scope_overrides_host(true).build().unwrap();
    for integration in INTEGRATIONS {
        for (url, kind) in [(&url, ErrorKind::OriginNotAllowed), (&aws, ErrorKind::InsecureOrigin)] {
            let error =
                integration.send_to(Http::One, evil.addr(), &signer, scoped(url)).await.err().unwrap();
            assert_eq!(found(&error).kind(), kind, "{integration:?} {url}");
        }
    }
    evil.assert_untouched("overrides");
    // Nor do they tell a host what a scope cannot carry.
    let gateway = gateway("s3").await;
    for integration in INTEGRATIONS {
        let request = put(&gateway).extension(SigningRegion::new("us\neast")).body(in_memory("")).unwrap();
        let error = integration.send_to(Http::One, gateway.addr(), &signer, request).await.err().unwrap();
        assert_eq!(found(&error).kind(), ErrorKind::ScopeInvalid, "{integration:?}");
    }
}

/// `Signer::sign`, for other clients, reads them too.
#[tokio::test]
async fn the_signer_alone() {
    let (mut parts, ()) = Request::get("https://bucket.s3.amazonaws.com/key")
        .extension(SigningRegion::new("eu-central-1"))
        .body(())
        .unwrap()
        .into_parts();
    let signer = Signer::builder().credentials(role()).build().unwrap();
    signer.sign(&mut parts, "").await.unwrap();
    assert!(parts.headers["authorization"].to_str().unwrap().contains("/eu-central-1/s3/"));
    parts.extensions.clear();
    let error: Error = signer.sign(&mut parts, "").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ScopeUnknown);
}

/// By choice, what goes elsewhere goes unsigned; what goes to an allowed origin is signed all the same.
#[tokio::test]
async fn requests_to_other_origins_pass_through_unsigned_if_configured() {
    let gateway = gateway("execute-api").await;
    let builder = || Signer::builder().credentials(role()).service("execute-api").region(REGION);
    for integration in INTEGRATIONS {
        gateway.clear();
        let get = |host: &str| Request::get(format!("http://{host}:{}/", gateway.addr().port()));
        let signer = builder().pass_through_disallowed_origins(true).build().unwrap();
        for (host, signed) in [("api.example.com", false), ("localhost", true)] {
            let request = get(host).header("cookie", "mine").body(in_memory("")).unwrap();
            integration.send_to(Http::One, gateway.addr(), &signer, request).await.unwrap();
            let received = gateway.requests().pop().unwrap();
            let names = ["authorization", "x-amz-date", "x-amz-security-token"];
            assert!(
                names.iter().all(|name| received.header(name).is_some() == signed),
                "{integration:?} {host}"
            );
            assert_eq!(received.header("cookie"), Some("mine"));
        }
        let strict = builder().build().unwrap();
        let request = get("api.example.com").body(in_memory("")).unwrap();
        let error = integration.send_to(Http::One, gateway.addr(), &strict, request).await.err().unwrap();
        assert_eq!(found(&error).kind(), ErrorKind::OriginNotAllowed);
    }
}
