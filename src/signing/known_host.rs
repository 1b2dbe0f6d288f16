//! What is known of a host, for the signer's cache.

use crate::endpoint::Endpoint;

/// A host's endpoint and whether requests to it may be signed, cached.
#[derive(Debug)]
pub(super) struct KnownHost {
    pub(super) host: String,
    pub(super) endpoint: Option<Endpoint>,
    /// Whether requests to it may be signed over https on the default port.
    pub(super) allowed: bool,
}
