//! Where credentials come from: each source of the default chain, a profile that is named, and a role.

use std::fs;
use std::path::PathBuf;

use serde_json::json;
use sigv4_test_support::{KEY, REGION, SECRET, TOKEN, gateway, run, run_with_input, temporary_file};
use tokio::process::Command;

use crate::recorder::Recorder;
use crate::{bare, with_role};

/// The gateway's keys as STS returns them.
fn sts_response(call: &str) -> String {
    format!(
        "<{call}Response><{call}Result><Credentials><AccessKeyId>{KEY}</AccessKeyId>\
         <SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>{TOKEN}</SessionToken>\
         <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></{call}Result></{call}Response>"
    )
}

/// A home with these files in `.aws`.
fn home(files: &[(&str, &str)]) -> PathBuf {
    let home = temporary_file("home");
    for (name, content) in files {
        let path = home.join(".aws").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    home
}

fn at_home(mut command: Command, home: &PathBuf) -> Command {
    command.env("HOME", home).env_remove("AWS_CONFIG_FILE").env_remove("AWS_SHARED_CREDENTIALS_FILE");
    command
}

/// Fails unless the gateway, which knows the role's keys alone, accepts the request.
async fn assert_accepted(mut command: Command, input: &[u8]) -> String {
    let gateway = gateway("execute-api").await;
    command.args(["-sS", "-f", "--service", "execute-api", &gateway.url()]);
    let output = run_with_input(&mut command, input).await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(gateway.requests().len(), 1);
    output.stderr
}

/// Fails unless the doctor says that the credentials were found like this, and how long they live if they expire.
async fn assert_found_by_doctor(mut command: Command, how: &str) {
    let arguments = ["doctor", "--json", "--sts-endpoint", "http://127.0.0.1:1", "http://127.0.0.1:1/"];
    let output = run(command.args(arguments)).await;
    let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    let step = &report["steps"][0];
    assert_eq!(
        (step["name"].as_str(), step["status"].as_str()),
        (Some("credentials"), Some("passed")),
        "{report:#}"
    );
    assert!(step["found"][0].as_str().unwrap().ends_with(&format!(": {how}")), "{report:#}");
}

#[tokio::test]
async fn a_profile() {
    let keys =
        format!("aws_access_key_id={KEY}\naws_secret_access_key={SECRET}\naws_session_token={TOKEN}\n");
    let home = home(&[
        ("config", &format!("[default]\nregion={REGION}\n[profile orders]\nregion={REGION}\n")),
        ("credentials", &format!("[default]\n{keys}[orders]\n{keys}")),
    ]);
    assert_accepted(at_home(bare(), &home), b"").await;
    let mut command = at_home(bare(), &home);
    command.env("AWS_PROFILE", "orders");
    assert_accepted(command, b"").await;
    // Before the environment's keys.
    let mut command = at_home(bare(), &home);
    command
        .args(["--profile", "orders"])
        .env("AWS_ACCESS_KEY_ID", "AKIAOTHER")
        .env("AWS_SECRET_ACCESS_KEY", "x");
    assert_accepted(command, b"").await;

    let output =
        run(at_home(bare(), &home).args(["--profile", "typo", "--service", "s3", "http://127.0.0.1:1/"]))
            .await;
    assert_eq!(output.code, 94);
    assert!(output.stderr.contains("typo"), "{}", output.stderr);
}

#[tokio::test]
async fn a_process() {
    let keys = json!({"Version": 1, "AccessKeyId": KEY, "SecretAccessKey": SECRET, "SessionToken": TOKEN});
    let script = temporary_file("keys.sh");
    fs::write(&script, format!("echo '{keys}'")).unwrap();
    let config = format!("[default]\nregion={REGION}\ncredential_process=/bin/sh {}\n", script.display());
    let home = home(&[("config", &config)]);
    assert_accepted(at_home(bare(), &home), b"").await;
    assert_found_by_doctor(at_home(bare(), &home), "a process").await;
}

#[tokio::test]
async fn a_container() {
    let keys = json!({
        "AccessKeyId": KEY, "SecretAccessKey": SECRET, "Token": TOKEN, "Expiration": "2099-01-01T00:00:00Z",
    });
    let endpoint = Recorder::responding("200 OK", &keys.to_string()).await;
    let command = || {
        let mut command = bare();
        command
            .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/keys", endpoint.url))
            .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Bearer pod")
            .env("AWS_REGION", REGION);
        command
    };
    assert_accepted(command(), b"").await;
    assert_found_by_doctor(command(), "a container's endpoint").await;
    assert_eq!(endpoint.take()[0].header("authorization"), Some("Bearer pod"));
}

#[tokio::test]
async fn a_web_identity() {
    let sts = Recorder::responding("200 OK", &sts_response("AssumeRoleWithWebIdentity")).await;
    let token = temporary_file("token");
    fs::write(&token, "a.web.identity").unwrap();
    let mut command = bare();
    command
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", token)
        .env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/pod")
        .env("AWS_ENDPOINT_URL_STS", &sts.url)
        .env("AWS_REGION", REGION);
    assert_accepted(command, b"").await;
    let body = String::from_utf8(sts.take()[0].body.clone()).unwrap();
    assert!(body.contains("WebIdentityToken=a.web.identity"), "{body}");
}

#[tokio::test]
async fn single_sign_on() {
    let keys = json!({"roleCredentials": {
        "accessKeyId": KEY, "secretAccessKey": SECRET, "sessionToken": TOKEN, "expiration": 4_070_908_800_000_i64,
    }});
    let portal = Recorder::responding("200 OK", &keys.to_string()).await;
    let config = format!(
        "[profile sso]\nregion={REGION}\nsso_session=company\nsso_account_id=123456789012\nsso_role_name=caller\n\
         [sso-session company]\nsso_region={REGION}\nsso_start_url=https://company.example/start\n"
    );
    let cached = json!({
        "accessToken": "sso-token", "expiresAt": "2099-01-01T00:00:00Z", "region": REGION,
        "startUrl": "https://company.example/start",
    });
    // The name is the SHA-1 of "company".
    let name = "sso/cache/71b21161ffa1e6516bcc072aaf5ef38cbe85b511.json";
    let home = home(&[("config", &config), (name, &cached.to_string())]);
    let mut command = at_home(bare(), &home);
    command.args(["--profile", "sso"]).env("AWS_ENDPOINT_URL", &portal.url);
    assert_accepted(command, b"").await;
    let request = portal.take().remove(0);
    assert!(request.line.contains("/federation/credentials?"), "{}", request.line);
    assert_eq!(request.header("x-amz-sso_bearer_token"), Some("sso-token"));
}

#[tokio::test]
async fn a_role_with_an_external_id() {
    let sts = Recorder::responding("200 OK", &sts_response("AssumeRole")).await;
    let arn = "arn:aws:iam::123456789012:role/caller";
    let mut command = with_role();
    command.args(["--role-arn", arn, "--external-id", "ext/1", "--role-session-name", "me"]);
    command.env("AWS_ENDPOINT_URL_STS", &sts.url).env("AWS_ACCESS_KEY_ID", "AKIASOURCE");
    assert_accepted(command, b"").await;
    let request = sts.take().remove(0);
    let body = String::from_utf8(request.body.clone()).unwrap();
    for text in ["Action=AssumeRole&", "RoleArn=arn%3Aaws%3Aiam", "ExternalId=ext%2F1", "RoleSessionName=me"]
    {
        assert!(body.contains(text), "{body}");
    }
    assert!(request.header("authorization").unwrap().contains("Credential=AKIASOURCE/"));
}

#[tokio::test]
async fn a_role_with_mfa() {
    let sts = Recorder::responding("200 OK", &sts_response("AssumeRole")).await;
    let role = ["--role-arn", "arn:aws:iam::123456789012:role/caller"];
    let mfa = ["--mfa-serial", "arn:aws:iam::123456789012:mfa/me"];
    let command = |more: &[&str]| {
        let mut command = with_role();
        command.args(role).args(mfa).args(more).env("AWS_ENDPOINT_URL_STS", &sts.url);
        command
    };
    let stderr = assert_accepted(command(&[]), b"123456\n").await;
    assert!(stderr.contains("MFA code for arn:aws:iam::123456789012:mfa/me: "), "{stderr}");
    let stderr = assert_accepted(command(&["--mfa-code", "654321"]), b"").await;
    assert_eq!(stderr, "");
    let bodies: Vec<_> =
        sts.take().into_iter().map(|request| String::from_utf8(request.body).unwrap()).collect();
    for (body, code) in bodies.iter().zip(["123456", "654321"]) {
        assert!(
            body.contains("SerialNumber=arn%3Aaws") && body.contains(&format!("TokenCode={code}")),
            "{body}"
        );
    }

    let gateway = gateway("execute-api").await;
    let mut doctor = with_role();
    doctor.arg("doctor").args(role).args(mfa).args([
        "--mfa-code",
        "1",
        "--service",
        "execute-api",
        &gateway.url(),
    ]);
    let output = run(doctor.env("AWS_ENDPOINT_URL_STS", &sts.url)).await;
    assert_eq!(output.code, 0, "{}", output.stdout);
    let assumed = sts.take().iter().filter(|request| request.body.starts_with(b"Action=AssumeRole")).count();
    assert_eq!(assumed, 1, "a code is good for one call");

    // The standard input is one of the two.
    let output =
        run_with_input(command(&["-d", "@-", "http://127.0.0.1:1/"]).arg("--service=s3"), b"123456\n").await;
    assert_eq!(output.code, 2);
    assert!(output.stderr.contains("--mfa-code"), "{}", output.stderr);
    let output = run(command(&["http://127.0.0.1:1/"]).arg("--service=s3")).await;
    assert_eq!(output.code, 94);
    assert!(output.stderr.contains("no MFA code was given"), "{}", output.stderr);
}

#[tokio::test]
async fn a_role_that_may_not_be_assumed() {
    let refusal = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: me is not authorized \
                   to perform: sts:AssumeRole</Message></Error><RequestId>1</RequestId></ErrorResponse>";
    let sts = Recorder::responding("403 Forbidden", refusal).await;
    let mut command = with_role();
    command.args(["--role-arn", "arn:aws:iam::1:role/r", "--service", "s3", "http://127.0.0.1:1/"]);
    let output = run(command.env("AWS_ENDPOINT_URL_STS", &sts.url)).await;
    assert_eq!(output.code, 94);
    for text in ["arn:aws:iam::1:role/r cannot be assumed", "not authorized to perform: sts:AssumeRole"] {
        assert!(output.stderr.contains(text), "{}", output.stderr);
    }
}

#[tokio::test]
async fn a_secret_that_is_missing_is_named() {
    let mut command = at_home(bare(), &home(&[]));
    command.env("AWS_ACCESS_KEY_ID", KEY).args(["--service", "s3", "--region", "x", "http://127.0.0.1:1/"]);
    let output = run(&mut command).await;
    assert_eq!(output.code, 94, "{output:?}");
    assert!(
        output.stderr.contains("AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not"),
        "{}",
        output.stderr
    );
}
