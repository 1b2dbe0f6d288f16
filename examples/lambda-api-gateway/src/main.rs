//! A Lambda function that calls an API Gateway API of another service, with IAM authorization.
//!
//! Its role needs `execute-api:Invoke` on that API. Build and deploy it with
//! [cargo-lambda](https://www.cargo-lambda.info), and set:
//!
//! - `API_URL`: the URL to call, such as `https://….execute-api.….amazonaws.com/stage/path`
//! - `API_SERVICE`: the service's signing name, such as `execute-api`, if it cannot be inferred from the URL's host
//!
//! Lambda sets credentials and region in the function's environment. `tests/lambda_api_gateway.rs` runs it on loopback.

use std::env;
use std::process::ExitCode;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use serde::Serialize;
use serde_json::Value;
use sigv4_middleware::{SigV4Middleware, Signer};

/// What the function returns.
#[derive(Serialize)]
struct ApiResponse {
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
    let url = env::var("API_URL").map_err(|_| "set API_URL to the URL that the function calls")?;
    // Created once and used for every event, so that connections and signing keys are reused.
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
    // For AWS's hosts, `Signer::from_env()?` is enough. A domain of your own needs the service, and
    // `.allow_host("api.example.com")`: whoever runs that host receives the signed requests.
    let mut signer = Signer::builder().credentials_from_env();
    if let Ok(service) = env::var("API_SERVICE") {
        signer = signer.service(service);
    }
    let signer = signer.build()?;
    Ok(ClientBuilder::new(sigv4_middleware::reqwest_client().build()?)
        .with(SigV4Middleware::new(signer))
        .build())
}

async fn call_api(
    client: &ClientWithMiddleware,
    url: &str,
    _: LambdaEvent<Value>,
) -> Result<ApiResponse, Error> {
    // Errors end up in the function's log, and leave out the URL, as its query may hold secrets.
    let response = client.get(url).send().await.map_err(reqwest_middleware::Error::without_url)?;
    let status = response.status().as_u16();
    Ok(ApiResponse { status, body: response.text().await.map_err(reqwest::Error::without_url)? })
}
