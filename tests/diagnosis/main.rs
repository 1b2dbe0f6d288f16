//! Requests that are wrong in one way each, sent to servers that refuse them, and what the diagnosis says.

#![allow(clippy::unwrap_used, reason = "a test")]

mod between;
mod causes;
mod client;
mod hostile;
mod on_the_way;
mod outside;
mod secrets;
#[allow(dead_code, unused_imports, reason = "shared with the other tests, which use all of it")]
#[path = "../it/support/mod.rs"]
mod support;
mod table;
