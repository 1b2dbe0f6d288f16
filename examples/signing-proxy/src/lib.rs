//! A reverse proxy that signs every request with AWS Signature Version 4, for clients that cannot.
//!
//! As a program, `signing-proxy`, it serves other programs: see the package's README. As a library it serves a client of
//! your own program that holds a concrete `reqwest::Client`, or any other that takes no middleware and only a base URL:
//!
//! ```no_run
//! use signing_proxy::Proxy;
//! use sigv4_middleware::Signer;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let signer = Signer::from_env()?;
//! let proxy = Proxy::builder(signer).upstream("https://abc123.execute-api.eu-west-1.amazonaws.com").start().await?;
//! // Give this to the client as its endpoint. It has a secret path segment: no other program of the machine knows it.
//! let endpoint = proxy.base_url();
//! # Ok(()) }
//! ```
//!
//! It listens on loopback. Whoever can send it requests makes them with the signer's credentials, so it refuses what does
//! not know its secret (see [`Access`]), names another host, or was sent by a web page of another origin.
//!
//! Requests may come by HTTP/1.1 and by HTTP/2 without TLS (prior knowledge); they leave by HTTP/2 where an https upstream
//! offers it, else by HTTP/1.1. Responses are streamed. Request bodies are held in memory to be hashed, unless
//! [`payload_mode`](ProxyBuilder::payload_mode) sets a mode that streams.
//!
//! It counts with the crate `metrics`; [`describe_metrics`] lists what.

mod advice;
mod body;
mod builder;
#[cfg(feature = "program")]
pub mod cli;
mod client;
mod connect;
mod error;
mod failures;
mod forward;
mod guard;
mod headers;
mod health;
mod host_port;
mod memory;
mod metrics;
mod paths;
mod policy;
mod proxy;
mod query;
mod refusal;
mod secret;
mod server;
mod tls;
mod upstream;

pub use builder::ProxyBuilder;
pub use error::{DrainTimeout, StartError};
pub use metrics::describe as describe_metrics;
pub use proxy::Proxy;
pub use secret::Access;
pub use upstream::Upstream;

/// The code in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
