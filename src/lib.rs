//! Makes any tower, hyper, axum, tonic or reqwest client IAM-capable: one line signs its requests with AWS Signature
//! Version 4.
//!
//! A [`Signer`] holds credentials, scope and clock. Two integrations sign with it, without a change at the call sites:
//!
//! - [`SigV4Middleware`], for reqwest through reqwest-middleware: `.with(SigV4Middleware::new(signer))`
//! - [`SigV4Layer`], for tower, hyper, axum, tonic, kube and reqwest clients: `.layer(SigV4Layer::new(signer))`
//!
//! | your client | what to use |
//! |---|---|
//! | reqwest 0.13 through reqwest-middleware | [`SigV4Middleware`] |
//! | a tower service of `http::Request` or `reqwest::Request` | [`SigV4Layer`] |
//! | `reqwest::blocking` | [`SendSigned`] |
//! | a hook that is given a `reqwest::Request` | [`Signer::sign_reqwest`] |
//! | any other that sends an `http::Request` | [`Signer::sign`] |
//! | any other that takes extra headers, such as reqwest 0.12 | [`Signer::signed_headers`] |
//! | someone else, who gets a URL | [`Signer::presign`] |
//! | none yet: development without AWS | [`Signer::disabled`] |
//!
//! ```no_run
//! use reqwest_middleware::ClientBuilder;
//! use sigv4_middleware::{SigV4Middleware, Signer};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let signer = Signer::from_env()?;
//! let client = ClientBuilder::new(sigv4_middleware::reqwest_client().build()?)
//!     .with(SigV4Middleware::new(signer))
//!     .build();
//! let orders = client.get("https://abc123.execute-api.eu-west-1.amazonaws.com/prod/orders").send().await?;
//! # Ok(()) }
//! ```
//!
//! A request that cannot be signed is not sent. Every [`Error`] says what to do next, and [`Error::find`] finds it in the
//! client's error. [`overrides`] are settings for one request.
//!
//! By AWS's ["Create a signed AWS API request"][doc] and, for credentials and clocks, the AWS SDKs' common rules of 2026.
//!
//! [doc]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
//!
#![cfg_attr(
    not(feature = "tower"),
    doc = "[`SigV4Layer`]: https://docs.rs/sigv4-middleware/latest/sigv4_middleware/struct.SigV4Layer.html"
)]
#![cfg_attr(
    not(feature = "reqwest"),
    doc = "[`SigV4Middleware`]: https://docs.rs/sigv4-middleware/latest/sigv4_middleware/struct.SigV4Middleware.html"
)]
#![cfg_attr(
    not(feature = "reqwest"),
    doc = "[`Signer::sign_reqwest`]: https://docs.rs/sigv4-middleware/latest/sigv4_middleware/struct.Signer.html#method.sign_reqwest"
)]
#![cfg_attr(
    not(feature = "blocking"),
    doc = "[`SendSigned`]: https://docs.rs/sigv4-middleware/latest/sigv4_middleware/trait.SendSigned.html"
)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(any(feature = "tower", feature = "reqwest")),
    allow(dead_code, unused_imports, reason = "used by the integrations only")
)]

#[cfg(any(feature = "blocking", test))]
mod block_on;
mod body;
mod cache;
#[cfg(any(feature = "tower", feature = "reqwest"))]
mod client;
mod clock;
mod credentials;
#[cfg(feature = "diagnosis")]
pub mod diagnosis;
#[cfg(feature = "emulator")]
mod emulator;
mod endpoint;
mod env;
mod error;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(not(feature = "metrics"))]
mod metrics;
mod redact;
#[cfg(feature = "blocking")]
mod runtime;
mod signing;
mod timer;

pub use aws_credential_types::Credentials;
/// What a provider of credentials of your own needs: the trait's future, error and result types.
pub use aws_credential_types::provider;
pub use aws_credential_types::provider::ProvideCredentials;
pub use aws_smithy_async::time::TimeSource;
pub use body::SignedBody;
#[cfg(feature = "blocking")]
pub use client::blocking::{DiagnoseBlocking, SendError, SendSigned, reqwest_blocking_client};
#[cfg(all(feature = "diagnosis", any(feature = "tower", feature = "reqwest")))]
pub use client::diagnose::Diagnose;
#[cfg(feature = "tower")]
pub use client::guard::Guarded;
#[cfg(any(feature = "tower", feature = "reqwest"))]
pub use client::guard::{RequestChange, SigV4Guard};
#[cfg(feature = "reqwest")]
pub use client::redirect::RedirectPolicy;
#[cfg(feature = "reqwest")]
pub use client::reqwest::{SigV4Middleware, reqwest_client};
#[cfg(all(feature = "diagnosis", any(feature = "tower", feature = "reqwest")))]
pub use client::response_body::ResponseBody;
#[cfg(feature = "tower")]
pub use client::tower::{MakeBody, ResponseFuture, SameBody, ServiceError, SigV4, SigV4Layer};
pub use credentials::{CachedCredentials, CachedCredentialsBuilder, EnvironmentCredentials};
#[cfg(feature = "emulator")]
pub use emulator::{IamGateway, IamGatewayBuilder, PolicyDenial, ReceivedRequest, RefusalStyle};
pub use endpoint::Endpoint;
pub use error::{BoxError, BuildError, BuildErrorKind, Error, ErrorKind};
pub use signing::aws_chunked::{AwsChunked, ChecksumAlgorithm};
pub use signing::builder::SignerBuilder;
pub use signing::details::SigningDetails;
pub use signing::overrides;
pub use signing::payload::{Payload, PayloadMode};
pub use signing::presign::{Presigned, PresigningConfig};
pub use signing::signer::Signer;
pub use signing::signing_settings::SigningSettings;
pub use signing::target::PlusInQuery;

/// What is promised of the public types; a type that breaks it does not compile.
const _: () = {
    const fn shared<T: Send + Sync + Unpin + 'static>() {}
    const fn sent<T: Send + Unpin + 'static>() {}

    shared::<Signer>();
    shared::<SignerBuilder>();
    shared::<SigningSettings>();
    shared::<SigningDetails>();
    shared::<Payload<'static>>();
    shared::<PayloadMode>();
    shared::<AwsChunked>();
    shared::<Presigned>();
    shared::<PresigningConfig<'static>>();
    shared::<Endpoint>();
    shared::<Error>();
    shared::<BuildError>();
    shared::<CachedCredentials>();
    shared::<CachedCredentialsBuilder>();
    shared::<EnvironmentCredentials>();
    shared::<overrides::SigningName>();
    shared::<overrides::SignHeaders>();
    shared::<SignedBody<bytes::Bytes>>();
    #[cfg(feature = "diagnosis")]
    {
        shared::<diagnosis::Diagnosis>();
        shared::<diagnosis::Cause>();
        shared::<diagnosis::SentRequest>();
        shared::<diagnosis::RefusedResponse<'static>>();
    }
    #[cfg(feature = "tower")]
    {
        shared::<SigV4Layer>();
        shared::<SigV4<()>>();
        shared::<SigV4Guard>();
        shared::<Guarded<()>>();
        shared::<ServiceError>();
        sent::<ResponseFuture<()>>();
    }
    #[cfg(any(feature = "tower", feature = "reqwest"))]
    shared::<RequestChange>();
    #[cfg(feature = "reqwest")]
    {
        shared::<RedirectPolicy>();
        shared::<SigV4Middleware>();
    }
    #[cfg(feature = "blocking")]
    shared::<SendError>();
    #[cfg(feature = "emulator")]
    {
        shared::<IamGateway>();
        shared::<IamGatewayBuilder>();
        shared::<ReceivedRequest>();
    }
    let _ = sent::<()>;
};

/// The code in the README compiles and runs.
#[cfg(all(doctest, feature = "tower", feature = "reqwest", feature = "emulator"))]
#[doc = include_str!("../README.md")]
struct Readme;
