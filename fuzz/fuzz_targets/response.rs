//! Any responses to `SigV4Layer`: at most one more attempt, and the response is returned unchanged.
#![no_main]

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use arbitrary::{Arbitrary, Result, Unstructured};
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use libfuzzer_sys::fuzz_target;
use sigv4_middleware::{SigV4Layer, Signer};
use sigv4_middleware_fuzz::provider::Provider;
use sigv4_middleware_fuzz::response::{NOW, ScriptedResponse};
use sigv4_middleware_fuzz::scripted::{Scripted, assert_unchanged};
use sigv4_middleware_fuzz::signed::ParsedAuthorization;
use sigv4_middleware_fuzz::{FixedClock, run};
use tower::{Layer, ServiceExt, service_fn};

const HOST: &str = "abc123.execute-api.eu-west-1.amazonaws.com";

#[derive(Debug)]
struct Input {
    method: http::Method,
    body: Vec<u8>,
    has_token: bool,
    rotates: bool,
    retries: bool,
    correction: bool,
    responses: Vec<ScriptedResponse>,
}

impl Arbitrary<'_> for Input {
    fn arbitrary(u: &mut Unstructured<'_>) -> Result<Self> {
        Ok(Self {
            method: u.choose(&[http::Method::GET, http::Method::POST, http::Method::HEAD])?.clone(),
            body: u.arbitrary()?,
            has_token: u.arbitrary()?,
            rotates: u.arbitrary()?,
            retries: u.ratio(7, 8)?,
            correction: u.arbitrary()?,
            responses: vec![u.arbitrary()?, u.arbitrary()?, u.arbitrary()?, u.arbitrary()?],
        })
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
    let seen: Arc<Mutex<Vec<Parts>>> = Arc::default();
    let (responses, sent) = (input.responses.clone(), Bytes::from(input.body));
    let (record, expected) = (Arc::clone(&seen), sent.clone());
    let service = SigV4Layer::new(signer).layer(service_fn(move |request: Request<Full<Bytes>>| {
        let (record, expected, responses) = (Arc::clone(&record), expected.clone(), responses.clone());
        async move {
            let (head, body) = request.into_parts();
            let Ok(body) = body.collect().await;
            assert_eq!(body.to_bytes(), expected, "each attempt has the whole body");
            let mut record = record.lock().expect("not poisoned");
            let response: Response<Scripted> = responses[record.len()].build();
            record.push(head);
            Ok::<_, Infallible>(response)
        }
    }));

    let request = || {
        let uri = format!("https://{HOST}/prod?a=1");
        let request = Request::builder().method(input.method.clone()).uri(uri);
        request.body(Full::new(sent.clone())).expect("a request")
    };
    // The second request is signed as well as the first, whatever was learned.
    for _ in 0..2 {
        let before = seen.lock().expect("not poisoned").len();
        let response = service.clone().oneshot(request()).await.expect("a response");
        let after = seen.lock().expect("not poisoned").len();
        let most = if input.retries && input.responses[before].is_refusal() { 2 } else { 1 };
        assert!(after > before && after - before <= most, "{} attempts", after - before);
        let expected = &input.responses[after - 1];
        let (head, body) = response.into_parts();
        assert_eq!((head.status, &head.headers), (expected.status, &expected.headers));
        assert_unchanged(body, &expected.steps).await;
    }
    for head in seen.lock().expect("not poisoned").iter() {
        let parsed = ParsedAuthorization::of_headers(&head.headers);
        assert_eq!((&*parsed.region, &*parsed.service), ("eu-west-1", "execute-api"));
        assert_eq!(head.headers.contains_key("x-amz-security-token"), input.has_token);
        assert_eq!(head.uri.host(), Some(HOST));
        assert_eq!(head.headers["x-amz-date"].to_str().expect("text")[..8], parsed.day);
    }
}
