//! The guide: a page for each task, with a table first and code that compiles.
//!
//! | you want to | page |
//! |---|---|
//! | send a first signed request | [getting started](getting_started) |
//! | call API Gateway from a Lambda function: policies, private APIs, custom domains | [API Gateway](api_gateway) |
//! | know host, signing name and payload rule of a service, or of a store that speaks S3 | [services] |
//! | sign with the client that you have | [clients] |
//! | use a profile, SSO, a role, a container, your own store, or no credentials at all | [credentials] |
//! | survive wrong clocks and expired tokens, and combine with retries | [clocks and retries](clocks) |
//! | send large bodies and streams | [bodies] |
//! | make presigned URLs, forms and tokens | [presigned] |
//! | know where signed requests may go, and follow redirects | [redirects and safety](redirects) |
//! | test your code | [testing] |
//! | find out why AWS refuses a request | [a 403, step by step](refused) |
//! | watch it in production | [metrics and logs](metrics_and_logs) |
//! | move from another signer | [migrating] |
//! | know what it does not do | [limits] |
//! | run on Windows, macOS, musl or wasm32 | [platforms] |

#![allow(unused_imports, reason = "the pages link to what is imported")]

use crate::*;

macro_rules! pages {
    ($($name:ident $(with $picture:literal)?;)*) => {$(
        #[doc = include_str!(concat!(stringify!($name), ".md"))]
        // After an empty line, to be no part of a table or paragraph.
        $(#[doc = concat!("\n\n", include_str!(concat!("../../docs/", $picture)))])?
        pub mod $name {}
    )*};
}

pages! {
    getting_started with "request-path.svg";
    api_gateway;
    services;
    credentials with "credentials-windows.svg";
    clocks with "recovery.svg";
    bodies;
    presigned;
    redirects;
    testing;
    refused;
    metrics_and_logs;
    migrating;
    limits with "canonical-request.svg";
    platforms;
}

// Its code is compiled by the package `sigv4-clients`, which has those clients.
#[cfg_attr(not(doctest), doc = include_str!("clients.md"))]
pub mod clients {}
