//! Calls an API with IAM authorization: unsigned, signed through reqwest, and signed through hyper.
//!
//! `cargo run --example quickstart` starts such an API on loopback and calls it. Nothing else is needed.
//!
//! `cargo run --example quickstart -- https://….execute-api.….amazonaws.com/stage/path` calls a real one, with the
//! credentials and the region of the environment.

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

const TRY_OPTIONS: &str = "`cargo run --example sigv4_curl -- --help` shows the same settings as options";

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match std::env::args().nth(1) {
        None => call_gateway_on_loopback().await,
        Some(url) => call_real_endpoint(&url).await,
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let causes = std::iter::successors(error.source(), |&error| error.source());
            let mut lines: Vec<String> = causes.map(|cause| format!("\n  because: {cause}")).collect();
            // Some errors show their cause's text as their own.
            lines.dedup();
            eprintln!("error: {error}{}", lines.concat());
            if sigv4_middleware::Error::find(error.as_ref()).is_some() {
                eprintln!("the signer's builder is `Signer::builder()` in your program; {TRY_OPTIONS}");
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
        as_expected &= show_response(status, body, expected_status);
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
    println!("  cargo run --example quickstart -- https://….execute-api.….amazonaws.com/stage/path");
    println!("and sign requests in your program as examples/quickstart.rs does, by `Signer::from_env()`.");
    Ok(as_expected)
}

/// Whether a real API refused the unsigned request and accepted the signed one.
async fn call_real_endpoint(url: &str) -> Result<bool, BoxError> {
    // Service and region are inferred from AWS's hosts. For a domain of your own, configure the service, and allow the
    // host: `Signer::builder().credentials_from_env().service("execute-api").allow_host("api.example.com").build()?`
    let signer = Signer::from_env()?;
    // Errors leave out the query, as it may hold secrets.
    let without_query = url.split('?').next().unwrap_or_default();
    let url: Url = url.parse().map_err(|error| format!("{without_query} is not a URL: {error}"))?;
    let client = sigv4_middleware::reqwest_client().build()?;
    println!("Calling {without_query} twice. Lines with > show what is sent, lines with < the response.\n");

    // The layer wraps a reqwest client too. The service inside it sees each request in the form that is sent.
    let show_sent = |request: reqwest::Request| {
        let url = request.url();
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        show_request(request.method(), &format!("{}{query}", url.path()), request.headers());
        request
    };
    let unsigned = ServiceBuilder::new()
        .map_request(show_sent)
        .map_err(reqwest::Error::without_url)
        .service(client.clone());
    let signed = ServiceBuilder::new().layer(SigV4Layer::new(signer)).service(unsigned.clone());

    println!("reqwest, unsigned: to be refused");
    let response = unsigned.oneshot(client.get(url.clone()).build()?).await?;
    let status = response.status();
    let body = response.bytes().await.map_err(reqwest::Error::without_url)?;
    let mut as_expected = show_response(status, &body, StatusCode::FORBIDDEN);

    println!("reqwest with SigV4Layer: signed");
    let response = signed.oneshot(client.get(url).build()?).await?;
    let status = response.status();
    let body = response.bytes().await.map_err(reqwest::Error::without_url)?;
    as_expected &= show_response(status, &body, StatusCode::OK);

    if as_expected {
        println!("Next: put the layer around the client of your program, as this example does.");
    } else {
        println!("Next: see what was signed with `cargo run --example sigv4_curl -- -v URL`.");
    }
    Ok(as_expected)
}

fn show_request(method: &Method, target: &str, headers: &HeaderMap) {
    let value = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("(none)");
    println!("  > {method} {target}");
    println!("  > X-Amz-Date: {}", value("x-amz-date"));
    println!("  > X-Amz-Security-Token: {}", shortened(value("x-amz-security-token")));
    println!("  > Authorization: {}", value("authorization"));
}

/// Prints a response, and returns whether its status is the expected one.
fn show_response(status: StatusCode, body: &[u8], expected: StatusCode) -> bool {
    println!("  < {status}");
    println!("  < {}", String::from_utf8_lossy(body));
    if status != expected {
        println!("  {expected} was expected");
    }
    println!();
    status == expected
}

/// The beginning of a session token, which is a secret until it expires.
fn shortened(token: &str) -> String {
    match token.char_indices().nth(16) {
        Some((end, _)) => format!("{}… ({} characters)", &token[..end], token.chars().count()),
        None => token.to_owned(),
    }
}
