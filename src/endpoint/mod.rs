//! The service and region of a host ([`Endpoint`]), and the origins that may be signed for ([`AllowedOrigins`]).

mod generated;
mod origins;
mod partitions;
mod resource_hosts;
mod table;

use std::borrow::Cow;
use std::fmt;
use std::str::{self, FromStr};

use smallvec::SmallVec;

use crate::error::{Error, ErrorKind};
#[cfg(feature = "reqwest")]
pub(crate) use origins::is_loopback;
pub(crate) use origins::{AllowedOrigins, MissingScope};
use resource_hosts::HostRegion;
use table::{DomainKind, Suffix};

/// Longest host name that DNS allows, in bytes.
const MAX_HOST: usize = 253;

type Buffer = SmallVec<[u8; 256]>;

/// The service and region that requests to a host are signed for, inferred from the host's name.
///
/// Known hosts are those of botocore's endpoint data in all partitions (plain, dual-stack, FIPS), hosts that begin with the
/// name of a resource (`{bucket}.s3…`, `{id}.execute-api…`, `{id}.lambda-url…`), VPC endpoints, and Cloudflare R2. A service
/// that is newer than the data is recognized by AWS's naming rule: its name, then its region, under `amazonaws.com` or
/// another partition's domain. An unknown region is accepted if it is named like the other regions of its partition.
///
/// Nothing is inferred from custom domains, nor from AWS's names for customers' machines (EC2, load balancers, ECS,
/// Airflow, notebooks, S3 websites, others' PrivateLink services). By default, a [`Signer`](crate::Signer) signs for the AWS
/// hosts from which an endpoint can be inferred.
///
/// ```
/// use sigv4_middleware::Endpoint;
///
/// let endpoint: Endpoint = "abc123.execute-api.ap-northeast-1.amazonaws.com".parse()?;
/// assert_eq!(endpoint.service(), "execute-api");
/// assert_eq!(endpoint.region(), Some("ap-northeast-1"));
/// assert_eq!(endpoint.partition(), Some("aws"));
/// assert_eq!(endpoint.to_string(), "execute-api in ap-northeast-1 (aws)");
///
/// assert!(Endpoint::infer("api.example.com").is_err());
/// # Ok::<(), sigv4_middleware::Error>(())
/// ```
///
/// # AWS documentation
/// AWS General Reference: ["AWS service endpoints"][endpoints]; botocore's endpoint data.
///
/// [endpoints]: https://docs.aws.amazon.com/general/latest/gr/rande.html
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    service: Cow<'static, str>,
    region: Option<Cow<'static, str>>,
    region_set: Option<&'static str>,
    partition: Option<&'static str>,
    rule: &'static str,
}

impl Endpoint {
    /// Infers service and region from a host name: without a port, in any case, with at most one trailing dot.
    ///
    /// # Errors
    /// [`ErrorKind::ScopeUnknown`] if the service cannot be inferred; the message names what to set. A host that
    /// contains its service but not its region (`bucket.s3.amazonaws.com`) is not an error here: see
    /// [`require_region`](Self::require_region).
    pub fn infer(host: &str) -> Result<Self, Error> {
        Self::recognize(host).ok_or_else(|| {
            let in_aws_domain = is_in_aws_domain(host);
            let host = shown(host);
            let message = if in_aws_domain {
                format!(
                    "{host} is in a domain of AWS, but it is not a known service endpoint and may be a customer's \
                     machine: if requests to it are to be signed, configure .service(\"...\") and .region(\"...\"), \
                     and .allow_host({host})"
                )
            } else {
                format!(
                    "no service or region can be inferred from {host}, which is not a host of AWS: configure \
                     .service(\"...\") and .region(\"...\")"
                )
            };
            Error::new(ErrorKind::ScopeUnknown, message)
        })
    }

    /// As [`infer`](Self::infer), without a reason.
    pub(crate) fn recognize(host: &str) -> Option<Self> {
        let mut lower = Buffer::new();
        let name = lower_case(host, &mut lower)?;
        if let Some((suffix, front)) = partitions::suffix(name) {
            return in_domain(suffix, front);
        }
        if let Some((service, region, partition)) = partitions::other_host(name) {
            return Some(Self::regional(service, region, Some(partition), "sign-in endpoint"));
        }
        partitions::under(name, "r2.cloudflarestorage.com")?;
        Some(Self::regional("s3", Cow::Borrowed("auto"), None, "Cloudflare R2"))
    }

    /// Infers service and region from host and path, for the few hosts that serve two services.
    ///
    /// `/mqtt` on an AWS IoT data host is `iotdevicegateway`; `/{maps,places,routes}/v0/…` on the hosts of the
    /// newer location services is `geo`. Every other path is as in [`infer`](Self::infer).
    ///
    /// ```
    /// use sigv4_middleware::Endpoint;
    ///
    /// let host = "a1b2c3d4-ats.iot.eu-west-1.amazonaws.com";
    /// assert_eq!(Endpoint::infer_with_path(host, "/topics/orders")?.service(), "iotdata");
    /// assert_eq!(Endpoint::infer_with_path(host, "/mqtt")?.service(), "iotdevicegateway");
    /// # Ok::<(), sigv4_middleware::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`infer`](Self::infer).
    pub fn infer_with_path(host: &str, path: &str) -> Result<Self, Error> {
        let mut found = Self::infer(host)?;
        if let Some((service, rule)) = found.other_service_at(path) {
            found.service = Cow::Borrowed(service);
            found.rule = rule;
        }
        Ok(found)
    }

    /// Whether AWS runs the host, and not another store.
    pub(crate) fn is_run_by_aws(&self) -> bool {
        self.partition.is_some()
    }

    /// Whether the service depends on the path, see [`infer_with_path`](Self::infer_with_path).
    pub(crate) fn depends_on_path(&self) -> bool {
        matches!(&*self.service, "iotdata" | "geo-maps" | "geo-places" | "geo-routes")
    }

    /// Signing name and rule of a path that is served by another service than the host's other paths.
    pub(crate) fn other_service_at(&self, path: &str) -> Option<(&'static str, &'static str)> {
        match &*self.service {
            "iotdata" if path == "/mqtt" => Some(("iotdevicegateway", "AWS IoT, MQTT over WebSocket")),
            "geo-maps" | "geo-places" | "geo-routes" if path.split('/').nth(2) == Some("v0") => {
                Some(("geo", "Amazon Location, first version"))
            }
            _ => None,
        }
    }

    /// The signing name, such as `execute-api`.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The region to sign for; `None` if the host does not contain it, or if it takes SigV4a only.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// The region to sign for, or an error that says how to find and set it.
    ///
    /// ```
    /// use sigv4_middleware::{Endpoint, ErrorKind};
    ///
    /// let endpoint = Endpoint::infer("bucket.s3.amazonaws.com")?;
    /// assert_eq!(endpoint.region(), None);
    /// assert_eq!(endpoint.require_region().unwrap_err().kind(), ErrorKind::ScopeUnknown);
    /// # Ok::<(), sigv4_middleware::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::ScopeUnknown`] if the region cannot be inferred from the host, or if the host takes SigV4a only.
    pub fn require_region(&self) -> Result<&str, Error> {
        if let Some(region) = &self.region {
            return Ok(region);
        }
        let message = match (&*self.service, self.region_set) {
            (_, Some(set)) => Cow::Owned(format!(
                "the host ({}) takes SigV4a signatures, for the region set {set}, not SigV4 signatures for one region",
                self.rule
            )),
            ("rds-db", _) => Cow::Borrowed(
                "the region of a global database's writer is not in its host and cannot be inferred from it: configure \
                 .region(\"...\") with the region of the primary cluster",
            ),
            _ => Cow::Borrowed(
                "the bucket's region is not in the host and cannot be inferred from it: configure .region(\"...\"), \
                 or use the host <bucket>.s3.<region>.amazonaws.com; S3 responds to a HEAD of the bucket with the \
                 region in the header x-amz-bucket-region",
            ),
        };
        Err(Error::new(ErrorKind::ScopeUnknown, message))
    }

    /// The region set to sign for (`*` is every region) on hosts that take SigV4a only: S3 multi-region access
    /// points, global endpoints of EventBridge and SES, CloudFront's key value store.
    #[must_use]
    pub fn region_set(&self) -> Option<&str> {
        self.region_set
    }

    /// The AWS partition, such as `aws` or `aws-cn`; `None` outside AWS.
    #[must_use]
    pub fn partition(&self) -> Option<&str> {
        self.partition
    }

    /// Human-readable name of the matching rule.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        self.rule
    }

    fn regional(
        service: impl Into<Cow<'static, str>>,
        region: Cow<'static, str>,
        partition: Option<&'static str>,
        rule: &'static str,
    ) -> Self {
        Self { service: service.into(), region: Some(region), region_set: None, partition, rule }
    }

    /// An entry of the generated tables, in which the region `*` is a region set.
    fn fixed(service: &'static str, region: &'static str, partition: Option<&'static str>) -> Self {
        match region {
            "*" => Self::everywhere(service, partition, "global endpoint"),
            region => Self::regional(service, Cow::Borrowed(region), partition, "global endpoint"),
        }
    }

    fn everywhere(service: &'static str, partition: Option<&'static str>, rule: &'static str) -> Self {
        Self { service: Cow::Borrowed(service), region: None, region_set: Some("*"), partition, rule }
    }
}

/// Parses a host name, as [`Endpoint::infer`] does.
impl FromStr for Endpoint {
    type Err = Error;

    fn from_str(host: &str) -> Result<Self, Error> {
        Self::infer(host)
    }
}

/// Service, region and partition, such as `execute-api in ap-northeast-1 (aws)`. For hosts that take SigV4a only
/// `s3 in region set * (aws)`, for a region that cannot be inferred `s3 in an unknown region (aws)`, and outside AWS
/// `s3 in auto`.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in ", self.service)?;
        match (&self.region, self.region_set) {
            (Some(region), _) => f.write_str(region)?,
            (None, Some(set)) => write!(f, "region set {set}")?,
            (None, None) => f.write_str("an unknown region")?,
        }
        self.partition.map_or(Ok(()), |partition| write!(f, " ({partition})"))
    }
}

/// Whether AWS runs the server behind a host: whether a service can be inferred from it, other stores left aside.
fn is_run_by_aws(host: &str) -> bool {
    Endpoint::recognize(host).is_some_and(|endpoint| endpoint.is_run_by_aws())
}

/// Whether a host is below a domain of AWS, where there are customers' machines too.
fn is_in_aws_domain(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    is_name(host) && partitions::suffix(host).is_some()
}

/// The endpoint of the host with these labels in front of a domain of AWS.
fn in_domain(suffix: &Suffix, front: &str) -> Option<Endpoint> {
    let standard = suffix.kind == DomainKind::Standard;
    let (front, vpce) = match front.strip_suffix(".vpce").filter(|_| standard) {
        Some(front) => (front, true),
        None => (front, false),
    };
    if vpce && front.split('.').any(|label| label.starts_with("vpce-svc-")) {
        // A customer's own service behind PrivateLink.
        return None;
    }
    let (before, last) = cut(front);
    if let Some(region) = suffix.region(last) {
        let mut name = Name::default();
        name.push_all(before, vpce);
        return name.regional(suffix, last, region, vpce);
    }
    // `{domain}.us-east-1.es`: `@` takes the region's place.
    let (rest, second) = cut(before);
    let found = suffix.region(second).and_then(|region| {
        let mut name = Name::default();
        name.push_all(rest, vpce);
        name.push("@");
        name.push(last);
        name.regional(suffix, second, region, vpce)
    });
    found.or_else(|| {
        let mut name = Name::default();
        name.push_all(front, vpce);
        without_region(suffix, name.as_str())
    })
}

/// All labels but the last, and the last.
fn cut(labels: &str) -> (&str, &str) {
    labels.rsplit_once('.').unwrap_or(("", labels))
}

/// The endpoint of a host without a region label.
fn without_region(suffix: &Suffix, name: &str) -> Option<Endpoint> {
    if let Some((service, region)) = suffix.fixed(name) {
        let partition =
            if name.ends_with(".us-gov") { Some("aws-us-gov") } else { suffix.partition_of(region) };
        return Some(Endpoint::fixed(service, region, partition));
    }
    // `{bucket}.s3-us-west-2`, the form before 2019.
    if let Some(tail) = cut(name).1.strip_prefix("s3-").filter(|_| suffix.kind == DomainKind::Standard) {
        let tail = tail.strip_prefix("fips-").unwrap_or(tail);
        if let Some((region, partition)) = suffix.region(tail) {
            return Some(Endpoint::regional("s3", region, Some(partition), "S3, old form"));
        }
    }
    let (service, region, rule) = resource_hosts::regionless(suffix.kind, name)?;
    let partition = suffix.partition_of(if name.ends_with(".us-gov") { "us-gov-west-1" } else { "*" });
    Some(match region {
        HostRegion::Every => Endpoint::everywhere(service, partition, rule),
        HostRegion::Fixed(region) => {
            // Old hosts of the partition `aws` alone.
            partition.filter(|p| *p == "aws")?;
            Endpoint::regional(service, Cow::Borrowed(region), partition, rule)
        }
        HostRegion::Unknown => {
            Endpoint { service: Cow::Borrowed(service), region: None, region_set: None, partition, rule }
        }
    })
}

/// Labels without those that mark FIPS, dual-stack and VPC endpoints, joined by dots.
#[derive(Clone, Default)]
struct Name {
    text: Buffer,
    /// Whether a label was left out that is nothing but a mark.
    has_marks: bool,
}

impl Name {
    fn push_all(&mut self, labels: &str, vpce: bool) {
        labels.split('.').filter(|label| !(vpce && label.starts_with("vpce-"))).for_each(|l| self.push(l));
    }

    fn push(&mut self, label: &str) {
        if matches!(label, "fips" | "dualstack") {
            self.has_marks = true;
            return;
        }
        let label = label.strip_suffix("-fips").unwrap_or(label);
        let label = label.strip_prefix("fips-").unwrap_or(label);
        if label.is_empty() {
            return;
        }
        if !self.text.is_empty() {
            self.text.push(b'.');
        }
        self.text.extend_from_slice(label.as_bytes());
    }

    /// The endpoint of the host with this name around a region label.
    fn regional(
        &self,
        suffix: &Suffix,
        label: &str,
        (region, partition): (Cow<'static, str>, &'static str),
        vpce: bool,
    ) -> Option<Endpoint> {
        let name = self.as_str();
        let fixed = suffix.fixed(self.with(label).as_str()).or_else(|| suffix.fixed(self.with("*").as_str()));
        if let Some((service, to)) = fixed {
            return Some(Endpoint::fixed(service, to, Some(partition)));
        }
        let found = |service: &'static str, rule: &'static str| {
            let rule = if vpce { "VPC endpoint" } else { rule };
            Some(Endpoint::regional(service, region.clone(), Some(partition), rule))
        };
        if suffix.kind != DomainKind::Resources
            && let Some(service) = service(name)
        {
            return found(service, "service endpoint");
        }
        if let Some(service) = resource_hosts::resource(suffix.kind, name) {
            return found(service, "resource endpoint");
        }
        if suffix.kind != DomainKind::Standard || name.contains('@') {
            return None;
        }
        if cut(name).1.starts_with("s3express-") {
            return found("s3express", "S3 Express zone");
        }
        // AWS's naming rule for a service, its name and its region, which most services newer than the table follow.
        let plain = !self.has_marks && resource_hosts::is_service_name(name) && suffix.region(name).is_none();
        plain.then(|| Endpoint::regional(name.to_owned(), region, Some(partition), "first label"))
    }

    fn with(&self, label: &str) -> Self {
        let mut longer = self.clone();
        longer.text.push(b'.');
        longer.text.extend_from_slice(label.as_bytes());
        longer
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.text).unwrap_or_default()
    }
}

/// This signing name as the table has it; `None` if no service of AWS is known by it.
#[cfg(feature = "metrics")]
pub(crate) fn signing_name(name: &str) -> Option<&'static str> {
    service(name).filter(|found| *found == name).or_else(|| {
        generated::SERVICES
            .iter()
            .map(|(_, service)| service)
            .find(|service| *service == name && !name.is_empty())
    })
}

/// The signing name of a service with these labels before its region.
fn service(name: &str) -> Option<&'static str> {
    let (name, service) = generated::SERVICES.find(name)?;
    Some(if service.is_empty() { name } else { service })
}

/// A host name in lower case without its trailing dot; `None` if no DNS name of AWS can look like that.
fn lower_case<'b>(host: &str, buffer: &'b mut Buffer) -> Option<&'b str> {
    let host = host.strip_suffix('.').unwrap_or(host);
    if !is_name(host) {
        return None;
    }
    buffer.extend(host.bytes().map(|b| b.to_ascii_lowercase()));
    str::from_utf8(buffer).ok()
}

/// Whether this is a DNS name in ASCII: nonempty labels of letters, digits, `-` and `_`, without a trailing dot.
fn is_name(host: &str) -> bool {
    host.len() <= MAX_HOST
        && host.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        })
}

/// A host for an error message: quoted, escaped, of bounded length.
fn shown(host: &str) -> String {
    let mut cut: String = host.chars().take(MAX_HOST).collect();
    if cut.len() < host.len() {
        cut.push('…');
    }
    format!("\"{}\"", cut.escape_debug())
}
