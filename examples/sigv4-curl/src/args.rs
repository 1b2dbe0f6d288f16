//! The command line: curl's options, and those of signing.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::UnknownArgumentValueParser;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser};
use http::{HeaderName, HeaderValue, Method};

use crate::data::{Data, DataKind};

const NO_USER: &str = "credentials come from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, \
                       AWS_SESSION_TOKEN), --profile or --role-arn, never from the command line, which others can read";
const NO_AWS_SIGV4: &str =
    "every request is signed; --service and --region set what cannot be inferred from the host";

/// curl for AWS: every request is signed with AWS Signature Version 4.
///
/// Credentials come from AWS's default chain: the environment, the profile (static keys, roles, SSO, processes), a web
/// identity, a container, an EC2 instance. Service and region are inferred from AWS's hosts. `sigv4-curl doctor URL` checks
/// step by step why a request is refused.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "sigv4-curl",
    version,
    args_override_self = true,
    infer_long_args = true,
    max_term_width = 100
)]
pub(crate) struct Args {
    /// The URL to call
    pub(crate) url: String,

    #[command(flatten)]
    pub(crate) request: RequestArgs,

    #[command(flatten)]
    pub(crate) signing: SigningArgs,

    #[command(flatten)]
    pub(crate) transfer: TransferArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    /// What `-d`, `--data-raw`, `--data-binary`, `--data-urlencode` and `--json` give, in their order.
    #[clap(skip)]
    pub(crate) data: Vec<Data>,
}

/// What is requested.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Request")]
pub(crate) struct RequestArgs {
    /// The method [default: GET, with a body POST, with -T PUT, with -I HEAD]
    #[arg(short = 'X', long = "request", value_name = "METHOD")]
    pub(crate) method: Option<Method>,

    /// A header of the request; 'Name:' leaves a default one out, 'Name;' sends an empty one, @FILE reads some from a file
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header_argument)]
    pub(crate) headers: Vec<HeaderArg>,

    /// A body to POST as a form: DATA itself, or a file's content without line ends by @FILE or @-; several are joined
    /// by &
    #[arg(short = 'd', long = "data", value_name = "DATA", alias = "data-ascii", allow_hyphen_values = true)]
    data: Vec<String>,

    /// As -d, but @ has no special meaning
    #[arg(long, value_name = "DATA", allow_hyphen_values = true)]
    data_raw: Vec<String>,

    /// As -d, but a file's content is sent unchanged
    #[arg(long, value_name = "DATA", allow_hyphen_values = true)]
    data_binary: Vec<String>,

    /// As -d, URL-encoded: content, =content, name=content, @file or name@file
    #[arg(long, value_name = "DATA", allow_hyphen_values = true)]
    data_urlencode: Vec<String>,

    /// A JSON body to POST, with Content-Type and Accept; DATA, @FILE or @-; several are joined
    #[arg(long, value_name = "DATA", allow_hyphen_values = true)]
    json: Vec<String>,

    /// Put the data into the URL's query, and GET it
    #[arg(short = 'G', long)]
    pub(crate) get: bool,

    /// A field of a multipart form to POST: name=content, name=@file or name=<file, with ;type= and ;filename=
    #[arg(short = 'F', long, value_name = "NAME=CONTENT")]
    form: Vec<String>,

    /// As -F, but neither @, < nor ; has a special meaning
    #[arg(long, value_name = "NAME=TEXT")]
    form_string: Vec<String>,

    /// What -F and --form-string give, in their order; the second is whether it is literal.
    #[clap(skip)]
    pub(crate) fields: Vec<(String, bool)>,

    /// A file to PUT, or - for standard input; its name is added to a URL that ends in /
    #[arg(short = 'T', long, value_name = "FILE")]
    pub(crate) upload_file: Option<PathBuf>,

    /// Request the headers alone, by HEAD, and show them
    #[arg(short = 'I', long)]
    pub(crate) head: bool,

    /// The name of the client [default: sigv4-curl/VERSION]
    #[arg(short = 'A', long, value_name = "NAME")]
    pub(crate) user_agent: Option<String>,
}

/// How it is signed, and for whom.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Signing")]
pub(crate) struct SigningArgs {
    /// The service's signing name (execute-api, s3, …), where none can be inferred from the host, or to replace it
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,

    /// The region, where none can be inferred from the host, or to replace it
    #[arg(long, value_name = "NAME")]
    pub(crate) region: Option<String>,

    /// Regions to sign for with SigV4a: us-east-1,eu-* or *
    #[arg(long, value_name = "REGIONS")]
    pub(crate) region_set: Option<String>,

    /// curl's option for keys: refused, with what to use instead.
    #[arg(short = 'u', long, hide = true, value_parser = UnknownArgumentValueParser::suggest(NO_USER))]
    user: Option<String>,

    /// curl's option for signing: refused, since every request is signed.
    #[arg(long, hide = true, value_parser = UnknownArgumentValueParser::suggest(NO_AWS_SIGV4))]
    aws_sigv4: Option<String>,

    /// The profile of ~/.aws/config to use [default: AWS_PROFILE]
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,

    /// A role to assume with those credentials
    #[arg(long, value_name = "ARN")]
    pub(crate) role_arn: Option<String>,

    /// The external id that the role's trust policy asks for
    #[arg(long, value_name = "ID", requires = "role_arn")]
    pub(crate) external_id: Option<String>,

    /// The MFA device that the role's trust policy asks for; its code is read from standard input
    #[arg(long, value_name = "ARN", requires = "role_arn")]
    pub(crate) mfa_serial: Option<String>,

    /// The MFA device's code, instead of being asked for it
    #[arg(long, value_name = "CODE", requires = "mfa_serial")]
    pub(crate) mfa_code: Option<String>,

    /// The name of the role's session, as CloudTrail shows it
    #[arg(long, value_name = "NAME", default_value = "sigv4-curl")]
    pub(crate) role_session_name: String,

    /// How the body is signed: its hash; not at all (https); in signed chunks, or in unsigned chunks with a checksum
    /// after them (both S3)
    #[arg(long, value_name = "MODE", value_enum, default_value = "signed")]
    pub(crate) payload: PayloadArg,

    /// A host besides AWS's own to which signed requests may be sent, over https; may be repeated
    #[arg(long = "allow-host", value_name = "HOST")]
    pub(crate) allowed_hosts: Vec<String>,

    /// An origin to which signed requests may be sent, such as http://minio:9000; may be repeated
    #[arg(long = "allow-origin", value_name = "ORIGIN")]
    pub(crate) allowed_origins: Vec<String>,

    /// Sign and send the Host header of -H in place of the URL's host, over HTTP/1.1
    #[arg(long)]
    pub(crate) allow_host_mismatch: bool,

    /// Send a body that is not signed over plain http as well
    #[arg(long)]
    pub(crate) allow_unsigned_over_http: bool,

    /// Replace an Authorization header of another kind that is given with -H
    #[arg(long)]
    pub(crate) replace_authorization: bool,

    /// Send nothing, and print a presigned URL: whoever has it can make the request for this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=604_800))]
    pub(crate) presign: Option<u64>,
}

/// How the body is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum PayloadArg {
    Signed,
    Unsigned,
    AwsChunked,
    AwsChunkedUnsigned,
}

/// How it is sent.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Transfer")]
pub(crate) struct TransferArgs {
    /// Follow redirects to the same origin, between AWS hosts of the same service as S3's, and to origins of
    /// --allow-redirect
    #[arg(short = 'L', long)]
    pub(crate) location: bool,

    /// The most redirects to follow
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    pub(crate) max_redirs: usize,

    /// An origin that redirects may lead to, such as https://archive.example.com, if signed requests may be sent there
    #[arg(long = "allow-redirect", value_name = "ORIGIN")]
    pub(crate) allowed_redirects: Vec<String>,

    /// Accept any TLS certificate: whoever is on the way can read and change everything
    #[arg(short = 'k', long)]
    pub(crate) insecure: bool,

    /// Trust the certificates of this PEM file, and no others
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Option<PathBuf>,

    /// Ask for a compressed response, and decompress it
    #[arg(long)]
    pub(crate) compressed: bool,

    /// Seconds that a transfer may take
    #[arg(short = 'm', long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) max_time: Option<Duration>,

    /// Seconds that connecting may take
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "10")]
    pub(crate) connect_timeout: Duration,

    /// Try again this many times after a timeout or status 408, 429, 500, 502, 503 or 504
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) retry: u32,

    /// Seconds between tries [default: 1, then twice as long each time, or the server's Retry-After]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) retry_delay: Option<Duration>,

    /// An address for a host and port, in place of DNS: host:port:addr[,addr]; may be repeated
    #[arg(long, value_name = "HOST:PORT:ADDR")]
    pub(crate) resolve: Vec<String>,

    /// Use HTTP/1.1 even where the server speaks HTTP/2
    #[arg(long = "http1.1")]
    pub(crate) http1_1: bool,

    /// A proxy for every host, [scheme://][user:password@]host[:port] [default: the environment's, and none for loopback]
    #[arg(short = 'x', long, value_name = "PROXY")]
    pub(crate) proxy: Option<String>,
}

/// What is shown and written.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Show the response's status and headers before its body
    #[arg(short, long)]
    pub(crate) include: bool,

    /// Write the response's body to a file
    #[arg(short, long, value_name = "FILE", conflicts_with = "remote_name")]
    pub(crate) output: Option<PathBuf>,

    /// Write the response's body to a file with the name of the URL's last segment
    #[arg(short = 'O', long)]
    pub(crate) remote_name: bool,

    /// Show on standard error what is signed, sent and received; secrets are shortened
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// No progress bar and no messages
    #[arg(short, long)]
    pub(crate) silent: bool,

    /// Messages even with -s
    #[arg(short = 'S', long)]
    pub(crate) show_error: bool,

    /// Exit with 22 and print no body if the status is 400 or more
    #[arg(short, long, conflicts_with = "fail_with_body")]
    pub(crate) fail: bool,

    /// Exit with 22 after the body if the status is 400 or more
    #[arg(long)]
    pub(crate) fail_with_body: bool,

    /// What to write after the transfer: text with %{http_code}, %header{name}, \n, …, or @FILE
    #[arg(short, long, value_name = "FORMAT", allow_hyphen_values = true)]
    pub(crate) write_out: Option<String>,
}

impl OutputArgs {
    /// Whether messages go to standard error.
    pub(crate) fn shows_messages(&self) -> bool {
        !self.silent || self.show_error
    }
}

/// `-H`: one header, the removal of a default one, or a file of them.
#[derive(Clone, Debug)]
pub(crate) enum HeaderArg {
    Set(HeaderName, HeaderValue),
    Remove(HeaderName),
    File(PathBuf),
}

fn header_argument(text: &str) -> Result<HeaderArg, String> {
    match text.strip_prefix('@') {
        Some(path) => Ok(HeaderArg::File(path.into())),
        None => header(text),
    }
}

/// `Name: value`, `Name:` or `Name;`.
pub(crate) fn header(text: &str) -> Result<HeaderArg, String> {
    let name = |name: &str| -> Result<HeaderName, String> {
        name.trim().parse().map_err(|_| format!("{name:?} is not the name of a header"))
    };
    if let Some((before, value)) = text.split_once(':') {
        let value = value.trim();
        if value.is_empty() {
            return Ok(HeaderArg::Remove(name(before)?));
        }
        let value = value.parse().map_err(|_| "the value has characters that a header cannot carry")?;
        return Ok(HeaderArg::Set(name(before)?, value));
    }
    match text.strip_suffix(';') {
        Some(empty) => Ok(HeaderArg::Set(name(empty)?, HeaderValue::from_static(""))),
        None => Err("write it as 'Name: value'".to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "write a number of seconds, such as 2.5")?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

impl Args {
    /// The command line without the program's name.
    pub(crate) fn from_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut args = Self::from_arg_matches(matches)?;
        args.data = data_in_order(matches);
        args.request.fields = fields_in_order(matches);
        args.check()
            .map_err(|message| Self::command().error(clap::error::ErrorKind::ArgumentConflict, message))?;
        Ok(args)
    }

    /// The method of each option that implies one; curl allows one of them.
    fn check(&self) -> Result<(), &'static str> {
        let request = &self.request;
        let posts = !self.data.is_empty() && !request.get;
        let chosen = [posts, !request.fields.is_empty(), request.upload_file.is_some(), request.head];
        if chosen.into_iter().filter(|&chosen| chosen).count() > 1 {
            return Err("choose one of -d (or another body), -F, -T and -I");
        }
        Ok(())
    }

    /// Whether the body is read from the standard input.
    pub(crate) fn reads_stdin(&self) -> bool {
        let is_stdin = |text: &str| matches!(text.rsplit_once(['@', '<']), Some((_, "-")));
        self.data.iter().any(|data| data.kind != DataKind::Raw && is_stdin(&data.text))
            || self.request.fields.iter().any(|(field, literal)| !literal && is_stdin(field))
            || self.request.upload_file.as_deref().is_some_and(|path| path.as_os_str() == "-")
    }
}

/// The values of some options in the order of the command line.
fn in_order<T>(matches: &ArgMatches, options: &[(&str, T)]) -> Vec<(String, T)>
where
    T: Copy,
{
    let mut found = Vec::new();
    for &(id, kind) in options {
        let indices = matches.indices_of(id).into_iter().flatten();
        let values = matches.get_many::<String>(id).into_iter().flatten();
        found.extend(indices.zip(values).map(|(index, value)| (index, value.clone(), kind)));
    }
    found.sort_by_key(|&(index, ..)| index);
    found.into_iter().map(|(_, value, kind)| (value, kind)).collect()
}

fn data_in_order(matches: &ArgMatches) -> Vec<Data> {
    let options = [
        ("data", DataKind::Stripped),
        ("data_raw", DataKind::Raw),
        ("data_binary", DataKind::Binary),
        ("data_urlencode", DataKind::UrlEncoded),
        ("json", DataKind::Json),
    ];
    in_order(matches, &options).into_iter().map(|(text, kind)| Data { kind, text }).collect()
}

fn fields_in_order(matches: &ArgMatches) -> Vec<(String, bool)> {
    in_order(matches, &[("form", false), ("form_string", true)])
}
