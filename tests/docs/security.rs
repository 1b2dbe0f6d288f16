//! SECURITY.md names tests that exist.

use regex_lite::Regex;

use crate::{files, read};

/// The folder of the tests that a line names: `tests/it` where it names none.
fn folder(named: Option<&str>) -> String {
    match named {
        None => "tests/it".to_owned(),
        Some(path) if path.starts_with("tests/") => path.to_owned(),
        Some(package) => format!("examples/{package}/tests/it"),
    }
}

#[test]
fn every_threat_has_a_test() {
    let text = read("SECURITY.md");
    let named = Regex::new("`(?:([a-z0-9/-]+): )?((?:[a-z0-9_]+::)+)([a-z0-9_]+)`").unwrap();
    let mut rows = 0;
    for row in text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| threat")) {
        let tests = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap();
        assert!(named.is_match(tests), "no test in: {row}");
        for test in named.captures_iter(tests) {
            let (folder, modules) =
                (folder(test.get(1).map(|folder| folder.as_str())), test[2].replace("::", "/"));
            let modules = modules.trim_end_matches('/');
            let file = [format!("{folder}/{modules}.rs"), format!("{folder}/{modules}/mod.rs")];
            let found = files(&folder, "rs").into_iter().find(|path| file.contains(path));
            let found = found.unwrap_or_else(|| panic!("none of {file:?}"));
            let is_there = read(&found).contains(&format!("fn {}(", &test[3]));
            assert!(is_there, "{} is not in {found}", &test[3]);
        }
        rows += 1;
    }
    assert!(rows > 10, "{rows}");
}
