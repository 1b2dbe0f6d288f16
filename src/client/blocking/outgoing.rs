//! A request on its way, and what of its body is signed.

use std::io::{self, Cursor, Read};

use reqwest::blocking::{Body, Request};
use sha2::{Digest, Sha256};

use super::body::{InMemory, ReadBody, Reader, into_body};
use super::view;
use crate::body::{OutgoingBody, set_length, stream_failed, too_large};
use crate::client::reqwest::rewritten;
use crate::error::{Error, ErrorKind};
use crate::runtime::Waiting;
use crate::signing::payload::{BodyMode, Payload, PayloadMode};
use crate::signing::settings::BufferLimits;
use crate::signing::signature::SignedWith;
use crate::signing::signer::Signer;

/// A request whose body is known, to be signed and sent once or, where its body allows, again.
pub(super) struct Outgoing {
    /// The request; with its body, unless that is read and framed on its way.
    head: Request,
    body: Option<OutgoingBody<ReadBody<Reader>>>,
    payload: Payload<'static>,
    /// Whether the head has a body that can be taken out but once.
    is_reader: bool,
}

/// Whether a body is checked or framed on its way, by the same code as on the async edges.
fn is_read(mode: &PayloadMode) -> bool {
    !matches!(mode, PayloadMode::Buffered | PayloadMode::Sha256(_) | PayloadMode::Unsigned)
}

impl Outgoing {
    /// A request with the body that it has, or that a reader gives in its place.
    pub(super) fn new(
        mut request: Request,
        reader: Option<Reader>,
        mode: &BodyMode,
        limits: BufferLimits,
        waiting: &Waiting<'_>,
    ) -> Result<Self, Error> {
        if !is_read(&mode.payload) {
            if let Some(reader) = reader {
                *request.body_mut() = Some(into_memory(reader, mode, limits)?.into());
            }
            return Self::as_it_is(request, mode, limits);
        }
        let (reader, length): (Reader, _) = match (reader, request.body_mut().take()) {
            (Some(reader), _) => (reader, None),
            (None, None) => (Box::new(io::empty()), Some(0)),
            (None, Some(body)) => {
                let length = body.as_bytes().ok_or_else(out_of_reach)?.len() as u64;
                (Box::new(Cursor::new(InMemory(body))), Some(length))
            }
        };
        Self::read(request, ReadBody::new(reader, length), mode, limits, waiting)
    }

    fn read(
        mut head: Request,
        body: ReadBody<Reader>,
        mode: &BodyMode,
        limits: BufferLimits,
        waiting: &Waiting<'_>,
    ) -> Result<Self, Error> {
        let body = waiting.until(OutgoingBody::new(body, mode, limits, head.headers()))?;
        let method = head.method().clone();
        body.declare(&method, head.headers_mut());
        Ok(Self { head, payload: body.payload(), body: Some(body), is_reader: false })
    }

    /// A body in memory is hashed where it lies.
    fn as_it_is(mut head: Request, mode: &BodyMode, limits: BufferLimits) -> Result<Self, Error> {
        let bytes = head.body().map_or(Some(&[][..]), Body::as_bytes);
        let is_reader = bytes.is_none();
        let payload = match &mode.payload {
            PayloadMode::Sha256(sha256) => Payload::sha256(*sha256),
            PayloadMode::Unsigned => Payload::unsigned(),
            _ => match bytes.ok_or_else(out_of_reach)? {
                [] => Payload::empty(),
                bytes if bytes.len() as u64 > limits.size => {
                    return Err(too_large(limits.size, mode.takes_aws_chunked));
                }
                bytes => Payload::sha256(Sha256::digest(bytes).into()),
            },
        };
        // A reader's length is for reqwest to tell.
        if let Some(len) = bytes.map(<[u8]>::len) {
            if len == 0 {
                *head.body_mut() = None;
            }
            let method = head.method().clone();
            set_length(len as u64, &method, head.headers_mut());
        }
        Ok(Self { head, body: None, payload, is_reader })
    }

    /// The request, signed with the credentials and the clock of this moment.
    pub(super) fn attempt(
        &mut self,
        signer: &Signer,
        waiting: &Waiting<'_>,
    ) -> Result<(Request, SignedWith), Error> {
        let mut signature = waiting.until(signer.signature(&view(&self.head), self.payload))?;
        if let Some(target) = signature.rewritten.take() {
            *self.head.url_mut() = rewritten(self.head.url(), &target)?;
        }
        let mut request = match self.head.try_clone() {
            Some(request) => request,
            // A reader that goes out as it is, once.
            None => {
                let body = self.head.body_mut().take();
                let mut request = self.head.try_clone().ok_or_else(out_of_reach)?;
                *request.body_mut() = body;
                request
            }
        };
        let mut attempt = signature.apply(request.headers_mut());
        if let Some(body) = &mut self.body {
            *request.body_mut() = body.take(&mut attempt).map(into_body);
        }
        Ok((request, attempt))
    }

    /// Whether the body can be sent again.
    pub(super) fn is_replayable(&self) -> bool {
        self.body.as_ref().map_or(!self.is_reader, OutgoingBody::is_replayable)
    }

    pub(super) fn head(&self) -> &Request {
        &self.head
    }
}

fn into_memory(reader: impl Read, mode: &BodyMode, limits: BufferLimits) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    // One byte more than may be, to see that there are more.
    let mut reader = reader.take(limits.size.saturating_add(1));
    if let Err(error) = reader.read_to_end(&mut bytes) {
        return Err(stream_failed(bytes.len() as u64, error));
    }
    if bytes.len() as u64 > limits.size {
        return Err(too_large(limits.size, mode.takes_aws_chunked));
    }
    Ok(bytes)
}

fn out_of_reach() -> Error {
    Error::new(
        ErrorKind::UnsupportedPayload,
        "the body is a reader, which cannot be had out of a request of reqwest::blocking; give it to \
         .send_signed_reader(reader, &signer), a form's by .into_reader(), in place of .body(…)",
    )
}
