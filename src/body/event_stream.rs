//! Event streams: a body of encoded messages, each sent in a signed envelope.

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};

use super::coalesce::mismatch;
use crate::error::Error;
use crate::signing::payload::EVENT_STREAM;
use crate::signing::streaming::EventSigner;

/// Bytes of a message that tell its length, all counted.
const LENGTH: usize = 4;
/// Two lengths, a checksum of them, and one of the whole.
const SHORTEST_MESSAGE: usize = 16;
/// The longest payload of a message, which a message is within its envelope.
const LONGEST_MESSAGE: usize = 24 * 1024 * 1024;

/// Makes a request's headers say what its body is, all but `x-amz-content-sha256`.
///
/// A length that the caller gave is that of the messages without their envelopes.
pub(super) fn declare(headers: &mut HeaderMap) {
    headers.remove(CONTENT_LENGTH);
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(EVENT_STREAM));
}

/// Finds the messages in a body, however its frames cut them, and puts each into a signed envelope.
#[derive(Debug)]
pub(super) struct EventEncoder {
    chain: EventSigner,
    /// What has come of the message at hand.
    partial: BytesMut,
    /// Its length, once that has come.
    length: Option<usize>,
    ready: Option<Bytes>,
    ended: bool,
}

impl EventEncoder {
    pub(super) fn new(chain: EventSigner) -> Self {
        Self { chain, partial: BytesMut::new(), length: None, ready: None, ended: false }
    }

    /// Whether all is given out.
    pub(super) fn is_done(&self) -> bool {
        self.ended && self.ready.is_none()
    }

    /// The next envelope, if a message is whole.
    pub(super) fn next(&mut self) -> Option<Bytes> {
        self.ready.take()
    }

    /// Takes bytes of the source, up to the end of a message.
    ///
    /// # Errors
    /// [`BodyMismatch`](crate::ErrorKind::BodyMismatch) for what is no message; [`Clock`](crate::ErrorKind::ClockOutOfRange).
    pub(super) fn feed(&mut self, source: &mut Bytes) -> Result<(), Error> {
        let missing = self.length.unwrap_or(LENGTH).saturating_sub(self.partial.len());
        self.partial.extend_from_slice(&source.split_to(missing.min(source.len())));
        match self.length {
            None => self.length = told_length(&self.partial)?,
            Some(length) if self.partial.len() == length => {
                self.length = None;
                self.ready = Some(self.chain.sign(self.partial.split().freeze())?);
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// Ends the body: the envelope of nothing, without which a server takes it as cut off.
    ///
    /// # Errors
    /// [`BodyMismatch`](crate::ErrorKind::BodyMismatch) within a message; [`Clock`](crate::ErrorKind::ClockOutOfRange).
    pub(super) fn end(&mut self) -> Result<(), Error> {
        if !self.partial.is_empty() {
            let whole = self.length.map(|length| format!(" of {length}")).unwrap_or_default();
            return Err(mismatch(format!(
                "the event stream ended after {} bytes{whole} of a message; it was cut off",
                self.partial.len()
            )));
        }
        self.ready = Some(self.chain.sign_end()?);
        self.ended = true;
        Ok(())
    }
}

/// The length of the message that begins with these bytes; `None` where it has yet to come.
fn told_length(message: &[u8]) -> Result<Option<usize>, Error> {
    let Ok(length) = <[u8; LENGTH]>::try_from(message) else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if (SHORTEST_MESSAGE..=LONGEST_MESSAGE).contains(&length) {
        return Ok(Some(length));
    }
    Err(mismatch(format!(
        "a message of the event stream says that it has {length} bytes, and can have {SHORTEST_MESSAGE} to \
         {LONGEST_MESSAGE}; the body has to be encoded messages and nothing else; it was cut off"
    )))
}
