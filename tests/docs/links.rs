//! Every link within the repository's documents leads somewhere. Links between Rust items are rustdoc's to check, which
//! does not look at fragments: those of the guide are checked here.

use std::collections::HashSet;

use regex_lite::Regex;

use crate::{files, read, repository};

/// The guide on docs.rs, without its version.
const GUIDE: &str = "https://docs.rs/sigv4-middleware/latest/sigv4_middleware/guide/";

/// What a link points to, and the text without code.
fn links(text: &str) -> Vec<String> {
    let prose: String = text.split("```").step_by(2).collect();
    let prose = Regex::new("`[^`\n]*`").unwrap().replace_all(&prose, "`");
    let inline = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let reference = Regex::new(r"(?m)^(?://[!/] )?\[[^\]]+\]: (\S+)").unwrap();
    let image = Regex::new(r#"(?:src|href|srcset)="([^"]+)""#).unwrap();
    let found = [inline, reference, image]
        .map(|pattern| pattern.captures_iter(&prose).map(|found| found[1].to_owned()).collect::<Vec<_>>());
    found.concat()
}

/// The fragments that rustdoc and GitHub make of a text's headings.
fn fragments(text: &str) -> HashSet<String> {
    let prose: String = text.split("```").step_by(2).collect();
    let headings = prose.lines().filter_map(|line| line.trim_start_matches("//! ").strip_prefix('#'));
    headings
        .map(|title| {
            let title = title.trim_start_matches('#').trim().to_lowercase();
            title
                .chars()
                .filter(|c| c.is_alphanumeric() || "-_ ".contains(*c))
                .collect::<String>()
                .replace(' ', "-")
        })
        .collect()
}

fn guide_page(name: &str) -> String {
    match name {
        "" | "index.html" => read("src/guide/mod.rs"),
        name => read(&format!("src/guide/{}.md", name.trim_end_matches("/index.html"))),
    }
}

/// Fails if a link of a document at this path leads nowhere.
fn check(path: &str, link: &str) -> Result<(), String> {
    let (target, fragment) = link.split_once('#').unwrap_or((link, ""));
    let fragment_of = |page: &str| {
        let known = fragment.is_empty() || fragments(page).contains(fragment);
        known.then_some(()).ok_or_else(|| format!("{path}: {link}: no such heading"))
    };
    if let Some(page) = target.strip_prefix(GUIDE) {
        return fragment_of(&guide_page(page));
    }
    if target.starts_with("https://") || target.contains("::") {
        return Ok(());
    }
    if target.is_empty() {
        return fragment_of(&read(path));
    }
    // Pages of the guide link each other by module, and types by name.
    if path.starts_with("src/") && !target.contains(['.', '/']) {
        let page = format!("src/guide/{target}.md");
        return if repository(&page).exists() { fragment_of(&read(&page)) } else { Ok(()) };
    }
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let file = repository(folder).join(target);
    if !file.exists() {
        return Err(format!("{path}: {link}: no such file"));
    }
    let page = if target.ends_with(".md") { std::fs::read_to_string(file).unwrap() } else { String::new() };
    if target.ends_with(".md") { fragment_of(&page) } else { Ok(()) }
}

#[test]
fn within_the_documents_lead_somewhere() {
    let mut documents = files("src/guide", "md");
    documents.extend(
        ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].map(String::from),
    );
    documents.extend(["src/lib.rs", "src/guide/mod.rs"].map(String::from));
    let mut count = 0;
    let mut broken = Vec::new();
    for path in documents {
        for link in links(&read(&path)) {
            count += 1;
            broken.extend(check(&path, &link).err());
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(count > 100, "{count}");
}

/// Paths in backquotes that look like the repository's own, such as `examples/quickstart`.
#[test]
fn files_that_documents_name_exist() {
    let name = Regex::new(r"`((?:bench|docs|examples|fuzz|scripts|src|tests)/[\w./-]+)`").unwrap();
    let packages = Regex::new(r"cargo (?:run|test|install)[^\n]*? (?:-p|--path) ([\w/-]+)").unwrap();
    let manifests: String =
        files("examples", "toml").iter().chain(&files("tests", "toml")).map(|path| read(path)).collect();
    let mut documents = files("src/guide", "md");
    documents.extend(["ARCHITECTURE.md", "README.md", "CONTRIBUTING.md", "SECURITY.md"].map(String::from));
    for path in documents {
        let text = read(&path);
        for found in name.captures_iter(&text) {
            assert!(repository(&found[1]).exists(), "{path}: {}", &found[1]);
        }
        for found in packages.captures_iter(&text) {
            let package = &found[1];
            let known = repository(package).exists()
                || manifests.contains(&format!("name = \"{package}\""))
                || package == "sigv4-bench";
            assert!(known, "{path}: {package}");
        }
    }
}

/// ARCHITECTURE.md has every folder and file of the library, and none that is gone: `client/classify`, or in the row of
/// its folder.
#[test]
fn modules_are_those_that_exist() {
    let text = read("ARCHITECTURE.md");
    let sources = files("src", "rs");
    let path =
        Regex::new(r"[` ]((?:body|client|credentials|diagnosis|emulator|endpoint|signing)/\w+)\b").unwrap();
    for found in path.captures_iter(&text) {
        let start = format!("src/{}", &found[1]);
        let exists = sources
            .iter()
            .any(|file| file.strip_prefix(&start).is_some_and(|rest| rest == ".rs" || rest.starts_with('/')));
        assert!(exists, "{}", &found[1]);
    }
    for file in sources {
        let mut parts = file.trim_start_matches("src/").split('/');
        let (folder, inner) = (parts.next().unwrap(), parts.next());
        let row = text.lines().find(|line| {
            line.starts_with("| `") && line.contains(&format!("`{}", folder.trim_end_matches(".rs")))
        });
        let row = row.filter(|_| folder != "lib.rs");
        assert!(row.is_some() || folder == "lib.rs", "{folder} has no row");
        if let (Some(row), Some(inner)) =
            (row, inner.filter(|_| ["client", "diagnosis", "signing"].contains(&folder)))
        {
            let inner = inner.trim_end_matches(".rs");
            assert!(
                inner == "mod" || row.contains(&format!("`{inner}")),
                "{folder}/{inner} is not in its row"
            );
        }
    }
}

/// The README is read where it is short, the pages of the guide on one screen or two.
#[test]
fn pages_are_short() {
    assert!(read("README.md").lines().count() < 180);
    for page in files("src/guide", "md") {
        let lines = read(&page).lines().count();
        assert!(lines <= 150, "{page}: {lines} lines");
    }
}

/// An empty line would end a picture in the middle of a page, and one that begins with anything else would be text.
#[test]
fn pictures_can_stand_in_a_page() {
    let pages = read("src/guide/mod.rs");
    let names = Regex::new(r#"with "([\w-]+\.svg)""#).unwrap();
    let pictures: Vec<_> =
        names.captures_iter(&pages).map(|found| read(&format!("docs/{}", &found[1]))).collect();
    assert!(pictures.len() >= 4);
    for picture in pictures {
        assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
        assert!(!picture.contains("\n\n"));
    }
}
