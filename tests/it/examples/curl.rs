//! `sigv4_curl`.

use std::fs;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use sigv4_middleware::{IamGateway, ReceivedRequest};
use tokio::process::Command;

use super::{Said, example, file, gateway, run, run_with_input, with_role};
use crate::support::{REGION, SECRET, TOKEN, role};

/// With the role's credentials, for the gateway's service, which 127.0.0.1 does not tell.
fn curl(arguments: &[&str]) -> Command {
    let mut command = with_role("sigv4_curl");
    command.args(["--service", "execute-api"]).args(arguments);
    command
}

fn only_request(gateway: &IamGateway) -> ReceivedRequest {
    let [request] = <[_; 1]>::try_from(gateway.requests()).unwrap();
    request
}

#[track_caller]
fn assert_ok(said: &Said) {
    assert_eq!((said.code, said.out.as_str()), (0, r#"{"message":"ok"}"#), "{}", said.err);
}

#[tokio::test]
async fn get() {
    let gateway = gateway().await;

    let said = run(&mut curl(&[&format!("{}/a b/ü?q=x y+z&q='1'#part", gateway.url())])).await;

    assert_ok(&said);
    assert_eq!(said.err, "");
    let request = only_request(&gateway);
    assert_eq!(request.method, Method::GET);
    assert_eq!(request.target, "/a%20b/%C3%BC?q=x%20y%20z&q=%271%27");
    assert_eq!(request.header("x-amz-security-token"), Some(TOKEN));
}

#[tokio::test]
async fn method_and_headers() {
    let gateway = gateway().await;

    let arguments = ["-X", "DELETE", "-H", "X-Amz-Meta-A: 1", "-H", "x-amz-meta-a:2", &gateway.url()];
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
    let gateway = gateway().await;

    assert_ok(&run(&mut curl(&["-d", "-a=1", "-d", "b=2", &gateway.url()])).await);

    let request = only_request(&gateway);
    assert_eq!(request.method, Method::POST);
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(request.body, "-a=1&b=2");
}

#[tokio::test]
async fn data_of_a_file_is_kept_byte_for_byte() {
    let gateway = gateway().await;
    let path = file("order.json");
    fs::write(&path, "{\n  \"order\": 1\r\n}\n").unwrap();

    let data = format!("@{}", path.display());
    assert_ok(&run(&mut curl(&["-d", &data, "-H", "content-type: application/json", &gateway.url()])).await);

    let request = only_request(&gateway);
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.body, "{\n  \"order\": 1\r\n}\n");
}

#[tokio::test]
async fn data_of_the_standard_input() {
    let gateway = gateway().await;

    assert_ok(&run_with_input(&mut curl(&["-d", "@-", "-X", "PATCH", &gateway.url()]), b"\0piped\n").await);

    let request = only_request(&gateway);
    assert_eq!((request.method, request.body), (Method::PATCH, Bytes::from_static(b"\0piped\n")));
}

#[tokio::test]
async fn a_post_of_nothing_has_a_length() {
    let gateway = gateway().await;

    assert_ok(&run(&mut curl(&["-X", "POST", &gateway.url()])).await);

    assert_eq!(only_request(&gateway).header("content-length"), Some("0"));
}

#[tokio::test]
async fn upload_of_a_file_larger_than_what_is_held_in_memory() {
    let gateway =
        IamGateway::builder().credentials(role()).region(REGION).service("s3").start().await.unwrap();
    let path = file("up load.bin");
    let content: Vec<u8> = (0..11 * 1024 * 1024_u32).map(|n| (n % 251) as u8).collect();
    fs::write(&path, &content).unwrap();

    let url = format!("{}/bucket/", gateway.url());
    let said = run(with_role("sigv4_curl").args(["--service", "s3", "-T"]).arg(&path).arg(&url)).await;

    assert_ok(&said);
    assert_eq!(said.err, "", "a progress bar without a terminal");
    let request = only_request(&gateway);
    assert_eq!(request.method, Method::PUT);
    assert!(request.target.starts_with("/bucket/") && request.target.ends_with("-up%20load.bin"));
    assert_eq!(request.header("content-length"), Some("11534336"));
    assert!(request.body == content);
}

#[tokio::test]
async fn include_shows_the_responses_head() {
    let gateway = gateway().await;
    let response =
        Response::builder().status(StatusCode::CREATED).header("x-order", "7").body(Bytes::from("made"));
    gateway.respond_with(response.unwrap());

    let said = run(&mut curl(&["-i", &gateway.url()])).await;

    let (head, body) = said.out.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 201 Created\r\n") && head.contains("\r\nx-order: 7"), "{head}");
    assert_eq!(body, "made");
}

#[tokio::test]
async fn verbose_shows_what_is_signed_but_no_secret() {
    let gateway = gateway().await;
    let url = gateway.url();

    for arguments in [["-v", url.as_str()].as_slice(), &["-v", "--presign", "60", &url]] {
        let said = run(&mut curl(arguments)).await;

        assert_eq!(said.code, 0, "{}", said.err);
        assert!(said.err.contains("* canonical request:\n*   GET\n*   /\n"), "{}", said.err);
        assert!(said.err.contains("* string to sign:\n*   AWS4-HMAC-SHA256\n"), "{}", said.err);
        assert!(!said.err.contains(SECRET) && !said.err.contains(&TOKEN[16..]), "{}", said.err);
    }
    let said = run(&mut curl(&["-v", &url])).await;
    assert!(said.err.contains("\n> GET /\n") && said.err.contains("\n< HTTP/1.1 200 OK\n"), "{}", said.err);
    assert!(said.err.contains("\n> x-amz-security-token: IQoJb3Jp… ("), "{}", said.err);
}

#[tokio::test]
async fn output_goes_to_a_file() {
    let gateway = gateway().await;
    let path = file("response.json");

    let said = run(curl(&["-o"]).arg(&path).arg(gateway.url())).await;

    assert_eq!((said.code, said.out.as_str()), (0, ""), "{}", said.err);
    assert_eq!(fs::read_to_string(path).unwrap(), r#"{"message":"ok"}"#);
}

#[tokio::test]
async fn a_wrong_secret_is_refused() {
    let gateway = gateway().await;

    let said = run(curl(&[&gateway.url()]).env("AWS_SECRET_ACCESS_KEY", "another")).await;
    assert_eq!(said.code, 0, "as with curl, a response is a response");
    assert!(said.out.contains("signature we calculated does not match"), "{}", said.out);

    let said = run(curl(&["--fail", &gateway.url()]).env("AWS_SECRET_ACCESS_KEY", "another")).await;
    assert_eq!((said.code, said.out.as_str()), (22, ""));
    assert_eq!(said.err, "sigv4_curl: (22) the server answered 403 Forbidden (InvalidSignatureException)\n");

    let said = run(curl(&["-fs", &gateway.url()]).env("AWS_SECRET_ACCESS_KEY", "another")).await;
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (22, "", ""));

    let said = run(curl(&["-fsS", &gateway.url()]).env("AWS_SECRET_ACCESS_KEY", "another")).await;
    assert!(said.code == 22 && said.err.starts_with("sigv4_curl: (22)"), "{}", said.err);
}

#[tokio::test]
async fn without_credentials_it_says_how_to_get_some() {
    let gateway = gateway().await;

    let said = run(example("sigv4_curl").arg(gateway.url())).await;

    assert_eq!(said.code, 1);
    assert!(said.err.contains("AWS_ACCESS_KEY_ID is not set"), "{}", said.err);
    assert!(said.err.contains("aws configure export-credentials"), "{}", said.err);
    assert!(gateway.requests().is_empty());
}

#[tokio::test]
async fn errors_name_the_option_to_add() {
    let said = run(&mut curl(&["https://api.example.com/"])).await;
    assert_eq!(said.code, 1);
    assert!(said.err.ends_with("\n  on this command line: --allow-host api.example.com\n"), "{}", said.err);

    let said = run(&mut curl(&["http://minio.test:9000/"])).await;
    assert!(
        said.err.contains("command line: --allow-origin http://minio.test:9000, --allow-host"),
        "{}",
        said.err
    );

    let said = run(with_role("sigv4_curl").arg("http://127.0.0.1:1/")).await;
    assert_eq!(said.code, 1);
    assert!(said.err.ends_with("\n  on this command line: --service NAME\n"), "{}", said.err);
}

#[tokio::test]
async fn exit_codes_are_curls() {
    let gateway = gateway().await;
    let (url, nowhere) = (gateway.url(), file("nowhere/x"));
    let nowhere = nowhere.to_str().unwrap();
    let cases: [(&[&str], i32); 9] = [
        (&[], 2),
        (&["-H", "no colon", &url], 2),
        (&["-d", "x", "-T", "x", &url], 2),
        (&["example.com"], 3),
        (&["ftp://127.0.0.1/"], 3),
        (&["http://127.0.0.1:1/"], 7),
        (&["-o", nowhere, &url], 23),
        (&["-T", nowhere, &url], 26),
        (&["-d", &format!("@{nowhere}"), &url], 26),
    ];
    for (arguments, code) in cases {
        let said = run(&mut curl(arguments)).await;
        assert_eq!(said.code, code, "{arguments:?}: {}", said.err);
    }
}

#[tokio::test]
async fn a_presigned_url_needs_no_credentials() {
    let gateway = gateway().await;
    let url = format!("{}/prod/orders?status=open", gateway.url());

    let said = run(&mut curl(&["--presign", "60", &url])).await;
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(gateway.requests().is_empty());

    let presigned = said.out.trim_end();
    let response = reqwest::get(presigned).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let response = reqwest::get(presigned.replace("status=open", "status=all")).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}
