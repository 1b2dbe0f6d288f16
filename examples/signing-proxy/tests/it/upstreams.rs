//! Several upstreams, by the Host of requests; the proxies of the environment.

use std::sync::{Arc, Mutex};

use http::StatusCode;
use sigv4_test_support::tls::TlsGateway;
use sigv4_test_support::{gateway, program, read_request, run};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::program::{PROGRAM, Proxy, reason, with_role};
use crate::tls::cacert;

#[tokio::test]
async fn a_host_chooses_the_upstream() {
    let (api, search, queue) = tokio::join!(gateway("execute-api"), gateway("es"), gateway("sqs"));
    let mut command = with_role();
    command.args(["--upstream", &format!("{},service=execute-api", api.url())]);
    command
        .args(["--upstream", &format!("search.internal={},service=es,region=ap-northeast-1", search.url())]);
    command.args(["--upstream", &format!("queue.internal:81={},service=sqs", queue.url())]);
    let proxy = Proxy::started(command, &[]).await;
    let call = async |host: &str| {
        let head = format!("GET /x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        proxy.raw(&head).await.status
    };
    let count = || [&api, &search, &queue].map(|gateway| gateway.requests().len());

    assert_eq!(call(&proxy.addr.to_string()).await, 200);
    assert_eq!(count(), [1, 0, 0]);
    assert_eq!(call("search.internal").await, 200);
    assert_eq!(call(&format!("Search.Internal:{}", proxy.addr.port())).await, 200);
    assert_eq!(count(), [1, 2, 0]);
    assert_eq!(call("queue.internal:81").await, 200);
    assert_eq!(count(), [1, 2, 1]);
    for host in ["queue.internal", "other.internal", "x.search.internal", "search.internal.evil.example"] {
        assert_eq!(call(host).await, 403, "{host}");
    }
    assert_eq!(count(), [1, 2, 1]);
}

/// A proxy for CONNECT that leads everywhere to one address, and keeps the heads of its requests.
async fn connect_proxy(to: std::net::SocketAddr) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://user:pass@{}", listener.local_addr().unwrap());
    let heads = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heads);
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            let kept = Arc::clone(&kept);
            tokio::spawn(async move {
                let head = read_request(&mut from).await;
                kept.lock().unwrap().push(head);
                from.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                let mut to = TcpStream::connect(to).await.unwrap();
                tokio::io::copy_bidirectional(&mut from, &mut to).await
            });
        }
    });
    (url, heads)
}

#[tokio::test]
async fn named_hosts_are_reached_through_the_proxy_of_the_environment() {
    let s3 = TlsGateway::new(gateway("s3").await).await;
    let (https_proxy, heads) = connect_proxy(s3.addr()).await;
    let cacert = cacert();
    let mut command = with_role();
    command.env("https_proxy", &https_proxy).args(["--cacert", cacert.to_str().unwrap()]);
    command.args(["--upstream-host", "*.s3.ap-northeast-1.amazonaws.com"]);
    let proxy = Proxy::started(command, &[]).await;
    let call = async |host: &str| {
        let head = format!("GET /key HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        proxy.raw(&head).await
    };

    let host = "bucket.s3.ap-northeast-1.amazonaws.com";
    for port in ["", ":80", ":443", &format!(":{}", proxy.addr.port())] {
        assert_eq!(call(&format!("{host}{port}")).await.status, 200, "{port}");
    }
    let requests = s3.gateway.requests();
    assert!(requests.len() == 4 && requests.iter().all(|request| request.header("host") == Some(host)));
    let heads = std::mem::take(&mut *heads.lock().unwrap());
    assert!(heads[0].starts_with(&format!("CONNECT {host}:443 HTTP/1.1\r\n")), "{}", heads[0]);
    assert!(heads[0].to_lowercase().contains("proxy-authorization: basic dxnlcjpwyxnz"), "{}", heads[0]);
    assert!(!heads.concat().contains("x-amz-"), "what is signed goes through the tunnel");

    for other in [
        "s3.ap-northeast-1.amazonaws.com",
        "evil-s3.ap-northeast-1.amazonaws.com",
        "bucket.s3.eu-west-1.amazonaws.com",
    ] {
        assert_eq!(call(other).await.refusal(), (403, "host".to_owned()), "{other}");
    }
    assert_eq!(call(&format!("{host}:81")).await.status, 403);
    // No upstream is for the proxy's own host.
    assert_eq!(call(&proxy.addr.to_string()).await.refusal(), (404, "no_upstream".to_owned()));
}

#[tokio::test]
async fn loopback_bypasses_the_proxies() {
    let gateway = gateway("execute-api").await;
    let (url, heads) = connect_proxy(gateway.addr()).await;
    let mut command = with_role();
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env(name, &url);
    }
    command.args(["--upstream", &gateway.url(), "--service", "execute-api"]);
    let proxy = Proxy::started(command, &[]).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    assert_eq!(client.get(proxy.url("/")).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(gateway.requests().len(), 1);
    assert!(heads.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_secret_is_asked_for() {
    let gateway = gateway("execute-api").await;
    let url = gateway.url();
    let mut command = with_role();
    command.env("SIGNING_PROXY_SECRET", "a-secret-of-the-pod");
    command.args(["--upstream", &url, "--service", "execute-api"]);
    let proxy = Proxy::started(command, &["--secret", "header"]).await;
    let client = reqwest::Client::new();
    let refused = client.get(proxy.url("/")).send().await.unwrap();
    assert_eq!(reason(&refused.text().await.unwrap()), "secret");
    let sent = client.get(proxy.url("/")).header("x-signing-proxy-secret", "a-secret-of-the-pod");
    assert_eq!(sent.send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(gateway.requests().len(), 1);
}

#[tokio::test]
async fn credentials_of_a_profile_are_used() {
    let gateway = gateway("execute-api").await;
    let file = sigv4_test_support::temporary_file("credentials");
    let [key, secret, token] =
        [sigv4_test_support::KEY, sigv4_test_support::SECRET, sigv4_test_support::TOKEN];
    let keys = format!("aws_access_key_id={key}\naws_secret_access_key={secret}\naws_session_token={token}");
    std::fs::write(&file, format!("[orders]\n{keys}\nregion=ap-northeast-1\n")).unwrap();
    let mut command = program(PROGRAM);
    command.env("AWS_SHARED_CREDENTIALS_FILE", &file).env("AWS_EC2_METADATA_DISABLED", "true");
    command.args(["--upstream", &gateway.url(), "--service", "execute-api", "--profile", "orders"]);
    let proxy = Proxy::started(command, &[]).await;
    assert_eq!(reqwest::get(proxy.url("/")).await.unwrap().status(), StatusCode::OK);
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn upstreams_that_cannot_be_told_apart() {
    let a = "https://a.execute-api.eu-west-1.amazonaws.com";
    let b = "https://b.execute-api.eu-west-1.amazonaws.com";
    for (arguments, code, expected) in [
        (&["--upstream", a, "--upstream", b][..], 1, "name the host"),
        (
            &["--upstream", a, "--upstream", &format!("b.internal={b}"), "--sign-host", "c.example"],
            1,
            "sign-host=HOST",
        ),
        (&["--upstream", &format!("{a},colour=red")], 2, "service=NAME"),
        (&["--upstream-host", "*"], 2, "*.NAME.DOMAIN"),
        (&[], 2, "--upstream"),
    ] {
        let output = run(with_role().args(["--listen", "127.0.0.1:0"]).args(arguments)).await;
        assert_eq!(output.code, code, "{arguments:?}: {}", output.stderr);
        assert!(output.stderr.contains(expected), "{expected} is not in {}", output.stderr);
    }
}
