//! The types of the generated table.

use std::cmp::Ordering;
use std::str;

/// A partition of AWS: `aws`, `aws-cn` and so on.
pub(super) struct Partition {
    pub(super) id: &'static str,
    pub(super) prefixes: &'static [&'static str],
    pub(super) regions: &'static [&'static str],
    pub(super) pseudo: &'static [&'static str],
}

/// What runs under a domain of AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DomainKind {
    /// `amazonaws.com` and its counterparts: services, their resources, and under some names customers' machines.
    Standard,
    /// `api.aws` and its counterparts: dual-stack endpoints of services and their resources.
    DualStack,
    /// `on.aws` and its counterparts: resources only, many of them customers' machines.
    Resources,
}

/// A domain that AWS's hosts end in.
pub(super) struct Suffix {
    pub(super) domain: &'static str,
    pub(super) kind: DomainKind,
    pub(super) partitions: &'static [usize],
    pub(super) fixed: Rows,
}

/// Lines of text, sorted by their first word, which is what a line is found by.
///
/// A slice of `&str` would take four times as much of a program: each pointer needs a relocation.
pub(super) struct Rows(pub(super) &'static str);

impl Rows {
    /// The line of this key: the key, and what follows it.
    pub(super) fn find(&self, key: &str) -> Option<(&'static str, &'static str)> {
        // Bytes, since lines are too short for the search functions of `str` to pay.
        let is_newline = |byte: &u8| *byte == b'\n';
        let mut lines = self.0.as_bytes();
        while !lines.is_empty() {
            // The line in the middle.
            let before = lines.get(..lines.len() / 2)?;
            let (earlier, line) =
                lines.split_at_checked(before.iter().rposition(is_newline).map_or(0, |at| at + 1))?;
            let (line, later) = line.split_at_checked(line.iter().position(is_newline)?)?;
            let (found, value) =
                line.split_at_checked(line.iter().position(|b| *b == b' ').unwrap_or(line.len()))?;
            match key.as_bytes().cmp(found) {
                Ordering::Equal => {
                    let value = value.strip_prefix(b" ").unwrap_or_default();
                    return Some((str::from_utf8(found).ok()?, str::from_utf8(value).ok()?));
                }
                Ordering::Less => lines = earlier,
                Ordering::Greater => lines = later.get(1..)?,
            }
        }
        None
    }

    /// All lines: the key, and what follows it.
    #[cfg(any(feature = "metrics", test))]
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.0.lines().map(|line| line.split_once(' ').unwrap_or((line, "")))
    }
}

#[cfg(test)]
mod tests {
    use super::super::generated::{SERVICES, SUFFIXES};

    #[test]
    fn every_row_is_found_and_nothing_else() {
        for rows in SUFFIXES.iter().map(|suffix| &suffix.fixed).chain([&SERVICES]) {
            for (key, value) in rows.iter() {
                assert_eq!(rows.find(key), Some((key, value)));
                assert_eq!(rows.find(&format!("{key}0")), None);
                let shorter = &key[..key.len() - 1];
                assert_eq!(rows.find(shorter).is_some(), rows.iter().any(|(key, _)| key == shorter));
            }
            assert_eq!(rows.find(""), None);
            assert_eq!(rows.find("\n"), None);
        }
        assert!(SERVICES.iter().count() > 400);
    }
}
