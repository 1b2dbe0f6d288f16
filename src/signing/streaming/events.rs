//! Signatures of an event stream's messages, each with a date of its own.

use std::fmt;
use std::sync::Arc;

use aws_sigv4::event_stream::{sign_empty_message, sign_message};
use aws_sigv4::sign::v4;
use aws_smithy_eventstream::frame::{read_message_from, write_message_to};
use bytes::Bytes;

use crate::clock::Clock;
use crate::error::{BoxError, Error, ErrorKind};
use crate::signing::date::AmzDate;
use crate::signing::keys::CredentialsWithKeys;

/// Puts messages into signed envelopes (`:chunk-signature`, `:date`), with the credentials of the request and the current
/// time.
pub(crate) struct EventSigner {
    keys: Arc<CredentialsWithKeys>,
    clock: Arc<Clock>,
    /// Whose clock it is: `host[:port]`.
    origin: Box<str>,
    region: Box<str>,
    service: Box<str>,
    last: String,
}

impl EventSigner {
    /// `seed` is the request's signature in hex.
    pub(crate) fn new(
        keys: Arc<CredentialsWithKeys>,
        (clock, origin): (Arc<Clock>, &str),
        (service, region): (&str, &str),
        seed: &[u8],
    ) -> Self {
        let last = String::from_utf8_lossy(seed).into_owned();
        Self { keys, clock, origin: origin.into(), region: region.into(), service: service.into(), last }
    }

    /// The signed envelope of an encoded message.
    ///
    /// # Errors
    /// [`ErrorKind::BodyMismatch`] for a malformed message; [`ErrorKind::ClockOutOfRange`].
    pub(crate) fn sign(&mut self, message: Bytes) -> Result<Bytes, Error> {
        self.link(Some(message))
    }

    /// The signed empty envelope that ends a stream.
    ///
    /// # Errors
    /// [`ErrorKind::ClockOutOfRange`]
    pub(crate) fn sign_end(&mut self) -> Result<Bytes, Error> {
        self.link(None)
    }

    fn link(&mut self, message: Option<Bytes>) -> Result<Bytes, Error> {
        let message = message.map(read_message_from).transpose().map_err(|error| {
            let malformed = "a message of the event stream is malformed; the body was cut off before it";
            Error::with_source(ErrorKind::BodyMismatch, malformed, error)
        })?;
        let time = self.clock.now_for(&self.origin);
        // aws-sigv4 panics at times that it cannot express.
        AmzDate::new(time)?;
        let keys = self.keys.credentials().as_ref().clone().into();
        let params = v4::SigningParams::builder()
            .identity(&keys)
            .region(&self.region)
            .name(&self.service)
            .time(time)
            .settings(())
            .build()
            .map_err(unsignable)?;
        let signed = match &message {
            Some(message) => sign_message(message, &self.last, &params),
            None => sign_empty_message(&self.last, &params),
        };
        let (envelope, signature) = signed.map_err(unsignable)?.into_parts();
        let mut out = Vec::with_capacity(envelope.payload().len() + 128);
        write_message_to(&envelope, &mut out).map_err(unsignable)?;
        self.last = signature;
        Ok(out.into())
    }
}

fn unsignable(error: impl Into<BoxError>) -> Error {
    let message = "a message of the event stream cannot be signed; the body was cut off before it";
    Error::with_source(ErrorKind::BodyMismatch, message, error)
}

impl fmt::Debug for EventSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSigner")
            .field("origin", &self.origin)
            .field("region", &self.region)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}
