//! Which service and region a request is signed for.

use std::borrow::Cow;
use std::sync::Arc;

use super::request::RequestView;
use super::signer::Inner;
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind};
use crate::signing::keys::RegionScope;

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

/// What is known of a host, remembered.
#[derive(Debug)]
pub(super) struct KnownHost {
    host: String,
    endpoint: Option<Endpoint>,
    /// Whether it may be signed for over https, at https's own port.
    pub(super) allowed: bool,
}

/// The service and region of one request.
#[derive(Clone, Debug)]
pub(crate) struct Scope<'a> {
    service: Option<&'a str>,
    reach: Option<RegionScope<'a>>,
    /// For what nobody said.
    known: Arc<KnownHost>,
    path: &'a str,
    default_region: Option<&'a str>,
}

impl Scope<'_> {
    fn endpoint(&self) -> Option<&Endpoint> {
        self.known.endpoint.as_ref()
    }

    fn service(&self) -> Option<&str> {
        self.service.or_else(|| self.endpoint().map(|endpoint| service_of(endpoint, self.path)))
    }

    fn reach(&self) -> Option<RegionScope<'_>> {
        let of_host = || self.endpoint().and_then(reach_of);
        self.reach.or_else(of_host).or(self.default_region.map(RegionScope::Region))
    }

    /// # Errors
    /// [`ErrorKind::ScopeUnknown`] where neither anybody said it nor the host tells it.
    pub(crate) fn service_and_reach(&self) -> Result<(&str, RegionScope<'_>), Error> {
        let host = &self.known.host;
        let Some(service) = self.service() else {
            let neither = Endpoint::infer(host).err().filter(|_| self.reach().is_none());
            return Err(neither.unwrap_or_else(|| unknown(host, "service")));
        };
        let Some(reach) = self.reach() else {
            let why = self.endpoint().and_then(|endpoint| endpoint.require_region().err());
            return Err(why.unwrap_or_else(|| unknown(host, "region")));
        };
        Ok((service, reach))
    }

    /// By which rule the host was read, where anything was read off it.
    pub(crate) fn rule(&self) -> Option<&'static str> {
        let endpoint = self.endpoint().filter(|_| self.service.is_none() || self.reach.is_none())?;
        Some(endpoint.other_service_at(self.path).map_or_else(|| endpoint.rule(), |(_, rule)| rule))
    }
}

fn service_of<'a>(endpoint: &'a Endpoint, path: &str) -> &'a str {
    endpoint.other_service_at(path).map_or_else(|| endpoint.service(), |(service, _)| service)
}

fn reach_of(endpoint: &Endpoint) -> Option<RegionScope<'_>> {
    let set = endpoint.region_set().map(RegionScope::RegionSet);
    set.or_else(|| endpoint.region().map(RegionScope::Region))
}

fn unknown(host: &str, missing: &str) -> Error {
    Error::new(
        ErrorKind::ScopeUnknown,
        format!(
            "the host {host} does not tell its {missing}: say it with .{missing}(\"...\") on the signer's builder"
        ),
    )
}

impl Inner {
    /// What is said for the request wins over what is said for the signer, that over what the host says; the default
    /// region fills in where nobody says one.
    pub(super) fn scope<'a>(
        &'a self,
        request: &RequestView<'a>,
        known: Arc<KnownHost>,
    ) -> Result<Scope<'a>, Error> {
        let (own, over) = (&self.settings.scope, &request.overrides);
        check(over.service, over.region, over.region_set)
            .map_err(|why| Error::new(ErrorKind::ScopeInvalid, why))?;
        let own_reach = reach(own.region_set.as_deref(), own.region.as_deref());
        let over_reach = reach(over.region_set, over.region);
        let scope = Scope {
            service: over.service.or(own.service.as_deref()),
            reach: over_reach.or(own_reach),
            known,
            path: request.path,
            default_region: own.default_region.as_deref(),
        };
        if let Some(endpoint) = scope.endpoint().filter(|_| !own.overrides_host) {
            let service = own.service.as_deref().filter(|_| over.service.is_none());
            let host = &scope.known.host;
            agree("service", service, Some(service_of(endpoint, request.path)), host)?;
            let region = own_reach.filter(|_| over_reach.is_none()).and_then(RegionScope::region);
            let host_says = endpoint.region_set().map_or(endpoint.region(), |_| Some("a SigV4a region set"));
            agree("region", region, host_says, host)?;
        }
        Ok(scope)
    }

    /// Looks a host up, or makes its acquaintance.
    pub(super) fn known_host(&self, host: &str) -> Arc<KnownHost> {
        self.hosts.find(|known| known.host == host).unwrap_or_else(|| {
            let allowed = self.origins.check("https", host, None).is_ok();
            self.hosts.add(KnownHost { host: host.to_owned(), endpoint: Endpoint::infer(host).ok(), allowed })
        })
    }

    /// The region that a host tells, unless the user's own wins over it.
    #[cfg(feature = "reqwest")]
    pub(super) fn region_of_host(&self, host: &str) -> Option<String> {
        let known = self.known_host(host);
        let endpoint = known.endpoint.as_ref().filter(|_| !self.settings.scope.overrides_host)?;
        endpoint.region().map(str::to_owned)
    }
}

fn reach<'a>(region_set: Option<&'a str>, region: Option<&'a str>) -> Option<RegionScope<'a>> {
    region_set.map(RegionScope::RegionSet).or(region.map(RegionScope::Region))
}

/// # Errors
/// [`ErrorKind::ScopeInvalid`] where both are known and differ.
fn agree(what: &str, said: Option<&str>, host_says: Option<&str>, host: &str) -> Result<(), Error> {
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

/// Says what is wrong with parts of a scope that were said, if anything is.
pub(super) fn check(
    service: Option<&str>,
    region: Option<&str>,
    region_set: Option<&str>,
) -> Result<(), String> {
    for (what, name) in [("service", service), ("region", region)] {
        if let Some(name) = name.filter(|name| !is_scope_part(name)) {
            return Err(format!(
                "the {what} {name:?} is empty or has characters other than letters, digits, - _ and ."
            ));
        }
    }
    match region_set.filter(|set| !is_region_set(set)) {
        Some(set) => {
            Err(format!("the region set {set:?} is not a list of regions such as us-east-1,eu-* or *"))
        }
        None => Ok(()),
    }
}

/// Whether a name can stand in a credential scope.
fn is_scope_part(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Whether a text is a region set: regions separated by commas, each of which may have `*` in it.
fn is_region_set(set: &str) -> bool {
    set.split(',').all(|region| is_scope_part(&region.replace('*', "x")))
}
