//! Event streams: a body of encoded messages, each sent in a signed envelope.

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};

use super::coalesce::mismatch;
use crate::error::Error;
use crate::signing::payload::EVENT_STREAM;
use crate::signing::streaming::EventSigner;

/// Bytes of the length that a message begins with, which counts the whole message.
const LENGTH: usize = 4;
/// Two lengths, their checksum, and the message's checksum.
const SHORTEST_MESSAGE: usize = 16;
/// The longest payload of an envelope, which is a message.
const LONGEST_MESSAGE: usize = 24 * 1024 * 1024;

/// Sets a request's headers for an event stream, all but `x-amz-content-sha256`.
///
/// A `content-length` that the caller set is that of the messages without their envelopes, and is removed.
pub(super) fn declare(headers: &mut HeaderMap) {
    headers.remove(CONTENT_LENGTH);
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(EVENT_STREAM));
}

/// Finds the messages in a body, however its frames cut them, and puts each into a signed envelope.
#[derive(Debug)]
pub(super) struct EventEncoder {
    signer: EventSigner,
    /// The bytes received of the current message.
    partial: BytesMut,
    /// Its length, once received.
    length: Option<usize>,
    ready: Option<Bytes>,
    ended: bool,
}

impl EventEncoder {
    pub(super) fn new(signer: EventSigner) -> Self {
        Self { signer, partial: BytesMut::new(), length: None, ready: None, ended: false }
    }

    /// Whether the last envelope was taken.
    pub(super) fn is_done(&self) -> bool {
        self.ended && self.ready.is_none()
    }

    /// The next envelope, if a message is complete.
    pub(super) fn next(&mut self) -> Option<Bytes> {
        self.ready.take()
    }

    /// Takes bytes of the source, up to the end of a message.
    ///
    /// # Errors
    /// [`BodyMismatch`](crate::ErrorKind::BodyMismatch) for a malformed message; [`ClockOutOfRange`](crate::ErrorKind::ClockOutOfRange).
    pub(super) fn feed(&mut self, source: &mut Bytes) -> Result<(), Error> {
        let missing = self.length.unwrap_or(LENGTH).saturating_sub(self.partial.len());
        self.partial.extend_from_slice(&source.split_to(missing.min(source.len())));
        match self.length {
            None => self.length = message_length(&self.partial)?,
            Some(length) if self.partial.len() == length => {
                self.length = None;
                self.ready = Some(self.signer.sign(self.partial.split().freeze())?);
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// Ends the body with the empty envelope, without which a server takes it as cut off.
    ///
    /// # Errors
    /// [`BodyMismatch`](crate::ErrorKind::BodyMismatch) within a message; [`ClockOutOfRange`](crate::ErrorKind::ClockOutOfRange).
    pub(super) fn end(&mut self) -> Result<(), Error> {
        if !self.partial.is_empty() {
            let whole = self.length.map(|length| format!(" of {length}")).unwrap_or_default();
            return Err(mismatch(format!(
                "the event stream ended after {} bytes{whole} of a message; it was cut off",
                self.partial.len()
            )));
        }
        self.ready = Some(self.signer.sign_end()?);
        self.ended = true;
        Ok(())
    }
}

/// The length of the message that begins with these bytes; `None` until its bytes are complete.
fn message_length(message: &[u8]) -> Result<Option<usize>, Error> {
    let Ok(length) = <[u8; LENGTH]>::try_from(message) else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if (SHORTEST_MESSAGE..=LONGEST_MESSAGE).contains(&length) {
        return Ok(Some(length));
    }
    Err(mismatch(format!(
        "a message of the event stream declares {length} bytes, and {SHORTEST_MESSAGE} to {LONGEST_MESSAGE} are \
         allowed; the body was cut off. It has to consist of encoded messages"
    )))
}
