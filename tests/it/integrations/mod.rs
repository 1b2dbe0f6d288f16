//! The integrations as they are used, against `IamGateway`.

mod accept;
mod advice;
mod as_sent;
#[cfg(feature = "blocking")]
mod blocking;
mod bodies;
mod by_hand;
mod chunked;
mod disabled;
mod event_stream;
mod events;
mod payloads;
mod presigned;
mod promises;
mod refuse;
mod retries;
mod same_body;
mod secrets;
mod tamper;
