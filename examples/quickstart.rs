//! Calls an API whose authorisation is IAM: unsigned, through reqwest and through hyper.
//!
//! `cargo run --example quickstart` starts such an API on loopback and calls it, nothing else is needed.
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
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

/// Whether an endpoint on loopback refused the unsigned request and answered the signed ones.
async fn call_gateway_on_loopback() -> Result<bool, BoxError> {
    // What a Lambda function finds in its environment for its role; there, `Signer::from_env()` reads it.
    let token = Some("IQoJb3JpZ2luX2VjEXAMPLETOKEN".repeat(20));
    let role =
        Credentials::new("ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/EXAMPLEKEY", token, None, "role");
    let region = "ap-northeast-1";

    // An API that lets in only who signs with these credentials.
    let gateway = IamGateway::builder().credentials(role.clone()).region(region).start().await?;
    let url = format!("{}/prod/orders?status=open", gateway.url());

    // One signer for the whole program. The service is said because 127.0.0.1 does not tell it; AWS's hosts do.
    let signer = Signer::builder().credentials(role).service("execute-api").region(region).build()?;

    let mut expected = true;
    // Shows not what was meant to be sent, but what the gateway received.
    let mut show = |status: StatusCode, body: &[u8], wanted: StatusCode| {
        if let Some(received) = gateway.requests().last() {
            show_request(&received.method, &received.target, &received.headers);
        }
        expected &= show_answer(status, body, wanted);
    };

    println!("reqwest, unsigned");
    let plain = sigv4_middleware::reqwest_client().build()?;
    let answer = plain.get(&url).send().await?;
    show(answer.status(), &answer.bytes().await?, StatusCode::FORBIDDEN);

    println!("reqwest with SigV4Middleware");
    let client = ClientBuilder::new(plain).with(SigV4Middleware::new(signer.clone())).build();
    let answer = client.get(&url).send().await?;
    show(answer.status(), &answer.bytes().await?, StatusCode::OK);

    println!("hyper with SigV4Layer");
    let hyper = Client::builder(TokioExecutor::new()).build_http();
    let client = ServiceBuilder::new().layer(SigV4Layer::new(signer)).service(hyper);
    let answer = client.oneshot(Request::get(&url).body(Full::<Bytes>::default())?).await?;
    show(answer.status(), &answer.into_body().collect().await?.to_bytes(), StatusCode::OK);

    Ok(expected)
}

/// Whether a real endpoint refused the unsigned request and answered the signed one.
async fn call_real_endpoint(url: &str) -> Result<bool, BoxError> {
    // AWS's hosts tell service and region. For a domain of your own, say the service, and that credentials may go
    // there: `Signer::builder().credentials_from_env().service("execute-api").allow_host("api.example.com").build()?`
    let signer = Signer::from_env()?;
    let url: Url = url.parse().map_err(|error| format!("{url} is not a URL: {error}"))?;
    let client = sigv4_middleware::reqwest_client().build()?;

    // The layer goes around a reqwest client too. What is beneath it sees each request as it is sent.
    let sent = |request: reqwest::Request| {
        let url = request.url();
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        show_request(request.method(), &format!("{}{query}", url.path()), request.headers());
        request
    };
    let unsigned = ServiceBuilder::new().map_request(sent).service(client.clone());
    let signed = ServiceBuilder::new().layer(SigV4Layer::new(signer)).service(unsigned.clone());

    println!("unsigned");
    let answer = unsigned.oneshot(client.get(url.clone()).build()?).await?;
    let mut expected = show_answer(answer.status(), &answer.bytes().await?, StatusCode::FORBIDDEN);

    println!("signed");
    let answer = signed.oneshot(client.get(url).build()?).await?;
    expected &= show_answer(answer.status(), &answer.bytes().await?, StatusCode::OK);

    Ok(expected)
}

fn show_request(method: &Method, target: &str, headers: &HeaderMap) {
    let value = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("(none)");
    println!("  > {method} {target}");
    println!("  > X-Amz-Date: {}", value("x-amz-date"));
    println!("  > X-Amz-Security-Token: {}", shortened(value("x-amz-security-token")));
    println!("  > Authorization: {}", value("authorization"));
}

/// Prints an answer; whether it is the wanted one.
fn show_answer(status: StatusCode, body: &[u8], wanted: StatusCode) -> bool {
    println!("  < {status}");
    println!("  < {}", String::from_utf8_lossy(body));
    if status != wanted {
        println!("  not the expected answer, {wanted}");
    }
    println!();
    status == wanted
}

/// A session token is as good as a key while it lives: it is never printed whole.
fn shortened(token: &str) -> String {
    match token.char_indices().nth(16) {
        Some((end, _)) => format!("{}… ({} characters)", &token[..end], token.chars().count()),
        None => token.to_owned(),
    }
}
