//! What became of the cases of one file.

/// Differences shown of one file.
const SHOWN: usize = 3;

/// The outcome of one case: nothing, or how it differs.
pub(crate) type Outcome = Result<(), String>;

/// The outcomes of one file's cases.
#[derive(Default)]
pub(crate) struct Report {
    passed: usize,
    failures: Vec<String>,
    not_yet: Vec<&'static str>,
}

impl Report {
    pub(crate) fn not_yet(what: &'static str) -> Self {
        Self { not_yet: vec![what], ..Self::default() }
    }

    pub(crate) fn add(&mut self, case: &str, outcome: Outcome) {
        match outcome {
            Ok(()) => self.passed += 1,
            Err(difference) => self.failures.push(format!("{case}: {difference}")),
        }
    }

    /// Cases that were run.
    pub(crate) fn len(&self) -> usize {
        self.passed + self.failures.len()
    }

    pub(crate) fn print(&self, file: &str) {
        let (passed, failed) = (self.passed, self.failures.len());
        if self.len() > 0 || self.not_yet.is_empty() {
            println!("vectors {file}: {passed} passed, {failed} failed");
        }
        for what in &self.not_yet {
            println!("vectors {file}: not supported yet ({what})");
        }
    }
}

/// Panics with the first differences of each file, if there are any.
pub(crate) fn assert_no_failures(reports: &[(String, Report)]) {
    let failed: usize = reports.iter().map(|(_, report)| report.failures.len()).sum();
    let mut text = String::new();
    for (file, report) in reports {
        for failure in report.failures.iter().take(SHOWN) {
            text.push_str(&format!("\n{file} {failure}\n"));
        }
    }
    assert_eq!(failed, 0, "cases differ; the first of each file:\n{text}");
}

/// Compares two texts, and shows the first line that differs.
pub(crate) fn same(what: &str, ours: &str, expected: &str) -> Outcome {
    if ours == expected {
        return Ok(());
    }
    let mut lines = (ours.lines(), expected.lines());
    let differing = loop {
        match (lines.0.next(), lines.1.next()) {
            (ours, expected) if ours == expected && ours.is_some() => {}
            (ours, expected) => break (ours, expected),
        }
    };
    Err(format!("{what} differs\n     ours: {:?}\n expected: {:?}", differing.0, differing.1))
}
