//! What the README, the guide and the library's messages say is true.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod links;
mod messages;
mod programs;
mod refusal;
mod security;
mod services;

use std::fs;
use std::path::{Path, PathBuf};

/// A file or folder of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files below a folder that have this extension, as paths from the repository's root.
fn files(folder: &str, extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(repository(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&path, extension));
        } else if Path::new(&path).extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The blocks of code of a language in a Markdown text, without their fences.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("```") {
        let (info, code) = rest[start + 3..].split_once('\n').unwrap();
        let (code, after) = code.split_once("```").unwrap();
        if info.split(',').next() == Some(language) {
            found.push(code);
        }
        rest = after;
    }
    found
}
