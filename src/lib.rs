//! AWS Signature Version 4 for any tower, hyper, axum or reqwest client.
//!
//! A [`Signer`] holds credentials, scope and clock. Around it there are two edges, which make a client IAM-capable
//! without a change at its call sites:
//!
//! - [`SigV4Middleware`], for reqwest through reqwest-middleware: `.with(SigV4Middleware::new(signer))`
//! - [`SigV4Layer`], for tower, hyper, axum and reqwest: `.layer(SigV4Layer::new(signer))`
//!
//! For clients of another kind there are [`Signer::sign`] and, for requests that others make, [`Signer::presign`].
//!
//! ```no_run
//! use reqwest_middleware::ClientBuilder;
//! use sigv4_middleware::{SigV4Middleware, Signer};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let signer = Signer::from_env()?;
//! let client = ClientBuilder::new(sigv4_middleware::reqwest_client().build()?)
//!     .with(SigV4Middleware::new(signer))
//!     .build();
//! let orders = client.get("https://abc123.execute-api.eu-west-1.amazonaws.com/prod/orders").send().await?;
//! # Ok(()) }
//! ```
//!
//! What cannot be signed is not sent: every [`Error`] says what to do next, and [`Error::find`] gets it out of the
//! client's error. [`overrides`] are settings for one request.
//!
//! Follows AWS's ["Create a signed AWS API request"][doc] and, for credentials and clocks, the AWS SDKs' common rules
//! of 2026.
//!
//! [doc]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(any(feature = "tower", feature = "reqwest")),
    allow(dead_code, unused_imports, reason = "without an edge, what only edges use is left over")
)]

#[cfg(any(feature = "blocking", test))]
mod block_on;
mod body;
mod cache;
#[cfg(any(feature = "tower", feature = "reqwest"))]
mod client;
mod clock;
mod credentials;
#[cfg(feature = "emulator")]
mod emulator;
mod endpoint;
mod env;
mod error;
#[cfg(feature = "blocking")]
mod runtime;
mod signing;
mod timer;

pub use aws_credential_types::Credentials;
pub use body::SignedBody;
#[cfg(feature = "blocking")]
pub use client::blocking::{SendError, SendSigned, reqwest_blocking_client};
#[cfg(feature = "reqwest")]
pub use client::reqwest::{SigV4Middleware, reqwest_client};
#[cfg(feature = "tower")]
pub use client::tower::{MakeBody, ResponseFuture, SameBody, ServiceError, SigV4, SigV4Layer};
pub use credentials::{CachedCredentials, CachedCredentialsBuilder, EnvironmentCredentials};
#[cfg(feature = "emulator")]
pub use emulator::{IamGateway, IamGatewayBuilder, ReceivedRequest};
pub use endpoint::Endpoint;
pub use error::{BoxError, BuildError, BuildErrorKind, Error, ErrorKind};
pub use signing::aws_chunked::{AwsChunked, ChecksumAlgorithm};
pub use signing::builder::SignerBuilder;
pub use signing::details::SigningDetails;
pub use signing::overrides;
pub use signing::payload::{Payload, PayloadMode};
pub use signing::presign::{Presigned, PresigningConfig};
pub use signing::signer::Signer;
pub use signing::signing_settings::SigningSettings;
pub use signing::target::PlusInQuery;

/// The code in the README compiles and runs.
#[cfg(all(doctest, feature = "tower", feature = "reqwest", feature = "emulator"))]
#[doc = include_str!("../README.md")]
struct Readme;
