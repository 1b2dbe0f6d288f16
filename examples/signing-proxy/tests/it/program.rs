//! `signing_proxy`.

mod advice;
mod forwarding;
mod web_pages;

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};

use serde_json::Value;
use sigv4_middleware::IamGateway;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout};

use super::with_role;
use crate::support::in_time;

struct Proxy {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    addr: SocketAddr,
    metrics: String,
}

impl Proxy {
    /// In front of an upstream, with a metrics port.
    async fn start(upstream: &str, arguments: &[&str]) -> Self {
        let mut command = with_role("signing_proxy");
        if !arguments.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command.args(["--metrics", "127.0.0.1:0", "--upstream", upstream, "--service", "execute-api"]);
        command.args(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let addr = next_line(&mut stdout, "listening on http://").await.parse().unwrap();
        let metrics = next_line(&mut stdout, "metrics on ").await;
        Self { child, stdout, addr, metrics }
    }

    fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.addr)
    }

    /// Sends bytes unmodified, on a connection of their own.
    async fn raw(&self, request: &str) -> RawResponse {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        read_response(&mut stream).await
    }

    async fn metric(&self, line: &str) -> Option<u64> {
        let page = reqwest::get(&self.metrics).await.unwrap().text().await.unwrap();
        page.lines().find_map(|text| text.strip_prefix(line)?.trim().parse().ok())
    }

    fn terminate(&self) {
        let pid = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Waits for its end, and returns what it wrote to standard error.
    async fn ended(mut self) -> (ExitStatus, String) {
        let status = in_time(self.child.wait()).await.unwrap();
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).await.unwrap();
        (status, stderr)
    }
}

/// The rest of the next line, which begins with `prefix`.
async fn next_line(stdout: &mut Lines<BufReader<ChildStdout>>, prefix: &str) -> String {
    let line = in_time(stdout.next_line()).await.unwrap().expect("it starts");
    line.strip_prefix(prefix).unwrap_or_else(|| panic!("{line} does not begin with {prefix}")).to_owned()
}

async fn before(gateway: &IamGateway, arguments: &[&str]) -> Proxy {
    Proxy::start(&gateway.url(), arguments).await
}

struct RawResponse {
    status: u16,
    head: String,
    body: String,
}

/// Reads a response up to the end of its connection.
async fn read_response(stream: &mut TcpStream) -> RawResponse {
    let mut response = String::new();
    in_time(stream.read_to_string(&mut response)).await.unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    RawResponse { status, head: head.to_owned(), body: body.to_owned() }
}

impl RawResponse {
    /// Status and reason of a refusal.
    fn refusal(&self) -> (u16, String) {
        (self.status, reason(&self.body))
    }

    fn message(&self) -> String {
        let refusal: Value = serde_json::from_str(&self.body).unwrap();
        refusal["message"].as_str().unwrap().to_owned()
    }
}

/// The reason that a refusal's body has; it has a message too.
fn reason(body: &str) -> String {
    let refusal: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("not JSON: {body}"));
    assert!(refusal["message"].as_str().is_some_and(|message| message.len() > 10), "{refusal}");
    refusal["error"].as_str().unwrap().to_owned()
}
