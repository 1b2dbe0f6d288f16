//! Parses a body in aws-chunked encoding, as a server would.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

/// A complete body, parsed.
#[derive(Debug, PartialEq, Eq)]
pub struct Decoded {
    pub data: Vec<u8>,
    /// `name:value` of the checksum after the last chunk.
    pub trailer: Option<(String, String)>,
}

/// Parses a body; `None` if it is not complete.
///
/// # Panics
/// If the part that was received is malformed.
pub fn decode(mut body: &[u8], is_signed: bool) -> Option<Decoded> {
    let mut data = Vec::new();
    loop {
        let line = take_line(&mut body)?;
        let size = match line.split_once(";chunk-signature=") {
            Some((size, signature)) => {
                assert!(is_signed && is_signature(signature), "{line}");
                size
            }
            None => {
                assert!(!is_signed, "{line}");
                line
            }
        };
        let size = usize::from_str_radix(size, 16).expect("a chunk's size in hex");
        if size == 0 {
            break;
        }
        data.extend_from_slice(body.get(..size)?);
        body = &body[size..];
        assert_eq!(take_line(&mut body)?, "", "a line end after each chunk");
    }
    let mut trailer = None;
    loop {
        let line = take_line(&mut body)?;
        if line.is_empty() {
            assert!(body.is_empty(), "{} bytes after the end", body.len());
            return Some(Decoded { data, trailer });
        }
        let (name, value) = line.split_once(':').expect("a trailer");
        if name == "x-amz-trailer-signature" {
            assert!(is_signed && trailer.is_some() && is_signature(value), "{line}");
        } else {
            assert!(trailer.replace((name.to_owned(), value.to_owned())).is_none(), "one checksum");
        }
    }
}

/// The trailer's value for SHA-256.
pub fn sha256_checksum(data: &[u8]) -> String {
    BASE64_STANDARD.encode(Sha256::digest(data))
}

fn take_line<'a>(body: &mut &'a [u8]) -> Option<&'a str> {
    let end = body.windows(2).position(|pair| pair == b"\r\n")?;
    let line = std::str::from_utf8(&body[..end]).expect("text");
    *body = &body[end + 2..];
    Some(line)
}

fn is_signature(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
