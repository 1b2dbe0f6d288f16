//! Whose a host is, by lists that the crate's own code has no part in.

use std::net::{Ipv4Addr, Ipv6Addr};

/// AWS's domains, from its documents and botocore's partitions.
const DOMAINS: [&str; 26] = [
    "amazonaws.com",
    "api.aws",
    "on.aws",
    "amazonaws.com.cn",
    "api.amazonwebservices.com.cn",
    "on.amazonwebservices.com.cn",
    "amazonaws.eu",
    "api.amazonwebservices.eu",
    "on.amazonwebservices.eu",
    "c2s.ic.gov",
    "api.aws.ic.gov",
    "sc2s.sgov.gov",
    "api.aws.scloud",
    "cloud.adc-e.uk",
    "api.cloud-aws.adc-e.uk",
    "csp.hci.ic.gov",
    "api.aws.hci.ic.gov",
    "signin.amazonaws-eusc.eu",
    "signin.amazonaws-us-gov.com",
    "signin.amazonaws.cn",
    "signin.aws.amazon.com",
    "signin.c2shome.ic.gov",
    "signin.csphome.adc-e.uk",
    "signin.csphome.hci.ic.gov",
    "signin.sc2shome.sgov.gov",
    "r2.cloudflarestorage.com",
];

/// Whether a host is one of AWS's domains, or below one.
pub fn is_below_aws(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    DOMAINS
        .iter()
        .any(|domain| host == *domain || host.strip_suffix(domain).is_some_and(|front| front.ends_with('.')))
}

/// Whether a host is `localhost` or a loopback address.
pub fn is_loopback(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    host.eq_ignore_ascii_case("localhost")
        || host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback())
        || inner.and_then(|host| host.parse().ok()).is_some_and(|address: Ipv6Addr| address.is_loopback())
}
