//! Errors of the programs leave the query of a URL out: it may be that of a presigned URL, which anyone can use.

use sigv4_test_support::{SECRET_QUERY, assert_fails_without_secrets, serve};

use super::{run, with_role};

#[tokio::test]
async fn sigv4_curl_prints_urls_without_the_query() {
    let closed = serve(vec![]).await;
    let no_response = serve(vec![String::new()]).await;
    let cut_off = serve(vec!["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab".to_owned()]).await;
    for (url, code, expected) in [
        (format!("{closed}/path"), 7, "/path"),
        (format!("{no_response}/path"), 56, "/path"),
        (cut_off, 56, "body"),
        ("ftp://127.0.0.1/path".to_owned(), 3, "ftp://127.0.0.1/path"),
        ("http://[127.0.0.1/path".to_owned(), 3, "http://[127.0.0.1/path"),
        ("https://api.example.com/path".to_owned(), 1, "--allow-host"),
    ] {
        let mut command = with_role("sigv4_curl");
        let output = run(command.args(["--service", "execute-api", &format!("{url}?{SECRET_QUERY}")])).await;
        assert_fails_without_secrets(&output, code, expected);
    }
}
