//! What a response and the client's knowledge say, in a form that rules ask of.

use std::time::SystemTime;

use http::{HeaderMap, StatusCode};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::compare::shorten;
use super::parse::{Body, Form};
use super::refused::RefusedResponse;
use super::sent::SentRequest;
use super::server_text::ServerText;
use crate::error_code::bare_code;

/// Headers by which AWS, and stores that follow S3, name a request.
const AWS_IDS: [&str; 5] =
    ["x-amzn-requestid", "x-amz-request-id", "apigw-requestid", "x-amz-apigw-id", "x-amz-id-2"];
/// Headers that have the error code.
const CODES: [&str; 3] = ["x-amzn-errortype", "x-amz-error-code", "x-minio-error-code"];
/// Further headers with a request's id, of other servers.
const OTHER_IDS: [&str; 4] = ["x-amz-cf-id", "cf-ray", "x-oss-request-id", "x-request-id"];

/// The longest request id that is shown, in characters.
const LONGEST_ID: usize = 128;

pub(super) struct Facts<'a> {
    pub(super) status: StatusCode,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: Body,
    pub(super) sent: &'a SentRequest,
    /// The error code: from its header, or from the body.
    pub(super) code: Option<String>,
    /// The message, in lower case and with plain apostrophes.
    pub(super) words: String,
    /// What the server says that should have been signed.
    pub(super) server_text: ServerText,
}

impl<'a> Facts<'a> {
    pub(super) fn new(refused: &RefusedResponse<'a>, sent: &'a SentRequest) -> Self {
        // Of a compressed body nothing can be read.
        let is_encoded = text_of(refused.headers, "content-encoding").is_some_and(is_encoding);
        let body = Body::parse(if is_encoded { &[] } else { refused.body });
        let in_header = CODES.iter().find_map(|name| text_of(refused.headers, name));
        let code = in_header.map(bare_code).or_else(|| body.code()).filter(|code| !code.is_empty());
        let code = code.map(str::to_owned);
        // MinIO says so, too, where it may not send a body.
        let in_place = || text_of(refused.headers, "x-minio-error-desc").map(|text| text.trim_matches('"'));
        let message = match body.form {
            Form::Empty => in_place().unwrap_or_default(),
            _ => without_server_text(body.message()),
        };
        let details = body.field("details").filter(|details| *details != message).unwrap_or_default();
        let words = format!("{message} {details}");
        let words = words.trim().to_lowercase().replace(['\u{2019}', '\u{2018}'], "'");
        let server_text = ServerText::of(&body);
        Self { status: refused.status, headers: refused.headers, body, sent, code, words, server_text }
    }

    /// Whether the message has these words, in any case.
    pub(super) fn says(&self, words: &str) -> bool {
        self.words.contains(words)
    }

    pub(super) fn says_any(&self, words: &[&str]) -> bool {
        words.iter().any(|words| self.says(words))
    }

    /// Whether the code is one of these; `Exception`, `Error` and `Fault` at its end do not matter.
    pub(super) fn code_is(&self, codes: &[&str]) -> bool {
        let bare = |code: &str| {
            let code =
                ["Exception", "Error", "Fault"].iter().find_map(|end| code.strip_suffix(end)).unwrap_or(code);
            code.to_ascii_lowercase()
        };
        self.code.as_ref().is_some_and(|code| codes.iter().any(|one| bare(one) == bare(code)))
    }

    pub(super) fn header(&self, name: &str) -> Option<&'a str> {
        text_of(self.headers, name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    /// The `Server` header, in lower case.
    pub(super) fn server(&self) -> String {
        self.header("server").unwrap_or_default().to_ascii_lowercase()
    }

    /// Whether AWS, or a store that follows S3, named the request.
    pub(super) fn has_aws_id(&self) -> bool {
        AWS_IDS.iter().any(|name| self.has(name))
    }

    /// Whether the response is written as AWS, or a store that follows S3, writes one.
    pub(super) fn is_aws(&self) -> bool {
        CODES.iter().any(|name| self.has(name))
            || self.is_error_document()
            || self.body.field("__type").is_some()
            || (self.has_aws_id() && self.body.field("errorType").is_some())
    }

    /// Whether the response is an application's, as far as it shows: it has neither an error code of AWS nor words that
    /// only AWS uses, and no request id of AWS, or the trace id that comes with an application's own responses.
    pub(super) fn is_application(&self) -> bool {
        const WORDS: [&str; 12] = [
            "signature we calculated",
            "credential should be scoped",
            "signature expired:",
            "signature not yet current:",
            "security token included in the request",
            "is not authorized to perform:",
            "key=value pair",
            "requires 'credential' parameter",
            "signedheader",
            "no permissions for [",
            "x-amz-",
            "aws4-hmac-sha256",
        ];
        let own_words = self.says_any(&WORDS)
            || self.body.message().contains("Missing Authentication Token")
            || self.body.message().contains("missing Authentication Token")
            || self.server_text.string_to_sign.is_some()
            // `AccessDeniedException: …`, as VPC Lattice has it.
            || (self.body.form == Form::Text && self.body.code().is_some());
        let own_id = self.has_aws_id() && !self.has("x-amzn-trace-id");
        !(own_words || own_id || self.is_aws() || self.body.form == Form::Xml)
    }

    /// An XML document of S3, EC2 or a query service.
    pub(super) fn is_error_document(&self) -> bool {
        self.body.form == Form::Xml
            && (["Error", "ErrorResponse", "Response", "Errors"].contains(&&*self.body.root)
                || self.body.root.ends_with("Exception"))
            && self.code.is_some()
    }

    /// Whether the response is Amazon API Gateway's.
    pub(super) fn is_api_gateway(&self) -> bool {
        self.has("x-amz-apigw-id") || self.has("apigw-requestid") || self.service() == Some("execute-api")
    }

    pub(super) fn request_ids(&self) -> Vec<(String, String)> {
        let known = AWS_IDS.iter().chain(&OTHER_IDS);
        let mut ids: Vec<_> = known
            .filter_map(|name| Some(((*name).to_owned(), shorten(self.header(name)?, LONGEST_ID))))
            .collect();
        if ids.is_empty()
            && let Some(id) = self.body.field("RequestId")
        {
            ids.push(("RequestId".to_owned(), shorten(id, LONGEST_ID)));
        }
        ids
    }

    /// The response's date, unless a cache kept the response.
    pub(super) fn server_date(&self) -> Option<SystemTime> {
        if self.has("age") {
            return None;
        }
        httpdate::parse_http_date(self.header("date")?.trim()).ok()
    }

    pub(super) fn signed(&self) -> Option<bool> {
        self.sent.signed
    }

    pub(super) fn method(&self) -> Option<&str> {
        let of_details = || self.sent.details.as_ref().and_then(|details| details.method());
        self.sent.method.as_deref().or_else(of_details)
    }

    pub(super) fn service(&self) -> Option<&str> {
        let of_details = || self.sent.details.as_ref().and_then(|details| details.service());
        self.sent.service.as_deref().or_else(of_details)
    }

    pub(super) fn region(&self) -> Option<&str> {
        let of_details = || self.sent.details.as_ref().and_then(|details| details.region());
        self.sent.region.as_deref().or_else(of_details)
    }

    pub(super) fn url_host(&self) -> Option<&str> {
        let of_details = || self.sent.details.as_ref().and_then(|details| details.url_host());
        self.sent.url_host.as_deref().or_else(of_details)
    }

    pub(super) fn signed_host(&self) -> Option<&str> {
        let of_details = || self.sent.details.as_ref().and_then(|details| details.signed_host());
        self.sent.signed_host.as_deref().or_else(of_details)
    }

    /// The host of the endpoint, as far as the client knows it.
    pub(super) fn host(&self) -> Option<&str> {
        self.url_host().or(self.signed_host())
    }

    /// The access key id, of the client's or the server's telling.
    pub(super) fn access_key_id(&self) -> Option<&str> {
        let of_details = || self.sent.details.as_ref().and_then(|details| details.access_key_id());
        let of_server = || self.body.field("AWSAccessKeyId");
        self.sent.access_key_id.as_deref().or_else(of_details).or_else(of_server)
    }

    /// Whether a session token was sent.
    pub(super) fn session_token(&self) -> Option<bool> {
        let of_details = || self.sent.details.as_ref().map(|details| details.has_session_token());
        self.sent.session_token.or_else(of_details)
    }

    pub(super) fn content_sha256_signed(&self) -> Option<bool> {
        let signs = || self.sent.details.as_ref().map(|details| details.signs("x-amz-content-sha256"));
        self.sent.content_sha256_signed.or_else(signs)
    }

    /// Whether an API key was sent.
    pub(super) fn api_key(&self) -> Option<bool> {
        let of_details = || {
            let details = self.sent.details.as_ref()?;
            let sent = details.signs("x-api-key")
                || details.unsigned_headers().iter().any(|name| name == "x-api-key");
            (sent || details.knows_sent_headers()).then_some(sent)
        };
        self.sent.api_key.or_else(of_details)
    }
}

/// The message without the canonical request and string to sign that it prints: they have the client's words.
pub(super) fn without_server_text(message: &str) -> &str {
    let starts = ["The Canonical String for this request", "The String-to-Sign should have been"];
    let end = starts.iter().filter_map(|start| message.find(start)).min();
    message[..end.unwrap_or(message.len())].trim()
}

/// Whether a Content-Encoding changes the bytes of a body.
fn is_encoding(value: &str) -> bool {
    value.split(',').map(str::trim).any(|coding| {
        !coding.is_empty()
            && !["identity", "aws-chunked"].iter().any(|none| coding.eq_ignore_ascii_case(none))
    })
}

pub(super) fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A time as refusals write it: `20261125T120000Z`, RFC 3339, or an HTTP date.
pub(super) fn time_of(text: &str) -> Option<SystemTime> {
    let text = text.trim();
    let written_out = amz_date_as_rfc3339(text);
    let text = written_out.as_deref().unwrap_or(text);
    match OffsetDateTime::parse(text, &Rfc3339) {
        Ok(time) => Some(time.into()),
        Err(_) => httpdate::parse_http_date(text).ok(),
    }
}

/// `20261125T120000Z` as `2026-11-25T12:00:00Z`.
fn amz_date_as_rfc3339(text: &str) -> Option<String> {
    let (day, time) = text.strip_suffix('Z')?.split_once('T')?;
    let is_basic =
        day.len() == 8 && time.len() == 6 && day.bytes().chain(time.bytes()).all(|b| b.is_ascii_digit());
    is_basic.then(|| {
        let ((year, month, day), (hour, minute, second)) =
            ((&day[..4], &day[4..6], &day[6..]), (&time[..2], &time[2..4], &time[4..]));
        format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z")
    })
}

/// By how many seconds `server` is ahead of `signed`.
pub(super) fn seconds_ahead(server: SystemTime, signed: SystemTime) -> i64 {
    let seconds = |length: std::time::Duration| i64::try_from(length.as_secs()).unwrap_or(i64::MAX);
    match server.duration_since(signed) {
        Ok(ahead) => seconds(ahead),
        Err(error) => -seconds(error.duration()),
    }
}

/// The text between `start` and `end`.
pub(super) fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    let (_, after) = text.split_once(start)?;
    after.split_once(end).map(|(inner, _)| inner)
}
