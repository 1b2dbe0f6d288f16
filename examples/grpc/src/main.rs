//! Asks a gRPC service whether it is healthy, with signed calls: a service behind VPC Lattice with auth type `AWS_IAM`.
//!
//! ```console
//! $ cargo run -p grpc -- https://orders-0123.7d67968.vpc-lattice-svcs.eu-west-1.on.aws
//! $ cargo run -p grpc -- --watch URL package.Service
//! ```
//!
//! The one line is in [`channel`]. The client is the one that tonic's build step writes for `grpc.health.v1.Health`; any
//! other is given the channel in the same way. README.md says what the role needs.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use sigv4_middleware::{BoxError, BuildErrorKind, ErrorKind, SigV4, SigV4Layer, SignedBody, Signer};
use tonic::body::Body;
use tonic::transport::{Channel, ClientTlsConfig, Uri};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tower::ServiceBuilder;

const EXPORT_CREDENTIALS: &str = "export AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, with a role's credentials, \
     AWS_SESSION_TOKEN;\n  those of a profile of the AWS CLI: eval \"$(aws configure export-credentials --format env)\"";

#[derive(Parser)]
#[command(about = "Ask a gRPC service behind VPC Lattice whether it is healthy, with signed calls")]
#[command(
    after_help = "The credentials are those of AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN."
)]
struct Arguments {
    /// The service: https://ID.ID.vpc-lattice-svcs.REGION.on.aws, or a domain of yours
    url: Uri,
    /// The gRPC service to ask for, such as package.Service; without it, the whole server
    #[arg(default_value = "")]
    service: String,
    /// Print every change until the server ends the stream
    #[arg(long)]
    watch: bool,
    /// The region, if it is not in the host's name and not AWS_REGION
    #[arg(long, value_name = "NAME")]
    region: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let (message, code) = explained(error.as_ref());
            eprintln!("error: {message}");
            ExitCode::from(code)
        }
    }
}

/// Whether the service is healthy.
async fn run(arguments: Arguments) -> Result<bool, BoxError> {
    let channel = channel(&arguments)?;
    // `with_origin` in place of `new`: a request has to have the host that it is signed for.
    let mut client = HealthClient::with_origin(channel, arguments.url.clone());
    let request = HealthCheckRequest { service: arguments.service };
    let call = if arguments.watch { "Watch" } else { "Check" };
    println!("Calls grpc.health.v1.Health/{call} of {} with signed requests.", arguments.url);

    let status = if arguments.watch {
        let mut changes = client.watch(request).await?.into_inner();
        let mut last = ServingStatus::Unknown;
        while let Some(change) = changes.message().await? {
            last = change.status();
            println!("{}", last.as_str_name());
        }
        last
    } else {
        let status = client.check(request).await?.into_inner().status();
        println!("{}", status.as_str_name());
        status
    };
    println!("Next: give your own client the channel of src/main.rs, by its with_origin().");
    Ok(status == ServingStatus::Serving)
}

/// tonic's channel, whose requests are signed.
type SignedChannel = SigV4<Channel, fn(SignedBody<Body>) -> Body>;

fn channel(arguments: &Arguments) -> Result<SignedChannel, BoxError> {
    let url = &arguments.url;
    let (Some(scheme @ ("http" | "https")), Some(authority)) = (url.scheme_str(), url.authority()) else {
        return Err(format!("{url} is not the URL of a service, such as https://orders.example.com").into());
    };
    let mut signer = Signer::builder()
        .credentials_from_env()
        .service("vpc-lattice-svcs")
        // A service that is named on the command line is allowed, by a domain of its own too.
        .allow_origin(format!("{scheme}://{authority}"))
        // For a server on loopback.
        .allow_unsigned_over_http(true);
    if let Some(region) = &arguments.region {
        signer = signer.region(region.clone());
    }
    let layer = SigV4Layer::new(signer.build()?);

    let mut endpoint = Channel::builder(url.clone()).connect_timeout(Duration::from_secs(10));
    if scheme == "https" {
        endpoint = endpoint.tls_config(ClientTlsConfig::new().with_native_roots())?;
    }
    let to_tonic: fn(SignedBody<Body>) -> Body = Body::new;
    Ok(ServiceBuilder::new().layer(layer.map_body(to_tonic)).service(endpoint.connect_lazy()))
}

/// What to say of an error, and the exit code: 2 if other arguments would help.
fn explained(error: &(dyn Error + 'static)) -> (String, u8) {
    if let Some(error) = error.downcast_ref::<sigv4_middleware::BuildError>() {
        return match error.kind() {
            BuildErrorKind::MissingCredentials => {
                (format!("there are no credentials\n  {EXPORT_CREDENTIALS}"), 1)
            }
            _ => (error.to_string(), 2),
        };
    }
    if let Some(error) = sigv4_middleware::Error::find(error) {
        return match error.kind() {
            _ if error.is_credentials() => (format!("{error}\n  {EXPORT_CREDENTIALS}"), 1),
            ErrorKind::ScopeUnknown => ("which region? Give --region NAME, or set AWS_REGION".to_owned(), 2),
            ErrorKind::ScopeInvalid => {
                (format!("URL or --region is of something else: {:?}", error.kind()), 2)
            }
            _ => (error.to_string(), 2),
        };
    }
    match error.downcast_ref::<tonic::Status>() {
        Some(status) if status.code() == tonic::Code::PermissionDenied => (
            format!(
                "the service refused the call: {}\n  does the role have vpc-lattice-svcs:Invoke, and does the service's \
                 auth policy let it in?",
                status.message()
            ),
            1,
        ),
        Some(status) => {
            let causes = std::iter::successors(status.source(), |&error| error.source());
            let mut texts: Vec<_> = causes.map(|cause| format!("\n  because: {cause}")).collect();
            texts.dedup();
            (format!("{:?}: {}{}", status.code(), status.message(), texts.concat()), 1)
        }
        None => (error.to_string(), 2),
    }
}
