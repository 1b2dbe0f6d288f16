//! How much memory the process takes while a body goes through an integration in signed chunks to a sink on loopback: as
//! much whatever its length. A test binary of its own, since it looks at the whole process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::convert::Infallible;
use std::fs;
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::time::Instant;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use sigv4_middleware::{
    AwsChunked, ChecksumAlgorithm, Credentials, PayloadMode, SendSigned, SigV4Layer, SigV4Middleware, Signer,
    SignerBuilder,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, ServiceExt};

const MIB: u64 = 1024 * 1024;

/// What the process may grow by.
const ALLOWED: u64 = 16 * MIB;

#[test]
fn memory_is_constant() {
    through_every_integration(256 * MIB);
}

/// `cargo test --release --all-features --test memory -- --ignored --nocapture`
#[test]
#[ignore = "4 GiB through each client"]
fn memory_is_constant_for_4_gib() {
    through_every_integration(4096 * MIB);
}

fn through_every_integration(length: u64) {
    // The process is measured: one at a time.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Once in small, so that what is allocated once is not counted.
    for length in [MIB, length] {
        for integration in ["tower", "reqwest", "blocking"] {
            let (before, started) = (start_measuring(), Instant::now());
            let sent = match integration {
                "tower" => through_tower(length).boxed_local(),
                "reqwest" => through_reqwest(length).boxed_local(),
                _ => through_blocking(length).boxed_local(),
            };
            let received = runtime.block_on(sent);
            let (grown, seconds) = (peak().saturating_sub(before), started.elapsed().as_secs_f64());
            println!(
                "{integration}: {} MiB at {:.0} MiB/s, {} KiB more memory",
                length / MIB,
                (length / MIB) as f64 / seconds,
                grown / 1024
            );
            let overhead = received - length;
            assert!(
                overhead > length / 65_536 * 86 && overhead < length / 500,
                "{overhead} bytes of framing"
            );
            assert!(length == MIB || grown < ALLOWED, "{integration}: grew by {} KiB", grown / 1024);
        }
    }
}

fn signer() -> Signer {
    signing().build().unwrap()
}

fn signing() -> SignerBuilder {
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
    Signer::builder().credentials(credentials).service("s3").region("eu-west-1")
}

fn mode(length: u64) -> PayloadMode {
    let mode = AwsChunked::signed().trailer(ChecksumAlgorithm::Crc64Nvme);
    PayloadMode::AwsChunked(mode.decoded_length(length))
}

/// A body of frames that are each allocated anew, of a size that chunks are not.
fn source(length: u64) -> impl http_body::Body<Data = Bytes, Error = Infallible> + Send + Sync + 'static {
    const FRAME: u64 = 100_000;
    let frames = stream::iter(0..length.div_ceil(FRAME)).map(move |number| {
        let size = FRAME.min(length - number * FRAME);
        Ok(Frame::data(Bytes::from(vec![number as u8; size as usize])))
    });
    StreamBody::new(frames)
}

async fn through_tower(length: u64) -> u64 {
    let (to, sink) = sink().await;
    let service = ServiceBuilder::new()
        .layer(SigV4Layer::new(signer()).map_body(http_body_util::combinators::BoxBody::new))
        .service(Client::builder(TokioExecutor::new()).build_http());
    let request = Request::put(format!("http://{to}/bucket/key")).extension(mode(length));
    let response = service.oneshot(request.body(source(length)).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    response.into_body().collect().await.unwrap();
    sink.await.unwrap()
}

async fn through_reqwest(length: u64) -> u64 {
    let (to, sink) = sink().await;
    let client = sigv4_middleware::reqwest_client().no_proxy().tls_certs_only([]).build().unwrap();
    let client = reqwest_middleware::ClientBuilder::new(client).with(SigV4Middleware::new(signer())).build();
    let request = client.put(format!("http://{to}/bucket/key")).with_extension(mode(length));
    let response = request.body(reqwest::Body::wrap(source(length))).send().await.unwrap();
    assert_eq!(response.status(), 200);
    sink.await.unwrap()
}

async fn through_blocking(length: u64) -> u64 {
    let (to, sink) = sink().await;
    let send = move || {
        let signer = signing().payload_mode(mode(length)).build().unwrap();
        let client = sigv4_middleware::reqwest_blocking_client().no_proxy().tls_certs_only([]);
        let client = client.timeout(None).build().unwrap();
        let request = client.put(format!("http://{to}/bucket/key"));
        request.send_signed_reader(io::repeat(7).take(length), &signer).unwrap().status()
    };
    assert_eq!(tokio::task::spawn_blocking(send).await.unwrap(), 200);
    sink.await.unwrap()
}

/// A server for one request, which reads and forgets its body; gives the bytes it had.
async fn sink() -> (SocketAddr, tokio::task::JoinHandle<u64>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let to = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut buffer = vec![0; 64 * 1024];
        let mut have = 0;
        let end = loop {
            have += socket.read(&mut buffer[have..]).await.unwrap();
            if let Some(end) = buffer[..have].windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
        };
        let head = std::str::from_utf8(&buffer[..end]).unwrap().to_ascii_lowercase();
        assert!(!head.contains("transfer-encoding"), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let length: u64 = length.parse().unwrap();
        let mut received = (have - end - 4) as u64;
        while received < length {
            let read = socket.read(&mut buffer).await.unwrap();
            assert!(read > 0, "the request was cut off");
            received += read as u64;
        }
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
        received
    });
    (to, task)
}

/// Forgets the peak so far; the memory taken now, in bytes.
fn start_measuring() -> u64 {
    fs::write("/proc/self/clear_refs", "5").unwrap();
    status("VmRSS:")
}

/// The most memory taken since, in bytes.
fn peak() -> u64 {
    status("VmHWM:")
}

fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}
