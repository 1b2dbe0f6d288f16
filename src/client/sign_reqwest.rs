//! [`Signer::sign_reqwest`]: a `reqwest::Request` signed in place.

use reqwest::{Body, Request};

use super::exchange::Head;
#[cfg(doc)]
use super::reqwest::{SigV4Middleware, reqwest_client};
use crate::body::set_length;
use crate::error::{Error, ErrorKind};
use crate::metrics;
use crate::signing::payload::{Payload, PayloadMode};
use crate::signing::signer::Signer;

impl Signer {
    /// Signs a `reqwest::Request` in place, to be sent by any `reqwest::Client`.
    ///
    /// For hooks that get a request, such as progenitor's, and for a plain `reqwest::Client`. The body has to be empty or in
    /// memory, unless the signer's [payload mode](crate::SignerBuilder::payload_mode) is
    /// [`Unsigned`](PayloadMode::Unsigned) or [`Sha256`](PayloadMode::Sha256). The client must follow no redirects, see
    /// [`reqwest_client`]. Nothing is sent again after a refusal; use [`SigV4Middleware`] for that.
    ///
    /// ```
    /// use sigv4_middleware::{Credentials, Signer};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// # let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "static");
    /// let signer = Signer::builder().credentials(credentials).build()?;
    /// let client = sigv4_middleware::reqwest_client().build()?;
    /// let url = "https://abc123.execute-api.eu-west-1.amazonaws.com/prod/orders";
    /// let mut request = client.post(url).body(r#"{"order":1}"#).build()?;
    /// signer.sign_reqwest(&mut request).await?;
    /// assert!(request.headers().contains_key("authorization"));
    /// # Ok(()) }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`sign`](Self::sign), and [`ErrorKind::UnsupportedPayload`] for a body that is a stream. The request is then
    /// unchanged.
    ///
    /// # AWS documentation
    /// IAM User Guide: ["Create a signed AWS API request"][create].
    ///
    /// [create]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    pub async fn sign_reqwest(&self, request: &mut Request) -> Result<(), Error> {
        if self.passes_through(None, || request.view(None)) {
            return Ok(());
        }
        self.sign_reqwest_attempt(request).await.inspect_err(metrics::sign_error)
    }

    async fn sign_reqwest_attempt(&self, request: &mut Request) -> Result<(), Error> {
        let keys = self.keys_for(&request.view(None)).await?;
        let mode = self.check(request.view(None))?;
        let in_memory = request.body().map_or(Some(&[][..]), Body::as_bytes);
        let payload = match (&mode.payload, in_memory) {
            (PayloadMode::Sha256(sha256), _) => Payload::sha256(*sha256),
            (PayloadMode::Unsigned, _) => Payload::unsigned(),
            (PayloadMode::Buffered, Some(bytes)) => Payload::from(bytes),
            _ => {
                return Err(Error::new(
                    ErrorKind::UnsupportedPayload,
                    "the body of the request is a stream, which sign_reqwest cannot read; give it as bytes, or send the \
                     request through SigV4Middleware, which reads or streams it",
                ));
            }
        };
        let mut signature = self.signature(keys, &request.view(None), payload, |_| ())?;
        let empty = in_memory.is_some_and(<[u8]>::is_empty);
        if let Some(target) = signature.rewritten.take() {
            request.set_target(target)?;
        }
        if empty {
            let method = request.method().clone();
            set_length(0, &method, request.headers_mut());
        }
        signature.apply(request.headers_mut());
        Ok(())
    }
}
