//! What is requested, and what is shown of the response.

use std::fs;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use sigv4_middleware::{IamGateway, ReceivedRequest};
use sigv4_test_support::{ProgramOutput, REGION, TOKEN, gateway, role, run, run_with_input, temporary_file};

use crate::{curl, with_role};

fn only_request(gateway: &IamGateway) -> ReceivedRequest {
    let [request] = <[_; 1]>::try_from(gateway.requests()).unwrap();
    request
}

#[track_caller]
fn assert_ok(output: &ProgramOutput) {
    assert_eq!((output.code, output.stdout.as_str()), (0, r#"{"message":"ok"}"#), "{}", output.stderr);
}

#[tokio::test]
async fn get() {
    let gateway = gateway("execute-api").await;

    let output = run(&mut curl(&[&format!("{}/a b/ü?q=x y+z&q='1'#part", gateway.url())])).await;

    assert_ok(&output);
    assert_eq!(output.stderr, "");
    let request = only_request(&gateway);
    assert_eq!(request.method, Method::GET);
    assert_eq!(request.target, "/a%20b/%C3%BC?q=x%20y%20z&q=%271%27");
    assert_eq!(request.header("x-amz-security-token"), Some(TOKEN));
}

#[tokio::test]
async fn method_and_headers() {
    let gateway = gateway("execute-api").await;

    let arguments = ["--reques", "DELETE", "-H", "X-Amz-Meta-A: 1", "-H", "x-amz-meta-a:2", &gateway.url()];
    assert_ok(&run(&mut curl(&arguments)).await);

    let request = only_request(&gateway);
    assert_eq!(request.method, Method::DELETE);
    let values: Vec<_> = request.headers.get_all("x-amz-meta-a").iter().collect();
    assert_eq!(values, ["1", "2"]);
    let authorization = request.header("authorization").unwrap();
    assert!(authorization.contains("SignedHeaders=host;x-amz-date;x-amz-meta-a;"), "{authorization}");
}

#[tokio::test]
async fn data_is_posted_as_a_form() {
    let gateway = gateway("execute-api").await;

    assert_ok(&run(&mut curl(&["-d", "-a=1", "-d", "b=2", &gateway.url()])).await);

    let request = only_request(&gateway);
    assert_eq!(request.method, Method::POST);
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(request.body, "-a=1&b=2");
}

#[tokio::test]
async fn data_of_the_standard_input() {
    let gateway = gateway("execute-api").await;

    assert_ok(
        &run_with_input(&mut curl(&["--data-binary", "@-", "-X", "PATCH", &gateway.url()]), b"\0piped\n")
            .await,
    );

    let request = only_request(&gateway);
    assert_eq!((request.method, request.body), (Method::PATCH, Bytes::from_static(b"\0piped\n")));
}

#[tokio::test]
async fn a_post_of_nothing_has_a_length() {
    let gateway = gateway("execute-api").await;

    assert_ok(&run(&mut curl(&["-X", "POST", &gateway.url()])).await);

    assert_eq!(only_request(&gateway).header("content-length"), Some("0"));
}

#[tokio::test]
async fn upload_of_a_file_larger_than_what_is_held_in_memory() {
    let gateway =
        IamGateway::builder().credentials(role()).region(REGION).service("s3").start().await.unwrap();
    let path = temporary_file("up load.bin");
    let content: Vec<u8> = (0..11 * 1024 * 1024_u32).map(|n| (n % 251) as u8).collect();
    fs::write(&path, &content).unwrap();

    let url = format!("{}/bucket/", gateway.url());
    let output = run(with_role().args(["--service", "s3", "-T"]).arg(&path).arg(&url)).await;

    assert_ok(&output);
    assert_eq!(output.stderr, "", "a progress bar without a terminal");
    let request = only_request(&gateway);
    assert_eq!(request.method, Method::PUT);
    assert!(request.target.starts_with("/bucket/") && request.target.ends_with("-up%20load.bin"));
    assert_eq!(request.header("content-length"), Some("11534336"));
    assert!(request.body == content);
}

#[tokio::test]
async fn include_shows_the_responses_head() {
    let gateway = gateway("execute-api").await;
    let response =
        Response::builder().status(StatusCode::CREATED).header("x-order", "7").body(Bytes::from("made"));
    gateway.respond_with(response.unwrap());

    let output = run(&mut curl(&["-i", &gateway.url()])).await;

    let (head, body) = output.stdout.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 201 Created\r\n") && head.contains("\r\nx-order: 7"), "{head}");
    assert_eq!(body, "made");
}

#[tokio::test]
async fn output_goes_to_a_file() {
    let gateway = gateway("execute-api").await;
    let path = temporary_file("response.json");

    let output = run(curl(&["-o"]).arg(&path).arg(gateway.url())).await;

    assert_eq!((output.code, output.stdout.as_str()), (0, ""), "{}", output.stderr);
    assert_eq!(fs::read_to_string(path).unwrap(), r#"{"message":"ok"}"#);
}

#[tokio::test]
async fn a_wrong_secret_is_refused() {
    let gateway = gateway("execute-api").await;

    let output = run(curl(&[&gateway.url()]).env("AWS_SECRET_ACCESS_KEY", "another")).await;
    assert_eq!(output.code, 0, "as with curl, a response is a response");
    assert!(output.stdout.contains("signature we calculated does not match"), "{}", output.stdout);

    let output = run(curl(&["--fail", &gateway.url()]).env("AWS_SECRET_ACCESS_KEY", "another")).await;
    assert_eq!((output.code, output.stdout.as_str()), (22, ""));
    let said = "sigv4-curl: (22) the server responded with 403 Forbidden (InvalidSignatureException)\n";
    assert!(output.stderr.ends_with(said), "{}", output.stderr);

    let output = run(curl(&["-fs", &gateway.url()]).env("AWS_SECRET_ACCESS_KEY", "another")).await;
    assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (22, "", ""));

    let output = run(curl(&["-fsS", &gateway.url()]).env("AWS_SECRET_ACCESS_KEY", "another")).await;
    assert!(output.code == 22 && output.stderr.contains("\nsigv4-curl: (22)"), "{}", output.stderr);
}

#[tokio::test]
async fn a_presigned_url_needs_no_credentials() {
    let gateway = gateway("execute-api").await;
    let url = format!("{}/prod/orders?status=open", gateway.url());

    let output = run(&mut curl(&["--presign", "60", &url])).await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(gateway.requests().is_empty());

    let presigned = output.stdout.trim_end();
    let response = reqwest::get(presigned).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let response = reqwest::get(presigned.replace("status=open", "status=all")).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}
