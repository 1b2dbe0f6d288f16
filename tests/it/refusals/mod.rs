//! Refusals from the wild: real responses of AWS, of stores that follow S3, and of what stands in front of them, each with
//! its cause.
//!
//! `SIGV4_REFUSALS=FILE cargo test --all-features --test it refusals -- --nocapture` runs another file of the kind. It
//! prints the diagnosis of each, `refusal ID: CAUSE`, all its causes separated by ` | ` where several are left.

mod any;
mod case;
mod lines;
mod record;
mod secrets;

use std::fs;
use std::path::Path;

use case::Case;

/// The files here. The cases of the last were written without sight of the rules.
const OWN: [&str; 3] = ["dev.jsonl", "refusals-more.jsonl", "refusals-independent.jsonl"];

/// A set of more causes than these explains nothing.
const LARGEST_SET: usize = 4;

/// What became of a file.
#[derive(Debug, Default)]
struct Counts {
    right: usize,
    /// Of those, the ones in which the cause is the likeliest.
    first: usize,
    other: usize,
}

fn run(path: &Path) -> Counts {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut counts = Counts::default();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let case = Case::read(line);
        let diagnosis = case.diagnose();
        let causes: Vec<&str> =
            diagnosis.iter().flat_map(|found| found.causes()).map(|cause| cause.as_str()).collect();
        assert!(causes.len() <= LARGEST_SET, "{}: {causes:?}", case.id);
        let named = if causes.is_empty() { "none".to_owned() } else { causes.join(" | ") };
        println!("refusal {}: {named}", case.id);
        if causes.contains(&&*case.cause) {
            counts.right += 1;
            counts.first += usize::from(causes[0] == case.cause);
        } else {
            println!("  expected {}: {:?}", case.cause, diagnosis.map(|found| found.to_string()));
            counts.other += 1;
        }
    }
    println!("refusals {}: {} right, {} other", path.display(), counts.right, counts.other);
    counts
}

#[test]
fn each_cause_is_named() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/refusals");
    let Some(file) = std::env::var_os("SIGV4_REFUSALS") else {
        for name in OWN {
            let counts = run(&own.join(name));
            assert_eq!((counts.other, counts.first), (0, counts.right), "{name}: {counts:?}");
        }
        return;
    };
    let counts = run(Path::new(&file));
    assert_eq!(counts.other, 0, "{counts:?}");
}
