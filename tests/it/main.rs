//! All integration tests that need no process or allocator of their own, in one binary.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[cfg(feature = "aws-config")]
mod aws_config;
mod credentials;
mod destinations;
mod differential;
mod emulator;
mod guard;
mod hosts;
mod integrations;
mod interop;
mod observe;
mod recovery;
mod refusals;
mod runtimes;
mod support;
mod tls;
mod vectors;
