//! curl for AWS: every request is signed with AWS Signature Version 4, and every refusal is explained.
//!
//!     sigv4-curl https://….execute-api.eu-west-1.amazonaws.com/prod/orders
//!     sigv4-curl -T report.pdf https://bucket.s3.eu-west-1.amazonaws.com/2026/
//!     sigv4-curl doctor https://….execute-api.eu-west-1.amazonaws.com/prod/orders
//!     sigv4-curl --help

mod advice;
mod args;
mod body;
mod change;
mod connect;
mod credentials;
mod data;
mod doctor;
mod explain;
mod failure;
mod form;
mod output;
mod presign;
mod request;
mod show;
mod signer;
mod terminal;
mod trace;
mod transfer;
mod write_out;

use std::io::Write;
use std::process::ExitCode;

use clap::CommandFactory;

use args::Args;
use body::Body;
use credentials::Identity;
use failure::Failure;
use transfer::Transfer;

#[tokio::main]
async fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|first| first == "doctor") {
        return doctor::main().await;
    }
    let matches = Args::command().get_matches();
    let args = Args::from_matches(&matches).unwrap_or_else(|error| error.exit());
    match run(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if args.output.shows_messages() {
                eprintln!("sigv4-curl: ({}) {}", failure.code, terminal::printable(&failure.message));
            }
            ExitCode::from(failure.code)
        }
    }
}

async fn run(args: &Args) -> Result<(), Failure> {
    let url = request::url(args)?;
    let body = Body::from_args(args).await?;
    let head = request::head(args, &url, &body)?;
    let identity = Identity::from_args(&args.signing, url.host_str(), args.reads_stdin()).await?;
    let signer = signer::build(&args.signing, &identity)?;
    if let Some(seconds) = args.signing.presign {
        return presign::presign(args, head, &body, &signer, &identity.source, seconds).await;
    }
    let format = args.output.write_out.as_deref().map(write_out::format).transpose()?;
    let client = connect::client(args, &url)?;
    let (report, result) =
        Transfer { args, url: &url, head, body, client, signer, source: identity.source }.run().await;
    if let Some(format) = format {
        let written = write_out::expand(&format, &report, result.as_ref().err());
        eprint!("{}", written.stderr);
        let mut stdout = std::io::stdout();
        stdout
            .write_all(written.stdout.as_bytes())
            .and_then(|()| stdout.flush())
            .map_err(Failure::writing)?;
    }
    result
}
