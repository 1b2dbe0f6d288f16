use super::*;

fn path(path: &str, double_encode: bool, normalize_path: bool) -> String {
    let request = CanonicalRequest {
        method: "GET",
        path,
        query: "",
        double_encode,
        normalize_path,
        headers: &SignedHeaders::default(),
        signed_names: b"",
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
        ("", "/"),
        ("a", "/a"),
        ("/a.b/c.", "/a.b/c."),
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
    assert_eq!(String::from_utf8(out).unwrap(), "\nx-a:a b c\nx-b:two,one\nx-c:");
    let mut names = Vec::new();
    headers.write_names(&mut names);
    assert_eq!(names, b"x-a;x-b;x-c");
    assert_eq!(headers.names_len, names.len());
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
    let mut signed_names = Vec::new();
    headers.write_names(&mut signed_names);
    let request = CanonicalRequest {
        method: "GET",
        path: "/token",
        query: "token=1&X-Amz-Security-Token=token&b=2&X-Amz-Signature",
        double_encode: true,
        normalize_path: true,
        headers: &headers,
        signed_names: &signed_names,
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

/// Texts that differ in any of their first 24 bytes, or in length.
#[test]
fn the_order_of_a_text_is_that_of_its_bytes() {
    let mut texts: Vec<Vec<u8>> = Vec::new();
    for len in 0..24 {
        texts.push(vec![b'm'; len]);
        for at in 0..len {
            for byte in [b'-', b'z', 0xff] {
                let mut text = vec![b'm'; len];
                text[at] = byte;
                texts.push(text);
            }
        }
    }
    for one in &texts {
        for other in &texts {
            let order = order_of(one).cmp(&order_of(other));
            assert_eq!(order.then_with(|| one.cmp(other)), one.cmp(other), "{one:?} {other:?}");
        }
    }
}

/// Values of every length up to 26 with one or two other bytes at every place, by a plain reading of the rule.
#[test]
fn a_look_at_a_value_sees_white_space_and_other_characters() {
    let mut values: Vec<Vec<u8>> = Vec::new();
    for len in 0..26 {
        for one in 0..len {
            for other in 0..len {
                for (byte, second) in [(b' ', b' '), (b'\t', b'a'), (0xc3, b' '), (b'!', 0x7f), (0xa0, 0x89)]
                {
                    let mut value = vec![b'a'; len];
                    (value[other], value[one]) = (second, byte);
                    values.push(value);
                }
            }
        }
        values.push(vec![b'a'; len]);
    }
    for value in values {
        let is_collapsed = !value.contains(&b'\t')
            && !value.windows(2).any(|two| two == b"  ")
            && value.trim_ascii() == value;
        let look = ValueLook { is_ascii: value.is_ascii(), is_collapsed };
        assert_eq!(ValueLook::at(&value), look, "{value:?}");
    }
}

#[test]
fn the_hash_sink_hashes_what_a_vec_collects() {
    for sizes in [&[0, 1, 511, 512, 513, 3, 5000][..], &[256, 256], &[100; 40]] {
        let (mut hash, mut all) = (HashSink::new(), Vec::new());
        for (at, size) in sizes.iter().enumerate() {
            let piece = vec![at as u8; *size];
            hash.put([&piece[..], b"", &piece]);
            all.put([&piece[..], b"", &piece]);
        }
        assert_eq!(hash.finish()[..], Sha256::digest(&all)[..]);
    }
}

/// Texts that differ in any of their first 24 bytes, or in length.
#[test]
fn lines_are_in_order_however_they_were_added() {
    let names =
        |prefix: &str, count| (0..count).map(|at| format!("{prefix}{:03}", (at * 37) % 101)).collect();
    let (few, many, long): (Vec<_>, Vec<_>, Vec<_>) =
        (names("x-", 7), names("x-", 60), names("x-amz-meta-of-the-same-beginning-", 9));
    let twice =
        || few.iter().rev().chain(&few).chain(["b".to_owned(), "a".to_owned()].iter()).cloned().collect();
    for names in [few.clone(), many, long, twice(), few.iter().rev().cloned().collect()] {
        let values: Vec<_> = (0..names.len()).map(|at| at.to_string()).collect();
        let mut headers = SignedHeaders::default();
        for (name, value) in names.iter().zip(&values) {
            headers.push(name, value.as_bytes());
        }
        headers.sort();
        let mut expected: Vec<_> =
            names.iter().zip(&values).map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
        expected.sort_by_key(|(name, _)| *name);
        let lines: Vec<_> = headers.sorted().map(|line| (line.name, line.value)).collect();
        assert_eq!(lines, expected);
        expected.dedup_by_key(|(name, _)| *name);
        let text = expected.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let mut written = Vec::new();
        headers.write_names(&mut written);
        assert_eq!((String::from_utf8(written).unwrap(), headers.names_len), (text.clone(), text.len()));
    }
}
