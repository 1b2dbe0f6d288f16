//! Makes any tower, hyper, axum, tonic or reqwest client IAM-capable: one line signs its requests with AWS Signature
//! Version 4.
//!
//! ```no_run
//! use reqwest_middleware::ClientBuilder;
//! use sigv4_middleware::{SigV4Middleware, Signer};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = ClientBuilder::new(sigv4_middleware::reqwest_client().build()?)
//!     .with(SigV4Middleware::new(Signer::from_env()?))
//!     .build();
//! let orders = client.get("https://abc123.execute-api.eu-west-1.amazonaws.com/prod/orders").send().await?;
//! # Ok(()) }
//! ```
//!
//! A [`Signer`] holds credentials, scope and clock; clones share them. A request that cannot be signed is not sent. Every
//! [`Error`] says what to do next, and [`Error::find`] finds it in the client's error. The [`guide`] has a page for each
//! task.
//!
//! # By task
//!
//! | you want to | use | guide |
//! |---|---|---|
//! | sign with reqwest, through reqwest-middleware | [`SigV4Middleware`], [`reqwest_client`] | [`guide::getting_started`] |
//! | sign with a tower service: hyper, axum, tonic, kube, alloy | [`SigV4Layer`], [`SigV4`] | [`guide::clients`] |
//! | sign with `reqwest::blocking` | [`SendSigned`], [`reqwest_blocking_client`] | [`guide::clients`] |
//! | sign for any other client | [`Signer::sign`], [`Signer::sign_reqwest`], [`Signer::signed_headers`] | [`guide::clients`] |
//! | configure a signer | [`Signer::builder`], [`SignerBuilder`] | [`guide::services`] |
//! | call API Gateway, private APIs, custom domains | [`SignerBuilder::allow_host`] | [`guide::api_gateway`] |
//! | know what is inferred from a host | [`Endpoint`], [`SigningSettings`] | [`guide::services`] |
//! | take credentials from the environment, a profile, a role, a store of yours | [`Signer::from_env`], [`SignerBuilder::credentials`], [`CachedCredentials`] | [`guide::credentials`] |
//! | develop without AWS | [`Signer::disabled`] | [`guide::credentials`] |
//! | send large bodies and streams | [`PayloadMode`], [`AwsChunked`], [`Payload`] | [`guide::bodies`] |
//! | presign URLs, forms, tokens | [`Signer::presign`], [`Signer::presign_request`], [`Signer::presign_post`] | [`guide::presigned`] |
//! | change one request | [`overrides`] | [`guide::services`] |
//! | follow redirects | [`RedirectPolicy`] | [`guide::redirects`] |
//! | survive wrong clocks and expired tokens | [`SignerBuilder::retry_on_auth_error`] | [`guide::clocks`] |
//! | know why AWS refused a request | [`diagnosis`], [`Diagnose`], [`Signer::sign_with_details`] | [`guide::refused`] |
//! | find what changes signed requests | [`SigV4Guard`] | [`guide::refused`] |
//! | count and measure | [`metrics`] | [`guide::metrics_and_logs`] |
//! | test your code | [`IamGateway`] | [`guide::testing`] |
//!
//! Also in the guide: [`guide::migrating`] from another signer, [`guide::limits`], [`guide::platforms`].
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `tower` | yes | [`SigV4Layer`] |
//! | `reqwest` | yes | [`SigV4Middleware`], for reqwest 0.13 and reqwest-middleware 0.5 |
//! | `blocking` | | [`SendSigned`], for `reqwest::blocking` |
//! | `aws-config` | | [`Signer::from_default_chain`], [`SignerBuilder::sdk_config`] |
//! | `diagnosis` | with `reqwest` | [`diagnosis`], [`Diagnose`] |
//! | `metrics` | | [`metrics`] |
//! | `sigv4a` | | SigV4a: [`SignerBuilder::region_set`] |
//! | `checksums` | | CRC-32, CRC-32C, CRC-64/NVME and SHA-1 as [`ChecksumAlgorithm`] |
//! | `event-stream` | | `PayloadMode::EventStream` |
//! | `emulator` | | [`IamGateway`] |
//!
//! By AWS's ["Create a signed AWS API request"][doc] and, for credentials and clocks, the AWS SDKs' common rules of 2026.
//!
//! [doc]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
//!
// Where a build leaves items out, links lead to those of docs.rs.
#![cfg_attr(
    not(all(
        feature = "tower",
        feature = "blocking",
        feature = "aws-config",
        feature = "sigv4a",
        feature = "checksums",
        feature = "event-stream",
        feature = "diagnosis",
        feature = "metrics",
        feature = "emulator",
    )),
    doc = include_str!("links.md")
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
// Documentation only, with links to items of every feature.
#[cfg(all(
    doc,
    feature = "tower",
    feature = "blocking",
    feature = "aws-config",
    feature = "sigv4a",
    feature = "checksums",
    feature = "event-stream",
    feature = "diagnosis",
    feature = "metrics",
    feature = "emulator"
))]
pub mod guide;
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
pub use client::guard::SigV4Guard;
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
pub use signing::presign_post::{PostPolicy, PresignedPost};
#[cfg(any(feature = "tower", feature = "reqwest"))]
pub use signing::signed_request::RequestChange;
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
    shared::<PostPolicy>();
    shared::<PresignedPost>();
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
