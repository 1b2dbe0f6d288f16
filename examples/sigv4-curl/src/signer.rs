//! The signer with the settings of the command line.

use sigv4_middleware::{BuildError, RedirectPolicy, Signer, SignerBuilder};

use crate::args::{PayloadArg, SigningArgs, TransferArgs};
use crate::credentials::Identity;

pub(crate) fn build(args: &SigningArgs, identity: &Identity) -> Result<Signer, BuildError> {
    builder(args, identity).build()
}

pub(crate) fn builder(args: &SigningArgs, identity: &Identity) -> SignerBuilder {
    // A service or region on the command line takes precedence over what the host implies.
    let mut builder = Signer::builder()
        .sdk_config(&identity.config)
        .credentials(identity.provider.clone())
        .scope_overrides_host(true)
        .allow_host_mismatch(args.allow_host_mismatch)
        .allow_unsigned_over_http(args.allow_unsigned_over_http)
        .replace_authorization(args.replace_authorization)
        // The program has it in memory already, or streams it.
        .body_limit(u64::MAX)
        .record_signing_details(true);
    if let Some(service) = &args.service {
        builder = builder.service(service.clone());
    }
    if let Some(region) = &args.region {
        builder = builder.region(region.clone());
    }
    if let Some(regions) = &args.region_set {
        builder = builder.region_set(regions.clone());
    }
    for host in &args.allowed_hosts {
        builder = builder.allow_host(host);
    }
    for origin in &args.allowed_origins {
        builder = builder.allow_origin(origin);
    }
    if args.payload == PayloadArg::Unsigned {
        builder = builder.payload_mode(sigv4_middleware::PayloadMode::Unsigned);
    }
    builder
}

/// Which redirects are followed: with `-L`, those that a server may ask for without choosing whom the signature is for.
pub(crate) fn redirects(args: &TransferArgs, is_s3: bool) -> Result<RedirectPolicy, BuildError> {
    if !args.location {
        return Ok(RedirectPolicy::none());
    }
    // Behind the hosts of API Gateway and others is code of AWS's customers, who could choose another one's API.
    let policy = if is_s3 { RedirectPolicy::same_service() } else { RedirectPolicy::same_origin() };
    let policy = policy.limit(args.max_redirs);
    args.allowed_redirects.iter().try_fold(policy, |policy, origin| policy.allow_origin(origin))
}
