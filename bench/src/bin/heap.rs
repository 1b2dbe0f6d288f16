//! Counts the heap calls of one signature, apart from `signing`, whose times a counting allocator would falsify.
//!
//! Prints a line `CASE SUBJECT COUNT` for each: allocations and reallocations, after a first signature that fills
//! the signers' caches. `--in-flight` prints how many bytes a signed request keeps while its response is waited for,
//! beside an unsigned one, and one that was signed beforehand: futures, heads and signatures, above a client that does
//! nothing.

use std::alloc::System;
use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Extensions, Request, Response};
use http_body_util::Full;
use reqwest_middleware::{Middleware, Next};
use sigv4_bench::cases::Case;
use sigv4_bench::subjects;
use sigv4_middleware::{Credentials, SigV4, SigV4Middleware, Signer};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tower_service::Service;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Takes a request and never responds.
#[derive(Clone)]
struct Silent;

impl Service<Request<Full<Bytes>>> for Silent {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Kept;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Kept {
        Kept(request)
    }
}

/// Keeps a request, as a client does.
struct Kept(#[expect(dead_code, reason = "takes the place that it takes in a client")] Request<Full<Bytes>>);

impl Future for Kept {
    type Output = Result<Response<Full<Bytes>>, Infallible>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Pending
    }
}

/// As [`Silent`], at the end of a chain of middlewares.
struct SilentMiddleware;

#[async_trait]
impl Middleware for SilentMiddleware {
    async fn handle(
        &self,
        request: reqwest::Request,
        _: &mut Extensions,
        _: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        std::future::pending::<()>().await;
        drop(request);
        Err(reqwest_middleware::Error::middleware(std::io::Error::other("the end")))
    }
}

/// Bytes that a future takes in the heap, itself included, once it was polled and waits.
fn bytes_of<F: Future>(make: impl Fn() -> F) -> Result<usize, Box<dyn Error>> {
    let mut bytes = 0;
    // The second: the first fills caches.
    for _ in 0..2 {
        let region = Region::new(ALLOCATOR);
        let mut future = Box::pin(make());
        if future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return Err("it did not wait".into());
        }
        let change = region.change();
        bytes = change.bytes_allocated - change.bytes_deallocated;
    }
    Ok(bytes)
}

fn in_flight() -> Result<(), Box<dyn Error>> {
    let case = Case::named("get-token").ok_or("no such case")?;
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", case.session_token(), None, "bench");
    let signer =
        Signer::builder().credentials(credentials).service(case.service).region("us-east-1").build()?;
    let parts = case.parts()?;
    let request = || Request::from_parts(parts.clone(), Full::<Bytes>::default());
    let layered = SigV4::new(Silent, signer.clone());
    println!("in-flight tower plain {}", bytes_of(|| Silent.call(request()))?);
    let signed = || {
        let (mut parts, body) = request().into_parts();
        signer.sign(&mut parts, "").now_or_never().expect("the signer waits").expect("the case is signed");
        Request::from_parts(parts, body)
    };
    println!("in-flight tower headers {}", bytes_of(|| Silent.call(signed()))?);
    println!("in-flight tower signed {}", bytes_of(|| layered.clone().call(request()))?);

    let client = |signer: Option<&Signer>| {
        let builder = reqwest_middleware::ClientBuilder::new(reqwest::Client::new());
        let builder = match signer {
            Some(signer) => builder.with(SigV4Middleware::new(signer.clone())),
            None => builder,
        };
        builder.with(SilentMiddleware).build()
    };
    let (plain, signed) = (client(None), client(Some(&signer)));
    let request = || {
        let request = plain.get(parts.uri.to_string()).headers(parts.headers.clone());
        request.build().expect("the case is a request")
    };
    println!("in-flight reqwest plain {}", bytes_of(|| plain.execute(request()))?);
    println!("in-flight reqwest signed {}", bytes_of(|| signed.execute(request()))?);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().any(|argument| argument == "--in-flight") {
        return in_flight();
    }
    for case in Case::all() {
        for (name, subject) in subjects::all(&case)? {
            subject.signed()?;
            // The fewest of a few: the date's second may turn within one of them.
            let mut fewest = usize::MAX;
            for _ in 0..5 {
                subject.observe(&mut |sign| {
                    let region = Region::new(ALLOCATOR);
                    sign();
                    let change = region.change();
                    fewest = fewest.min(change.allocations + change.reallocations);
                })?;
            }
            println!("{} {name} {fewest}", case.name);
        }
    }
    Ok(())
}
