//! AWS Signature Version 4 for any tower, hyper, axum or reqwest client.

#[allow(dead_code)]
mod clock;
#[allow(dead_code, unused_imports)]
mod credentials;
mod error;

pub use credentials::{CachedCredentials, CachedCredentialsBuilder, EnvironmentCredentials};
pub use error::{BoxError, BuildError, BuildErrorKind, Error, ErrorKind};
