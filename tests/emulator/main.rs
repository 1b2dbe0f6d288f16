//! `IamGateway`, called with exact bytes: what it lets in, and each way it refuses.

#![allow(clippy::unwrap_used)]

mod flips;
mod refusals;
mod running;
mod support;
