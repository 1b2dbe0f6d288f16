//! A Lambda function that calls another service's API Gateway API whose authorisation is IAM.
//!
//! Its role needs `execute-api:Invoke` on that API. Build and deploy it with
//! [cargo-lambda](https://www.cargo-lambda.info), and set:
//!
//! - `API_URL`: what to call, such as `https://….execute-api.….amazonaws.com/stage/path`
//! - `API_SERVICE`: the service's signing name, such as `execute-api`, if the URL's host is not one of AWS's own, which
//!   tell it
//!
//! Credentials and region are in a function's environment without being set. `tests/it/examples/lambda.rs` runs it on loopback.

use std::env;
use std::process::ExitCode;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use serde::Serialize;
use serde_json::Value;
use sigv4_middleware::{SigV4Middleware, Signer};

/// What the function returns.
#[derive(Serialize)]
struct Answer {
    status: u16,
    body: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Lambda writes it to the function's log.
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Error> {
    let url = env::var("API_URL").map_err(|_| "set API_URL to the URL that the function shall call")?;
    // Made once, when the function starts, and used for every event: connections and signing keys are kept.
    let client = signing_client()?;
    if env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        return Err(
            "this is a Lambda function, and AWS_LAMBDA_RUNTIME_API is not set: run it in Lambda, or with \
                    `cargo lambda watch`"
                .into(),
        );
    }
    lambda_runtime::run(service_fn(|event| call_api(&client, &url, event))).await
}

/// A client whose requests are signed with the credentials of the function's role.
fn signing_client() -> Result<ClientWithMiddleware, Error> {
    // For hosts of AWS, `Signer::from_env()?` is all. A domain of your own does not tell its service, and needs
    // `.allow_host("api.example.com")` besides: whoever answers there is sent the session token.
    let mut signer = Signer::builder().credentials_from_env();
    if let Ok(service) = env::var("API_SERVICE") {
        signer = signer.service(service);
    }
    let signer = signer.build()?;
    Ok(ClientBuilder::new(sigv4_middleware::reqwest_client().build()?)
        .with(SigV4Middleware::new(signer))
        .build())
}

async fn call_api(client: &ClientWithMiddleware, url: &str, _: LambdaEvent<Value>) -> Result<Answer, Error> {
    let answer = client.get(url).send().await?;
    Ok(Answer { status: answer.status().as_u16(), body: answer.text().await? })
}
