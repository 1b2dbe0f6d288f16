//! Signatures within a body: each covers the one before it, and the first covers the request's.

#[cfg(feature = "event-stream")]
mod events;

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "event-stream")]
pub(crate) use events::EventSigner;

use crate::signing::keys::{DatedKey, SignatureHex, hex};

/// The SHA-256 of nothing, in hex: what a chunk has in place of headers.
const EMPTY_SHA256_LINE: &[u8] = b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n";

/// Signs S3's chunks and trailers, each with the signature before it.
pub(crate) struct ChunkSigner {
    key: Arc<DatedKey>,
    algorithm: &'static str,
    last: SignatureHex,
}

impl ChunkSigner {
    /// `seed` is the request's signature.
    pub(crate) fn new(key: Arc<DatedKey>, algorithm: &'static str, seed: SignatureHex) -> Self {
        Self { key, algorithm, last: seed }
    }

    /// Appends the signature of a chunk with this SHA-256.
    pub(crate) fn sign_chunk(&mut self, sha256: &[u8; 32], out: &mut Vec<u8>) {
        self.sign(b"-PAYLOAD\n", EMPTY_SHA256_LINE, sha256, out);
    }

    /// Appends the signature of a trailer whose lines have this SHA-256.
    pub(crate) fn sign_trailer(&mut self, sha256: &[u8; 32], out: &mut Vec<u8>) {
        self.sign(b"-TRAILER\n", b"", sha256, out);
    }

    fn sign(&mut self, kind: &[u8], line: &[u8], sha256: &[u8; 32], out: &mut Vec<u8>) {
        let (date, scope) = (self.key.date().as_str().as_bytes(), self.key.scope().as_bytes());
        let sha256 = hex(sha256);
        let to_sign =
            [self.algorithm.as_bytes(), kind, date, b"\n", scope, b"\n", &self.last, b"\n", line, &sha256];
        self.last = self.key.sign(&to_sign);
        out.extend_from_slice(&self.last);
        // SigV4a's signatures differ in length, and the length of the body is sent before it.
        let padding = signature_len(self.key.is_v4a()).saturating_sub(self.last.len());
        out.extend(std::iter::repeat_n(b'*', padding));
    }
}

/// Bytes that each signature takes in a body.
pub(crate) fn signature_len(v4a: bool) -> usize {
    if v4a { 144 } else { 64 }
}

impl fmt::Debug for ChunkSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkSigner").field("scope", &self.key.scope()).finish_non_exhaustive()
    }
}
