//! Against a store that verifies every chunk, against one that breaks off, and without one.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::io::Write;

use sigv4_test_support::{
    ProgramOutput, SECRET_QUERY, assert_fails_without_secrets, program, run, serve, temporary_file, with_role,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_s3-upload");

#[tokio::test]
async fn a_file_comes_back_as_it_was_sent() {
    let Some(s3s) = std::env::var_os("SIGV4_S3S_FS") else {
        let required = std::env::var_os("SIGV4_INTEROP_REQUIRED").is_some_and(|value| !value.is_empty());
        assert!(!required, "SIGV4_INTEROP_REQUIRED is set and SIGV4_S3S_FS is not");
        writeln!(std::io::stderr(), "skipped: s3-upload; set SIGV4_S3S_FS to an s3s-fs").unwrap();
        return;
    };
    // An empty file, one that fills its chunk, and one whose last chunk has one byte.
    for size in [0, 64 * 1024, 5 * 1024 * 1024 + 1] {
        let file = temporary_file("upload");
        std::fs::write(&file, vec![b'x'; size]).unwrap();
        let ProgramOutput { code, stdout, stderr } =
            run(program(PROGRAM).env("SIGV4_S3S_FS", &s3s).arg(&file)).await;
        std::fs::remove_file(&file).unwrap();
        assert_eq!((code, stdout.trim()), (0, &*format!("the same {size} bytes came back")), "{stderr}");
    }
}

#[tokio::test]
async fn without_a_store_it_says_what_to_do() {
    let folder = temporary_file("folder");
    std::fs::create_dir_all(&folder).unwrap();
    let mut without = program(PROGRAM);
    let none = run(without
        .envs([("SIGV4_S3S_FS", "/nonexistent".as_ref()), ("TMPDIR", folder.as_os_str())])
        .arg("Cargo.toml"))
    .await;
    // Fails if anything was left in it.
    std::fs::remove_dir(&folder).unwrap();
    assert_eq!(none.code, 1);
    assert!(none.stderr.contains("cargo install s3s-fs --features binary"), "{}", none.stderr);
    let unset = run(program(PROGRAM).args(["Cargo.toml", "https://b.s3.us-east-1.amazonaws.com/k"])).await;
    assert_eq!(unset.code, 1);
    assert!(unset.stderr.contains("AWS_ACCESS_KEY_ID"), "{}", unset.stderr);
}

#[tokio::test]
async fn the_presigned_url_is_not_printed() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let redirect =
        format!("HTTP/1.1 302 Found\r\nLocation: /other?{SECRET_QUERY}\r\nContent-Length: 0\r\n\r\n");
    // As S3 says it: the canonical request of a presigned URL has its query.
    let xml = format!(
        "<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><Message>Check your key.</Message>\
         <CanonicalRequest>GET\n/bucket/key\n{SECRET_QUERY}\nhost:127.0.0.1</CanonicalRequest></Error>"
    );
    let refusal = format!("HTTP/1.1 403 Forbidden\r\nContent-Length: {}\r\n\r\n{xml}", xml.len());
    let downloads: [(&[&str], &str); 6] = [
        (&[""], "error sending request"),
        (&["not HTTP\r\n\r\n"], "error sending request"),
        (&["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"], "body"),
        (&[&redirect, ""], "error sending request"),
        (&[&refusal], "403 Forbidden: SignatureDoesNotMatch: Check your key."),
        (&["HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\nab"], "body"),
    ];
    let path = temporary_file("upload.txt");
    std::fs::write(&path, "content").unwrap();
    for (download, expected) in downloads {
        let responses = std::iter::once(ok).chain(download.iter().copied()).map(str::to_owned);
        let url = serve(responses.collect()).await;
        let mut command = with_role(PROGRAM);
        let output = run(command.arg(&path).arg(format!("{url}/bucket/key"))).await;
        assert_fails_without_secrets(&output, 1, expected);
    }

    // The upload's own URL.
    for response in ["", "HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\nab"] {
        let url = serve(vec![response.to_owned()]).await;
        let mut command = with_role(PROGRAM);
        let output = run(command.arg(&path).arg(format!("{url}/bucket/key?a=query-key"))).await;
        assert_fails_without_secrets(&output, 1, "error");
    }
    std::fs::remove_file(&path).unwrap();
}
