//! `websocket`.

use tokio::net::TcpListener;

use super::{HANDSHAKE, example, first_byte, run, with_role};

#[tokio::test]
async fn one_refusal_and_one_socket() {
    let output = run(&mut example("websocket")).await;

    assert_eq!(output.code, 0, "{}{}", output.stdout, output.stderr);
    let lines: Vec<_> = output.stdout.lines().collect();
    let expected = [
        "unsigned",
        "  > GET /chat",
        "  < 403 Forbidden",
        r#"  < {"message":"Missing Authentication Token"}"#,
        "presigned",
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
async fn an_unknown_service_is_not_signed_for() {
    let output = run(with_role("websocket").args(["ws://127.0.0.1:1/chat", "hello"])).await;

    assert_eq!((output.code, output.stdout.as_str()), (1, ""));
    assert!(output.stderr.starts_with("error: ") && output.stderr.contains(".service("), "{}", output.stderr);
    let output = run(example("websocket").arg("wss://abc.execute-api.eu-west-1.amazonaws.com/prod")).await;
    assert!(output.code == 1 && output.stderr.contains("AWS_ACCESS_KEY_ID is not set"), "{}", output.stderr);
}

/// The example is built with TLS.
#[tokio::test]
async fn a_secure_socket_speaks_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://{}/", listener.local_addr().unwrap());
    let (first_byte, opened) = tokio::join!(first_byte(listener), tokio_tungstenite::connect_async(url));
    assert_eq!(first_byte, HANDSHAKE);
    assert!(opened.is_err());
}
