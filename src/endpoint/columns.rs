//! What the table of AWS's domains is made of.

/// A partition of AWS: `aws`, `aws-cn` and so on.
pub(super) struct Partition {
    pub(super) id: &'static str,
    pub(super) prefixes: &'static [&'static str],
    pub(super) regions: &'static [&'static str],
    pub(super) pseudo: &'static [&'static str],
}

/// A domain that AWS's hosts end in.
pub(super) struct Suffix {
    pub(super) domain: &'static str,
    pub(super) partitions: &'static [usize],
    pub(super) fixed: &'static [(&'static str, &'static str, &'static str)],
}
