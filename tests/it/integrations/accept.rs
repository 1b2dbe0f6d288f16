//! Requests of every shape, through every integration, over HTTP/1.1 and HTTP/2: the gateway takes them.

use std::time::Duration;

use http::{HeaderMap, Method, Request, Version};
use http_body_util::BodyExt;
use percent_encoding::percent_decode_str;
use sha2::Digest;
use sigv4_middleware::{IamGateway, PayloadMode, SigV4Layer, overrides::SkipSigning};
use tower::{Service, ServiceBuilder, ServiceExt};

use crate::support::*;

fn request(gateway: &IamGateway, method: Method, target: &str) -> http::request::Builder {
    Request::builder().method(method).uri(format!("{}{target}", gateway.url()))
}

fn get(gateway: &IamGateway, target: &str) -> Request<TestBody> {
    request(gateway, Method::GET, target).body(in_memory("")).unwrap()
}

/// Names and values of a query as AWS reads it, in order.
fn pairs(target: &str) -> Vec<(String, String)> {
    let decode =
        |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8().expect("UTF-8").into_owned();
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(k, v)| (decode(k), decode(v)))
        .collect()
}

#[track_caller]
fn lines<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test]
async fn a_get_carries_the_session_token_and_one_of_each_signature_header() {
    let (gateway, signer) = (gateway("execute-api").await, signer("execute-api"));
    for (integration, http) in ways() {
        let received = integration.accepted(http, &gateway, &signer, get(&gateway, "/prod/orders")).await;
        let version = if http == Http::One { Version::HTTP_11 } else { Version::HTTP_2 };
        assert_eq!((received.version, received.target.as_str()), (version, "/prod/orders"));
        assert_eq!(lines(&received.headers, "x-amz-security-token"), [TOKEN]);
        assert_eq!(lines(&received.headers, "x-amz-date").len(), 1);
        assert_eq!(lines(&received.headers, "x-amz-content-sha256").len(), 0);
        let [authorization] = lines(&received.headers, "authorization")[..] else { panic!("{received:?}") };
        assert!(authorization.contains("SignedHeaders=host;x-amz-date;x-amz-security-token,"));
        assert_eq!(received.header("host"), Some(gateway.addr().to_string().as_str()));
    }
    assert_eq!(gateway.requests().len(), ways().count());
}

#[tokio::test]
async fn credentials_without_a_token_send_none() {
    let gateway = gateway("execute-api").await;
    gateway.add_credentials(user());
    let signer = signing("execute-api").credentials(user()).build().unwrap();
    for (integration, http) in ways() {
        let received = integration.accepted(http, &gateway, &signer, get(&gateway, "/")).await;
        assert!(received.header("x-amz-security-token").is_none());
    }
}

#[tokio::test]
async fn a_posted_json_has_its_length_and_content_type() {
    let (gateway, signer) = (gateway("execute-api").await, signer("execute-api"));
    let json = r#"{"order": 1, "name": "ü"}"#;
    for (integration, http) in ways() {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let request =
                request(&gateway, method.clone(), "/orders").header("content-type", "application/json");
            let received =
                integration.accepted(http, &gateway, &signer, request.body(in_memory(json)).unwrap()).await;
            assert_eq!((received.method.clone(), &received.body[..]), (method, json.as_bytes()));
            assert_eq!(lines(&received.headers, "content-length"), [json.len().to_string()]);
            assert!(!received.headers.contains_key("transfer-encoding"));
            assert!(received.header("authorization").unwrap().contains("=content-type;host;"));
        }
    }
}

#[tokio::test]
async fn an_empty_upload_says_that_it_is_empty() {
    for service in ["execute-api", "s3"] {
        let (gateway, signer) = (gateway(service).await, signer(service));
        for (integration, http) in ways() {
            for method in [Method::POST, Method::PUT, Method::PATCH] {
                let request = request(&gateway, method.clone(), "/a").body(in_memory("")).unwrap();
                let received = integration.accepted(http, &gateway, &signer, request).await;
                assert_eq!(
                    lines(&received.headers, "content-length"),
                    ["0"],
                    "{integration:?} {http:?} {method}"
                );
                assert!(!received.headers.contains_key("transfer-encoding"));
            }
            for method in [Method::GET, Method::HEAD] {
                let request = request(&gateway, method.clone(), "/a").body(in_memory("")).unwrap();
                let received = integration.accepted(http, &gateway, &signer, request).await;
                assert_eq!((received.header("content-length"), &received.method), (None, &method));
            }
        }
    }
}

/// A body that is not held in memory is none where it is empty.
#[tokio::test]
async fn an_empty_upload_says_so_in_every_payload_mode() {
    let nothing = sha2::Sha256::digest("").into();
    let gateway = gateway("s3").await;
    for mode in [PayloadMode::Unsigned, PayloadMode::Sha256(nothing), PayloadMode::Sha256Checked(nothing)] {
        let signer = signing("s3").allow_unsigned_over_http(true).payload_mode(mode.clone()).build().unwrap();
        for (integration, http) in ways() {
            for (method, length) in [(Method::POST, &["0"][..]), (Method::PUT, &["0"]), (Method::GET, &[])] {
                let request = request(&gateway, method.clone(), "/a").body(in_memory("")).unwrap();
                let received = integration.accepted(http, &gateway, &signer, request).await;
                let lengths = lines(&received.headers, "content-length");
                assert_eq!(lengths, length, "{integration:?} {http:?} {method} {mode:?}");
                assert!(!received.headers.contains_key("transfer-encoding"));
            }
        }
    }
}

/// Queries as callers write them, and what of them goes onto the wire.
const QUERIES: [(&str, &str); 12] = [
    ("/?a=two%20words", "/?a=two%20words"),
    ("/?a=two+words&b=1%2B1", "/?a=two%20words&b=1%2B1"),
    ("/?b=2&a=1&b=1&a=1&A=1", "/?b=2&a=1&b=1&a=1&A=1"),
    ("/?a=/:@,;!$()*~-._", "/?a=%2F%3A%40%2C%3B%21%24%28%29%2A~-._"),
    ("/?a=%2f%3a%7e%41", "/?a=%2F%3A~A"),
    ("/?a=b=c==&d", "/?a=b%3Dc%3D%3D&d"),
    ("/?flag&empty=&=nameless", "/?flag&empty=&=nameless"),
    ("/?&&a=1&&b=2&", "/?a=1&b=2"),
    ("/?a=%E3%81%82%F0%9F%98%80", "/?a=%E3%81%82%F0%9F%98%80"),
    ("/?%C3%BC%20=%C3%9F&a%5B%5D=1&a[]=2", "/?%C3%BC%20=%C3%9F&a%5B%5D=1&a%5B%5D=2"),
    ("/?a=%00%0A%25%26%3D", "/?a=%00%0A%25%26%3D"),
    ("/?a=%27%22%3C", "/?a=%27%22%3C"),
];

#[tokio::test]
async fn queries_keep_their_meaning_and_go_out_in_strict_form() {
    let (gateway, signer) = (gateway("execute-api").await, signer("execute-api"));
    for (integration, http) in ways() {
        for (given, sent) in QUERIES {
            let received = integration.accepted(http, &gateway, &signer, get(&gateway, given)).await;
            assert_eq!(received.target, sent, "{integration:?}");
            assert_eq!(pairs(&received.target), pairs(given));
        }
    }
}

/// A path that has to be encoded twice and normalised to be signed goes out as it came.
#[tokio::test]
async fn awkward_paths() {
    let (gateway, signer) = (gateway("execute-api").await, signer("execute-api"));
    let paths = [
        "/",
        "//",
        "/a//b/",
        "/a%20b/c+d",
        "/%C3%BC/%E3%81%82",
        "/a%2Fb%2fc",
        "/(1)'!*$&;=:@,",
        "/~user/-._",
        "/%7Euser/%41",
        "/100%25/%2525",
        "/arn:aws:bedrock:us-east-1::model/x:0/invoke",
        "/a/b%00c",
    ];
    for (integration, http) in ways() {
        for path in paths {
            let received = integration.accepted(http, &gateway, &signer, get(&gateway, path)).await;
            assert_eq!(received.target, path, "{integration:?}");
        }
    }
    // `Url` resolves dot segments before anyone can see them; `Uri` does not, and the server does.
    for path in ["/a/./b", "/a/../b", "/../a", "/a/b/../", "/a/../../b/./c//d"] {
        let received =
            Integration::LayerOnHyper.accepted(Http::One, &gateway, &signer, get(&gateway, path)).await;
        assert_eq!(received.target, path);
        for integration in [Integration::Middleware, Integration::LayerOnReqwest] {
            integration.accepted(Http::One, &gateway, &signer, get(&gateway, path)).await;
        }
    }
}

#[tokio::test]
async fn awkward_keys_of_s3_go_out_in_strict_form() {
    let (gateway, signer) = (gateway("s3").await, signer("s3"));
    let keys = [
        ("/bucket/a%20b+c/%C3%BC(1)'.txt", "/bucket/a%20b%2Bc/%C3%BC%281%29%27.txt"),
        ("/bucket//a//b/", "/bucket//a//b/"),
        ("/bucket/a%2Fb/%2f", "/bucket/a/b//"),
        ("/bucket/!*$&;=:@,", "/bucket/%21%2A%24%26%3B%3D%3A%40%2C"),
        ("/bucket/%7e%41", "/bucket/~A"),
        ("/bucket/100%25/%2525", "/bucket/100%25/%2525"),
    ];
    for (integration, http) in ways() {
        for (given, sent) in keys {
            let put = request(&gateway, Method::PUT, given).body(in_memory("hello")).unwrap();
            let received = integration.accepted(http, &gateway, &signer, put).await;
            assert_eq!(received.target, sent, "{integration:?}");
            let hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
            assert_eq!(lines(&received.headers, "x-amz-content-sha256"), [hash]);
            let received = integration.accepted(http, &gateway, &signer, get(&gateway, given)).await;
            assert_eq!(received.target, sent, "{integration:?}");
        }
    }
    for path in ["/bucket/a/./b", "/bucket/a/../b", "/bucket/.."] {
        let received =
            Integration::LayerOnHyper.accepted(Http::One, &gateway, &signer, get(&gateway, path)).await;
        assert_eq!(received.target, path);
    }
}

#[tokio::test]
async fn headers_given_twice_and_white_space_in_them() {
    let (gateway, signer) = (gateway("execute-api").await, signer("execute-api"));
    for (integration, http) in ways() {
        let request = request(&gateway, Method::GET, "/")
            .header("x-amz-meta-list", "b")
            .header("x-amz-meta-list", "a , c")
            .header("x-amz-meta-wide", "two   spaces  in a    row")
            .header("x-amz-meta-empty", "")
            .header("content-type", "text/plain;  charset=utf-8");
        let request = request.body(in_memory("")).unwrap();
        let received = integration.accepted(http, &gateway, &signer, request).await;
        assert_eq!(lines(&received.headers, "x-amz-meta-list"), ["b", "a , c"]);
        assert!(received.header("authorization").unwrap().contains(
            "SignedHeaders=content-type;host;x-amz-date;x-amz-meta-empty;x-amz-meta-list;x-amz-meta-wide;"
        ));
    }
    // HTTP/2 knows no white space around a value, HTTP/1.1 strips it.
    for integration in INTEGRATIONS {
        let request = request(&gateway, Method::GET, "/").header("x-amz-meta-padded", "  padded ");
        let received =
            integration.accepted(Http::One, &gateway, &signer, request.body(in_memory("")).unwrap()).await;
        assert_eq!(received.header("x-amz-meta-padded"), Some("padded"));
    }
}

#[tokio::test]
async fn what_an_earlier_signature_left_is_replaced() {
    let (gateway, signer) = (gateway("s3").await, signer("s3"));
    for (integration, http) in ways() {
        let target = "/a?b=c&X-Amz-Signature=0&X-Amz-Date=0&X-Amz-Credential=x&X-Amz-Security-Token=old";
        let request = request(&gateway, Method::GET, target)
            .header("authorization", "AWS4-HMAC-SHA256 Credential=old")
            .header("x-amz-date", "20150830T123600Z")
            .header("x-amz-date", "20150830T123601Z")
            .header("x-amz-security-token", "old")
            .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
        let received =
            integration.accepted(http, &gateway, &signer, request.body(in_memory("")).unwrap()).await;
        assert_eq!(received.target, "/a?b=c");
        for name in ["authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"] {
            assert_eq!(lines(&received.headers, name).len(), 1, "{name}");
        }
    }
}

#[tokio::test]
async fn hosts_with_a_name_in_either_case_and_over_ipv6() {
    let (gateway, signer) = (gateway("execute-api").await, signer("execute-api"));
    let port = gateway.addr().port();
    for (integration, http) in ways() {
        for host in ["localhost", "LocalHost"] {
            let request = Request::get(format!("http://{host}:{port}/")).body(in_memory("")).unwrap();
            let received = integration.accepted(http, &gateway, &signer, request).await;
            let received = received.header("host").unwrap();
            assert!(received.eq_ignore_ascii_case(&format!("localhost:{port}")), "{received}");
        }
        // A Host header that says the same as the URI is sent as it is.
        if http == Http::One {
            let request = Request::get(gateway.url()).header("host", gateway.addr().to_string());
            integration.accepted(http, &gateway, &signer, request.body(in_memory("")).unwrap()).await;
        }
    }
    let Some(addr) = on_ipv6(&gateway).await else { return };
    for (integration, http) in ways() {
        let request = Request::get(format!("http://{addr}/a?b=c")).body(in_memory("")).unwrap();
        let received = integration.accepted(http, &gateway, &signer, request).await;
        assert_eq!(received.header("host"), Some(format!("[::1]:{}", addr.port()).as_str()));
    }
}

#[tokio::test]
async fn one_client_makes_many_requests_at_once() {
    let (gateway, signer) = (gateway("execute-api").await, signer("execute-api"));
    let hyper = layered_wrapping(hyper(gateway.addr(), Http::One), &signer);
    let reqwest = middleware(reqwest(gateway.addr(), Http::Two), &signer);
    let calls = (0..50).map(|n| {
        let (hyper, reqwest) = (hyper.clone(), reqwest.clone());
        let request = get(&gateway, &format!("/{n}"));
        let url = request.uri().to_string();
        tokio::spawn(async move {
            assert_eq!(hyper.oneshot(request).await.unwrap().status(), 200);
            assert_eq!(reqwest.post(url).body("x").send().await.unwrap().status(), 200);
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    assert_eq!(gateway.requests().len(), 100);
}

#[tokio::test]
async fn a_limit_beneath_the_layer_does_not_deadlock() {
    let (gateway, signer) = (gateway("execute-api").await, signer("execute-api"));
    let mut service = ServiceBuilder::new()
        .layer(wrapping(&signer))
        .concurrency_limit(1)
        .service(hyper(gateway.addr(), Http::One));
    in_time(async {
        for _ in 0..3 {
            let response = service.ready().await.unwrap().call(get(&gateway, "/")).await.unwrap();
            assert_eq!(response.status(), 200);
            response.into_body().collect().await.unwrap();
        }
        // Clones share the one permit.
        let calls = (0..8).map(|_| tokio::spawn(service.clone().oneshot(get(&gateway, "/"))));
        for call in calls.collect::<Vec<_>>() {
            assert_eq!(call.await.unwrap().unwrap().status(), 200);
        }
    })
    .await;
}

#[tokio::test]
async fn buffer_and_timeout_go_around_it() {
    let (gateway, signer) = (gateway("execute-api").await, signer("execute-api"));
    let service = ServiceBuilder::new()
        .buffer(4)
        .timeout(Duration::from_secs(10))
        .layer(wrapping(&signer))
        .service(hyper(gateway.addr(), Http::One));
    in_time(async {
        let calls = (0..8).map(|_| tokio::spawn(service.clone().oneshot(get(&gateway, "/"))));
        for call in calls.collect::<Vec<_>>() {
            assert_eq!(call.await.unwrap().unwrap().status(), 200);
        }
    })
    .await;
    let relative = Request::get("/relative").body(in_memory("")).unwrap();
    let error = service.oneshot(relative).await.unwrap_err();
    assert_eq!(found(&error).kind(), sigv4_middleware::ErrorKind::InvalidUri);
    // Around reqwest's client as well.
    let service = ServiceBuilder::new()
        .buffer(4)
        .layer(SigV4Layer::new(signer))
        .service(reqwest(gateway.addr(), Http::One));
    let request = reqwest::Request::new(Method::GET, gateway.url().parse().unwrap());
    assert_eq!(service.oneshot(request).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_layer_can_be_cloned_and_applied_again() {
    let (gateway, signer) = (gateway("execute-api").await, signer("execute-api"));
    let layer = wrapping(&signer);
    for layer in [layer.clone(), layer] {
        let service = ServiceBuilder::new().layer(layer).service(hyper(gateway.addr(), Http::One));
        assert_eq!(service.clone().oneshot(get(&gateway, "/")).await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_request_may_say_that_it_goes_unsigned() {
    let (gateway, signer) = (gateway("execute-api").await, signer("execute-api"));
    for integration in [Integration::Middleware, Integration::LayerOnHyper] {
        let mut request = get(&gateway, "/");
        request.extensions_mut().insert(SkipSigning);
        let response = integration.send_to(Http::One, gateway.addr(), &signer, request).await.unwrap();
        assert_eq!(response.verdict(), (403, "MissingAuthenticationTokenException"));
        let received = gateway.requests().pop().unwrap();
        assert!(received.headers.keys().all(|name| !name.as_str().starts_with("x-amz-")));
    }
}
