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
        let endpoint = format!("{}{}", head.uri.host().unwrap_or_default(), head.uri.path());
        self.signer.sign(&mut head, &body).await?;
        let response = self.client.send_bytes(Request::from_parts(head, body)).await?;
        // The exporter's own error has no body, which says why.
        if !response.status().is_success() {
            eprintln!("{endpoint} responded {}: {}", response.status(), shown(response.body()));
        }
        Ok(response)
    }
}

/// The beginning of a server's text, without what moves a terminal's cursor.
fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.trim()
        .chars()
        .take(1_000)
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_servers_text_is_short_and_moves_no_cursor() {
        assert_eq!(super::shown(b" {\"message\":\"no\"}\x1b[2J\n"), "{\"message\":\"no\"} [2J");
        assert_eq!(super::shown(&[b'a'; 5_000]).len(), 1_000);
    }
}
