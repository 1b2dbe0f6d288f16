//! Two canonical requests, or strings to sign, line by line: the first difference and its likely cause.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::cause::Cause;
use super::report::Difference;
use crate::redact;

const CANONICAL: &str = "canonical request";
const STRING: &str = "string to sign";
/// The longest line that is shown, in characters.
const LONGEST_LINE: usize = 400;
/// More names of parameters than fit into a line.
const MAX_NAMES: usize = 200;

/// A difference and what it means.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) cause: Cause,
    pub(super) difference: Difference,
}

/// A canonical request, split.
struct Canonical<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    signed_headers: &'a str,
    payload_hash: &'a str,
}

impl<'a> Canonical<'a> {
    fn split(text: &'a str) -> Option<Self> {
        let mut lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        let (method, path, query) = (lines.next()?, lines.next()?, lines.next()?);
        let mut headers = Vec::new();
        for line in lines.by_ref() {
            match line.split_once(':') {
                Some(header) => headers.push(header),
                None if line.is_empty() => break,
                // Not the first line of its header.
                None => headers.push((line, "")),
            }
        }
        let signed_headers = lines.next().unwrap_or_default();
        Some(Self {
            method,
            path,
            query,
            headers,
            signed_headers,
            payload_hash: lines.next().unwrap_or_default(),
        })
    }
}

/// The first difference of two canonical requests. Secrets are redacted in both, in the same way.
pub(super) fn canonical_requests(ours: &str, theirs: &str) -> Option<Found> {
    let (ours, theirs) = (redact::canonical_request(ours), redact::canonical_request(theirs));
    let (ours, theirs) = (Canonical::split(&ours)?, Canonical::split(&theirs)?);
    let found = |cause, line, part: &str, our: &str, their: &str, why: Cow<'static, str>| {
        Some(Found { cause, difference: difference(CANONICAL, line, part, Some(our), Some(their), why) })
    };
    if ours.method != theirs.method {
        let why = "the method was changed on the way, as by a redirect, or another one was signed than sent";
        return found(Cause::SignatureMismatchMethod, 1, "method", ours.method, theirs.method, why.into());
    }
    if ours.path != theirs.path {
        let (cause, why) = paths(ours.path, theirs.path);
        return found(cause, 2, "path", ours.path, theirs.path, why.into());
    }
    if ours.query != theirs.query {
        let (cause, why) = queries(ours.query, theirs.query);
        return found(cause, 3, "query", ours.query, theirs.query, why);
    }
    if let Some(found) = headers(&ours, &theirs) {
        return Some(found);
    }
    let at = 3 + ours.headers.len() + 2;
    if ours.signed_headers != theirs.signed_headers {
        let why = "the list of signed headers is to be in lower case, sorted, and the same in Authorization";
        let (our, their) = (ours.signed_headers, theirs.signed_headers);
        return found(Cause::SignatureMismatchSignedHeaders, at, "signed headers", our, their, why.into());
    }
    if ours.payload_hash != theirs.payload_hash {
        let why = payload_hashes(ours.payload_hash, theirs.payload_hash);
        let (our, their) = (ours.payload_hash, theirs.payload_hash);
        return found(Cause::SignatureMismatchPayloadHash, at + 1, "payload hash", our, their, why.into());
    }
    None
}

fn difference(
    text: &'static str,
    line: usize,
    part: &str,
    ours: Option<&str>,
    theirs: Option<&str>,
    why: Cow<'static, str>,
) -> Difference {
    let shown = |line: &str| shorten(line, LONGEST_LINE);
    Difference {
        text,
        line,
        part: shorten(part, 80),
        ours: ours.map(shown),
        theirs: theirs.map(shown),
        why: shorten(&why, LONGEST_LINE),
    }
}

/// The beginning of a text, as it may be shown: a server's text moves no cursor of a terminal, and adds no line.
pub(super) fn shorten(text: &str, longest: usize) -> String {
    let mut characters = text.chars();
    let mut short: String = characters.by_ref().take(longest).map(printable).collect();
    if characters.next().is_some() {
        short.push('…');
    }
    short
}

/// Decoded as a form, in which a plus sign is a space.
fn decoded_form(text: &str) -> String {
    decoded(&text.replace('+', "%20"))
}

/// A character, or one that stands for it where a terminal would not show it: control characters but for tabs, and
/// those that change the direction of text or have no width.
fn printable(character: char) -> char {
    match character {
        '\t' => character,
        '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => char::REPLACEMENT_CHARACTER,
        _ if character.is_control() => char::REPLACEMENT_CHARACTER,
        _ => character,
    }
}

/// Decoded until nothing is left to decode, three times at most.
fn decoded(text: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..3 {
        let next = percent_decode_str(&text).decode_utf8_lossy().into_owned();
        if next == text {
            break;
        }
        text = next;
    }
    text
}

pub(super) fn paths(ours: &str, theirs: &str) -> (Cause, &'static str) {
    let (our, their) = (decoded(ours), decoded(theirs));
    // A plus sign is itself in a path; some clients mean a space by it all the same.
    if our == their || decoded_form(ours) == decoded_form(theirs) {
        let has = |path: &str, escape: &str| path.to_ascii_uppercase().contains(escape);
        let why = if has(ours, "%2F") != has(theirs, "%2F") {
            "a slash within a segment (%2F) was encoded by one side only"
        } else if has(theirs, "%25") && !has(ours, "%25") {
            "the server encodes the path once more than the client did: all services but S3 sign it encoded twice"
        } else if has(ours, "%25") && !has(theirs, "%25") {
            "the client encoded the path once more than the server: S3 signs it encoded once"
        } else if ours.contains('+') != theirs.contains('+') {
            "a space or a plus sign was encoded in two ways: a space is %20, a plus sign %2B"
        } else if ours.eq_ignore_ascii_case(theirs) {
            "escapes are to be written in upper-case hex"
        } else {
            "bytes other than A-Z a-z 0-9 - . _ ~ have to be percent-encoded in each segment, by both sides alike"
        };
        return (Cause::SignatureMismatchPathEncoding, why);
    }
    let why = if normalized(&our) == normalized(&their) {
        "empty and dot segments, or a slash at the end, are kept by one side and removed by the other"
    } else if our.ends_with(&their) || their.ends_with(&our) {
        "a prefix (a stage, a bucket, a proxy's own path) was added or removed between signing and the server"
    } else {
        "another path arrived than was signed: look at the endpoint setting, and at proxies that rewrite"
    };
    (Cause::SignatureMismatchPathNormalization, why)
}

fn normalized(path: &str) -> Vec<&str> {
    let mut kept = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    kept
}

fn queries(ours: &str, theirs: &str) -> (Cause, Cow<'static, str>) {
    fn sorted<T: Ord>(pairs: impl Iterator<Item = T>) -> Vec<T> {
        let mut pairs: Vec<T> = pairs.collect();
        pairs.sort();
        pairs
    }
    let split = |query: &str| sorted(query.split('&').filter(|pair| !pair.is_empty()).map(str::to_owned));
    let (our, their) = (split(ours), split(theirs));
    if our == their {
        return (
            Cause::SignatureMismatchQueryOrder,
            "the parameters are the same in another order: they are sorted by encoded name, then by value"
                .into(),
        );
    }
    let plain = |pairs: &[String]| {
        sorted(pairs.iter().map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded_form(name), decoded_form(value))
        }))
    };
    let (our_plain, their_plain) = (plain(&our), plain(&their));
    if our_plain == their_plain {
        let has_bare = |pairs: &[String]| pairs.iter().any(|pair| !pair.contains('='));
        let why = if has_bare(&our) != has_bare(&their) {
            "a parameter without a value is written with its equal-sign"
        } else {
            "names and values are encoded once, in upper-case hex, a space as %20 and a plus sign as %2B"
        };
        return (Cause::SignatureMismatchQueryEncoding, why.into());
    }
    // Both are sorted. A server may print as many parameters as fit into its response.
    let names = |of: &[(String, String)], other: &[(String, String)]| {
        let missing = of.iter().filter(|pair| other.binary_search(pair).is_err());
        missing.take(MAX_NAMES).map(|(name, _)| shorten(name, 64)).collect::<Vec<_>>().join(", ")
    };
    let (only_ours, only_theirs) = (names(&our_plain, &their_plain), names(&their_plain, &our_plain));
    let why = match (&*only_ours, &*only_theirs) {
        (dropped, "") => format!("parameters were dropped on the way, or not sent: {dropped}"),
        ("", added) => format!("parameters were added after signing: {added}"),
        (dropped, added) if dropped == added => format!("values were changed after signing, of: {dropped}"),
        (dropped, added) => format!("signed were {dropped}; arrived were {added}"),
    };
    (Cause::SignatureMismatchQueryAltered, why.into())
}

fn headers(ours: &Canonical<'_>, theirs: &Canonical<'_>) -> Option<Found> {
    for (at, (name, our)) in ours.headers.iter().enumerate() {
        let line = 4 + at;
        let our_line = format!("{name}:{our}");
        let their = theirs.headers.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
        if their == Some(our) {
            continue;
        }
        let their_line = their.map(|value| format!("{name}:{value}"));
        let (cause, why) = match their {
            None => (
                Cause::SignatureMismatchHeaderMissing,
                "the server did not take this signed header into account".into(),
            ),
            Some(their) => header_values(name, our, their),
        };
        let part = format!("header {name}");
        let difference = difference(CANONICAL, line, &part, Some(&our_line), their_line.as_deref(), why);
        return Some(Found { cause, difference });
    }
    let is_ours = |name: &str| ours.headers.iter().any(|(known, _)| *known == name);
    let (name, value) = theirs.headers.iter().find(|(name, _)| !is_ours(name))?;
    let why = "the server took a header into account that the client did not sign".into();
    let (part, line) = (format!("header {name}"), format!("{name}:{value}"));
    let at = 4 + ours.headers.len();
    let difference = difference(CANONICAL, at, &part, None, Some(&line), why);
    Some(Found { cause: Cause::SignatureMismatchSignedHeaders, difference })
}

/// What it means that a signed header has another value at the server.
pub(super) fn header_values(name: &str, ours: &str, theirs: &str) -> (Cause, Cow<'static, str>) {
    let folded = |value: &str| value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let without_spaces = |value: &str| value.split_ascii_whitespace().collect::<String>();
    if theirs.is_empty() && name != "host" {
        let why = "the header was signed and did not arrive: it was not sent, or a hop on the way removed it";
        return (Cause::SignatureMismatchHeaderMissing, why.into());
    }
    if folded(ours) == folded(theirs) {
        let why = "white space at the ends is removed, and each run of spaces made one, before signing";
        return (Cause::SignatureMismatchHeaderWhitespace, why.into());
    }
    match name {
        "host" => (Cause::SignatureMismatchHost, hosts(ours, theirs).into()),
        "x-amz-content-sha256" => (Cause::SignatureMismatchPayloadHash, payload_hashes(ours, theirs).into()),
        "content-type" => {
            let base = |value: &str| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            let why = if base(ours) == base(theirs) {
                "the parameters (charset, boundary) of the content type were added, dropped or changed after signing"
            } else {
                "another content type arrived than was signed: the HTTP library or a proxy set its own"
            };
            (Cause::SignatureMismatchContentType, why.into())
        }
        _ => {
            let why = if ours.is_empty() {
                "the header was signed as empty, and arrived with a value"
            } else if without_spaces(ours) == without_spaces(theirs) {
                "a repeated header was joined on the way, with a space after its comma or without"
            } else if theirs.starts_with(ours) {
                "a hop on the way appended to the header"
            } else {
                "a hop on the way changed the header, or it was changed after signing"
            };
            (Cause::SignatureMismatchHeaderAltered, why.into())
        }
    }
}

fn hosts(ours: &str, theirs: &str) -> &'static str {
    let bare = |host: &str| {
        let host = host.to_ascii_lowercase();
        let port = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        port.map_or(host.clone(), |(bare, _)| bare.to_owned())
    };
    if ours.eq_ignore_ascii_case(theirs) {
        "the host is written in upper case by one side"
    } else if bare(ours) == bare(theirs) {
        "the port is in one Host and not in the other: a default port (80, 443) is left out, any other is signed"
    } else {
        "a proxy, CDN or load balancer replaced Host, or another host was signed than called"
    }
}

fn payload_hashes(ours: &str, theirs: &str) -> &'static str {
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let is_hash = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if ours == EMPTY {
        "the hash of an empty body was signed, and a body arrived"
    } else if theirs == EMPTY {
        "the server saw an empty body: it was not sent, or lost on the way, as by a redirect"
    } else if !is_hash(ours) && is_hash(theirs) {
        "the payload was left unsigned, and the server hashes it"
    } else if is_hash(ours) && !is_hash(theirs) {
        "the payload was signed, and the server takes it for unsigned: x-amz-content-sha256 did not arrive"
    } else if ours.eq_ignore_ascii_case(theirs) {
        "the hash is to be written in lower-case hex"
    } else {
        "the body was changed after signing: compressed, encoded, re-serialized, or cut"
    }
}

/// The first difference of two strings to sign, of SigV4 or SigV2.
pub(super) fn strings_to_sign(ours: &str, theirs: &str) -> Option<Found> {
    if ours.starts_with("AWS4-") && theirs.starts_with("AWS4-") {
        return v4_strings(ours, theirs);
    }
    if ours.starts_with("AWS4-") || theirs.starts_with("AWS4-") {
        return None;
    }
    let theirs = redact::canonical_request(theirs);
    let (our, their): (Vec<_>, Vec<_>) = (ours.split('\n').collect(), theirs.split('\n').collect());
    let at = our.iter().zip(&their).position(|(our, their)| our != their);
    let at = at.or((our.len() != their.len()).then_some(our.len().min(their.len())))?;
    let (our_line, their_line) = (our.get(at).copied(), their.get(at).copied());
    let (our_text, their_text) = (our_line.unwrap_or_default(), their_line.unwrap_or_default());
    let is_resource = |line: &str| line.starts_with('/');
    let (part, cause, why): (Cow<'_, str>, _, Cow<'static, str>) = match at {
        0 => {
            ("method".into(), Cause::SignatureMismatchMethod, "another method arrived than was signed".into())
        }
        1 => {
            let (cause, why) = header_values("content-md5", our_text, their_text);
            ("header content-md5".into(), cause, why)
        }
        2 => {
            let (cause, why) = header_values("content-type", our_text, their_text);
            let cause = if our_text.is_empty() || their_text.is_empty() {
                Cause::SignatureMismatchContentType
            } else {
                cause
            };
            ("header content-type".into(), cause, why)
        }
        3 => {
            let why = "date, or expiry of a presigned URL: another one arrived than was signed";
            ("date".into(), Cause::SignatureMismatchHeaderAltered, why.into())
        }
        _ if is_resource(our_text) && is_resource(their_text) => resources(our_text, their_text),
        _ => match (our_text.split_once(':'), their_text.split_once(':')) {
            (Some((name, our)), Some((known, their))) if name == known => {
                let (cause, why) = header_values(name, our, their);
                (format!("header {name}").into(), cause, why)
            }
            (Some((name, _)), _) if !is_resource(our_text) => {
                let why = "a signed header did not arrive";
                (format!("header {name}").into(), Cause::SignatureMismatchHeaderMissing, why.into())
            }
            (_, Some((name, _))) if !is_resource(their_text) => {
                let why = "the server signs a header that the client did not";
                (format!("header {name}").into(), Cause::SignatureMismatchSignedHeaders, why.into())
            }
            _ => (
                "resource".into(),
                Cause::SignatureMismatchPathNormalization,
                "another resource arrived".into(),
            ),
        },
    };
    Some(Found { cause, difference: difference(STRING, at + 1, &part, our_line, their_line, why) })
}

/// The resource of a SigV2 string: path, and sub-resources as a query.
fn resources(ours: &str, theirs: &str) -> (Cow<'static, str>, Cause, Cow<'static, str>) {
    let split = |resource: &str| {
        let (path, query) = resource.split_once('?').unwrap_or((resource, ""));
        (path.to_owned(), query.to_owned())
    };
    let ((our_path, our_query), (their_path, their_query)) = (split(ours), split(theirs));
    if our_path == their_path {
        let (cause, why) = queries(&our_query, &their_query);
        return ("resource".into(), cause, why);
    }
    let (cause, why) = paths(&our_path, &their_path);
    ("resource".into(), cause, why.into())
}

/// Lines 1 to 3; the fourth is the hash of the canonical request.
fn v4_strings(ours: &str, theirs: &str) -> Option<Found> {
    let parts = ["algorithm", "date", "scope", "hash of the canonical request"];
    let (our, their): (Vec<_>, Vec<_>) = (ours.lines().collect(), theirs.lines().collect());
    let at = (0..3).find(|at| our.get(*at) != their.get(*at))?;
    let why = match at {
        0 => "the algorithm in the Authorization is another than the one that was signed with",
        1 => "the date in x-amz-date is another than the one in the string to sign",
        _ => "the scope in the Authorization is another than the one in the string to sign",
    };
    let (our_line, their_line) = (our.get(at).copied(), their.get(at).copied());
    let difference = difference(STRING, at + 1, parts[at], our_line, their_line, why.into());
    Some(Found { cause: Cause::SignatureMismatchStringToSign, difference })
}
