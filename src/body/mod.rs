//! Request bodies on their way: buffered, verified, or encoded in signed chunks or messages.

mod buffer;
mod checksum;
mod chunked;
mod coalesce;
mod encoded;
#[cfg(feature = "event-stream")]
mod event_stream;
mod failure;
mod outgoing;
mod signed;
mod verified;

#[cfg(feature = "blocking")]
pub(crate) use buffer::stream_failed;
pub(crate) use buffer::{Buffered, buffer, too_large};
#[cfg(feature = "reqwest")]
pub(crate) use chunked::{DECODED_CONTENT_LENGTH, TRAILER};
pub(crate) use encoded::EncodedBody;
pub(crate) use failure::BodyFailure;
pub(crate) use outgoing::OutgoingBody;
#[cfg(feature = "blocking")]
pub(crate) use outgoing::set_length;
pub(crate) use signed::ReplayCell;
pub use signed::SignedBody;
pub(crate) use verified::VerifiedBody;
