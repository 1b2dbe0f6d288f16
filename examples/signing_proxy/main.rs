//! A reverse proxy that signs what passes through it, for programs that cannot sign themselves.
//!
//!     export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… AWS_SESSION_TOKEN=…
//!     cargo run --example signing_proxy -- --upstream https://….execute-api.eu-west-1.amazonaws.com
//!     curl http://127.0.0.1:8080/prod/orders
//!     cargo run --example signing_proxy -- --help
//!
//! Whoever reaches it has the power of its credentials. It listens on loopback unless told otherwise.

mod args;
mod headers;
mod metrics;
mod policy;
mod proxy;
mod refusal;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use clap::Parser;
use http::{Request, Response};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use sigv4_middleware::{BoxError, BuildError, SigV4Layer, Signer};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower::ServiceBuilder;
use tower::util::BoxCloneSyncService;

use args::Args;
use metrics::Metrics;

/// What answers a request: the upstream, with everything on the way to it.
type Upstream = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("signing_proxy: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), BoxError> {
    let signer = signer(&args)?;
    // What could never be signed is found out now, not by the first request.
    let (mut parts, ()) = Request::get(args.upstream.root()?).body(())?.into_parts();
    signer.sign(&mut parts, "").await?;

    let metrics = Arc::new(Metrics::default());
    let app = proxy::router(&args, upstream(&args, signer)?, Arc::clone(&metrics));
    let (listener, address) = listen(args.listen).await?;
    println!("listening on http://{address}");
    let (stop, stopping) = watch::channel(false);
    let mut servers = tokio::task::JoinSet::new();
    servers.spawn(serve(listener, app, stopping.clone()));
    if let Some(at) = args.metrics {
        let (listener, address) = listen(at).await?;
        println!("metrics on http://{address}/metrics");
        servers.spawn(serve(listener, metrics::router(metrics), stopping));
    }

    tokio::select! {
        () = signalled() => {}
        // Neither server ends by itself.
        Some(ended) = servers.join_next() => return Ok(ended??),
    }
    println!("finishing the requests in flight");
    stop.send_replace(true);
    let drained = async {
        while let Some(ended) = servers.join_next().await {
            ended??;
        }
        Ok::<_, BoxError>(())
    };
    let within = Duration::from_secs(args.drain);
    tokio::time::timeout(within, drained).await.map_err(|_| "requests in flight did not end in time")?
}

/// Signs with the credentials and the region of the environment, for one upstream only.
fn signer(args: &Args) -> Result<Signer, BuildError> {
    // A service or region on the command line is meant, whatever the host's name says.
    let mut builder = Signer::builder().credentials_from_env().scope_overrides_host(true);
    if let Some(service) = &args.service {
        builder = builder.service(service.clone());
    }
    if let Some(region) = &args.region {
        builder = builder.region(region.clone());
    }
    if args.upstream.is_https() || args.allow_http {
        builder = builder.allow_origin(args.upstream.as_str());
    }
    // Request bodies are held in memory, up to the limit, and hashed: the default payload mode, right for every
    // service. A mode that streams, for uploads to S3, would be said here: `.payload_mode(…)`.
    builder.body_limit(args.body_limit).build()
}

/// The client that everything is sent by. It follows no redirects: those are the caller's to see.
fn upstream(args: &Args, signer: Signer) -> Result<Upstream, BoxError> {
    let connector = HttpsConnectorBuilder::new().with_native_roots()?.https_or_http().enable_all_versions();
    let client = Client::builder(TokioExecutor::new()).build(connector.build());
    let service = ServiceBuilder::new()
        .map_response(|response: Response<_>| response.map(Body::new))
        .map_err(BoxError::from)
        .layer(SigV4Layer::new(signer))
        // Beneath the signer: the time that a body takes to arrive is not the upstream's.
        .timeout(Duration::from_secs(args.timeout))
        .service(client);
    Ok(Upstream::new(service))
}

async fn listen(at: SocketAddr) -> Result<(TcpListener, SocketAddr), BoxError> {
    let listener = TcpListener::bind(at).await.map_err(|error| format!("cannot listen on {at}: {error}"))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn serve(listener: TcpListener, app: Router, mut stop: watch::Receiver<bool>) -> std::io::Result<()> {
    let stopped = async move {
        // An error: the sender is gone, and so is the program.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    axum::serve(listener, app).with_graceful_shutdown(stopped).await
}

/// SIGINT or, where there is such a thing, SIGTERM.
async fn signalled() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                () = interrupted => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    interrupted.await;
}
