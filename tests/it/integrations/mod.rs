//! The integrations as they are used, against `IamGateway`.

mod accept;
mod as_sent;
#[cfg(feature = "blocking")]
mod blocking;
mod bodies;
mod chunked;
mod disabled;
mod event_stream;
mod events;
mod payloads;
mod presigned;
mod refuse;
mod retries;
mod secrets;
mod tamper;
