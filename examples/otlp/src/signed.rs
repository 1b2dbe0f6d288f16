//! The one line, for exporters that take a client of their own trait.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use sigv4_middleware::Signer;

/// A client of an exporter, whose requests are signed.
///
/// Exporters call it from a thread of their own, without a tokio runtime: hence a blocking client within. Signing needs no
/// runtime where the credentials are in the environment.
#[derive(Debug)]
pub(crate) struct Signed<C> {
    pub(crate) client: C,
    pub(crate) signer: Signer,
}

#[async_trait]
impl<C: HttpClient> HttpClient for Signed<C> {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (mut head, body) = request.into_parts();
        let endpoint = head.uri.to_string();
        self.signer.sign(&mut head, &body).await?;
        let response = self.client.send_bytes(Request::from_parts(head, body)).await?;
        // The exporter's own error has no body, which says why.
        if !response.status().is_success() {
            let why = String::from_utf8_lossy(response.body());
            eprintln!("{endpoint} responded {}: {}", response.status(), why.trim());
        }
        Ok(response)
    }
}
