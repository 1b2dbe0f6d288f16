//! Both edges as they are used, against `IamGateway`.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod accept;
#[cfg(feature = "blocking")]
mod blocking;
mod bodies;
mod chunked;
mod event_stream;
mod presigned;
mod refuse;
mod retries;
mod secrets;
mod support;
mod tamper;
