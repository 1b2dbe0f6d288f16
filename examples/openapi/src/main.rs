//! Calls an API with IAM authorization through a client that openapi-generator wrote (`lib.rs`).
//!
//! ```console
//! $ cargo run -p openapi -- list --url https://abc123.execute-api.eu-west-1.amazonaws.com/prod
//! ```
//!
//! The one line is in [`configuration`]; the generated code is unchanged.

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use openapi::apis::configuration::Configuration;
use openapi::apis::default_api;
use openapi::models::{NewOrder, Order, Status};
use reqwest_middleware::ClientBuilder;
use sigv4_middleware::{BoxError, SigV4Middleware, Signer};

const EXPORT_CREDENTIALS: &str = "export AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, with a role's credentials, \
     AWS_SESSION_TOKEN;\n  those of a profile of the AWS CLI: eval \"$(aws configure export-credentials --format env)\"";

#[derive(Parser)]
#[command(about = "Call an API with IAM authorization through a client that openapi-generator wrote")]
#[command(
    after_help = "The credentials are those of AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN."
)]
struct Arguments {
    /// The API's stage: https://ID.execute-api.REGION.amazonaws.com/STAGE, or a domain of yours
    #[arg(long, global = true, default_value = "https://abc123.execute-api.eu-west-1.amazonaws.com/prod")]
    url: reqwest::Url,
    /// The region, if it is not in the host's name and not AWS_REGION
    #[arg(long, global = true, value_name = "NAME")]
    region: Option<String>,
    #[command(subcommand)]
    call: Call,
}

#[derive(Subcommand)]
enum Call {
    /// List the orders
    List {
        #[arg(long)]
        status: Option<StatusArgument>,
    },
    /// Show an order
    Get { id: String },
    /// Order something
    Create { item: String, quantity: i32 },
}

#[derive(Clone, ValueEnum)]
enum StatusArgument {
    Open,
    Shipped,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let (message, code) = explained(error.as_ref());
            eprintln!("error: {message}");
            ExitCode::from(code)
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), BoxError> {
    let configuration = configuration(&arguments)?;
    println!("Calls {} with signed requests, through the generated client.", configuration.base_path);
    let orders = match arguments.call {
        Call::List { status } => {
            let status = status.map(|status| match status {
                StatusArgument::Open => Status::Open,
                StatusArgument::Shipped => Status::Shipped,
            });
            default_api::list_orders(&configuration, status).await?
        }
        Call::Get { id } => vec![default_api::get_order(&configuration, &id).await?],
        Call::Create { item, quantity } => {
            vec![default_api::create_order(&configuration, NewOrder::new(item, quantity)).await?]
        }
    };
    for Order { id, item, quantity, status } in &orders {
        println!("{id}: {quantity} x {item}, {status}");
    }
    println!(
        "Next: generate a client for your own API, and give its Configuration the client of src/main.rs."
    );
    Ok(())
}

/// What the generated client is configured with.
fn configuration(arguments: &Arguments) -> Result<Configuration, BoxError> {
    let mut signer = Signer::builder()
        .credentials_from_env()
        .service("execute-api")
        // An API that is named on the command line is allowed, by a domain of its own too.
        .allow_origin(arguments.url.origin().ascii_serialization());
    if let Some(region) = &arguments.region {
        signer = signer.region(region.clone());
    }
    let client = ClientBuilder::new(sigv4_middleware::reqwest_client().build()?)
        .with(SigV4Middleware::new(signer.build()?).refusals_as_errors(true))
        .build();
    Ok(Configuration {
        base_path: arguments.url.as_str().trim_end_matches('/').to_owned(),
        client,
        // Its `api_key` stays unset: the document calls the signature an API key in Authorization.
        ..Configuration::new()
    })
}

/// What to say of an error, and the exit code: 2 if other arguments would help.
fn explained(error: &(dyn Error + 'static)) -> (String, u8) {
    use sigv4_middleware::{BuildError, BuildErrorKind, ErrorKind};

    if let Some(error) = error.downcast_ref::<BuildError>() {
        return match error.kind() {
            BuildErrorKind::MissingCredentials => {
                (format!("there are no credentials\n  {EXPORT_CREDENTIALS}"), 1)
            }
            _ => (error.to_string(), 2),
        };
    }
    if let Some(error) = generated_source(error).and_then(sigv4_middleware::Error::find) {
        return match error.kind() {
            _ if error.is_credentials() => (format!("{error}\n  {EXPORT_CREDENTIALS}"), 1),
            ErrorKind::ScopeUnknown => {
                ("which region? Give --region NAME of the API at --url, or set AWS_REGION".to_owned(), 2)
            }
            ErrorKind::ScopeInvalid => (
                "the host at --url is in another region: leave out --region NAME and AWS_REGION".to_owned(),
                2,
            ),
            ErrorKind::Refused => {
                (error.diagnosis().map_or_else(|| error.to_string(), ToString::to_string), 1)
            }
            _ => (error.to_string(), 2),
        };
    }
    (error.to_string(), 1)
}

/// The generated error's cause.
fn generated_source<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    error.source()
}
