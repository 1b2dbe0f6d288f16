//! curl for AWS, with `Signer` alone: it signs `http::request::Parts`, which any client can send.
//!
//!     export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… AWS_SESSION_TOKEN=…
//!     cargo run --example sigv4_curl -- -v https://….execute-api.eu-west-1.amazonaws.com/prod/orders
//!     cargo run --example sigv4_curl -- -T report.pdf https://bucket.s3.eu-west-1.amazonaws.com/2026/
//!     cargo run --example sigv4_curl -- --help

mod args;
mod body;
mod failure;
#[path = "../shared/advice.rs"]
mod shared;
mod show;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, Request};
use reqwest::Url;
use sigv4_middleware::{BuildError, PresigningConfig, Signer};

use args::Args;
use body::Body;
use failure::Failure;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !args.silent || args.show_error {
                eprintln!("sigv4_curl: ({}) {}", failure.code, failure.message);
            }
            ExitCode::from(failure.code)
        }
    }
}

async fn run(args: &Args) -> Result<(), Failure> {
    let mut parts = request(args)?;
    let signer = signer(args)?;
    let body = Body::from_args(args).await?;

    if let Some(seconds) = args.presign {
        let mut presigning = PresigningConfig::new(Duration::from_secs(seconds));
        if body.len().is_some() {
            presigning = presigning.payload(body.payload());
        }
        let presigned = signer.presign_request(&parts, presigning).await?;
        if args.verbose {
            show::details(presigned.details());
        }
        println!("{}", presigned.uri());
        for (name, value) in presigned.headers() {
            eprintln!("send it with -H '{name}: {}'", String::from_utf8_lossy(value.as_bytes()));
        }
        return Ok(());
    }

    // S3 responds with 411 to a POST without a length.
    let empty = matches!(parts.method, Method::POST | Method::PUT | Method::PATCH).then_some(0);
    if let Some(len) = body.len().or(empty) {
        parts.headers.insert(CONTENT_LENGTH, len.into());
    }
    // Like `signer.sign(&mut parts, …)`, and returns what was signed.
    let details = signer.sign_with_details(&mut parts, body.payload()).await?;
    if args.verbose {
        show::details(&details);
        show::request(&parts);
    }

    // From here on the URI and signed headers must not change: this client follows no redirects.
    let client = sigv4_middleware::reqwest_client().user_agent("sigv4_curl").build()?;
    let body = body.into_reqwest(args.silent).await?;
    let response = client.execute(Request::from_parts(parts, body).try_into()?).await?;
    if args.verbose {
        show::response(&response);
    }
    let status = response.status();
    if args.fail && (status.is_client_error() || status.is_server_error()) {
        let code = response.headers().get("x-amzn-errortype").and_then(|code| code.to_str().ok());
        let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
        return Err(Failure::new(Failure::HTTP_STATUS, format!("the server responded with {status}{code}")));
    }
    show::body(args, response).await
}

/// A signer with the credentials and the region of the environment, and the settings of the command line.
fn signer(args: &Args) -> Result<Signer, BuildError> {
    // A service or region on the command line takes precedence over what the host implies.
    let mut builder = Signer::builder().credentials_from_env().scope_overrides_host(true);
    if let Some(service) = &args.service {
        builder = builder.service(service.clone());
    }
    if let Some(region) = &args.region {
        builder = builder.region(region.clone());
    }
    for host in &args.allowed_hosts {
        builder = builder.allow_host(host);
    }
    for origin in &args.allowed_origins {
        builder = builder.allow_origin(origin);
    }
    builder.build()
}

/// The head of the unsigned request.
fn request(args: &Args) -> Result<Parts, Failure> {
    let mut url = Url::parse(&args.url).map_err(|error| Failure::url(&args.url, error))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Failure::url(&args.url, "neither http nor https"));
    }
    if let (Some(path), true) = (&args.upload, url.path().ends_with('/')) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push(&name);
        }
    }
    url.set_fragment(None);

    let default = match (&args.upload, args.data.is_empty()) {
        (Some(_), _) => Method::PUT,
        (None, false) => Method::POST,
        (None, true) => Method::GET,
    };
    let request = Request::builder().method(args.method.clone().unwrap_or(default)).uri(url.as_str());
    let request = request.body(()).map_err(|error| Failure::url(&args.url, error))?;
    let (mut parts, ()) = request.into_parts();
    for (name, value) in &args.headers {
        parts.headers.append(name, value.clone());
    }
    if !args.data.is_empty() && !parts.headers.contains_key(CONTENT_TYPE) {
        parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    }
    Ok(parts)
}
