//! Immutable signer configuration.

use std::borrow::Cow;
use std::time::Duration;

use super::payload::PayloadMode;
use crate::signing::headers::HeaderPolicy;
use crate::signing::signing_settings::SigningSettings;
use crate::signing::target::PlusInQuery;

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) scope: ScopeSettings,
    pub(super) headers: HeaderPolicy,
    pub(super) allow_host_mismatch: bool,
    pub(super) plus: PlusInQuery,
    pub(super) payload: PayloadMode,
    pub(super) signing: Option<SigningSettings>,
    pub(super) limits: BufferLimits,
    pub(super) allow_unsigned_over_http: bool,
    pub(super) pass_through_disallowed_origins: bool,
    pub(super) retry_on_auth_error: bool,
    pub(super) record_details: bool,
    pub(super) disabled: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            scope: ScopeSettings::default(),
            headers: HeaderPolicy::default(),
            allow_host_mismatch: false,
            plus: PlusInQuery::default(),
            payload: PayloadMode::default(),
            signing: None,
            limits: BufferLimits { size: 10 * 1024 * 1024, timeout: Duration::from_secs(60) },
            allow_unsigned_over_http: false,
            pass_through_disallowed_origins: false,
            retry_on_auth_error: true,
            record_details: false,
            disabled: false,
        }
    }
}

/// How much of a body is taken into memory, and how long it is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BufferLimits {
    /// Bytes.
    pub(crate) size: u64,
    /// For the whole body.
    pub(crate) timeout: Duration,
}

/// Service and region as configured on the builder.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScopeSettings {
    pub(crate) service: Option<Cow<'static, str>>,
    pub(crate) region: Option<Cow<'static, str>>,
    /// For SigV4a; takes precedence over `region`.
    pub(crate) region_set: Option<Cow<'static, str>>,
    /// For hosts that no region can be inferred from.
    pub(crate) default_region: Option<Cow<'static, str>>,
    /// Whether service and region above take precedence over the host's, without an error where they differ.
    pub(crate) overrides_host: bool,
}
