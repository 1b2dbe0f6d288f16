//! The one line, for rmcp: its transport takes any client that implements its trait, and this one is signed.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use reqwest::Response;
use reqwest_middleware::{ClientWithMiddleware, RequestBuilder};
use rmcp::ErrorData;
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, JsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_client::{
    SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
    StreamableHttpResponseLimits,
};
use sse_stream::{Sse, SseStream};

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const JSON: &str = "application/json";
const EVENT_STREAM: &str = "text/event-stream";
/// How much of a refusal is shown, in characters.
const SHOWN: usize = 200;

/// A client of rmcp's transport, whose requests are signed by a middleware.
#[derive(Clone)]
pub(crate) struct Signed(pub(crate) ClientWithMiddleware);

type Error = StreamableHttpError<reqwest_middleware::Error>;

/// An error without its URL, which may hold what is secret.
fn client_error(error: impl Into<reqwest_middleware::Error>) -> Error {
    StreamableHttpError::Client(error.into().without_url())
}

impl StreamableHttpClient for Signed {
    type Error = reqwest_middleware::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, Error> {
        let limits = StreamableHttpResponseLimits::default();
        self.post_message_with_response_limits(uri, message, session_id, auth_header, custom_headers, limits)
            .await
    }

    async fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
        limits: StreamableHttpResponseLimits,
    ) -> Result<StreamableHttpPostResponse, Error> {
        let has_session = session_id.is_some();
        let request = with_headers(self.0.post(&*uri), session_id, auth_header, custom_headers);
        let response = request
            .header(ACCEPT, format!("{JSON}, {EVENT_STREAM}"))
            .json(&message)
            .send()
            .await
            .map_err(client_error)?;
        let status = response.status();
        match status {
            StatusCode::ACCEPTED | StatusCode::NO_CONTENT => return Ok(StreamableHttpPostResponse::Accepted),
            StatusCode::NOT_FOUND if has_session => return Err(StreamableHttpError::SessionExpired),
            _ => {}
        }
        let session = text(response.headers(), &SESSION_ID);
        if status.is_success() && is(response.headers(), EVENT_STREAM) {
            let events = events(response, limits.max_sse_event_size);
            return Ok(StreamableHttpPostResponse::Sse(events, session));
        }
        let (headers, body) =
            (response.headers().clone(), read(response, limits.max_json_response_size).await?);
        if status.is_success() {
            if body.is_empty() && !matches!(message, JsonRpcMessage::Request(_)) {
                return Ok(StreamableHttpPostResponse::Accepted);
            }
            if !is(&headers, JSON) {
                return Err(StreamableHttpError::UnexpectedContentType(text(&headers, &CONTENT_TYPE)));
            }
            return Ok(StreamableHttpPostResponse::Json(serde_json::from_slice(&body)?, session));
        }
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(refusal(status, &headers, &body));
        }
        match (serde_json::from_slice(&body), message) {
            (Ok(error @ ServerJsonRpcMessage::Error(_)), _) => {
                Ok(StreamableHttpPostResponse::Json(error, session))
            }
            // An older server, which does not know this request: the client goes on with `initialize`.
            (_, JsonRpcMessage::Request(request))
                if status.is_client_error()
                    && matches!(request.request, ClientRequest::DiscoverRequest(_)) =>
            {
                let error = ErrorData::invalid_request(format!("server/discover: {status}"), None);
                let error = ServerJsonRpcMessage::error(error, Some(request.id));
                Ok(StreamableHttpPostResponse::Json(error, None))
            }
            _ => Err(refusal(status, &headers, &body)),
        }
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session_id: Arc<str>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), Error> {
        let request = with_headers(self.0.delete(&*uri), Some(session_id), auth_header, custom_headers);
        let response = request.send().await.map_err(client_error)?;
        match response.status() {
            // It does not end sessions by request.
            StatusCode::METHOD_NOT_ALLOWED => Ok(()),
            status if status.is_success() => Ok(()),
            status => Err(refusal(status, response.headers(), &[])),
        }
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Error> {
        let longest = StreamableHttpResponseLimits::default().max_sse_event_size;
        self.get_stream_with_max_sse_event_size(
            uri,
            session_id,
            last_event_id,
            auth_header,
            custom_headers,
            longest,
        )
        .await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
        max_sse_event_size: usize,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Error> {
        let mut request = with_headers(self.0.get(&*uri), session_id, auth_header, custom_headers);
        if let Some(id) = last_event_id {
            request = request.header(LAST_EVENT_ID, id);
        }
        let response = request.header(ACCEPT, EVENT_STREAM).send().await.map_err(client_error)?;
        match response.status() {
            StatusCode::METHOD_NOT_ALLOWED => Err(StreamableHttpError::ServerDoesNotSupportSse),
            status if !status.is_success() => Err(refusal(status, response.headers(), &[])),
            _ if is(response.headers(), EVENT_STREAM) => Ok(events(response, max_sse_event_size)),
            _ => Err(StreamableHttpError::UnexpectedContentType(text(response.headers(), &CONTENT_TYPE))),
        }
    }
}

/// A request with the headers that the transport wants. A bearer token is refused by the signer: its header is that of the
/// signature.
fn with_headers(
    mut request: RequestBuilder,
    session_id: Option<Arc<str>>,
    auth_header: Option<String>,
    custom_headers: HashMap<HeaderName, HeaderValue>,
) -> RequestBuilder {
    if let Some(id) = session_id {
        request = request.header(SESSION_ID, &*id);
    }
    if let Some(token) = auth_header {
        request = request.bearer_auth(token);
    }
    request.headers(custom_headers.into_iter().collect())
}

/// The events of a stream, which fails at one of more bytes than this.
fn events(response: Response, longest: usize) -> BoxStream<'static, Result<Sse, SseError>> {
    let mut event = EventLength::default();
    let bytes = response.bytes_stream().map(move |chunk| {
        let chunk = chunk.map_err(std::io::Error::other)?;
        if event.longest_after(&chunk) > longest {
            let why = format!("the server sent an event of more than {longest} bytes");
            return Err(std::io::Error::other(why));
        }
        Ok(chunk)
    });
    SseStream::from_bytes_stream(bytes).boxed()
}

/// How long the event is that is being received, in bytes.
#[derive(Debug, Default)]
struct EventLength {
    length: usize,
    line: usize,
    after_return: bool,
}

impl EventLength {
    /// The length of the longest event that these bytes are a part of. An empty line ends one.
    fn longest_after(&mut self, bytes: &[u8]) -> usize {
        let mut longest = 0;
        for byte in bytes {
            let ends_return = *byte == b'\n' && self.after_return;
            self.after_return = *byte == b'\r';
            self.length += 1;
            longest = longest.max(self.length);
            match byte {
                _ if ends_return => {}
                b'\n' | b'\r' if self.line == 0 => self.length = 0,
                b'\n' | b'\r' => self.line = 0,
                _ => self.line += 1,
            }
        }
        longest
    }
}

/// The body, if it is no longer than `max_size` bytes.
async fn read(mut response: Response, max_size: usize) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(client_error)? {
        if chunk.len() > max_size - body.len() {
            return Err(StreamableHttpError::ResponseBodyTooLarge { max_size });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn is(headers: &HeaderMap, content_type: &str) -> bool {
    let value = text(headers, &CONTENT_TYPE).unwrap_or_default();
    value.split(';').next().is_some_and(|value| value.trim().eq_ignore_ascii_case(content_type))
}

/// Status, error code and the first line of the message: further ones may repeat the session token.
fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    let code = text(headers, &HeaderName::from_static("x-amzn-errortype")).unwrap_or_default();
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let message = json["message"].as_str().or(json["Message"].as_str()).unwrap_or_default();
    let message: String = message.lines().next().unwrap_or_default().chars().take(SHOWN).collect();
    let parts = [status.to_string(), code, message];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    StreamableHttpError::UnexpectedServerResponse(parts.join(": ").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_line_ends_an_event_whatever_the_chunks() {
        for text in ["data: abc\ndata: d\n\ndata: e\n\n", "data: abc\r\ndata: d\r\n\r\ndata: e\r\n\r\n"] {
            let whole = EventLength::default().longest_after(text.as_bytes());
            let mut event = EventLength::default();
            let pieces = text.as_bytes().iter().map(|byte| event.longest_after(&[*byte])).max();
            let first = text.find("data: e").unwrap();
            assert!(whole == pieces.unwrap() && whole.abs_diff(first) <= 1, "{text:?}: {whole}");
        }
    }
}
