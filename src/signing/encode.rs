//! Percent-encoding, as AWS's documents have it.

/// RFC 3986's unreserved characters: never escaped in strict form.
pub(crate) const fn is_unreserved(byte: u8) -> bool {
    UNRESERVED[byte as usize]
}

const UNRESERVED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = (byte as u8).is_ascii_alphanumeric() || matches!(byte as u8, b'-' | b'.' | b'_' | b'~');
        byte += 1;
    }
    table
};

const HEX: [u8; 16] = *b"0123456789ABCDEF";

/// `%XX` for one byte.
pub(crate) const fn escape(byte: u8) -> [u8; 3] {
    [b'%', HEX[(byte >> 4) as usize], HEX[(byte & 15) as usize]]
}

pub(crate) fn push_escaped(out: &mut String, byte: u8) {
    out.extend(escape(byte).map(char::from));
}

/// Appends one decoded byte in strict form.
pub(crate) fn push_strict(out: &mut String, byte: u8) {
    if is_unreserved(byte) { out.push(char::from(byte)) } else { push_escaped(out, byte) }
}

/// A parameter's value in strict form.
pub(crate) fn strict_value(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 16);
    value.bytes().for_each(|byte| push_strict(&mut out, byte));
    out
}
