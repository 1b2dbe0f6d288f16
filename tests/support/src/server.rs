//! Servers on loopback that send what a test says.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::in_time;

/// Reads a request with its body, and returns its head.
///
/// # Panics
/// If the connection ends before.
pub async fn read_request(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(in_time(stream.read_u8()).await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let length =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    in_time(stream.read_exact(&mut body)).await.unwrap();
    head
}

/// Starts a server that sends each response on a connection of its own, and then closes it. Returns its URL.
///
/// # Panics
/// If no port can be opened on loopback.
pub async fn serve(responses: Vec<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for response in responses {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            stream.write_all(response.as_bytes()).await.unwrap();
        }
    });
    url
}

/// The first byte of a TLS connection: the record type of a handshake.
pub const HANDSHAKE: u8 = 22;

/// The first byte of the first connection, which is then closed.
///
/// # Panics
/// If there is none within a minute.
pub async fn first_byte(listener: TcpListener) -> u8 {
    let (mut stream, _) = in_time(listener.accept()).await.unwrap();
    in_time(stream.read_u8()).await.unwrap()
}
