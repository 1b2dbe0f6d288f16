//! The README's table, out of the JSON files in `docs/`.

use std::error::Error;
use std::fmt::Write;
use std::fs;

use serde_json::Value;

use crate::report::docs;

/// Stands before the table in the README.
pub const BEGIN: &str = "<!-- figures: begin -->";
/// Stands after it.
pub const END: &str = "<!-- figures: end -->";

/// The figures of a bench, as they are checked in.
///
/// # Errors
/// Where they cannot be read.
pub fn checked_in(name: &str) -> Result<Value, Box<dyn Error>> {
    let path = docs().join(format!("{name}.json"));
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}

fn cases(figures: &Value) -> impl Iterator<Item = &Value> {
    figures["cases"].as_array().into_iter().flatten()
}

fn number(value: &Value) -> Result<f64, Box<dyn Error>> {
    value.as_f64().ok_or_else(|| format!("{value} is no number").into())
}

/// The README's table, in Markdown.
///
/// # Errors
/// Where a figure is missing.
pub fn table() -> Result<String, Box<dyn Error>> {
    let (signing, overhead) = (checked_in("signing")?, checked_in("overhead")?);
    let mut out = String::new();
    writeln!(out, "| one signature | time | heap calls | of aws-sigv4's time | of the hand-tuned limit's |")?;
    writeln!(out, "|---|---|---|---|---|")?;
    for case in cases(&signing) {
        let subjects = &case["subjects"];
        let ours = &subjects["sigv4-middleware"];
        writeln!(
            out,
            "| {} | {:.2} \u{b5}s | {} | {:.2} | {:.2} |",
            case["title"].as_str().unwrap_or_default(),
            number(&ours["median_ns"])? / 1e3,
            number(&ours["heap_calls"])?,
            number(&subjects["aws-sigv4"]["ratio"])?,
            number(&subjects["limit"]["ratio"])?
        )?;
    }
    writeln!(out)?;
    writeln!(out, "| a request over loopback, of the time of an unsigned one | reqwest | hyper | gRPC |")?;
    writeln!(out, "|---|---|---|---|")?;
    for case in cases(&overhead) {
        // Beside it what the same headers take on their way, whoever makes them.
        let cell = |signed: &Value, headers: &str| match (signed.as_f64(), case[headers].as_f64()) {
            (None, _) => "\u{2013}".to_owned(),
            (Some(signed), None) => format!("{signed:.2}"),
            (Some(signed), Some(headers)) => format!("{signed:.2} ({headers:.2})"),
        };
        writeln!(
            out,
            "| {} | {} | {} | {} |",
            case["title"].as_str().unwrap_or_default(),
            cell(&case["subjects"]["plain"]["ratio"], "headers_ratio"),
            cell(&case["hyper_ratio"], "hyper_headers_ratio"),
            cell(&case["grpc_ratio"], "grpc_headers_ratio")
        )?;
    }
    writeln!(out)?;
    writeln!(
        out,
        "{}; medians of rounds in turns. In brackets: unsigned, with the same headers.",
        signing["machine"].as_str().unwrap_or_default()
    )?;
    Ok(out)
}

/// A README with this table between the two marks.
///
/// # Errors
/// Where the marks are missing.
pub fn with_table(readme: &str, table: &str) -> Result<String, Box<dyn Error>> {
    let begin = readme.find(BEGIN).ok_or_else(|| format!("the README has no line {BEGIN}"))? + BEGIN.len();
    let end = readme[begin..].find(END).ok_or_else(|| format!("the README has no line {END}"))? + begin;
    Ok(format!("{}\n\n{table}\n{}", &readme[..begin], &readme[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After a new run of a bench: `cargo run -p sigv4-bench --bin figures -- --write`.
    #[test]
    fn the_readme_has_the_figures_that_are_checked_in() {
        let readme = fs::read_to_string(docs().join("../README.md")).unwrap();
        assert_eq!(with_table(&readme, &table().unwrap()).unwrap(), readme);
    }
}
