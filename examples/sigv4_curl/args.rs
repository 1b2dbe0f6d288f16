//! The command line, with the options of curl and awscurl.

use std::path::PathBuf;

use clap::Parser;
use http::{HeaderName, HeaderValue, Method};

/// curl for AWS: every request is signed with the credentials of the environment.
///
/// Credentials are read from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, the region from AWS_REGION
/// or AWS_DEFAULT_REGION. Service and region are inferred from AWS's hosts. Redirects are not followed.
#[derive(Debug, Parser)]
#[command(name = "sigv4_curl")]
pub(crate) struct Args {
    /// The URL to call
    pub(crate) url: String,

    /// The method [default: GET, with -d POST, with -T PUT]
    #[arg(short = 'X', long = "request", value_name = "METHOD")]
    pub(crate) method: Option<Method>,

    /// A header of the request; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,

    /// A body to POST: DATA itself, @FILE, or @- for standard input, unmodified; several are joined by &
    #[arg(
        short,
        long,
        value_name = "DATA",
        alias = "data-binary",
        allow_hyphen_values = true,
        conflicts_with = "upload"
    )]
    pub(crate) data: Vec<String>,

    /// A file to PUT; its name is added to a URL that ends in /
    #[arg(short = 'T', long = "upload-file", value_name = "FILE")]
    pub(crate) upload: Option<PathBuf>,

    /// Show the response's status and headers before its body
    #[arg(short, long)]
    pub(crate) include: bool,

    /// Show on standard error what is signed, sent and received; secrets are shortened
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// Write the response's body to a file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Exit with 22 and print no body if the status is 400 or more
    #[arg(short, long)]
    pub(crate) fail: bool,

    /// No progress bar and no error messages
    #[arg(short, long)]
    pub(crate) silent: bool,

    /// Error messages even with -s
    #[arg(short = 'S', long)]
    pub(crate) show_error: bool,

    /// The service's signing name (execute-api, s3, …), if it cannot be inferred from the host, or to replace the
    /// inferred one
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,

    /// The region, if it cannot be inferred from the host, or to replace the inferred one
    #[arg(long, value_name = "NAME")]
    pub(crate) region: Option<String>,

    /// A host besides AWS's own to which signed requests may be sent, over https; may be repeated
    #[arg(long = "allow-host", value_name = "HOST")]
    pub(crate) allowed_hosts: Vec<String>,

    /// An origin (scheme, host and port) to which signed requests may be sent, such as http://minio:9000; may be
    /// repeated
    #[arg(long = "allow-origin", value_name = "ORIGIN")]
    pub(crate) allowed_origins: Vec<String>,

    /// Send nothing, and print a presigned URL: whoever has it can make the request for this many seconds
    #[arg(long, value_name = "SECONDS")]
    pub(crate) presign: Option<u64>,
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("write it as 'Name: value'")?;
    let name = name.trim().parse().map_err(|_| format!("{name:?} is not the name of a header"))?;
    let value = value.trim().parse().map_err(|_| "the value has characters that a header cannot carry")?;
    Ok((name, value))
}
