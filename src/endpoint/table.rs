//! The types of the generated table.

/// A partition of AWS: `aws`, `aws-cn` and so on.
pub(super) struct Partition {
    pub(super) id: &'static str,
    pub(super) prefixes: &'static [&'static str],
    pub(super) regions: &'static [&'static str],
    pub(super) pseudo: &'static [&'static str],
}

/// What runs under a domain of AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DomainKind {
    /// `amazonaws.com` and its counterparts: services, their resources, and under some names customers' machines.
    Standard,
    /// `api.aws` and its counterparts: dual-stack endpoints of services and their resources.
    DualStack,
    /// `on.aws` and its counterparts: resources only, many of them customers' machines.
    Resources,
}

/// A domain that AWS's hosts end in.
pub(super) struct Suffix {
    pub(super) domain: &'static str,
    pub(super) kind: DomainKind,
    pub(super) partitions: &'static [usize],
    pub(super) fixed: &'static [(&'static str, &'static str, &'static str)],
}
