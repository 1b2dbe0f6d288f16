//! S3's responses that a bucket is in another region, and chains of redirects.

use std::sync::{Arc, Mutex};

use http::{Extensions, HeaderValue, Method, StatusCode};
use reqwest::{Request, Response, ResponseBuilderExt};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use sigv4_middleware::overrides::{SigningName, SigningRegion};
use sigv4_middleware::{Error, ErrorKind, IamGateway, RedirectPolicy, SigV4Middleware, Signer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Recorder, plain_reqwest, role};

/// Stands for the network beneath the middleware, https and all: responds by URL, and keeps what was to be sent.
struct Network<F> {
    sent: Arc<Mutex<Vec<Sent>>>,
    response: F,
}

#[derive(Clone, Debug)]
struct Sent {
    method: Method,
    url: String,
    /// `region/service` of the credential scope.
    scope: String,
    body: String,
}

#[async_trait::async_trait]
impl<F: Fn(&Request) -> http::response::Builder + Send + Sync + 'static> Middleware for Network<F> {
    async fn handle(
        &self,
        request: Request,
        _: &mut Extensions,
        _: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let authorization = request.headers()["authorization"].to_str().unwrap();
        let scope = authorization.split('/').skip(2).take(2).collect::<Vec<_>>().join("/");
        let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
        self.sent.lock().unwrap().push(Sent {
            method: request.method().clone(),
            url: request.url().to_string(),
            scope,
            body: String::from_utf8(body.to_vec()).unwrap(),
        });
        let response = (self.response)(&request).url(request.url().clone());
        Ok(response.body("").unwrap().into())
    }
}

/// A client that follows over such a network, and what it sends.
fn client<F>(signer: Signer, response: F) -> (ClientWithMiddleware, Arc<Mutex<Vec<Sent>>>)
where
    F: Fn(&Request) -> http::response::Builder + Send + Sync + 'static,
{
    client_with(RedirectPolicy::same_service(), signer, response)
}

fn client_with<F>(
    policy: RedirectPolicy,
    signer: Signer,
    response: F,
) -> (ClientWithMiddleware, Arc<Mutex<Vec<Sent>>>)
where
    F: Fn(&Request) -> http::response::Builder + Send + Sync + 'static,
{
    let sent = Arc::new(Mutex::new(Vec::new()));
    let client = ClientBuilder::new(plain_reqwest())
        .with(SigV4Middleware::new(signer).redirects(policy))
        .with(Network { sent: Arc::clone(&sent), response })
        .build();
    (client, sent)
}

fn status(status: u16) -> http::response::Builder {
    http::Response::builder().status(status)
}

fn kind(error: &reqwest_middleware::Error) -> ErrorKind {
    Error::find(error).unwrap_or_else(|| panic!("{error:?}")).kind()
}

/// One server for every region, as on loopback: 301 without a Location, the same place again.
#[tokio::test]
async fn a_301_without_location_is_signed_for_the_region_it_names() {
    let verifying = IamGateway::builder().credentials(role()).service("s3").region("eu-west-1").start().await;
    let verifying = verifying.unwrap();
    for method in [Method::GET, Method::HEAD, Method::PUT] {
        let server = Recorder::responding(|request| {
            let headers = if request.contains("/us-east-1/s3/") {
                "301 Moved Permanently\r\nx-amz-bucket-region: eu-west-1"
            } else {
                "200 OK"
            };
            format!("HTTP/1.1 {headers}\r\ncontent-length: 0\r\n\r\n")
        })
        .await;
        let signer = Signer::builder().credentials(role()).service("s3").region("us-east-1").build().unwrap();
        let middleware = SigV4Middleware::new(signer).redirects(RedirectPolicy::same_origin());
        let client = ClientBuilder::new(plain_reqwest()).with(middleware).build();
        let mut request = client.request(method.clone(), format!("http://{}/bucket/key", server.addr()));
        if method == Method::PUT {
            request = request.body("the object");
        }
        assert_eq!(request.send().await.unwrap().status(), 200, "{method}");

        // What went out the second time, as it was, to a server that verifies it.
        let seen = server.seen();
        let start = format!("{method} /bucket/key HTTP/1.1\r\n");
        assert_eq!(seen.matches(&start).count(), 2, "{seen}");
        let second = &seen[seen.rfind(&start).unwrap()..];
        assert_eq!(second.ends_with("the object"), method == Method::PUT);
        assert!(replay(&verifying, second).await.starts_with("HTTP/1.1 200 "), "{second}");
        let first = &seen[..seen.rfind(&start).unwrap()];
        assert!(replay(&verifying, first).await.starts_with("HTTP/1.1 403 "), "{first}");
    }
}

async fn replay(gateway: &IamGateway, request: &str) -> String {
    let mut stream = TcpStream::connect(gateway.addr()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = [0; 12];
    stream.read_exact(&mut response).await.unwrap();
    format!("{} ", String::from_utf8_lossy(&response))
}

/// 307 with a Location, to a server that verifies for the bucket's region.
#[tokio::test]
async fn a_307_is_signed_for_the_region_it_names() {
    let gateway = |region| IamGateway::builder().credentials(role()).service("s3").region(region).start();
    let there = gateway("eu-west-1").await.unwrap();
    for method in [Method::GET, Method::HEAD, Method::PUT] {
        let to = format!("{}/bucket/key", there.url());
        let policy = RedirectPolicy::none().allow_origin(&there.url()).unwrap();
        let here = Recorder::responding(move |_| {
            format!(
                "HTTP/1.1 307 Temporary Redirect\r\nlocation: {to}\r\nx-amz-bucket-region: eu-west-1\r\n\
                 content-length: 0\r\n\r\n"
            )
        })
        .await;
        let signer = Signer::builder().credentials(role()).service("s3").region("us-east-1").build().unwrap();
        let middleware = SigV4Middleware::new(signer).redirects(policy);
        let client = ClientBuilder::new(plain_reqwest()).with(middleware).build();
        let request = client.request(method.clone(), format!("http://{}/bucket/key", here.addr()));
        let response = request.body("the object").send().await.unwrap();
        assert_eq!((response.status(), response.url().port()), (StatusCode::OK, Some(there.addr().port())));
        let received = there.requests().pop().unwrap();
        assert_eq!((received.method, &received.body[..]), (method, &b"the object"[..]));
    }
}

/// The hosts of S3, from the one without a region on.
#[tokio::test]
async fn a_bucket_is_found_whatever_region_is_configured() {
    let regional = "https://bucket.s3.eu-west-1.amazonaws.com/key";
    let by_header = |request: &Request| match request.url().as_str() {
        "https://bucket.s3.eu-west-1.amazonaws.com/key" => status(200),
        _ => status(301).header("x-amz-bucket-region", "eu-west-1"),
    };
    let by_location = move |request: &Request| match request.url().as_str() {
        url if url == regional => status(200),
        _ => status(307).header("location", regional),
    };
    let builder = || Signer::builder().credentials(role());
    for signer in [builder().default_region("us-east-1"), builder().region("us-east-1")] {
        let signer = signer.build().unwrap();
        for (client, sent) in [client(signer.clone(), by_header), client(signer.clone(), by_location)] {
            for over in [None, Some(SigningRegion::new("us-east-1"))] {
                let mut request = client.put("https://bucket.s3.amazonaws.com/key").body("the object");
                if let Some(over) = over {
                    request = request.with_extension(over);
                }
                assert_eq!(request.send().await.unwrap().status(), 200);
                let sent = std::mem::take(&mut *sent.lock().unwrap());
                let shown: Vec<_> = sent.iter().map(|one| (one.url.as_str(), one.scope.as_str())).collect();
                let first = "https://bucket.s3.amazonaws.com/key";
                assert_eq!(shown, [(first, "us-east-1/s3"), (regional, "eu-west-1/s3")]);
                assert!(sent.iter().all(|one| one.method == Method::PUT && one.body == "the object"));
            }
        }
    }
}

/// A region that a redirect named holds while the host stays; one that takes precedence over hosts, throughout.
#[tokio::test]
async fn a_region_once_told_holds_for_the_host() {
    let response = |request: &Request| match request.url().path() {
        "/a" => status(301).header("x-amz-bucket-region", "eu-west-1").header("location", "/b"),
        "/b" => status(302).header("location", "/c"),
        "/c" => status(302).header("location", "https://sqs.eu-central-1.amazonaws.com/d"),
        _ => status(200),
    };
    let policy =
        RedirectPolicy::same_origin().allow_origin("https://sqs.eu-central-1.amazonaws.com").unwrap();
    let client = |signer, response| client_with(policy.clone(), signer, response);
    let builder = || Signer::builder().credentials(role()).service("s3");
    let (following, sent) = client(builder().region("us-east-1").build().unwrap(), response);
    let error = following.get("http://127.0.0.1/a").send().await.unwrap_err();
    assert_eq!(kind(&error), ErrorKind::ScopeInvalid, "a signer for s3 does not sign for sqs");
    let scopes = |sent: &Mutex<Vec<Sent>>| -> Vec<String> {
        sent.lock().unwrap().drain(..).map(|one| one.scope).collect()
    };
    assert_eq!(scopes(&sent), ["us-east-1/s3", "eu-west-1/s3", "eu-west-1/s3"]);

    let insisting = builder().region("us-east-1").scope_overrides_host(true).build().unwrap();
    let (insisting, sent) = client(insisting, response);
    insisting.get("http://127.0.0.1/c").send().await.unwrap();
    assert_eq!(scopes(&sent), ["us-east-1/s3", "us-east-1/s3"]);

    // A service said for the request is the request's, wherever it is led.
    let (client, sent) = client(Signer::builder().credentials(role()).build().unwrap(), response);
    let request = client.get("http://127.0.0.1/c").with_extension(SigningRegion::new("us-east-1"));
    request.with_extension(SigningName::new("s3")).send().await.unwrap();
    assert_eq!(scopes(&sent), ["us-east-1/s3", "eu-central-1/s3"]);
}

#[tokio::test]
async fn five_redirects_are_followed_and_no_more() {
    let chain = |request: &Request| {
        let left: usize = request.url().path()[1..].parse().unwrap();
        match left {
            0 => status(200),
            left => status(302).header("location", format!("/{}", left - 1)),
        }
    };
    let (client, sent) =
        client(Signer::builder().credentials(role()).service("s3").region("r").build().unwrap(), chain);
    assert_eq!(client.get("http://localhost/5").send().await.unwrap().status(), 200);
    assert_eq!(sent.lock().unwrap().drain(..).count(), 6);
    let error = client.get("http://localhost/6").send().await.unwrap_err();
    assert_eq!(kind(&error), ErrorKind::Redirected);
    assert_eq!(sent.lock().unwrap().drain(..).count(), 6);
}

#[tokio::test]
async fn a_location_that_is_no_url_or_leaves_http_is_refused() {
    for (location, expected) in [
        ("http://[::1", ErrorKind::Redirected),
        ("ftp://localhost/", ErrorKind::InvalidUri),
        ("https://user:secret@localhost/", ErrorKind::InvalidUri),
        ("https://s3.us-east-1.amazonaws.com@evil.example/", ErrorKind::InvalidUri),
        ("//evil.example/", ErrorKind::OriginNotAllowed),
        ("https://evil-amazonaws.com/", ErrorKind::OriginNotAllowed),
        ("http://s3.us-east-1.amazonaws.com/", ErrorKind::InsecureOrigin),
        // S3 signs `%2F` as a slash, and reqwest removes the dot segment behind it.
        ("%2f..", ErrorKind::InvalidUri),
    ] {
        let response = move |request: &Request| {
            assert_eq!(request.url().host_str(), Some("bucket.s3.us-east-1.amazonaws.com"), "{location}");
            status(307).header("location", HeaderValue::from_static(location))
        };
        let (client, sent) = client(Signer::builder().credentials(role()).build().unwrap(), response);
        let request = client.put("https://bucket.s3.us-east-1.amazonaws.com/key").body("the object");
        let error = request.send().await.unwrap_err();
        assert_eq!(kind(&error), expected, "{location}");
        assert!(Error::find(&error).unwrap().was_sent(), "{location}: the first request was");
        assert_eq!(sent.lock().unwrap().len(), 1);
    }
}

/// One correction of the region for each request, and none to the region that it was signed for: after that the caller
/// gets the response.
#[tokio::test]
async fn a_301_without_location_is_followed_once() {
    for method in [Method::GET, Method::PUT, Method::POST, Method::DELETE] {
        for (regions, signed_for) in [
            (&["us-east-1"][..], &["us-east-1/s3"][..]),
            (&["eu-west-1", "eu-west-1"], &["us-east-1/s3", "eu-west-1/s3"]),
            (&["eu-west-1", "us-west-2", "us-east-1"], &["us-east-1/s3", "eu-west-1/s3"]),
        ] {
            for url in ["http://127.0.0.1/bucket/key", "https://bucket.s3.amazonaws.com/key"] {
                let next = Mutex::new(regions.iter());
                let response = move |_: &Request| {
                    let region = *next.lock().unwrap().next().unwrap();
                    status(301).header("x-amz-bucket-region", region)
                };
                let signer = Signer::builder().credentials(role()).service("s3").region("us-east-1");
                let (client, sent) = client(signer.build().unwrap(), response);
                let request = client.request(method.clone(), url).body("the object");
                let response = request.send().await.unwrap();
                assert_eq!(response.status(), 301, "{method} {regions:?} {url}");
                let last = regions[signed_for.len() - 1];
                assert_eq!(response.headers()["x-amz-bucket-region"], last, "{method} {regions:?} {url}");
                let sent: Vec<_> = sent.lock().unwrap().drain(..).map(|one| one.scope).collect();
                assert_eq!(sent, signed_for, "{method} {regions:?} {url}");
            }
        }
    }
}

/// A policy that covers less than S3's regions: the caller gets the response, with the region that it names.
#[tokio::test]
async fn a_301_without_location_is_the_callers_where_the_policy_ends() {
    let response = |_: &Request| status(301).header("x-amz-bucket-region", "eu-west-1");
    let signer = Signer::builder().credentials(role()).default_region("us-east-1").build().unwrap();
    let (client, sent) = client_with(RedirectPolicy::same_origin(), signer, response);
    let response = client.put("https://bucket.s3.amazonaws.com/key").body("the object").send().await.unwrap();
    assert_eq!((response.status(), sent.lock().unwrap().len()), (StatusCode::MOVED_PERMANENTLY, 1));
}

/// The header counts from S3's hosts, and from custom ones that are signed for as S3.
#[tokio::test]
async fn a_bucket_region_counts_from_s3_alone() {
    let signer = |service: Option<&'static str>| {
        let builder =
            Signer::builder().credentials(role()).default_region("us-east-1").allow_host("*.example.com");
        service.map_or(builder.clone(), |service| builder.service(service)).build().unwrap()
    };
    for (service, url, counts) in [
        (Some("s3"), "http://127.0.0.1/a", true),
        (Some("s3"), "https://minio.example.com/a", true),
        (None, "https://bucket.s3.amazonaws.com/a", true),
        (Some("execute-api"), "http://127.0.0.1/a", false),
        (Some("execute-api"), "https://api.example.com/a", false),
        (None, "https://abc.execute-api.us-east-1.amazonaws.com/a", false),
        (None, "https://sqs.us-east-1.amazonaws.com/a", false),
    ] {
        for location in [Some("/b"), None] {
            let response = move |request: &Request| match (request.url().path(), location) {
                ("/a", Some(to)) => {
                    status(307).header("location", to).header("x-amz-bucket-region", "us-west-2")
                }
                ("/a", None)
                    if request.headers()["authorization"].to_str().unwrap().contains("/us-east-1/") =>
                {
                    status(301).header("x-amz-bucket-region", "us-west-2")
                }
                _ => status(200),
            };
            let (client, sent) = client(signer(service), response);
            let response = client.put(url).body("the object").send().await.unwrap();
            let regions: Vec<_> = sent.lock().unwrap().drain(..).map(|one| one.scope).collect();
            let regions: Vec<_> = regions.iter().filter_map(|scope| Some(scope.split_once('/')?.0)).collect();
            let (status, expected) = match (counts, location) {
                (true, _) => (200, &["us-east-1", "us-west-2"][..]),
                (false, Some(_)) => (200, &["us-east-1", "us-east-1"][..]),
                (false, None) => (301, &["us-east-1"][..]),
            };
            assert_eq!((response.status().as_u16(), &regions[..]), (status, expected), "{url} {location:?}");
        }
    }
}
