//! The encoding itself, without a body or a waker: bytes in, frames to send out.

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::super::checksum::Checksum;
use super::super::coalesce::{Frames, mismatch};
use super::Framing;
use crate::error::Error;
use crate::metrics;
use crate::signing::streaming::ChunkSigner;

pub(super) const CHUNK_SIGNATURE: &str = ";chunk-signature=";
pub(super) const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature:";
const LINE_END: &[u8] = b"\r\n";

/// Cuts a body of known length into chunks, each after the line with its size and signature.
///
/// A chunk is given out once it is complete, since its signature is sent before it.
pub(in crate::body) struct ChunkEncoder {
    /// `None` where chunks are not signed.
    signer: Option<ChunkSigner>,
    checksum: Option<Checksum>,
    chunk_size: u64,
    decoded: u64,
    /// Bytes that the source has yet to give.
    missing: u64,
    /// Bytes that have yet to be given out.
    unsent: u64,
    chunk: Chunk,
    ready: VecDeque<Bytes>,
    ended: bool,
}

/// A chunk until it is complete.
#[derive(Default)]
struct Chunk {
    frames: Frames,
    len: u64,
    hasher: Sha256,
}

impl ChunkEncoder {
    pub(in crate::body) fn new(framing: &Framing, signer: ChunkSigner) -> Self {
        Self {
            signer: framing.options.signed.then_some(signer),
            checksum: framing.options.trailer.map(Checksum::new),
            chunk_size: framing.options.chunk_size,
            decoded: framing.decoded,
            missing: framing.decoded,
            unsent: framing.encoded,
            chunk: Chunk::default(),
            ready: VecDeque::new(),
            ended: false,
        }
    }

    /// Bytes that have yet to be given out.
    pub(in crate::body) fn unsent(&self) -> u64 {
        self.unsent
    }

    /// Whether everything was taken.
    pub(in crate::body) fn is_done(&self) -> bool {
        self.ended && self.ready.is_empty()
    }

    /// The next bytes to send; `None` until more come in.
    pub(in crate::body) fn next(&mut self) -> Option<Bytes> {
        let bytes = self.ready.pop_front()?;
        self.unsent = self.unsent.saturating_sub(bytes.len() as u64);
        Some(bytes)
    }

    /// Takes bytes of the source, up to the end of a chunk.
    ///
    /// # Errors
    /// [`BodyMismatch`](crate::ErrorKind::BodyMismatch) where the body is longer than was declared.
    pub(in crate::body) fn feed(&mut self, source: &mut Bytes) -> Result<(), Error> {
        if source.len() as u64 > self.missing {
            return Err(mismatch(format!(
                "the body is longer than the {} bytes that were declared; it was cut off",
                self.decoded
            )));
        }
        let room = self.chunk_size - self.chunk.len;
        let fits = usize::try_from(room).map_or(source.len(), |room| room.min(source.len()));
        let data = source.split_to(fits);
        self.missing -= data.len() as u64;
        self.chunk.len += data.len() as u64;
        if self.signer.is_some() {
            metrics::hashed(data.len());
            self.chunk.hasher.update(&data);
        }
        if let Some(checksum) = &mut self.checksum {
            checksum.update(&data);
        }
        self.chunk.frames.push(data);
        // The last one waits for the source's end: a server must not get the whole of a body that turns out to be longer.
        if self.chunk.len == self.chunk_size && self.missing > 0 {
            self.close_chunk();
        }
        Ok(())
    }

    /// Ends the body: the chunk of no bytes, and the trailer.
    ///
    /// # Errors
    /// [`BodyMismatch`](crate::ErrorKind::BodyMismatch) where the body is shorter than was declared.
    pub(in crate::body) fn end(&mut self) -> Result<(), Error> {
        if self.missing > 0 {
            return Err(mismatch(format!(
                "the body ended after {} of the {} bytes that were declared; it was cut off",
                self.decoded - self.missing,
                self.decoded
            )));
        }
        if self.chunk.len > 0 {
            self.close_chunk();
        }
        let mut text = self.chunk_line();
        if let Some(checksum) = self.checksum.take() {
            let (name, value) = (checksum.algorithm.header_name(), checksum.value());
            text.extend_from_slice(format!("{name}:{value}\r\n").as_bytes());
            if let Some(signer) = &mut self.signer {
                let sha256 = Sha256::digest(format!("{name}:{value}\n"));
                text.extend_from_slice(TRAILER_SIGNATURE.as_bytes());
                signer.sign_trailer(&sha256.into(), &mut text);
                text.extend_from_slice(LINE_END);
            }
        }
        text.extend_from_slice(LINE_END);
        self.ready.push_back(text.into());
        self.ended = true;
        Ok(())
    }

    fn close_chunk(&mut self) {
        let line = self.chunk_line();
        self.ready.push_back(line.into());
        self.ready.extend(self.chunk.frames.take());
        self.chunk.len = 0;
    }

    /// The line before the current chunk, with the line end after the chunk before it.
    fn chunk_line(&mut self) -> Vec<u8> {
        let mut line = Vec::with_capacity(256);
        // The first chunk has none before it.
        if self.decoded - self.missing > self.chunk.len {
            line.extend_from_slice(LINE_END);
        }
        line.extend_from_slice(format!("{:x}", self.chunk.len).as_bytes());
        if let Some(signer) = &mut self.signer {
            let sha256 = self.chunk.hasher.finalize_reset();
            line.extend_from_slice(CHUNK_SIGNATURE.as_bytes());
            signer.sign_chunk(&sha256.into(), &mut line);
        }
        line.extend_from_slice(LINE_END);
        line
    }
}

impl fmt::Debug for ChunkEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkEncoder")
            .field("signer", &self.signer)
            .field("chunk_size", &self.chunk_size)
            .field("missing", &self.missing)
            .field("unsent", &self.unsent)
            .finish_non_exhaustive()
    }
}
