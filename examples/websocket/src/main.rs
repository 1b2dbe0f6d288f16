//! Opens a web socket by a presigned URL: the signature is in the URL, so any client can make the handshake.
//!
//! `cargo run -p websocket` starts a server on loopback that accepts only signed handshakes, and opens a socket
//! there without and with a signature.
//!
//! `cargo run -p websocket -- wss://….execute-api.….amazonaws.com/stage [MESSAGE]` opens one at a real API,
//! with the credentials and the region of the environment, and prints messages until the socket is closed. The service's
//! signing name follows the message if it cannot be inferred from the host, as with a domain of your own.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::header::{CONTENT_TYPE, HOST};
use http::uri::Authority;
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sigv4_middleware::{BoxError, Credentials, IamGateway, Signer};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::server::create_response;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const USAGE: &str = "usage: websocket [URL [MESSAGE [SERVICE]]]";

/// Long enough to open the socket, which stays open when the URL has expired.
const EXPIRES_IN: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> ExitCode {
    // TLS by ring, whatever else the program is built with. Fails only if another was installed before.
    rustls::crypto::ring::default_provider().install_default().ok();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [] => on_loopback().await,
        [option, ..] if option.starts_with('-') => Err(USAGE.into()),
        [url] => at_real_endpoint(url, None, None).await,
        [url, message] => at_real_endpoint(url, Some(message), None).await,
        [url, message, service] => at_real_endpoint(url, Some(message), Some(service)).await,
        _ => Err(USAGE.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let chain = std::iter::successors(error.source(), |&error| error.source());
            let causes: String = chain.map(|cause| format!("\n  because: {cause}")).collect();
            eprintln!("error: {error}{causes}");
            if sigv4_middleware::Error::find(error.as_ref()).is_some() {
                eprintln!("here, the service follows the message, and AWS_REGION is the region: {USAGE}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn at_real_endpoint(url: &str, message: Option<&str>, service: Option<&str>) -> Result<(), BoxError> {
    // Errors leave out the query, as it may hold secrets.
    let without_query = url.split('?').next().unwrap_or_default();
    let url: Uri = url.parse().map_err(|error| format!("{without_query} is not a URL: {error}"))?;
    // Service and region are inferred from AWS's hosts: API Gateway's web sockets, and AWS IoT's MQTT at `/mqtt`.
    let mut builder = Signer::builder().credentials_from_env();
    if let (Some(service), Some(host)) = (service, url.host()) {
        // A domain of your own needs the service, and has to be allowed.
        builder = builder.service(service.to_owned()).allow_host(host);
    }
    let signer = builder.build()?;
    let mut socket = open(signer.presign(&Method::GET, &url, EXPIRES_IN).await?).await?;
    if let Some(message) = message {
        socket.send(Message::text(message)).await?;
    }
    while let Some(message) = socket.next().await {
        println!("< {}", message?);
    }
    Ok(())
}

/// Fails unless the server refuses the unsigned handshake and accepts the signed one.
async fn on_loopback() -> Result<(), BoxError> {
    let role =
        Credentials::new("ASIAIOSFODNN7EXAMPLE", "secret", Some("EXAMPLETOKEN".to_owned()), None, "role");
    let region = "ap-northeast-1";
    let gateway = IamGateway::builder().credentials(role.clone()).region(region).start().await?;
    let url = serve(gateway).await?;
    // The service is configured as it cannot be inferred from 127.0.0.1.
    let signer = Signer::builder().credentials(role).service("execute-api").region(region).build()?;

    let server = url.authority().map(Authority::as_str).unwrap_or_default();
    println!(
        "A server of web sockets listens on ws://{server} until this program ends. It accepts signed handshakes.\n"
    );

    println!("unsigned: refused");
    if open(url.clone()).await.is_ok() {
        return Err("the server accepted an unsigned handshake".into());
    }

    println!("\npresigned: opened");
    let mut socket = open(signer.presign(&Method::GET, &url, EXPIRES_IN).await?).await?;
    for sent in ["hello", "and again"] {
        socket.send(Message::text(sent)).await?;
        let received = socket.next().await.ok_or("the server closed the socket")??;
        println!("  > {sent}\n  < {received}");
    }
    socket.close(None).await?;

    println!("\nNext: open a socket of your own, with credentials in AWS_ACCESS_KEY_ID and the like:");
    println!("  cargo run -p websocket -- wss://….execute-api.….amazonaws.com/stage [MESSAGE]");
    println!(
        "and presign the URL in your program as examples/websocket/src/main.rs does, by `Signer::presign`."
    );
    Ok(())
}

/// Opens a socket. The query is not printed: whoever has a presigned URL can use it until it expires.
async fn open(url: Uri) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, BoxError> {
    println!("  > GET {}", url.path());
    match connect_async(url).await {
        Ok((socket, response)) => {
            println!("  < {}", response.status());
            Ok(socket)
        }
        Err(Error::Http(refusal)) => {
            println!("  < {}", refusal.status());
            let body = refusal.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            println!("  < {body}");
            Err(format!("the server refused the handshake: {} {body}", refusal.status()).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Starts a server of echoing web sockets for requests that the gateway accepts, and returns its URL.
async fn serve(gateway: IamGateway) -> Result<Uri, BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("ws://{}/chat?room=1", listener.local_addr()?).parse()?;
    let gateway = Arc::new(gateway);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let gateway = Arc::clone(&gateway);
            let service = service_fn(move |request| handshake(Arc::clone(&gateway), request));
            let http = hyper::server::conn::http1::Builder::new();
            tokio::spawn(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
        }
    });
    Ok(url)
}

/// Responds to a handshake with the gateway's refusal, or accepts it.
async fn handshake(
    gateway: Arc<IamGateway>,
    mut request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, BoxError> {
    // The gateway has no web sockets. It verifies a request with the same target and Host, which are all that the
    // signature of a presigned handshake covers.
    let target = request.uri().path_and_query().ok_or("the request has no path")?;
    let request_to_verify = Request::get(format!("{}{target}", gateway.url()));
    let host = request.headers().get(HOST).ok_or("the request has no Host")?;
    let request_to_verify = request_to_verify.header(HOST, host).body(Empty::<Bytes>::new())?;
    let response = Client::builder(TokioExecutor::new()).build_http().request(request_to_verify).await?;
    if !response.status().is_success() {
        let (mut head, body) = response.into_parts();
        let content_type = head.headers.remove(CONTENT_TYPE);
        head.headers = content_type.map(|value| (CONTENT_TYPE, value)).into_iter().collect();
        return Ok(Response::from_parts(head, Full::new(body.collect().await?.to_bytes())));
    }
    tokio::spawn(echo(hyper::upgrade::on(&mut request)));
    let accepted = create_response(&request.map(drop))?;
    Ok(accepted.map(|()| Full::default()))
}

async fn echo(upgrade: hyper::upgrade::OnUpgrade) -> Result<(), BoxError> {
    let stream = TokioIo::new(upgrade.await?);
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}
