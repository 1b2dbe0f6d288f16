//! Which service and region a request is signed for.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Inner, RequestView};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind};
use crate::key::Reach;
use crate::wire::Origin;

/// What the builder was told of service and region.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScopeSettings {
    pub(crate) service: Option<Cow<'static, str>>,
    pub(crate) region: Option<Cow<'static, str>>,
    /// For SigV4a; wins over a region.
    pub(crate) region_set: Option<Cow<'static, str>>,
    /// For hosts that do not tell a region.
    pub(crate) default_region: Option<Cow<'static, str>>,
    /// Whether service and region above win silently over what the host says.
    pub(crate) overrides_host: bool,
}

/// The service and region of one request.
#[derive(Clone, Debug)]
pub(crate) struct Scope<'a> {
    said_service: Option<&'a str>,
    said_reach: Option<Reach<'a>>,
    /// What the host says; kept alive for the names borrowed from it.
    inferred: Option<Arc<(String, Option<Endpoint>)>>,
    default_region: Option<&'a str>,
}

impl Scope<'_> {
    fn endpoint(&self) -> Option<&Endpoint> {
        self.inferred.as_ref().and_then(|inferred| inferred.1.as_ref())
    }

    fn service(&self) -> Option<&str> {
        self.said_service.or_else(|| self.endpoint().map(Endpoint::service))
    }

    fn reach(&self) -> Option<Reach<'_>> {
        fn of_host(endpoint: &Endpoint) -> Option<Reach<'_>> {
            let set = endpoint.region_set().map(Reach::RegionSet);
            set.or_else(|| endpoint.region().map(Reach::Region))
        }
        let said = self.said_reach.or_else(|| self.endpoint().and_then(of_host));
        said.or(self.default_region.map(Reach::Region))
    }

    pub(crate) fn service_and_reach(&self, origin: &Origin<'_>) -> Result<(&str, Reach<'_>), Error> {
        match (self.service(), self.reach()) {
            (Some(service), Some(reach)) => Ok((service, reach)),
            (None, _) => Err(unknown(origin, "service")),
            (_, None) => Err(unknown(origin, "region")),
        }
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
        let said = &request.overrides;
        for (what, name) in [("service", said.service), ("region", said.region)] {
            if let Some(name) = name.filter(|name| !is_scope_part(name)) {
                return Err(Error::new(ErrorKind::ScopeInvalid, invalid_scope_part(what, name)));
            }
        }
        if let Some(set) = said.region_set.filter(|set| !is_region_set(set)) {
            return Err(Error::new(ErrorKind::ScopeInvalid, invalid_region_set(set)));
        }
        let scope = Scope {
            said_service: request.overrides.service.or(settings.service.as_deref()),
            said_reach: said_reach(request.overrides.region_set, request.overrides.region)
                .or_else(|| said_reach(settings.region_set.as_deref(), settings.region.as_deref())),
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
            if !matches!(scope.reach(), Some(Reach::RegionSet(_))) {
                contradiction("region", region, endpoint.region(), host)?;
            }
        }
        Ok(scope)
    }

    fn endpoint(&self, host: &str) -> Arc<(String, Option<Endpoint>)> {
        self.endpoints
            .find(|(known, _)| known == host)
            .unwrap_or_else(|| self.endpoints.add((host.to_owned(), Endpoint::infer(host).ok())))
    }
}

fn said_reach<'a>(region_set: Option<&'a str>, region: Option<&'a str>) -> Option<Reach<'a>> {
    region_set.map(Reach::RegionSet).or(region.map(Reach::Region))
}

fn unknown(origin: &Origin<'_>, missing: &str) -> Error {
    match Endpoint::infer(origin.host) {
        Err(error) => error,
        Ok(_) => Error::new(
            ErrorKind::ScopeUnknown,
            format!(
                "the host {} does not tell its {missing}; say .{missing}(…) on the signer's builder",
                origin.host
            ),
        ),
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

/// Whether a text is a region set: regions separated by commas, each of which may have `*` in it.
pub(super) fn is_region_set(set: &str) -> bool {
    set.split(',').all(|region| is_scope_part(&region.replace('*', "x")))
}

pub(super) fn invalid_region_set(set: &str) -> String {
    format!("the region set {set:?} is not a list of regions such as us-east-1,eu-* or *")
}
