//! Any response through the reqwest integrations, which read the body of a refusal for its error code.
#![no_main]

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use arbitrary::{Arbitrary, Result, Unstructured};
use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;
use reqwest::{Body, Request, Response, ResponseBuilderExt};
use reqwest_middleware::{ClientBuilder, Middleware, Next};
use sigv4_middleware::{SigV4Layer, SigV4Middleware, Signer};
use sigv4_middleware_fuzz::provider::Provider;
use sigv4_middleware_fuzz::response::{NOW, ScriptedResponse};
use sigv4_middleware_fuzz::scripted::{Step, assert_unchanged, data};
use sigv4_middleware_fuzz::{FixedClock, run};
use tower::{Layer, ServiceExt, service_fn};

/// The longest part of a refusal's body that is read for a code, in bytes.
const MOST_READ: u64 = 64 * 1024;

/// A clock that is off by more than this makes AWS refuse a signature.
const MOST_OFF: Duration = Duration::from_secs(4 * 60);

/// Codes that a request may be sent again for.
const EXPIRED: [&str; 3] = ["ExpiredToken", "ExpiredTokenException", "InvalidToken"];
const SKEWED: [&str; 9] = [
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "BadRequestException",
    "InvalidSignatureException",
    "RequestExpired",
    "RequestInTheFuture",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
];

#[derive(Debug)]
struct Input {
    through_layer: bool,
    method: Method,
    url: &'static str,
    body: Vec<u8>,
    has_token: bool,
    rotates: bool,
    retries: bool,
    correction: bool,
    responses: Vec<ScriptedResponse>,
}

impl Arbitrary<'_> for Input {
    fn arbitrary(u: &mut Unstructured<'_>) -> Result<Self> {
        let urls = [
            "https://abc123.execute-api.eu-west-1.amazonaws.com/prod",
            "https://b.s3.eu-west-1.amazonaws.com/k",
        ];
        Ok(Self {
            through_layer: u.arbitrary()?,
            method: u.choose(&[Method::GET, Method::POST, Method::PUT, Method::HEAD])?.clone(),
            url: u.choose(&urls)?,
            body: u.arbitrary()?,
            has_token: u.ratio(7, 8)?,
            rotates: u.ratio(7, 8)?,
            retries: u.ratio(15, 16)?,
            correction: u.arbitrary()?,
            responses: vec![u.arbitrary()?, u.arbitrary()?, u.arbitrary()?, u.arbitrary()?],
        })
    }
}

/// Responds with the scripted responses in order, and keeps what was sent.
#[derive(Clone)]
struct Network {
    responses: Arc<Vec<ScriptedResponse>>,
    body: Bytes,
    sent: Arc<Mutex<Vec<Sent>>>,
}

struct Sent {
    headers: HeaderMap,
    /// Bytes that were read of the response's body.
    read: Arc<AtomicU64>,
}

impl Network {
    fn respond(&self, request: &Request) -> Response {
        let body = request.body().map_or(Some(&[][..]), Body::as_bytes);
        assert_eq!(body, Some(&*self.body), "each attempt has the whole body");
        let mut sent = self.sent.lock().expect("not poisoned");
        let (mut head, body) = self.responses[sent.len()].build().into_parts();
        sent.push(Sent { headers: request.headers().clone(), read: body.read_counter() });
        let url = http::Response::builder().url(request.url().clone()).body(()).expect("a response");
        head.extensions.extend(url.into_parts().0.extensions);
        http::Response::from_parts(head, Body::wrap(body)).into()
    }
}

#[async_trait::async_trait]
impl Middleware for Network {
    async fn handle(
        &self,
        request: Request,
        _: &mut Extensions,
        _: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        Ok(self.respond(&request))
    }
}

fuzz_target!(|input: Input| run(check(input)));

async fn check(input: Input) {
    let signer = Signer::builder()
        .credentials(Provider::new(input.has_token, input.rotates))
        .time_source(FixedClock(UNIX_EPOCH + Duration::from_secs(NOW)))
        .retry_on_auth_error(input.retries)
        .clock_skew_correction(input.correction)
        .build()
        .expect("a signer");
    let network = Network {
        responses: Arc::new(input.responses.clone()),
        body: input.body.clone().into(),
        sent: Arc::default(),
    };
    // The second request is signed as well as the first, whatever was learned.
    for is_first in [true, false] {
        let mut request = Request::new(input.method.clone(), input.url.parse().expect("a URL"));
        *request.body_mut() = Some(input.body.clone().into());
        let before = network.sent.lock().expect("not poisoned").len();
        let response = send(&input, signer.clone(), network.clone(), request).await;
        let expected = {
            let sent = network.sent.lock().expect("not poisoned");
            check_attempts(&input, &input.responses[before], &sent[before..], is_first);
            &input.responses[sent.len() - 1]
        };
        let (head, body) = http::Response::from(response).into_parts();
        assert_eq!((head.status, &head.headers), (expected.status, &expected.headers));
        assert_unchanged(body, &expected.steps).await;
    }
}

async fn send(input: &Input, signer: Signer, network: Network, request: Request) -> Response {
    if input.through_layer {
        let service =
            service_fn(move |request| std::future::ready(Ok::<_, Infallible>(network.respond(&request))));
        return SigV4Layer::new(signer).layer(service).oneshot(request).await.expect("a response");
    }
    thread_local! {
        static CLIENT: reqwest::Client =
            sigv4_middleware::reqwest_client().no_proxy().build().expect("a client");
    }
    let client = ClientBuilder::new(CLIENT.with(Clone::clone));
    let client = client.with(SigV4Middleware::new(signer)).with(network).build();
    client.execute(request).await.expect("a response")
}

/// Checks that a request was sent twice only for a reason, and with another signature.
fn check_attempts(input: &Input, first: &ScriptedResponse, attempts: &[Sent], is_first_request: bool) {
    let largest =
        first.steps.iter().map(|step| if let Step::Data(data) = step { data.len() } else { 0 }).max();
    let read = attempts[0].read.load(Ordering::Relaxed);
    assert!(read < MOST_READ + largest.unwrap_or_default() as u64, "{read} bytes were read");
    let code_in_head = first.headers.get("x-amzn-errortype");
    let mut body = data(&first.steps);
    body.truncate(MOST_READ as usize);
    match attempts {
        [_] => {
            let is_replaced = input.retries && input.rotates && is_first_request;
            assert!(
                !(is_replaced && first.is_refusal() && says_expired(input, first, code_in_head)),
                "expired credentials are replaced"
            );
            if !first.is_refusal() {
                assert_eq!(read, 0, "only refusals are read");
            }
        }
        [one, two] => {
            assert!(input.retries && first.is_refusal(), "only a refused request is sent again");
            let signed_with = |sent: &Sent| {
                let id = sent.headers["authorization"]
                    .to_str()
                    .expect("text")
                    .split('/')
                    .next()
                    .map(str::to_owned);
                (id, sent.headers["x-amz-date"].clone())
            };
            let (before, after) = (signed_with(one), signed_with(two));
            assert_ne!(before, after, "another signature");
            let text = match code_in_head {
                Some(code) => code.as_bytes(),
                None => &body,
            };
            let has = |code: &&str| text.windows(code.len()).any(|part| part == code.as_bytes());
            if before.0 != after.0 {
                assert!(EXPIRED.iter().any(has), "the credentials had not expired");
            }
            // The first request is signed with the time of the signer's clock. Another attempt for expired credentials has
            // the server's time, too.
            if is_first_request && before.0 == after.0 {
                assert!(is_off(first), "the date was right");
                let is_head = input.method == Method::HEAD && code_in_head.is_none();
                let has_code = SKEWED.iter().chain(&EXPIRED).any(has);
                assert!(is_head || has_code, "a refusal has a code, except that of a HEAD");
            }
        }
        _ => panic!("{} attempts", attempts.len()),
    }
}

/// Whether the response says without doubt that the credentials have expired.
fn says_expired(input: &Input, response: &ScriptedResponse, code_in_head: Option<&HeaderValue>) -> bool {
    match code_in_head {
        Some(code) => ["ExpiredToken", "ExpiredTokenException"].iter().any(|expired| code == expired),
        None => {
            let bodies = ["{\"__type\":\"ExpiredToken\"}", "<Error><Code>ExpiredToken</Code></Error>"];
            let is_expired =
                matches!(&response.steps[..], [Step::Data(data)] if bodies.iter().any(|body| data == body));
            let ids = ["x-amzn-requestid", "x-amz-request-id"];
            let has_id = ids.iter().any(|id| response.headers.contains_key(*id));
            is_expired && has_id && input.has_token && input.method != Method::HEAD
        }
    }
}

/// Whether the response's `Date` is far from the signer's clock.
fn is_off(response: &ScriptedResponse) -> bool {
    let Some(date) = response.headers.get("date").and_then(|date| date.to_str().ok()) else { return false };
    let Ok(server) = httpdate::parse_http_date(date.trim()) else { return false };
    let now = UNIX_EPOCH + Duration::from_secs(NOW);
    server.duration_since(now).unwrap_or_else(|error| error.duration()) > MOST_OFF
}
