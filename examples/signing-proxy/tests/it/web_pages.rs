//! Web pages cannot use the proxy's credentials: not by requests to another site, not by DNS rebinding.

use bytes::Bytes;
use http::{Response, StatusCode};
use sigv4_middleware::IamGateway;

use sigv4_test_support::{gateway, run};

use crate::program::{Proxy, RawResponse, before, with_role};

/// A request with these header lines, which may hold `{port}`.
async fn send(proxy: &Proxy, request_line: &str, headers: &[&str]) -> RawResponse {
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let lines = lines.replace("{port}", &proxy.addr.port().to_string());
    let request_line = request_line.replace("{port}", &proxy.addr.port().to_string());
    proxy.raw(&format!("{request_line}\r\n{lines}Connection: close\r\nContent-Length: 0\r\n\r\n")).await
}

async fn get(proxy: &Proxy, headers: &[&str]) -> RawResponse {
    send(proxy, "GET /orders HTTP/1.1", headers).await
}

/// Forgets the gateway's requests, and returns how many there were.
fn received(gateway: &IamGateway) -> usize {
    let requests = gateway.requests().len();
    gateway.clear();
    requests
}

#[tokio::test]
async fn a_request_to_another_host_is_refused() {
    let gateway = gateway("execute-api").await;
    let proxy =
        before(&gateway, &["--allow-host", "dev.internal", "--allow-host", "other.internal:81"]).await;
    let other_port = proxy.addr.port() ^ 1;

    for host in [
        "evil.example:{port}",
        "evil.example",
        "127.0.0.1.evil.example:{port}",
        "localhost.evil:{port}",
        "evil-localhost:{port}",
        "notlocalhost:{port}",
        "x.localhost:{port}",
        "dev.internal.evil.example:{port}",
        "x.dev.internal:{port}",
        "dev.internal.:{port}",
        "other.internal:{port}",
        "other.internal",
        // Resolvers may look it up in DNS.
        "localhost.:{port}",
        "127.0.0.1.:{port}",
        // Port 80.
        "127.0.0.1",
        "localhost",
        "localhost:",
        "[::1]",
        &format!("127.0.0.1:{other_port}"),
        &format!("localhost:{other_port}"),
        &format!("[::1]:{other_port}"),
        "localhost:+{port}",
        "localhost:{port}0000",
        "localhost:{port}:{port}",
        // Not a loopback address, or not spelled as a browser does.
        "128.0.0.1:{port}",
        "0.0.0.0:{port}",
        "127.1:{port}",
        "0x7f.0.0.1:{port}",
        "2130706433:{port}",
        "0177.0.0.1:{port}",
        "[::]:{port}",
        "[::ffff:127.0.0.1]:{port}",
        "[fe80::1]:{port}",
        "[::1%25lo]:{port}",
        "::1:{port}",
        "[::1:{port}",
        // Not a host.
        "",
        ":{port}",
        "user@localhost:{port}",
        "localhost:{port}@evil.example",
        "localhost:{port}/",
        "localhost:{port}, evil.example",
        "http://localhost:{port}",
        "localhost\u{e9}:{port}",
    ] {
        let refusal = get(&proxy, &[&format!("Host: {host}")]).await.refusal();
        assert_eq!(refusal, (403, "host".to_owned()), "{host}");
    }
    for headers in [
        [].as_slice(),
        &["Host: localhost:{port}", "Host: localhost:{port}"],
        &["Host: localhost:{port}", "Host: evil.example:{port}"],
        &["Host: evil.example:{port}", "Host: localhost:{port}"],
    ] {
        assert_eq!(get(&proxy, headers).await.refusal(), (403, "host".to_owned()), "{headers:?}");
    }
    for (line, headers) in [
        ("GET / HTTP/1.0", [].as_slice()),
        ("GET http://evil.example:{port}/ HTTP/1.1", &["Host: localhost:{port}"]),
        ("GET http://evil.example:{port}/ HTTP/1.1", &["Host: evil.example:{port}"]),
        ("GET http://localhost:{port}/ HTTP/1.1", &["Host: evil.example:{port}"]),
        ("GET http://localhost:{port}/ HTTP/1.1", &["Host: 127.0.0.1:{port}"]),
        ("GET http://x@localhost:{port}/ HTTP/1.1", &["Host: localhost:{port}"]),
        ("POST / HTTP/1.1", &["Host: evil.example:{port}"]),
        ("OPTIONS * HTTP/1.1", &["Host: evil.example:{port}"]),
        ("CONNECT localhost:{port} HTTP/1.1", &["Host: evil.example:{port}"]),
    ] {
        assert_eq!(
            send(&proxy, line, headers).await.refusal(),
            (403, "host".to_owned()),
            "{line} {headers:?}"
        );
    }
    assert_eq!(received(&gateway), 0);

    let message = get(&proxy, &["Host: evil.example:80"]).await.message();
    let call = format!("call http://{}", proxy.addr);
    assert!(message.contains(&call) && message.contains("--allow-host evil.example:80 "), "{message}");
    let message = get(&proxy, &["Host: a b"]).await.message();
    assert!(message.contains(&call) && !message.contains("--allow-host"), "{message}");
}

#[tokio::test]
async fn the_listen_address_loopback_and_named_hosts_are_called() {
    let gateway = gateway("execute-api").await;
    let arguments =
        ["--allow-host", "Dev.internal", "--allow-host", "other.internal:81", "--allow-host", "[fd00::1]"];
    let proxy = before(&gateway, &arguments).await;

    for host in [
        "127.0.0.1:{port}",
        "127.0.0.2:{port}",
        "localhost:{port}",
        "LocalHost:{port}",
        "[::1]:{port}",
        "[0:0:0:0:0:0:0:1]:{port}",
        "dev.internal",
        "dev.internal:{port}",
        "DEV.internal:1",
        "other.internal:81",
        "[fd00::1]:{port}",
        "[fd00:0::1]",
    ] {
        assert_eq!(get(&proxy, &[&format!("Host: {host}")]).await.status, 200, "{host}");
        assert_eq!(received(&gateway), 1, "{host}");
    }
}

#[tokio::test]
async fn the_authority_of_http2_is_the_host() {
    let gateway = gateway("execute-api").await;
    let proxy = before(&gateway, &[]).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().resolve("evil.example", proxy.addr);
    let client = client.build().unwrap();
    let port = proxy.addr.port();

    let foreign = format!("http://evil.example:{port}/");
    for request in [client.get(&foreign), client.get(&foreign).header("host", format!("localhost:{port}"))] {
        let response = request.send().await.unwrap();
        assert_eq!((response.version(), response.status()), (http::Version::HTTP_2, StatusCode::FORBIDDEN));
        assert_eq!(crate::program::reason(&response.text().await.unwrap()), "host");
    }
    let other = client.get(proxy.url("/")).header("host", format!("evil.example:{port}"));
    assert_eq!(other.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let page = client.get(proxy.url("/")).header("origin", "https://evil.example");
    assert_eq!(crate::program::reason(&page.send().await.unwrap().text().await.unwrap()), "cross_site");
    assert_eq!(received(&gateway), 0);

    assert_eq!(client.get(proxy.url("/a?b=c")).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(gateway.requests()[0].target, "/a?b=c");
}

#[tokio::test]
async fn a_request_of_a_page_of_another_origin_is_refused() {
    let gateway = gateway("execute-api").await;
    let proxy = before(&gateway, &["--allow-origin", "https://app.example"]).await;

    for headers in [
        ["Origin: https://evil.example"].as_slice(),
        &["Origin: null"],
        &["Origin: "],
        &["Origin: http://localhost:{port}"],
        &["Origin: https://127.0.0.1:{port}"],
        &["Origin: http://127.0.0.1"],
        &["Origin: http://127.0.0.1:1"],
        &["Origin: http://127.0.0.1:{port}.evil.example"],
        &["Origin: http://127.0.0.1:{port}@evil.example"],
        &["Origin: 127.0.0.1:{port}"],
        &["Origin: chrome-extension://abcdefgh"],
        &["Origin: http://127.0.0.1:{port} https://evil.example"],
        &["Origin: http://127.0.0.1:{port}", "Origin: http://127.0.0.1:{port}"],
        &["Origin: http://127.0.0.1:{port}", "Origin: https://evil.example"],
        &["Origin: https://evil.example", "Origin: https://app.example"],
        &["Origin: https://app.example", "Origin: https://evil.example"],
        &["Origin: https://evil.example", "Sec-Fetch-Site: same-origin"],
        &["Origin: http://127.0.0.1:{port}", "Sec-Fetch-Site: cross-site"],
        &["Sec-Fetch-Site: cross-site"],
        &["Sec-Fetch-Site: same-site"],
        &["Sec-Fetch-Site: Same-Origin, cross-site"],
        &["Sec-Fetch-Site: unknown"],
        &["Sec-Fetch-Site: "],
        &["Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"],
        // Like the named origin, but another one.
        &["Origin: http://app.example"],
        &["Origin: https://app.example:8443"],
        &["Origin: https://x.app.example"],
        &["Origin: https://app.example.evil.example"],
        &["Origin: https://app.example."],
        &["Origin: https://app.example/path"],
    ] {
        let headers = [&["Host: 127.0.0.1:{port}", "Content-Type: text/plain"], headers].concat();
        for line in ["GET /orders HTTP/1.1", "POST /orders HTTP/1.1", "OPTIONS /orders HTTP/1.1"] {
            let refusal = send(&proxy, line, &headers).await.refusal();
            assert_eq!(refusal, (403, "cross_site".to_owned()), "{line} {headers:?}");
        }
    }
    let preflight = ["Host: 127.0.0.1:{port}", "Access-Control-Request-Method: PUT"];
    for origin in [None, Some("Origin: http://127.0.0.1:{port}"), Some("Origin: https://evil.example")] {
        let headers: Vec<_> = preflight.into_iter().chain(origin).collect();
        let response = send(&proxy, "OPTIONS /orders HTTP/1.1", &headers).await;
        assert_eq!(response.refusal(), (403, "cross_site".to_owned()), "{headers:?}");
        assert!(!response.head.contains("access-control"), "{}", response.head);
    }
    assert_eq!(received(&gateway), 0);

    let message = async |headers: &[&str]| {
        get(&proxy, &[&["Host: 127.0.0.1:{port}"], headers].concat()).await.message()
    };
    let named = message(&["Origin: https://evil.example"]).await;
    assert!(named.contains("--allow-origin https://evil.example "), "{named}");
    let null = message(&["Origin: null"]).await;
    assert!(null.contains("\"null\"") && null.contains("cannot be allowed"), "{null}");
    assert!(message(&["Sec-Fetch-Site: cross-site"]).await.contains("--allow-origin"));
    let counted = proxy.metric("signing_proxy_refused_total{reason=\"cross_site\"}").await;
    assert_eq!(counted, Some(30 * 3 + 3 + 3));
}

#[tokio::test]
async fn programs_and_pages_of_the_proxy_itself_are_let_through() {
    let gateway = gateway("execute-api").await;
    let proxy = before(&gateway, &[]).await;

    for headers in [
        [].as_slice(),
        &["Origin: http://127.0.0.1:{port}"],
        &["Origin: http://127.0.0.1:{port}", "Sec-Fetch-Site: same-origin"],
        &["Sec-Fetch-Site: same-origin"],
        // An address that the user typed.
        &["Sec-Fetch-Site: none"],
    ] {
        let headers = [&["Host: 127.0.0.1:{port}"], headers].concat();
        assert_eq!(get(&proxy, &headers).await.status, 200, "{headers:?}");
        assert_eq!(received(&gateway), 1, "{headers:?}");
    }
    let headers = ["Host: localhost:{port}", "Origin: http://LOCALHOST:{port}"];
    assert_eq!(get(&proxy, &headers).await.status, 200);
}

/// An upstream that lets pages of every origin read its responses.
async fn permissive_gateway() -> IamGateway {
    let gateway = gateway("execute-api").await;
    let response = Response::builder()
        .header("access-control-allow-origin", "*")
        .header("Access-Control-Allow-Methods", "PUT")
        .header("access-control-allow-credentials", "true")
        .header("access-control-allow-private-network", "true")
        .header("x-order", "7");
    gateway.respond_with(response.body(Bytes::new()).unwrap());
    gateway
}

#[tokio::test]
async fn responses_allow_only_named_origins() {
    let gateway = permissive_gateway().await;
    let arguments = ["--allow-origin", "https://App.example:443/", "--allow-origin", "http://localhost:3000"];
    let proxy = before(&gateway, &arguments).await;
    let host = "Host: 127.0.0.1:{port}";

    let same_origin = "Origin: http://127.0.0.1:{port}";
    for headers in [[host].as_slice(), &[host, same_origin], &[host, "Sec-Fetch-Site: none"]] {
        let response = get(&proxy, headers).await;
        assert_eq!(response.status, 200);
        assert!(response.head.contains("\r\nx-order: 7\r\n"), "{}", response.head);
        assert!(!response.head.contains("access-control-"), "{}", response.head);
    }
    received(&gateway);
    for origin in ["https://app.example", "HTTPS://APP.example:443", "http://localhost:3000"] {
        let origin = format!("Origin: {origin}");
        let headers = [host, &origin, "Sec-Fetch-Site: cross-site"];
        let preflight = [&headers[..], &["Access-Control-Request-Method: PUT"]].concat();
        for response in [
            get(&proxy, &headers).await,
            send(&proxy, "PUT / HTTP/1.1", &headers).await,
            send(&proxy, "OPTIONS / HTTP/1.1", &preflight).await,
        ] {
            assert_eq!(response.status, 200);
            for header in ["origin: *", "methods: PUT", "credentials: true", "private-network: true"] {
                let header = format!("\r\naccess-control-allow-{header}\r\n");
                assert!(response.head.contains(&header), "{}", response.head);
            }
            assert!(response.head.contains("\r\nvary: origin\r\n"), "{}", response.head);
        }
        assert_eq!(received(&gateway), 3, "{origin}");
    }
    // A host has to be one of the proxy's even so.
    let refusal = get(&proxy, &["Host: evil.example:{port}", "Origin: https://app.example"]).await.refusal();
    assert_eq!(refusal, (403, "host".to_owned()));
    assert_eq!(received(&gateway), 0);
}

#[tokio::test]
async fn hosts_and_origins_that_cannot_be_named() {
    let upstream = ["--upstream", "https://abc.execute-api.eu-west-1.amazonaws.com"];
    for (option, value, advice) in [
        ("--allow-host", "*", "NAME or NAME:PORT"),
        ("--allow-host", "http://dev.internal", "without a scheme"),
        ("--allow-host", "dev.internal/", "without a scheme or a path"),
        ("--allow-host", "dev.internal:99999", "NAME or NAME:PORT"),
        ("--allow-host", "fd00::1", "[fd00::1]"),
        ("--allow-origin", "null", "http://host:port"),
        ("--allow-origin", "*", "http://host:port"),
        ("--allow-origin", "app.example", "http://host:port"),
        ("--allow-origin", "https://app.example/path", "http://host:port"),
        ("--allow-origin", "https://*.example", "http://host:port"),
        ("--allow-origin", "file:///", "http://host:port"),
    ] {
        let output = run(with_role().args(upstream).args([option, value])).await;
        assert!(output.code == 2 && output.stderr.contains(advice), "{option} {value}: {}", output.stderr);
    }
}

#[tokio::test]
async fn an_address_that_other_machines_reach_needs_expose() {
    let gateway = gateway("execute-api").await;
    let upstream = gateway.url();
    let arguments = ["--service", "execute-api", "--upstream", &upstream];
    for listen in ["0.0.0.0:0", "192.0.2.1:8080", "[::]:0", "[::ffff:127.0.0.1]:0"] {
        let output = run(with_role().args(["--listen", listen]).args(arguments)).await;
        assert_eq!((output.code, output.stdout.as_str()), (1, ""), "{listen}: {}", output.stderr);
        assert!(output.stderr.contains("is not a loopback address"), "{}", output.stderr);
        assert!(
            output.stderr.contains("AWS credentials") && output.stderr.contains("--expose"),
            "{}",
            output.stderr
        );
    }

    let exposed = ["--listen", "0.0.0.0:0", "--expose", "--allow-host", "192.0.2.1"];
    let proxy = before(&gateway, &exposed).await;
    let message = get(&proxy, &["Host: 192.0.2.2:{port}"]).await.message();
    let call = format!("call http://localhost:{}", proxy.addr.port());
    assert!(message.contains(&call) && message.contains("--allow-host 192.0.2.2:"), "{message}");
    assert_eq!(received(&gateway), 0);
    for host in ["0.0.0.0:{port}", "localhost:{port}", "192.0.2.1:{port}"] {
        assert_eq!(get(&proxy, &[&format!("Host: {host}")]).await.status, 200, "{host}");
    }
}
