//! `Proxy` in a program of one's own.

use std::time::Duration;

use http::{Method, StatusCode};
use signing_proxy::{Access, Proxy, ProxyBuilder, Upstream};
use sigv4_middleware::{IamGateway, Signer};
use sigv4_test_support::{REGION, SECRET, TOKEN, gateway, in_time, role};

use crate::program::reason;

pub(crate) fn signer() -> Signer {
    Signer::builder().credentials(role()).service("execute-api").region(REGION).build().unwrap()
}

pub(crate) fn before(gateway: &IamGateway) -> ProxyBuilder {
    Proxy::builder(signer()).upstream(gateway.url())
}

/// A client as somebody else's crate holds one.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

#[tokio::test]
async fn a_client_needs_only_the_base_url() {
    let gateway = gateway("execute-api").await;
    let proxy = before(&gateway).start().await.unwrap();
    let secret = proxy.base_url().rsplit('/').next().unwrap().to_owned();
    assert_eq!(proxy.base_url(), format!("http://{}/{secret}", proxy.address()));
    assert!(secret.len() >= 32 && proxy.address().ip().is_loopback());
    assert_eq!(proxy.secret_header(), None);

    for (below, target) in
        [("/prod/orders?a=b", "/prod/orders?a=b"), ("", "/"), ("/", "/"), ("?a=b", "/?a=b")]
    {
        let response = client().post(format!("{}{below}", proxy.base_url())).body("x").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{below}");
        assert_eq!(gateway.requests().last().unwrap().target, target);
    }
    let requests = gateway.requests();
    assert!(requests.iter().all(|request| !request.headers.values().any(|value| value == secret.as_str())));
    gateway.clear();

    let base = format!("http://{}", proxy.address());
    let (start, _) = secret.split_at(secret.len() - 1);
    for path in [
        "",
        "/",
        "/prod",
        &format!("/{start}/prod"),
        &format!("/{secret}x/prod"),
        &format!("//{secret}/prod"),
    ] {
        let response = client().get(format!("{base}{path}")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
        assert_eq!(reason(&response.text().await.unwrap()), "secret");
    }
    // A page that knows the secret is refused nevertheless.
    let page = client().get(proxy.base_url()).header("origin", "https://evil.example").send().await.unwrap();
    assert_eq!(reason(&page.text().await.unwrap()), "cross_site");
    assert!(gateway.requests().is_empty());
    assert!(!format!("{proxy:?}").contains(&secret));
}

#[tokio::test]
async fn debug_shows_no_secret() {
    let gateway = gateway("execute-api").await;
    let builder = before(&gateway).secret("0123456789abcdef").add_header("x-api-key", "key-of-the-api");
    let shown = format!("{builder:?} {:?}", builder.clone().start().await.unwrap());
    assert!(shown.contains("x-api-key"), "{shown}");
    for secret in ["0123456789abcdef", "key-of-the-api", SECRET, TOKEN] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// A page that the proxy serves makes the browser name its URL, secret and all, in the requests for what is in it.
#[tokio::test]
async fn no_header_carries_the_secret_of_the_path_to_the_upstream() {
    let gateway = gateway("execute-api").await;
    let proxy = before(&gateway).start().await.unwrap();
    let secret = proxy.base_url().rsplit('/').next().unwrap().to_owned();
    let page = format!("{}/dashboard", proxy.base_url());
    let request = client().get(format!("{}/style.css", proxy.base_url()));
    let request = request.header("referer", &page).header("destination", page).header("x-other", "kept");
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    let [sent] = <[_; 1]>::try_from(gateway.requests()).unwrap();
    assert_eq!(sent.header("x-other"), Some("kept"));
    for (name, value) in &sent.headers {
        assert!(!value.to_str().unwrap().contains(&secret), "{name}: {value:?}");
    }
    // Another page's is passed on.
    let request = client().get(format!("{}/x", proxy.base_url())).header("referer", "http://127.0.0.1/other");
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(gateway.requests().pop().unwrap().header("referer"), Some("http://127.0.0.1/other"));
}

#[tokio::test]
async fn two_proxies_have_two_secrets() {
    let gateway = gateway("execute-api").await;
    let (one, two) = (before(&gateway).start().await.unwrap(), before(&gateway).start().await.unwrap());
    let secret = |proxy: &Proxy| proxy.base_url().rsplit('/').next().unwrap().to_owned();
    assert_ne!(secret(&one), secret(&two));
}

#[tokio::test]
async fn the_secret_can_be_in_a_header() {
    let gateway = gateway("execute-api").await;
    let access = Access::SecretHeader("x-proxy-secret".parse().unwrap());
    let proxy = before(&gateway).access(access).secret("0123456789abcdef").start().await.unwrap();
    assert_eq!(proxy.base_url(), format!("http://{}", proxy.address()));
    let (name, value) = proxy.secret_header().unwrap();
    assert!(value.is_sensitive() && value == "0123456789abcdef");

    let url = format!("{}/orders", proxy.base_url());
    let sent = client().get(&url).header(&name, &value).send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::OK);
    assert!(!gateway.requests()[0].headers.contains_key(&name));
    for request in [
        client().get(&url),
        client().get(&url).header(&name, "0123456789abcdee"),
        client().get(&url).header(&name, &value).header(&name, &value),
    ] {
        assert_eq!(request.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    }
    assert_eq!(gateway.requests().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_started_names_methods() {
    let builder = || Proxy::builder(signer());
    let upstream = || builder().upstream("https://a.example");
    let cases = [
        (builder(), ".upstream("),
        (builder().upstream("https://a.example/path"), "is not an upstream"),
        (upstream().upstream("https://b.example"), "name the host"),
        (upstream().listen("0.0.0.0:0".parse().unwrap()), ".expose(true)"),
        (upstream().secret("short"), "shorter than 16"),
        (upstream().secret("with/slash-in-the-secret"), "letters, digits"),
        (upstream().access(Access::Open).secret("0123456789abcdef"), "open to everyone"),
        (upstream().allow_path("orders"), "begin it with a slash"),
        (upstream().allow_path("/orders/../x"), "dot segments"),
        (upstream().strip_header("a b"), "not the name of a header"),
        (upstream().add_header("host", "x"), "cannot be added"),
        (upstream().add_header("x-a", "a\nb"), "is not text"),
        (upstream().root_certificates("no certificate"), "PEM"),
        (builder().upstream_host("*"), "write NAME.DOMAIN"),
        (builder().upstream_host("*.com"), "write NAME.DOMAIN"),
        (builder().upstream_host("a.example:443"), "without a port"),
        (builder().upstream(Upstream::new("https://a.example").for_host("a/b")), "is not a host"),
        (builder().upstream(Upstream::new("https://a.example").sign_host("https://b")), "is not a host"),
    ];
    for (builder, expected) in cases {
        let error = builder.start().await.unwrap_err();
        assert!(error.to_string().contains(expected), "{expected} is not in {error}");
        assert!(!error.to_string().contains("--"), "{error}");
    }
    let gateway = gateway("execute-api").await;
    let proxy = before(&gateway).allow_method(Method::PUT).start().await.unwrap();
    let refusal = client().get(proxy.base_url()).send().await.unwrap();
    assert!(refusal.text().await.unwrap().contains(".allow_method("));
}

#[tokio::test]
async fn dropping_it_ends_it_and_draining_waits() {
    let gateway = gateway("execute-api").await;
    let proxy = before(&gateway).start().await.unwrap();
    let (address, url) = (proxy.address(), proxy.base_url().to_owned());
    assert_eq!(client().get(&url).send().await.unwrap().status(), 200);
    drop(proxy);
    in_time(async { while tokio::net::TcpStream::connect(address).await.is_ok() {} }).await;

    let proxy = before(&gateway).start().await.unwrap();
    let idle = client();
    assert_eq!(idle.get(proxy.base_url()).send().await.unwrap().status(), 200);
    // An idle connection is not waited for.
    proxy.drain(Duration::from_secs(20)).await.unwrap();
}

#[tokio::test]
async fn check_finds_out_beforehand() {
    let proxy = Proxy::builder(signer()).upstream("https://api.example.com").start().await.unwrap();
    let error = proxy.check().await.unwrap_err();
    assert!(error.to_string().contains(".allow_host("), "{error}");
    let gateway = gateway("execute-api").await;
    before(&gateway).start().await.unwrap().check().await.unwrap();
}

#[tokio::test]
async fn health_is_open_and_says_nothing_else() {
    let gateway = gateway("execute-api").await;
    let proxy = before(&gateway).health_path("/health").start().await.unwrap();
    let url = format!("http://{}/health", proxy.address());
    let response = client().get(&url).header("host", "10.0.0.7:8080").send().await.unwrap();
    assert_eq!(
        (response.status(), response.text().await.unwrap().as_str()),
        (StatusCode::OK, r#"{"status":"ok"}"#)
    );
    assert_eq!(client().post(&url).send().await.unwrap().status(), StatusCode::FORBIDDEN);
    assert!(gateway.requests().is_empty());

    let nobody = sigv4_middleware::provider::future::ProvideCredentials::ready;
    let signer = Signer::builder().credentials(NoCredentials(nobody)).service("execute-api").region(REGION);
    let proxy = Proxy::builder(signer.build().unwrap()).upstream(gateway.url()).health_path("/health");
    let proxy = proxy.start().await.unwrap();
    let response = client().get(format!("http://{}/health", proxy.address())).send().await.unwrap();
    let (status, text) = (response.status(), response.text().await.unwrap());
    assert_eq!((status, text.as_str()), (StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"no credentials"}"#));
    let refused = client().get(proxy.base_url()).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_GATEWAY);
    let text = refused.text().await.unwrap();
    assert!(!text.contains(SECRET) && !text.contains(TOKEN), "{text}");
}

type Ready =
    fn(sigv4_middleware::provider::Result) -> sigv4_middleware::provider::future::ProvideCredentials<'static>;

/// A provider that has none.
#[derive(Debug)]
struct NoCredentials(Ready);

impl sigv4_middleware::ProvideCredentials for NoCredentials {
    fn provide_credentials<'a>(&'a self) -> sigv4_middleware::provider::future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        (self.0)(Err(sigv4_middleware::provider::error::CredentialsError::not_loaded("there are none")))
    }
}
