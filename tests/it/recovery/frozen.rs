//! A process that is stopped between signing and sending, as a Lambda function is between two events.
//!
//! What is real: a child process, stopped by SIGSTOP when its request is signed and not yet sent, and continued; and
//! a server that refuses a date more than five minutes old. What is simulated: the time in between. The child's clock
//! and the server's are the system's plus an offset, and while the child is stopped the parent moves both on by as much
//! as the freeze is to last. The child reads its offset from a file, so that it knows nothing of it before it goes on.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use aws_smithy_async::time::TimeSource;
use http::{Extensions, Request};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use reqwest_middleware::{ClientBuilder, Middleware, Next};
use sigv4_middleware::{IamGateway, SigV4Middleware, Signer};
use tower::{ServiceBuilder, ServiceExt};

use crate::support::*;

const CHILD: &str = "SIGV4_FROZEN_CHILD";
const SIGNED: &str = "signed, not sent";

/// The system's clock plus the seconds that a file holds.
#[derive(Clone, Debug)]
struct OffsetFile(PathBuf);

impl TimeSource for OffsetFile {
    fn now(&self) -> SystemTime {
        let seconds: u64 = fs::read_to_string(&self.0).unwrap().parse().unwrap();
        SystemTime::now() + Duration::from_secs(seconds)
    }
}

/// Keys for a quarter of an hour: `AKID1`, then `AKID2`.
fn quarter_hourly(clock: OffsetFile) -> FakeProvider {
    FakeProvider::from_fn(move |call| {
        let mut keys = role_of(&format!("AKID{}", call + 1));
        *keys.expiry_mut() = Some(clock.now() + Duration::from_secs(900));
        Ok(keys)
    })
}

/// Says that a request is about to be sent, and goes on when it is told to.
fn hold() {
    println!("{SIGNED}");
    std::io::stdin().lock().read_line(&mut String::new()).unwrap();
}

struct Hold;

#[async_trait::async_trait]
impl Middleware for Hold {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        hold();
        next.run(request, extensions).await
    }
}

/// The process that is stopped. Its instructions are lines of the variable: integration, URL, offset's file, signer's
/// switches.
#[tokio::test]
#[ignore = "is started, stopped and continued by its siblings"]
async fn child() {
    let Ok(instructions) = std::env::var(CHILD) else { return };
    let [integration, url, file, switches] = instructions.split('\n').collect::<Vec<_>>().try_into().unwrap();
    let clock = OffsetFile(file.into());
    let signer = Signer::builder()
        .credentials(quarter_hourly(clock.clone()))
        .service("execute-api")
        .region(REGION)
        .time_source(clock)
        .clock_skew_correction(switches != "no correction")
        .retry_on_auth_error(switches != "no recovery")
        .build()
        .unwrap();
    for _ in 0..2 {
        let status = match integration {
            "middleware" => {
                let client = ClientBuilder::new(sigv4_middleware::reqwest_client().build().unwrap());
                let client = client.with(SigV4Middleware::new(signer.clone())).with(Hold).build();
                client.post(url).body("order").send().await.unwrap().status()
            }
            _ => {
                let hyper = Client::builder(TokioExecutor::new()).build_http::<Outgoing<TestBody>>();
                let client = ServiceBuilder::new()
                    .layer(wrapping(&signer))
                    .map_request(|request: Request<Outgoing<TestBody>>| {
                        hold();
                        request
                    })
                    .service(hyper);
                let request = Request::post(url).body(in_memory("order")).unwrap();
                client.oneshot(request).await.unwrap().status()
            }
        };
        println!("status {}", status.as_u16());
    }
}

/// A child, its output line by line, and the file with its clock's offset.
struct Process {
    child: Child,
    lines: Box<dyn Iterator<Item = String>>,
    file: PathBuf,
}

impl Process {
    fn start(integration: &str, url: &str, switches: &str) -> Self {
        let name = format!("sigv4-frozen-{}-{:x}", std::process::id(), fastrand::u64(..));
        let file = std::env::temp_dir().join(name);
        fs::write(&file, "0").unwrap();
        let mut child = rerun(module_path!(), "child")
            .args(["--ignored", "--nocapture"])
            .env(CHILD, [integration, url, file.to_str().unwrap(), switches].join("\n"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        // The test runner prints lines of its own, and one of them without an end.
        let lines = lines.filter_map(|line| {
            let from = line.find(SIGNED).or_else(|| line.find("status "))?;
            Some(line[from..].to_owned())
        });
        Self { child, lines: Box::new(lines), file }
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    fn is_stopped(&self) -> bool {
        let pid = self.child.id().to_string();
        let state = Command::new("ps").args(["-o", "stat=", "-p", &pid]).output().unwrap().stdout;
        state.trim_ascii_start().starts_with(b"T")
    }

    fn go_on(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    fn freeze(&mut self, gateway: &IamGateway, seconds: u32) {
        self.signal("-STOP");
        while !self.is_stopped() {
            std::thread::sleep(Duration::from_millis(1));
        }
        // Nothing but the stop keeps it from sending now.
        self.go_on();
        fs::write(&self.file, seconds.to_string()).unwrap();
        gateway.set_clock_offset(seconds.into());
        assert!(gateway.requests().is_empty() && self.is_stopped());
        self.signal("-CONT");
    }

    /// Lets it run to its end, and gives the statuses of its two calls.
    fn finish(mut self) -> Vec<String> {
        let mut statuses = Vec::new();
        while let Some(line) = self.lines.next() {
            match line.strip_prefix("status ") {
                Some(status) => statuses.push(status.to_owned()),
                None => self.go_on(),
            }
        }
        assert!(self.child.wait().unwrap().success());
        statuses
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        fs::remove_file(&self.file).ok();
    }
}

/// What the child's two calls got and all tries that the server saw; the first call is frozen for some minutes.
async fn frozen(
    integration: &'static str,
    minutes: u32,
    switches: &'static str,
) -> (Vec<String>, IamGateway) {
    let gateway =
        IamGateway::builder().region(REGION).credentials(role_of("AKID1")).credentials(role_of("AKID2"));
    let gateway = gateway.start().await.unwrap();
    let url = format!("{}/orders", gateway.url());
    tokio::task::spawn_blocking(move || {
        let mut process = Process::start(integration, &url, switches);
        assert_eq!(process.lines.next().as_deref(), Some(SIGNED));
        process.freeze(&gateway, 60 * minutes);
        (process.finish(), gateway)
    })
    .await
    .unwrap()
}

/// Twelve minutes, of which half taken for an offset would be refused too; and twenty, a round trip that nothing is
/// learned from and the end of the first credentials.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thawed_process_succeeds_with_one_more_try() {
    for integration in ["middleware", "layer"] {
        for (minutes, key) in [(12, "AKID1"), (20, "AKID2")] {
            for switches in ["", "no correction"] {
                let (statuses, gateway) = frozen(integration, minutes, switches).await;
                let what = format!("{integration}, {minutes} minutes, {switches}");
                assert_eq!(statuses, ["200", "200"], "{what}");
                // The second call is right at once: nothing wrong was learned of the clock.
                assert_eq!(tries(&gateway), [403, 200, 200], "{what}");
                let seen = gateway.requests();
                assert_eq!(seen[0].error_type, Some("InvalidSignatureException"));
                let key = format!("Credential={key}/");
                assert!(seen[1].header("authorization").unwrap().contains(&key), "{what}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_recovery_off_a_thawed_process_sees_the_refusal() {
    for integration in ["middleware", "layer"] {
        let (statuses, gateway) = frozen(integration, 10, "no recovery").await;
        assert_eq!(statuses[0], "403");
        assert_eq!(tries(&gateway)[0], 403, "{integration}");
        assert_eq!(gateway.requests().len(), 2, "{integration}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_freeze_costs_nothing() {
    let (statuses, gateway) = frozen("layer", 4, "").await;
    assert_eq!(statuses, ["200", "200"]);
    assert_eq!(tries(&gateway), [200, 200]);
}
