//! What is written where: `-w`, `-O`, `-i`, `-I`, `-L`, retries, compression.

use std::fs;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use sigv4_test_support::{SECRET, TOKEN, gateway, run, serve, temporary_file};

use crate::{curl, with_role};

#[tokio::test]
async fn write_out() {
    let gateway = gateway("execute-api").await;
    let url = format!("{}/a", gateway.url());
    let format = "%{http_code} %{response_code} %{method} %{size_download} %{size_upload} %{num_redirects} %{num_retries} \
                  %{http_version} %{scheme} %{content_type} %{exitcode} 100%% %header{X-Amzn-RequestId} %{url_effective}\\n\\t|";
    let output = run(&mut curl(&["-s", "-o", "/dev/null", "-d", "abc", "-w", format, &url])).await;
    let id = gateway.requests().len();
    assert_eq!(id, 1);
    let (begin, rest) = output.stdout.split_once(" 100% ").unwrap();
    assert_eq!(begin, "200 200 POST 16 3 0 0 1.1 HTTP application/json 0");
    assert!(rest.ends_with(&format!(" {url}\n\t|")) && rest.len() > url.len() + 10, "{rest}");

    let output = run(curl(&["-s", "-f", "-w", "%{http_code} %{exitcode}%{stderr}err%{stdout}.", &url])
        .env("AWS_SECRET_ACCESS_KEY", "x"))
    .await;
    assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (22, "403 22.", "err"));
    let output =
        run(&mut curl(&["-s", "-w", "%{exitcode} %{http_code} %{time_total}", "http://127.0.0.1:1/"])).await;
    assert!(output.stdout.starts_with("7 000 0.0"), "{}", output.stdout);
    let output = run(&mut curl(&["-s", "-o", "/dev/null", "-w", "a%{nothing}b", &url])).await;
    assert_eq!((output.stdout.as_str(), output.code), ("ab", 0));
    assert!(output.stderr.contains("unknown --write-out variable: 'nothing'"), "{}", output.stderr);
    let file = temporary_file("format");
    fs::write(&file, "from a file %{http_code}").unwrap();
    let output =
        run(&mut curl(&["-s", "-o", "/dev/null", "-w", &format!("@{}", file.display()), &url])).await;
    assert_eq!(output.stdout, "from a file 200");
}

#[tokio::test]
async fn the_remote_name() {
    let gateway = gateway("execute-api").await;
    let folder = temporary_file("folder");
    fs::create_dir(&folder).unwrap();
    let output =
        run(curl(&["-O", &format!("{}/a/report.json?x=/y", gateway.url())]).current_dir(&folder)).await;
    assert_eq!((output.code, output.stdout.as_str()), (0, ""), "{}", output.stderr);
    assert_eq!(fs::read_to_string(folder.join("report.json")).unwrap(), r#"{"message":"ok"}"#);
    let output = run(curl(&["-O", &gateway.url()]).current_dir(&folder)).await;
    assert_eq!(output.code, 23);
    assert!(output.stderr.contains("-o FILE"), "{}", output.stderr);
}

#[tokio::test]
async fn head() {
    let gateway = gateway("execute-api").await;
    let output = run(&mut curl(&["-I", &gateway.url()])).await;
    assert!(
        output.stdout.starts_with("HTTP/1.1 200 OK\r\n") && output.stdout.ends_with("\r\n\r\n"),
        "{}",
        output.stdout
    );
    assert_eq!(gateway.requests()[0].method, http::Method::HEAD);
}

#[tokio::test]
async fn redirects() {
    let gateway = gateway("execute-api").await;
    let to = |location: &str| {
        gateway.redirect_next(1, StatusCode::TEMPORARY_REDIRECT, HeaderValue::from_str(location).unwrap())
    };
    to("/next");
    let output = run(&mut curl(&["-s", "-w", "%{http_code} %{redirect_url}", &gateway.url()])).await;
    assert!(output.stdout.ends_with(&format!("307 {}/next", gateway.url())), "{}", output.stdout);

    to("/next");
    let output = run(&mut curl(&[
        "-sL",
        "-i",
        "-d",
        "kept",
        "-w",
        "%{num_redirects} %{url_effective}",
        &gateway.url(),
    ]))
    .await;
    assert!(
        output.stdout.starts_with("HTTP/1.1 307 ") && output.stdout.contains("\r\n\r\nHTTP/1.1 200 OK\r\n"),
        "{}",
        output.stdout
    );
    assert!(output.stdout.ends_with(&format!("1 {}/next", gateway.url())), "{}", output.stdout);
    let last = gateway.requests().pop().unwrap();
    assert_eq!((last.target.as_str(), last.status.as_u16(), &last.body[..]), ("/next", 200, &b"kept"[..]));

    // Whoever redirects chooses what is signed: not to another origin, unless it is named.
    let other = sigv4_test_support::gateway("execute-api").await;
    to(&other.url());
    let output = run(&mut curl(&["-L", &gateway.url()])).await;
    assert_eq!(output.code, 94);
    assert!(output.stderr.contains("--allow-redirect http://127.0.0.1:"), "{}", output.stderr);
    assert!(other.requests().is_empty());
    to(&other.url());
    let output = run(&mut curl(&["-L", "--allow-redirect", &other.url(), &gateway.url()])).await;
    assert_eq!((output.code, other.requests().len()), (0, 1), "{}", output.stderr);
}

#[tokio::test]
async fn retries() {
    let gateway = gateway("execute-api").await;
    gateway.fail_next(2, StatusCode::SERVICE_UNAVAILABLE);
    let arguments = ["--retry", "3", "--retry-delay", "0.01", "-w", "%{num_retries}", &gateway.url()];
    let output = run(&mut curl(&arguments)).await;
    assert_eq!((output.code, output.stdout.as_str()), (0, "{\"message\":\"ok\"}2"), "{}", output.stderr);
    assert_eq!(output.stderr.matches("trying again in 0.01 s").count(), 2, "{}", output.stderr);
    // Each is signed afresh, and none but the last is written.
    assert_eq!(
        gateway.requests().iter().map(|request| request.status.as_u16()).collect::<Vec<_>>(),
        [503, 503, 200]
    );

    let after = "HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let url = serve(vec![after.to_owned(), ok.to_owned()]).await;
    let start = Instant::now();
    let output = run(&mut curl(&["--retry", "1", "--retry-delay", "0", &url])).await;
    assert!(output.code == 0 && start.elapsed().as_secs() >= 1, "{}", output.stderr);

    gateway.fail_next(2, StatusCode::BAD_GATEWAY);
    let output = run(&mut curl(&["-s", "-f", "--retry", "1", "--retry-delay", "0", &gateway.url()])).await;
    assert_eq!((output.code, output.stdout.as_str()), (22, ""));
}

#[tokio::test]
async fn compressed() {
    let gateway = gateway("execute-api").await;
    // "hello", by gzip.
    let hello = [31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 203, 72, 205, 201, 201, 7, 0, 134, 166, 16, 54, 5, 0, 0, 0];
    let response =
        Response::builder().header("content-encoding", "gzip").body(Bytes::copy_from_slice(&hello));
    gateway.respond_with(response.unwrap());
    let output = run(&mut curl(&["--compressed", &gateway.url()])).await;
    assert_eq!((output.code, output.stdout.as_str()), (0, "hello"), "{}", output.stderr);
    assert_eq!(gateway.requests()[0].header("accept-encoding"), Some("deflate, gzip, br"));
    // Without the option, unchanged.
    let file = temporary_file("raw");
    let output = run(curl(&["-s", "-o"]).arg(&file).arg(gateway.url())).await;
    assert_eq!((output.code, fs::read(&file).unwrap()), (0, hello.to_vec()));
    assert_eq!(gateway.requests()[1].header("accept-encoding"), None);
}

#[tokio::test]
async fn a_proxy_and_an_address() {
    let gateway = gateway("execute-api").await;
    let port = gateway.addr().port();
    let url = format!("http://gateway.test:{port}/a");
    let origin = format!("http://gateway.test:{port}");
    let resolve = format!("gateway.test:{port}:127.0.0.1");
    let output = run(&mut curl(&["--resolve", &resolve, "--allow-origin", &origin, &url])).await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(gateway.requests()[0].header("host"), Some(format!("gateway.test:{port}").as_str()));

    // A proxy gets the whole URL.
    let recorder = crate::recorder::Recorder::start().await;
    let output = run(&mut curl(&["-x", &recorder.url, "--allow-origin", &origin, &url])).await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(recorder.take()[0].line, format!("GET {url} HTTP/1.1"));
    // The environment's proxy never sees a request to loopback.
    let output = run(curl(&[&gateway.url()]).env("HTTP_PROXY", &recorder.url)).await;
    assert_eq!((output.code, recorder.take().len()), (0, 0), "{}", output.stderr);
}

#[tokio::test]
async fn a_refusal_is_explained() {
    let gateway = gateway("execute-api").await;
    let output = run(curl(&[&gateway.url()]).env("AWS_SECRET_ACCESS_KEY", "another")).await;
    assert!(
        output.stdout.contains("signature we calculated does not match"),
        "the body is whole: {}",
        output.stdout
    );
    assert!(output.stderr.contains("(signature-mismatch-secret)"), "{}", output.stderr);
    assert!(output.stderr.contains("* change: set AWS_SECRET_ACCESS_KEY anew"), "{}", output.stderr);
    let output = run(with_role().args(["--service", "s3", &gateway.url()])).await;
    assert!(output.stderr.contains("* change: add --service execute-api"), "{}", output.stderr);
    let output = run(with_role().args(["-s", "--service", "s3", &gateway.url()])).await;
    assert_eq!(output.stderr, "");
    let output = run(with_role().args(["-v", "--service", "s3", &gateway.url()])).await;
    assert!(
        output.stderr.contains("(scope-service-wrong)")
            && !output.stderr.contains(SECRET)
            && !output.stderr.contains(TOKEN)
    );
}
