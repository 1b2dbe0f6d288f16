//! The running server: its state, the accept loop, and the handling of one request.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_async::time::SharedTimeSource;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::ReceivedRequest;
use super::clock::Seconds;
use super::refusal::Refusal;
use super::response;
use super::style::RefusalStyle;
use super::verify::{self, Expected, Key};
use crate::redact::is_sensitive;

/// What is sent to an authorized request in place of the response.
#[derive(Clone)]
pub(super) enum Fault {
    Fail(StatusCode),
    Redirect(StatusCode, HeaderValue),
}

/// Settings that stay the same while the gateway runs.
pub(super) struct Config {
    pub(super) service: String,
    pub(super) region: String,
    pub(super) max_body: usize,
    pub(super) time_source: SharedTimeSource,
    pub(super) style: RefusalStyle,
    /// Method and path of each route; all are known if there is none.
    pub(super) routes: Vec<(Method, String)>,
    pub(super) api_key: Option<String>,
}

/// What can change while the gateway runs.
pub(super) struct MutableState {
    pub(super) keys: HashMap<String, Key>,
    pub(super) clock_offset: i64,
    pub(super) response: Response<Bytes>,
    pub(super) faults: VecDeque<Fault>,
    pub(super) received: Vec<ReceivedRequest>,
}

impl Config {
    /// The `x-amzn-errortype` of a refusal, where the style has one.
    fn error_type(&self, refusal: &Refusal) -> Option<&'static str> {
        (self.style == RefusalStyle::ApiGateway).then_some(refusal.error_type)
    }
}

pub(super) struct State {
    pub(super) config: Config,
    mutable: Mutex<MutableState>,
}

impl State {
    pub(super) fn new(config: Config, mutable: MutableState) -> Self {
        Self { config, mutable: Mutex::new(mutable) }
    }

    pub(super) fn mutable(&self) -> MutexGuard<'_, MutableState> {
        self.mutable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepts connections until the task is aborted, which closes them too.
pub(super) async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Perhaps out of file descriptors: let other connections end.
            tokio::task::yield_now().await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let state = Arc::clone(&state);
                // hyper drops the body of a response to HEAD over HTTP/1.1, but not over HTTP/2.
                let without_body = request.method() == Method::HEAD && request.version() == Version::HTTP_2;
                async move {
                    let response = serve(&state, request).await;
                    Ok::<_, Infallible>(if without_body {
                        response.map(|_| Full::default())
                    } else {
                        response
                    })
                }
            });
            let server = auto::Builder::new(TokioExecutor::new());
            // A broken connection concerns only its client.
            drop(server.serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn serve(state: &State, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, state.config.max_body).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Refusal::from_status(StatusCode::PAYLOAD_TOO_LARGE))
        }
        Err(_) => Err(Refusal::from_status(StatusCode::BAD_REQUEST)),
    };

    let now = Seconds::now(&state.config.time_source, state.mutable().clock_offset);
    let (body, authenticated) = match body {
        Ok(body) => {
            let authenticated = authenticate(state, &parts, &body, now);
            (body, authenticated)
        }
        Err(refusal) => (Bytes::new(), Err(refusal)),
    };

    let mut mutable = state.mutable();
    let (response, error_type) = match authenticated.and_then(|id| respond(&mut mutable, &id)) {
        Ok(response) => (response::with_common_headers(response, now.http_date()), None),
        Err(refusal) => (
            response::refused(&refusal, state.config.style, now.http_date()),
            state.config.error_type(&refusal),
        ),
    };
    mutable.received.push(record(parts, body, response.status(), error_type));
    response
}

/// Verifies a request's signature, and returns the access key id that signed it.
///
/// Holds the lock only to look up the key, as hashing a large body takes long.
fn authenticate(
    state: &State,
    parts: &http::request::Parts,
    body: &Bytes,
    now: Seconds,
) -> Result<String, Refusal> {
    let config = &state.config;
    let is_route = |(method, path): &(Method, String)| *method == parts.method && path == parts.uri.path();
    // API Gateway's word for a route that does not exist, whether the request is signed or not.
    if !config.routes.is_empty() && !config.routes.iter().any(is_route) {
        return Err(Refusal::missing_token());
    }
    let request =
        verify::Request { method: parts.method.as_str(), uri: &parts.uri, headers: &parts.headers, body };
    let expected = Expected {
        region: &state.config.region,
        service: &state.config.service,
        now,
        skew: config.style.skew(),
    };
    let id = verify::verify(&request, &expected, |id| state.mutable().keys.get(id).cloned())?;
    let api_key = parts.headers.get("x-api-key").map(HeaderValue::as_bytes);
    if config.api_key.as_ref().is_some_and(|wanted| api_key != Some(wanted.as_bytes())) {
        return Err(Refusal::api_key());
    }
    Ok(id)
}

/// Counts an authorized request against its key, and returns the next fault or the response.
fn respond(mutable: &mut MutableState, access_key_id: &str) -> Result<Response<Bytes>, Refusal> {
    if let Some(key) = mutable.keys.get_mut(access_key_id) {
        // While this request was verified, another one may have used the key for the last time.
        if key.expired {
            return Err(Refusal::expired_token());
        }
        if let Some(left) = key.uses_left {
            key.uses_left = Some(left.saturating_sub(1));
            key.expired = left <= 1;
        }
    }
    match mutable.faults.pop_front() {
        Some(Fault::Fail(status)) => Err(Refusal::from_status(status)),
        Some(Fault::Redirect(status, location)) => Ok(response::redirect(status, location)),
        None => Ok(mutable.response.clone()),
    }
}

fn record(
    parts: http::request::Parts,
    body: Bytes,
    status: StatusCode,
    error_type: Option<&'static str>,
) -> ReceivedRequest {
    let mut headers = parts.headers;
    for (name, value) in &mut headers {
        if is_sensitive(name.as_str()) {
            value.set_sensitive(true);
        }
    }
    let uri = parts.uri;
    if parts.version == Version::HTTP_2
        && let Some(authority) = uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        headers.entry(header::HOST).or_insert(host);
    }
    let target = match uri.path_and_query() {
        Some(origin_form) if parts.version == Version::HTTP_2 => origin_form.to_string(),
        _ => uri.to_string(),
    };
    ReceivedRequest {
        method: parts.method,
        target,
        version: parts.version,
        headers,
        body,
        status,
        error_type,
    }
}
