//! The library in this process, and the built program against servers on loopback.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod advice;
mod forwarding;
mod headers;
mod interop;
mod library;
mod limits;
mod program;
mod sidecar;
mod streams;
mod tls;
mod upstreams;
mod web_pages;
