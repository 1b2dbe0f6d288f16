//! How a client becomes IAM-capable.

#[cfg(feature = "blocking")]
pub(crate) mod blocking;
pub(crate) mod classify;
#[cfg(feature = "reqwest")]
pub(crate) mod redirect;
#[cfg(feature = "reqwest")]
pub(crate) mod reqwest;
pub(crate) mod response_body;
#[cfg(feature = "tower")]
pub(crate) mod tower;
