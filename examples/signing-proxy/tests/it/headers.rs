//! Headers and parameters that are removed, kept and added.

use sigv4_test_support::gateway;

use crate::program::before;

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

const OVERRIDING: [&str; 15] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-original-uri",
    "x-original-path",
    "x-original-method",
    "x-override-url",
    "x-envoy-original-path",
    "x-rewrite-url",
    "x-forwarded-method",
    "x-forwarded-path",
    "x-forwarded-uri",
    "x-forwarded-prefix",
    // A hyphen, to a program behind CGI or WSGI.
    "x_http_method-override",
];

#[tokio::test]
async fn headers_that_override_method_and_path_pass_only_if_named() {
    let gateway = gateway("execute-api").await;
    let proxy = before(&gateway, &["--allow-path", "/orders"]).await;
    let kept = before(&gateway, &["--keep-header", "X-HTTP-Method-Override"]).await;
    for (proxy, expected) in [(proxy, &[][..]), (kept, &["x-http-method-override"])] {
        let request = client().get(proxy.url("/orders"));
        let request = OVERRIDING.iter().fold(request, |request, name| request.header(*name, "/admin"));
        assert_eq!(request.send().await.unwrap().status(), 200);
        let sent = gateway.requests().pop().unwrap();
        let passed: Vec<_> = OVERRIDING.into_iter().filter(|name| sent.headers.contains_key(*name)).collect();
        assert_eq!(passed, expected);
    }
}

#[tokio::test]
async fn headers_are_added_and_duplicated() {
    let gateway = gateway("execute-api").await;
    let arguments = ["--custom-header", "X-Team: orders: eu", "--custom-header", "x-amz-meta-by:proxy"];
    let arguments = [&arguments[..], &["--duplicate-header", "Authorization"]].concat();
    let proxy = before(&gateway, &arguments).await;
    let request = client().get(proxy.url("/")).header("x-team", "theirs").header("x-amz-meta-by", "them");
    let response = request.header("authorization", "Bearer of-the-client").send().await.unwrap();
    assert_eq!(response.status(), 200);
    let [sent] = <[_; 1]>::try_from(gateway.requests()).unwrap();
    assert_eq!(sent.header("x-team"), Some("orders: eu"));
    assert_eq!(sent.header("x-amz-meta-by"), Some("proxy"));
    assert_eq!(sent.header("x-original-authorization"), Some("Bearer of-the-client"));
    let authorization = sent.header("authorization").unwrap();
    assert!(authorization.contains(";x-amz-meta-by;"), "{authorization}");
}

#[tokio::test]
async fn parameters_are_removed_however_they_are_written() {
    let gateway = gateway("execute-api").await;
    let proxy = before(&gateway, &["--strip-param", "_method", "--strip-param", "a b"]).await;
    for (target, expected) in [
        ("/x?_method=DELETE&c=1", "/x?c=1"),
        ("/x?c=1&%5Fmethod=DELETE&_method", "/x?c=1"),
        ("/x?a+b=1&a%20b=2", "/x"),
        ("/x?_methods=1&c", "/x?_methods=1&c"),
        ("/x?c=1;_method=DELETE", "/x?c=1"),
        ("/x?_method=DELETE;c=1&_method=PUT;d", "/x?c=1&d"),
    ] {
        assert_eq!(client().get(proxy.url(target)).send().await.unwrap().status(), 200);
        assert_eq!(gateway.requests().pop().unwrap().target, expected, "{target}");
    }
}

#[tokio::test]
async fn failures_are_logged_without_secrets() {
    let gateway = gateway("execute-api").await;
    // As some services do, the upstream repeats what was signed.
    let body =
        format!("denied: {} and {}", sigv4_test_support::TOKEN, "IQoJb3JpZ2luX2VjE%2BToken%2FExample%3D%3D");
    let response = http::Response::builder().status(403).header("x-amzn-requestid", "request-7");
    gateway.respond_with(response.body(body.clone().into()).unwrap());
    let proxy = before(&gateway, &["--log-failed-requests"]).await;
    let response = client().get(proxy.url("/orders?secret=in-query")).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), body, "the client gets it unchanged");
    let quiet = before(&gateway, &[]).await;
    client().get(quiet.url("/")).send().await.unwrap().text().await.unwrap();

    proxy.terminate();
    let (_, log) = proxy.ended().await;
    for text in ["/orders", "403", "request-7", "denied: [redacted] and [redacted]"] {
        assert!(log.contains(text), "{text} is not in {log}");
    }
    assert!(!log.contains("in-query") && !log.contains(sigv4_test_support::TOKEN), "{log}");

    // A refusal by AWS is explained.
    gateway.deny(sigv4_test_support::KEY);
    let explaining = before(&gateway, &["--log-failed-requests"]).await;
    assert_eq!(client().get(explaining.url("/")).send().await.unwrap().status(), 403);
    explaining.terminate();
    let (_, log) = explaining.ended().await;
    assert!(log.contains("diagnosis=") && log.to_lowercase().contains("policy"), "{log}");
    quiet.terminate();
    assert!(!quiet.ended().await.1.contains("denied"));
}
