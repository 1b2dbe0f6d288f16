//! The signer that the options describe.

use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region};
use sigv4_middleware::{BuildErrorKind, Signer};

use super::advice::with_options;
use super::args::Args;

/// A signer with the default credentials chain, or a role that these credentials may assume, for the upstreams only.
///
/// # Errors
/// What to do about options that requests cannot be signed with.
pub(super) async fn signer(args: &Args) -> Result<Signer, String> {
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(profile) = &args.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &args.region {
        loader = loader.region(Region::new(region.clone()));
    }
    let config = loader.load().await;
    // A service or region on the command line takes precedence over what the host implies.
    let mut builder = Signer::builder().sdk_config(&config).scope_overrides_host(true);
    if let Some(role) = &args.role_arn {
        let name = args.role_session_name.clone().unwrap_or_else(|| "signing-proxy".to_owned());
        let mut provider = AssumeRoleProvider::builder(role).session_name(name);
        if let Some(id) = &args.external_id {
            provider = provider.external_id(id);
        }
        builder = builder.credentials(provider.configure(&config).build().await);
    }
    if let Some(service) = &args.service {
        builder = builder.service(service.clone());
    }
    if let Some(region) = &args.region {
        builder = builder.region(region.clone());
    }
    for upstream in &args.upstreams {
        let is_https = upstream.url.starts_with("https://");
        if is_https || args.allow_http || is_loopback(&upstream.url) {
            let host = upstream.sign_host.as_ref().or(args.sign_host.as_ref());
            let scheme = if is_https { "https" } else { "http" };
            builder = builder
                .allow_origin(host.map_or_else(|| upstream.url.clone(), |host| format!("{scheme}://{host}")));
        }
    }
    for pattern in &args.upstream_hosts {
        builder = builder.allow_host(pattern);
    }
    builder = builder.body_limit(args.body_limit).body_timeout(Duration::from_secs(args.body_timeout));
    builder.build().map_err(|error| {
        with_options(&error.to_string()).unwrap_or_else(|| match error.kind() {
            BuildErrorKind::InvalidOrigin => "an upstream is not a host that can be signed for".to_owned(),
            _ => "requests cannot be signed with these options".to_owned(),
        })
    })
}

/// Whether a URL leads to this machine over plain http.
fn is_loopback(url: &str) -> bool {
    let host = url.parse::<http::Uri>().ok().and_then(|uri| Some(uri.host()?.to_owned()));
    host.is_some_and(|host| crate::connect::is_this_machine(&host))
}
