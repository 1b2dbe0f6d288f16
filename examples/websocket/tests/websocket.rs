//! The program as a user runs it.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use sigv4_test_support::{
    HANDSHAKE, SECRET_QUERY, assert_fails_without_secrets, first_byte, program, run, with_role,
};
use tokio::net::TcpListener;

const PROGRAM: &str = env!("CARGO_BIN_EXE_websocket");

#[tokio::test]
async fn one_refusal_and_one_socket() {
    let output = run(&mut program(PROGRAM)).await;

    assert_eq!(output.code, 0, "{}{}", output.stdout, output.stderr);
    let mut lines = output.stdout.lines();
    let first = lines.next().unwrap();
    assert!(first.contains(" listens on ws://127.0.0.1:"), "{first}");
    let next = output.stdout.split_once("\nNext: ").unwrap().1;
    assert!(next.contains("cargo run -p websocket -- wss://") && next.contains("Signer::presign"), "{next}");
    let lines: Vec<_> =
        lines.take_while(|line| !line.starts_with("Next: ")).filter(|line| !line.is_empty()).collect();
    let expected = [
        "unsigned: refused",
        "  > GET /chat",
        "  < 403 Forbidden",
        r#"  < {"message":"Missing Authentication Token"}"#,
        "presigned: opened",
        "  > GET /chat",
        "  < 101 Switching Protocols",
        "  > hello",
        "  < hello",
        "  > and again",
        "  < and again",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn options_are_responded_to_with_the_usage() {
    let output = run(program(PROGRAM).arg("--help")).await;

    assert_eq!(output.code, 1);
    assert_eq!(output.stderr, "error: usage: websocket [URL [MESSAGE [SERVICE]]]\n");
}

#[tokio::test]
async fn an_unknown_service_is_not_signed_for() {
    let output = run(with_role(PROGRAM).args(["ws://127.0.0.1:1/chat", "hello"])).await;

    assert_eq!((output.code, output.stdout.as_str()), (1, ""));
    assert!(output.stderr.starts_with("error: ") && output.stderr.contains(".service("), "{}", output.stderr);
    let output = run(program(PROGRAM).arg("wss://abc.execute-api.eu-west-1.amazonaws.com/prod")).await;
    assert!(output.code == 1 && output.stderr.contains("AWS_ACCESS_KEY_ID is not set"), "{}", output.stderr);
}

#[tokio::test]
async fn a_secure_socket_speaks_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://{}/", listener.local_addr().unwrap());
    let mut command = with_role(PROGRAM);
    let (first_byte, output) =
        tokio::join!(first_byte(listener), run(command.args([&url, "hello", "execute-api"])));
    assert_eq!(first_byte, HANDSHAKE);
    // The connection was closed.
    assert_eq!(output.code, 1, "{}", output.stderr);
    assert!(output.stderr.starts_with("error: "), "{}", output.stderr);
}

#[tokio::test]
async fn urls_are_printed_without_the_query() {
    for url in ["ws://[127.0.0.1/path", "ws://127.0.0.1:1/path"] {
        let output = run(with_role(PROGRAM).arg(format!("{url}?{SECRET_QUERY}"))).await;
        assert_fails_without_secrets(&output, 1, "error: ");
    }
}
