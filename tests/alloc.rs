//! What signing costs on the heap, counted by an allocator that counts the calls of its own thread.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Empty, Full};
use sigv4_middleware::{BoxError, Credentials, Payload, SigV4Guard, SigV4Layer, SignedBody, Signer};
use tower::{Layer, Service};

const MIB: usize = 1024 * 1024;

/// A signer that has its credentials already; it needs no runtime from then on.
fn signer(token: Option<String>) -> Signer {
    signer_with(token, false)
}

fn signer_with(token: Option<String>, record: bool) -> Signer {
    let signer = Signer::builder()
        .credentials(Credentials::new("AKIDEXAMPLE", "secret", token, None, "alloc"))
        .service("execute-api")
        .region("eu-west-1")
        .allow_host("api.example.com")
        .scope_overrides_host(true)
        .record_signing_details(record)
        .build()
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(signer.sign(&mut head("GET", "/", &[]), "")).unwrap();
    signer
}

fn token() -> Option<String> {
    Some("t".repeat(1000))
}

/// Runs a future that is ready at once: neither a runtime nor a timer is counted.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("waits although everything lies in memory"),
    }
}

/// Allocations (a reallocation is one, too) of one call, once the caches are warm; the least of a few, because a
/// new second begins now and then.
fn least(mut call: impl FnMut() -> AllocationInfo) -> AllocationInfo {
    (0..5).map(|_| call()).min_by_key(|info| info.count_total).unwrap()
}

fn head(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(format!("https://api.example.com{target}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn cost_of_signing(signer: &Signer, head: &Parts, payload: &[u8]) -> AllocationInfo {
    least(|| {
        let mut parts = head.clone();
        let info = measure(|| ready(signer.sign(&mut parts, Payload::from(payload))).unwrap());
        assert!(parts.headers.contains_key("authorization"));
        info
    })
}

const HEADERS: [(&str, &str); 5] = [
    ("host", "api.example.com"),
    ("content-type", "application/json"),
    ("accept", "*/*"),
    ("x-amz-target", "Orders.Get"),
    ("user-agent", "a client"),
];

#[test]
fn a_get_with_a_token_takes_four_heap_calls_at_most() {
    let info = cost_of_signing(&signer(token()), &head("GET", "/prod/orders/42", &HEADERS), b"");
    assert!((1..=4).contains(&info.count_total), "{info:?}");
    assert!(info.bytes_total < 2048, "{info:?}");
}

#[test]
fn a_get_without_a_token_takes_no_more() {
    let info = cost_of_signing(&signer(None), &head("GET", "/prod/orders/42", &HEADERS), b"");
    assert!((1..=4).contains(&info.count_total), "{info:?}");
}

#[test]
fn parameters_and_headers_take_none_of_their_own() {
    let query: Vec<String> = (0..12).map(|at| format!("key-{at}=value-{at}")).collect();
    let target = format!("/prod/orders?{}", query.join("&"));
    let names: Vec<String> = (0..15).map(|at| format!("x-amz-meta-{at}")).collect();
    let headers: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "a value")).collect();
    let info = cost_of_signing(&signer(token()), &head("GET", &target, &headers), b"");
    assert!((1..=4).contains(&info.count_total), "{info:?}");
}

#[test]
fn a_target_to_be_rewritten_takes_a_few_whatever_its_length() {
    let cost = |parameters: usize| {
        let query: Vec<String> = (0..parameters).map(|at| format!("a:{at}=b/{at}")).collect();
        let target = format!("/prod/orders?{}", query.join("&"));
        cost_of_signing(&signer(token()), &head("GET", &target, &HEADERS), b"").count_total
    };
    assert!(cost(14) <= 12, "{}", cost(14));
    // Beyond what lies on the stack, the parameters' list and the strings grow, by doubling.
    assert!(cost(400) <= cost(14) + 12, "{} against {}", cost(400), cost(14));
}

#[test]
fn a_payload_is_hashed_where_it_lies() {
    let (signer, body) = (signer(token()), vec![7; MIB]);
    let head = head("POST", "/prod/orders", &HEADERS);
    let info = cost_of_signing(&signer, &head, &body);
    assert!(info.count_total <= 4 && info.bytes_total < 2048, "{info:?}");
}

/// A guard makes its signer note each request, and only then; a record is made only where it is wanted.
#[test]
fn what_is_noted_for_a_guard_or_recorded_costs_nothing_when_it_is_not() {
    let through = |signer: &Signer| {
        let client = tower::service_fn(|_: Request<Full<Bytes>>| async {
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        });
        let mut service = SigV4Layer::new(signer.clone()).layer(client);
        let info = least(|| {
            let request = Request::from_parts(head("GET", "/prod/orders", &HEADERS), Full::default());
            measure(|| drop(ready(service.call(request)).unwrap()))
        });
        info.count_total
    };
    let plain = through(&signer(token()));
    let recording = through(&signer_with(token(), true));
    let guarded = signer(token());
    drop(SigV4Guard::new(&guarded));
    let guarded = through(&guarded);
    println!("heap calls through the layer: {plain}; recording: {recording}; guarded: {guarded}");
    // Four of the signature, the future, and the headers for a second attempt.
    assert!(plain <= 6, "{plain}");
    assert!(plain + 4 < recording && plain + 4 < guarded, "{plain}, {recording}, {guarded}");
}

/// What a request takes while its response is waited for: the future in one box, and the headers for a second attempt.
/// Beyond 1,032 bytes, glibc takes several times as long for the box.
#[test]
fn a_request_in_flight_takes_one_small_box() {
    let client = tower::service_fn(|request: Request<Full<Bytes>>| async move {
        drop(request);
        std::future::pending::<Result<Response<Empty<Bytes>>, Infallible>>().await
    });
    let mut service = SigV4Layer::new(signer(token())).layer(client);
    let info = least(|| {
        let mut waiting = None;
        let info = measure(|| {
            let request = Request::from_parts(head("GET", "/prod/orders", &HEADERS), Full::default());
            let mut response = service.call(request);
            let polled = Pin::new(&mut response).poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending());
            waiting = Some(response);
        });
        drop(waiting);
        info
    });
    println!("in flight: {} bytes in {} pieces", info.bytes_current, info.count_current);
    assert!(info.bytes_current <= 1200, "{info:?}");
}

/// A body of one frame that counts how often it is asked for frames.
struct Counted {
    bytes: Option<Bytes>,
    polls: Arc<AtomicUsize>,
}

impl Body for Counted {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.polls.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, Bytes::len) as u64)
    }
}

/// Sends a body through the layer, and gives the frames that arrive below, and what all of it cost.
fn through_the_layer<B>(body: impl Fn() -> B) -> (Vec<Bytes>, AllocationInfo)
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let arrived = Arc::new(Mutex::new(Vec::new()));
    let client = {
        let arrived = Arc::clone(&arrived);
        tower::service_fn(move |request: Request<SignedBody<B>>| {
            let arrived = Arc::clone(&arrived);
            async move {
                let mut body = pin!(request.into_body());
                let mut frames = Vec::new();
                while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
                    frames.push(frame?.into_data().unwrap());
                }
                *arrived.lock().unwrap() = frames;
                Ok::<_, BoxError>(Response::new(Empty::<Bytes>::new()))
            }
        })
    };
    let mut service =
        SigV4Layer::new(signer(token())).map_body(std::convert::identity::<SignedBody<B>>).layer(client);
    let info = least(|| {
        let request = Request::from_parts(head("POST", "/prod/orders", &HEADERS), body());
        measure(|| drop(ready(service.call(request)).unwrap()))
    });
    let frames = arrived.lock().unwrap().clone();
    (frames, info)
}

#[test]
fn a_body_in_memory_goes_through_the_layer_uncopied() {
    let bytes = Bytes::from(vec![7; MIB]);
    let (frames, info) = through_the_layer(|| Full::new(bytes.clone()));
    assert_eq!(frames.len(), 1);
    assert_eq!((frames[0].as_ptr(), frames[0].len()), (bytes.as_ptr(), MIB));
    assert!(info.bytes_total < 16 * 1024, "{info:?}");
}

/// That a body is hashed once cannot be counted from without. What can: its frames are asked for once.
/// Buffering hashes a frame as it comes, and what signs the request is given that hash, not the bytes.
#[test]
fn a_body_is_read_once() {
    let (polls, bytes) = (Arc::new(AtomicUsize::new(0)), Bytes::from(vec![7; MIB]));
    let runs = AtomicUsize::new(0);
    let (frames, info) = through_the_layer(|| {
        runs.fetch_add(1, Ordering::SeqCst);
        Counted { bytes: Some(bytes.clone()), polls: Arc::clone(&polls) }
    });
    assert_eq!(frames[0].as_ptr(), bytes.as_ptr());
    let per_request = polls.load(Ordering::SeqCst) / runs.load(Ordering::SeqCst);
    assert_eq!(per_request, 2, "one frame, and the end");
    assert!(info.bytes_total < 16 * 1024, "{info:?}");
}
