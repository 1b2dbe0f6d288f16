//! What a builder is told and a signer goes by, unchanged.

use std::time::Duration;

use super::scope::ScopeSettings;
use crate::headers::HeaderPolicy;
use crate::payload::{BufferLimits, PayloadMode};
use crate::service::ServiceProfile;
use crate::wire::PlusInQuery;

#[derive(Debug)]
pub(super) struct Settings {
    pub(super) scope: ScopeSettings,
    pub(super) headers: HeaderPolicy,
    pub(super) host_header_may_differ: bool,
    pub(super) plus: PlusInQuery,
    pub(super) payload: PayloadMode,
    pub(super) profile: Option<ServiceProfile>,
    pub(super) limits: BufferLimits,
    pub(super) unsigned_over_http: bool,
    pub(super) unsigned_elsewhere: bool,
    pub(super) recovery: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            scope: ScopeSettings::default(),
            headers: HeaderPolicy::default(),
            host_header_may_differ: false,
            plus: PlusInQuery::default(),
            payload: PayloadMode::default(),
            profile: None,
            limits: BufferLimits { size: 10 * 1024 * 1024, timeout: Duration::from_secs(60) },
            unsigned_over_http: false,
            unsigned_elsewhere: false,
            recovery: true,
        }
    }
}
