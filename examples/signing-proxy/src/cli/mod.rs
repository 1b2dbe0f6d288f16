//! The program `signing-proxy`.

mod admin;
pub(crate) mod advice;
mod args;
mod signer;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use http::Method;
use http::header::HeaderName;
use sigv4_middleware::{AwsChunked, BoxError, PayloadMode};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::advice::Wording;
use crate::builder::ProxyBuilder;
use crate::{Access, Proxy, metrics};
use args::{Args, PayloadArg, SecretPlace};

/// The header in which a client sends the secret with `--secret header`.
const SECRET_HEADER: HeaderName = HeaderName::from_static("x-signing-proxy-secret");

/// Runs the program with the arguments of the process, until it is asked to end.
#[must_use]
#[tokio::main]
pub async fn main() -> ExitCode {
    let args = Args::parse();
    log(args.verbose);
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            to_stderr(&format!("signing-proxy: {}", with_causes(error.as_ref())));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), BoxError> {
    // From the start, so that no signal is missed.
    let stopped = stop_signal()?;
    if args.no_verify_ssl {
        to_stderr(
            "WARNING: --no-verify-ssl: certificates of upstreams are NOT verified.\n\
             WARNING: whoever is on the network path can read and change requests and responses, and read the session \
             token.",
        );
    }
    // Before the proxy registers its metrics.
    let metrics = args.metrics.is_some().then(admin::install_metrics).transpose()?;
    let builder = builder(&args).await?;
    let draining = CancellationToken::new();
    let proxy = builder.start_draining_with(draining.clone()).await?;
    // Fails now and not at the first request if none can be signed.
    proxy.check().await.map_err(|error| Wording::Program.for_log(&error))?;
    to_stdout(&format!("listening on {}", proxy.base_url()));
    if let Some((name, value)) = proxy.secret_header().filter(|_| args.secret_value.is_none()) {
        to_stdout(&format!("send the header {name}: {}", value.to_str()?));
    }
    let _admin = match (args.metrics, metrics) {
        (Some(address), Some(metrics)) => {
            let (admin, address) = admin::start(address, metrics, proxy.health.clone()).await?;
            to_stdout(&format!("metrics on http://{address}/metrics"));
            Some(admin)
        }
        _ => None,
    };

    stopped.await;
    to_stdout("finishing the requests in flight");
    let late = "requests in flight did not end in time and were cut off; --drain sets how long they may take";
    proxy.drain(Duration::from_secs(args.drain)).await.map_err(|_| late.into())
}

/// The proxy that the options describe.
async fn builder(args: &Args) -> Result<ProxyBuilder, BoxError> {
    let mut builder = Proxy::builder(signer::signer(args).await?).for_program();
    for upstream in &args.upstreams {
        let mut upstream = upstream.clone();
        if let Some(host) = &args.sign_host {
            if args.upstreams.len() > 1 {
                return Err(
                    "--sign-host is for a single --upstream; of several, write URL,sign-host=HOST".into()
                );
            }
            upstream = upstream.sign_host(host);
        }
        builder = builder.upstream(upstream);
    }
    builder = args.upstream_hosts.iter().fold(builder, ProxyBuilder::upstream_host);
    builder = args.hosts.iter().map(ToString::to_string).fold(builder, ProxyBuilder::allow_host);
    builder =
        args.page_origins.iter().map(ToString::to_string).fold(builder, ProxyBuilder::allow_page_origin);
    builder =
        args.methods.iter().cloned().fold(builder, |builder, method: Method| builder.allow_method(method));
    builder = args.paths.iter().fold(builder, ProxyBuilder::allow_path);
    builder = args.stripped_headers.iter().fold(builder, ProxyBuilder::strip_header);
    builder = args.kept_headers.iter().fold(builder, ProxyBuilder::keep_header);
    builder = args.duplicated_headers.iter().fold(builder, ProxyBuilder::duplicate_header);
    builder =
        args.custom_headers.iter().fold(builder, |builder, (name, value)| builder.add_header(name, value));
    builder = args.stripped_parameters.iter().fold(builder, ProxyBuilder::strip_parameter);
    if let Some(secret) = &args.secret_value {
        builder = builder.secret(secret);
    }
    if let Some(mode) = payload_mode(args) {
        builder = builder.payload_mode(mode);
    }
    for file in &args.cacert {
        let pem = std::fs::read(file)
            .map_err(|error| format!("--cacert {} cannot be read: {error}", file.display()))?;
        builder = builder.root_certificates(pem);
    }
    if let Some(path) = &args.health_path {
        builder = builder.health_path(path);
    }
    let access = match args.secret {
        None => Access::Open,
        Some(SecretPlace::Path) => Access::SecretPath,
        Some(SecretPlace::Header) => Access::SecretHeader(SECRET_HEADER),
    };
    Ok(builder
        .access(access)
        .listen(args.listen)
        .expose(args.expose)
        .max_buffered(args.max_buffered)
        .max_connections(args.max_connections)
        .header_timeout(Duration::from_secs(args.header_timeout))
        .idle_timeout(Duration::from_secs(args.idle_timeout))
        .upstream_idle_timeout(Duration::from_secs(args.upstream_idle_timeout))
        .response_timeout(Duration::from_secs(args.timeout))
        .danger_accept_invalid_certificates(args.no_verify_ssl)
        .log_failed_requests(args.log_failed_requests || args.verbose))
}

fn payload_mode(args: &Args) -> Option<PayloadMode> {
    match (args.unsigned_payload, args.payload) {
        (true, _) | (_, PayloadArg::Unsigned) => Some(PayloadMode::Unsigned),
        (_, PayloadArg::AwsChunked) => Some(PayloadMode::AwsChunked(AwsChunked::signed())),
        (_, PayloadArg::Buffered) => None,
    }
}

/// Logs to standard error: warnings, or what `RUST_LOG` chooses (`signing_proxy=debug,sigv4_middleware=debug`).
fn log(verbose: bool) {
    let default = if verbose {
        Targets::new()
            .with_default(LevelFilter::WARN)
            .with_targets([("signing_proxy", LevelFilter::DEBUG), ("sigv4_middleware", LevelFilter::DEBUG)])
    } else {
        Targets::new().with_default(LevelFilter::WARN)
    };
    let chosen = std::env::var("RUST_LOG").ok().and_then(|text| text.parse().ok());
    let format = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        // A closed standard error is no reason to end.
        .log_internal_errors(false);
    tracing_subscriber::registry().with(chosen.unwrap_or(default)).with(format).init();
}

/// Writes a line. If the stream is closed, nobody reads it.
fn to_stdout(line: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

fn to_stderr(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.join(": ")
}

/// What waits for SIGINT or, on Unix, SIGTERM.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    Ok(async move {
        let interrupted = async {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        #[cfg(unix)]
        tokio::select! {
            () = interrupted => {}
            _ = terminated.recv() => {}
        }
        #[cfg(not(unix))]
        interrupted.await;
    })
}
