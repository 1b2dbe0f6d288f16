//! What the program says when requests cannot be signed: in its own options, not the library's methods.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use sigv4_test_support::{Failing, KEY, SECRET, assert_names_no_library_item, gateway, program, run};

use crate::program::{PROGRAM, before, read_response, reason, with_role};

/// Errors at the start: command line, environment, what standard error contains.
#[tokio::test]
async fn errors_at_the_start_name_options() {
    let cases: [Failing; 12] = [
        (&["http://api.example.com"], &[], &["--allow-http"]),
        (&["http://abc.execute-api.eu-west-1.amazonaws.com"], &[], &["https", "--allow-http"]),
        (&["http://app.ecs.us-east-1.on.aws"], &[], &["--allow-http"]),
        (&["https://api.example.com"], &[], &["--service NAME"]),
        (&["https://api.example.com"], &[("AWS_REGION", "")], &["--service NAME", "--region NAME"]),
        (&["https://app.ecs.us-east-1.on.aws"], &[], &["--service NAME"]),
        (&["https://api.example.com", "--service", "s3"], &[("AWS_REGION", "")], &["--region NAME"]),
        (&["https://bucket.s3.amazonaws.com"], &[("AWS_REGION", "")], &["--region NAME"]),
        (&["https://api.example.com", "--service", "a b"], &[], &["service"]),
        (&["https://api.example.com", "--service", "s3", "--region", "a/b"], &[], &["region"]),
        (
            &["http://x-0a.7d67968.vpc-lattice-svcs.us-west-2.on.aws", "--allow-http"],
            &[],
            &["unsigned payloads", "https"],
        ),
        (
            &["https://sts.us-east-1.amazonaws.com"],
            &[("AWS_SECRET_ACCESS_KEY", "a\nb")],
            &["secret access key"],
        ),
    ];
    for (upstream, environment, expected) in cases {
        let mut command = with_role();
        command
            .envs(environment.iter().copied())
            .args(["--listen", "127.0.0.1:0", "--upstream"])
            .args(upstream);
        let output = run(&mut command).await;
        assert_eq!(output.code, 1, "{upstream:?}: {}", output.stderr);
        for text in expected {
            assert!(output.stderr.contains(text), "{text} is not in {}", output.stderr);
        }
        assert_names_no_library_item(&output.stderr);
    }
}

#[tokio::test]
async fn without_credentials_it_says_how_to_get_some() {
    let upstream = ["--upstream", "https://sts.us-east-1.amazonaws.com"];
    for environment in [[].as_slice(), &[("AWS_PROFILE", "dev")], &[("AWS_ACCESS_KEY_ID", KEY)]] {
        let mut command = program(PROGRAM);
        command.env("AWS_EC2_METADATA_DISABLED", "true").envs(environment.iter().copied());
        let output =
            run(command.args(["--listen", "127.0.0.1:0", "--region", "us-east-1"]).args(upstream)).await;
        assert_eq!(output.code, 1);
        for text in ["no credentials were found", "AWS_SECRET_ACCESS_KEY", "--profile NAME"] {
            assert!(output.stderr.contains(text), "{text} is not in {}", output.stderr);
        }
        assert_names_no_library_item(&output.stderr);
    }
}

#[tokio::test]
async fn refusals_of_bodies_name_options() {
    let gateway = gateway("execute-api").await;
    let proxy = before(&gateway, &["--body-limit", "4", "--body-timeout", "0"]).await;
    let address = proxy.addr;

    let response = reqwest::Client::new().put(proxy.url("/")).body("12345").send().await.unwrap();
    let large = response.text().await.unwrap();
    assert_eq!(reason(&large), "body_too_large");
    assert!(large.contains("--body-limit BYTES"), "{large}");

    // One byte of two.
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head =
        format!("PUT / HTTP/1.1\r\nHost: {address}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nx");
    stream.write_all(head.as_bytes()).await.unwrap();
    let slow = read_response(&mut stream).await;
    assert_eq!(slow.refusal(), (408, "body_timeout".to_owned()));
    assert!(slow.message().contains("--body-timeout SECONDS"), "{}", slow.body);

    // The log is for the same reader.
    proxy.terminate();
    let (_, log) = proxy.ended().await;
    assert!(log.contains("--body-limit BYTES") && log.contains("--body-timeout SECONDS"), "{log}");
    for text in [large, slow.body, log] {
        assert_names_no_library_item(&text);
        assert!(!text.contains(SECRET));
    }
}
