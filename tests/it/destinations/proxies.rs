//! The proxies of the environment, in clients that the crate builds: never for loopback, for all other hosts as ever.

use std::net::SocketAddr;

use sigv4_middleware::{SendSigned, Signer};

use crate::support::*;

/// Set in a child process: the address of [`DIRECT`], and the URLs to send to, one a line.
const CHILD: &str = "SIGV4_PROXIES_CHILD";

/// A host that is reached without a proxy.
const DIRECT: &str = "direct.example";

/// Sends by both clients to each URL, and prints what came of it.
#[test]
#[ignore = "a child process"]
fn child() {
    let Ok(urls) = std::env::var(CHILD) else { return };
    let (direct, urls) = urls.split_once('\n').unwrap();
    let direct = direct.parse().unwrap();
    let signer = || {
        let signer = signing("s3").scope_overrides_host(true);
        signer
            .allow_origin("http://api.example.com")
            .allow_origin(format!("http://{DIRECT}"))
            .build()
            .unwrap()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for url in urls.lines() {
        let client = sigv4_middleware::reqwest_client().tls_certs_only([]).resolve(DIRECT, direct);
        let client = client.build().unwrap();
        let response = runtime.block_on(middleware(client, &signer()).post(url).body("body").send());
        println!("async {:?} {url}", response.ok().map(|response| response.status().as_u16()));
        let client = sigv4_middleware::reqwest_blocking_client().tls_certs_only([]).resolve(DIRECT, direct);
        let client = client.build().unwrap();
        let response = client.post(url).body("body").send_signed(&signer());
        println!("blocking {:?} {url}", response.ok().map(|response| response.status().as_u16()));
    }
}

/// What the child prints where these variables are all that its environment says of proxies.
async fn child_with(env: &[(&str, String)], direct: SocketAddr, urls: &[String]) -> String {
    let mut command = rerun(module_path!(), "child");
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command
        .args(["--ignored", "--nocapture"])
        .env(CHILD, format!("{direct}\n{}", urls.join("\n")))
        .envs(env.iter().cloned());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn proxy() -> Recorder {
    Recorder::responding(|request| {
        let status = if request.starts_with("CONNECT ") { "502 No" } else { "299 By the proxy" };
        format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n")
    })
    .await
}

fn url_of(addr: SocketAddr) -> String {
    format!("http://{addr}")
}

#[tokio::test]
async fn loopback_bypasses_them() {
    let (proxy, target) = (proxy().await, Recorder::start().await);
    let port = target.addr().port();
    let hosts = ["127.0.0.1", "localhost", "LOCALHOST", "0x7f.1"];
    let mut urls: Vec<_> = hosts.iter().map(|host| format!("http://{host}:{port}/x")).collect();
    let gateway = gateway("s3").await;
    if let Some(v6) = on_ipv6(&gateway).await {
        urls.push(format!("http://[::1]:{}/x", v6.port()));
    }
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        let said = in_time(child_with(&[(name, url_of(proxy.addr()))], target.addr(), &urls)).await;
        for url in &urls {
            for client in ["async", "blocking"] {
                assert!(said.contains(&format!("{client} Some(200) {url}")), "{name}: {said}");
            }
        }
        proxy.assert_untouched(name);
    }
    let requests = target.seen().matches("POST /x HTTP/1.1\r\n").count();
    assert_eq!(requests, 4 * 2 * hosts.len(), "with a path, as a server is asked and not a proxy");
}

#[tokio::test]
async fn other_hosts_go_through_them() {
    let plain = "http://api.example.com/x".to_owned();
    let secure = "https://bucket.s3.eu-west-1.amazonaws.com/x".to_owned();
    let urls = [plain.clone(), secure];
    for names in [&["HTTP_PROXY", "HTTPS_PROXY"][..], &["http_proxy", "https_proxy"], &["ALL_PROXY"]] {
        let proxy = proxy().await;
        let env: Vec<_> = names.iter().map(|name| (*name, url_of(proxy.addr()))).collect();
        let said = in_time(child_with(&env, proxy.addr(), &urls)).await;
        assert!(said.contains(&format!("async Some(299) {plain}")), "{said}");
        assert!(said.contains(&format!("blocking Some(299) {plain}")), "{said}");
        let seen = proxy.seen();
        assert_eq!(seen.matches("POST http://api.example.com/x HTTP/1.1\r\n").count(), 2, "{seen}");
        let connect = "CONNECT bucket.s3.eu-west-1.amazonaws.com:443 HTTP/1.1\r\n";
        assert_eq!(seen.matches(connect).count(), 2, "{seen}");
    }
}

#[tokio::test]
async fn their_passwords_and_exceptions_hold() {
    let (proxy, target) = (proxy().await, Recorder::start().await);
    let with_password = format!("http://us%40er:p%3As%2541%2F@{}", proxy.addr());
    let env = [
        ("HTTP_PROXY", with_password.clone()),
        ("HTTPS_PROXY", with_password),
        ("NO_PROXY", format!("example.net,{DIRECT}")),
    ];
    let direct = format!("http://{DIRECT}/x");
    let urls = [direct.as_str(), "http://api.example.com/x", "https://sqs.us-east-1.amazonaws.com/x"]
        .map(str::to_owned);
    let said = in_time(child_with(&env, target.addr(), &urls)).await;
    for client in ["async", "blocking"] {
        assert!(said.contains(&format!("{client} Some(200) {direct}")), "{said}");
    }
    let seen = proxy.seen();
    // us@er:p:s%41/
    assert_eq!(seen.matches("Basic dXNAZXI6cDpzJTQxLw==\r\n").count(), 4, "{seen}");
    assert!(!seen.contains(DIRECT), "{seen}");
    let (before, none) =
        (proxy.connections(), [("HTTP_PROXY", url_of(proxy.addr())), ("NO_PROXY", "*".to_owned())]);
    in_time(child_with(&none, target.addr(), &[direct])).await;
    assert_eq!((proxy.connections(), target.connections()), (before, 4));
}

/// A proxy of the caller's own, after those of the environment were cleared.
#[tokio::test]
async fn a_proxy_of_ones_own_takes_their_place() {
    let own = proxy().await;
    let client = sigv4_middleware::reqwest_client().no_proxy().tls_certs_only([]);
    let client = client.proxy(reqwest::Proxy::all(url_of(own.addr())).unwrap()).build().unwrap();
    let signer: Signer = signing("s3").allow_origin("http://api.example.com").build().unwrap();
    let response = middleware(client, &signer).get("http://api.example.com/x").send().await.unwrap();
    assert_eq!(response.status().as_u16(), 299);
    assert!(own.seen().starts_with("GET http://api.example.com/x HTTP/1.1\r\n"));
}
