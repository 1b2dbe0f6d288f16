//! Each token, byte for byte as botocore makes it: as recorded in `vectors.jsonl`, and of random arguments where a python
//! with botocore is there. And the program, run.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use aws_smithy_async::time::StaticTimeSource;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sigv4_middleware::{Credentials, Signer, SignerBuilder};
use sigv4_test_support::{SECRET, TOKEN, assert_names_no_library_item, run, with_role};

/// A case as `by_botocore.py` takes it, and made here.
async fn token(case: &Value) -> String {
    let text = |name: &str| case[name].as_str().unwrap_or_else(|| panic!("{name} of {case}"));
    let region = text("region");
    let signer = || signer(case).region(region.to_owned());
    let made = match text("token") {
        "rds" => {
            let port = case["port"].as_u64().unwrap().try_into().unwrap();
            tokens::rds(signer(), text("host"), port, text("user")).await
        }
        "dsql" => tokens::dsql(signer(), text("host"), case["admin"] == true).await,
        "elasticache" => {
            tokens::elasticache(signer(), text("cache"), text("user"), case["serverless"] == true).await
        }
        "memorydb" => tokens::memorydb(signer(), text("cluster"), text("user")).await,
        "eks" => tokens::eks(signer(), region, text("cluster")).await,
        "msk" => tokens::msk(signer(), region, text("client")).await,
        "vault" => {
            let login = tokens::vault(signer(), region, "role", case["server_id"].as_str()).await.unwrap();
            let headers = BASE64_STANDARD.decode(login["iam_request_headers"].as_str().unwrap()).unwrap();
            let headers: Value = serde_json::from_slice(&headers).unwrap();
            Ok(headers["authorization"][0].as_str().unwrap().to_owned())
        }
        other => panic!("{other}"),
    };
    made.unwrap()
}

fn signer(case: &Value) -> SignerBuilder {
    let credential = |at: usize| case["credentials"][at].as_str().map(str::to_owned);
    let credentials =
        Credentials::new(credential(0).unwrap(), credential(1).unwrap(), credential(2), None, "test");
    let time = UNIX_EPOCH + Duration::from_secs(case["time"].as_u64().unwrap());
    Signer::builder().credentials(credentials).time_source(StaticTimeSource::new(time))
}

#[tokio::test]
async fn tokens_are_those_that_botocore_made() {
    let vectors = include_str!("vectors.jsonl").lines();
    let mut seen = Vec::new();
    for vector in vectors {
        let vector: Value = serde_json::from_str(vector).unwrap();
        assert_eq!(token(&vector).await, vector["expected"], "{vector}");
        seen.push(vector["token"].as_str().unwrap().to_owned());
    }
    assert_eq!(seen.len(), 28);
    seen.sort();
    seen.dedup();
    assert_eq!(seen, ["dsql", "eks", "elasticache", "memorydb", "msk", "rds", "vault"]);
}

/// Writes the recorded vectors, if `SIGV4_RECORD` names a file for them.
#[tokio::test]
async fn tokens_are_those_that_botocore_makes() {
    let Some(python) = std::env::var_os("SIGV4_INTEROP_PYTHON") else {
        let required = std::env::var_os("SIGV4_INTEROP_REQUIRED").is_some_and(|value| !value.is_empty());
        assert!(!required, "SIGV4_INTEROP_REQUIRED is set and SIGV4_INTEROP_PYTHON is not");
        writeln!(std::io::stderr(), "skipped: tokens by botocore; set SIGV4_INTEROP_PYTHON").unwrap();
        return;
    };
    let record = std::env::var_os("SIGV4_RECORD");
    let mut random = fastrand::Rng::with_seed(if record.is_some() { 28 } else { 13 });
    let cases = cases(&mut random, if record.is_some() { 4 } else { 12 });

    let mut botocore = Command::new(python);
    botocore
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/by_botocore.py"))
        .env("AWS_CONFIG_FILE", "/dev/null");
    let lines: Vec<_> = cases.iter().map(|case| format!("{case}\n")).collect();
    let output = with_input(&mut botocore, &lines.concat());
    assert!(output.status.success());
    let expected: Vec<_> = std::str::from_utf8(&output.stdout).unwrap().lines().collect();
    assert_eq!(expected.len(), cases.len());
    for (case, expected) in cases.iter().zip(&expected) {
        assert_eq!(token(case).await, *expected, "{case}");
    }
    if let Some(file) = record {
        let vectors = cases.into_iter().zip(expected).map(|(mut case, expected)| {
            case["expected"] = expected.into();
            format!("{case}\n")
        });
        std::fs::write(file, vectors.collect::<String>()).unwrap();
    }
}

/// Cases of every token, this many of each.
fn cases(random: &mut fastrand::Rng, of_each: usize) -> Vec<Value> {
    let kinds = ["rds", "dsql", "elasticache", "memorydb", "eks", "msk", "vault"];
    kinds.iter().flat_map(|kind| vec![*kind; of_each]).map(|kind| case(random, kind)).collect()
}

fn case(random: &mut fastrand::Rng, kind: &str) -> Value {
    let regions = ["us-east-1", "eu-central-1", "ap-northeast-1", "us-gov-west-1"];
    let region = regions[random.usize(..regions.len())];
    let name: String = (0..random.usize(3..20)).map(|_| random.lowercase()).collect();
    let users = ["app", "jane doe", "o'neil+test@example.com", "größe", "a/b?c&d=e#f", "100%", "~-._"];
    let user = users[random.usize(..users.len())];
    let token = random.bool().then_some("IQoJb3JpZ2luX2VjEXAMPLE//token+with/signs==");
    let mut case = json!({
        "token": kind,
        "region": region,
        "time": random.u64(1_500_000_000..4_000_000_000),
        "credentials": [if token.is_some() { "ASIAEXAMPLE" } else { "AKIAEXAMPLE" }, "secret/+key", token],
    });
    let host = |service: &str| format!("{name}.{service}.{region}.example.com");
    let arguments = match kind {
        "rds" => {
            let host = format!("{name}.cluster-abc123.{region}.rds.amazonaws.com");
            json!({"host": host, "port": random.u16(1024..), "user": user})
        }
        "dsql" => json!({"host": format!("{name}.dsql.{region}.on.aws"), "admin": random.bool()}),
        "elasticache" => json!({"cache": name, "user": user, "serverless": random.bool()}),
        "memorydb" => json!({"cluster": name, "user": user}),
        "eks" => json!({"cluster": name}),
        "msk" => json!({"client": "tokens/1.0 (a b)"}),
        "vault" => json!({"server_id": random.bool().then(|| host("vault"))}),
        other => panic!("{other}"),
    };
    case.as_object_mut().unwrap().extend(arguments.as_object().unwrap().clone());
    case
}

/// The program with a role's credentials, and no region.
fn command(arguments: &[&str]) -> tokio::process::Command {
    let mut command = with_role(env!("CARGO_BIN_EXE_tokens"));
    command.env_remove("AWS_REGION").args(arguments);
    command
}

fn with_input(command: &mut Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[tokio::test]
async fn standard_output_is_the_token_alone() {
    let host = "db.cluster-abc.eu-west-1.rds.amazonaws.com";
    let rds = ["rds", "--host", host, "--user", "app"];
    let output = run(&mut command(&rds)).await;
    let (code, token, explained) = (output.code, output.stdout, output.stderr);
    assert_eq!(code, 0, "{explained}");
    let start = format!("{host}:5432/?Action=connect&DBUser=app&X-Amz-Algorithm=AWS4-HMAC-SHA256&");
    assert!(token.starts_with(&start) && token.ends_with('\n') && token.lines().count() == 1, "{token}");
    assert!(
        token.contains("%2Feu-west-1%2Frds-db%2Faws4_request&") && token.contains("Expires=900"),
        "{token}"
    );
    let first = explained.lines().next().unwrap();
    assert!(first.contains("password of the database user app") && first.contains("15 minutes"), "{first}");
    assert!(explained.contains("\nNext: ") || explained.starts_with("Next: "), "{explained}");
    assert!(!explained.contains(SECRET) && !explained.contains(TOKEN), "{explained}");

    let quiet = run(command(&rds).arg("-q")).await;
    assert_eq!((quiet.code, quiet.stderr.as_str()), (0, ""));
    assert_eq!(quiet.stdout.split("X-Amz-Date").next(), token.split("X-Amz-Date").next());
}

/// A token is for one port: what is shown fits the port's database.
#[tokio::test]
async fn a_database_is_shown_how_to_connect_by_its_port() {
    for (port, postgres, mysql) in [("5432", true, false), ("3306", false, true), ("6000", true, true)] {
        let host = "db.cluster-abc.eu-west-1.rds.amazonaws.com";
        let output = run(&mut command(&["rds", "--host", host, "--user", "app", "--port", port])).await;
        assert_eq!(output.code, 0, "{}", output.stderr);
        assert!(output.stdout.starts_with(&format!("{host}:{port}/?")), "{}", output.stdout);
        assert_eq!(output.stderr.contains("psql"), postgres, "{}", output.stderr);
        assert_eq!(output.stderr.contains("mysql --host"), mysql, "{}", output.stderr);
    }
}

#[tokio::test]
async fn every_service_has_a_token() {
    let arguments: [&[&str]; 6] = [
        &["dsql", "--host", "abc.dsql.us-east-1.on.aws", "--admin"],
        &["elasticache", "--cache", "My-Cache", "--user", "app", "--serverless"],
        &["memorydb", "--cluster", "cluster", "--user", "app"],
        &["eks", "--cluster", "cluster"],
        &["msk"],
        &["vault", "--role", "dev", "--server-id", "vault.example.com"],
    ];
    for arguments in arguments {
        let output = run(command(arguments).env("AWS_REGION", "eu-west-1")).await;
        let (code, token, explained) = (output.code, output.stdout, output.stderr);
        assert_eq!((code, token.lines().count()), (0, 1), "{arguments:?}: {explained}");
        assert!(explained.contains("Next: "), "{explained}");
        // The token is what `tokens_are_those_that_botocore_made` compares; here, that it is the asked for one.
        match arguments[0] {
            "elasticache" => {
                assert!(token.starts_with("my-cache/?Action=connect&User=app&Resource"), "{token}")
            }
            "dsql" => {
                assert!(token.contains("Action=DbConnectAdmin&") && token.contains("us-east-1"), "{token}")
            }
            "memorydb" => assert!(token.starts_with("cluster/?Action=connect&User=app&"), "{token}"),
            "eks" => {
                let url = token.trim_end().strip_prefix("k8s-aws-v1.").unwrap();
                let url = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(url).unwrap()).unwrap();
                assert!(url.starts_with("https://sts.eu-west-1.amazonaws.com/?Action=GetCaller"), "{url}");
            }
            "msk" => {
                let url =
                    String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token.trim_end()).unwrap()).unwrap();
                assert!(url.contains("&User-Agent=tokens%2F"), "{url}");
            }
            _ => {
                let login: Value = serde_json::from_str(&token).unwrap();
                assert_eq!(
                    (&login["role"], &login["iam_http_request_method"]),
                    (&"dev".into(), &"POST".into())
                );
                let headers = login["iam_request_headers"].as_str().unwrap();
                let headers: Value =
                    serde_json::from_slice(&BASE64_STANDARD.decode(headers).unwrap()).unwrap();
                assert_eq!(headers["x-vault-aws-iam-server-id"][0], "vault.example.com");
                assert_eq!(headers["host"][0], "sts.eu-west-1.amazonaws.com");
                let authorization = headers["authorization"][0].as_str().unwrap();
                assert!(authorization.contains(";x-vault-aws-iam-server-id, "), "{authorization}");
            }
        }
    }
}

#[tokio::test]
async fn kubectl_reads_the_exec_credential() {
    let arguments = ["-q", "--region", "cn-north-1", "eks", "--cluster", "c", "--exec-credential"];
    let output = run(&mut command(&arguments)).await;
    assert_eq!(output.code, 0);
    let credential: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(credential["kind"], "ExecCredential");
    let expiry = credential["status"]["expirationTimestamp"].as_str().unwrap();
    assert!(expiry.len() == "2026-01-01T00:00:00Z".len() && expiry.ends_with('Z'), "{expiry}");
    let token = credential["status"]["token"].as_str().unwrap().strip_prefix("k8s-aws-v1.").unwrap();
    let url = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).unwrap()).unwrap();
    assert!(url.starts_with("https://sts.cn-north-1.amazonaws.com.cn/?"), "{url}");
}

#[tokio::test]
async fn bad_arguments_are_told_apart_from_failures() {
    let bad: [(&[&str], &str); 7] = [
        (&[], "Usage: tokens"),
        (&["rds", "--host", "h"], "--user <USER>"),
        (&["rds", "--host", "a/b", "--user", "u", "--region", "eu-west-1"], "a/b"),
        (&["rds", "--host", "db.example.com", "--user", "u"], "--region NAME"),
        (&["elasticache", "--cache", "c", "--user", "u"], "--region NAME"),
        (&["msk"], "--region NAME"),
        (&["msk", "--region", "eu west"], "eu west"),
    ];
    for (arguments, message) in bad {
        let output = run(&mut command(arguments)).await;
        assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{arguments:?}: {}", output.stderr);
        assert!(output.stderr.contains(message), "{arguments:?}: {}", output.stderr);
        assert_names_no_library_item(&output.stderr);
    }
    let output = run(command(&["msk", "--region", "eu-west-1"]).env_remove("AWS_ACCESS_KEY_ID")).await;
    assert_eq!(output.code, 1);
    let error = output.stderr;
    assert!(error.contains("AWS_ACCESS_KEY_ID") && error.contains("export-credentials"), "{error}");
}
