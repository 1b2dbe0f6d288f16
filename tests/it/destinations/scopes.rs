//! Configured service and region, and those inferred from the host; and the errors that name the line to add.

use http::Request;
use sigv4_middleware::overrides::{SigningName, SigningRegion};
use sigv4_middleware::{ErrorKind, Signer, SignerBuilder};

use crate::support::*;

/// The scope that a GET of a URL is signed for, or why not.
async fn scope(builder: SignerBuilder, url: &str) -> Result<String, (ErrorKind, String)> {
    let signer = builder.credentials(role()).build().unwrap();
    let (mut parts, ()) = Request::get(url).body(()).unwrap().into_parts();
    signer.sign(&mut parts, "").await.map_err(|error| (error.kind(), error.to_string()))?;
    let authorization = parts.headers["authorization"].to_str().unwrap();
    let (scope, _) = authorization.split_once("/aws4_request").unwrap();
    Ok(scope.split('/').skip(2).collect::<Vec<_>>().join("/"))
}

fn builder() -> SignerBuilder {
    Signer::builder()
}

const API: &str = "https://abc.execute-api.eu-west-1.amazonaws.com/";
const BUCKET: &str = "https://bucket.s3.amazonaws.com/";
const CUSTOM: &str = "https://api.example.com/";

#[tokio::test]
async fn configured_and_inferred() {
    let scope = async |builder, url| scope(builder, url).await.map_err(|(kind, _)| kind);
    assert_eq!(scope(builder(), API).await.unwrap(), "eu-west-1/execute-api");
    assert_eq!(scope(builder().service("execute-api"), API).await.unwrap(), "eu-west-1/execute-api");
    assert_eq!(scope(builder().region("eu-west-1"), API).await.unwrap(), "eu-west-1/execute-api");
    assert_eq!(scope(builder().region("us-east-1"), API).await, Err(ErrorKind::ScopeInvalid));
    assert_eq!(scope(builder().service("lambda"), API).await, Err(ErrorKind::ScopeInvalid));
    let overriding = || builder().scope_overrides_host(true);
    assert_eq!(scope(overriding().region("us-east-1"), API).await.unwrap(), "us-east-1/execute-api");
    assert_eq!(scope(overriding().service("lambda"), API).await.unwrap(), "eu-west-1/lambda");

    assert_eq!(scope(builder().default_region("us-east-1"), API).await.unwrap(), "eu-west-1/execute-api");
    assert_eq!(scope(builder().default_region("us-east-1"), BUCKET).await.unwrap(), "us-east-1/s3");
    assert_eq!(scope(builder().region("us-west-2"), BUCKET).await.unwrap(), "us-west-2/s3");
    assert_eq!(scope(builder(), BUCKET).await, Err(ErrorKind::ScopeUnknown));

    let custom = || builder().allow_host("api.example.com");
    assert_eq!(scope(custom(), CUSTOM).await, Err(ErrorKind::ScopeUnknown));
    assert_eq!(scope(custom().default_region("us-east-1"), CUSTOM).await, Err(ErrorKind::ScopeUnknown));
    assert_eq!(scope(custom().service("execute-api"), CUSTOM).await, Err(ErrorKind::ScopeUnknown));
    let said = custom().service("execute-api").region("eu-west-1");
    assert_eq!(scope(said, CUSTOM).await.unwrap(), "eu-west-1/execute-api");
}

#[tokio::test]
async fn a_contradiction_names_both_sides_and_the_way_out() {
    let (_, message) = scope(builder().region("us-east-1"), API).await.unwrap_err();
    for part in ["\"us-east-1\"", "\"eu-west-1\"", "remove .region(…)", ".scope_overrides_host(true)"] {
        assert!(message.contains(part), "{message}");
    }
    let (_, message) = scope(builder(), BUCKET).await.unwrap_err();
    assert!(message.contains(".region(") && message.contains("x-amz-bucket-region"), "{message}");
    let (_, message) = scope(builder().allow_host("api.example.com"), CUSTOM).await.unwrap_err();
    assert!(message.contains(".service(") && message.contains(".region("), "{message}");
    // Only what is missing is asked for: the region of the environment is a default one.
    let custom = || builder().allow_host("api.example.com");
    for known in [custom().region("eu-west-1"), custom().default_region("eu-west-1")] {
        let (_, message) = scope(known, CUSTOM).await.unwrap_err();
        assert!(message.contains(".service(") && !message.contains(".region("), "{message}");
    }
}

/// Multi-region access points are signed with SigV4a alone.
#[cfg(feature = "sigv4a")]
#[tokio::test]
async fn a_multi_region_access_point() {
    use sigv4_middleware::overrides::SigningRegionSet;

    let mrap = "https://mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com/key";
    assert_eq!(scope(builder(), mrap).await.unwrap(), "s3");
    assert_eq!(scope(builder().default_region("us-east-1"), mrap).await.unwrap(), "s3");
    assert_eq!(scope(builder().region_set("eu-*"), mrap).await.unwrap(), "s3");
    let (kind, message) = scope(builder().region("us-east-1"), mrap).await.unwrap_err();
    assert_eq!(kind, ErrorKind::ScopeInvalid);
    assert!(message.contains("SigV4a region set"), "{message}");
    let overriding = builder().region("us-east-1").scope_overrides_host(true);
    assert_eq!(scope(overriding, mrap).await.unwrap(), "us-east-1/s3");

    // One region's host is signed with SigV4a if that is configured.
    assert_eq!(scope(builder().region_set("eu-west-1,eu-central-1"), API).await.unwrap(), "execute-api");
    let (mut parts, ()) =
        Request::get(API).extension(SigningRegionSet::new("*")).body(()).unwrap().into_parts();
    builder().credentials(role()).build().unwrap().sign(&mut parts, "").await.unwrap();
    assert_eq!(parts.headers["x-amz-region-set"], "*");
}

/// An override wins over both, without a contradiction.
#[tokio::test]
async fn an_override_is_no_contradiction() {
    let signer = builder().credentials(role()).service("execute-api").region("eu-west-1").build().unwrap();
    let request = Request::get(BUCKET).extension(SigningName::new("s3")).extension(SigningRegion::new("r"));
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    signer.sign(&mut parts, "").await.unwrap();
    assert!(parts.headers["authorization"].to_str().unwrap().contains("/r/s3/aws4_request"));
}

/// The error for a place that is not allowed tells a line; with that line the same call works.
#[tokio::test]
async fn the_line_that_an_error_tells_makes_the_call_work() {
    let gateway = gateway("execute-api").await;
    let builder = || builder().credentials(role()).service("execute-api").region(REGION);
    let port = gateway.addr().port();
    for integration in INTEGRATIONS {
        let send = async |builder: SignerBuilder| {
            let signer = builder.build().unwrap();
            let request =
                Request::get(format!("http://api.example.com:{port}/")).body(in_memory("")).unwrap();
            integration.send_to(Http::One, gateway.addr(), &signer, request).await
        };
        let error = send(builder()).await.err().unwrap();
        assert_eq!(found(&error).kind(), ErrorKind::OriginNotAllowed);
        let told = applied(builder(), &found(&error).to_string());
        assert_eq!(send(told).await.unwrap().status, 200, "{integration:?}");
    }
    for (url, kind) in [
        (CUSTOM, ErrorKind::OriginNotAllowed),
        ("https://API.Example.com.:8443/", ErrorKind::OriginNotAllowed),
        ("http://minio:9000/", ErrorKind::OriginNotAllowed),
        ("http://minio/", ErrorKind::OriginNotAllowed),
        ("https://10.0.0.7/", ErrorKind::OriginNotAllowed),
        ("http://[fd00::7]:9000/", ErrorKind::OriginNotAllowed),
        ("https://[fd00::7]/", ErrorKind::OriginNotAllowed),
        ("https://xn--mnchen-3ya.example/", ErrorKind::OriginNotAllowed),
        ("http://abc.execute-api.ap-northeast-1.amazonaws.com/", ErrorKind::InsecureOrigin),
    ] {
        let (found, message) = scope(builder(), url).await.unwrap_err();
        assert_eq!(found, kind, "{url}");
        let told = scope(applied(builder(), &message), url).await;
        assert_eq!(told, Ok(format!("{REGION}/execute-api")), "{url}: {message}");
    }
}

/// The builder with the first line that a message tells to add.
#[track_caller]
fn applied(builder: SignerBuilder, message: &str) -> SignerBuilder {
    let (_, line) = message.split_once("add .").unwrap_or_else(|| panic!("{message}"));
    let (method, argument) = line.split_once("(\"").unwrap();
    let (argument, _) = argument.split_once("\")").unwrap();
    match method {
        "allow_host" => builder.allow_host(argument),
        "allow_origin" => builder.allow_origin(argument),
        other => panic!("no such line: {other}"),
    }
}
