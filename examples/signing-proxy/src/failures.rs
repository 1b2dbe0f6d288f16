//! The log of responses with a status of 400 or more, by the upstream.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// How much of a body is logged, in bytes.
const LOGGED: usize = 16 * 1024;
const REDACTED: &str = "[redacted]";
/// What a query escapes.
const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The shortest end of a body that may be the beginning of a secret, in characters.
const SHORTEST_PART: usize = 8;

/// What is logged of a request whose response is a failure.
#[derive(Clone)]
pub(crate) struct SentRequest {
    method: Method,
    /// Scheme, host and path: a query may hold secrets.
    place: String,
    /// Token and signature, which some services repeat in their responses.
    secrets: Vec<String>,
    #[cfg(feature = "program")]
    sent: sigv4_middleware::diagnosis::SentRequest,
}

impl SentRequest {
    /// Takes what is needed of a request that was signed.
    pub(crate) fn new<B>(request: &http::Request<B>) -> Self {
        let uri = request.uri();
        let place = format!(
            "{}://{}{}",
            uri.scheme_str().unwrap_or_default(),
            uri.authority().map_or("", |authority| authority.as_str()),
            uri.path()
        );
        Self {
            method: request.method().clone(),
            place,
            secrets: secrets(request.headers()),
            #[cfg(feature = "program")]
            sent: describe(request),
        }
    }
}

/// What of a request explains its refusal.
#[cfg(feature = "program")]
fn describe<B>(request: &http::Request<B>) -> sigv4_middleware::diagnosis::SentRequest {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let authorization = text("authorization").unwrap_or_default();
    let credential = authorization.split("Credential=").nth(1).unwrap_or_default();
    let mut scope = credential.split(['/', ',']);
    let mut sent = sigv4_middleware::diagnosis::SentRequest::unknown()
        .signed(!credential.is_empty())
        .method(request.method().as_str())
        .session_token(request.headers().contains_key("x-amz-security-token"))
        .api_key(request.headers().contains_key("x-api-key"))
        .authorization(authorization);
    if let Some(authority) = request.uri().authority() {
        sent = sent.url_host(authority.as_str()).signed_host(authority.as_str());
    }
    if let Some(id) = scope.next() {
        sent = sent.access_key_id(id);
    }
    // After the date and the region.
    if let Some(service) = scope.nth(2) {
        sent = sent.service(service);
    }
    sent
}

/// The token and the signature of a request, as they are and with escapes.
fn secrets(headers: &HeaderMap) -> Vec<String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let signature = text("authorization").and_then(|value| value.split("Signature=").nth(1));
    let plain = ["x-amz-security-token", "x-amz-s3session-token"]
        .into_iter()
        .filter_map(text)
        .chain(signature)
        .filter(|secret| !secret.is_empty());
    plain
        .flat_map(|secret| {
            let encoded = utf8_percent_encode(secret, IN_QUERY).to_string();
            let all_encoded = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
            let lower =
                |escape: &str| escape.replace("%2B", "%2b").replace("%2F", "%2f").replace("%3D", "%3d");
            // PHP's JSON escapes slashes.
            [secret.to_owned(), secret.replace('/', "\\/"), lower(&encoded), encoded, all_encoded]
        })
        .collect()
}

/// A failure's body: passed on unchanged, and logged once it has ended or is dropped.
pub(crate) struct LoggedBody {
    body: Incoming,
    request: SentRequest,
    status: StatusCode,
    headers: HeaderMap,
    kept: Vec<u8>,
}

impl LoggedBody {
    pub(crate) fn new(response: http::Response<Incoming>, request: SentRequest) -> http::Response<Self> {
        let (parts, body) = response.into_parts();
        let body =
            Self { body, request, status: parts.status, headers: parts.headers.clone(), kept: Vec::new() };
        http::Response::from_parts(parts, body)
    }

    fn request_id(&self) -> &str {
        let ids = ["x-amzn-requestid", "x-amz-request-id"];
        ids.iter().find_map(|name| self.headers.get(*name)?.to_str().ok()).unwrap_or_default()
    }

    /// Why requests are refused so, and what to do; empty if the response refuses nothing.
    #[cfg(feature = "program")]
    fn diagnosis(&self) -> String {
        use sigv4_middleware::diagnosis::{RefusedResponse, diagnose};

        let refused = RefusedResponse::new(self.status, &self.headers, &self.kept);
        let Some(diagnosis) = diagnose(&refused, &self.request.sent) else { return String::new() };
        let cause = diagnosis.cause().as_str();
        crate::cli::advice::with_options(diagnosis.what_to_do())
            .map_or_else(|| cause.to_owned(), |what_to_do| format!("{cause}: {what_to_do}"))
    }

    #[cfg(not(feature = "program"))]
    fn diagnosis(&self) -> String {
        String::new()
    }
}

impl http_body::Body for LoggedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            let room = LOGGED - self.kept.len();
            self.kept.extend_from_slice(data.get(..room).unwrap_or(data));
        }
        Poll::Ready(frame)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

impl Drop for LoggedBody {
    fn drop(&mut self) {
        let Self { request, status, kept, .. } = &*self;
        tracing::error!(
            target: "signing_proxy",
            method = %request.method,
            url = %request.place,
            status = status.as_u16(),
            request_id = %self.request_id(),
            diagnosis = %one_line(&redacted(&self.diagnosis(), &request.secrets)),
            body = %one_line(&redacted(&String::from_utf8_lossy(kept), &request.secrets)),
            "the upstream responded with a failure"
        );
    }
}

/// The text in one line of a log: a body that has a line of its own could be taken for the proxy's.
fn one_line(text: &str) -> String {
    let escaped = |character: char| match character {
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' => true,
        character => character.is_control(),
    };
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if escaped(character) { line.extend(character.escape_default()) } else { line.push(character) }
    }
    line
}

/// The text without these secrets, nor the beginning of one at its end.
fn redacted(text: &str, secrets: &[String]) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        text = text.replace(secret, REDACTED);
    }
    for secret in secrets {
        let beginnings = (SHORTEST_PART..secret.len()).rev().filter_map(|length| secret.get(..length));
        if let Some(part) = { beginnings }.find(|part| text.ends_with(part)) {
            text.truncate(text.len() - part.len());
            text.push_str(REDACTED);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_cut_out() {
        let secrets = ["to/ken+of=session".to_owned(), "0123456789abcdef".to_owned()];
        let text = redacted("a to/ken+of=session b 0123456789abcdef c to/ken+of", &secrets);
        assert_eq!(text, "a [redacted] b [redacted] c [redacted]");
        assert_eq!(redacted("nothing here", &secrets), "nothing here");
    }

    #[test]
    fn secrets_are_known_in_every_form_that_servers_repeat_them_in() {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-security-token", "IQoJb3-_/+token==".parse().unwrap());
        let secrets = secrets(&headers);
        for form in [
            "IQoJb3-_/+token==",
            "IQoJb3-_\\/+token==",
            "IQoJb3-_%2F%2Btoken%3D%3D",
            "IQoJb3-_%2f%2btoken%3d%3d",
            "IQoJb3%2D%5F%2F%2Btoken%3D%3D",
        ] {
            assert_eq!(redacted(&format!("a {form} b"), &secrets), "a [redacted] b", "{form}");
        }
    }

    #[test]
    fn a_body_adds_no_line_to_the_log() {
        let text = one_line("denied\n2026-11-26T00:00:00Z ERROR forged \u{1b}[2J\u{9b}\u{202e}é");
        assert_eq!(text, "denied\\n2026-11-26T00:00:00Z ERROR forged \\u{1b}[2J\\u{9b}\\u{202e}é");
    }
}
