//! What one signature costs: this crate, aws-sigv4, reqsign, the hand-tuned limit and SHA-256 alone.
//!
//! All sign fresh copies of the same requests, in turns within one process; making the copies is not measured.

use std::error::Error;
use std::process::Command;

use clap::Parser;
use serde_json::json;
use sigv4_bench::cases::Case;
use sigv4_bench::chart::{self, Group};
use sigv4_bench::figures;
use sigv4_bench::report::{self, Rounds};
use sigv4_bench::subjects::{self, Bench, OURS};

/// Measures what a signature costs, and writes docs/signing.json and docs/signing.svg.
#[derive(Parser)]
struct Options {
    /// A tenth of the rounds; writes no files.
    #[arg(long)]
    quick: bool,
    /// Compares with docs/signing.json, prints what became worse by more than noise, and fails then; writes no files.
    #[arg(long)]
    check: bool,
    /// Only this case; writes no files.
    #[arg(long)]
    case: Option<String>,
    /// Signs CASE N times with SUBJECT (this crate where none is said; `nothing` for none) and prints nothing: a
    /// fixed amount of work, to be counted by `valgrind --tool=callgrind`.
    #[arg(long, num_args = 2..=3, value_names = ["CASE", "N", "SUBJECT"])]
    fixed: Option<Vec<String>>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    if let Some(fixed) = &options.fixed {
        return run_fixed(fixed);
    }
    let mut results = Vec::new();
    report::print_heading(OURS);
    for case in
        Case::all().into_iter().filter(|case| options.case.as_deref().is_none_or(|name| name == case.name))
    {
        let rounds = measure(&case, options.quick)?;
        rounds.print(OURS);
        results.push(rounds);
    }
    for rounds in &results {
        for (peer, _) in rounds.subjects.iter().skip(1) {
            println!("ratio {} {peer} {:.3}", rounds.case, rounds.ratio(OURS, peer));
        }
    }
    if options.check {
        let checked_in = figures::checked_in("signing")?;
        let checks =
            results.iter().map(|rounds| rounds.check(&checked_in, OURS, &["aws-sigv4", "limit", "hash"]));
        let good = checks.filter(|good| !good).count() == 0;
        return if good { Ok(()) } else { Err("some ratios became worse".into()) };
    }
    let heap = heap_calls()?;
    for (case, subject, count) in &heap {
        if subject == OURS {
            println!("heap {case} {count}");
        }
    }
    if options.quick || options.case.is_some() {
        return Ok(());
    }
    let heap_of = |case: &str, subject: &str| {
        heap.iter().find(|(of, by, _)| of == case && by == subject).map_or(0, |(_, _, count)| *count)
    };
    let cases: Vec<_> = results
        .iter()
        .map(|rounds| {
            let mut figures = rounds.json(OURS);
            for (subject, _) in &rounds.subjects {
                figures["subjects"][subject]["heap_calls"] = heap_of(rounds.case, subject).into();
            }
            figures
        })
        .collect();
    let figures =
        json!({ "machine": report::machine(), "unit": "nanoseconds for one signature", "cases": cases });
    report::write("signing", &figures, &drawn(&results, &heap_of))
}

fn run_fixed(fixed: &[String]) -> Result<(), Box<dyn Error>> {
    let [case, count, subject @ ..] = fixed else { return Err("CASE and N have to be said".into()) };
    let case = Case::named(case).ok_or("no such case")?;
    let subject = subjects::named(subject.first().map_or(OURS, String::as_str), &case)?;
    let mut left: usize = count.parse()?;
    while left > 0 {
        let batch = left.min(16);
        subject.time(batch)?;
        left -= batch;
    }
    Ok(())
}

fn measure(case: &Case, quick: bool) -> Result<Rounds, Box<dyn Error>> {
    let subjects = subjects::all(case)?;
    check(case, &subjects)?;
    let names: Vec<_> = subjects.iter().map(|(name, _)| *name).collect();
    let mut rounds = Rounds::new(case.name, case.title, &names);
    // Few fresh requests at a time, so that they stay in the processor's nearest cache.
    let (batch, batches, count) = match case.bytes().len() {
        0..4096 => (16, 8, 600),
        4096..100_000 => (8, 2, 400),
        _ => (2, 1, 200),
    };
    let count = if quick { count / 10 } else { count };
    for round in 0..count {
        for at in 0..subjects.len() {
            // Each round begins with another subject.
            let at = (at + round) % subjects.len();
            let mut time = 0.0;
            for _ in 0..batches {
                time += subjects[at].1.time(batch)?.as_nanos() as f64;
            }
            rounds.subjects[at].1.push(time / (batch * batches) as f64);
        }
    }
    Ok(rounds)
}

/// Makes sure that the signers agree on the signature, and so do the same work.
fn check(case: &Case, subjects: &[(&str, Box<dyn Bench>)]) -> Result<(), Box<dyn Error>> {
    // A second may turn between them, but not each time.
    for _ in 0..5 {
        let [ours, aws, _reqsign, limit, ..] = subjects else { break };
        let [ours, aws, limit] = [ours, aws, limit].map(|(_, subject)| {
            let headers = subject.signed().ok()?;
            headers.get("authorization").cloned()
        });
        if ours.is_some() && ours == aws && ours == limit {
            return Ok(());
        }
    }
    Err(format!("the signers disagree on {}", case.name).into())
}

/// Case, subject and heap calls.
type HeapCalls = (String, String, u64);

/// Heap calls as the binary `heap` counts them.
fn heap_calls() -> Result<Vec<HeapCalls>, Box<dyn Error>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["run", "--quiet", "--release", "--package", "sigv4-bench", "--bin", "heap"])
        .output()?;
    if !output.status.success() {
        return Err(format!("counting heap calls: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let counts = String::from_utf8(output.stdout)?;
    let line = |line: &str| {
        let mut words = line.split(' ').map(str::to_owned);
        Some((words.next()?, words.next()?, words.next()?.parse().ok()?))
    };
    Ok(counts.lines().filter_map(line).collect())
}

fn drawn(results: &[Rounds], heap_of: &dyn Fn(&str, &str) -> u64) -> String {
    let groups: Vec<_> = results
        .iter()
        .map(|rounds| {
            let whole = rounds.median("aws-sigv4");
            let bars = rounds.subjects.iter().map(|(name, _)| {
                let time = rounds.median(name);
                let label = if *name == "hash" {
                    time_text(time)
                } else {
                    format!("{}, {} heap calls", time_text(time), heap_of(rounds.case, name))
                };
                (display_name(name).to_owned(), time / whole, label)
            });
            Group { title: rounds.title.to_owned(), bars: bars.collect() }
        })
        .collect();
    let notes = [
        "Time for one signature, relative to aws-sigv4 in each group; shorter is better. Headers only, session token of \
         1,000 characters where there is one."
            .to_owned(),
        format!("Medians of interleaved rounds in one process. {}.", report::machine()),
    ];
    chart::draw("Signing one request with AWS Signature Version 4", &notes, &groups)
}

fn display_name(subject: &str) -> &str {
    match subject {
        "reqsign" => "reqsign-aws-v4",
        "limit" => "hand-tuned limit",
        "hash" => "SHA-256 alone",
        name => name,
    }
}

fn time_text(nanoseconds: f64) -> String {
    if nanoseconds < 9_950.0 {
        format!("{:.2} \u{b5}s", nanoseconds / 1e3)
    } else {
        format!("{:.0} \u{b5}s", nanoseconds / 1e3)
    }
}
