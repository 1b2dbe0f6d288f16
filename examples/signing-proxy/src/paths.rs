//! Paths that are passed on, compared as a server reads them.
//!
//! Servers read one path in different ways: some resolve dot segments, some after decoding escapes, some twice; some cut
//! `;parameters` off a segment first, so that `..;` is a dot segment to them; some take a backslash for a slash; some merge
//! slashes. A path that has more than one reading could pass as one and be served as another, so it is refused.

use percent_encoding::percent_decode_str;

/// Allowed paths, each with all below it; an empty list allows everything.
#[derive(Debug)]
pub(crate) struct AllowedPaths(Vec<String>);

/// Why a path is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathRefusal {
    NotAllowed,
    Ambiguous,
}

impl AllowedPaths {
    /// # Errors
    /// The first path that does not begin with a slash, or is ambiguous itself.
    pub(crate) fn new(paths: Vec<String>) -> Result<Self, String> {
        let read = |path: String| match reading(&path) {
            Some(path) if path.starts_with('/') => Ok(path),
            _ => Err(path),
        };
        paths.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// # Errors
    /// If there is a list, and the path is not on it.
    pub(crate) fn check(&self, path: &str) -> Result<(), PathRefusal> {
        if self.0.is_empty() {
            return Ok(());
        }
        let path = reading(path).ok_or(PathRefusal::Ambiguous)?;
        let is_below = |allowed: &String| {
            let rest = path.strip_prefix(allowed.as_str());
            rest.is_some_and(|rest| rest.is_empty() || allowed.ends_with('/') || rest.starts_with('/'))
        };
        if self.0.iter().any(is_below) { Ok(()) } else { Err(PathRefusal::NotAllowed) }
    }
}

/// A path as every server reads it; `None` if servers differ.
fn reading(path: &str) -> Option<String> {
    let slashes = path.matches('/').count();
    if has_broken_escape(path) {
        return None;
    }
    // What is not UTF-8 may be an overlong form of a dot or slash.
    let decoded = percent_decode_str(path).decode_utf8().ok()?.into_owned();
    let is_escaped_twice = percent_decode_str(&decoded).decode_utf8_lossy() != decoded;
    let has_other_slashes = decoded.contains('\\') || decoded.matches('/').count() != slashes;
    let has_control = decoded.chars().any(char::is_control);
    // The first one is before the leading slash, the last one may be after a trailing one.
    let segments: Vec<&str> = decoded.split('/').collect();
    let inner = segments.get(1..segments.len().saturating_sub(1)).unwrap_or_default();
    let is_ambiguous = is_escaped_twice
        || has_other_slashes
        || has_control
        || inner.iter().any(|segment| segment.is_empty())
        || segments.iter().any(|segment| is_dot_segment(segment));
    (!is_ambiguous).then_some(decoded)
}

/// Whether a segment is `.` or `..`, or may be read so: with `;parameters`, with what a server that parses the decoded path
/// again takes for a query or fragment, or with the trailing dots and spaces that Windows drops.
fn is_dot_segment(segment: &str) -> bool {
    let name = segment.split([';', '?', '#']).next().unwrap_or_default();
    name.contains('.') && name.chars().all(|c| c == '.' || c.is_whitespace())
}

fn has_broken_escape(path: &str) -> bool {
    let is_broken = |(at, _)| {
        let digits = path.as_bytes().get(at + 1..at + 3);
        !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    path.match_indices('%').any(is_broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed() -> AllowedPaths {
        AllowedPaths::new(["/orders", "/b/", "/gr%C3%BCn"].map(str::to_owned).into()).unwrap()
    }

    #[test]
    fn paths_are_compared_as_they_are_read() {
        for path in [
            "/orders",
            "/orders/",
            "/orders/7",
            "/order%73/7",
            "/b/c",
            "/gr%c3%bcn/x",
            "/orders/..a/b.",
            "/orders/a;v=1",
        ] {
            assert_eq!(allowed().check(path), Ok(()), "{path}");
        }
        for path in ["/", "/ordersx", "/Orders", "/b", "/orders;x", "/orders%3f", "/%C3%BC", "/order"] {
            assert_eq!(allowed().check(path), Err(PathRefusal::NotAllowed), "{path}");
        }
    }

    #[test]
    fn what_servers_read_differently_is_refused() {
        for path in [
            "/orders/../admin",
            "/orders/./x",
            "/orders/..",
            "/orders/.",
            "/orders/..;/admin",
            "/orders/..;a=b/admin",
            "/orders/%2e%2e;/admin",
            "/orders/..%3b/admin",
            "/orders/..%3f/admin",
            "/orders/%2e%2e%23/admin",
            "/orders/.;/admin",
            "/orders/%2e%2E/admin",
            "/orders/.%2e/admin",
            "/orders/%252e%252e/admin",
            "/orders/%25%32%65/admin",
            "/orders/..%2fadmin",
            "/orders%2f..%2fadmin",
            "/orders/a%2fb",
            "/orders/a%252fb",
            "/orders%5c..%5cadmin",
            "/orders/..\\admin",
            "/orders/a%5Cb",
            "/orders//admin",
            "//orders",
            "/orders/.../admin",
            "/orders/..%20/admin",
            "/orders/%c0%ae%c0%ae/admin",
            "/orders/%ff",
            "/orders/a%00",
            "/orders/a%0a",
            "/orders/%u002e%u002e/admin",
            "/orders/%2",
        ] {
            assert_eq!(allowed().check(path), Err(PathRefusal::Ambiguous), "{path}");
        }
    }

    #[test]
    fn without_a_list_everything_passes() {
        let all = AllowedPaths::new(Vec::new()).unwrap();
        assert_eq!(all.check("/a/../b"), Ok(()));
        assert!(AllowedPaths::new(vec!["orders".to_owned()]).is_err());
        assert!(AllowedPaths::new(vec!["/orders/..".to_owned()]).is_err());
    }
}
