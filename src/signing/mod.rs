//! Signing: [`Signer`], its settings, and the steps from a request to its signature.

pub(crate) mod aws_chunked;
pub(crate) mod builder;
pub(crate) mod canonical;
pub(crate) mod date;
pub(crate) mod declared_payload;
pub(crate) mod details;
pub(crate) mod encode;
pub(crate) mod headers;
pub(crate) mod keys;
mod known_host;
pub(crate) mod origin;
pub mod overrides;
pub(crate) mod payload;
pub(crate) mod prepare;
pub(crate) mod presign;
pub(crate) mod presign_post;
pub(crate) mod request;
mod scope;
#[cfg(feature = "aws-config")]
mod sdk_config;
pub(crate) mod settings;
pub(crate) mod sign;
pub(crate) mod signature;
#[cfg(any(feature = "tower", feature = "reqwest"))]
pub(crate) mod signed_request;
pub(crate) mod signer;
pub(crate) mod signing_settings;
pub(crate) mod streaming;
pub(crate) mod target;
