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
    /// Appends some pieces, one after the other.
    fn put<const N: usize>(&mut self, pieces: [&[u8]; N]);
}

impl Sink for Vec<u8> {
    fn put<const N: usize>(&mut self, pieces: [&[u8]; N]) {
        pieces.iter().for_each(|piece| self.extend_from_slice(piece));
    }
}

/// Hashes what is put into it, as many whole blocks at a time as its buffer holds.
pub(crate) struct HashSink {
    hasher: Sha256,
    buffer: [u8; Self::BUFFER],
    filled: usize,
}

impl HashSink {
    /// Blocks of SHA-256 have 64 bytes.
    const BUFFER: usize = 8 * 64;

    pub(crate) fn new() -> Self {
        Self { hasher: Sha256::new(), buffer: [0; Self::BUFFER], filled: 0 }
    }

    /// To be called once. Takes a reference, as the buffer is large to move.
    pub(crate) fn finish(&mut self) -> [u8; 32] {
        self.hasher.update(&self.buffer[..self.filled]);
        self.hasher.finalize_reset().into()
    }

    /// Appends a piece that may not fit: fills the buffer, and hashes it and what else is whole blocks.
    fn put_across(&mut self, piece: &[u8]) {
        let room = Self::BUFFER - self.filled;
        let (first, rest) = piece.split_at(room.min(piece.len()));
        self.buffer[self.filled..][..first.len()].copy_from_slice(first);
        self.filled += first.len();
        if self.filled == Self::BUFFER {
            self.hasher.update(&self.buffer[..]);
            let (blocks, rest) = rest.split_at(rest.len() - rest.len() % 64);
            self.hasher.update(blocks);
            self.buffer[..rest.len()].copy_from_slice(rest);
            self.filled = rest.len();
        }
    }
}

impl Sink for HashSink {
    // Inlined, a separator of one byte is one store.
    #[inline]
    fn put<const N: usize>(&mut self, pieces: [&[u8]; N]) {
        let len: usize = pieces.iter().map(|piece| piece.len()).sum();
        match self.buffer.get_mut(self.filled..self.filled + len) {
            Some(mut room) => {
                for piece in pieces {
                    let (at, rest) = room.split_at_mut(piece.len());
                    at.copy_from_slice(piece);
                    room = rest;
                }
                self.filled += len;
            }
            None => pieces.iter().for_each(|piece| self.put_across(piece)),
        }
    }
}

/// The headers to be signed: lower-case names, values as they are sent, duplicates in their order.
#[derive(Debug, Default)]
pub(crate) struct SignedHeaders<'a> {
    /// As they were added.
    lines: SmallVec<[Line<'a>; 24]>,
    /// By name, once they are sorted: the first 14 bytes of each name as a number, then the line's place in `lines`.
    by_name: SmallVec<[u128; 24]>,
    /// The bytes that [`write_names`](Self::write_names) writes, known once the lines are sorted.
    pub(crate) names_len: usize,
    /// Whether the request has headers of an earlier signature, to be replaced by this one's.
    pub(crate) replace: bool,
}

#[derive(Clone, Copy, Debug)]
struct Line<'a> {
    name: &'a str,
    value: &'a [u8],
    /// Whether the value is known to have no white space to collapse.
    collapsed: bool,
    /// Whether the line before it has the same name; known once they are sorted.
    repeated: bool,
}

impl<'a> SignedHeaders<'a> {
    pub(crate) fn push(&mut self, name: &'a str, value: &'a [u8]) {
        self.push_looked_at(name, value, ValueLook::at(value));
    }

    /// Adds a header that the signer writes, whose value has no white space to collapse.
    #[inline]
    pub(crate) fn push_own(&mut self, name: &'a str, value: &'a [u8]) {
        self.push_looked_at(name, value, ValueLook { is_ascii: true, is_collapsed: true });
    }

    #[inline]
    pub(crate) fn push_looked_at(&mut self, name: &'a str, value: &'a [u8], look: ValueLook) {
        self.lines.push(Line { name, value, collapsed: look.is_collapsed, repeated: false });
    }

    /// The bits of a line's place in `by_name`; of the caller's lines, 512 are signed at most.
    const PLACE: u128 = u16::MAX as u128;

    fn line<'l>(lines: &'l [Line<'a>], key: u128) -> &'l Line<'a> {
        &lines[(key & Self::PLACE) as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.lines.iter().any(|line| line.name == name)
    }

    /// Sorts by name; duplicates keep their order. To be called once, when all are there.
    pub(crate) fn sort(&mut self) {
        let (lines, by_name) = (&mut self.lines[..], &mut self.by_name);
        let mut names_len = 0;
        for (place, line) in lines.iter().enumerate() {
            by_name.push((order_of(line.name.as_bytes()) & !Self::PLACE) | place as u128);
            names_len += line.name.len() + 1;
        }
        by_name.sort_unstable();
        let begin_alike = |two: &[u128]| two[0] ^ two[1] <= Self::PLACE;
        if by_name.windows(2).any(begin_alike) {
            // Few, as no more than 512 lines are signed.
            for end in 1..by_name.len() {
                let is_later = |two: &[u128]| Self::line(lines, two[0]).name > Self::line(lines, two[1]).name;
                let mut at = end;
                while at > 0 && begin_alike(&by_name[at - 1..=at]) && is_later(&by_name[at - 1..=at]) {
                    by_name.swap(at - 1, at);
                    at -= 1;
                }
            }
            let mut last = None;
            for key in by_name.iter() {
                let line = &mut lines[(key & Self::PLACE) as usize];
                line.repeated = last == Some(line.name);
                last = Some(line.name);
                names_len -= if line.repeated { line.name.len() + 1 } else { 0 };
            }
        }
        self.names_len = names_len.saturating_sub(1);
    }

    fn sorted(&self) -> impl Iterator<Item = &Line<'a>> {
        let lines = &self.lines[..];
        self.by_name.iter().map(|key| Self::line(lines, *key))
    }

    /// Appends `name;name;…`, each name once.
    pub(crate) fn write_names(&self, out: &mut Vec<u8>) {
        let end = out.len() + self.names_len;
        for line in self.sorted().filter(|line| !line.repeated) {
            out.extend_from_slice(line.name.as_bytes());
            out.push(b';');
        }
        out.truncate(end);
    }

    /// The same headers with secret values replaced, as text to be shown.
    fn redacted(&self) -> Self {
        let mut redacted = Self::default();
        for &line in self.sorted() {
            match is_sensitive(line.name) {
                true if line.repeated => {}
                true => redacted.push(line.name, REDACTED.as_bytes()),
                false => redacted.push(line.name, line.value),
            }
        }
        redacted.sort();
        redacted
    }

    /// Writes each line with a line feed before it.
    fn write(&self, out: &mut impl Sink) {
        for Line { name, value, collapsed, repeated } in self.sorted() {
            match (repeated, collapsed) {
                (false, true) => {
                    out.put([b"\n", name.as_bytes(), b":", value]);
                    continue;
                }
                (false, false) => out.put([b"\n", name.as_bytes(), b":"]),
                (true, _) => out.put([b","]),
            }
            write_collapsed(out, value);
        }
    }
}

/// The first 16 bytes of a text without NUL, as a number that is ordered as they are. Texts that differ in them need no
/// other comparison.
#[inline]
fn order_of(text: &[u8]) -> u128 {
    if let Some(first) = text.first_chunk::<16>() {
        return u128::from_be_bytes(*first);
    }
    let word = |bytes: &[u8; 8]| u64::from_be_bytes(*bytes);
    let (high, low) = match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        // The last 8 bytes, those out that are among the first 8 as well.
        (Some(first), Some(last)) => {
            let new = text.len() as u32 - 8;
            (word(first), word(last).checked_shl(64 - 8 * new).unwrap_or(0))
        }
        _ => {
            let number = text.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
            (number.checked_shl(64 - 8 * text.len() as u32).unwrap_or(0), 0)
        }
    };
    u128::from(high) << 64 | u128::from(low)
}

/// Properties of a header's value, found in one pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ValueLook {
    pub(crate) is_ascii: bool,
    /// Whether there is no white space to remove: none at the ends, no tab, and no two spaces in a row.
    pub(crate) is_collapsed: bool,
}

impl ValueLook {
    #[inline]
    pub(crate) fn at(value: &[u8]) -> Self {
        // Most values have neither: a byte below `!` or above 127 leaves its high bit set here.
        let marks = |word: &[u8; 8]| {
            let word = u64::from_le_bytes(*word);
            word.wrapping_sub(u64::from(b'!') * SeenBytes::EACH) | word
        };
        let any = match value.last_chunk() {
            Some(last) => value.as_chunks().0.iter().fold(marks(last), |any, word| any | marks(word)),
            None => SeenBytes::HIGH,
        };
        if any & SeenBytes::HIGH == 0 {
            return Self { is_ascii: true, is_collapsed: true };
        }
        Self::in_detail(value)
    }

    fn in_detail(value: &[u8]) -> Self {
        let mut seen = SeenBytes::default();
        let (words, rest) = value.as_chunks::<8>();
        for word in words {
            seen.add(u64::from_le_bytes(*word));
        }
        match value.last_chunk::<8>() {
            _ if rest.is_empty() => {}
            // Looks at some bytes again, and at a pair across the last words' border here.
            Some(last) => seen.add_apart(u64::from_le_bytes(*last)),
            None => seen.add(rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))),
        }
        let at_ends = value.first() == Some(&b' ') || value.last() == Some(&b' ');
        Self {
            is_ascii: seen.bytes & SeenBytes::HIGH == 0,
            is_collapsed: seen.tabs == 0 && seen.double_spaces == 0 && !at_ends,
        }
    }
}

/// What was seen of a value, 8 bytes at a time.
#[derive(Default)]
struct SeenBytes {
    bytes: u64,
    tabs: u64,
    double_spaces: u64,
    /// Whether the last byte was a space: its mark, in the place of the byte before the next 8.
    last_space: u64,
}

impl SeenBytes {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * Self::EACH;

    /// 0x80 in the place of each byte that is `byte`.
    fn marks(word: u64, byte: u8) -> u64 {
        let word = word ^ (u64::from(byte) * Self::EACH);
        !(((word & !Self::HIGH) + !Self::HIGH) | word) & Self::HIGH
    }

    fn add(&mut self, word: u64) {
        let spaces = Self::marks(word, b' ');
        self.bytes |= word;
        self.tabs |= Self::marks(word, b'\t');
        self.double_spaces |= spaces & (spaces << 8 | self.last_space);
        self.last_space = spaces >> 56;
    }

    /// Bytes that do not follow those before.
    fn add_apart(&mut self, word: u64) {
        self.last_space = 0;
        self.add(word);
    }
}

/// A header value without white space at its ends, each run of it within made one space.
fn write_collapsed(out: &mut impl Sink, value: &[u8]) {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    for (at, word) in value.split(is_space).filter(|word| !word.is_empty()).enumerate() {
        if at > 0 {
            out.put([b" "]);
        }
        out.put([word]);
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
    /// Their names: `name;name;…`
    pub(crate) signed_names: &'a [u8],
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
        out.put([self.method.as_bytes(), b"\n"]);
        self.write_path(out);
        out.put([b"\n"]);
        write_query(out, self.query);
        self.headers.write(out);
        out.put([b"\n\n", self.signed_names, b"\n", self.payload_hash]);
    }

    fn write_path(&self, out: &mut impl Sink) {
        let (double_encode, normalize) = (self.double_encode, self.normalize_path);
        if !(double_encode || normalize) {
            return out.put([self.path.as_bytes()]);
        }
        if !normalize {
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
            out.put([b"/"]);
            self.write_segment(out, segment);
        }
        // A path that ends in `/.` or `/..` loses its last slash: so botocore and CRT have it, against RFC 3986.
        if segments.is_empty() || self.path.ends_with('/') {
            out.put([b"/"]);
        }
    }

    fn write_segment(&self, out: &mut impl Sink, part: &str) {
        if self.double_encode { write_encoded(out, part) } else { out.put([part.as_bytes()]) }
    }
}

/// The path encoded once more: every byte but unreserved ones and slashes.
fn write_encoded(out: &mut impl Sink, part: &str) {
    let bytes = part.as_bytes();
    let mut plain_from = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if !is_unreserved(*byte) && *byte != b'/' {
            out.put([&bytes[plain_from..at], &escape(*byte)]);
            plain_from = at + 1;
        }
    }
    out.put([&bytes[plain_from..]]);
}

/// The parameters sorted by key, then by value, each with its `=`.
fn write_query(out: &mut impl Sink, query: &str) {
    if query.is_empty() {
        return;
    }
    let mut pairs: SmallVec<[Pair<'_>; 16]> = SmallVec::new();
    let (mut start, mut key_end) = (0, None);
    let bytes = query.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'&' => {
                pairs.push(Pair::new(&bytes[start..at], key_end.take().map(|end: usize| end - start)));
                start = at + 1;
            }
            b'=' if key_end.is_none() => key_end = Some(at),
            _ => {}
        }
    }
    pairs.push(Pair::new(&bytes[start..], key_end.map(|end| end - start)));
    sort_pairs(&mut pairs);
    for (at, pair) in pairs.iter().enumerate() {
        if at > 0 {
            out.put([b"&"]);
        }
        out.put([pair.text]);
        if pair.key_len.is_none() {
            out.put([b"="]);
        }
    }
}

/// Apart from the generic function that needs it, so that a program has its code once.
fn sort_pairs(pairs: &mut [Pair<'_>]) {
    pairs.sort_unstable_by(|one, other| {
        one.order.cmp(&other.order).then_with(|| one.key_and_value().cmp(&other.key_and_value()))
    });
}

/// A parameter of a query.
#[derive(Clone, Copy)]
struct Pair<'a> {
    /// The [order](order_of) of its key.
    order: u128,
    text: &'a [u8],
    /// Where its `=` is, if it has one.
    key_len: Option<usize>,
}

impl<'a> Pair<'a> {
    fn new(text: &'a [u8], key_len: Option<usize>) -> Self {
        Self { order: order_of(&text[..key_len.unwrap_or(text.len())]), text, key_len }
    }

    fn key_and_value(&self) -> (&'a [u8], &'a [u8]) {
        match self.key_len {
            Some(len) => (&self.text[..len], &self.text[len + 1..]),
            None => (self.text, b""),
        }
    }
}

#[cfg(test)]
mod tests;
