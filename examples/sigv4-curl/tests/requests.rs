//! `sigv4_curl`.

use std::fs;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use sigv4_middleware::{IamGateway, ReceivedRequest};
use tokio::process::Command;

use super::{
    Failing, ProgramOutput, assert_names_no_library_item, example, file, gateway, run, run_with_input,
    with_role,
};
use crate::support::{REGION, SECRET, TOKEN, role};

/// With the role's credentials and the gateway's service, which cannot be inferred from 127.0.0.1.
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
fn assert_ok(output: &ProgramOutput) {
    assert_eq!((output.code, output.stdout.as_str()), (0, r#"{"message":"ok"}"#), "{}", output.stderr);
}

#[tokio::test]
async fn get() {
    let gateway = gateway().await;

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
    let output = run(with_role("sigv4_curl").args(["--service", "s3", "-T"]).arg(&path).arg(&url)).await;

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
    let gateway = gateway().await;
    let response =
        Response::builder().status(StatusCode::CREATED).header("x-order", "7").body(Bytes::from("made"));
    gateway.respond_with(response.unwrap());

    let output = run(&mut curl(&["-i", &gateway.url()])).await;

    let (head, body) = output.stdout.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 201 Created\r\n") && head.contains("\r\nx-order: 7"), "{head}");
    assert_eq!(body, "made");
}

#[tokio::test]
async fn verbose_shows_what_is_signed_but_no_secret() {
    let gateway = gateway().await;
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
        output.stderr.contains("\n> GET /\n") && output.stderr.contains("\n< HTTP/1.1 200 OK\n"),
        "{}",
        output.stderr
    );
    assert!(output.stderr.contains("\n> x-amz-security-token: IQoJb3Jp… ("), "{}", output.stderr);
}

#[tokio::test]
async fn output_goes_to_a_file() {
    let gateway = gateway().await;
    let path = file("response.json");

    let output = run(curl(&["-o"]).arg(&path).arg(gateway.url())).await;

    assert_eq!((output.code, output.stdout.as_str()), (0, ""), "{}", output.stderr);
    assert_eq!(fs::read_to_string(path).unwrap(), r#"{"message":"ok"}"#);
}

#[tokio::test]
async fn a_wrong_secret_is_refused() {
    let gateway = gateway().await;

    let output = run(curl(&[&gateway.url()]).env("AWS_SECRET_ACCESS_KEY", "another")).await;
    assert_eq!(output.code, 0, "as with curl, a response is a response");
    assert!(output.stdout.contains("signature we calculated does not match"), "{}", output.stdout);

    let output = run(curl(&["--fail", &gateway.url()]).env("AWS_SECRET_ACCESS_KEY", "another")).await;
    assert_eq!((output.code, output.stdout.as_str()), (22, ""));
    assert_eq!(
        output.stderr,
        "sigv4_curl: (22) the server responded with 403 Forbidden (InvalidSignatureException)\n"
    );

    let output = run(curl(&["-fs", &gateway.url()]).env("AWS_SECRET_ACCESS_KEY", "another")).await;
    assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (22, "", ""));

    let output = run(curl(&["-fsS", &gateway.url()]).env("AWS_SECRET_ACCESS_KEY", "another")).await;
    assert!(output.code == 22 && output.stderr.starts_with("sigv4_curl: (22)"), "{}", output.stderr);
}

#[tokio::test]
async fn without_credentials_it_says_how_to_get_some() {
    let gateway = gateway().await;

    let output = run(example("sigv4_curl").arg(gateway.url())).await;
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("AWS_ACCESS_KEY_ID is not set"), "{}", output.stderr);
    assert!(output.stderr.contains("aws configure export-credentials"), "{}", output.stderr);

    let output = run(example("sigv4_curl").env("AWS_PROFILE", "dev").arg(gateway.url())).await;
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("does not read the profile that AWS_PROFILE names"), "{}", output.stderr);
    assert!(output.stderr.contains("aws configure export-credentials"), "{}", output.stderr);
    assert_names_no_library_item(&output.stderr);
    assert!(gateway.requests().is_empty());
}

/// Errors in terms of the program's options: command line, environment, what standard error contains.
#[tokio::test]
async fn errors_name_options() {
    let cases: [Failing; 22] = [
        (&["https://api.example.com/"], &[], &["add --allow-host api.example.com --service NAME "]),
        (
            &["https://api.example.com/"],
            &[("AWS_REGION", "")],
            &["--allow-host api.example.com --service NAME --region NAME "],
        ),
        (
            &["https://api.example.com/", "--service", "execute-api"],
            &[],
            &["add --allow-host api.example.com to the "],
        ),
        (&["https://[fd00::1]/", "--service", "execute-api"], &[], &["add --allow-host [fd00::1] to the "]),
        (&["https://minio/", "--service", "execute-api"], &[], &["add --allow-host minio to the "]),
        (
            &["http://minio.test:9000/", "--service", "execute-api"],
            &[],
            &["add --allow-origin http://minio.test:9000 to the ", "--allow-host minio.test"],
        ),
        (
            &["http://sts.us-east-1.amazonaws.com/"],
            &[],
            &["--allow-origin http://sts.us-east-1.amazonaws.com "],
        ),
        (
            &["https://app.ecs.us-east-1.on.aws/"],
            &[],
            &["--allow-host app.ecs.us-east-1.on.aws --service NAME"],
        ),
        (&["http://127.0.0.1:1/"], &[], &["add --service NAME to the command line"]),
        (&["http://127.0.0.1:1/"], &[("AWS_REGION", "")], &["--service NAME", "--region NAME"]),
        (
            &["http://127.0.0.1:1/", "--service", "execute-api"],
            &[("AWS_REGION", "")],
            &["add --region NAME to the command line"],
        ),
        (
            &["https://bucket.s3.amazonaws.com/"],
            &[("AWS_REGION", "")],
            &["--region NAME", "x-amz-bucket-region"],
        ),
        (&["http://127.0.0.1:1/", "--service", "a b"], &[], &["service", "a b"]),
        (
            &["http://127.0.0.1:1/", "--allow-host", "a b"],
            &[],
            &["as in --allow-host api.example.com", "--allow-origin"],
        ),
        (
            &["http://127.0.0.1:1/", "--allow-origin", "minio"],
            &[],
            &["as in --allow-origin http://minio:9000"],
        ),
        (
            &["https://sts.us-east-1.amazonaws.com/", "-H", "authorization: Basic eA=="],
            &[],
            &["-H", "leave it out"],
        ),
        (
            &["https://sts.us-east-1.amazonaws.com/", "-H", "host: a.example"],
            &[],
            &["Host header", "leave it out"],
        ),
        (
            &[
                "http://127.0.0.1:1/",
                "--service",
                "s3",
                "-H",
                "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            ],
            &[],
            &["leave out x-amz-content-sha256"],
        ),
        (
            &[
                "http://x-0a.7d67968.vpc-lattice-svcs.us-west-2.on.aws/",
                "--allow-origin",
                "http://x-0a.7d67968.vpc-lattice-svcs.us-west-2.on.aws",
            ],
            &[],
            &["use https"],
        ),
        (&["https://sts.us-east-1.amazonaws.com/", "--presign", "0"], &[], &["from 1 to 604800"]),
        (&["https://user:password@sts.us-east-1.amazonaws.com/"], &[], &["userinfo", "remove it"]),
        (
            &["https://sts.us-east-1.amazonaws.com/"],
            &[("AWS_SECRET_ACCESS_KEY", "a\nb")],
            &["secret access key"],
        ),
    ];
    for (arguments, environment, expected) in cases {
        let mut command = with_role("sigv4_curl");
        let output = run(command.envs(environment.iter().copied()).args(arguments)).await;
        assert_eq!(output.code, 1, "{arguments:?}: {}", output.stderr);
        for text in expected {
            assert!(output.stderr.contains(text), "{arguments:?}: {text} is not in {}", output.stderr);
        }
        assert_names_no_library_item(&output.stderr);
    }
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
        let output = run(&mut curl(arguments)).await;
        assert_eq!(output.code, code, "{arguments:?}: {}", output.stderr);
    }
}

#[tokio::test]
async fn a_presigned_url_needs_no_credentials() {
    let gateway = gateway().await;
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
