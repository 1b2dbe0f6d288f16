//! Which hosts requests are signed for by default, and the lines that an error names for the others.

use std::collections::HashSet;
use std::fs;

use http::Request;
use sigv4_middleware::overrides::{SigningName, SigningRegion};
use sigv4_middleware::{Endpoint, Error, ErrorKind, Signer, SignerBuilder};

use crate::support::{Http, INTEGRATIONS, Recorder, found, in_memory, role};

fn builder() -> SignerBuilder {
    Signer::builder().credentials(role())
}

/// Signs a GET; gives the region and service of the credential scope.
async fn sign(signer: &Signer, request: http::request::Builder) -> Result<String, Error> {
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    signer.sign(&mut parts, "").await?;
    let authorization = parts.headers["authorization"].to_str().unwrap();
    Ok(authorization.split('/').skip(2).take(2).collect::<Vec<_>>().join("/"))
}

/// Public suffixes below which inference recognizes hosts on purpose (`@` is a region), the signing name, and why
/// requests to them may be signed by default.
const REVIEWED: &[(&str, &str, &str)] = &[
    ("execute-api.@.amazonaws.com", "execute-api", API_GATEWAY),
    ("execute-api.@.amazonaws.com.cn", "execute-api", API_GATEWAY),
    ("lambda-url.@.on.aws", "lambda", "Lambda receives the request and checks its signature"),
    ("*.@.rds.amazonaws.com", "rds-db", DATABASE),
    ("*.rds.@.amazonaws.com.cn", "rds-db", DATABASE),
    ("s3.@.amazonaws.com", "s3", S3),
    ("s3.@.amazonaws.com.cn", "s3", S3),
    ("s3.dualstack.@.amazonaws.com", "s3", S3),
    ("s3.dualstack.@.amazonaws.com.cn", "s3", S3),
    ("s3-fips.@.amazonaws.com", "s3", S3),
    ("s3-fips.dualstack.@.amazonaws.com", "s3", S3),
    ("s3-accesspoint.@.amazonaws.com", "s3", S3),
    ("s3-accesspoint.@.amazonaws.com.cn", "s3", S3),
    ("s3-accesspoint.dualstack.@.amazonaws.com", "s3", S3),
    ("s3-accesspoint.dualstack.@.amazonaws.com.cn", "s3", S3),
    ("s3-accesspoint-fips.@.amazonaws.com", "s3", S3),
    ("s3-accesspoint-fips.dualstack.@.amazonaws.com", "s3", S3),
    ("s3-object-lambda.@.amazonaws.com", "s3-object-lambda", S3),
    ("s3-object-lambda.@.amazonaws.com.cn", "s3-object-lambda", S3),
    ("s3-@.amazonaws.com", "s3", S3),
    ("s3-fips-@.amazonaws.com", "s3", S3),
    ("s3.amazonaws.com", "s3", S3),
    ("s3-external-1.amazonaws.com", "s3", S3),
    ("mrap.accesspoint.s3-global.amazonaws.com", "s3", S3),
];
const API_GATEWAY: &str = "API Gateway receives the request and checks its signature";
const DATABASE: &str = "AWS runs the database; tokens for it are signed";
const S3: &str = "S3 runs the servers; the objects are customers'";

/// The one public suffix that AWS's services have in common with (former) EC2 machines: hosts directly below it follow
/// the naming rule of services.
const SHARED: &str = "us-east-1.amazonaws.com";

fn region_label(label: &str) -> bool {
    let words = label.trim_start_matches("s3-").trim_start_matches("fips-");
    let parts: Vec<&str> = words.split('-').collect();
    parts.len() >= 3
        && parts[0].len() <= 4
        && parts.last().unwrap().bytes().all(|b| b.is_ascii_digit())
        && parts[..parts.len() - 1].iter().all(|part| part.bytes().all(|b| b.is_ascii_lowercase()))
}

/// A suffix with `@` in its region's place, and the region.
fn template(suffix: &str) -> (String, Option<&str>) {
    let Some(label) = suffix.split('.').find(|label| region_label(label)) else {
        return (suffix.to_owned(), None);
    };
    let region = label.strip_prefix("s3-").unwrap_or(label);
    let region = region.strip_prefix("fips-").unwrap_or(region);
    (suffix.replacen(region, "@", 1), Some(region))
}

/// The hosts at and below a public suffix that are tried.
fn hosts(suffix: &str, region: Option<&str>) -> Vec<String> {
    let fills = match region {
        _ if !suffix.contains('*') => vec![""],
        Some(_) => vec!["x", "c0hash", "s3"],
        None if suffix.ends_with(".cn") => vec!["cn-north-1", "x"],
        None => vec!["us-east-1", "eu-west-3", "us-gov-west-1", "x", "s3"],
    };
    let below = [
        "a",
        "a.b",
        "my-app-1",
        "fips",
        "dualstack",
        "a-fips",
        "fips-a",
        "a.fips",
        "us-east-1",
        "a.us-east-1",
        "s3",
        "b.s3",
        "sqs",
        "iam",
        "execute-api",
        "a.execute-api",
        "a.lambda-url",
        "s3.us-east-1",
        "a.us-east-1.es",
        "vpce-1",
        "vpce-1.sqs",
        "s3express-use1-az1",
    ];
    fills
        .into_iter()
        .flat_map(|fill| {
            let suffix = suffix.replace('*', fill);
            let names = below.iter().map(|name| format!("{name}.{suffix}")).collect::<Vec<_>>();
            names.into_iter().chain([suffix])
        })
        .collect()
}

/// Whatever service and region are configured, nothing below one of Amazon's public suffixes is signed for but what
/// the list above names.
#[tokio::test]
async fn customers_machines_below_amazons_public_suffixes() {
    let signer = builder().service("s3").region("us-east-1").scope_overrides_host(true).build().unwrap();
    let list = fs::read_to_string("tests/it/vectors/hosts_public_suffixes.txt").unwrap();
    let (mut suffixes, mut tried, mut used, mut wrong) = (0, 0, HashSet::new(), Vec::new());
    for suffix in list.lines().filter(|line| !line.starts_with('#')) {
        suffixes += 1;
        let (template, region) = template(suffix);
        let reviewed = REVIEWED.iter().find(|(reviewed, ..)| *reviewed == template);
        for host in hosts(suffix, region) {
            tried += 1;
            let signed = sign(&signer, Request::get(format!("https://{host}/"))).await;
            let right = match (Endpoint::infer(&host), signed) {
                (Ok(endpoint), Ok(_)) if suffix == SHARED => {
                    endpoint.rule() != "first label" || host.split('.').count() == 4
                }
                (Ok(endpoint), Ok(_)) => {
                    used.insert(template.clone());
                    reviewed.is_some_and(|(_, service, _)| *service == endpoint.service())
                }
                (Err(_), Err(error)) => error.kind() == ErrorKind::OriginNotAllowed,
                _ => false,
            };
            if !right {
                wrong.push(host);
            }
        }
    }
    assert!(wrong.is_empty(), "{} hosts, such as {:#?}", wrong.len(), &wrong[..wrong.len().min(100)]);
    assert!(suffixes > 850 && tried > 20_000, "{suffixes} suffixes, {tried} hosts");
    let unused: Vec<_> = REVIEWED.iter().filter(|(template, ..)| !used.contains(*template)).collect();
    assert!(unused.is_empty(), "reviewed, but not in the list or not recognized: {unused:?}");
}

/// Names that only look like loopback, or resolve to it on some machines: nothing is sent, by any client.
#[tokio::test]
async fn only_loopback_is_loopback() {
    let recorder = Recorder::start().await;
    let signer = builder().service("s3").region("us-east-1").build().unwrap();
    for host in ["minio.localhost", "localhost.", "localhost.localdomain", "127.0.0.1.example.com"] {
        let url = format!("http://{host}:{}/", recorder.addr().port());
        for integration in INTEGRATIONS {
            let request = Request::get(&url).body(in_memory("")).unwrap();
            let error =
                integration.send_to(Http::One, recorder.addr(), &signer, request).await.err().unwrap();
            assert_eq!(found(&error).kind(), ErrorKind::OriginNotAllowed, "{integration:?} {url}");
        }
        let allowing = builder().service("s3").region("us-east-1").allow_origin(url.trim_end_matches('/'));
        let signed = sign(&allowing.build().unwrap(), Request::get(&url)).await;
        assert_eq!(signed.unwrap(), "us-east-1/s3", "{url}");
    }
    recorder.assert_untouched("names like loopback");
}

/// The first error for a host names every line that is missing, and no other; with those lines the same request is
/// signed.
#[tokio::test]
async fn the_first_error_names_every_line_to_add() {
    const CUSTOM: &str = "https://api.example.com/";
    const SERVICE: &str = ".service(\"...\")";
    const REGION: &str = ".region(\"...\")";
    let both = format!("{SERVICE}{REGION}");
    let host = |lines: &str| format!(".allow_host(\"api.example.com\"){lines}");
    let plain = |url: &str| Request::get(url);
    for (make, request, lines) in [
        (builder as fn() -> SignerBuilder, plain(CUSTOM), host(&both)),
        (|| builder().service("s3"), plain(CUSTOM), host(REGION)),
        (|| builder().region("eu-west-1"), plain(CUSTOM), host(SERVICE)),
        (|| builder().default_region("eu-west-1"), plain(CUSTOM), host(SERVICE)),
        (|| builder().service("s3").region("eu-west-1"), plain(CUSTOM), host("")),
        (builder, plain(CUSTOM).extension(SigningName::new("s3")), host(REGION)),
        (builder, plain(CUSTOM).extension(SigningRegion::new("eu-west-1")), host(SERVICE)),
        (builder, plain("http://minio:9000/"), format!(".allow_origin(\"http://minio:9000\"){both}")),
        (
            builder,
            plain("https://app.ecs.us-east-1.on.aws/"),
            format!(".allow_host(\"app.ecs.us-east-1.on.aws\"){both}"),
        ),
        (
            builder,
            plain("https://x.us-east-1.airflow.amazonaws.com/"),
            format!(".allow_host(\"x.us-east-1.airflow.amazonaws.com\"){both}"),
        ),
        // A host that only the origin is missing for.
        (
            builder,
            plain("https://abc.r2.cloudflarestorage.com/"),
            ".allow_host(\"abc.r2.cloudflarestorage.com\")".to_owned(),
        ),
        (
            builder,
            plain("http://sqs.eu-west-1.amazonaws.com/"),
            ".allow_origin(\"http://sqs.eu-west-1.amazonaws.com\")".to_owned(),
        ),
    ] {
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let url = parts.uri.clone();
        let error = make().build().unwrap().sign(&mut parts, "").await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::OriginNotAllowed | ErrorKind::InsecureOrigin), "{error}");
        let message = error.to_string();
        assert!(message.contains(&format!("add {lines} to the signer's builder")), "{url}: {message}");
        let of_aws = url.host().unwrap().contains(".us-east-1.");
        assert_eq!(message.contains("customer's machine"), of_aws, "{message}");
        let signer = with_lines(make(), &lines).build().unwrap();
        signer.sign(&mut parts, "").await.unwrap_or_else(|error| panic!("{url} with {lines}: {error}"));
    }
}

/// The builder with such lines, a service and a region in place of the dots.
fn with_lines(mut builder: SignerBuilder, lines: &str) -> SignerBuilder {
    for line in lines.split_inclusive("\")") {
        let (method, argument) = line.trim_end_matches("\")").split_once("(\"").unwrap();
        builder = match (method, argument) {
            (".allow_host", host) => builder.allow_host(host),
            (".allow_origin", origin) => builder.allow_origin(origin),
            (".service", "...") => builder.service("s3"),
            (".region", "...") => builder.region("eu-west-1"),
            other => panic!("{other:?}"),
        };
    }
    builder
}

/// On loopback, and at an allowed host, one message asks for both parts of the scope.
#[tokio::test]
async fn service_and_region_are_asked_for_together() {
    for (builder, url) in [
        (builder(), "http://127.0.0.1:9000/"),
        (builder().allow_host("api.example.com"), "https://api.example.com/"),
    ] {
        let error = sign(&builder.build().unwrap(), Request::get(url)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ScopeUnknown);
        let message = error.to_string();
        assert!(message.contains(".service(\"...\") and .region(\"...\")"), "{message}");
    }
}

/// Hosts of AWS whose services the tests above name, signed for without a line.
#[tokio::test]
async fn hosts_of_aws_need_no_line() {
    let signer = builder().build().unwrap();
    for (host, scope) in [
        ("pipe-abc.us-east-1.osis.amazonaws.com", "us-east-1/osis"),
        ("application-x-1.us-east-1.opensearch.amazonaws.com", "us-east-1/opensearch"),
        ("db.c0hash.eu-west-1.rds.amazonaws.com", "eu-west-1/rds-db"),
        ("p.proxy-c0hash.eu-west-1.rds.amazonaws.com", "eu-west-1/rds-db"),
        ("bucket.s3.eu-west-1.amazonaws.com", "eu-west-1/s3"),
        ("abc.lambda-url.eu-west-1.on.aws", "eu-west-1/lambda"),
        ("bedrock-mantle.eu-west-1.api.aws", "eu-west-1/bedrock-mantle"),
        ("brand-new.eu-west-1.amazonaws.com", "eu-west-1/brand-new"),
        ("eu-west-1.signin.aws.amazon.com", "eu-west-1/signin"),
    ] {
        let signed = sign(&signer, Request::get(format!("https://{host}/"))).await;
        assert_eq!(signed.unwrap(), scope, "{host}");
    }
}
