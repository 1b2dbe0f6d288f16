//! [`Diagnose`]: why a response refuses a request.

use std::future::Future;

use http::Response;
use http_body::Body;

use super::response_body::ResponseBody;
use crate::diagnosis::{Diagnosis, RefusedResponse, SentRequest, diagnose, may_refuse};
#[cfg(feature = "reqwest")]
use crate::error::Error;
use crate::signing::details::SigningDetails;

/// Finds out why a response refuses a request, and returns the response with its whole body.
///
/// Implemented for `http::Response` and, with feature `reqwest`, for `reqwest::Response`. At most 64 KiB of a body are read,
/// for at most two seconds, and only of a response whose status refuses. It is compared with what was signed if its
/// extensions have the [`SigningDetails`](crate::SigningDetails), by
/// [`record_signing_details(true)`](crate::SignerBuilder::record_signing_details); without them, a signature that does not
/// match cannot be compared, and the diagnosis says so.
///
/// ```no_run
/// use sigv4_middleware::{Diagnose, SigV4Middleware, Signer};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let signer = Signer::builder().credentials_from_env().record_signing_details(true).build()?;
/// let client = reqwest_middleware::ClientBuilder::new(sigv4_middleware::reqwest_client().build()?)
///     .with(SigV4Middleware::new(signer))
///     .build();
/// let response = client.get("https://abc123.execute-api.eu-west-1.amazonaws.com/prod/orders").send().await?;
/// let (response, diagnosis) = response.diagnose().await;
/// if let Some(diagnosis) = diagnosis {
///     eprintln!("{diagnosis}");
/// }
/// println!("{}", response.text().await?);
/// # Ok(()) }
/// ```
///
/// [`diagnosis`](crate::diagnosis) names the AWS documents that it follows.
pub trait Diagnose: sealed::Sealed + Sized {
    /// The response with its whole body.
    type Whole;

    /// Returns the response, and why it refuses the request; `None` if it does not refuse it.
    fn diagnose(self) -> impl Future<Output = (Self::Whole, Option<Diagnosis>)> + Send;
}

mod sealed {
    #[expect(unnameable_types, reason = "which is what seals `Diagnose`")]
    pub trait Sealed {}
    impl<B> Sealed for http::Response<B> {}
    #[cfg(feature = "reqwest")]
    impl Sealed for reqwest::Response {}
}

impl<B> Diagnose for Response<B>
where
    B: Body<Data: Send, Error: Send> + Send,
{
    type Whole = Response<ResponseBody<B>>;

    async fn diagnose(self) -> (Self::Whole, Option<Diagnosis>) {
        explain(self).await
    }
}

#[cfg(feature = "reqwest")]
impl Diagnose for reqwest::Response {
    type Whole = Self;

    async fn diagnose(self) -> (Self, Option<Diagnosis>) {
        if !may_refuse(self.status()) {
            return (self, None);
        }
        let url = self.url().clone();
        let (response, diagnosis) = explain(self.into()).await;
        (super::response_body::with_url(response.map(reqwest::Body::wrap), url), diagnosis)
    }
}

pub(super) async fn explain<B: Body>(
    response: Response<B>,
) -> (Response<ResponseBody<B>>, Option<Diagnosis>) {
    let (head, body) = response.into_parts();
    if !may_refuse(head.status) {
        return (Response::from_parts(head, ResponseBody::unread(body)), None);
    }
    let (text, body) = ResponseBody::read(body, RefusedResponse::LONGEST_BODY).await;
    let sent = head.extensions.get::<SigningDetails>().map_or_else(SentRequest::unknown, SentRequest::from);
    let diagnosis = diagnose(&RefusedResponse::new(head.status, &head.headers, &text), &sent);
    (Response::from_parts(head, body), diagnosis)
}

#[cfg(feature = "reqwest")]
impl Error {
    /// Why the server refused the request; `Some` only for [`ErrorKind::Refused`](crate::ErrorKind::Refused), see
    /// [`refusals_as_errors`](crate::SigV4Middleware::refusals_as_errors).
    #[must_use]
    pub fn diagnosis(&self) -> Option<&Diagnosis> {
        std::error::Error::source(self)?.downcast_ref()
    }
}
