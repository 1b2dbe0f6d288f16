//! `websocket`.

use tokio::net::TcpListener;

use super::{HANDSHAKE, example, first_byte, run, with_role};

#[tokio::test]
async fn one_refusal_and_one_socket() {
    let said = run(&mut example("websocket")).await;

    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    let lines: Vec<_> = said.out.lines().collect();
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

/// With a URL it signs with the role of the environment, for what the host tells.
#[tokio::test]
async fn a_host_that_does_not_tell_its_service_is_not_signed_for() {
    let said = run(with_role("websocket").args(["ws://127.0.0.1:1/chat", "hello"])).await;

    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(said.err.starts_with("error: ") && said.err.contains(".service("), "{}", said.err);
    let said = run(example("websocket").arg("wss://abc.execute-api.eu-west-1.amazonaws.com/prod")).await;
    assert!(said.code == 1 && said.err.contains("AWS_ACCESS_KEY_ID is not set"), "{}", said.err);
}

/// `wss` is there, as the example is built: what it sends begins as TLS does.
#[tokio::test]
async fn a_secure_socket_speaks_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://{}/", listener.local_addr().unwrap());
    let (first_byte, opened) = tokio::join!(first_byte(listener), tokio_tungstenite::connect_async(url));
    assert_eq!(first_byte, HANDSHAKE);
    assert!(opened.is_err());
}
