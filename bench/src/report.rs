//! Figures out of many short rounds, and the files they are written to.

use std::error::Error;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// What a case took in each round, by subject.
#[derive(Clone, Debug)]
pub struct Rounds {
    /// As it stands in the results.
    pub case: &'static str,
    /// One line for the chart.
    pub title: &'static str,
    /// Name, and nanoseconds for one signature or one request, round by round.
    pub subjects: Vec<(&'static str, Vec<f64>)>,
}

impl Rounds {
    /// No rounds yet.
    #[must_use]
    pub fn new(case: &'static str, title: &'static str, subjects: &[&'static str]) -> Self {
        Self { case, title, subjects: subjects.iter().map(|name| (*name, Vec::new())).collect() }
    }

    fn times(&self, subject: &str) -> &[f64] {
        self.subjects.iter().find(|(name, _)| *name == subject).map_or(&[], |(_, times)| times)
    }

    /// The median time in nanoseconds.
    #[must_use]
    pub fn median(&self, subject: &str) -> f64 {
        median(self.times(subject).to_vec())
    }

    /// The shortest time in nanoseconds.
    #[must_use]
    pub fn best(&self, subject: &str) -> f64 {
        self.times(subject).iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The median over the rounds of one subject's time over another's in the same round.
    #[must_use]
    pub fn ratio(&self, subject: &str, peer: &str) -> f64 {
        median(self.times(subject).iter().zip(self.times(peer)).map(|(own, peer)| own / peer).collect())
    }

    /// The table's lines for this case.
    pub fn print(&self, own: &str) {
        for (name, _) in &self.subjects {
            println!(
                "{:<10} {name:<18} {:>12.0} {:>12.0} {:>8.3}",
                self.case,
                self.best(name),
                self.median(name),
                self.ratio(own, name)
            );
        }
    }

    /// How far the paired ratios of the rounds lie apart: half of the range of their middle half, over the median.
    #[must_use]
    pub fn spread(&self, subject: &str, peer: &str) -> f64 {
        let pairs = self.times(subject).iter().zip(self.times(peer));
        let mut ratios: Vec<_> = pairs.map(|(own, peer)| own / peer).collect();
        ratios.sort_unstable_by(f64::total_cmp);
        let at = |part: f64| ratios.get((ratios.len() as f64 * part) as usize).copied().unwrap_or(f64::NAN);
        (at(0.75) - at(0.25)) / 2.0 / at(0.5)
    }

    /// Compares the ratios of `own` to `peers` with those that are checked in, and prints each; whether none became
    /// worse by more than noise.
    ///
    /// The noise is the ratios' own [`spread`](Self::spread), and at least 3 %. Ratios within one process move less
    /// from machine to machine than times.
    #[must_use]
    pub fn check(&self, checked_in: &Value, own: &str, peers: &[&str]) -> bool {
        let cases = checked_in["cases"].as_array().map_or(&[][..], Vec::as_slice);
        let Some(before) = cases.iter().find(|case| case["case"] == self.case) else {
            println!("check {}: no figures are checked in", self.case);
            return true;
        };
        let mut good = true;
        for peer in peers {
            let Some(before) = before["subjects"][*peer]["ratio"].as_f64() else { continue };
            let (now, noise) = (self.ratio(own, peer), self.spread(own, peer).max(0.03));
            let worse = now > before * (1.0 + noise);
            good &= !worse;
            println!(
                "check {:<10} to {peer:<14} {before:.3} -> {now:.3} (noise {:.0} %){}",
                self.case,
                noise * 100.0,
                if worse { " WORSE" } else { "" }
            );
        }
        good
    }

    /// The same for a machine.
    #[must_use]
    pub fn json(&self, own: &str) -> Value {
        let subjects = self.subjects.iter().map(|(name, times)| {
            let figures = json!({
                "median_ns": rounded(self.median(name), 1.0),
                "best_ns": rounded(self.best(name), 1.0),
                "ratio": rounded(self.ratio(own, name), 1000.0),
                "rounds": times.len(),
            });
            ((*name).to_owned(), figures)
        });
        json!({ "case": self.case, "title": self.title, "subjects": Value::Object(subjects.collect()) })
    }
}

/// The heading of what [`Rounds::print`] prints.
pub fn print_heading(own: &str) {
    println!("{:<10} {:<18} {:>12} {:>12} {:>8}", "case", "subject", "best ns", "median ns", "ratio");
    println!("(ratio: {own}'s time over the subject's, median of the paired rounds; smaller is better)");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn rounded(value: f64, per_unit: f64) -> f64 {
    (value * per_unit).round() / per_unit
}

/// What the figures were taken on.
#[must_use]
pub fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name))?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    };
    let model = field("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let sha = field("flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "sha_ni"));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{model}, {cores} cores{}", if sha { ", SHA-NI" } else { "" })
}

/// The folder that the README's charts are in.
#[must_use]
pub fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// Writes a chart and its figures to `docs/NAME.svg` and `docs/NAME.json`.
///
/// # Errors
/// Where they cannot be written.
pub fn write(name: &str, figures: &Value, chart: &str) -> Result<(), Box<dyn Error>> {
    write_figures(name, figures)?;
    std::fs::write(docs().join(format!("{name}.svg")), chart)?;
    Ok(())
}

/// Writes figures alone, to `docs/NAME.json`.
///
/// # Errors
/// Where they cannot be written.
pub fn write_figures(name: &str, figures: &Value) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(docs())?;
    std::fs::write(docs().join(format!("{name}.json")), format!("{figures:#}\n"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(ours: &[f64]) -> Rounds {
        let mut rounds = Rounds::new("case", "title", &["ours", "peer"]);
        rounds.subjects[0].1 = ours.to_vec();
        rounds.subjects[1].1 = vec![100.0; ours.len()];
        rounds
    }

    #[test]
    fn what_became_worse_by_more_than_noise_is_found() {
        let checked_in = json!({ "cases": [rounds(&[120.0; 20]).json("ours")] });
        let check = |rounds: Rounds| {
            let mut figures = checked_in.clone();
            figures["cases"][0]["subjects"]["peer"]["ratio"] = 1.2.into();
            rounds.check(&figures, "ours", &["peer"])
        };
        assert!(check(rounds(&[120.0; 20])) && check(rounds(&[123.0; 20])) && check(rounds(&[90.0; 20])));
        assert!(!check(rounds(&[125.0; 20])), "4 % more, without noise");
        let noisy: Vec<_> = (0..20).map(|at| f64::from(at) * 3.0 + 96.0).collect();
        assert!(check(rounds(&noisy)), "4 % more in rounds that lie 12 % apart");
        assert!((rounds(&noisy).spread("ours", "peer") - 0.119).abs() < 0.01);
    }
}
