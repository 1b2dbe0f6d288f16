//! A server whose requests are verified by aws-sigv4 before a handler sees them, for protocols that need more than one
//! fixed response.

use std::net::SocketAddr;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use std::time::SystemTime;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_types::{DateTime, date_time::Format};
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Router, serve};
use http::{StatusCode, request::Parts};
use sigv4_middleware::Credentials;
use tokio::net::TcpListener;

use crate::{REGION, role};

/// A running server.
#[derive(Debug)]
pub struct Verified {
    /// Where it listens on loopback.
    pub addr: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Verified {
    /// Serves what is signed with the keys of [`role`] for [`REGION`], over HTTP/1.1 and HTTP/2 until the test ends.
    ///
    /// # Panics
    /// If no port can be opened on loopback.
    pub async fn serve(service: &'static str, router: Router) -> Self {
        Self::serve_for(role(), REGION, service, router).await
    }

    /// Serves what is signed with these keys for this region.
    ///
    /// # Panics
    /// As [`serve`](Self::serve).
    pub async fn serve_for(
        credentials: Credentials,
        region: &'static str,
        service: &'static str,
        router: Router,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let requests = Arc::<AtomicUsize>::default();
        let state = Expected { credentials, region, service, requests: Arc::clone(&requests) };
        tokio::spawn(async { serve(listener, router.layer(from_fn_with_state(state, verify))).await });
        Self { addr, requests }
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// How many requests passed.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// What requests are to be signed with.
#[derive(Clone)]
struct Expected {
    credentials: Credentials,
    region: &'static str,
    service: &'static str,
    requests: Arc<AtomicUsize>,
}

/// A signed body is read to its end before it is passed on; an unsigned one is passed on unread.
async fn verify(State(expected): State<Expected>, request: Request, next: Next) -> Response {
    let (head, mut body) = request.into_parts();
    let mut bytes = None;
    if head.headers.get("x-amz-content-sha256").is_none_or(|hash| hash != "UNSIGNED-PAYLOAD") {
        let read = to_bytes(body, usize::MAX).await.unwrap();
        body = Body::from(read.clone());
        bytes = Some(read);
    }
    if !is_signed(&head, bytes.as_deref(), &expected).unwrap_or_default() {
        return StatusCode::FORBIDDEN.into_response();
    }
    expected.requests.fetch_add(1, Ordering::SeqCst);
    next.run(Request::from_parts(head, body)).await
}

/// Whether aws-sigv4 gives the same signature; `None` without one.
fn is_signed(head: &Parts, body: Option<&[u8]>, expected: &Expected) -> Option<bool> {
    let header = |name: &str| head.headers.get(name)?.to_str().ok();
    let (_, signed) = header("authorization")?.split_once("SignedHeaders=")?;
    let (signed, signature) = signed.split_once(", Signature=")?;
    let signed: Vec<_> = signed.split(';').collect();
    let unsigned = |name: &str| name.starts_with("x-amz-") && !signed.contains(&name);
    if head.headers.keys().any(|name| unsigned(name.as_str())) {
        return Some(false);
    }

    // aws-sigv4 adds these itself.
    let added = ["host", "x-amz-date", "x-amz-security-token"];
    let headers: Vec<_> = signed
        .iter()
        .filter(|name| !added.contains(name))
        .map(|name| Some((*name, header(name)?)))
        .collect::<Option<_>>()?;
    let host = header("host").or(head.uri.authority().map(|authority| authority.as_str()))?;
    let url = format!("http://{host}{}", head.uri.path_and_query()?);
    let payload = body.map_or(SignableBody::UnsignedPayload, SignableBody::Bytes);
    let request = SignableRequest::new(head.method.as_str(), url, headers.into_iter(), payload).ok()?;
    let identity = expected.credentials.clone().into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(expected.region)
        .name(expected.service)
        .time(time(header("x-amz-date")?)?)
        .settings(SigningSettings::default())
        .build()
        .ok()?;
    Some(sign(request, &params.into()).ok()?.signature() == signature)
}

/// `20261125T195851Z`
fn time(text: &str) -> Option<SystemTime> {
    let part = |from, to| text.get(from..to);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(9, 11)?, part(11, 13)?, part(13, 15)?);
    let text = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    SystemTime::try_from(DateTime::from_str(&text, Format::DateTime).ok()?).ok()
}
