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
    not(any(feature = "tower", feature = "reqwest-middleware")),
    allow(dead_code, unused_imports, reason = "without an edge, what only edges use is left over")
)]

#[cfg(feature = "blocking")]
mod blocking;
mod body;
mod cache;
mod canonical;
mod chain;
mod clock;
mod credentials;
mod date;
#[cfg(feature = "emulator")]
mod emulator;
mod endpoint;
mod error;
mod headers;
mod key;
#[cfg(feature = "tower")]
mod layer;
#[cfg(feature = "reqwest-middleware")]
mod middleware;
pub mod overrides;
mod payload;
mod presign;
mod recovery;
#[cfg(feature = "reqwest-middleware")]
mod redirect;
mod response;
#[cfg(feature = "blocking")]
mod runtime;
mod service;
mod signature;
mod signer;
mod wire;

pub use aws_credential_types::Credentials;
#[cfg(feature = "blocking")]
pub use blocking::{SendError, SendSigned, reqwest_blocking_client};
pub use body::SignedBody;
pub use credentials::{CachedCredentials, CachedCredentialsBuilder, EnvironmentCredentials};
#[cfg(feature = "emulator")]
pub use emulator::{IamGateway, IamGatewayBuilder, ReceivedRequest};
pub use endpoint::Endpoint;
pub use error::{BoxError, BuildError, BuildErrorKind, Error, ErrorKind};
#[cfg(feature = "tower")]
pub use layer::{ResponseFuture, SigV4, SigV4Layer};
#[cfg(feature = "reqwest-middleware")]
pub use middleware::{SigV4Middleware, reqwest_client};
pub use payload::{AwsChunked, ChecksumAlgorithm, Payload, PayloadMode};
pub use presign::{Presigned, Presigning};
pub use response::ResponseBody;
pub use service::ServiceProfile;
pub use signer::{Explanation, Signer, SignerBuilder};
pub use wire::PlusInQuery;

/// The code in the README compiles and runs.
#[cfg(all(doctest, feature = "tower", feature = "reqwest-middleware", feature = "emulator"))]
#[doc = include_str!("../README.md")]
struct Readme;
