//! AWS Signature Version 4 for any tower, hyper, axum or reqwest client.

mod error;

pub use error::{BoxError, BuildError, BuildErrorKind, Error, ErrorKind};
