//! `sigv4-curl doctor URL`: why a request is refused, step by step, and what to change.

mod caller_identity;
mod checks;
mod report;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Arg, ArgAction, CommandFactory};

use crate::args::Args;
use checks::Checks;

const ABOUT: &str = "Checks step by step whether a request is accepted, and says what to change.\n\nIt looks at the credentials \
    and whose they are, the host and what is inferred from it, the connection, the clock, and makes the call: unsigned, if it \
    is a GET or HEAD, and signed.\n\nThe exit code is 0 if the request is accepted, 10 for credentials, 11 for host, service or \
    region, 12 for the connection, 13 for the clock, 14 for a signature that is refused, 15 for a request that is denied \
    though its signature is right, 16 for anything else, and 2 for a wrong command line.";

/// Runs the command line after `doctor`.
pub(crate) async fn main() -> ExitCode {
    let command = Args::command()
        .name("sigv4-curl doctor")
        .bin_name("sigv4-curl doctor")
        .about("Checks step by step whether a request is accepted, and says what to change")
        .long_about(ABOUT)
        // `--json` is about the report here.
        .mut_arg("json", |arg| arg.long("json-data"))
        .arg(Arg::new("as_json").long("json").action(ArgAction::SetTrue).help("Print the report as JSON"))
        .arg(Arg::new("sts_endpoint").long("sts-endpoint").value_name("URL").help(
            "Where to ask whose the credentials are [default: STS in the region, or AWS_ENDPOINT_URL_STS]",
        ));
    let matches = command.get_matches_from(std::env::args_os().skip(1));
    let args = Args::from_matches(&matches).unwrap_or_else(|error| error.exit());
    let sts_endpoint = matches.get_one::<String>("sts_endpoint").cloned();
    let report = Checks::new(&args, sts_endpoint).run().await;
    if matches.get_flag("as_json") {
        println!("{}", report.to_json(&args));
    } else {
        let colors = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        print!("{}", report.to_text(&args, colors));
    }
    ExitCode::from(report.verdict.exit_code())
}
