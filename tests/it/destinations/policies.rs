//! What each redirect policy follows, by scheme, service, partition and spelling: every byte is kept of what reached
//! which origin.

use http::header::HOST;
use http::{Extensions, HeaderValue, Method};
use reqwest::{Request, Response, ResponseBuilderExt, Url};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use sigv4_middleware::{Error, ErrorKind, RedirectPolicy, SigV4Middleware, Signer};

use crate::support::*;

const BODY: &str = "the-body-that-is-not-for-everyone";

/// Stands for the network beneath the middleware, https and all: the origin of the first request is one server, every
/// other origin another.
struct Network {
    first: Recorder,
    other: Recorder,
    origin: String,
}

impl Network {
    async fn redirecting(from: &str, head: &str) -> Self {
        let response = format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\n\r\n");
        let first = Recorder::responding(move |request| {
            if request.split_once(' ').unwrap().1.starts_with("/first") {
                response.clone()
            } else {
                "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned()
            }
        });
        Self { first: first.await, other: Recorder::start().await, origin: origin(from) }
    }

    fn wire(&self) -> Wire {
        Wire { first: self.first.addr(), other: self.other.addr(), origin: self.origin.clone() }
    }
}

fn origin(url: &str) -> String {
    url.parse::<Url>().unwrap().origin().ascii_serialization()
}

struct Wire {
    first: std::net::SocketAddr,
    other: std::net::SocketAddr,
    origin: String,
}

#[async_trait::async_trait]
impl Middleware for Wire {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let url = request.url().clone();
        let is_first = url.origin().ascii_serialization() == self.origin;
        let to = if is_first { self.first } else { self.other };
        request.headers_mut().insert(HOST, HeaderValue::from_str(url.authority()).unwrap());
        request.url_mut().set_scheme("http").unwrap();
        request.url_mut().set_host(Some("127.0.0.1")).unwrap();
        request.url_mut().set_port(Some(to.port())).unwrap();
        let mut response = http::Response::<reqwest::Body>::from(next.run(request, extensions).await?);
        let marked = http::Response::builder().url(url).body(()).unwrap();
        response.extensions_mut().extend(marked.into_parts().0.extensions);
        Ok(response.into())
    }
}

/// Signs for whatever the tests name but `evil.example`, so that the policy alone decides.
fn permissive() -> Signer {
    let mut builder = signing("s3").scope_overrides_host(true);
    for host in ["api.example.com", "other.example.com", "*.on.aws", "*.r2.cloudflarestorage.com"] {
        builder = builder.allow_host(host);
    }
    for origin in ["http://api.example.com", "http://other.example.com", "https://[::ffff:127.0.0.1]:9000"] {
        builder = builder.allow_origin(origin);
    }
    builder.build().unwrap()
}

fn client(policy: RedirectPolicy, signer: Signer, network: &Network) -> ClientWithMiddleware {
    ClientBuilder::new(plain_reqwest())
        .with(SigV4Middleware::new(signer).redirects(policy))
        .with(network.wire())
        .build()
}

/// Sends one request to `from`, which redirects to `location`, and checks what reached whom.
async fn check(
    (name, policy): (&str, RedirectPolicy),
    (status, method): (u16, Method),
    (from, location): (&str, &str),
    expected: Result<(), ErrorKind>,
) {
    let case = format!("{name}: {status} {method} {from} -> {location}");
    let network = Network::redirecting(from, &format!("{status} Moved\r\nlocation: {location}")).await;
    let body = if method == Method::GET { "" } else { BODY };
    let request = client(policy, permissive(), &network).request(method.clone(), from);
    let request = request.header("x-api-key", "key-of-the-first").body(body);
    let outcome = in_time(request.send()).await;

    let to = from.parse::<Url>().unwrap().join(location).unwrap();
    let same_origin = origin(from) == to.origin().ascii_serialization();
    let keeps_body = status >= 307 || (status != 303 && method != Method::POST);
    let next = if keeps_body { method.clone() } else { Method::GET };
    let first = network.first.seen();
    assert!(first.starts_with(&format!("{method} /first HTTP/1.1\r\n")) && first.contains(body), "{case}");
    assert_eq!(
        first.matches(" HTTP/1.1\r\n").count(),
        1 + usize::from(same_origin && expected.is_ok()),
        "{case}"
    );
    if let Err(kind) = expected {
        let error = outcome.unwrap_err();
        let error = Error::find(&error).unwrap_or_else(|| panic!("{case}: {error:?}"));
        assert_eq!(error.kind(), kind, "{case}: {error}");
        assert!(error.was_sent(), "{case}");
        assert!(error.to_string().starts_with("a redirect was not followed: "), "{case}: {error}");
        network.other.assert_untouched(&case);
        return;
    }
    let response = outcome.unwrap_or_else(|error| panic!("{case}: {error:?}"));
    assert_eq!((response.status().as_u16(), response.url()), (200, &to), "{case}");
    let second = if same_origin {
        network.other.assert_untouched(&case);
        first[1..].split_at(first[1..].find(&format!("{next} ")).unwrap()).1.to_owned()
    } else {
        network.other.seen()
    };
    assert_eq!(second.matches(" HTTP/1.1\r\n").count(), 1, "{case}");
    let target = &to.as_str()[to.origin().ascii_serialization().len()..];
    assert!(second.starts_with(&format!("{next} {target} HTTP/1.1\r\n")), "{case}: {second}");
    let lower = second.to_ascii_lowercase();
    assert!(lower.contains(&format!("\r\nhost: {}\r\n", to.authority())), "{case}: {second}");
    assert!(lower.contains("\r\nauthorization: aws4-hmac-sha256 "), "{case}: {second}");
    assert_eq!(second.ends_with(BODY), keeps_body && !body.is_empty(), "{case}: {second}");
    assert_eq!(lower.contains("x-api-key"), same_origin, "{case}: {second}");
}

const NOT_ALLOWED: Result<(), ErrorKind> = Err(ErrorKind::OriginNotAllowed);
const INSECURE: Result<(), ErrorKind> = Err(ErrorKind::InsecureOrigin);

/// From where to where; and what is expected by `same_origin()`, by `same_service()`, and with the origin named.
type Row<'a> = (&'a str, &'a str, [Result<(), ErrorKind>; 3]);

async fn rows(rows: &[Row<'_>]) {
    for (from, location, expected) in rows {
        let to = from.parse::<Url>().unwrap().join(location).unwrap().origin().ascii_serialization();
        let policies = [
            ("same origin", RedirectPolicy::same_origin()),
            ("same service", RedirectPolicy::same_service()),
            ("named", RedirectPolicy::same_service().allow_origin(&to).unwrap()),
        ];
        for (policy, expected) in policies.into_iter().zip(expected) {
            for (status, method) in
                [(301, Method::GET), (302, Method::POST), (307, Method::POST), (308, Method::PUT)]
            {
                check(policy.clone(), (status, method), (from, location), *expected).await;
            }
        }
    }
}

#[tokio::test]
async fn from_a_custom_domain() {
    let api = "https://api.example.com/first";
    let (same, other) = ([Ok(()); 3], [NOT_ALLOWED, NOT_ALLOWED, Ok(())]);
    rows(&[
        (api, "/next?a=b", same),
        (api, "https://API.example.com:443/next", same),
        (api, "https://api.example.com:8443/next", other),
        (api, "https://other.example.com/next", other),
        // Whoever runs the API has a call of AWS signed.
        (api, "https://iam.amazonaws.com/?Action=CreateUser&UserName=mallory", other),
        (api, "https://bucket.s3.eu-west-1.amazonaws.com/next", other),
        (api, "https://abc.execute-api.eu-west-1.amazonaws.com/next", other),
        (api, "http://api.example.com/next", [INSECURE; 3]),
        (api, "http://api.example.com:443/next", [INSECURE; 3]),
        (api, "//evil.example/next", [NOT_ALLOWED; 3]),
        (api, "https://evil.example/next", [NOT_ALLOWED; 3]),
        (api, "http://evil.example/next", [INSECURE; 3]),
        ("http://api.example.com/first", "/next", same),
        ("http://api.example.com/first", "https://api.example.com/next", other),
        ("http://api.example.com/first", "http://other.example.com/next", other),
        ("http://api.example.com/first", "https://iam.amazonaws.com/?Action=ListUsers", other),
    ])
    .await;
}

#[tokio::test]
async fn from_an_aws_host() {
    let bucket = "https://bucket.s3.amazonaws.com/first";
    let api = "https://abc.execute-api.eu-west-1.amazonaws.com/first";
    let (same_service, other) = ([NOT_ALLOWED, Ok(()), Ok(())], [NOT_ALLOWED, NOT_ALLOWED, Ok(())]);
    rows(&[
        (bucket, "https://bucket.s3.amazonaws.com/next", [Ok(()); 3]),
        (bucket, "https://bucket.s3.eu-west-1.amazonaws.com/next", same_service),
        (bucket, "https://s3.us-west-2.amazonaws.com/bucket/next", same_service),
        (bucket, "https://bucket.s3.dualstack.eu-west-1.amazonaws.com/next", same_service),
        (bucket, "https://bucket.s3.cn-north-1.amazonaws.com.cn/next", other),
        (bucket, "https://bucket.s3.us-gov-west-1.amazonaws.com/next", other),
        (bucket, "https://sqs.us-east-1.amazonaws.com/next", other),
        (bucket, "https://iam.amazonaws.com/?Action=CreateUser", other),
        (bucket, "https://abc.r2.cloudflarestorage.com/next", other),
        (bucket, "https://other.example.com/next", other),
        (bucket, "https://bucket.s3.amazonaws.com.evil.example/next", [NOT_ALLOWED; 3]),
        (bucket, "http://bucket.s3.amazonaws.com/next", [INSECURE; 3]),
        (bucket, "http://bucket.s3.eu-west-1.amazonaws.com/next", [INSECURE; 3]),
        (api, "https://def.execute-api.us-east-1.amazonaws.com/next", same_service),
        (api, "https://def.lambda-url.us-east-1.on.aws/next", other),
        (api, "https://bucket.s3.eu-west-1.amazonaws.com/next", other),
        ("https://a.r2.cloudflarestorage.com/first", "https://b.r2.cloudflarestorage.com/next", other),
    ])
    .await;
}

/// From anywhere but loopback, to loopback in any spelling, whatever the policy names.
#[tokio::test]
async fn never_to_loopback() {
    let from = [
        "https://api.example.com/first",
        "http://api.example.com/first",
        "https://bucket.s3.amazonaws.com/first",
    ];
    for host in [
        "127.0.0.1:9000",
        "127.1:9000",
        "127.255.255.254:9000",
        "0x7f.1:9000",
        "0x7F000001:9000",
        "2130706433:9000",
        "017700000001:9000",
        "localhost:9000",
        "LocalHost:9000",
        "localhost.:9000",
        "api.localhost:9000",
        "%6cocalhost:9000",
        "\u{24db}ocalhost:9000",
        "[::1]:9000",
        "[0:0:0:0:0:0:0:1]:9000",
        "[::ffff:127.0.0.1]:9000",
        "[::ffff:7f00:1]:9000",
        "0.0.0.0:9000",
        "[::]:9000",
    ] {
        for from in from {
            let plain = if from.starts_with("https") { INSECURE } else { NOT_ALLOWED };
            rows(&[
                (from, &format!("http://{host}/next"), [plain; 3]),
                (from, &format!("https://{host}/next"), [NOT_ALLOWED; 3]),
            ])
            .await;
        }
    }
}

/// On loopback another port is another origin, run by somebody else perhaps.
#[tokio::test]
async fn from_loopback() {
    let minio = "http://127.0.0.1:9000/first";
    let other = [NOT_ALLOWED, NOT_ALLOWED, Ok(())];
    rows(&[
        (minio, "/next", [Ok(()); 3]),
        (minio, "http://0x7f.1:9000/next", [Ok(()); 3]),
        (minio, "http://127.0.0.1:9001/next", other),
        (minio, "https://127.0.0.1:9000/next", other),
        (minio, "http://localhost:9000/next", other),
        (minio, "http://[::1]:9000/next", other),
        (minio, "https://other.example.com/next", other),
        (minio, "https://bucket.s3.eu-west-1.amazonaws.com/next", other),
        (minio, "http://evil.example/next", [NOT_ALLOWED; 3]),
        ("https://localhost:9000/first", "http://localhost:9000/next", [INSECURE; 3]),
    ])
    .await;
}

#[tokio::test]
async fn none_follows_nothing() {
    for location in
        ["/next", "https://api.example.com/next", "https://evil.example/", "http://[::1", "http://127.0.0.1/"]
    {
        for policy in [RedirectPolicy::none(), RedirectPolicy::default().limit(3)] {
            let from = "https://api.example.com/first";
            let network = Network::redirecting(from, &format!("307 Moved\r\nlocation: {location}")).await;
            let response = client(policy, permissive(), &network).post(from).body(BODY).send().await.unwrap();
            assert_eq!((response.status().as_u16(), response.url().as_str()), (307, from), "{location}");
            assert_eq!(network.first.seen().matches(BODY).count(), 1, "{location}");
            network.other.assert_untouched(location);
        }
    }
}

#[tokio::test]
async fn the_limit_is_the_callers() {
    for (limit, requests) in [(0, 1), (1, 2), (5, 6), (7, 8)] {
        let first = Recorder::responding(|_| {
            "HTTP/1.1 307 Moved\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n".to_owned()
        });
        let origin = "https://api.example.com".to_owned();
        let network = Network { first: first.await, other: Recorder::start().await, origin };
        let policy = RedirectPolicy::same_origin().limit(limit);
        let request = client(policy, permissive(), &network).post("https://api.example.com/first");
        let error = request.body(BODY).send().await.unwrap_err();
        let error = Error::find(&error).unwrap();
        assert_eq!(error.kind(), ErrorKind::Redirected);
        assert!(error.to_string().contains(&format!("more than {limit} times")), "{error}");
        assert_eq!(network.first.seen().matches(BODY).count(), requests, "{limit}");
        network.other.assert_untouched("");
    }
}

/// S3's redirect to the region of a bucket: the object is stored as it was to be, and no key goes along.
#[tokio::test]
async fn an_upload_to_another_region_keeps_its_metadata_and_no_key() {
    let secrets = [
        ("x-api-key", "key-1"),
        ("x-auth-token", "key-2"),
        ("cookie", "key-3"),
        ("x-csrf-token", "key-4"),
        ("proxy-authorization", "key-5"),
        ("x-amz-server-side-encryption-customer-key", "key-6"),
        ("x-amz-server-side-encryption-customer-key-md5", "key-7"),
        ("x-amz-mfa", "key-8"),
        ("user-agent", "key-9"),
    ];
    let parameters = [
        ("cache-control", "max-age=60"),
        ("content-encoding", "gzip"),
        ("content-type", "text/plain"),
        ("if-none-match", "*"),
        ("x-amz-acl", "private"),
        ("x-amz-meta-a", "b"),
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("x-amz-tagging", "a=b"),
    ];
    let from = "https://bucket.s3.amazonaws.com/first";
    let to = "https://bucket.s3.eu-west-1.amazonaws.com/first";
    let head = format!("307 Temporary Redirect\r\nlocation: {to}\r\nx-amz-bucket-region: eu-west-1");
    let network = Network::redirecting(from, &head).await;
    let signer = Signer::builder().credentials(role()).default_region("us-east-1").build().unwrap();
    let mut request = client(RedirectPolicy::same_service(), signer, &network).put(from).body(BODY);
    for (name, value) in secrets.into_iter().chain(parameters) {
        request = request.header(name, value);
    }
    assert_eq!(request.send().await.unwrap().status(), 200);
    let (first, second) = (network.first.seen(), network.other.seen());
    for (name, value) in secrets {
        assert!(first.contains(value), "{name}");
        assert!(!second.contains(value) && !second.contains(name), "{name}: {second}");
    }
    for (name, value) in parameters {
        assert!(second.contains(&format!("{name}: {value}\r\n")), "{name}: {second}");
    }
    assert!(second.contains("/eu-west-1/s3/aws4_request") && second.ends_with(BODY), "{second}");
    let signed = second.split("SignedHeaders=").nth(1).unwrap().split(',').next().unwrap();
    assert!(signed.contains(";x-amz-meta-a;") && !signed.contains("customer-key"), "{signed}");
}
