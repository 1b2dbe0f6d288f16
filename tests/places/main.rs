//! Where a signature goes: redirects, regions, scopes, overrides, allowed origins, on both edges.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod default_hosts;
mod followers;
mod overrides;
mod profiles;
mod recorder;
mod redirects;
mod regions;
mod scopes;
#[path = "../edges/support.rs"]
#[allow(dead_code, reason = "the edges' tests use more of it")]
mod support;
