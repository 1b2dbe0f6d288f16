//! Starts the Python side of the tests against servers and signers that nobody here wrote: ministack, and the signers that sign once more.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Once, OnceLock, mpsc},
    thread,
    time::{Duration, Instant},
};

use serde::Deserialize;
use serde_json::Value;

const REQUIREMENTS: &str = "tests/it/interop/requirements.txt";

/// Access keys that ministack knows.
#[derive(Clone, Deserialize)]
pub struct Keys {
    /// `AWS_ACCESS_KEY_ID`
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`
    pub session_token: Option<String>,
}

/// What `start_ministack.py` says it has set up; README.md says how each is called.
#[derive(Deserialize)]
pub struct Setup {
    /// `http://127.0.0.1:PORT`; an object of S3 is `endpoint/bucket/key`.
    pub endpoint: String,
    /// The API's stage, without a slash at its end; sign for `execute-api` in `region`.
    pub api_url: String,
    /// The region to sign for.
    pub region: String,
    /// An empty bucket.
    pub bucket: String,
    /// May do everything; no session token.
    pub user: Keys,
    /// May do nothing.
    pub stranger: Keys,
    /// May assume the role and do nothing else.
    pub assumer: Keys,
    /// What `assumer` may assume.
    pub role_arn: String,
    /// The assumed role that may do everything, with its session token.
    pub session: Keys,
}

/// A running ministack; ends when dropped, and with this process at the latest.
pub struct Ministack {
    /// Where it listens, and what it knows.
    pub setup: Setup,
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Ministack {
    /// Starts a server, or says that this is skipped and returns `None`.
    ///
    /// # Panics
    /// When the server does not come up, or there is no python to start it and `SIGV4_INTEROP_REQUIRED` is set.
    pub fn start() -> Option<Self> {
        let mut child = script("start_ministack.py")?.spawn().expect("python starts");
        let stdin = child.stdin.take();
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let (sender, line) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            stdout.read_line(&mut line).map(|_| sender.send(line)).ok();
        });
        let line = line.recv_timeout(Duration::from_secs(90)).unwrap_or_default();
        let Ok(setup) = serde_json::from_str(&line) else {
            child.kill().ok();
            child.wait().ok();
            panic!("start_ministack.py did not come up; its error output says why. It printed {line:?}");
        };
        Some(Self { setup, child, stdin })
    }

    /// One server for all tests of this process.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Ministack>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }
}

impl Drop for Ministack {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // It removes its files, which takes it a moment.
        let started = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && started.elapsed() < Duration::from_secs(5) {
            thread::sleep(Duration::from_millis(5));
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Signs requests again with botocore and awscrt; `crosscheck.py` says what a line holds and what comes back.
/// `None`, having said so, where this is skipped.
///
/// # Panics
/// When the script fails, or there is no python for it and `SIGV4_INTEROP_REQUIRED` is set.
pub fn crosscheck(lines: &[Value]) -> Option<Vec<Value>> {
    let mut child = script("crosscheck.py")?.spawn().expect("python starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    // Beside the reading: neither pipe holds everything.
    let writer = thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("python ends");
    writer.join().expect("the writer does not panic").expect("crosscheck.py reads everything");
    assert!(output.status.success(), "crosscheck.py: {}", output.status);
    let responses: Vec<Value> = output
        .stdout
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).expect("crosscheck.py prints JSON"))
        .collect();
    assert_eq!(responses.len(), lines.len(), "one response for each line");
    Some(responses)
}

/// The command for a script of `tests/it/interop`, both ends piped; `None` where there is no python for it.
///
/// # Panics
/// When there is no python for it and `SIGV4_INTEROP_REQUIRED` is set.
pub fn script(name: &str) -> Option<Command> {
    let mut command = Command::new(python()?);
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../it/interop").join(name))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    Some(command)
}

/// The python that has what `requirements.txt` lists: the one that is named, or `python3`.
fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = PYTHON.get_or_init(|| match std::env::var_os("SIGV4_INTEROP_PYTHON") {
        Some(named) => {
            let named = PathBuf::from(named);
            assert!(
                able(&named),
                "SIGV4_INTEROP_PYTHON is {named:?}, which lacks a package of {REQUIREMENTS}"
            );
            Some(named)
        }
        None => Some(PathBuf::from("python3")).filter(|python| able(python)),
    });
    if found.is_none() {
        let how = format!("install {REQUIREMENTS} and set SIGV4_INTEROP_PYTHON to that python");
        let required = std::env::var_os("SIGV4_INTEROP_REQUIRED").is_some_and(|value| !value.is_empty());
        assert!(!required, "SIGV4_INTEROP_REQUIRED is set and there is no python with ministack: {how}");
        static SAID: Once = Once::new();
        // Not by `eprintln!`, which the test runner keeps to itself.
        SAID.call_once(|| {
            writeln!(std::io::stderr(), "skipped: tests against ministack; {how}").unwrap_or(())
        });
    }
    found.as_deref()
}

fn able(python: &Path) -> bool {
    let mut command = Command::new(python);
    command.args(["-c", "import awscrt, botocore, cryptography, ministack"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
