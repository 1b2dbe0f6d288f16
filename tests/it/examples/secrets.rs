//! Errors of the programs leave the query of a URL out: it may be that of a presigned URL, which anyone can use.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::lambda::{Posted, RuntimeApi, function};
use super::{ProgramOutput, file, run, with_role};
use crate::support::{TOKEN, in_time};

const SECRET_QUERY: &str = "key=query-key&X-Amz-Security-Token=query-token&X-Amz-Signature=query-signature";

#[track_caller]
fn assert_without_secrets(text: &str) {
    for secret in ["query-key", "query-token", "query-signature", "X-Amz-", "x-amz-", TOKEN] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[track_caller]
fn assert_fails_without_secrets(output: &ProgramOutput, code: i32, expected: &str) {
    assert_eq!(output.code, code, "{}", output.stderr);
    assert!(output.stderr.contains(expected), "{}", output.stderr);
    assert_without_secrets(&output.stderr);
}

/// Reads a request with its body, and returns its head.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(in_time(stream.read_u8()).await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let length =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    in_time(stream.read_exact(&mut body)).await.unwrap();
    head
}

/// Starts a server that sends each response on a connection of its own, and then closes it. Returns its URL.
async fn serve(responses: Vec<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for response in responses {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            stream.write_all(response.as_bytes()).await.unwrap();
        }
    });
    url
}

#[tokio::test]
async fn s3_upload_does_not_print_the_presigned_url() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let redirect =
        format!("HTTP/1.1 302 Found\r\nLocation: /other?{SECRET_QUERY}\r\nContent-Length: 0\r\n\r\n");
    // As S3 says it: the canonical request of a presigned URL has its query.
    let xml = format!(
        "<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><Message>Check your key.</Message>\
         <CanonicalRequest>GET\n/bucket/key\n{SECRET_QUERY}\nhost:127.0.0.1</CanonicalRequest></Error>"
    );
    let refusal = format!("HTTP/1.1 403 Forbidden\r\nContent-Length: {}\r\n\r\n{xml}", xml.len());
    let downloads: [(&[&str], &str); 6] = [
        (&[""], "error sending request"),
        (&["not HTTP\r\n\r\n"], "error sending request"),
        (&["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"], "body"),
        (&[&redirect, ""], "error sending request"),
        (&[&refusal], "403 Forbidden: SignatureDoesNotMatch: Check your key."),
        (&["HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\nab"], "body"),
    ];
    let path = file("upload.txt");
    std::fs::write(&path, "content").unwrap();
    for (download, expected) in downloads {
        let responses = std::iter::once(ok).chain(download.iter().copied()).map(str::to_owned);
        let url = serve(responses.collect()).await;
        let mut command = with_role("s3_upload");
        let output = run(command.arg(&path).arg(format!("{url}/bucket/key"))).await;
        assert_fails_without_secrets(&output, 1, expected);
    }

    // The upload's own URL.
    for response in ["", "HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\nab"] {
        let url = serve(vec![response.to_owned()]).await;
        let mut command = with_role("s3_upload");
        let output = run(command.arg(&path).arg(format!("{url}/bucket/key?a=query-key"))).await;
        assert_fails_without_secrets(&output, 1, "error");
    }
}

#[tokio::test]
async fn quickstart_and_websocket_print_urls_without_the_query() {
    let closed = serve(vec![]).await;
    let no_response = serve(vec![String::new()]).await;
    for (url, expected) in [
        (closed, "error sending request"),
        (no_response, "error sending request"),
        ("http://[127.0.0.1/path".to_owned(), "http://[127.0.0.1/path is not a URL"),
    ] {
        let output = run(with_role("quickstart").arg(format!("{url}?{SECRET_QUERY}"))).await;
        assert_fails_without_secrets(&output, 1, expected);
    }
    for url in ["ws://[127.0.0.1/path", "ws://127.0.0.1:1/path"] {
        let output = run(with_role("websocket").arg(format!("{url}?{SECRET_QUERY}"))).await;
        assert_fails_without_secrets(&output, 1, "error: ");
    }
}

#[tokio::test]
async fn lambda_api_gateway_posts_errors_without_the_query() {
    for responses in [vec![], vec![String::new()]] {
        let mut runtime = RuntimeApi::start().await;
        let url = format!("{}/prod/orders?{SECRET_QUERY}", serve(responses).await);
        let mut command = with_role("lambda_api_gateway");
        let _child = function(&mut command, &runtime, &url).spawn().unwrap();
        let Posted::Error(_, error) = runtime.invoke("1", json!({})).await else { panic!("a response") };
        assert!(error.to_string().contains("error sending request"), "{error}");
        assert_without_secrets(&error.to_string());
    }
}

#[cfg(feature = "aws-config")]
#[tokio::test]
async fn assume_role_prints_no_url() {
    let sts = sigv4_middleware::IamGateway::builder().credentials(crate::support::role());
    let sts = sts.region(crate::support::REGION).service("sts").start().await.unwrap();
    let credentials = "<AssumeRoleResponse><AssumeRoleResult><Credentials>\
         <AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>\
         <SessionToken>token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>\
         </Credentials></AssumeRoleResult></AssumeRoleResponse>";
    sts.respond_with(http::Response::new(bytes::Bytes::from(credentials)));
    let url = format!("{}/prod/orders?{SECRET_QUERY}", serve(vec![]).await);

    let mut command = with_role("assume_role");
    command.env("AWS_ENDPOINT_URL", sts.url()).env("HOME", "/nonexistent");
    let output = run(command.args(["arn:aws:iam::123456789012:role/caller", &url, "execute-api"])).await;

    assert_fails_without_secrets(&output, 1, "Connect");
    assert_eq!(sts.requests().len(), 1);
}
