//! Any chain of redirects: nothing is sent beyond the redirect policy and the signer's allowed origins, and no key or
//! cookie to another origin than the first.
#![no_main]

use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use arbitrary::{Arbitrary, Result, Unstructured};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;
use reqwest::{Body, Request, Response, ResponseBuilderExt, Url};
use reqwest_middleware::{ClientBuilder, Middleware, Next};
use sigv4_middleware::overrides::SigningRegion;
use sigv4_middleware::{Endpoint, Error, ErrorKind, RedirectPolicy, SigV4Middleware, Signer};
use sigv4_middleware_fuzz::hosts::{is_below_aws, is_loopback};
use sigv4_middleware_fuzz::provider::Provider;
use sigv4_middleware_fuzz::response::NOW;
use sigv4_middleware_fuzz::signed::ParsedAuthorization;
use sigv4_middleware_fuzz::{FixedClock, run, text};

const BODY: &str = "the body of the first request";

const ORIGINS: [&str; 32] = [
    "https://abc123.execute-api.eu-west-1.amazonaws.com",
    "https://def456.execute-api.us-east-1.amazonaws.com",
    "https://bucket.s3.amazonaws.com",
    "https://bucket.s3.us-east-1.amazonaws.com",
    "https://bucket.s3.us-east-1.amazonaws.com:8443",
    "https://s3.eu-west-1.amazonaws.com",
    "https://s3.dualstack.eu-west-1.amazonaws.com",
    "https://bucket.s3.cn-north-1.amazonaws.com.cn",
    "http://bucket.s3.us-east-1.amazonaws.com",
    "https://s3.us-east-1.amazonaws.com.evil.example",
    "https://s3.us-east-1.amazonaws.com.",
    "https://sts.amazonaws.com",
    "https://iam.amazonaws.com",
    "https://ec2-1-2-3-4.compute-1.amazonaws.com",
    "http://127.0.0.1:9000",
    "http://127.0.0.1",
    "http://localhost",
    "https://localhost:1",
    "http://LOCALHOST.",
    "http://a.localhost",
    "http://[::1]:80",
    "http://[::ffff:127.0.0.1]",
    "http://0x7f000001",
    "http://0.0.0.0",
    "http://169.254.169.254",
    "https://api.example.com",
    "https://x.example.com",
    "http://api.example.com",
    "https://evil.example",
    "http://minio:9000",
    "https://minio:9000",
    "ftp://api.example.com",
];

const PATHS: [&str; 8] =
    ["/", "/a/b", "/a?b=c", "/%2e%2e/x", "/a//b", "/a#fragment", "", "/latest/meta-data/"];

/// Pieces of a Location that is no plain URL.
const PIECES: [&str; 22] = [
    "https:",
    "http:",
    "//",
    "/",
    "\\",
    "@",
    "#",
    "?",
    "%2f",
    "%40",
    "..",
    "evil.example",
    "localhost",
    "127.0.0.1",
    "api.example.com",
    "s3.us-east-1.amazonaws.com",
    "user:pass@",
    ":9000",
    "\t",
    "\u{3002}",
    "\u{ff0f}",
    "[::1]",
];

/// Headers that belong to the first origin alone.
const KEYS: [&str; 7] = [
    "x-api-key",
    "cookie",
    "private-token",
    "proxy-authorization",
    "x-amz-server-side-encryption-customer-key",
    "x-amz-copy-source-server-side-encryption-customer-key",
    "x-custom",
];

#[derive(Debug)]
struct Input {
    rule: u8,
    named: Vec<&'static str>,
    limit: Option<usize>,
    allowed_hosts: Vec<&'static str>,
    allowed_origins: Vec<&'static str>,
    no_loopback: bool,
    passes_through: bool,
    service: Option<&'static str>,
    region: Option<&'static str>,
    overrides_host: bool,
    request_region: Option<&'static str>,
    method: Method,
    url: String,
    has_body: bool,
    keys: u8,
    responses: Vec<Redirecting>,
}

#[derive(Clone, Debug)]
struct Redirecting {
    status: u16,
    location: Option<HeaderValue>,
    bucket_region: Option<&'static str>,
}

fn some<'a, T: Copy>(u: &mut Unstructured<'a>, of: &[T], one_in: u8) -> Result<Option<T>> {
    if u.ratio(1, one_in)? { u.choose(of).copied().map(Some) } else { Ok(None) }
}

fn list(u: &mut Unstructured<'_>, of: &[&'static str], most: usize) -> Result<Vec<&'static str>> {
    (0..u.int_in_range(0..=most)?).map(|_| u.choose(of).copied()).collect()
}

impl Arbitrary<'_> for Redirecting {
    fn arbitrary(u: &mut Unstructured<'_>) -> Result<Self> {
        let (origin, path) = (*u.choose(&ORIGINS)?, *u.choose(&PATHS)?);
        let location = match u.int_in_range(0..=15)? {
            0 => None,
            1 | 2 => Some(path.to_owned()),
            3 => Some(format!("//{}{path}", origin.split_once("//").map_or("", |(_, host)| host))),
            4 => Some(format!("{origin}@evil.example{path}")),
            5..=7 => Some(text::text(u, &PIECES)?),
            _ => Some(format!("{origin}{path}")),
        };
        let location = location.map(|text| HeaderValue::from_bytes(text.as_bytes())).transpose();
        Ok(Self {
            status: if u.ratio(15, 16)? { *u.choose(&[301, 302, 303, 307, 308])? } else { 200 },
            location: location.map_err(|_| arbitrary::Error::IncorrectFormat)?,
            bucket_region: some(
                u,
                &["us-east-1", "eu-west-1", "cn-north-1", "a.evil.example", "x/y", ""],
                4,
            )?,
        })
    }
}

impl Arbitrary<'_> for Input {
    fn arbitrary(u: &mut Unstructured<'_>) -> Result<Self> {
        let (origin, path) = (*u.choose(&ORIGINS)?, *u.choose(&PATHS)?);
        Ok(Self {
            rule: u.int_in_range(0..=2)?,
            named: list(u, &ORIGINS, 2)?,
            limit: if u.ratio(1, 4)? { Some(u.int_in_range(0..=7)?) } else { None },
            allowed_hosts: list(u, &["api.example.com", "*.example.com", "minio:9000"], 2)?,
            allowed_origins: list(
                u,
                &["http://minio:9000", "http://api.example.com", "http://169.254.169.254"],
                2,
            )?,
            no_loopback: u.ratio(1, 4)?,
            passes_through: u.ratio(1, 8)?,
            service: some(u, &["s3", "execute-api"], 2)?,
            region: some(u, &["us-east-1", "eu-west-1"], 2)?,
            overrides_host: u.ratio(1, 4)?,
            request_region: some(u, &["us-east-1", "eu-west-1"], 4)?,
            method: u
                .choose(&[Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE])?
                .clone(),
            url: format!("{origin}{path}"),
            has_body: u.arbitrary()?,
            keys: u.arbitrary()?,
            responses: (0..9).map(|_| u.arbitrary()).collect::<Result<_>>()?,
        })
    }
}

impl Input {
    fn policy(&self) -> RedirectPolicy {
        let rule = match self.rule {
            0 => RedirectPolicy::none(),
            1 => RedirectPolicy::same_origin(),
            _ => RedirectPolicy::same_service(),
        };
        let policy = self.limit.into_iter().fold(rule, RedirectPolicy::limit);
        self.named.iter().fold(policy, |policy, origin| policy.clone().allow_origin(origin).unwrap_or(policy))
    }

    fn signer(&self) -> Signer {
        let mut builder = Signer::builder()
            .credentials(Provider::new(true, false))
            .time_source(FixedClock(UNIX_EPOCH + Duration::from_secs(NOW)))
            .disallow_loopback(self.no_loopback)
            .pass_through_disallowed_origins(self.passes_through)
            .scope_overrides_host(self.overrides_host);
        builder = self.service.into_iter().fold(builder, |builder, name| builder.service(name));
        builder = self.region.into_iter().fold(builder, |builder, name| builder.region(name));
        builder = self.allowed_hosts.iter().fold(builder, |builder, host| builder.allow_host(*host));
        builder = self.allowed_origins.iter().fold(builder, |builder, origin| builder.allow_origin(*origin));
        builder.build().expect("a signer")
    }

    /// Whether the signer may sign for a URL.
    fn may_be_signed_for(&self, url: &Url) -> bool {
        let (Some(host), is_https) = (url.host_str(), url.scheme() == "https") else { return false };
        let is_allowed_host = self.allowed_hosts.iter().any(|allowed| match *allowed {
            "*.example.com" => host.ends_with(".example.com") && url.port().is_none(),
            "minio:9000" => host == "minio" && url.port() == Some(9000),
            name => host == name && url.port().is_none(),
        });
        let is_aws = is_below_aws(host) && Endpoint::infer(host).is_ok();
        (is_loopback(host) && !self.no_loopback)
            || (is_https && (is_aws || is_allowed_host))
            || self.allowed_origins.iter().any(|origin| is_origin(url, origin))
    }

    /// Whether the policy lets a redirect lead from one URL to another.
    fn is_covered(&self, from: &Url, to: &Url) -> bool {
        let same_origin = from.origin() == to.origin();
        let service = |url: &Url| {
            let endpoint = Endpoint::infer_with_path(url.host_str()?, url.path()).ok()?;
            endpoint.partition().map(|partition| (partition.to_owned(), endpoint.service().to_owned()))
        };
        let same_service = service(from).is_some() && service(from) == service(to);
        let is_downgrade = from.scheme() == "https" && to.scheme() == "http";
        let on_loopback = |url: &Url| url.host_str().is_some_and(is_loopback);
        let to_loopback = on_loopback(to) && !on_loopback(from);
        let by_rule = match self.rule {
            0 => false,
            1 => same_origin,
            _ => same_origin || same_service,
        };
        !is_downgrade && !to_loopback && (by_rule || self.named.iter().any(|origin| is_origin(to, origin)))
    }
}

fn is_origin(url: &Url, origin: &str) -> bool {
    origin.parse::<Url>().is_ok_and(|origin| origin.origin() == url.origin())
}

#[derive(Debug)]
struct Sent {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// Responds in place of all servers.
struct Network {
    responses: Vec<Redirecting>,
    sent: Arc<Mutex<Vec<Sent>>>,
}

#[async_trait::async_trait]
impl Middleware for Network {
    async fn handle(
        &self,
        request: Request,
        _: &mut Extensions,
        _: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let mut sent = self.sent.lock().expect("not poisoned");
        let redirecting = &self.responses[sent.len()];
        let mut response = http::Response::builder().status(redirecting.status).url(request.url().clone());
        if let Some(location) = &redirecting.location {
            response = response.header("location", location);
        }
        if let Some(region) = redirecting.bucket_region {
            response = response.header("x-amz-bucket-region", region);
        }
        sent.push(Sent {
            method: request.method().clone(),
            url: request.url().clone(),
            headers: request.headers().clone(),
            body: request.body().map(|body| body.as_bytes().expect("in memory").to_vec()).unwrap_or_default(),
        });
        Ok(response.body("").expect("a response").into())
    }
}

fuzz_target!(|input: Input| run(check(input)));

async fn check(input: Input) {
    let Ok(url) = input.url.parse::<Url>() else { return };
    let sent = Arc::default();
    let network = Network { responses: input.responses.clone(), sent: Arc::clone(&sent) };
    thread_local! {
        static CLIENT: reqwest::Client =
            sigv4_middleware::reqwest_client().no_proxy().build().expect("a client");
    }
    let middleware = SigV4Middleware::new(input.signer()).redirects(input.policy());
    let client = ClientBuilder::new(CLIENT.with(Clone::clone)).with(middleware).with(network).build();
    let mut request = Request::new(input.method.clone(), url.clone());
    *request.body_mut() = input.has_body.then(|| Body::from(BODY));
    for (bit, name) in KEYS.iter().enumerate() {
        if input.keys & (1 << bit) != 0 {
            request
                .headers_mut()
                .insert(HeaderName::from_static(name), HeaderValue::from_static("of the first origin"));
        }
    }
    let mut extensions = Extensions::new();
    if let Some(region) = input.request_region {
        extensions.insert(SigningRegion::new(region));
    }
    let result = client.execute_with_extensions(request, &mut extensions).await;
    let sent = sent.lock().expect("not poisoned");
    if let Err(error) = &result {
        let error = Error::find(error).expect("an error of the crate's");
        assert!(error.was_sent() || sent.is_empty(), "{error}");
        assert!(sent.is_empty() || is_about_redirects(error.kind()), "{error}");
    }
    let Some(first) = sent.first() else { return };
    if !input.may_be_signed_for(&url) {
        assert!(input.passes_through && sent.len() == 1, "sent to {url}");
        assert!(first.headers.keys().all(|name| KEYS.contains(&name.as_str())), "unsigned");
        return;
    }
    check_chain(&input, &sent);
    let follows = input.rule != 0 || !input.named.is_empty();
    let most = if follows { input.limit.unwrap_or(5) } else { 0 };
    assert!(sent.len() <= most + 1, "{} requests", sent.len());
}

fn is_about_redirects(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Redirected
            | ErrorKind::OriginNotAllowed
            | ErrorKind::InsecureOrigin
            | ErrorKind::InvalidUri
            | ErrorKind::ScopeUnknown
            | ErrorKind::ScopeInvalid
            | ErrorKind::InvalidHeader
            | ErrorKind::UnsupportedPayload
    )
}

fn check_chain(input: &Input, sent: &[Sent]) {
    let mut left_origin = false;
    let (mut method, mut has_body) = (input.method.clone(), input.has_body);
    for (at, request) in sent.iter().enumerate() {
        let url = &request.url;
        assert!(input.may_be_signed_for(url), "signed for {url}");
        assert!(url.username().is_empty() && url.password().is_none(), "{url}");
        if let Some(before) = at.checked_sub(1) {
            let from = &sent[before].url;
            assert!(input.is_covered(from, url), "followed from {from} to {url}");
            left_origin |= from.origin() != url.origin();
            // Without a Location, the same request is sent for another region of S3.
            let followed = &input.responses[before];
            let becomes_get = match followed.status {
                _ if followed.location.is_none() => false,
                301 | 302 => method == Method::POST,
                303 => method != Method::GET && method != Method::HEAD,
                _ => false,
            };
            if becomes_get {
                (method, has_body) = (Method::GET, false);
            }
        }
        assert_eq!(request.method, method);
        assert_eq!(request.body, if has_body { BODY.as_bytes() } else { b"" });
        let parsed = ParsedAuthorization::of_headers(&request.headers);
        assert_eq!(request.headers.get_all("x-amz-security-token").iter().count(), 1);
        for name in KEYS.iter().filter(|name| request.headers.contains_key(**name)) {
            assert!(!left_origin, "{name} was sent to {url}");
        }
        let inferred = url.host_str().and_then(|host| Endpoint::infer_with_path(host, url.path()).ok());
        if let Some(endpoint) = inferred.filter(|_| !input.overrides_host) {
            assert_eq!(parsed.service, endpoint.service(), "{url}");
        }
    }
}
