//! Uploads a file of any size to S3 or a compatible store, in constant memory, and downloads it again by a presigned
//! URL.
//!
//! ```console
//! $ cargo run --release -p s3-upload -- FILE https://BUCKET.s3.eu-west-1.amazonaws.com/KEY
//! $ cargo run --release -p s3-upload -- FILE
//! ```
//!
//! The first takes credentials and region from the environment. The second starts a store on loopback, s3s-fs, which
//! verifies the signature of every chunk (`cargo install s3s-fs --features binary`).
//!
//! The file is sent in chunks that are signed one by one, with a CRC-64 after the last (`aws-chunked`), so that only
//! its length has to be known beforehand.

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
    /// The object to upload to: https://BUCKET.s3.REGION.amazonaws.com/KEY, or an object of a compatible store
    url: Option<reqwest::Url>,
    /// The region, if it cannot be inferred from the host and is not AWS_REGION
    #[arg(long)]
    region: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = tokio::select! {
        outcome = run(arguments) => outcome,
        // Drops the future, and stops the store with it.
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let chain = std::iter::successors(Some(error.as_ref()), |&error| error.source());
            let mut texts: Vec<String> = chain.map(ToString::to_string).collect();
            // Some errors show their cause's text as their own.
            texts.dedup();
            let error = texts.join("\n  because: ");
            eprintln!("error: {error}");
            if error.contains(".region(") {
                eprintln!("this program sets it by --region, or by AWS_REGION");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    // Fails before a store is started.
    open(&arguments.file).await?;
    let (builder, url, _store) = match arguments.url {
        Some(url) => (signer_for(&url, arguments.region)?, url, None),
        None => {
            let store = Store::start()?;
            (store.signer(), store.object(), Some(store))
        }
    };
    let signer = builder.build()?;
    upload(&signer, &arguments.file, url.clone()).await?;
    let downloaded = download(&signer, url).await?;
    if downloaded != digest(&arguments.file).await? {
        return Err("the downloaded file differs from the uploaded one".into());
    }
    println!("the same {} bytes came back", downloaded.0);
    Ok(())
}

fn signer_for(url: &reqwest::Url, region: Option<String>) -> Result<SignerBuilder, Box<dyn Error>> {
    let mut builder = Signer::builder().credentials_from_env().service("s3").scope_overrides_host(true);
    if let Some(region) = region {
        builder = builder.region(region);
    }
    // A store that is named on the command line is allowed.
    Ok(builder.allow_origin(url.origin().ascii_serialization()))
}

async fn upload(signer: &Signer, path: &Path, url: reqwest::Url) -> Result<(), Box<dyn Error>> {
    let file = open(path).await?;
    let length = file.metadata().await?.len();
    let bar = progress("upload", length);
    let read_bar = bar.clone();
    let body = ReaderStream::with_capacity(file, 64 * 1024)
        .inspect_ok(move |bytes| read_bar.inc(bytes.len() as u64));

    let client = ClientBuilder::new(sigv4_middleware::reqwest_client().build()?)
        .with(SigV4Middleware::new(signer.clone()))
        .build();
    let chunks = AwsChunked::signed().trailer(ChecksumAlgorithm::Crc64Nvme).decoded_length(length);
    let response = client
        .put(url)
        .with_extension(PayloadMode::AwsChunked(chunks))
        .body(reqwest::Body::wrap_stream(body))
        .send()
        .await
        .map_err(reqwest_middleware::Error::without_url)?;
    bar.finish();
    error_for_status(response).await?;
    Ok(())
}

/// Length and SHA-256.
type FileDigest = (u64, [u8; 32]);

async fn download(signer: &Signer, url: reqwest::Url) -> Result<FileDigest, Box<dyn Error>> {
    let presigned =
        signer.presign(&http::Method::GET, &url.as_str().parse()?, Duration::from_secs(300)).await?;
    // Any client can use the URL, as this one that signs nothing. Whoever has the URL can download the object until it
    // expires, so errors leave it out.
    let response = reqwest::get(presigned.to_string()).await.map_err(reqwest::Error::without_url)?;
    let mut response = error_for_status(response).await?;
    let bar = progress("download", response.content_length().unwrap_or_default());
    let (mut length, mut hasher) = (0, Sha256::new());
    while let Some(bytes) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        length += bytes.len() as u64;
        hasher.update(&bytes);
        bar.inc(bytes.len() as u64);
    }
    bar.finish();
    Ok((length, hasher.finalize().into()))
}

async fn digest(path: &Path) -> Result<FileDigest, Box<dyn Error>> {
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

/// Fails with the status and S3's code and message, unless the status is a success.
///
/// The rest of S3's error is left out, as it may contain the URL's query.
async fn error_for_status(response: reqwest::Response) -> Result<reqwest::Response, Box<dyn Error>> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.text().await.map_err(reqwest::Error::without_url)?;
    let element = |start, end| body.split_once(start)?.1.split_once(end).map(|(text, _)| text);
    let code = element("<Code>", "</Code>").unwrap_or("no error code");
    let message = element("<Message>", "</Message>").unwrap_or("no message");
    Err(format!("{status}: {code}: {message}").into())
}

/// A progress bar, which is drawn only on a terminal.
fn progress(what: &'static str, length: u64) -> ProgressBar {
    let style = "{prefix:>8} {bar:40} {bytes}/{total_bytes} {bytes_per_sec}";
    let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style).with_prefix(what)
}

/// An s3s-fs on loopback with one bucket; dropping it stops the server and removes its files.
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
        let root = std::env::temp_dir().join(format!("s3-upload-{}", std::process::id()));
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
                    "s3s-fs cannot be started ({error}): run `cargo install s3s-fs --features binary`, or give a URL to \
                     upload to"
                )
            })?;
        let store = Self { server, port, root };
        for _ in 0..1000 {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(store);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err("s3s-fs did not start listening within 10 seconds".into())
    }

    fn signer(&self) -> SignerBuilder {
        let credentials = Credentials::new(KEY_ID, SECRET, None, None, "s3-upload");
        Signer::builder().credentials(credentials).service("s3").region("us-east-1")
    }

    #[expect(clippy::unwrap_used, reason = "a constant apart from the port")]
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
