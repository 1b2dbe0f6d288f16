//! What is forwarded to the upstream, what is refused, and how the program ends.

use http::{Method, StatusCode};
use sigv4_test_support::{HANDSHAKE, KEY, REGION, SECRET, TOKEN, first_byte, gateway, run};
use tokio::net::TcpListener;

use crate::program::{Proxy, before, reason, with_role};

#[tokio::test]
async fn requests_arrive_signed_and_whole() {
    let gateway = gateway("execute-api").await;
    let proxy = before(&gateway, &[]).await;
    let client = reqwest::Client::new();

    let response =
        client.get(proxy.url("/prod/a%20b?q=x+y&q=%27")).header("accept", "text/plain").send().await;
    let response = response.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.text().await.unwrap(), r#"{"message":"ok"}"#);
    let post = client.post(proxy.url("/orders")).body(r#"{"order":1}"#).header("content-type", "text/json");
    assert_eq!(post.send().await.unwrap().status(), StatusCode::OK);
    let chunks = futures_util::stream::iter(["a", "b", "c"].map(Ok::<_, std::io::Error>));
    let put = client.put(proxy.url("/stream")).body(reqwest::Body::wrap_stream(chunks));
    assert_eq!(put.send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(client.post(proxy.url("/empty")).send().await.unwrap().status(), StatusCode::OK);

    let [get, post, put, empty] = <[_; 4]>::try_from(gateway.requests()).unwrap();
    assert_eq!(get.target, "/prod/a%20b?q=x%20y&q=%27");
    assert_eq!(get.header("accept"), Some("text/plain"));
    assert_eq!((post.method, &post.body[..]), (Method::POST, &br#"{"order":1}"#[..]));
    assert_eq!((&put.body[..], put.header("content-length")), (&b"abc"[..], Some("3")));
    assert_eq!(empty.header("content-length"), Some("0"));
}

#[tokio::test]
async fn what_a_client_must_not_decide_is_taken_out() {
    let gateway = gateway("execute-api").await;
    let proxy =
        before(&gateway, &["--strip-header", "X-Internal", "--strip-header", "x-amz-meta-secret-*"]).await;

    let response = proxy
        .raw(&format!(
            "GET /a?b=c&X-Amz-Signature=0&x-amz-credential=x&X%2DAmz-Date=0&X-Amz-Security-Token=theirs HTTP/1.1\r\n\
             Host: {}\r\n\
             Authorization: Bearer of-the-client\r\n\
             X-Amz-Date: 20150830T123600Z\r\n\
             X-Amz-Security-Token: theirs\r\n\
             X-Amz-Content-Sha256: UNSIGNED-PAYLOAD\r\n\
             X-Amz-Acl: private\r\n\
             X-Amz-Meta-Kept: 1\r\n\
             X-Amz-Meta-Secret-Name: 1\r\n\
             X-Amz-Target: Orders.List\r\n\
             X-Internal: 1\r\n\
             Connection: close, X-Named\r\n\
             Connection: X-Named-Too\r\n\
             X-Named: 1\r\n\
             X-Named-Too: 1\r\n\
             Keep-Alive: 5\r\n\
             TE: trailers\r\n\
             Upgrade: websocket\r\n\
             Proxy-Authorization: Basic eA==\r\n\
             Expect: 100-continue\r\n\
             X-Other: stays\r\n\r\n",
            proxy.addr
        ))
        .await;

    assert_eq!((response.status, response.body.as_str()), (200, r#"{"message":"ok"}"#));
    let [request] = <[_; 1]>::try_from(gateway.requests()).unwrap();
    assert_eq!(request.target, "/a?b=c");
    let mut names: Vec<_> = request.headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    let expected = ["authorization", "host", "x-amz-acl", "x-amz-date", "x-amz-meta-kept"];
    assert_eq!(names, [&expected[..], &["x-amz-security-token", "x-amz-target", "x-other"]].concat());
    assert_eq!(request.header("host"), Some(gateway.addr().to_string().as_str()));
    assert_eq!(request.header("x-amz-security-token"), Some(TOKEN));
    let authorization = request.header("authorization").unwrap();
    let signed = "host;x-amz-acl;x-amz-date;x-amz-meta-kept;x-amz-security-token;x-amz-target,";
    assert!(authorization.contains(signed), "{authorization}");
}

#[tokio::test]
async fn foreign_targets_are_refused() {
    let gateway = gateway("execute-api").await;
    let proxy = before(&gateway, &[]).await;
    for (line, status, why) in [
        ("GET http://evil.example/ HTTP/1.1", 403, "host"),
        ("GET https://sts.amazonaws.com/ HTTP/1.1", 403, "host"),
        (&format!("GET {}/ HTTP/1.1", gateway.url()), 403, "host"),
        (&format!("GET {} HTTP/1.1", proxy.url("/")), 400, "target"),
        ("OPTIONS * HTTP/1.1", 400, "target"),
        ("CONNECT evil.example:443 HTTP/1.1", 405, "method"),
        ("TRACE / HTTP/1.1", 405, "method"),
        ("GET /?a=%zz HTTP/1.1", 400, "target"),
    ] {
        let request = format!("{line}\r\nHost: {}\r\nConnection: close\r\n\r\n", proxy.addr);
        let refusal = proxy.raw(&request).await.refusal();
        assert_eq!(refusal, (status, why.to_owned()), "{line}");
    }
    // What looks like a host is a path, and stays one.
    let head = format!("GET //evil.example/ HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", proxy.addr);
    let response = proxy.raw(&head).await;
    let [request] = <[_; 1]>::try_from(gateway.requests()).unwrap();
    assert_eq!((response.status, request.target.as_str()), (200, "//evil.example/"));
}

#[tokio::test]
async fn only_allowed_methods_and_paths_pass() {
    let gateway = gateway("execute-api").await;
    let (methods, paths) = (["GET", "PUT"], ["/orders", "/b/"]);
    let arguments = methods.map(|method| ["--allow-method", method]).concat();
    let arguments = [arguments, paths.map(|path| ["--allow-path", path]).concat()].concat();
    let proxy = before(&gateway, &arguments).await;
    let call = async |method: &str, target: &str| {
        let head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", proxy.addr);
        let response = proxy.raw(&format!("{head}Content-Length: 0\r\n\r\n")).await;
        if response.status == 200 { (200, String::new()) } else { response.refusal() }
    };

    for target in ["/orders", "/orders?a=b", "/orders/7", "/orders/", "/orders/..a/b.", "/b/c"] {
        assert_eq!(call("GET", target).await, (200, String::new()), "{target}");
    }
    assert_eq!(call("PUT", "/orders").await.0, 200);
    let passed = gateway.requests().len();
    for method in ["POST", "DELETE", "get"] {
        assert_eq!(call(method, "/orders").await, (405, "method".to_owned()), "{method}");
    }
    for target in [
        "/",
        "/ordersx",
        "/Orders",
        "//orders",
        "/b",
        "/orders/../admin",
        "/orders/%2e%2E/admin",
        "/orders/..%2fadmin",
        "/orders%2f..%5cadmin",
        "/orders/..",
        "/orders/./x",
        "/orders/..;/admin",
        "/orders/..;a=b/admin",
        "/orders/%2e%2e;/admin",
        "/orders/%252e%252e/admin",
        "/orders/a%5c..%5cadmin",
        "/orders//admin",
    ] {
        assert_eq!(call("GET", target).await, (403, "path".to_owned()), "{target}");
    }
    assert_eq!(gateway.requests().len(), passed);
    assert_eq!(proxy.metric("signing_proxy_refused_total{reason=\"path\"}").await, Some(17));
    assert_eq!(proxy.metric("signing_proxy_refused_total{reason=\"method\"}").await, Some(3));
}

#[tokio::test]
async fn what_cannot_be_signed_says_why() {
    let gateway = gateway("execute-api").await;
    let proxy = before(&gateway, &["--body-limit", "10"]).await;
    let client = reqwest::Client::new();

    let put = |body: reqwest::Body| client.put(proxy.url("/a")).body(body);
    let frames = futures_util::stream::iter([Ok::<_, std::io::Error>("123456"), Ok("789012")]);
    for body in ["12345678901".into(), reqwest::Body::wrap_stream(frames)] {
        let response = put(body).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(reason(&response.text().await.unwrap()), "body_too_large");
    }
    let chunked = put("x".into()).header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    assert_eq!(chunked.send().await.unwrap().status(), StatusCode::NOT_IMPLEMENTED);
    assert!(gateway.requests().is_empty());
    assert_eq!(put("1234567890".into()).send().await.unwrap().status(), StatusCode::OK);

    // Found out at the start, not by the first request.
    let upstream = ["--upstream", "http://abc.execute-api.eu-west-1.amazonaws.com"];
    let output = run(with_role().args(["--listen", "127.0.0.1:0"]).args(upstream)).await;
    assert!(output.code == 1 && output.stderr.contains("https"), "{}", output.stderr);
    for upstream in ["ftp://a.example", "https://a.example/path", "https://user@a.example", "a.example"] {
        let output = run(with_role().args(["--upstream", upstream])).await;
        assert!(output.code == 2 && output.stderr.contains("is not an upstream"), "{}", output.stderr);
    }
}

#[tokio::test]
async fn a_refusal_of_the_upstream_is_handed_on() {
    let gateway = gateway("execute-api").await;
    gateway.deny(KEY);
    let proxy = before(&gateway, &[]).await;
    let response = reqwest::get(proxy.url("/")).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(response.headers()["x-amzn-errortype"], "AccessDeniedException");
}

#[tokio::test]
async fn an_upstream_that_does_not_respond() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}", listener.local_addr().unwrap());
    let proxy = Proxy::start(&silent, &["--timeout", "0"]).await;
    let response = reqwest::get(proxy.url("/")).await.unwrap();
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(reason(&response.text().await.unwrap()), "timeout");

    let secure = Proxy::start(&silent.replace("http:", "https:"), &[]).await;
    // Not the connection that waits there already.
    drop(listener.accept().await.unwrap());
    let (first_byte, response) = tokio::join!(first_byte(listener), reqwest::get(secure.url("/")));
    assert_eq!((first_byte, response.unwrap().status()), (HANDSHAKE, StatusCode::BAD_GATEWAY));

    let proxy = Proxy::start(&silent, &[]).await;
    let response = reqwest::get(proxy.url("/")).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(reason(&response.text().await.unwrap()), "upstream");
    assert_eq!(proxy.metric("signing_proxy_upstream_errors_total").await, Some(1));
    assert_eq!(proxy.metric("signing_proxy_requests_total{status=\"502\"}").await, Some(1));
}

#[tokio::test]
async fn metrics_count_and_tell_no_secret() {
    let gateway = gateway("execute-api").await;
    let proxy = before(&gateway, &["--allow-method", "POST"]).await;
    let client = reqwest::Client::new();
    for _ in 0..2 {
        assert_eq!(client.post(proxy.url("/")).body("12345").send().await.unwrap().status(), 200);
    }
    assert_eq!(reqwest::get(proxy.url("/metrics")).await.unwrap().status(), 405, "a path of the upstream's");

    assert_eq!(proxy.metric("signing_proxy_requests_total{status=\"200\"}").await, Some(2));
    assert_eq!(proxy.metric("signing_proxy_requests_total{status=\"405\"}").await, Some(1));
    assert_eq!(proxy.metric("signing_proxy_request_bytes_total").await, Some(10));
    assert_eq!(proxy.metric("signing_proxy_response_bytes_total").await, Some(32));
    assert_eq!(proxy.metric("signing_proxy_upstream_errors_total").await, Some(0));
    let signed = r#"sigv4_signed_total{service="execute-api",place="header"}"#;
    // The two, and one to find out at the start whether requests can be signed.
    assert_eq!(proxy.metric(signed).await, Some(3), "what the library counts is shown as well");
    let response = reqwest::get(&proxy.metrics).await.unwrap();
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    let page = response.text().await.unwrap();
    assert!(page.contains("# TYPE signing_proxy_requests_total counter\n"), "{page}");
    assert!(!page.contains(SECRET) && !page.contains(TOKEN) && !page.contains(REGION));
}
