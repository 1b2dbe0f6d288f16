//! Uploads a file of any size to S3 or a compatible store, in memory that does not grow with it, and downloads it
//! again through a presigned URL.
//!
//! ```console
//! $ cargo run --release --example s3_upload -- FILE https://BUCKET.s3.eu-west-1.amazonaws.com/KEY
//! $ cargo run --release --example s3_upload -- FILE
//! ```
//!
//! The first takes credentials and region from the environment. The second starts a store of its own on loopback,
//! s3s-fs, which verifies the signature of every chunk (`cargo install s3s-fs --features binary`).
//!
//! The file is sent in chunks that are signed one by one, with a CRC-64 after the last (`aws-chunked`), so that nothing
//! has to be known of it beforehand but its length.

use std::error::Error;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use clap::Parser;
use futures_util::TryStreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest_middleware::ClientBuilder;
use sha2::{Digest, Sha256};
use sigv4_middleware::{
    AwsChunked, ChecksumAlgorithm, Credentials, PayloadMode, SigV4Middleware, Signer, SignerBuilder,
};
use tokio_util::io::ReaderStream;

#[derive(Parser)]
#[command(about = "Upload a file to S3 in signed chunks, and download it by a presigned URL")]
struct Arguments {
    /// The file to upload
    file: PathBuf,
    /// Where to: https://BUCKET.s3.REGION.amazonaws.com/KEY, or an object of a compatible store
    url: Option<reqwest::Url>,
    /// The region of a store whose host does not tell it
    #[arg(long)]
    region: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = tokio::select! {
        done = run(arguments) => done,
        // Dropped, and the store with it.
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    // Before a store is started for it.
    open(&arguments.file).await?;
    let (builder, url, _store) = match arguments.url {
        Some(url) => (to_url(&url, arguments.region)?, url, None),
        None => {
            let store = Store::start()?;
            (store.signer(), store.object(), Some(store))
        }
    };
    let signer = builder.build()?;
    upload(&signer, &arguments.file, url.clone()).await?;
    let received = download(&signer, url).await?;
    if received != digested(&arguments.file).await? {
        return Err("what came back is not what was sent".into());
    }
    println!("the same {} bytes came back", received.0);
    Ok(())
}

fn to_url(url: &reqwest::Url, region: Option<String>) -> Result<SignerBuilder, Box<dyn Error>> {
    let mut builder = Signer::builder().credentials_from_env().service("s3").scope_overrides_host(true);
    if let Some(region) = region {
        builder = builder.region(region);
    }
    // Whoever names a store on the command line means it to be signed for.
    Ok(builder.allow_origin(url.origin().ascii_serialization()))
}

async fn upload(signer: &Signer, path: &Path, url: reqwest::Url) -> Result<(), Box<dyn Error>> {
    let file = open(path).await?;
    let length = file.metadata().await?.len();
    let bar = progress("upload", length);
    let read = bar.clone();
    let body =
        ReaderStream::with_capacity(file, 64 * 1024).inspect_ok(move |bytes| read.inc(bytes.len() as u64));

    let client = ClientBuilder::new(sigv4_middleware::reqwest_client().build()?)
        .with(SigV4Middleware::new(signer.clone()))
        .build();
    let chunks = AwsChunked::signed().trailer(ChecksumAlgorithm::Crc64Nvme).decoded_length(length);
    let answer = client
        .put(url)
        .with_extension(PayloadMode::AwsChunked(chunks))
        .body(reqwest::Body::wrap_stream(body))
        .send()
        .await?;
    bar.finish();
    succeeded(answer).await?;
    Ok(())
}

/// Length and SHA-256.
type Digested = (u64, [u8; 32]);

async fn download(signer: &Signer, url: reqwest::Url) -> Result<Digested, Box<dyn Error>> {
    let presigned =
        signer.presign(&http::Method::GET, &url.as_str().parse()?, Duration::from_secs(300)).await?;
    // Any client can use the URL: this one knows nothing of signatures.
    let mut answer = succeeded(reqwest::get(presigned.to_string()).await?).await?;
    let bar = progress("download", answer.content_length().unwrap_or_default());
    let (mut length, mut hasher) = (0, Sha256::new());
    while let Some(bytes) = answer.chunk().await? {
        length += bytes.len() as u64;
        hasher.update(&bytes);
        bar.inc(bytes.len() as u64);
    }
    bar.finish();
    Ok((length, hasher.finalize().into()))
}

async fn digested(path: &Path) -> Result<Digested, Box<dyn Error>> {
    let mut bytes = ReaderStream::with_capacity(open(path).await?, 64 * 1024);
    let (mut length, mut hasher) = (0, Sha256::new());
    while let Some(bytes) = bytes.try_next().await? {
        length += bytes.len() as u64;
        hasher.update(&bytes);
    }
    Ok((length, hasher.finalize().into()))
}

async fn open(path: &Path) -> Result<tokio::fs::File, String> {
    tokio::fs::File::open(path).await.map_err(|error| format!("{}: {error}", path.display()))
}

async fn succeeded(answer: reqwest::Response) -> Result<reqwest::Response, Box<dyn Error>> {
    if answer.status().is_success() {
        return Ok(answer);
    }
    Err(format!("{}: {}", answer.status(), answer.text().await?).into())
}

/// A bar on a terminal; nothing elsewhere.
fn progress(what: &'static str, length: u64) -> ProgressBar {
    let style = "{prefix:>8} {bar:40} {bytes}/{total_bytes} {bytes_per_sec}";
    let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style).with_prefix(what)
}

/// An s3s-fs on loopback, with a bucket of its own; gone when dropped.
struct Store {
    server: Child,
    port: u16,
    root: PathBuf,
}

const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

impl Store {
    fn start() -> Result<Self, Box<dyn Error>> {
        let program = std::env::var_os("SIGV4_S3S_FS").unwrap_or_else(|| "s3s-fs".into());
        let root = std::env::temp_dir().join(format!("s3_upload-{}", std::process::id()));
        std::fs::create_dir_all(root.join("bucket"))?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let server = Command::new(program)
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .args(["--access-key", KEY_ID, "--secret-key", SECRET])
            .arg(&root)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| {
                std::fs::remove_dir_all(&root).ok();
                format!(
                    "s3s-fs: {error}; `cargo install s3s-fs --features binary`, or name a URL to upload to"
                )
            })?;
        let store = Self { server, port, root };
        for _ in 0..1000 {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(store);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err("s3s-fs does not come up".into())
    }

    fn signer(&self) -> SignerBuilder {
        let credentials = Credentials::new(KEY_ID, SECRET, None, None, "s3_upload");
        Signer::builder().credentials(credentials).service("s3").region("us-east-1")
    }

    #[expect(clippy::unwrap_used, reason = "a constant but for its number")]
    fn object(&self) -> reqwest::Url {
        format!("http://127.0.0.1:{}/bucket/object", self.port).parse().unwrap()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
        std::fs::remove_dir_all(&self.root).ok();
    }
}
