//! `doctor` against gateways that are wrong in one way each: it says what to change, and that makes the request pass.

use serde_json::Value;
use sigv4_middleware::{Credentials, IamGateway};
use sigv4_test_support::tls::{TlsFront, root_certificate_pem};
use sigv4_test_support::{KEY, REGION, SECRET, TOKEN, gateway, run, temporary_file};

use crate::between::rewriting;
use crate::recorder::Recorder;
use crate::with_role;

/// A command line and its environment, and what is right for both.
struct Patient {
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

impl Patient {
    /// With the role's keys, and the service that cannot be inferred from a loopback address.
    fn new(arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self { arguments, environment: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// The report as JSON, and the exit code.
    async fn examine(&self) -> (Value, i32) {
        let mut command = with_role();
        // Nobody who could be asked whose the keys are.
        command.env("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1");
        command.arg("doctor").arg("--json").args(&self.arguments).envs(self.environment.iter().cloned());
        let output = run(&mut command).await;
        let report = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        assert!(!output.stdout.contains(SECRET) && !output.stdout.contains(TOKEN), "{}", output.stdout);
        (report, output.code)
    }

    /// Does what the report says.
    fn follow(&mut self, change: &Value) {
        let texts = |name: &str| -> Vec<String> {
            change[name].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        for option in texts("remove") {
            let (name, value) = option.split_once(' ').unwrap_or((&option, ""));
            let is_meant = |pair: &[String]| {
                pair[0] == name && pair[1].to_lowercase().starts_with(&value.to_lowercase())
            };
            let at = self.arguments.windows(2).position(is_meant).unwrap();
            self.arguments.drain(at..at + 2);
        }
        let ca = temporary_file("ca.pem");
        for text in texts("add") {
            self.arguments.push(if text == "FILE" {
                std::fs::write(&ca, root_certificate_pem()).unwrap();
                ca.display().to_string()
            } else {
                text
            });
        }
        for name in texts("environment") {
            let right =
                [("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", SECRET), ("AWS_SESSION_TOKEN", TOKEN)];
            let (name, value) = right.into_iter().find(|(right, _)| *right == name).unwrap();
            self.environment.retain(|(set, _)| *set != name);
            self.environment.push((name, value.to_owned()));
        }
    }
}

/// Fails unless the doctor finds this, in these words, and following it leads to a request that is accepted.
async fn assert_cured(
    name: &str,
    mut patient: Patient,
    exit_code: i32,
    words: &[&str],
    by_hand: impl AsyncFn(),
) {
    let (report, code) = patient.examine().await;
    let change = &report["change"];
    assert_eq!(code, exit_code, "{name}: {report:#}");
    for word in words {
        assert!(
            change["text"].as_str().unwrap_or_default().contains(word),
            "{name}: {word} is not in {report:#}"
        );
    }
    patient.follow(change);
    by_hand().await;
    let (report, code) = patient.examine().await;
    assert_eq!((code, report["verdict"].as_str()), (0, Some("accepted")), "{name}: {report:#}");
}

/// Nothing to do besides what the report says a program could do.
async fn nothing() {}

#[tokio::test]
async fn nothing_is_wrong() {
    let gateway = gateway("execute-api").await;
    let (report, code) = Patient::new(&["--service", "execute-api", &gateway.url()]).examine().await;
    assert_eq!((code, &report["change"]), (0, &Value::Null), "{report:#}");
    let names: Vec<_> =
        report["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect();
    let expected =
        ["credentials", "identity", "host", "DNS", "connection", "clock", "unsigned call", "signed call"];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn wrong_service_and_region() {
    let gateway = gateway("execute-api").await;
    let url = gateway.url();
    let service = Patient::new(&["--service", "s3", &url]);
    assert_cured("service", service, 11, &["--service execute-api"], nothing).await;
    let none = Patient::new(&[&url]);
    assert_cured("no service", none, 11, &["--service execute-api"], nothing).await;
    let region = Patient::new(&["--region", "us-east-1", "--service", "execute-api", &url]);
    assert_cured("region", region, 11, &["leave out --region"], nothing).await;

    let lambda =
        IamGateway::builder().credentials(sigv4_test_support::role()).region(REGION).service("lambda");
    let lambda = lambda.start().await.unwrap();
    assert_cured("no service", Patient::new(&[&lambda.url()]), 11, &["--service lambda"], nothing).await;
}

#[tokio::test]
async fn wrong_credentials() {
    let gateway = gateway("execute-api").await;
    let url = gateway.url();
    let patient = || Patient::new(&["--service", "execute-api", &url]);
    let secret = patient().with("AWS_SECRET_ACCESS_KEY", "another");
    assert_cured("secret", secret, 10, &["set AWS_SECRET_ACCESS_KEY"], nothing).await;
    let unknown = patient().with("AWS_ACCESS_KEY_ID", "AKIDUNKNOWN");
    assert_cured("unknown key", unknown, 10, &["AWS_ACCESS_KEY_ID"], nothing).await;
    let token = patient().with("AWS_SESSION_TOKEN", "another");
    assert_cured("token", token, 10, &["AWS_SESSION_TOKEN"], nothing).await;
    let no_token = patient().with("AWS_ACCESS_KEY_ID", "ASIAUNKNOWN").with("AWS_SESSION_TOKEN", "");
    let (report, code) = no_token.examine().await;
    assert_eq!((code, report["verdict"].as_str()), (10, Some("credentials")), "{report:#}");
    assert_eq!(report["change"]["environment"][0], "AWS_SESSION_TOKEN", "{report:#}");

    gateway.expire(KEY);
    let renewed = async || gateway.add_credentials(sigv4_test_support::role());
    assert_cured("expired token", patient(), 10, &["AWS_SESSION_TOKEN"], renewed).await;
    gateway.deny(KEY);
    assert_cured("denied", patient(), 15, &["allow "], renewed).await;
}

#[tokio::test]
async fn no_credentials_at_all() {
    let gateway = gateway("execute-api").await;
    let patient = Patient::new(&["--service", "execute-api", &gateway.url()])
        .with("AWS_ACCESS_KEY_ID", "")
        .with("AWS_SECRET_ACCESS_KEY", "");
    let (report, code) = patient.examine().await;
    assert_eq!(code, 10, "{report:#}");
    assert!(report["change"]["text"].as_str().unwrap().contains("aws sso login"), "{report:#}");
    assert!(gateway.requests().iter().all(|request| request.header("authorization").is_none()));
}

#[tokio::test]
async fn a_host_that_is_not_allowed() {
    let gateway = gateway("execute-api").await;
    let port = gateway.addr().port();
    let (url, resolve) = (format!("http://gateway.test:{port}/"), format!("gateway.test:{port}:127.0.0.1"));
    let patient = Patient::new(&["--service", "execute-api", "--resolve", &resolve, &url]);
    let words = [format!("--allow-origin http://gateway.test:{port}")];
    assert_cured("origin", patient, 11, &words.each_ref().map(String::as_str), nothing).await;
}

#[tokio::test]
async fn an_authority_that_is_not_trusted() {
    let gateway = gateway("execute-api").await;
    let front = TlsFront::before(gateway.addr()).await;
    let url = format!("https://localhost:{}/", front.addr().port());
    let patient = Patient::new(&["--service", "execute-api", &url]);
    assert_cured("authority", patient, 12, &["--cacert FILE"], nothing).await;

    let plain = Patient::new(&["--service", "execute-api", &gateway.url().replace("http:", "https:")]);
    let (report, code) = plain.examine().await;
    assert_eq!(code, 12, "{report:#}");
    assert!(report["change"]["text"].as_str().unwrap().contains("write http://"), "{report:#}");
}

#[tokio::test]
async fn a_wrong_clock() {
    let gateway = gateway("execute-api").await;
    gateway.set_clock_offset(7200);
    let patient = Patient::new(&["--service", "execute-api", &gateway.url()]);
    let set = async || gateway.set_clock_offset(0);
    assert_cured("clock", patient, 13, &["set this machine's clock", "s behind the server's"], set).await;
}

#[tokio::test]
async fn a_proxy_that_changes_requests() {
    let gateway = gateway("execute-api").await;
    let host = rewriting(gateway.addr(), |line| match line.to_ascii_lowercase().starts_with("host:") {
        true => "host: internal.example".to_owned(),
        false => line.to_owned(),
    });
    let patient = Patient::new(&["--service", "execute-api", &host.await]);
    assert_cured("host", patient, 14, &["Host: internal.example", "--allow-host-mismatch"], nothing).await;

    let dropped =
        rewriting(gateway.addr(), |line| match line.to_ascii_lowercase().starts_with("x-amz-meta-a:") {
            true => String::new(),
            false => line.to_owned(),
        });
    let patient = Patient::new(&["-H", "x-amz-meta-a: 1", "--service", "execute-api", &dropped.await]);
    assert_cured("dropped", patient, 14, &["leave out -H x-amz-meta-a"], nothing).await;

    let altered =
        rewriting(gateway.addr(), |line| match line.to_ascii_lowercase().starts_with("content-type:") {
            true => format!("{line}; charset=utf-8"),
            false => line.to_owned(),
        });
    let patient =
        Patient::new(&["-H", "content-type: text/plain", "--service", "execute-api", &altered.await]);
    let (report, code) = patient.examine().await;
    assert_eq!(code, 14, "{report:#}");
    assert!(report["diagnosis"]["causes"][0] == "signature-mismatch-content-type", "{report:#}");
}

#[tokio::test]
async fn an_authorization_header_of_another_kind() {
    let gateway = gateway("execute-api").await;
    let patient =
        Patient::new(&["-H", "authorization: Basic eA==", "--service", "execute-api", &gateway.url()]);
    assert_cured("authorization", patient, 11, &["--replace-authorization"], nothing).await;
}

/// As a person sees it: a line for each step, a verdict, the change; no colors, as there is no terminal. README.md shows it.
#[tokio::test]
async fn the_report_is_readable() {
    let gateway = gateway("execute-api").await;
    let sts = "<GetCallerIdentityResponse><GetCallerIdentityResult>\
               <Arn>arn:aws:sts::123456789012:assumed-role/caller/me</Arn><UserId>u</UserId><Account>1</Account>\
               </GetCallerIdentityResult></GetCallerIdentityResponse>";
    let sts = crate::recorder::Recorder::responding("200 OK", sts).await;
    let url = format!("{}/prod/orders", gateway.url());
    let mut command = with_role();
    command.args(["doctor", "--service", "s3", "--sts-endpoint", &sts.url, &format!("{url}?key=secret")]);
    let output = run(&mut command).await;
    assert_eq!(output.code, 11, "{output:?}");
    assert!(!output.stdout.contains('\x1b') && !output.stdout.contains("key=secret"), "{}", output.stdout);

    let id = gateway.requests().pop().unwrap();
    let day = id.header("x-amz-date").unwrap()[..8].to_owned();
    let is_measured = |line: &str| line.contains("x-amzn-requestid") || line.starts_with("ok    connection ");
    let shown =
        |text: &str| text.lines().filter(|line| !is_measured(line)).map(str::to_owned).collect::<Vec<_>>();
    let text = output.stdout.replace(&gateway.addr().to_string(), "127.0.0.1:8080").replace(&day, "20261125");
    let readme = include_str!("../../README.md");
    let (_, readme) = readme.split_once("Against a gateway of another service:\n\n```text\n").unwrap();
    let (readme, _) = readme.split_once("```\n").unwrap();
    assert_eq!(shown(&text), shown(readme), "{text}");
}

#[tokio::test]
async fn other_keys_pass() {
    let gateway = IamGateway::start(Credentials::new("AKIAX", "y", None, None, "test")).await.unwrap();
    let patient = Patient::new(&[
        "-X",
        "POST",
        "-d",
        "x",
        "--region",
        "us-east-1",
        "--service",
        "execute-api",
        &gateway.url(),
    ])
    .with("AWS_ACCESS_KEY_ID", "AKIAX")
    .with("AWS_SECRET_ACCESS_KEY", "y")
    .with("AWS_SESSION_TOKEN", "");
    let (report, code) = patient.examine().await;
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(gateway.requests().len(), 1, "a POST is made once");
}

/// STS or the server itself may be anybody's: what they say is shown on a terminal.
#[tokio::test]
async fn no_control_character_of_a_server_reaches_the_terminal() {
    let evil = "\u{9b}31m\u{202e}\u{1b}[2J";
    let sts = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Code>A{evil}</Code><Message>{evil}\
         </Message></Error></ErrorResponse>"
    );
    let sts = Recorder::responding("403 Forbidden", &sts).await;
    let server = Recorder::responding(
        &format!("403 Forbidden\r\nX-Amzn-RequestId: 1\r\nX-Other: {}", "\u{9b}31m"),
        &format!("<Error><Code>A{evil}</Code><Message>User: arn:{evil} is not authorized to perform: s3:{evil} on resource: {evil}</Message></Error>"),
    )
    .await;
    let arguments = ["--service", "execute-api", &server.url];
    for output in [
        run(with_role().args(["doctor", "--sts-endpoint", &sts.url]).args(arguments)).await,
        run(with_role().arg("-v").args(arguments)).await,
    ] {
        let shown = format!(
            "{}{}",
            output.stderr,
            if output.stdout.contains("verdict") { &output.stdout } else { "" }
        );
        assert!(shown.contains("not authorized"), "{shown}");
        let is_harmful =
            |character: char| character == '\u{202e}' || (character.is_control() && character != '\n');
        assert!(!shown.contains(is_harmful), "{shown:?}");
    }
}

#[tokio::test]
async fn a_wrong_command_line_is_told_the_whole_command() {
    let output = run(with_role().arg("doctor")).await;
    assert_eq!(output.code, 2, "{output:?}");
    assert!(output.stderr.contains("Usage: sigv4-curl doctor "), "{}", output.stderr);
}
