//! The canonical request: pure, synchronous, no allocation per header or parameter.
//!
//! Follows AWS's "Create a signed AWS API request", steps 1 to 3. Everything is borrowed, sorted in place and written
//! straight into a [`Sink`]: a hash to be signed, or a `Vec` to be shown.

use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use crate::redact::{self, REDACTED, is_sensitive};
use crate::signing::encode::{escape, is_unreserved};

/// Where a canonical request is written to.
pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Hashes what is put into it, through a small buffer, so that many short pieces cost one update.
pub(crate) struct HashSink {
    hasher: Sha256,
    buffer: [u8; Self::BUFFER],
    filled: usize,
}

impl HashSink {
    const BUFFER: usize = 512;

    pub(crate) fn new() -> Self {
        Self { hasher: Sha256::new(), buffer: [0; Self::BUFFER], filled: 0 }
    }

    pub(crate) fn finish(mut self) -> [u8; 32] {
        self.flush();
        self.hasher.finalize().into()
    }

    #[cold]
    fn overflow(&mut self, bytes: &[u8]) {
        self.flush();
        if bytes.len() > Self::BUFFER { self.hasher.update(bytes) } else { self.put(bytes) }
    }

    fn flush(&mut self) {
        self.hasher.update(&self.buffer[..self.filled]);
        self.filled = 0;
    }
}

impl Sink for HashSink {
    // Inlined, a separator of one byte is one store.
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        match self.buffer.get_mut(self.filled..self.filled + bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.filled += bytes.len();
            }
            None => self.overflow(bytes),
        }
    }
}

/// The headers to be signed: lower-case names, values as they are sent, duplicates in their order.
#[derive(Debug, Default)]
pub(crate) struct SignedHeaders<'a> {
    lines: SmallVec<[Line<'a>; 24]>,
    names: SmallVec<[u8; 256]>,
    /// Whether the request has headers of an earlier signature, to be replaced by this one's.
    pub(crate) replace: bool,
}

#[derive(Clone, Copy, Debug)]
struct Line<'a> {
    name: &'a str,
    value: &'a [u8],
    /// Whether the value is known to have no white space to collapse.
    collapsed: bool,
}

impl<'a> SignedHeaders<'a> {
    pub(crate) fn push(&mut self, name: &'a str, value: &'a [u8]) {
        self.lines.push(Line { name, value, collapsed: false });
    }

    /// Adds a header that the signer writes, whose value has no white space to collapse.
    pub(crate) fn push_own(&mut self, name: &'a str, value: &'a [u8]) {
        self.lines.push(Line { name, value, collapsed: true });
    }

    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.lines.iter().any(|line| line.name == name)
    }

    /// Sorts by name, and lists the names; duplicates keep their order. To be called once, when all are there.
    pub(crate) fn sort(&mut self) {
        self.lines.sort_by_key(|line| line.name);
        let mut last = None;
        for line in &self.lines {
            if last == Some(line.name) {
                continue;
            }
            if last.is_some() {
                self.names.push(b';');
            }
            self.names.extend_from_slice(line.name.as_bytes());
            last = Some(line.name);
        }
    }

    /// `name;name;…`, each name once.
    pub(crate) fn names(&self) -> &[u8] {
        &self.names
    }

    /// The same headers with secret values replaced, as text to be shown.
    fn redacted(&self) -> Self {
        let mut lines: SmallVec<[Line<'a>; 24]> = SmallVec::new();
        for &line in &self.lines {
            let sensitive = is_sensitive(line.name);
            if sensitive && lines.last().is_some_and(|last| last.name == line.name) {
                continue;
            }
            lines.push(if sensitive { Line { value: REDACTED.as_bytes(), ..line } } else { line });
        }
        Self { lines, names: self.names.clone(), replace: self.replace }
    }

    fn write(&self, out: &mut impl Sink) {
        let mut last = None;
        for Line { name, value, collapsed } in &self.lines {
            if last == Some(name) {
                out.put(b",");
            } else {
                if last.is_some() {
                    out.put(b"\n");
                }
                out.put(name.as_bytes());
                out.put(b":");
                last = Some(name);
            }
            if *collapsed { out.put(value) } else { write_collapsed(out, value) }
        }
        out.put(b"\n");
    }
}

/// A header value without white space at its ends, each run of it within made one space.
fn write_collapsed(out: &mut impl Sink, value: &[u8]) {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    // Without an early exit, the compiler vectorizes these loops.
    let any = |spaces: u8, byte: &u8| spaces | u8::from(*byte == b' ') | u8::from(*byte == b'\t');
    if value.iter().fold(0, any) == 0 {
        return out.put(value);
    }
    let pairs = value.iter().zip(value.get(1..).unwrap_or_default());
    let to_collapse = pairs.fold(0, |any, (one, next)| {
        any | u8::from(*one == b'\t') | (u8::from(*one == b' ') & u8::from(*next == b' '))
    });
    if to_collapse == 0 && !value.first().is_some_and(is_space) && !value.last().is_some_and(is_space) {
        return out.put(value);
    }
    for (at, word) in value.split(is_space).filter(|word| !word.is_empty()).enumerate() {
        if at > 0 {
            out.put(b" ");
        }
        out.put(word);
    }
}

/// One request as the canonical request sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CanonicalRequest<'a, 'h> {
    pub(crate) method: &'a str,
    /// In the form that is sent.
    pub(crate) path: &'a str,
    /// In strict form.
    pub(crate) query: &'a str,
    pub(crate) double_encode: bool,
    pub(crate) normalize_path: bool,
    /// Sorted.
    pub(crate) headers: &'a SignedHeaders<'h>,
    pub(crate) payload_hash: &'a [u8],
}

impl CanonicalRequest<'_, '_> {
    /// The text to be shown, in which the values of secret headers and parameters are redacted.
    pub(crate) fn redacted_text(&self) -> String {
        let query = redact::query(self.query);
        let mut text = Vec::new();
        CanonicalRequest { query: &query, headers: &self.headers.redacted(), ..*self }.write(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    pub(crate) fn write(&self, out: &mut impl Sink) {
        out.put(self.method.as_bytes());
        out.put(b"\n");
        self.write_path(out);
        out.put(b"\n");
        write_query(out, self.query);
        out.put(b"\n");
        self.headers.write(out);
        out.put(b"\n");
        out.put(self.headers.names());
        out.put(b"\n");
        out.put(self.payload_hash);
    }

    fn write_path(&self, out: &mut impl Sink) {
        if !self.normalize_path || is_normalized(self.path) {
            return self.write_segment(out, self.path);
        }
        let mut segments: SmallVec<[&str; 16]> = SmallVec::new();
        for segment in self.path.split('/') {
            match segment {
                "" | "." => {}
                ".." => drop(segments.pop()),
                segment => segments.push(segment),
            }
        }
        for segment in &segments {
            out.put(b"/");
            self.write_segment(out, segment);
        }
        // A path that ends in `/.` or `/..` loses its last slash: so botocore and CRT have it, against RFC 3986.
        if segments.is_empty() || self.path.ends_with('/') {
            out.put(b"/");
        }
    }

    fn write_segment(&self, out: &mut impl Sink, part: &str) {
        if self.double_encode { write_encoded(out, part) } else { out.put(part.as_bytes()) }
    }
}

/// Whether no segment is empty, `.` or `..`.
fn is_normalized(path: &str) -> bool {
    let bytes = path.as_bytes();
    bytes.first() == Some(&b'/') && !bytes.windows(2).any(|two| matches!(two, b"/." | b"//"))
}

/// The path encoded once more: every byte but unreserved ones and slashes.
fn write_encoded(out: &mut impl Sink, part: &str) {
    let bytes = part.as_bytes();
    let mut plain_from = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if !is_unreserved(*byte) && *byte != b'/' {
            out.put(&bytes[plain_from..at]);
            out.put(&escape(*byte));
            plain_from = at + 1;
        }
    }
    out.put(&bytes[plain_from..]);
}

/// The parameters sorted by key, then by value, each with its `=`.
fn write_query(out: &mut impl Sink, query: &str) {
    if query.is_empty() {
        return;
    }
    let split = |pair| str::split_once(pair, '=').unwrap_or((pair, ""));
    let mut pairs: SmallVec<[(&str, &str); 16]> = query.split('&').map(split).collect();
    pairs.sort_unstable();
    for (at, (key, value)) in pairs.iter().enumerate() {
        if at > 0 {
            out.put(b"&");
        }
        out.put(key.as_bytes());
        out.put(b"=");
        out.put(value.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str, double_encode: bool, normalize_path: bool) -> String {
        let request = CanonicalRequest {
            method: "GET",
            path,
            query: "",
            double_encode,
            normalize_path,
            headers: &SignedHeaders::default(),
            payload_hash: b"",
        };
        let mut out = Vec::new();
        request.write_path(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn paths_follow_the_profile() {
        for (given, normalized) in [
            ("/", "/"),
            ("//", "/"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/..", "/"),
            ("/a//b/", "/a/b/"),
            ("/a/.", "/a"),
            ("/a/b/..", "/a"),
            ("/a/.b", "/a/.b"),
            ("/.../a", "/.../a"),
        ] {
            assert_eq!(path(given, true, true), normalized);
            assert_eq!(path(given, false, false), given, "S3 keys keep their dots and slashes");
        }
        assert_eq!(path("/a%20b:c", true, true), "/a%2520b%3Ac");
        assert_eq!(path("/a%20b%3Ac", false, false), "/a%20b%3Ac");
        assert_eq!(path("/a//b", true, false), "/a//b");
    }

    #[test]
    fn a_query_is_sorted_by_key_then_value() {
        let mut out = Vec::new();
        write_query(&mut out, "b=2&a-b=1&a=2&a=1&a&B=0");
        assert_eq!(String::from_utf8(out).unwrap(), "B=0&a=&a=1&a=2&a-b=1&b=2");
    }

    #[test]
    fn header_values_are_trimmed_and_collapsed_and_duplicates_joined() {
        let mut headers = SignedHeaders::default();
        headers.push("x-b", b" two ");
        headers.push("x-a", b"\t a  b\t \tc ");
        headers.push("x-b", b"one");
        headers.push("x-c", b"");
        headers.sort();
        let mut out = Vec::new();
        headers.write(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "x-a:a b c\nx-b:two,one\nx-c:\n");
        assert_eq!(headers.names(), b"x-a;x-b;x-c");
    }

    /// Only values: a name, a path or another header that has the same text stays.
    #[test]
    fn the_text_to_be_shown_has_no_secret_values() {
        let mut headers = SignedHeaders::default();
        headers.push("cookie", b"a=b");
        headers.push("cookie", b"c=d");
        headers.push("host", b"token");
        headers.push("x-amz-meta-a", b"token");
        headers.push_own("x-amz-security-token", b"token");
        headers.push("x-amz-server-side-encryption-customer-key", b"key");
        headers.sort();
        let request = CanonicalRequest {
            method: "GET",
            path: "/token",
            query: "token=1&X-Amz-Security-Token=token&b=2&X-Amz-Signature",
            double_encode: true,
            normalize_path: true,
            headers: &headers,
            payload_hash: b"hash",
        };
        let names = "cookie;host;x-amz-meta-a;x-amz-security-token;x-amz-server-side-encryption-customer-key";
        let text = format!(
            "GET\n/token\nX-Amz-Security-Token=[redacted]&X-Amz-Signature=&b=2&token=1\ncookie:[redacted]\n\
             host:token\nx-amz-meta-a:token\nx-amz-security-token:[redacted]\n\
             x-amz-server-side-encryption-customer-key:[redacted]\n\n{names}\nhash"
        );
        assert_eq!(request.redacted_text(), text);
        let mut whole = Vec::new();
        request.write(&mut whole);
        assert!(String::from_utf8(whole).unwrap().contains("x-amz-security-token:token\n"), "what is signed");
    }

    #[test]
    fn the_hash_sink_hashes_what_a_vec_collects() {
        for sizes in [&[0, 1, 511, 512, 513, 3, 2000][..], &[512, 512], &[100; 40]] {
            let (mut hash, mut all) = (HashSink::new(), Vec::new());
            for (at, size) in sizes.iter().enumerate() {
                let piece = vec![at as u8; *size];
                hash.put(&piece);
                all.put(&piece);
            }
            assert_eq!(hash.finish()[..], Sha256::digest(&all)[..]);
        }
    }
}
