//! Prints the README's table of figures out of `docs/signing.json` and `docs/overhead.json`.

use std::error::Error;
use std::fs;

use clap::Parser;
use sigv4_bench::figures::{table, with_table};
use sigv4_bench::report::docs;

/// Prints the README's table of figures.
#[derive(Parser)]
struct Options {
    /// Puts the table into README.md, between its two marks.
    #[arg(long)]
    write: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let table = table()?;
    if Options::parse().write {
        let path = docs().join("../README.md");
        let readme = fs::read_to_string(&path)?;
        fs::write(path, with_table(&readme, &table)?)?;
    } else {
        print!("{table}");
    }
    Ok(())
}
