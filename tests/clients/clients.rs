//! Published clients with the one line that signs, against servers that verify signatures.
//!
//! One file for each client. Its first line counts the lines that the client needs beyond
//! `.layer(SigV4Layer::new(signer))`, `.with(SigV4Middleware::new(signer))` or a call of the signer.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod alloy;
mod async_openai;
mod axum_proxy;
mod hyper;
mod jsonrpsee;
mod kube;
mod object_store;
mod opentelemetry;
mod progenitor;
mod reqwest_012;
mod reqwest_middleware;
mod support;
mod tonic;
mod tower_stacks;
mod types;
