//! What the layer adds to one signature: a GET with a session token through `SigV4Layer` around a service that does
//! nothing, beside `Signer::sign` and that service alone, in turns in one process. And the same through
//! `SigV4Middleware`, beside a middleware that does nothing, each above one that responds at once.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::task::{Context, Poll};
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use clap::Parser;
use futures_util::FutureExt;
use http::{Extensions, Request, Response};
use http_body_util::Full;
use reqwest::ResponseBuilderExt;
use reqwest_middleware::{ClientWithMiddleware, Middleware, Next};
use sigv4_bench::cases::Case;
use sigv4_bench::report::{self, Rounds};
use sigv4_middleware::{Credentials, SigV4, SigV4Middleware, Signer};
use tower_service::Service;

const SUBJECTS: [&str; 5] = ["layer", "sign", "service", "middleware", "no-op"];

/// Measures what the layer adds to one signature.
#[derive(Parser)]
struct Options {
    /// A tenth of the rounds.
    #[arg(long)]
    quick: bool,
    /// Runs one subject alone, for a profiler.
    #[arg(long)]
    only: Option<String>,
    /// How many rounds of 200 requests.
    #[arg(long)]
    rounds: Option<usize>,
}

/// Takes a request and responds at once.
#[derive(Clone)]
struct Nothing;

impl Service<Request<Full<Bytes>>> for Nothing {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        black_box(&request);
        ready(Ok(Response::new(())))
    }
}

/// Passes requests on.
struct NoOp;

#[async_trait]
impl Middleware for NoOp {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        next.run(request, extensions).await
    }
}

/// Responds at once.
struct Responds;

#[async_trait]
impl Middleware for Responds {
    async fn handle(
        &self,
        request: reqwest::Request,
        _: &mut Extensions,
        _: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        let response = Response::builder().url(request.url().clone()).body("");
        response.map(Into::into).map_err(reqwest_middleware::Error::middleware)
    }
}

fn client(middleware: impl Middleware) -> ClientWithMiddleware {
    reqwest_middleware::ClientBuilder::new(reqwest::Client::new()).with(middleware).with(Responds).build()
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let rounds = options.rounds.unwrap_or(if options.quick { 60 } else { 600 });
    let case = Case::all().into_iter().find(|case| case.name == "get-token").ok_or("no such case")?;
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", case.session_token(), None, "bench");
    let signer =
        Signer::builder().credentials(credentials).service(case.service).region("us-east-1").build()?;
    let parts = case.parts()?;
    let request = || Request::from_parts(parts.clone(), Full::<Bytes>::default());
    let mut layered = SigV4::new(Nothing, signer.clone());
    let mut plain = Nothing;
    let (signed, unsigned) = (client(SigV4Middleware::new(signer.clone())), client(NoOp));
    let of_reqwest = |request: Request<Full<Bytes>>| {
        reqwest::Request::try_from(request.map(|_| reqwest::Body::from(Bytes::new())))
    };

    let mut figures = Rounds::new("get-token", "GET, session token", &SUBJECTS);
    for _ in 0..rounds {
        for (subject, times) in &mut figures.subjects {
            if options.only.as_ref().is_some_and(|only| only != subject) {
                continue;
            }
            let requests: Vec<_> = std::iter::repeat_with(request).take(200).collect();
            if let Some(client) = [("middleware", &signed), ("no-op", &unsigned)]
                .into_iter()
                .find_map(|(name, client)| (name == *subject).then_some(client))
            {
                let requests = requests.into_iter().map(of_reqwest).collect::<Result<Vec<_>, _>>()?;
                let started = Instant::now();
                for request in requests {
                    drop(client.execute(request).now_or_never().ok_or("the client waits")??);
                }
                times.push(started.elapsed().as_nanos() as f64 / 200.0);
                continue;
            }
            let started = Instant::now();
            for request in requests {
                match *subject {
                    "layer" => drop(layered.call(request).now_or_never().ok_or("the layer waits")??),
                    "sign" => {
                        let (mut parts, body) = request.into_parts();
                        signer.sign(&mut parts, "").now_or_never().ok_or("the signer waits")??;
                        black_box((&parts, &body));
                    }
                    _ => drop(plain.call(request).now_or_never().ok_or("the service waits")??),
                }
            }
            times.push(started.elapsed().as_nanos() as f64 / 200.0);
        }
    }
    report::print_heading("layer");
    figures.print("layer");
    let added = figures.median("layer") - figures.median("sign");
    // Each signs as `Signer::sign` does, whose time the service's is a part of.
    let signing = figures.median("sign") - figures.median("service");
    let by_middleware = figures.median("middleware") - figures.median("no-op") - signing;
    println!("the middleware adds {by_middleware:.0} ns to Signer::sign and one that does nothing (medians)");
    println!("the layer adds {added:.0} ns to Signer::sign (medians), {}", report::machine());
    Ok(())
}
