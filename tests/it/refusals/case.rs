//! A refusal of a file: one JSON object a line.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};
use sigv4_middleware::SigningDetails;
use sigv4_middleware::diagnosis::{Diagnosis, RefusedResponse, SentRequest, diagnose};

#[derive(Debug, Deserialize)]
pub(super) struct Case {
    pub(super) id: String,
    status: u16,
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: Option<String>,
    client: Option<Client>,
    client_facts: Option<Map<String, Value>>,
    pub(super) cause: String,
}

/// What the client signed.
#[derive(Debug, Deserialize)]
struct Client {
    scope: Option<String>,
    canonical_request: Option<String>,
    string_to_sign: Option<String>,
    access_key_id: Option<String>,
}

impl Case {
    pub(super) fn read(line: &str) -> Self {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    fn sent(&self) -> SentRequest {
        let mut sent = match &self.client {
            Some(client) => client.sent(),
            None => SentRequest::unknown(),
        };
        for (name, value) in self.client_facts.iter().flatten() {
            sent = with_fact(sent, name, value);
        }
        sent
    }

    pub(super) fn diagnose(&self) -> Option<Diagnosis> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            // A header that no HTTP library would hand on is left out.
            if let (Ok(name), Ok(value)) =
                (name.parse::<HeaderName>(), HeaderValue::from_bytes(value.as_bytes()))
            {
                headers.append(name, value);
            }
        }
        let status = StatusCode::from_u16(self.status).unwrap();
        let body = self.body.as_deref().unwrap_or_default();
        diagnose(&RefusedResponse::new(status, &headers, body.as_bytes()), &self.sent())
    }
}

impl Client {
    fn sent(&self) -> SentRequest {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (canonical, string) = (text(&self.canonical_request), text(&self.string_to_sign));
        let mut details = SigningDetails::from_canonical(&canonical, &string);
        if let Some(id) = &self.access_key_id {
            details = details.with_access_key_id(id);
        }
        let mut sent = SentRequest::from(details).signed(true);
        if let Some(service) = self.scope.as_deref().and_then(|scope| scope.rsplit('/').nth(1)) {
            sent = sent.service(service);
        }
        sent
    }
}

/// What only the client knows. Facts of other names change no diagnosis.
fn with_fact(sent: SentRequest, name: &str, value: &Value) -> SentRequest {
    match (name, value) {
        ("signed", Value::Bool(signed)) => sent.signed(*signed),
        ("body" | "has_body", Value::Bool(has_body)) => sent.has_body(*has_body),
        ("route_known", Value::Bool(known)) => sent.route_known(*known),
        (name, Value::Bool(token)) if name.contains("session_token") => sent.session_token(*token),
        ("x_amz_content_sha256_signed", Value::Bool(signed)) => sent.content_sha256_signed(*signed),
        (name, Value::Bool(key)) if name.contains("api_key") => sent.api_key(*key),
        ("authorization", Value::String(value)) => sent.authorization(value),
        ("service", Value::String(service)) => sent.service(service),
        ("url_host", Value::String(host)) => sent.url_host(host),
        ("sent_host" | "host_sent", Value::String(host)) => sent.sent_host(host),
        ("sent_content_type" | "content_type_sent", Value::String(value)) => sent.sent_content_type(value),
        ("body_sha256" | "sent_body_sha256", Value::String(hash)) => sent.body_sha256(hash),
        ("signed_host", Value::String(host)) => sent.signed_host(host),
        ("method", Value::String(method)) => sent.method(method),
        ("region", Value::String(region)) => sent.region(region),
        (name, Value::String(id)) if name.contains("key_id") || name.contains("key_prefix") => {
            sent.access_key_id(id)
        }
        _ => sent,
    }
}
