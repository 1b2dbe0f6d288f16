//! The confusion table: causes made, diagnoses given.

use std::collections::BTreeSet;

use sigv4_middleware::diagnosis::{Cause, Diagnosis};

#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

struct Row {
    made: Cause,
    how: &'static str,
    given: Option<Diagnosis>,
}

impl Table {
    pub(crate) fn add(&mut self, made: Cause, how: &'static str, given: Option<Diagnosis>) {
        self.rows.push(Row { made, how, given });
    }

    pub(crate) fn reports(&self) -> impl Iterator<Item = String> {
        self.rows.iter().filter_map(|row| row.given.as_ref()).map(|given| format!("{given}\n{given:?}"))
    }

    /// Prints the table; fails unless every cause is on the diagonal.
    ///
    /// A diagnosis of several causes, where a response cannot decide, is on it if the one that was made is among them.
    #[track_caller]
    pub(crate) fn verify(&self, at_least: usize) {
        let mut off = Vec::new();
        println!("{:40} {:44} diagnosis given", "cause made", "how");
        for row in &self.rows {
            let given = row.given.as_ref().map_or_else(
                || "(none)".to_owned(),
                |given| given.causes().iter().map(|cause| cause.as_str()).collect::<Vec<_>>().join(" | "),
            );
            let right = row.given.as_ref().is_some_and(|given| given.causes().contains(&row.made));
            let mark = if right { "" } else { "  <-- off the diagonal" };
            println!("{:40} {:44} {given}{mark}", row.made.as_str(), row.how);
            if !right {
                let report = row.given.as_ref().map(ToString::to_string).unwrap_or_default();
                off.push(format!("{} ({}): {given}\n{report}", row.made.as_str(), row.how));
            }
        }
        let causes: BTreeSet<_> = self.rows.iter().map(|row| row.made.as_str()).collect();
        let certain =
            self.rows.iter().filter(|row| row.given.as_ref().is_some_and(Diagnosis::is_certain)).count();
        println!(
            "{} requests, {} causes, {} on the diagonal, {certain} with one cause alone",
            self.rows.len(),
            causes.len(),
            self.rows.len() - off.len()
        );
        assert!(off.is_empty(), "{} off the diagonal:\n\n{}", off.len(), off.join("\n\n"));
        assert!(self.rows.len() - certain <= self.rows.len() / 20, "too many that name more than one cause");
        assert!(causes.len() >= at_least, "{} causes", causes.len());
    }
}
