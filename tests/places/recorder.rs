//! A server that keeps every byte that reaches it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{KEY, SECRET, TOKEN};

/// A server on loopback that keeps the bytes of each connection.
pub(crate) struct Recorder {
    addr: SocketAddr,
    connections: Arc<Mutex<Vec<Vec<u8>>>>,
    accept: tokio::task::JoinHandle<()>,
}

impl Recorder {
    /// A server that responds 200 to everything.
    pub(crate) async fn start() -> Self {
        Self::responding(|_| "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nloot!".to_owned()).await
    }

    /// A server with a function from the request to the whole response.
    pub(crate) async fn responding(respond: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let connections = Arc::new(Mutex::new(Vec::new()));
        let (kept, respond) = (Arc::clone(&connections), Arc::new(respond));
        let accept = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = {
                    let mut kept = kept.lock().unwrap();
                    kept.push(Vec::new());
                    kept.len() - 1
                };
                let (kept, respond) = (Arc::clone(&kept), Arc::clone(&respond));
                tokio::spawn(async move { serve(stream, &kept, number, &*respond).await });
            }
        });
        Self { addr, connections, accept }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Connections that were ever made to it.
    pub(crate) fn connections(&self) -> usize {
        self.connections.lock().unwrap().len()
    }

    /// Every byte that ever reached it, as text.
    pub(crate) fn seen(&self) -> String {
        String::from_utf8_lossy(&self.connections.lock().unwrap().concat()).into_owned()
    }

    /// Fails if anything reached it; even a connection without a byte would reveal who is called.
    #[track_caller]
    pub(crate) fn assert_untouched(&self, case: &str) {
        assert_eq!((self.connections(), self.seen()), (0, String::new()), "{case}");
    }

    /// What of a signed request reached it: `authorization`, `token`, `hash`, `date`, `body`.
    pub(crate) fn loot(&self, body: &str) -> Vec<&'static str> {
        let seen = self.seen();
        assert!(!seen.contains(SECRET));
        let mut loot = Vec::new();
        let lower = seen.to_ascii_lowercase();
        if lower.contains("authorization:") || seen.contains(KEY) || lower.contains("signature") {
            loot.push("authorization");
        }
        if seen.contains(TOKEN) || lower.contains("x-amz-security-token") {
            loot.push("token");
        }
        if lower.contains("x-amz-content-sha256") {
            loot.push("hash");
        }
        if lower.contains("x-amz-date") {
            loot.push("date");
        }
        if !body.is_empty() && seen.contains(body) {
            loot.push("body");
        }
        loot
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    kept: &Mutex<Vec<Vec<u8>>>,
    number: usize,
    respond: &(dyn Fn(&str) -> String + Send + Sync),
) {
    let mut unread = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        while let Some(length) = whole_request(&unread) {
            let request: Vec<u8> = unread.drain(..length).collect();
            let text = String::from_utf8_lossy(&request);

            if stream.write_all(respond(&text).as_bytes()).await.is_err() {
                return;
            }
        }
        match stream.read(&mut chunk).await {
            Ok(read) if read > 0 => {
                kept.lock().unwrap()[number].extend_from_slice(&chunk[..read]);
                unread.extend_from_slice(&chunk[..read]);
            }
            _ => return,
        }
    }
}

/// The length of the first request, once all of it is there.
fn whole_request(bytes: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let head = text.find("\r\n\r\n")? + 4;
    let length = text[..head].lines().find_map(|line| line.strip_prefix("content-length:"));
    let whole = head + length.map_or(0, |length| length.trim().parse().unwrap());
    (bytes.len() >= whole).then_some(whole)
}
