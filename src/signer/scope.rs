//! Which service and region a request is signed for.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Inner, RequestView};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind};

/// What the builder was told of service and region.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScopeSettings {
    pub(crate) service: Option<Cow<'static, str>>,
    pub(crate) region: Option<Cow<'static, str>>,
    /// For hosts that do not tell a region.
    pub(crate) default_region: Option<Cow<'static, str>>,
    /// Whether service and region above win silently over what the host says.
    pub(crate) overrides_host: bool,
}

/// The service and region of one request.
#[derive(Clone, Debug)]
pub(crate) struct Scope<'a> {
    said_service: Option<&'a str>,
    said_region: Option<&'a str>,
    /// What the host says; kept alive for the names borrowed from it.
    inferred: Option<Arc<(String, Option<Endpoint>)>>,
    default_region: Option<&'a str>,
}

impl Scope<'_> {
    fn endpoint(&self) -> Option<&Endpoint> {
        self.inferred.as_ref().and_then(|inferred| inferred.1.as_ref())
    }

    pub(crate) fn service(&self) -> Option<&str> {
        self.said_service.or_else(|| self.endpoint().map(Endpoint::service))
    }

    pub(crate) fn region(&self) -> Option<&str> {
        self.said_region.or_else(|| self.endpoint().and_then(Endpoint::region)).or(self.default_region)
    }

    /// By which rule the host was read, where it was.
    pub(crate) fn rule(&self) -> Option<&str> {
        self.endpoint().map(Endpoint::rule)
    }
}

impl Inner {
    /// What is said for the request wins over what is said for the signer, that over what the host says; the default
    /// region fills in where nobody says one.
    pub(super) fn scope<'a>(&'a self, request: &RequestView<'a>, host: &str) -> Result<Scope<'a>, Error> {
        let settings = &self.scope;
        for (what, name) in [("service", request.overrides.service), ("region", request.overrides.region)] {
            if let Some(name) = name.filter(|name| !is_scope_part(name)) {
                return Err(Error::new(ErrorKind::ScopeInvalid, invalid_scope_part(what, name)));
            }
        }
        let scope = Scope {
            said_service: request.overrides.service.or(settings.service.as_deref()),
            said_region: request.overrides.region.or(settings.region.as_deref()),
            inferred: Some(self.endpoint(host)),
            default_region: settings.default_region.as_deref(),
        };
        if let Some(endpoint) = scope.endpoint().filter(|_| !settings.overrides_host) {
            let signer_says = |over: Option<&str>, own: &'a Option<Cow<'static, str>>| {
                own.as_deref().filter(|_| over.is_none())
            };
            let service = signer_says(request.overrides.service, &settings.service);
            contradiction("service", service, Some(endpoint.service()), host)?;
            let region = signer_says(request.overrides.region, &settings.region);
            contradiction("region", region, endpoint.region(), host)?;
        }
        Ok(scope)
    }

    fn endpoint(&self, host: &str) -> Arc<(String, Option<Endpoint>)> {
        self.endpoints
            .find(|(known, _)| known == host)
            .unwrap_or_else(|| self.endpoints.add((host.to_owned(), Endpoint::infer(host).ok())))
    }
}

fn contradiction(what: &str, said: Option<&str>, host_says: Option<&str>, host: &str) -> Result<(), Error> {
    match (said, host_says) {
        (Some(said), Some(host_says)) if said != host_says => Err(Error::new(
            ErrorKind::ScopeInvalid,
            format!(
                "the signer was told the {what} {said:?}, but the host {host} belongs to {host_says:?}; remove \
                 .{what}(…) from its builder, or call .scope_overrides_host(true) if {said:?} is meant"
            ),
        )),
        _ => Ok(()),
    }
}

/// Whether a name can stand in a credential scope.
pub(super) fn is_scope_part(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

pub(super) fn invalid_scope_part(what: &str, name: &str) -> String {
    format!("the {what} {name:?} is empty or has characters other than letters, digits, - _ and .")
}
