//! AWS's domains, partitions and regions. Hosts are compared by whole labels, never by parts of a string.

use std::borrow::Cow;

use super::generated::{OTHER_HOSTS, PARTITIONS, SUFFIXES};
use super::table::{Partition, Suffix};

impl Suffix {
    /// Service and region of a host whose name does not contain the region to sign for.
    pub(super) fn fixed(&self, name: &str) -> Option<(&'static str, &'static str)> {
        self.fixed.find(name)?.1.split_once(' ')
    }

    /// The region that `label` names and its partition, if the label is a region of this domain.
    pub(super) fn region(&self, label: &str) -> Option<(Cow<'static, str>, &'static str)> {
        partitions(self.partitions).find_map(|p| p.region(label).map(|region| (region, p.id)))
    }

    /// The partition of a region; for a region set, the first partition of this domain.
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
        // A prefix, one word and a number: `us-gov-west-1` is not a region with the prefix `us`.
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

/// The labels in front of `domain` in `host`, in any case; `None` unless `host` is below `domain`.
pub(super) fn under<'h>(host: &'h str, domain: &str) -> Option<&'h str> {
    let cut = host.len().checked_sub(domain.len())?;
    let (front, back) = (host.get(..cut)?, host.get(cut..)?);
    back.eq_ignore_ascii_case(domain).then(|| front.strip_suffix('.')).flatten().filter(|f| !f.is_empty())
}

/// The domain of AWS that a host is below, and the labels in front of it.
pub(super) fn suffix(host: &str) -> Option<(&'static Suffix, &str)> {
    SUFFIXES.iter().find_map(|suffix| under(host, suffix.domain).map(|front| (suffix, front)))
}

/// Service, region and partition of an AWS host outside its partitions' domains.
pub(super) fn other_host(host: &str) -> Option<(&'static str, Cow<'static, str>, &'static str)> {
    OTHER_HOSTS.iter().find_map(|&(rest, service, partition, alone)| {
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
