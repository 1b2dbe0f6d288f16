//! Calls an API with IAM authorization: unsigned, signed through reqwest, and signed through hyper.
//!
//! `cargo run -p quickstart` starts such an API on loopback and calls it. Nothing else is needed.
//!
//! `cargo run -p quickstart --features https -- https://….execute-api.….amazonaws.com/stage/path` sends one signed request
//! to a real one, with the credentials and the region of the environment. The service's signing name follows the URL if
//! it cannot be inferred from the host, as with a domain of your own: `-- https://api.example.com/path execute-api`.

use std::process::ExitCode;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use reqwest::Url;
use reqwest_middleware::ClientBuilder;
use sigv4_middleware::{BoxError, Credentials, IamGateway, SigV4Layer, SigV4Middleware, Signer};
use tower::{ServiceBuilder, ServiceExt};

const TRY_OPTIONS: &str = "`cargo run -p sigv4-curl -- --help` shows the same settings as options";
const USAGE: &str = "usage: quickstart [URL [SERVICE]]";
const WITH_TLS: &str = "-p quickstart --features https";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [] => call_gateway_on_loopback().await,
        [option, ..] if option.starts_with('-') => Err(USAGE.into()),
        [url] => call_real_endpoint(url, None).await,
        [url, service] => call_real_endpoint(url, Some(service)).await,
        _ => Err(USAGE.into()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let causes = std::iter::successors(error.source(), |&error| error.source());
            let mut lines: Vec<String> =
                std::iter::once(error.to_string()).chain(causes.map(ToString::to_string)).collect();
            // Some errors show their cause's text as their own.
            lines.dedup();
            eprintln!("error: {}", lines.join("\n  because: "));
            if sigv4_middleware::Error::find(error.as_ref()).is_some() {
                eprintln!(
                    "the signer's builder is `Signer::builder()` in your program; here, the service follows the URL, and \
                     AWS_REGION is the region; {TRY_OPTIONS}"
                );
            }
            ExitCode::FAILURE
        }
    }
}

/// Whether an API on loopback refused the unsigned request and accepted the signed ones.
async fn call_gateway_on_loopback() -> Result<bool, BoxError> {
    // Credentials like those of a Lambda function's role; there, `Signer::from_env()` reads them from the environment.
    let token = Some("IQoJb3JpZ2luX2VjEXAMPLETOKEN".repeat(20));
    let role =
        Credentials::new("ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/EXAMPLEKEY", token, None, "role");
    let region = "ap-northeast-1";

    // An API that accepts only requests signed with these credentials.
    let gateway = IamGateway::builder().credentials(role.clone()).region(region).start().await?;
    let url = format!("{}/prod/orders?status=open", gateway.url());
    println!("An emulated API with IAM authorization listens on {} until this program ends.", gateway.url());
    println!("It is called three times. Lines with > show what it received, lines with < its response.\n");

    // One signer for the whole program. The service is configured as it cannot be inferred from 127.0.0.1; it is
    // inferred from AWS's hosts.
    let signer = Signer::builder().credentials(role).service("execute-api").region(region).build()?;

    let mut as_expected = true;
    // Shows what the gateway received.
    let mut show = |status: StatusCode, body: &[u8], expected_status: StatusCode| {
        if let Some(received) = gateway.requests().last() {
            show_request(&received.method, &received.target, &received.headers);
        }
        show_response(status, body);
        if status != expected_status {
            println!("  {expected_status} was expected");
            as_expected = false;
        }
        println!();
    };

    println!("reqwest, unsigned: refused");
    let plain = sigv4_middleware::reqwest_client().build()?;
    let response = plain.get(&url).send().await?;
    show(response.status(), &response.bytes().await?, StatusCode::FORBIDDEN);

    println!("reqwest with SigV4Middleware: signed");
    let client = ClientBuilder::new(plain).with(SigV4Middleware::new(signer.clone())).build();
    let response = client.get(&url).send().await?;
    show(response.status(), &response.bytes().await?, StatusCode::OK);

    println!("hyper with SigV4Layer: signed");
    let hyper = Client::builder(TokioExecutor::new()).build_http();
    let client = ServiceBuilder::new().layer(SigV4Layer::new(signer)).service(hyper);
    let response = client.oneshot(Request::get(&url).body(Full::<Bytes>::default())?).await?;
    show(response.status(), &response.into_body().collect().await?.to_bytes(), StatusCode::OK);

    println!("Next: call an API of your own, with credentials in AWS_ACCESS_KEY_ID and the like:");
    println!("  cargo run {WITH_TLS} -- https://….execute-api.….amazonaws.com/stage/path");
    println!(
        "and sign requests in your program as examples/quickstart/src/main.rs does, by `Signer::from_env()`."
    );
    Ok(as_expected)
}

/// Whether a real API accepted a signed request.
async fn call_real_endpoint(url: &str, service: Option<&str>) -> Result<bool, BoxError> {
    // Errors leave out the query, as it may hold secrets.
    let without_query = url.split('?').next().unwrap_or_default();
    let url: Url = url.parse().map_err(|error| format!("{without_query} is not a URL: {error}"))?;
    if url.scheme() == "https" && !cfg!(feature = "https") {
        return Err(format!("this build has no TLS: cargo run {WITH_TLS} -- {without_query}").into());
    }
    // Service and region are inferred from AWS's hosts.
    let mut builder = Signer::builder().credentials_from_env();
    if let Some(service) = service {
        // A domain of your own needs the service, and has to be allowed: whoever runs that host receives the signed
        // requests. In a program: `.allow_host("api.example.com")`.
        builder = builder.service(service.to_owned()).allow_origin(url.origin().ascii_serialization());
    }
    let signer = builder.build()?;
    println!(
        "Calling {without_query} once, signed. Lines with > show what is sent, lines with < the response.\n"
    );

    // The layer wraps a reqwest client too. The service inside it sees each request in the form that is sent.
    let show_sent = |request: reqwest::Request| {
        let url = request.url();
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        show_request(request.method(), &format!("{}{query}", url.path()), request.headers());
        request
    };
    let client = sigv4_middleware::reqwest_client().build()?;
    let service = ServiceBuilder::new()
        .layer(SigV4Layer::new(signer))
        .map_request(show_sent)
        .map_err(reqwest::Error::without_url)
        .service(client.clone());

    let response = service.oneshot(client.get(url).build()?).await?;
    let status = response.status();
    let body = response.bytes().await.map_err(reqwest::Error::without_url)?;
    show_response(status, &body);
    println!();

    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => println!(
            "Refused. Next: the response says why, and `cargo run -p sigv4-curl -- doctor URL` what to do. If it is the\n\
             permission, allow the credentials to call this API (action execute-api:Invoke)."
        ),
        _ => println!(
            "Next: put the layer around the client of your program, as examples/quickstart/src/main.rs does."
        ),
    }
    Ok(status.is_success())
}

fn show_request(method: &Method, target: &str, headers: &HeaderMap) {
    let value = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("(none)");
    println!("  > {method} {target}");
    println!("  > X-Amz-Date: {}", value("x-amz-date"));
    println!("  > X-Amz-Security-Token: {}", shortened(value("x-amz-security-token")));
    println!("  > Authorization: {}", value("authorization"));
}

fn show_response(status: StatusCode, body: &[u8]) {
    println!("  < {status}");
    for line in String::from_utf8_lossy(body).lines() {
        println!("  < {line}");
    }
}

/// The beginning of a session token, which is a secret until it expires.
fn shortened(token: &str) -> String {
    match token.char_indices().nth(16) {
        Some((end, _)) => format!("{}… ({} characters)", &token[..end], token.chars().count()),
        None => token.to_owned(),
    }
}
