//! Where a signature goes: redirects, regions, scopes, overrides, allowed origins, by every integration.

mod default_hosts;
mod followers;
mod overrides;
mod policies;
mod profiles;
mod proxies;
mod redirects;
mod regions;
mod scopes;
