//! How requests are signed: payload, regions, another Host, a wrong clock, presigned URLs.

use std::fs;

use http::{Method, StatusCode};
use sigv4_middleware::IamGateway;
use sigv4_test_support::{REGION, SECRET, TOKEN, gateway, role, run, temporary_file};

use crate::recorder::Recorder;
use crate::{curl, with_role};

async fn s3() -> IamGateway {
    IamGateway::builder().credentials(role()).region(REGION).service("s3").start().await.unwrap()
}

#[tokio::test]
async fn payload() {
    let recorder = Recorder::start().await;
    let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    for (payload, expected) in [
        ("signed", hash),
        ("unsigned", "UNSIGNED-PAYLOAD"),
        ("aws-chunked", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        ("aws-chunked-unsigned", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
    ] {
        let arguments =
            ["--service", "s3", "--payload", payload, "--allow-unsigned-over-http", "-X", "PUT", "-d", "abc"];
        let output = run(with_role().args(arguments).arg(&recorder.url)).await;
        assert_eq!(output.code, 0, "{payload}: {}", output.stderr);
        assert_eq!(recorder.take()[0].header("x-amz-content-sha256"), Some(expected));
    }
    let gateway = s3().await;
    let arguments = ["--service", "s3", "--payload", "unsigned", "--allow-unsigned-over-http", "-d", "abc"];
    let output = run(with_role().args(arguments).arg(gateway.url())).await;
    assert_eq!((output.code, gateway.requests()[0].status), (0, StatusCode::OK), "{}", output.stderr);
}

#[tokio::test]
async fn a_region_set() {
    let recorder = Recorder::start().await;
    let output = run(&mut curl(&["--region-set", "us-east-1,eu-*", &recorder.url])).await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    let request = recorder.take().remove(0);
    assert_eq!(request.header("x-amz-region-set"), Some("us-east-1,eu-*"));
    assert!(request.header("authorization").unwrap().starts_with("AWS4-ECDSA-P256-SHA256 "));
}

#[tokio::test]
async fn another_host_and_another_authorization() {
    let gateway = gateway("execute-api").await;
    let arguments = [
        "-H",
        "Host: api.example.com",
        "--allow-host-mismatch",
        "-H",
        "Authorization: Basic eA==",
        "--replace-authorization",
    ];
    let output = run(curl(&arguments).arg(gateway.url())).await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    let [request] = <[_; 1]>::try_from(gateway.requests()).unwrap();
    assert_eq!((request.status, request.header("host")), (StatusCode::OK, Some("api.example.com")));
    assert!(request.header("authorization").unwrap().starts_with("AWS4-HMAC-SHA256 "));
}

#[tokio::test]
async fn a_wrong_clock_is_recovered_from() {
    let gateway = gateway("execute-api").await;
    gateway.set_clock_offset(-3 * 3600);
    let output = run(&mut curl(&["-f", "-d", "body", &gateway.url()])).await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    let statuses: Vec<_> = gateway.requests().iter().map(|request| request.status.as_u16()).collect();
    assert_eq!(statuses, [403, 200]);
    assert_eq!(gateway.requests()[1].body, "body");

    // A file that is not held in memory, too.
    let gateway = s3().await;
    gateway.set_clock_offset(3 * 3600);
    let path = temporary_file("large");
    fs::write(&path, vec![7; 9 * 1024 * 1024]).unwrap();
    let output = run(with_role().args(["-f", "--service", "s3", "-T"]).arg(&path).arg(gateway.url())).await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    let last = gateway.requests().pop().unwrap();
    assert_eq!((last.status, last.body.len()), (StatusCode::OK, 9 * 1024 * 1024));
}

#[tokio::test]
async fn verbose_shows_what_is_signed_but_no_secret() {
    let gateway = gateway("execute-api").await;
    let url = gateway.url();
    for arguments in [["-v", url.as_str()].as_slice(), &["-v", "--presign", "60", &url]] {
        let output = run(&mut curl(arguments)).await;
        assert_eq!(output.code, 0, "{}", output.stderr);
        assert!(output.stderr.contains("* canonical request:\n*   GET\n*   /\n"), "{}", output.stderr);
        assert!(output.stderr.contains("* string to sign:\n*   AWS4-HMAC-SHA256\n"), "{}", output.stderr);
        assert!(
            !output.stderr.contains(SECRET) && !output.stderr.contains(&TOKEN[16..]),
            "{}",
            output.stderr
        );
    }
    let output = run(&mut curl(&["-v", &url])).await;
    assert!(
        output.stderr.starts_with("> GET /\n") && output.stderr.contains("\n< HTTP/1.1 200 OK\n"),
        "{}",
        output.stderr
    );
    assert!(output.stderr.contains("\n> x-amz-security-token: IQoJb3Jp… ("), "{}", output.stderr);
}

/// The URL, and every header that has to be sent: with them, and only with them, anyone can make the request.
#[tokio::test]
async fn a_presigned_url_and_its_headers() {
    let gateway = gateway("execute-api").await;
    let url = format!("{}/prod/orders", gateway.url());
    let arguments = [
        "--presign",
        "60",
        "-X",
        "PUT",
        "-H",
        "x-k8s-aws-id: it's",
        "-H",
        "content-type: text/plain",
        "-d",
        "abc",
        &url,
    ];
    let output = run(&mut curl(&arguments)).await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(output.stderr.contains("send it with -X PUT\n"), "{}", output.stderr);
    assert!(output.stderr.contains("send it with -H 'x-k8s-aws-id: it'\\''s'\n"), "{}", output.stderr);
    let headers = output.stderr.lines().filter_map(|line| {
        let header = line.strip_prefix("send it with -H '")?.strip_suffix('\'')?;
        let (name, value) = header.split_once(": ")?;
        Some((name.to_owned(), value.replace(r"'\''", "'")))
    });
    let headers: Vec<(String, String)> = headers.collect();
    let send = async |headers: &[(String, String)]| {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.request(Method::PUT, output.stdout.trim_end()).body("abc");
        headers
            .iter()
            .fold(request, |request, (name, value)| request.header(name, value))
            .send()
            .await
            .unwrap()
            .status()
    };
    assert_eq!(send(&headers).await, StatusCode::OK);
    for left_out in 0..headers.len() {
        let mut fewer = headers.clone();
        fewer.remove(left_out);
        assert_eq!(send(&fewer).await, StatusCode::FORBIDDEN, "{:?}", headers[left_out]);
    }
}
