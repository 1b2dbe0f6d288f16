//! Nine requests as people make them: signed the same by botocore and awscrt, and accepted by ministack. The servers and
//! signers are those of tests/it/interop; without Python these tests are skipped.

use std::fs;

use serde_json::{Value, json};
use sigv4_test_support::ministack::{Keys, Ministack, crosscheck};
use sigv4_test_support::{run, temporary_file};
use tokio::process::Command;

use crate::recorder::{Recorder, Request};
use crate::without_sources;

/// One request: its service, what comes after the service's URL, and the options.
type Case = (&'static str, &'static str, Vec<String>);

fn cases() -> Vec<Case> {
    let file = temporary_file("report 1.txt");
    fs::write(&file, "a report\r\n").unwrap();
    let [file, at_file] = [file.display().to_string(), format!("@{}", file.display())];
    let options = |options: &[&str]| options.iter().map(|&option| option.to_owned()).collect::<Vec<_>>();
    vec![
        ("execute-api", "/items?b=2&a=1&a=0", options(&[])),
        ("execute-api", "/items?q=x%20y&z=%2F*'()&e", options(&["-G", "--data-urlencode", "n=ü &+"])),
        ("execute-api", "/a b/ü/(x)", options(&["-X", "DELETE", "-H", "x-amz-meta-a:  two   spaces "])),
        ("execute-api", "/items", options(&["--json", "{\"order\": 1}"])),
        ("execute-api", "/items", options(&["-F", "a=1", "-F", &format!("f={at_file}")])),
        (
            "execute-api",
            "/items",
            options(&["-d", "a=1", "-d", "b=2", "-H", "content-type: text/plain; charset=utf-8"]),
        ),
        ("s3", "/a b+c/ü.txt", options(&["-T", &file, "-H", "x-amz-meta-made-by: sigv4-curl"])),
        ("s3", "/a b+c/ü.txt", options(&[])),
        ("s3", "?list-type=2&prefix=a%20b%2B", options(&[])),
    ]
}

fn command(keys: &Keys, region: &str, service: &str, options: &[String], url: &str) -> Command {
    let mut command = sigv4_test_support::program(crate::PROGRAM);
    without_sources(&mut command);
    command
        .args(["-sS", "-f", "--service", service])
        .args(options)
        .arg(url)
        .env("AWS_ACCESS_KEY_ID", &keys.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &keys.secret_access_key)
        .env("AWS_SESSION_TOKEN", keys.session_token.as_deref().unwrap_or_default())
        .env("AWS_REGION", region);
    command
}

#[tokio::test]
async fn ministack_accepts_nine_requests() {
    let Some(ministack) = tokio::task::spawn_blocking(Ministack::shared).await.unwrap() else { return };
    let setup = &ministack.setup;
    let mut accepted = 0;
    for keys in [&setup.user, &setup.session] {
        for (service, target, options) in cases() {
            let base = if service == "s3" {
                format!("{}/{}", setup.endpoint, setup.bucket)
            } else {
                setup.api_url.clone()
            };
            let url = format!("{base}{target}");
            let output = run(&mut command(keys, &setup.region, service, &options, &url)).await;
            assert_eq!(output.code, 0, "{service} {target} {options:?}: {} {}", output.stdout, output.stderr);
            accepted += 1;
            // The same with another secret is refused.
            let wrong = Keys { secret_access_key: "wrong".to_owned(), ..keys.clone() };
            let output = run(&mut command(&wrong, &setup.region, service, &options, &url)).await;
            assert_eq!(output.code, 22, "{service} {target} {options:?}");
            assert!(output.stderr.contains("403"), "{}", output.stderr);
        }
    }
    assert_eq!(accepted, 18);
}

#[tokio::test]
async fn botocore_and_awscrt_sign_nine_requests_alike() {
    let recorder = Recorder::start().await;
    let keys = Keys {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
        session_token: Some("a/session+token==".to_owned()),
    };
    let (mut lines, mut signatures) = (Vec::new(), Vec::new());
    for (service, target, options) in cases() {
        let output =
            run(&mut command(&keys, "eu-central-1", service, &options, &format!("{}{target}", recorder.url)))
                .await;
        assert_eq!(output.code, 0, "{}", output.stderr);
        let request = recorder.take().remove(0);
        let (line, signature) = to_check(&keys, service, &request);
        lines.push(line);
        signatures.push(signature);
    }
    assert_eq!(lines.len(), 9);
    let checking = lines.clone();
    let Some(responses) = tokio::task::spawn_blocking(move || crosscheck(&checking)).await.unwrap() else {
        return;
    };
    for ((line, signature), response) in lines.iter().zip(&signatures).zip(&responses) {
        assert_eq!(response, &json!({"botocore": signature, "awscrt": signature}), "{line}");
    }
}

/// The request as `crosscheck.py` reads it, and its signature.
fn to_check(keys: &Keys, service: &str, request: &Request) -> (Value, String) {
    let authorization = request.header("authorization").unwrap();
    let part = |name: &str| {
        authorization.split(&format!("{name}=")).nth(1).unwrap().split(',').next().unwrap().to_owned()
    };
    let mut words = request.line.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let is_s3 = service == "s3";
    let line = json!({
        "service": service,
        "region": "eu-central-1",
        "date": request.header("x-amz-date").unwrap(),
        "credentials": {
            "access_key_id": keys.access_key_id,
            "secret_access_key": keys.secret_access_key,
            "session_token": keys.session_token,
        },
        "method": method,
        "target": target,
        "headers": request.headers,
        "body_b64": base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &request.body),
        "signed_headers": part("SignedHeaders").split(';').collect::<Vec<_>>(),
        "signature": part("Signature"),
        "config": {"double_uri_encode": !is_s3, "normalize_path": !is_s3, "payload": "sha256"},
    });
    (line, part("Signature"))
}
