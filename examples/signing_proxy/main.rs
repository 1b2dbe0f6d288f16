//! A reverse proxy that signs every request, for programs that cannot sign requests themselves.
//!
//!     export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… AWS_SESSION_TOKEN=…
//!     cargo run --example signing_proxy -- --upstream https://….execute-api.eu-west-1.amazonaws.com
//!     curl http://127.0.0.1:8080/prod/orders
//!     cargo run --example signing_proxy -- --help
//!
//! Whoever can connect to it makes requests with its credentials. It listens on loopback unless `--expose` is given,
//! and refuses the requests of web pages unless `--allow-origin` names their origin.

mod advice;
mod args;
mod guard;
mod headers;
mod host_port;
mod metrics;
mod policy;
mod proxy;
mod refusal;
#[path = "../shared/advice.rs"]
mod shared;

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
use sigv4_middleware::{BoxError, SigV4Layer, Signer};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower::ServiceBuilder;
use tower::util::BoxCloneSyncService;

use args::Args;
use guard::Guard;
use metrics::Metrics;
use policy::Policy;
use proxy::Proxy;

/// The client of the upstream, with the layers that sign requests and limit the time.
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
    if !args.listen.ip().is_loopback() && !args.expose {
        return Err(exposed(args.listen).into());
    }
    let signer = signer(&args)?;
    // Fails now and not at the first request if none can be signed.
    let (mut parts, ()) = Request::get(args.upstream.root()?).body(())?.into_parts();
    signer.sign(&mut parts, "").await.map_err(|error| advice::for_log(&error))?;

    let metrics = Arc::new(Metrics::default());
    let (listener, address) = listen(args.listen).await?;
    let proxy = Proxy {
        guard: Guard { listen: address, hosts: args.hosts.clone(), origins: args.page_origins.clone() },
        policy: Policy { methods: args.methods.clone(), paths: args.paths.clone() },
        stripped: args.stripped.clone(),
        kept: args.kept.clone(),
        origin: args.upstream.clone(),
        upstream: upstream(&args, signer)?,
        metrics: Arc::clone(&metrics),
    };
    println!("listening on http://{address}");
    let (stop, stopping) = watch::channel(false);
    let mut servers = tokio::task::JoinSet::new();
    servers.spawn(serve(listener, proxy.into_router(), stopping.clone()));
    if let Some(address) = args.metrics {
        let (listener, address) = listen(address).await?;
        println!("metrics on http://{address}/metrics");
        servers.spawn(serve(listener, metrics::router(metrics), stopping));
    }

    tokio::select! {
        () = stop_signal() => {}
        // A server ends only with an error.
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
    let limit = Duration::from_secs(args.drain);
    let late = "requests in flight did not end in time and were cut off; --drain sets how long they may take";
    tokio::time::timeout(limit, drained).await.map_err(|_| late)?
}

/// The error for a listen address that other machines can reach.
fn exposed(listen: SocketAddr) -> String {
    format!(
        "{listen} is not a loopback address: whoever can reach it could make requests with the AWS credentials of this \
         program. Listen on 127.0.0.1:{port}, or add --expose if that is intended, and --allow-host NAME for each name \
         or address that clients call it by",
        port = listen.port()
    )
}

/// A signer with the credentials and the region of the environment, for one upstream only.
fn signer(args: &Args) -> Result<Signer, String> {
    // A service or region on the command line takes precedence over what the host implies.
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
    // Request bodies are held in memory, up to the limit, and hashed, which every service accepts. For uploads to S3,
    // `.payload_mode(…)` sets a payload mode that streams.
    let builder = builder.body_limit(args.body_limit).body_timeout(Duration::from_secs(args.body_timeout));
    builder.build().map_err(|error| advice::of_build_error(&error))
}

/// The client of the upstream. It follows no redirects and passes them on.
fn upstream(args: &Args, signer: Signer) -> Result<Upstream, BoxError> {
    let connector = HttpsConnectorBuilder::new().with_native_roots()?.https_or_http().enable_all_versions();
    let client = Client::builder(TokioExecutor::new()).build(connector.build());
    let service = ServiceBuilder::new()
        .map_response(|response: Response<_>| response.map(Body::new))
        .map_err(BoxError::from)
        .layer(SigV4Layer::new(signer))
        // Inside the signing layer, so that the time a request body takes does not count.
        .timeout(Duration::from_secs(args.timeout))
        .service(client);
    Ok(Upstream::new(service))
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), BoxError> {
    let listener =
        TcpListener::bind(address).await.map_err(|error| format!("cannot listen on {address}: {error}"))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn serve(listener: TcpListener, app: Router, mut stop: watch::Receiver<bool>) -> std::io::Result<()> {
    let stopped = async move {
        // Fails only if the sender is dropped, when the program ends.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    axum::serve(listener, app).with_graceful_shutdown(stopped).await
}

/// Waits for SIGINT or, on Unix, SIGTERM.
async fn stop_signal() {
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
