//! Integrations with tower, reqwest-middleware and `reqwest::blocking`.

#[cfg(feature = "blocking")]
pub(crate) mod blocking;
mod classify;
#[cfg(feature = "diagnosis")]
pub(crate) mod diagnose;
mod exchange;
pub(crate) mod guard;
mod kept_headers;
#[cfg(feature = "reqwest")]
mod proxy;
#[cfg(feature = "reqwest")]
pub(crate) mod redirect;
#[cfg(feature = "reqwest")]
pub(crate) mod reqwest;
#[cfg(feature = "diagnosis")]
pub(crate) mod response_body;
#[cfg(feature = "reqwest")]
mod sign_reqwest;
#[cfg(feature = "tower")]
pub(crate) mod tower;
