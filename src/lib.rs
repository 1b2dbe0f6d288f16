//! AWS Signature Version 4 for any tower, hyper, axum or reqwest client.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
mod cache;
mod canonical;
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
mod service;
mod signature;
mod signer;
mod wire;

pub use aws_credential_types::Credentials;
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
pub use payload::{Payload, PayloadMode};
pub use presign::{Presigned, Presigning};
pub use response::ResponseBody;
pub use service::ServiceProfile;
pub use signer::{Explanation, Signer, SignerBuilder};
pub use wire::PlusInQuery;
