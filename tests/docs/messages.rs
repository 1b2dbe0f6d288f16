//! What the library's messages tell a reader to call exists.

use std::collections::HashSet;

use proc_macro2::{TokenStream, TokenTree};
use regex_lite::Regex;

use crate::{files, read};

/// What messages name of other crates: methods, and types.
const FOREIGN_METHODS: [&str; 4] = ["body", "into_reader", "new", "no_credentials"];
const FOREIGN_TYPES: [&str; 2] = ["BoxBody", "Endpoint"];

/// The string literals of a source that are not in comments, attributes or tests.
fn literals(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]\nmod ").next().unwrap();
    let mut found = Vec::new();
    collect(code.parse().unwrap(), &mut found);
    found
}

fn collect(tokens: TokenStream, found: &mut Vec<String>) {
    let mut after_hash = false;
    for token in tokens {
        match token {
            TokenTree::Group(attribute) if after_hash && attribute.to_string().starts_with('[') => {}
            TokenTree::Group(group) => collect(group.stream(), found),
            TokenTree::Literal(literal) if literal.to_string().starts_with(['"', 'r']) => {
                found.push(literal.to_string());
            }
            TokenTree::Punct(punct) if punct.as_char() == '#' || (after_hash && punct.as_char() == '!') => {
                after_hash = true;
                continue;
            }
            _ => {}
        }
        after_hash = false;
    }
}

/// The names that a pattern finds in the sources.
fn names(sources: &[String], pattern: &str) -> HashSet<String> {
    let pattern = Regex::new(pattern).unwrap();
    let found = sources.iter().flat_map(|source| pattern.captures_iter(source));
    found.map(|found| found[1].to_owned()).collect()
}

#[test]
fn name_methods_and_types_that_exist() {
    let paths: Vec<_> = files("src", "rs").into_iter().filter(|path| !path.contains("/tests")).collect();
    let sources: Vec<_> = paths.iter().map(|path| read(path)).collect();
    let mut functions = names(&sources, r"\bpub (?:const )?(?:async )?fn (\w+)");
    functions.extend(FOREIGN_METHODS.map(String::from));
    for source in sources.iter().filter(|source| source.contains("\npub trait ")) {
        functions.extend(names(std::slice::from_ref(source), r"\n    fn (\w+)"));
    }
    let mut types = names(&sources, r"\bpub (?:struct|enum|trait|type) (\w+)");
    types.extend(FOREIGN_TYPES.map(String::from));
    let variants = names(&sources, r"\n    ([A-Z]\w+)(?:,|\(|\s*\{)");

    let method = Regex::new(r#"(?:^"|[\s(`])\.([a-z_0-9]+)\("#).unwrap();
    let path = Regex::new(r"\b([A-Z]\w+)::(\w+)").unwrap();
    let mut count = 0;
    let mut wrong = Vec::new();
    for (file, source) in paths.iter().zip(&sources) {
        for text in literals(source) {
            for found in method.captures_iter(&text) {
                count += 1;
                if !functions.contains(&found[1]) {
                    wrong.push(format!("{file}: .{}(…) in {text}", &found[1]));
                }
            }
            for found in path.captures_iter(&text) {
                count += 1;
                let item = &found[2];
                if !types.contains(&found[1]) || !(functions.contains(item) || variants.contains(item)) {
                    wrong.push(format!("{file}: {} in {text}", &found[0]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 40, "{count}");
}
