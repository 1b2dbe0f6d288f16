//! What stands between client and server, and changes requests on their way.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Passes each request on with another head, one a connection. Returns its URL.
pub(crate) async fn rewriting(to: SocketAddr, rewrite: fn(&str) -> String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move { pass_on(stream, to, rewrite).await });
        }
    });
    url
}

async fn pass_on(mut from: TcpStream, to: SocketAddr, rewrite: fn(&str) -> String) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(from.read_u8().await?);
    }
    let lines: Vec<String> = String::from_utf8_lossy(&head)
        .lines()
        .filter(|line| !line.is_empty() && !line.to_ascii_lowercase().starts_with("connection:"))
        .map(rewrite)
        .filter(|line| !line.is_empty())
        .collect();
    let mut server = TcpStream::connect(to).await?;
    server.write_all(format!("{}\r\nconnection: close\r\n\r\n", lines.join("\r\n")).as_bytes()).await?;
    tokio::io::copy_bidirectional(&mut from, &mut server).await.map(drop)
}
