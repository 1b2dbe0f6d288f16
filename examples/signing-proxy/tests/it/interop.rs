//! The program between a client that cannot sign and the server that wants signatures.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use sigv4_test_support::ministack::{Keys, Ministack, Setup, script};

use crate::program::PROGRAM;

/// The built example; ends when dropped.
struct Proxy {
    child: Child,
    url: String,
}

impl Proxy {
    /// With the keys of the assumed role.
    fn start(setup: &Setup, service: &str) -> Self {
        Self::with_keys(setup, service, &setup.session, &[])
    }

    fn with_keys(setup: &Setup, service: &str, keys: &Keys, arguments: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command
            .args(["--listen", "127.0.0.1:0", "--upstream", &setup.endpoint, "--service", service])
            .args(arguments)
            .env_clear()
            .env("AWS_ACCESS_KEY_ID", &keys.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &keys.secret_access_key)
            .env("AWS_REGION", &setup.region)
            .env("AWS_ENDPOINT_URL_STS", &setup.endpoint);
        if let Some(token) = &keys.session_token {
            command.env("AWS_SESSION_TOKEN", token);
        }
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        stdout.read_line(&mut line).expect("it says where it listens");
        let url = line.trim_end().strip_prefix("listening on ").expect("it listens").to_owned();
        Self { child, url }
    }

    /// What botocore, or Python's own client, gets through it.
    fn call(&self, at: &Value) -> Value {
        let mut at = at.clone();
        at["proxy"] = self.url.as_str().into();
        let mut command = script("through_proxy.py").expect("ministack runs, so there is a python");
        let output = command.arg(at.to_string()).output().expect("python starts");
        let said = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(&said).unwrap_or_else(|_| panic!("through_proxy.py: {}, {said}", output.status))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn botocore_unsigned_uses_s3() {
    let Some(ministack) = Ministack::shared() else { return };
    let proxy = Proxy::start(&ministack.setup, "s3");
    let said = proxy.call(&json!({"bucket": ministack.setup.bucket, "region": ministack.setup.region}));
    let expected = json!({
        "same": true,
        "type": "text/x-proxied",
        "metadata": {"made-by": "botocore"},
        "listed": [true],
        "deleted": "NoSuchKey",
    });
    assert_eq!(said, expected);
}

#[test]
fn an_unsigned_client_calls_an_api() {
    let Some(ministack) = Ministack::shared() else { return };
    let proxy = Proxy::start(&ministack.setup, "execute-api");
    let path = ministack.setup.api_url.strip_prefix(&ministack.setup.endpoint).expect("it is below");
    let said = proxy.call(&json!({"api_path": path}));
    assert_eq!((&said["status"], &said["seen"]["method"]), (&200.into(), &"POST".into()));
    assert_eq!(said["seen"]["body"], r#"{"n": 1}"#);
    assert_eq!(said["seen"]["headers"]["content-type"], "application/json");
}

/// The user's own keys may do nothing but assume the role.
#[test]
fn a_role_is_assumed() {
    let Some(ministack) = Ministack::shared() else { return };
    let setup = &ministack.setup;
    let role = ["--role-arn", &setup.role_arn, "--role-session-name", "interop"];
    let path = setup.api_url.strip_prefix(&setup.endpoint).expect("it is below");
    let proxy = Proxy::with_keys(setup, "execute-api", &setup.assumer, &role);
    assert_eq!(proxy.call(&json!({"api_path": path}))["status"], 200);
}

#[tokio::test]
async fn an_upload_to_s3_is_streamed_in_signed_chunks() {
    let Some(ministack) = Ministack::shared() else { return };
    let setup = &ministack.setup;
    // Far less memory than the body takes.
    let arguments = ["--payload", "aws-chunked", "--body-limit", "1000", "--max-buffered", "1000"];
    let proxy = Proxy::with_keys(setup, "s3", &setup.session, &arguments);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/{}/streamed", proxy.url, setup.bucket);
    let body: Vec<u8> = (0..1_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let put = client.put(&url).body(body.clone()).header("x-amz-meta-by", "the proxy").send().await.unwrap();
    assert_eq!(put.status(), 200, "{}", put.text().await.unwrap());
    let got = client.get(&url).send().await.unwrap();
    assert_eq!(got.headers()["x-amz-meta-by"], "the proxy");
    assert!(got.bytes().await.unwrap() == body);
}
