//! Calls the tools of an MCP server with IAM authorization, such as one on Amazon Bedrock AgentCore; or bridges a host that
//! only starts programs to it.
//!
//! ```console
//! $ cargo run -p mcp -- --agent-runtime arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/mine tools
//! $ cargo run -p mcp -- --url https://… call add '{"a": 1, "b": 2}'
//! $ cargo run -p mcp -- --url https://… bridge
//! ```
//!
//! README.md says what the role needs, and how a host is configured. The one line is in [`client`].

mod bridge;
mod signed;

use std::error::Error;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;
use reqwest_middleware::ClientBuilder;
use rmcp::ServiceExt;
use rmcp::model::{CallToolRequestParams, JsonObject};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use signed::Signed;
use sigv4_middleware::{BoxError, BuildErrorKind, Endpoint, ErrorKind, SigV4Middleware, Signer};

const EXPORT_CREDENTIALS: &str = "export AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, with a role's credentials, \
     AWS_SESSION_TOKEN;\n  those of a profile of the AWS CLI: eval \"$(aws configure export-credentials --format env)\"";

#[derive(Parser)]
#[command(about = "Call the tools of an MCP server with IAM authorization, or bridge a host to it")]
#[command(
    after_help = "The credentials are those of AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN."
)]
struct Arguments {
    #[command(flatten)]
    server: Server,
    /// The service's signing name, if it cannot be inferred from the host: bedrock-agentcore, execute-api, lambda, …
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// The region, if it is not in the host's name and not AWS_REGION
    #[arg(long, value_name = "NAME")]
    region: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Server {
    /// The server's URL: that of an AgentCore gateway, a function, an API, …
    #[arg(long)]
    url: Option<Url>,
    /// The ARN of a server on AgentCore Runtime
    #[arg(long, value_name = "ARN")]
    agent_runtime: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// List the server's tools
    Tools,
    /// Call a tool
    Call {
        tool: String,
        /// Its arguments, as a JSON object
        #[arg(default_value = "{}", value_parser = json_object)]
        arguments: JsonObject,
    },
    /// Carry messages between standard input and output and the server, for a host that starts this program
    Bridge,
}

fn json_object(text: &str) -> Result<JsonObject, serde_json::Error> {
    serde_json::from_str(text)
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(run(arguments));
    // Not waited for: a thread may still read standard input.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let (message, code) = explained(error.as_ref());
            eprintln!("error: {message}");
            ExitCode::from(code)
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), BoxError> {
    let url = arguments.server.url()?;
    let config = StreamableHttpClientTransportConfig::with_uri(url.as_str());
    let transport = StreamableHttpClientTransport::with_client(client(&arguments, &url).await?, config);
    let call = match arguments.command {
        Command::Bridge => {
            // Standard output belongs to the messages.
            eprintln!("Bridges standard input and output to {}, with signed requests.", shown(&url));
            return bridge::bridge(transport, tokio::io::stdin(), tokio::io::stdout()).await;
        }
        Command::Tools => None,
        Command::Call { tool, arguments } => Some((tool, arguments)),
    };
    println!("Calls {} with signed requests.", shown(&url));
    let server = ().serve(transport).await?;
    let outcome = match call {
        None => {
            for tool in server.list_all_tools().await? {
                println!("{}: {}", tool.name, tool.description.unwrap_or_default());
            }
            println!(
                "Next: call one, by `call NAME '{{\"argument\": …}}'`, or name `bridge` in your MCP host's configuration."
            );
            Ok(())
        }
        Some((tool, arguments)) => {
            let result = server.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await?;
            for content in &result.content {
                match content.as_text() {
                    Some(text) => println!("{}", text.text),
                    None => println!("{}", serde_json::to_string(content)?),
                }
            }
            if result.is_error == Some(true) { Err(ToolFailed.into()) } else { Ok(()) }
        }
    };
    server.cancel().await?;
    outcome
}

impl Server {
    fn url(&self) -> Result<Url, BoxError> {
        if let Some(url) = &self.url {
            return Ok(url.clone());
        }
        let arn = self.agent_runtime.as_deref().unwrap_or_default();
        let parts: Vec<_> = arn.split(':').collect();
        let ["arn", _, "bedrock-agentcore", region, _, runtime] = parts[..] else {
            return Err(not_a_runtime(arn));
        };
        if !runtime.starts_with("runtime/") || region.is_empty() {
            return Err(not_a_runtime(arn));
        }
        // The ARN is one segment of the path.
        let arn = utf8_percent_encode(arn, NON_ALPHANUMERIC);
        let url = format!(
            "https://bedrock-agentcore.{region}.amazonaws.com/runtimes/{arn}/invocations?qualifier=DEFAULT"
        );
        Ok(url.parse()?)
    }
}

fn not_a_runtime(arn: &str) -> BoxError {
    format!("{arn:?} is not the ARN of a runtime: arn:aws:bedrock-agentcore:REGION:ACCOUNT:runtime/ID").into()
}

/// A client of rmcp's transport whose requests are signed.
async fn client(arguments: &Arguments, url: &Url) -> Result<Signed, BoxError> {
    let mut signer = Signer::builder()
        .credentials_from_env()
        // A server that is named on the command line is allowed, by a domain of its own too.
        .allow_origin(url.origin().ascii_serialization());
    let inferred = url.host_str().and_then(|host| Endpoint::infer(host).ok());
    if arguments.service.is_some() || inferred.is_none() {
        let service = arguments.service.clone().unwrap_or_else(|| "bedrock-agentcore".to_owned());
        signer = signer.service(service).scope_overrides_host(true);
    }
    if let Some(region) = &arguments.region {
        signer = signer.region(region.clone());
    }
    let signer = signer.build()?;
    // What is wrong with arguments or credentials shows now: rmcp's errors do not lead to their causes.
    let (mut head, ()) = http::Request::post(url.as_str()).body(())?.into_parts();
    signer.sign(&mut head, "").await?;
    let client = sigv4_middleware::reqwest_client().build()?;
    Ok(Signed(ClientBuilder::new(client).with(SigV4Middleware::new(signer)).build()))
}

/// A URL without its query, which may hold what is secret.
fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// The tool's own error, which was printed as its result.
#[derive(Debug)]
struct ToolFailed;

impl std::fmt::Display for ToolFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the tool reports an error")
    }
}

impl Error for ToolFailed {}

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
            ErrorKind::ScopeUnknown | ErrorKind::ScopeInvalid => {
                (format!("give --service NAME and --region NAME of the server ({:?})", error.kind()), 2)
            }
            _ => (error.to_string(), 2),
        };
    }
    let chain = std::iter::successors(Some(error), |&error| error.source());
    let mut texts: Vec<String> = chain.map(ToString::to_string).collect();
    texts.dedup_by(|cause, error| error.contains(&**cause));
    let is_usage = error.source().is_none() && texts.iter().any(|text| text.contains("is not the ARN"));
    (texts.join("\n  because: "), if is_usage { 2 } else { 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arn_of_a_runtime_is_one_segment_of_the_path() {
        let server = |arn: &str| Server { url: None, agent_runtime: Some(arn.to_owned()) };
        let url = server("arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/mine-a1").url().unwrap();
        let arn = "arn%3Aaws%3Abedrock%2Dagentcore%3Aeu%2Dwest%2D1%3A123456789012%3Aruntime%2Fmine%2Da1";
        let host = "https://bedrock-agentcore.eu-west-1.amazonaws.com";
        assert_eq!(url.as_str(), format!("{host}/runtimes/{arn}/invocations?qualifier=DEFAULT"));
        for arn in [
            "",
            "mine",
            "arn:aws:s3:eu-west-1:1:runtime/a",
            "arn:aws:bedrock-agentcore:eu-west-1:1:gateway/a",
        ] {
            assert!(
                server(arn).url().unwrap_err().to_string().contains("is not the ARN of a runtime"),
                "{arn}"
            );
        }
    }
}
