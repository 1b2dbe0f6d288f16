//! Messages for requests that cannot be signed: the options that help.

use sigv4_test_support::{
    Failing, SECRET_QUERY, assert_fails_without_secrets, assert_names_no_library_item, gateway, run, serve,
};

use crate::{bare, with_role};

#[tokio::test]
async fn without_credentials_it_says_how_to_get_some() {
    let gateway = gateway("execute-api").await;
    for (name, value) in [("A", ""), ("AWS_PROFILE", "dev")] {
        let output =
            run(bare().env(name, value).args(["--service", "s3", "--region", "x", &gateway.url()])).await;
        assert_eq!(output.code, 94, "{}", output.stderr);
        for text in ["there are no credentials", "aws sso login", "--profile NAME", "AWS_ACCESS_KEY_ID"] {
            assert!(output.stderr.contains(text), "{}", output.stderr);
        }
        assert!(output.stderr.contains(value), "{}", output.stderr);
        assert_names_no_library_item(&output.stderr);
    }
    assert!(gateway.requests().is_empty());
}

#[tokio::test]
async fn keys_on_the_command_line_are_refused_with_what_to_use() {
    for arguments in [["-u", "AKIDEXAMPLE:s3cr3t"], ["--user", "AKIDEXAMPLE:s3cr3t"]] {
        let output = run(bare().args(arguments).arg("http://127.0.0.1:1/")).await;
        assert_eq!(output.code, 2, "{}", output.stderr);
        for text in ["AWS_ACCESS_KEY_ID", "--profile", "--role-arn"] {
            assert!(output.stderr.contains(text), "{}", output.stderr);
        }
        assert!(!output.stderr.contains("s3cr3t"), "{}", output.stderr);
    }
    let output = run(bare().args(["--aws-sigv4", "aws:amz:us-east-1:s3", "http://127.0.0.1:1/"])).await;
    assert_eq!(output.code, 2);
    assert!(output.stderr.contains("--service and --region"), "{}", output.stderr);
}

/// Errors in terms of the program's options: command line, environment, what standard error contains.
#[tokio::test]
async fn errors_name_options() {
    let cases: [Failing; 24] = [
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
            &["-H", "leave it out", "--replace-authorization"],
        ),
        (
            &["https://sts.us-east-1.amazonaws.com/", "-H", "host: a.example"],
            &[],
            &["Host header", "leave it out", "--allow-host-mismatch", "--resolve"],
        ),
        (
            &["https://sts.us-east-1.amazonaws.com/", "--payload", "aws-chunked", "-d", "x"],
            &[],
            &["--payload"],
        ),
        (
            &["http://127.0.0.1:1/", "--service", "s3", "--payload", "unsigned", "-d", "x"],
            &[],
            &["--allow-unsigned-over-http"],
        ),
        (&["http://127.0.0.1:1/", "--service", "s3", "--region-set", "a b"], &[], &["a b"]),
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
            &["use https", "--allow-unsigned-over-http"],
        ),
        (&["https://user:password@sts.us-east-1.amazonaws.com/"], &[], &["userinfo", "remove it"]),
        (
            &["https://sts.us-east-1.amazonaws.com/"],
            &[("AWS_SECRET_ACCESS_KEY", "a\nb")],
            &["secret access key"],
        ),
    ];
    for (arguments, environment, expected) in cases {
        let mut command = crate::with_role();
        let output = run(command.envs(environment.iter().copied()).args(arguments)).await;
        assert_eq!(output.code, 94, "{arguments:?}: {}", output.stderr);
        for text in expected {
            assert!(output.stderr.contains(text), "{arguments:?}: {text} is not in {}", output.stderr);
        }
        assert_names_no_library_item(&output.stderr);
    }
}

#[tokio::test]
async fn urls_are_printed_without_the_query() {
    let closed = serve(vec![]).await;
    let no_response = serve(vec![String::new()]).await;
    let cut_off = serve(vec!["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab".to_owned()]).await;
    let location = format!(
        "HTTP/1.1 307 Moved\r\nLocation: https://a.example/b?{SECRET_QUERY}\r\nContent-Length: 0\r\n\r\n"
    );
    let elsewhere = serve(vec![location]).await;
    for (url, code, expected) in [
        (format!("{closed}/path"), 7, "/path"),
        (format!("{no_response}/path"), 52, "/path"),
        (cut_off, 18, "body"),
        ("ftp://127.0.0.1/path".to_owned(), 1, "ftp://"),
        ("http://[127.0.0.1/path".to_owned(), 3, "http://[127.0.0.1/path"),
        ("https://api.example.com/path".to_owned(), 94, "--allow-host"),
        (elsewhere, 94, "--allow-redirect https://a.example"),
    ] {
        let url = format!("{url}?{SECRET_QUERY}");
        let output = run(with_role().args(["-L", "--service", "execute-api", &url])).await;
        assert_fails_without_secrets(&output, code, expected);
    }
}

#[tokio::test]
async fn a_cause_is_printed_once() {
    let output = run(with_role().args(["--service", "s3", "--region", "x", "http://127.0.0.1:1/"])).await;
    assert_eq!(output.code, 7, "{output:?}");
    assert_eq!(output.stderr.matches("Connection refused").count(), 1, "{}", output.stderr);
    let unknown =
        ["--allow-host", "host.invalid", "--service", "s3", "--region", "x", "https://host.invalid/"];
    let output = run(with_role().args(unknown)).await;
    assert_eq!(output.code, 6, "{output:?}");
    assert_eq!(output.stderr.matches("failed to lookup address information").count(), 1, "{}", output.stderr);
}
