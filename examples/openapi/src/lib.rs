//! A client for the API that `openapi.yaml` describes, as openapi-generator 7.26.0 wrote it:
//! `openapi-generator-cli generate -g rust -i openapi.yaml --additional-properties=supportMiddleware=true`.
//!
//! `apis` and `models` are unchanged but for rustfmt. What signs their requests is in `main.rs`.
#![allow(
    clippy::all,
    clippy::must_use_candidate,
    missing_docs,
    unnameable_types,
    unused_imports,
    reason = "generated"
)]

pub mod apis;
pub mod models;
