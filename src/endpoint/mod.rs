//! Where a signature belongs: a host's scope ([`Endpoint`]), and where one may go ([`AllowedOrigins`]).

mod generated;
mod origins;
mod partitions;
mod resource_hosts;

use std::borrow::Cow;
use std::str;

use smallvec::SmallVec;

use crate::error::{Error, ErrorKind};
pub(crate) use origins::AllowedOrigins;
use partitions::Suffix;
use resource_hosts::Scope;

/// Longest host name that DNS knows, in bytes.
const MAX_HOST: usize = 253;

type Buffer = SmallVec<[u8; 256]>;

/// The credential scope that a host is signed for, read off its name.
///
/// Known are the hosts of botocore's endpoint data in all partitions (plain, dual-stack, FIPS), the hosts that
/// begin with the name of a resource (`{bucket}.s3…`, `{id}.execute-api…`, `{id}.lambda-url…`), VPC endpoints,
/// and Cloudflare's R2. A region that is not known yet is taken where it is built like its partition's others.
/// A custom domain says nothing and is never guessed at.
///
/// ```
/// use sigv4_middleware::Endpoint;
///
/// let endpoint = Endpoint::infer("abc123.execute-api.ap-northeast-1.amazonaws.com")?;
/// assert_eq!(endpoint.service(), "execute-api");
/// assert_eq!(endpoint.region(), Some("ap-northeast-1"));
/// assert_eq!(endpoint.partition(), Some("aws"));
///
/// assert!(Endpoint::infer("api.example.com").is_err());
/// # Ok::<(), sigv4_middleware::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    service: Cow<'static, str>,
    region: Option<Cow<'static, str>>,
    region_set: Option<&'static str>,
    partition: Option<&'static str>,
    rule: &'static str,
}

impl Endpoint {
    /// Reads the scope off a host name: no port, letters of either case, one trailing dot at most.
    ///
    /// # Errors
    /// [`ErrorKind::ScopeUnknown`] when the host does not tell its service; the message names what to set.
    /// A host that tells its service but not its region (`bucket.s3.amazonaws.com`) is no error here: see
    /// [`require_region`](Self::require_region).
    pub fn infer(host: &str) -> Result<Self, Error> {
        let mut lower = Buffer::new();
        let name = lower_case(host, &mut lower).ok_or_else(|| {
            let message = format!(
                "{} is not a plain host name, so it tells no service and region: say them with .service(\"...\") \
                 and .region(\"...\")",
                shown(host)
            );
            Error::new(ErrorKind::ScopeUnknown, message)
        })?;
        if let Some((suffix, front)) = partitions::suffix(name) {
            return in_domain(suffix, front).ok_or_else(|| {
                let message = format!(
                    "{} is in a domain of AWS but of no form known here: say the signing name with \
                     .service(\"...\") and the region with .region(\"...\")",
                    shown(host)
                );
                Error::new(ErrorKind::ScopeUnknown, message)
            });
        }
        if let Some((service, region, partition)) = partitions::elsewhere(name) {
            return Ok(Self::regional(service, region, Some(partition), "sign-in endpoint"));
        }
        if partitions::under(name, "r2.cloudflarestorage.com").is_some() {
            return Ok(Self::regional("s3", Cow::Borrowed("auto"), None, "Cloudflare R2"));
        }
        let message = format!(
            "{} is not a host of AWS, so it tells no service and region: say them with .service(\"...\") and \
             .region(\"...\")",
            shown(host)
        );
        Err(Error::new(ErrorKind::ScopeUnknown, message))
    }

    /// Reads the scope off host and path, for the few hosts that serve two services.
    ///
    /// `/mqtt` on an AWS IoT data host is `iotdevicegateway`; `/{maps,places,routes}/v0/…` on the hosts of the
    /// newer location services is `geo`. Everything else is as [`infer`](Self::infer) has it.
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

    /// The service and rule for a path that another service than the host's usual one answers.
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

    /// The region to sign for; `None` where the host does not say, and where only SigV4a signs.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// The region to sign for.
    ///
    /// # Errors
    /// [`ErrorKind::ScopeUnknown`] when the host does not tell it; the message says how to find and set it.
    pub fn require_region(&self) -> Result<&str, Error> {
        if let Some(region) = &self.region {
            return Ok(region);
        }
        let message = if self.region_set.is_some() {
            Cow::Owned(format!(
                "the host ({}) is signed with SigV4a for a set of regions, not with SigV4 for one",
                self.rule
            ))
        } else {
            Cow::Borrowed(
                "the host does not tell its bucket's region: say it with .region(\"...\"), or use the host \
                 <bucket>.s3.<region>.amazonaws.com; S3 answers a HEAD of the bucket with the region in the \
                 header x-amz-bucket-region",
            )
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

    /// The name of the rule that told, for people.
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

    /// A scope of the table's: `*` is a region set.
    fn fixed(service: &'static str, to: &'static str, partition: Option<&'static str>) -> Self {
        match to {
            "*" => Self::everywhere(service, partition, "global endpoint"),
            to => Self::regional(service, Cow::Borrowed(to), partition, "global endpoint"),
        }
    }

    fn everywhere(service: &'static str, partition: Option<&'static str>, rule: &'static str) -> Self {
        Self { service: Cow::Borrowed(service), region: None, region_set: Some("*"), partition, rule }
    }
}

/// The scope of the host with these labels in front of a domain of AWS.
fn in_domain(suffix: &Suffix, front: &str) -> Option<Endpoint> {
    if partitions::is_customers(front) {
        return None;
    }
    let (front, vpce) = match front.strip_suffix(".vpce") {
        Some(front) => (front, true),
        None => (front, false),
    };
    let (before, last) = cut(front);
    if let Some(region) = suffix.region(last) {
        let mut name = Name::default();
        name.push_all(before, vpce);
        return name.regional(suffix, last, region, vpce);
    }
    // `{domain}.us-east-1.es`: the region's place is kept as `@`.
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

/// Labels and the last of them.
fn cut(labels: &str) -> (&str, &str) {
    labels.rsplit_once('.').unwrap_or(("", labels))
}

/// The scope of a host in which no label is a region.
fn without_region(suffix: &Suffix, name: &str) -> Option<Endpoint> {
    if let Some((service, to)) = suffix.fixed(name) {
        let partition = if name.ends_with(".us-gov") { Some("aws-us-gov") } else { suffix.partition_of(to) };
        return Some(Endpoint::fixed(service, to, partition));
    }
    // `{bucket}.s3-us-west-2`, the form before 2019.
    if let Some(tail) = cut(name).1.strip_prefix("s3-") {
        let tail = tail.strip_prefix("fips-").unwrap_or(tail);
        if let Some((region, partition)) = suffix.region(tail) {
            return Some(Endpoint::regional("s3", region, Some(partition), "S3, old form"));
        }
    }
    let (service, scope, rule) = resource_hosts::regionless(name)?;
    let partition = suffix.partition_of(if name.ends_with(".us-gov") { "us-gov-west-1" } else { "*" });
    Some(match scope {
        Scope::EveryRegion => Endpoint::everywhere(service, partition, rule),
        Scope::Region(region) => {
            // Old hosts of the partition `aws` alone.
            partition.filter(|p| *p == "aws")?;
            Endpoint::regional(service, Cow::Borrowed(region), partition, rule)
        }
        Scope::Unsaid => {
            Endpoint { service: Cow::Borrowed(service), region: None, region_set: None, partition, rule }
        }
    })
}

/// Labels without their marks for FIPS, dual-stack and VPC endpoints, joined by dots.
#[derive(Clone, Default)]
struct Name(Buffer);

impl Name {
    fn push_all(&mut self, labels: &str, vpce: bool) {
        labels.split('.').filter(|label| !(vpce && label.starts_with("vpce-"))).for_each(|l| self.push(l));
    }

    fn push(&mut self, label: &str) {
        if matches!(label, "fips" | "dualstack") {
            return;
        }
        let label = label.strip_suffix("-fips").unwrap_or(label);
        let label = label.strip_prefix("fips-").unwrap_or(label);
        if label.is_empty() {
            return;
        }
        if !self.0.is_empty() {
            self.0.push(b'.');
        }
        self.0.extend_from_slice(label.as_bytes());
    }

    /// The scope of the host with this name around a region's label.
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
        if let Ok(at) = generated::SERVICES.binary_search_by(|(key, _)| (*key).cmp(name)) {
            let rule = if vpce { "VPC endpoint" } else { "service endpoint" };
            return generated::SERVICES
                .get(at)
                .map(|(_, s)| Endpoint::regional(*s, region, Some(partition), rule));
        }
        if let Some(service) = resource_hosts::resource(name) {
            let rule = if vpce { "VPC endpoint" } else { "resource endpoint" };
            return Some(Endpoint::regional(service, region, Some(partition), rule));
        }
        if name.contains('@') {
            return None;
        }
        if cut(name).1.starts_with("s3express-") {
            return Some(Endpoint::regional("s3express", region, Some(partition), "S3 Express zone"));
        }
        // AWS's own rule for a service: its name, its region. What is newer than the table mostly follows it.
        let plain = !name.is_empty() && !name.contains(['.', '_']);
        plain.then(|| Endpoint::regional(name.to_owned(), region, Some(partition), "first label"))
    }

    fn with(&self, label: &str) -> Self {
        let mut longer = self.clone();
        longer.0.push(b'.');
        longer.0.extend_from_slice(label.as_bytes());
        longer
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// A host name in lower case without its trailing dot; `None` for what no DNS name of AWS can be.
fn lower_case<'b>(host: &str, buffer: &'b mut Buffer) -> Option<&'b str> {
    let host = host.strip_suffix('.').unwrap_or(host);
    if !is_name(host) {
        return None;
    }
    buffer.extend(host.bytes().map(|b| b.to_ascii_lowercase()));
    str::from_utf8(buffer).ok()
}

/// Whether this is a DNS name in ASCII: labels of letters, digits, `-` and `_`, none empty, no trailing dot.
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
