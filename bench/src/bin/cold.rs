//! What a new process pays until its first signature: from `Signer::from_env()` here, from reading the environment with
//! aws-sigv4 by hand. A Lambda function pays it at each cold start.
//!
//! Each subject is measured in processes of its own, in turns. `--only SUBJECT` is one such process, which prints its
//! nanoseconds and page faults: to be counted by `scripts/instructions.py --cold`. More than half of it is for page faults,
//! of code that is not in the processor's caches, and of three `CPUID` instructions by which sha2 looks for SHA-NI, each of
//! which leaves a virtual machine.

use std::error::Error;
use std::process::Command;
use std::time::{Instant, SystemTime};
use std::{env, fs};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use clap::Parser;
use futures_util::FutureExt;
use http::Request;
use sigv4_bench::cases::{ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY};
use sigv4_bench::report::{self, Rounds};
use sigv4_middleware::{Credentials, Signer};

const SUBJECTS: [&str; 2] = ["ours", "aws-sigv4"];
const URI: &str = "https://abc123.execute-api.us-east-1.amazonaws.com/prod/orders/42?limit=10&after=abc";

/// Measures the first signature of a process.
#[derive(Parser)]
struct Options {
    /// A tenth of the rounds.
    #[arg(long)]
    quick: bool,
    /// Makes one signature in this process: `ours`, `aws-sigv4`, or `nothing`.
    #[arg(long)]
    only: Option<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    if let Some(only) = &options.only {
        let mut request = Request::get(URI).header("content-type", "application/json").body(())?;
        let faults = page_faults()?;
        let started = Instant::now();
        match only.as_str() {
            "ours" => ours(&mut request)?,
            "aws-sigv4" => by_hand(&mut request)?,
            "nothing" => {}
            name => return Err(format!("no subject is named {name}").into()),
        }
        let nanoseconds = started.elapsed().as_nanos();
        let faults = page_faults()? - faults;
        if only != "nothing" && !request.headers().contains_key("authorization") {
            return Err("the request was not signed".into());
        }
        println!("{nanoseconds} {faults}");
        return Ok(());
    }
    let mut rounds = Rounds::new("cold", "the first signature of a process", &SUBJECTS);
    let mut page_faults = SUBJECTS.map(|_| Vec::new());
    for _ in 0..if options.quick { 30 } else { 300 } {
        for ((subject, times), page_faults) in rounds.subjects.iter_mut().zip(&mut page_faults) {
            let output = Command::new(env::current_exe()?)
                .args(["--only", subject])
                .env("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
                .env("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
                .env("AWS_SESSION_TOKEN", "IQoJb3JpZ2luX2VjEXAMPLE/".repeat(40))
                .env("AWS_REGION", REGION)
                .output()?;
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into());
            }
            let output = String::from_utf8(output.stdout)?;
            let (nanoseconds, faults) = output.trim().split_once(' ').ok_or("no page faults")?;
            times.push(nanoseconds.parse()?);
            page_faults.push(faults.parse::<u64>()?);
        }
    }
    report::print_heading("ours");
    rounds.print("ours");
    for (subject, faults) in SUBJECTS.iter().zip(&mut page_faults) {
        faults.sort_unstable();
        println!("{subject}: {} page faults, the median", faults[faults.len() / 2]);
    }
    println!("{}", report::machine());
    Ok(())
}

/// Minor page faults of this process until now, by Linux.
fn page_faults() -> Result<u64, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // After the program's name, which may have spaces.
    let fields = stat.rsplit(')').next().ok_or("no fields")?;
    Ok(fields.split_whitespace().nth(7).ok_or("no count")?.parse()?)
}

fn ours(request: &mut Request<()>) -> Result<(), Box<dyn Error>> {
    let signer = Signer::from_env()?;
    let (mut parts, ()) = std::mem::take(request).into_parts();
    signer.sign(&mut parts, "").now_or_never().ok_or("the signer waits")??;
    *request = Request::from_parts(parts, ());
    Ok(())
}

fn by_hand(request: &mut Request<()>) -> Result<(), Box<dyn Error>> {
    let token = env::var("AWS_SESSION_TOKEN").ok();
    let (id, secret) = (env::var("AWS_ACCESS_KEY_ID")?, env::var("AWS_SECRET_ACCESS_KEY")?);
    let identity = Credentials::new(id, secret, token, None, "environment").into();
    let region = env::var("AWS_REGION")?;
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(&region)
        .name("execute-api")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()?
        .into();
    let uri = request.uri().to_string();
    let headers =
        request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let signable = SignableRequest::new(request.method().as_str(), uri, headers, SignableBody::Bytes(&[]))?;
    let (instructions, _signature) = sign(signable, &params)?.into_parts();
    instructions.apply_to_request_http1x(request);
    Ok(())
}
