//! How fast a body is sent in signed chunks: its throughput over that of SHA-256 alone, which reads the same bytes.
//!
//! `frames` is the layer above a service that drops what it is given: what the crate itself costs. The clients send to
//! a sink on loopback, where writing to a socket comes on top; `plain-hyper` and `plain-reqwest` do only that.

use std::convert::Infallible;
use std::error::Error;
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Instant;

use aws_credential_types::Credentials;
use bytes::Bytes;
use clap::Parser;
use futures_util::stream;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use serde_json::json;
use sha2::{Digest, Sha256};
use sigv4_bench::cases::{ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY};
use sigv4_bench::report::{self, Rounds};
use sigv4_middleware::{
    AwsChunked, ChecksumAlgorithm, PayloadMode, SigV4, SigV4Layer, SigV4Middleware, SignedBody, Signer,
};
use tower::{Layer, Service, ServiceExt, service_fn};

type BoxError = Box<dyn Error + Send + Sync>;

const MIB: usize = 1024 * 1024;
const FRAME: usize = 64 * 1024;
const SUBJECTS: [&str; 7] =
    ["sha256", "frames", "frames-crc64", "hyper", "plain-hyper", "reqwest", "plain-reqwest"];

/// Measures the throughput of bodies in signed chunks, and writes docs/chunked.json.
#[derive(Parser)]
struct Options {
    /// A tenth of the rounds; writes no file.
    #[arg(long)]
    quick: bool,
    /// Size of a body in MiB.
    #[arg(long, default_value_t = 64)]
    size: usize,
}

/// The body: frames of a buffer that is there already, so that making them costs nothing.
#[derive(Clone)]
struct Source(Bytes);

impl Source {
    fn frames(&self) -> impl Iterator<Item = Bytes> + Send + Sync + use<> {
        let bytes = self.0.clone();
        (0..bytes.len()).step_by(FRAME).map(move |at| bytes.slice(at..bytes.len().min(at + FRAME)))
    }

    fn body(&self) -> impl Body<Data = Bytes, Error = Infallible> + Send + Sync + Unpin + 'static + use<> {
        StreamBody::new(stream::iter(self.frames().map(|frame| Ok(Frame::data(frame)))))
    }

    fn mode(&self, chunks: AwsChunked) -> PayloadMode {
        PayloadMode::AwsChunked(chunks.decoded_length(self.0.len() as u64))
    }

    async fn through<S, B, E>(
        &self,
        mut client: S,
        url: &str,
        chunks: Option<AwsChunked>,
    ) -> Result<(), BoxError>
    where
        S: Service<Request<BoxedBody>, Response = Response<B>, Error = E>,
        B: Body<Error: Into<BoxError>>,
        E: Into<BoxError>,
    {
        let mut request = Request::put(url);
        request = match chunks {
            Some(chunks) => request.extension(self.mode(chunks)),
            None => request.header("content-length", self.0.len()),
        };
        let request = request.body(BoxedBody::new(self.body()))?;
        let response = client.ready().await.map_err(Into::into)?.call(request).await.map_err(Into::into)?;
        accepted(response.status())?;
        response.into_body().collect().await.map_err(Into::into)?;
        Ok(())
    }

    async fn through_reqwest(
        &self,
        client: &ClientWithMiddleware,
        url: &str,
        signed: bool,
    ) -> Result<(), BoxError> {
        let mut request = client.put(url);
        request = if signed {
            request.with_extension(self.mode(AwsChunked::signed()))
        } else {
            request.header("content-length", self.0.len())
        };
        let response = request.body(reqwest::Body::wrap(self.body())).send().await?;
        accepted(response.status())?;
        response.bytes().await?;
        Ok(())
    }
}

type BoxedBody = http_body_util::combinators::BoxBody<Bytes, Infallible>;

fn accepted(status: http::StatusCode) -> Result<(), BoxError> {
    if status.is_success() { Ok(()) } else { Err(format!("the sink responds with {status}").into()) }
}

type KeepBody = fn(SignedBody<BoxedBody>) -> SignedBody<BoxedBody>;

/// All that is measured, set up.
struct Bench {
    source: Source,
    url: String,
    signer: Signer,
    hyper: Client<HttpConnector, BoxedBody>,
    signed_hyper: SigV4<Client<HttpConnector, SignedBody<BoxedBody>>, KeepBody>,
    reqwest: ClientWithMiddleware,
    signed_reqwest: ClientWithMiddleware,
}

impl Bench {
    fn new(size: usize, url: String) -> Result<Self, BoxError> {
        let credentials = Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY, None, None, "bench");
        let signer = Signer::builder().credentials(credentials).service("s3").region(REGION).build()?;
        let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        let reqwest = || sigv4_middleware::reqwest_client().build().map(ClientBuilder::new);
        let hyper = Client::builder(TokioExecutor::new());
        // As reqwest's.
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Ok(Self {
            source: Source(Bytes::from(bytes)),
            url,
            hyper: hyper.build(connector.clone()),
            signed_hyper: layer(&signer).layer(hyper.build(connector)),
            reqwest: reqwest()?.build(),
            signed_reqwest: reqwest()?.with(SigV4Middleware::new(signer.clone())).build(),
            signer,
        })
    }

    /// Sends the body once.
    async fn run(&self, subject: &str) -> Result<(), BoxError> {
        let (source, url) = (&self.source, self.url.as_str());
        let forgetting = || layer(&self.signer).layer(service_fn(forget));
        match subject {
            "sha256" => {
                let mut hasher = Sha256::new();
                source.frames().for_each(|frame| hasher.update(&frame));
                black_box(hasher.finalize());
                Ok(())
            }
            "frames" => source.through(forgetting(), url, Some(AwsChunked::signed())).await,
            "frames-crc64" => {
                let chunks = AwsChunked::signed().trailer(ChecksumAlgorithm::Crc64Nvme);
                source.through(forgetting(), url, Some(chunks)).await
            }
            "hyper" => source.through(self.signed_hyper.clone(), url, Some(AwsChunked::signed())).await,
            "plain-hyper" => source.through(self.hyper.clone(), url, None).await,
            "reqwest" => source.through_reqwest(&self.signed_reqwest, url, true).await,
            "plain-reqwest" => source.through_reqwest(&self.reqwest, url, false).await,
            _ => Err(format!("no subject {subject}").into()),
        }
    }
}

/// Streams bodies in chunks to a client of this body type.
fn layer(signer: &Signer) -> SigV4Layer<KeepBody> {
    SigV4Layer::new(signer.clone()).map_body(std::convert::identity as KeepBody)
}

/// A service that reads a signed body and forgets it.
async fn forget(request: Request<SignedBody<BoxedBody>>) -> Result<Response<Full<Bytes>>, BoxError> {
    let mut body = request.into_body();
    while let Some(frame) = body.frame().await {
        black_box(frame?);
    }
    Ok(Response::default())
}

/// Reads requests and forgets them, each connection in a thread of its own.
fn sink() -> std::io::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let url = format!("http://{}/bucket/key", listener.local_addr()?);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || swallow(stream));
        }
    });
    Ok(url)
}

fn swallow(mut stream: TcpStream) -> Option<()> {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let mut have = 0;
        let head = loop {
            have += Some(stream.read(buffer.get_mut(have..)?).ok()?).filter(|read| *read > 0)?;
            if let Some(end) = buffer[..have].windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
        };
        let text = std::str::from_utf8(&buffer[..head]).ok()?.to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "))?;
        let mut missing = length.parse::<usize>().ok()?.checked_sub(have - head - 4)?;
        while missing > 0 {
            let room = missing.min(buffer.len());
            missing -= Some(stream.read(&mut buffer[..room]).ok()?).filter(|read| *read > 0)?;
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()?;
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), BoxError> {
    let options = Options::parse();
    let bench = Bench::new(options.size * MIB, sink()?)?;
    let mut rounds = Rounds::new("chunked", "one body in signed chunks of 64 KiB", &SUBJECTS);
    for subject in SUBJECTS {
        bench.run(subject).await?;
    }
    for turn in 0..if options.quick { 3 } else { 30 } {
        for at in 0..SUBJECTS.len() {
            let at = (at + turn) % SUBJECTS.len();
            let start = Instant::now();
            bench.run(SUBJECTS[at]).await?;
            rounds.subjects[at].1.push(start.elapsed().as_nanos() as f64);
        }
    }
    println!("{:<14} {:>12} {:>24}", "subject", "median MiB/s", "throughput over SHA-256's");
    for subject in SUBJECTS {
        let speed = options.size as f64 / rounds.median(subject) * 1e9;
        println!("{subject:<14} {speed:>12.0} {:>24.3}", rounds.ratio("sha256", subject));
    }
    // One task hashes and writes: it can be no faster than the one after the other.
    for (client, plain) in [("hyper", "plain-hyper"), ("reqwest", "plain-reqwest")] {
        let in_turn = 1.0 / (1.0 + 1.0 / rounds.ratio("sha256", plain));
        println!("{client}: hashing and sending in turn would make {in_turn:.3}");
    }
    if options.quick {
        return Ok(());
    }
    let figures = json!({
        "machine": report::machine(),
        "unit": format!("nanoseconds for one body of {} MiB; ratio is SHA-256's time over the subject's", options.size),
        "cases": [rounds.json("sha256")],
    });
    report::write_figures("chunked", &figures).map_err(|error| error.to_string().into())
}
