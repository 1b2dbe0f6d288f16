//! s3s-fs, an S3 server that verifies every chunk and every form.

use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use crate::{KEY, SECRET};

/// The bucket that the server has.
const BUCKET: &str = "bucket";

/// A running s3s-fs; ends when dropped.
pub struct S3s {
    child: Child,
    port: u16,
    root: PathBuf,
}

impl S3s {
    /// Starts a server of one test's own, or says that this is skipped and returns `None`. It knows the access key
    /// [`KEY`], without a session token.
    ///
    /// # Panics
    /// When it does not come up, or there is none and `SIGV4_INTEROP_REQUIRED` is set.
    pub fn start(test: &str) -> Option<Self> {
        let binary = binary()?;
        let root = std::env::temp_dir().join(format!("sigv4-s3s-{test}-{}", std::process::id()));
        std::fs::create_dir_all(root.join(BUCKET)).unwrap();
        // Free a moment ago.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut command = Command::new(binary);
        command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        command.args(["--access-key", KEY, "--secret-key", SECRET]).arg(&root);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("s3s-fs starts");
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(30), "s3s-fs does not come up");
            std::thread::sleep(Duration::from_millis(2));
        }
        Some(Self { child, port, root })
    }

    /// The URL of an object; of the bucket, and a slash, for an empty key.
    pub fn url(&self, key: &str) -> String {
        format!("http://127.0.0.1:{}/{BUCKET}/{key}", self.port)
    }

    /// What the server has stored.
    pub fn stored(&self, key: &str) -> Option<Vec<u8>> {
        std::fs::read(self.root.join(BUCKET).join(key)).ok()
    }

    /// Removes what the server has stored.
    ///
    /// # Panics
    /// If there is nothing.
    pub fn remove(&self, key: &str) {
        std::fs::remove_file(self.root.join(BUCKET).join(key)).unwrap();
    }
}

impl Drop for S3s {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        std::fs::remove_dir_all(&self.root).ok();
    }
}

fn binary() -> Option<PathBuf> {
    let named = std::env::var_os("SIGV4_S3S_FS").map(PathBuf::from);
    if named.is_none() {
        let how =
            "cargo install s3s-fs --version 0.14.1 --features binary --locked, and set SIGV4_S3S_FS to it";
        let required = std::env::var_os("SIGV4_INTEROP_REQUIRED").is_some_and(|value| !value.is_empty());
        assert!(!required, "SIGV4_INTEROP_REQUIRED is set and SIGV4_S3S_FS is not: {how}");
        static SAID: Once = Once::new();
        SAID.call_once(|| writeln!(io::stderr(), "skipped: tests against s3s-fs; {how}").unwrap_or(()));
    }
    named
}
