//! Signatures compared with values from elsewhere: the seeded cases and published values beside this file, and AWS's
//! own suite out of the aws-sigv4 package.
//!
//! `SIGV4_VECTORS=DIR cargo test --all-features --test it vectors -- --nocapture` runs another folder in place of this
//! one. What a file holds is told by the first word of its name; see VECTORS.md for the format.

mod aws_suite;
mod case;
mod chunked;
pub(crate) mod hosts;
mod report;
mod requests;
mod s3doc;
mod v4a;

use std::path::{Path, PathBuf};
use std::{env, fs};

use self::report::Report;

/// What a file of a folder of vectors holds.
enum Kind {
    /// Requests signed with SigV4 or SigV4a, header and presigned: the main, the edge and the SigV4a cases.
    Requests,
    /// The values that the S3 and IAM documents publish.
    Documents,
    /// Hosts, and what is signed for there.
    Hosts,
    /// Requests whose bodies are sent in chunks.
    Chunked,
    /// A kind that nothing here can check yet.
    NotYet(&'static str),
}

impl Kind {
    fn of(file: &str) -> Option<Self> {
        if file == "s3doc.json" {
            return Some(Self::Documents);
        }
        let (word, _) = file.strip_suffix(".jsonl")?.split_once('_').unwrap_or_default();
        Some(match word {
            "chunked" => Self::Chunked,
            "v4a" if !cfg!(feature = "sigv4a") => Self::NotYet("v4a, in a build without the feature sigv4a"),
            "hosts" => Self::Hosts,
            _ => Self::Requests,
        })
    }
}

fn folder() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/vectors");
    env::var_os("SIGV4_VECTORS").map_or(own, PathBuf::from)
}

#[tokio::test]
async fn files() {
    let folder = folder();
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().expect("a file name in UTF-8"))
        .collect();
    files.sort();

    // The test harness may have begun a line.
    println!();
    let mut reports = Vec::new();
    for file in files {
        let Some(kind) = Kind::of(&file) else { continue };
        let read = || fs::read_to_string(folder.join(&file)).unwrap();
        let report = match kind {
            Kind::Requests => requests::check(&read()).await,
            Kind::Documents => s3doc::check(&read()).await,
            Kind::Hosts => hosts::check(&read()),
            Kind::Chunked => chunked::check(&read()).await,
            Kind::NotYet(what) => Report::not_yet(what),
        };
        report.print(&file);
        reports.push((file, report));
    }
    assert!(!reports.is_empty(), "no vectors in {}", folder.display());
    report::assert_no_failures(&reports);
}
