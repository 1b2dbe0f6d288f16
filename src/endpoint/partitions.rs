//! AWS's domains, partitions and regions: whole labels only, never a piece of a string.

use std::borrow::Cow;

use super::generated::{ELSEWHERE, PARTITIONS, SUFFIXES};

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

impl Suffix {
    /// The service and scope of a host that does not name the region to sign for.
    pub(super) fn fixed(&self, name: &str) -> Option<(&'static str, &'static str)> {
        let at = self.fixed.binary_search_by(|(key, ..)| (*key).cmp(name)).ok()?;
        self.fixed.get(at).map(|&(_, service, region)| (service, region))
    }

    /// The region a label is, and its partition, if the label is a region of this domain.
    pub(super) fn region(&self, label: &str) -> Option<(Cow<'static, str>, &'static str)> {
        partitions(self.partitions).find_map(|p| p.region(label).map(|region| (region, p.id)))
    }

    /// The partition that a region belongs to; for a region set the first that lives here.
    pub(super) fn partition_of(&self, region: &str) -> Option<&'static str> {
        let own = partitions(self.partitions).find(|p| p.region(region).is_some());
        own.or_else(|| partitions(self.partitions).next()).map(|p| p.id)
    }
}

impl Partition {
    fn region(&self, label: &str) -> Option<Cow<'static, str>> {
        let known = self.regions.iter().chain(self.pseudo).find(|known| **known == label);
        if let Some(known) = known {
            return Some(Cow::Borrowed(known));
        }
        // `us-gov-west-1` is no region of the prefix `us`: exactly a word and a number follow.
        let (front, number) = label.rsplit_once('-')?;
        let (prefix, word) = front.rsplit_once('-')?;
        let new = self.prefixes.contains(&prefix)
            && !word.is_empty()
            && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            && !number.is_empty()
            && number.bytes().all(|b| b.is_ascii_digit());
        new.then(|| Cow::Owned(label.to_owned()))
    }
}

fn partitions(indices: &[usize]) -> impl Iterator<Item = &'static Partition> {
    indices.iter().filter_map(|at| PARTITIONS.get(*at))
}

/// What stands in front of `domain` in `host`, letters of either case, if anything does.
pub(super) fn under<'h>(host: &'h str, domain: &str) -> Option<&'h str> {
    let cut = host.len().checked_sub(domain.len())?;
    let (front, back) = (host.get(..cut)?, host.get(cut..)?);
    back.eq_ignore_ascii_case(domain).then(|| front.strip_suffix('.')).flatten().filter(|f| !f.is_empty())
}

/// The domain of AWS that a host lies in, and the labels in front of it.
pub(super) fn suffix(host: &str) -> Option<(&'static Suffix, &str)> {
    SUFFIXES.iter().find_map(|suffix| under(host, suffix.domain).map(|front| (suffix, front)))
}

/// A host of AWS outside its partitions' domains: service, region and partition.
pub(super) fn elsewhere(host: &str) -> Option<(&'static str, Cow<'static, str>, &'static str)> {
    ELSEWHERE.iter().find_map(|&(rest, service, partition, alone)| {
        let partition = PARTITIONS.get(partition)?;
        let (first, tail) = host.split_once('.')?;
        if tail == rest || without_fips(tail).is_some_and(|(a, b)| is(rest, a, b)) {
            return partition.region(first).map(|region| (service, region, partition.id));
        }
        let own = host == rest || without_fips(host).is_some_and(|(a, b)| is(rest, a, b));
        (own && !alone.is_empty()).then_some((service, Cow::Borrowed(alone), partition.id))
    })
}

fn without_fips(host: &str) -> Option<(&str, &str)> {
    let (first, rest) = host.split_once('.')?;
    Some((first.strip_suffix("-fips")?, rest))
}

fn is(host: &str, first: &str, rest: &str) -> bool {
    host.split_once('.') == Some((first, rest))
}

/// Whether a host lies in a domain of AWS and is AWS's to answer for.
///
/// Letters of either case; no trailing dot. Names that AWS gives to customers' own machines (EC2, load
/// balancers), to others' PrivateLink services and to S3 websites are not AWS's: whoever runs the machine reads
/// what is sent there.
pub(super) fn is_aws(host: &str) -> bool {
    match suffix(host) {
        Some((_, front)) => !is_customers(front),
        None => {
            ELSEWHERE.iter().any(|(rest, ..)| host.eq_ignore_ascii_case(rest) || under(host, rest).is_some())
        }
    }
}

/// Whether the labels in front of AWS's domain name a customer's machine.
pub(super) fn is_customers(front: &str) -> bool {
    let mut labels = front.rsplit('.');
    let last = labels.next().unwrap_or_default();
    let second = labels.next().unwrap_or_default();
    let any = |label: &str, names: &[&str]| names.iter().any(|name| label.eq_ignore_ascii_case(name));
    let begins = |label: &str, start: &str| {
        label.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
    };
    any(last, &["compute", "compute-1", "elb", "s3-website"])
        || any(second, &["elb", "s3-website"])
        || begins(last, "s3-website-")
        || (any(last, &["vpce"]) && front.split('.').any(|label| begins(label, "vpce-svc-")))
}
