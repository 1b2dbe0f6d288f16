//! Serves a page whose form uploads a file from the browser straight to S3: the file does not pass this server, and the
//! browser needs no credentials. What it may upload is a POST policy, which `Signer::presign_post` signs.
//!
//! ```console
//! $ cargo run -p s3-post -- https://BUCKET.s3.eu-west-1.amazonaws.com/
//! ```
//!
//! README.md says what the role needs, and how to try it with a store on loopback.

mod page;

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::Html;
use axum::routing::get;
use axum::{Router, middleware};
use clap::Parser;
use http::{HeaderMap, StatusCode, Uri, header};
use serde::Deserialize;
use sigv4_middleware::{BoxError, BuildErrorKind, PostPolicy, PresignedPost, Signer};
use tokio::net::TcpListener;

/// How long a page that was loaded can be used.
const LIFETIME: Duration = Duration::from_secs(10 * 60);

const EXPORT_CREDENTIALS: &str = "export AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, with a role's credentials, \
     AWS_SESSION_TOKEN;\n  those of a profile of the AWS CLI: eval \"$(aws configure export-credentials --format env)\"";

#[derive(Parser)]
#[command(about = "Serve a page whose form uploads from the browser straight to S3")]
#[command(
    after_help = "The credentials are those of AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN."
)]
struct Arguments {
    /// The bucket: https://BUCKET.s3.REGION.amazonaws.com/, or http://127.0.0.1:PORT/BUCKET of a compatible store
    bucket_url: Uri,
    /// How the keys of the uploaded objects begin
    #[arg(long, default_value = "uploads/")]
    prefix: String,
    /// The largest file, in bytes
    #[arg(long, default_value_t = 10 * 1024 * 1024)]
    max_bytes: u64,
    /// What may be uploaded: the beginning of a content type, such as image/
    #[arg(long, default_value = "", value_name = "PREFIX")]
    content_type: String,
    /// The region, if it is not in the host's name and not AWS_REGION
    #[arg(long, value_name = "NAME")]
    region: Option<String>,
    /// Where the page is served; port 0 for any
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
}

/// What every request needs.
#[derive(Clone)]
struct App {
    signer: Signer,
    bucket_url: Uri,
    policy: PostPolicy,
    accept: String,
    address: SocketAddr,
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
    let bucket = bucket(&arguments.bucket_url)?;
    let scheme = arguments.bucket_url.scheme_str().unwrap_or_default();
    let authority = arguments.bucket_url.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    // A store that is named on the command line is allowed.
    let mut signer = Signer::builder()
        .credentials_from_env()
        .service("s3")
        .scope_overrides_host(true)
        .allow_origin(format!("{scheme}://{authority}"));
    if let Some(region) = arguments.region {
        signer = signer.region(region);
    }
    let signer = signer.build()?;

    let listener = TcpListener::bind(arguments.listen)
        .await
        .map_err(|error| format!("--listen {}: {error}", arguments.listen))?;
    let address = listener.local_addr()?;
    let policy = PostPolicy::new(bucket, LIFETIME)
        .key_starts_with(arguments.prefix.clone())
        .content_length_range(1..=arguments.max_bytes)
        .content_type_starts_with(arguments.content_type.clone())
        .success_action_redirect(format!("http://{address}/done"));
    let accept = if arguments.content_type.is_empty() { String::new() } else { arguments.content_type + "*" };
    let app = App { signer, bucket_url: arguments.bucket_url, policy, accept, address };
    // What is wrong with arguments or credentials shows now, not when somebody loads the page.
    app.form().await?;

    println!(
        "A page that uploads to {} under {:?} listens on http://{address}/ until Ctrl+C.",
        app.bucket_url, arguments.prefix
    );
    println!("Next: open it in a browser, choose a file and upload it. Each upload is listed here.");
    println!("In your program: sign a form by Signer::presign_post, and write its fields into your page.");
    let router = Router::new()
        .route("/", get(form_page))
        .route("/done", get(done_page))
        .layer(middleware::from_fn_with_state(app.clone(), only_this_host))
        .with_state(app);
    let interrupted = async {
        tokio::signal::ctrl_c().await.ok();
    };
    Ok(axum::serve(listener, router).with_graceful_shutdown(interrupted).await?)
}

/// The bucket that a URL names: the first segment of its path, or else what is before `.s3` in its host.
fn bucket(url: &Uri) -> Result<String, String> {
    let usage = || {
        format!(
            "{url} names no bucket; give https://BUCKET.s3.REGION.amazonaws.com/ or http://HOST:PORT/BUCKET"
        )
    };
    let (Some("http" | "https"), Some(host)) = (url.scheme_str(), url.host()) else { return Err(usage()) };
    let in_path = url.path().trim_matches('/');
    if !in_path.is_empty() {
        return if in_path.contains('/') { Err(usage()) } else { Ok(in_path.to_owned()) };
    }
    let ends = [".s3.", ".s3-"].into_iter().filter_map(|service| host.find(service));
    ends.min().map(|end| host[..end].to_owned()).filter(|bucket| !bucket.is_empty()).ok_or_else(usage)
}

impl App {
    async fn form(&self) -> Result<PresignedPost, sigv4_middleware::Error> {
        self.signer.presign_post(&self.bucket_url, &self.policy).await
    }
}

/// Gives forms only to who asks for this server: another site's name could be made to lead here.
async fn only_this_host(
    State(app): State<App>,
    headers: HeaderMap,
    request: axum::extract::Request,
    next: middleware::Next,
) -> Result<axum::response::Response, StatusCode> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let own = [app.address.to_string(), format!("localhost:{}", app.address.port())];
    if own.iter().any(|own| own == host) {
        Ok(next.run(request).await)
    } else {
        Err(StatusCode::MISDIRECTED_REQUEST)
    }
}

async fn form_page(State(app): State<App>) -> Result<Html<String>, StatusCode> {
    // Signed anew for each page: it is good for ten minutes.
    let form = app.form().await.map_err(|error| {
        eprintln!("error: {error}");
        StatusCode::INTERNAL_SERVER_ERROR
    })?;
    Ok(Html(page::form(&form, &app.accept)))
}

/// What S3 adds to the URL that it sends the browser to.
#[derive(Deserialize)]
struct Uploaded {
    #[serde(default)]
    bucket: String,
    key: String,
}

async fn done_page(Query(uploaded): Query<Uploaded>) -> Html<String> {
    // Anyone can load this page: look the object up before you rely on it.
    println!("uploaded: {:?} in {:?}", uploaded.key, uploaded.bucket);
    Html(page::done(&uploaded.key))
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
    match error.downcast_ref::<sigv4_middleware::Error>() {
        Some(error) if error.is_credentials() => (format!("{error}\n  {EXPORT_CREDENTIALS}"), 1),
        Some(error) if error.kind() == sigv4_middleware::ErrorKind::ScopeUnknown => {
            ("which region? Give --region NAME, or set AWS_REGION".to_owned(), 2)
        }
        _ => (error.to_string(), 2),
    }
}
