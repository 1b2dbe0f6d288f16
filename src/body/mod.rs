//! Request bodies as they are sent: buffered, verified, or encoded in signed chunks or messages.

mod buffer;
mod checksum;
mod chunked;
mod coalesce;
mod encoded;
#[cfg(feature = "event-stream")]
mod event_stream;
mod outgoing;
mod signed;
mod verified;

use buffer::too_large;
pub(crate) use buffer::{Buffered, buffer};
#[cfg(feature = "diagnosis")]
pub(crate) use coalesce::poll_frame;
use encoded::EncodedBody;
pub(crate) use outgoing::OutgoingBody;
#[cfg(feature = "reqwest")]
pub(crate) use outgoing::set_length;
pub use signed::SignedBody;
#[cfg(feature = "tower")]
pub(crate) use signed::Unwrapped;
use verified::VerifiedBody;
