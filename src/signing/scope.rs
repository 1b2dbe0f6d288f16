//! The service and region that a request is signed for.

use super::known_host::KnownHost;
use super::origin::Origin;
use super::overrides::Overrides;
use super::request::RequestView;
use super::signer::Inner;
use crate::cache::Found;
use crate::endpoint::{Endpoint, MissingScope};
use crate::error::{Error, ErrorKind};
use crate::signing::keys::RegionScope;

/// The service and region of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) service: &'a str,
    pub(crate) reach: RegionScope<'a>,
    /// What one of them was inferred from.
    inferred_from: Option<&'a Endpoint>,
}

impl Scope<'_> {
    /// The rule that the host matched, if service or region was inferred from it; by the request's path.
    pub(crate) fn rule(&self, path: &str) -> Option<&'static str> {
        let endpoint = self.inferred_from?;
        Some(endpoint.other_service_at(path).map_or_else(|| endpoint.rule(), |(_, rule)| rule))
    }
}

/// Where they are known.
type ServiceAndRegion<'a> = (Option<&'a str>, Option<RegionScope<'a>>);

fn service_at<'a>(endpoint: &'a Endpoint, path: &str) -> &'a str {
    endpoint.other_service_at(path).map_or_else(|| endpoint.service(), |(service, _)| service)
}

fn region_of(endpoint: &Endpoint) -> Option<RegionScope<'_>> {
    let set = endpoint.region_set().map(RegionScope::RegionSet);
    set.or_else(|| endpoint.region().map(RegionScope::Region))
}

/// Why the scope of a request is not known.
fn unknown(known: &KnownHost, no_service: bool, no_region: bool) -> Error {
    let (host, endpoint) = (known.host(), known.endpoint.as_ref());
    if no_service {
        let neither = Endpoint::infer(host).err().filter(|_| no_region);
        return neither.unwrap_or_else(|| not_configured(host, "service"));
    }
    let why = endpoint.and_then(|endpoint| endpoint.require_region().err());
    why.unwrap_or_else(|| not_configured(host, "region"))
}

fn not_configured(host: &str, missing: &str) -> Error {
    Error::new(
        ErrorKind::ScopeUnknown,
        format!(
            "the {missing} is not configured and cannot be inferred from the host {host}: add .{missing}(\"...\") to \
             the signer's builder"
        ),
    )
}

impl Inner {
    /// # Errors
    /// [`ErrorKind::ScopeInvalid`] for an invalid override, and for a host of another service or region;
    /// [`ErrorKind::ScopeUnknown`] if one of them is neither configured nor can be inferred from the host.
    pub(super) fn scope<'a>(
        &'a self,
        request: &RequestView<'a>,
        known: &'a KnownHost,
    ) -> Result<Scope<'a>, Error> {
        let over = &request.overrides;
        validate(over.service, over.region, over.region_set)
            .map_err(|why| Error::new(ErrorKind::ScopeInvalid, why))?;
        if !known.consistent {
            self.ensure_scope_consistent(over, known, request.path)?;
        }
        let configured = self.configured(request);
        let (service, region) = configured;
        let inferred_from = known.endpoint.as_ref().filter(|_| service.is_none() || region.is_none());
        match self.or_inferred(configured, request.path, known) {
            (Some(service), Some(reach)) => Ok(Scope { service, reach, inferred_from }),
            (service, region) => Err(unknown(known, service.is_none(), region.is_none())),
        }
    }

    /// The request's overrides take precedence over the signer's settings.
    fn configured<'a>(&'a self, request: &RequestView<'a>) -> ServiceAndRegion<'a> {
        let (own, over) = (&self.settings.scope, &request.overrides);
        let own_region = region_scope(own.region_set.as_deref(), own.region.as_deref());
        let region = region_scope(over.region_set, over.region).or(own_region);
        (over.service.or(own.service.as_deref()), region)
    }

    /// What is configured takes precedence over the host's endpoint; the default region is used where neither has a region.
    fn or_inferred<'a>(
        &'a self,
        (service, region): ServiceAndRegion<'a>,
        path: &str,
        known: &'a KnownHost,
    ) -> ServiceAndRegion<'a> {
        let endpoint = known.endpoint.as_ref();
        let default = || self.settings.scope.default_region.as_deref().map(RegionScope::Region);
        (
            service.or_else(|| endpoint.map(|endpoint| service_at(endpoint, path))),
            region.or_else(|| endpoint.and_then(region_of)).or_else(default),
        )
    }

    /// # Errors
    /// [`ErrorKind::ScopeInvalid`] if the configured service or region is another than that inferred from the host.
    fn ensure_scope_consistent(
        &self,
        over: &Overrides<'_>,
        known: &KnownHost,
        path: &str,
    ) -> Result<(), Error> {
        let own = &self.settings.scope;
        let Some(endpoint) = known.endpoint.as_ref().filter(|_| !own.overrides_host) else { return Ok(()) };
        let service = own.service.as_deref().filter(|_| over.service.is_none());
        ensure_consistent("service", service, Some(service_at(endpoint, path)), known.host())?;
        let overridden = over.region_set.is_some() || over.region.is_some();
        let region = own.region.as_deref().filter(|_| own.region_set.is_none() && !overridden);
        let inferred = endpoint.region_set().map_or(endpoint.region(), |_| Some("a SigV4a region set"));
        ensure_consistent("region", region, inferred, known.host())
    }

    /// Ensures that requests to the origin may be signed.
    ///
    /// # Errors
    /// [`ErrorKind::OriginNotAllowed`] or [`ErrorKind::InsecureOrigin`]; the message names every line to add to the
    /// builder, those for service and region too where they are missing.
    pub(super) fn ensure_allowed(
        &self,
        origin: &Origin<'_>,
        request: &RequestView<'_>,
        known: &KnownHost,
    ) -> Result<(), Error> {
        if known.allowed {
            return Ok(());
        }
        let missing = || {
            let (service, region) = self.or_inferred(self.configured(request), request.path, known);
            MissingScope { service: service.is_none(), region: region.is_none() }
        };
        self.origins.ensure_allowed(origin.http_scheme(), origin.host, origin.port, missing)
    }

    /// The cached entry of a request's origin, added on a miss.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidUri`] for a URI that is not absolute, or has another scheme than http's and web sockets'.
    pub(super) fn known_host(&self, request: &RequestView<'_>) -> Result<Found<KnownHost>, Error> {
        if let (Some(scheme), Some(authority)) = (request.scheme, request.authority)
            && let Some(known) = self.hosts.find(|known| known.is_of(scheme, authority))
        {
            return Ok(known);
        }
        let origin = Origin::new(request.scheme, request.authority)?;
        let endpoint = Endpoint::recognize(origin.host);
        let run_by_aws = || endpoint.as_ref().is_some_and(Endpoint::is_run_by_aws);
        let allowed =
            self.origins.allows_endpoint(origin.http_scheme(), origin.host, origin.port, run_by_aws);
        let depends_on_path = endpoint.as_ref().is_some_and(Endpoint::depends_on_path);
        let mut known = KnownHost::new(&origin, request.authority.unwrap_or_default(), endpoint, allowed);
        // Overrides only take away from what has to agree.
        known.consistent =
            !depends_on_path && self.ensure_scope_consistent(&Overrides::default(), &known, "").is_ok();
        Ok(self.hosts.add(known))
    }

    /// The region inferred from a host, unless the configured one takes precedence.
    #[cfg(feature = "reqwest")]
    pub(super) fn region_of_host(&self, host: &str) -> Option<String> {
        let endpoint = Endpoint::recognize(host).filter(|_| !self.settings.scope.overrides_host)?;
        endpoint.region().map(str::to_owned)
    }
}

fn region_scope<'a>(region_set: Option<&'a str>, region: Option<&'a str>) -> Option<RegionScope<'a>> {
    region_set.map(RegionScope::RegionSet).or(region.map(RegionScope::Region))
}

/// # Errors
/// [`ErrorKind::ScopeInvalid`] if both are known and differ.
fn ensure_consistent(
    what: &str,
    configured: Option<&str>,
    inferred: Option<&str>,
    host: &str,
) -> Result<(), Error> {
    match (configured, inferred) {
        (Some(configured), Some(inferred)) if configured != inferred => Err(Error::new(
            ErrorKind::ScopeInvalid,
            format!(
                "the signer is configured with the {what} {configured:?}, but {inferred:?} is inferred from the host \
                 {host}; remove .{what}(…) from its builder, or call .scope_overrides_host(true) if {configured:?} is \
                 intended"
            ),
        )),
        _ => Ok(()),
    }
}

/// # Errors
/// What is wrong with a part of a scope.
pub(super) fn validate(
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

/// Whether a name can be part of a credential scope.
fn is_scope_part(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Whether a text is a region set: regions separated by commas, each of which may contain `*`.
fn is_region_set(set: &str) -> bool {
    set.split(',').all(|region| is_scope_part(&region.replace('*', "x")))
}
