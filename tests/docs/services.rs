//! The guide's table of services: what it says of each host is what is inferred.

use sigv4_middleware::{Endpoint, SigningSettings};

use crate::read;

const REGION: &str = "us-west-2";

/// The cells of the first table of a page, without its head.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let table =
        page.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    table.skip(2).map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// The text in the last backquotes.
fn code(cell: &str) -> &str {
    cell.rsplit('`').nth(1).unwrap_or_else(|| panic!("no code in {cell:?}"))
}

#[test]
fn hosts_are_inferred_as_the_table_says() {
    let page = read("src/guide/services.md");
    let rows = rows(&page);
    assert!(rows.len() >= 30, "{}", rows.len());
    for row in rows {
        let [host, service, payload] = row[..] else { panic!("{row:?}") };
        let (payload, line) = payload.split_once("; ").unwrap_or((payload, ""));
        let mut name = code(host).replace("{region}", REGION);
        while let (Some(start), Some(end)) = (name.find('{'), name.find('}')) {
            name.replace_range(start..=end, "abc123");
        }
        let endpoint = Endpoint::infer(&name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(endpoint.service(), code(service), "{name}");

        match (endpoint.region(), endpoint.region_set()) {
            (Some(region), _) => assert_eq!(region, REGION, "{name}"),
            (None, Some(_)) => assert!(line.contains("`sigv4a`"), "{name}: {line}"),
            (None, None) => assert!(line.contains(".region("), "{name}: {line}"),
        }

        let settings = SigningSettings::for_service(endpoint.service());
        assert_eq!(payload.contains("header"), settings.sends_content_sha256(), "{name}: {payload}");
        assert_eq!(payload.contains("unsigned"), settings.leaves_payload_unsigned(), "{name}: {payload}");
        assert_eq!(payload.contains("any"), settings.takes_aws_chunked(), "{name}: {payload}");
    }
}
