//! Exit codes: curl's, each compared with what curl itself ends with.

use std::process::Stdio;

use sigv4_test_support::tls::{TlsFront, root_certificate_pem};
use sigv4_test_support::{gateway, run, serve, temporary_file};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::{bare, curl};

fn head(status: &str, length: usize) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
}

/// What curl ends with; `None` where the machine has none.
async fn code_of_curl(arguments: &[&str]) -> Option<i32> {
    let mut command = Command::new("curl");
    command
        .arg("-q")
        .env_clear()
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().await.ok()?.code()
}

/// Fails unless both end with this code.
async fn both_end_with(expected: i32, arguments: &[&str]) {
    let output = run(&mut curl(arguments)).await;
    assert_eq!(output.code, expected, "{arguments:?}: {}", output.stderr);
    if let Some(code) = code_of_curl(arguments).await {
        assert_eq!(code, expected, "curl {arguments:?}");
    }
}

#[tokio::test]
async fn without_a_server() {
    let nowhere = temporary_file("nowhere").join("x");
    let nowhere = nowhere.to_str().unwrap();
    let ca = format!("{nowhere}.pem");
    let gateway = gateway("execute-api").await;
    let url = gateway.url();
    let cases: [(&[&str], i32); 16] = [
        (&[], 2),
        (&["--no-such-option", &url], 2),
        (&["-d", "x", "-T", "x", &url], 2),
        (&["-d", "x", "-I", &url], 2),
        (&["-F", "x=y", "-d", "z", &url], 2),
        (&["foo://127.0.0.1/"], 1),
        (&["http://[127.0.0.1/"], 3),
        (&["http://127.0.0.1:99999/"], 3),
        (&["-x", "http://no-such-host.invalid:80", "http://127.0.0.1:1/"], 5),
        (&["http://127.0.0.1:1/"], 7),
        (&["-o", nowhere, &url], 23),
        (&["-T", nowhere, &url], 26),
        (&["-F", &format!("a=@{nowhere}"), &url], 26),
        (&["--resolve", "a:b", &url], 49),
        (&["--cacert", &ca, &url.replace("http:", "https:")], 77),
        (&["-x", "127.0.0.1:1", &url], 7),
    ];
    for (arguments, code) in cases {
        both_end_with(code, arguments).await;
    }
    // curl before version 8 posts nothing then.
    assert_eq!(run(&mut curl(&["-d", &format!("@{nowhere}"), &url])).await.code, 26);
    // curl leaves out what is no header, and takes a URL without a scheme for http.
    assert_eq!(run(&mut curl(&["-H", "no colon", &url])).await.code, 2);
    assert_eq!(run(&mut curl(&["example.com"])).await.code, 3);
}

#[tokio::test]
async fn a_host_that_has_no_address() {
    let url = "http://no-such-host.invalid/";
    let output = run(&mut curl(&["--allow-origin", "http://no-such-host.invalid", url])).await;
    assert_eq!(output.code, 6, "{}", output.stderr);
    if let Some(code) = code_of_curl(&[url]).await {
        assert_eq!(code, 6);
    }
}

#[tokio::test]
async fn of_responses() {
    let not_found = format!("{}abc", head("404 Not Found", 3));
    let cases: [(&[&str], &str, i32); 10] = [
        (&[], &not_found, 0),
        (&["-f"], &not_found, 22),
        (&["--fail-with-body"], &not_found, 22),
        (&["-f"], "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", 0),
        (&[], "", 52),
        (&[], "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", 18),
        (&[], "not HTTP at all\r\n\r\n", 1),
        (&[], "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 56),
        (&["-L", "--max-redirs", "0"], "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", 47),
        (&["--compressed"], "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", 61),
    ];
    for (options, response, code) in cases {
        let url = serve(vec![response.to_owned(); 4]).await;
        let arguments = [options, &[url.as_str()]].concat();
        both_end_with(code, &arguments).await;
    }
}

#[tokio::test]
async fn of_a_server_that_is_slow() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    both_end_with(28, &["-m", "0.3", &url]).await;
    // It never begins its part of TLS, which belongs to connecting.
    let url = url.replace("http:", "https:");
    both_end_with(28, &["--connect-timeout", "0.3", &url]).await;
}

#[tokio::test]
async fn of_tls() {
    let plain = gateway("execute-api").await;
    let url = plain.url().replace("http:", "https:");
    both_end_with(35, &[&url]).await;

    let front = TlsFront::before(plain.addr()).await;
    let url = format!("https://localhost:{}/", front.addr().port());
    both_end_with(60, &[&url]).await;
    both_end_with(0, &["-k", &url]).await;
    let ca = temporary_file("ca.pem");
    std::fs::write(&ca, root_certificate_pem()).unwrap();
    // OpenSSL takes certificates for self-signed whose names are those of their issuer.
    let output = run(&mut curl(&["--cacert", ca.to_str().unwrap(), &url])).await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    let output =
        run(&mut curl(&["--cacert", ca.to_str().unwrap(), "--resolve", "a.test:443:127.0.0.1", &url])).await;
    assert_eq!(output.code, 0, "{}", output.stderr);
}

#[tokio::test]
async fn a_request_that_cannot_be_signed() {
    let output = run(bare().args(["https://sts.eu-west-1.amazonaws.com/", "--region", "eu-west-1"])).await;
    assert_eq!(output.code, 94, "an authentication function returned an error: {}", output.stderr);
    let output = run(bare().args(["-V"])).await;
    assert_eq!((output.code, output.stdout.starts_with("sigv4-curl ")), (0, true));
}
