//! The built program as a process, and the end of it.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};

use serde_json::Value;
use sigv4_middleware::IamGateway;
use sigv4_test_support::{gateway, in_time};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_signing-proxy");

/// The program with a role's credentials in its environment, and no metadata service to look for.
pub(crate) fn with_role() -> Command {
    let mut command = sigv4_test_support::with_role(PROGRAM);
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

pub(crate) struct Proxy {
    pub(crate) child: Child,
    pub(crate) stdout: Lines<BufReader<ChildStdout>>,
    pub(crate) addr: SocketAddr,
    pub(crate) metrics: String,
}

impl Proxy {
    /// In front of an upstream of execute-api, with a metrics port.
    pub(crate) async fn start(upstream: &str, arguments: &[&str]) -> Self {
        let mut command = with_role();
        command.args(["--upstream", upstream, "--service", "execute-api"]);
        Self::started(command, arguments).await
    }

    /// This command with more arguments.
    pub(crate) async fn started(mut command: Command, arguments: &[&str]) -> Self {
        if !arguments.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command.args(["--metrics", "127.0.0.1:0"]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let addr = next_line(&mut stdout, "listening on http://").await.parse().unwrap();
        let metrics = next_line(&mut stdout, "metrics on ").await;
        Self { child, stdout, addr, metrics }
    }

    pub(crate) fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.addr)
    }

    /// Sends bytes unmodified, on a connection of their own.
    pub(crate) async fn raw(&self, request: &str) -> RawResponse {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        read_response(&mut stream).await
    }

    pub(crate) async fn metric(&self, line: &str) -> Option<u64> {
        let page = reqwest::get(&self.metrics).await.unwrap().text().await.unwrap();
        page.lines().find_map(|text| text.strip_prefix(line)?.trim().parse().ok())
    }

    /// The sum of all metrics whose lines begin so.
    pub(crate) async fn sum(&self, beginning: &str) -> u64 {
        let page = reqwest::get(&self.metrics).await.unwrap().text().await.unwrap();
        let lines = page.lines().filter(|line| line.starts_with(beginning));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }

    pub(crate) fn terminate(&self) {
        let pid = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Waits for its end, and returns what it wrote to standard error.
    pub(crate) async fn ended(mut self) -> (ExitStatus, String) {
        let status = in_time(self.child.wait()).await.unwrap();
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).await.unwrap();
        (status, stderr)
    }
}

/// The rest of the next line, which begins with `prefix`.
pub(crate) async fn next_line(stdout: &mut Lines<BufReader<ChildStdout>>, prefix: &str) -> String {
    let line = in_time(stdout.next_line()).await.unwrap().expect("it starts");
    line.strip_prefix(prefix).unwrap_or_else(|| panic!("{line} does not begin with {prefix}")).to_owned()
}

pub(crate) async fn before(gateway: &IamGateway, arguments: &[&str]) -> Proxy {
    Proxy::start(&gateway.url(), arguments).await
}

pub(crate) struct RawResponse {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Reads a response up to the end of its connection.
pub(crate) async fn read_response(stream: &mut TcpStream) -> RawResponse {
    let mut response = String::new();
    in_time(stream.read_to_string(&mut response)).await.unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    RawResponse { status, head: head.to_owned(), body: body.to_owned() }
}

impl RawResponse {
    /// Status and reason of a refusal.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status, reason(&self.body))
    }

    pub(crate) fn message(&self) -> String {
        let refusal: Value = serde_json::from_str(&self.body).unwrap();
        refusal["message"].as_str().unwrap().to_owned()
    }
}

/// The reason that a refusal's body has; it has a message too.
pub(crate) fn reason(body: &str) -> String {
    let refusal: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("not JSON: {body}"));
    assert!(refusal["message"].as_str().is_some_and(|message| message.len() > 10), "{refusal}");
    refusal["error"].as_str().unwrap().to_owned()
}

#[cfg(unix)]
#[tokio::test]
async fn it_ends_in_order_when_nobody_reads_its_output() {
    let gateway = gateway("execute-api").await;
    let Proxy { mut child, stdout, addr, .. } = before(&gateway, &[]).await;
    drop(stdout);
    drop(child.stderr.take());
    assert_eq!(reqwest::get(format!("http://{addr}/")).await.unwrap().status(), 200);
    let pid = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let status = in_time(child.wait()).await.unwrap();
    assert!(status.success(), "{status}");
}
