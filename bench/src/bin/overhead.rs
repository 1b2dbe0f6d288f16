//! What signing adds to a request, end to end: clients with and without it call a server on loopback.
//!
//! `seq` is one request at a time, `c64` 64 tasks at once; each client in turn, in one process. `headers` are clients
//! that sign nothing and add the headers of a signed request: what these take on their way, whoever makes them.

#[path = "../../footprint/naive.rs"]
mod naive;

use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use async_trait::async_trait;
use aws_credential_types::Credentials;
use bytes::Bytes;
use clap::Parser;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use naive::Naive;
use reqwest_middleware::{ClientWithMiddleware, Middleware, Next};
use serde_json::json;
use sigv4_bench::cases::{ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY};
use sigv4_bench::chart::{self, Group};
use sigv4_bench::figures;
use sigv4_bench::report::{self, Rounds};
use sigv4_middleware::{SigV4, SigV4Middleware, Signer};
use tokio::net::TcpListener;
use tower::{Service, ServiceExt};

type BoxError = Box<dyn Error + Send + Sync>;
type Sent<'a> = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send + 'a>>;

const SERVICE: &str = "execute-api";
const SUBJECTS: [&str; 10] = [
    "ours",
    "headers",
    "plain",
    "naive",
    "ours-hyper",
    "headers-hyper",
    "plain-hyper",
    "ours-grpc",
    "headers-grpc",
    "plain-grpc",
];

/// Measures what signing adds to a request, and writes docs/overhead.json and docs/overhead.svg.
#[derive(Parser)]
struct Options {
    /// A tenth of the rounds; writes no files.
    #[arg(long)]
    quick: bool,
    /// Compares with docs/overhead.json, prints what became worse by more than noise, and fails then; writes no files.
    #[arg(long)]
    check: bool,
    /// Runs one subject alone, for a profiler; writes no files.
    #[arg(long)]
    only: Option<String>,
}

/// A client of one kind.
trait Caller: Send + Sync {
    fn call<'a>(&'a self, url: &'a str) -> Sent<'a>;
}

impl Caller for ClientWithMiddleware {
    fn call<'a>(&'a self, url: &'a str) -> Sent<'a> {
        Box::pin(async move {
            let response = self.get(url).header("x-amz-target", "Orders.List").send().await?;
            response.error_for_status()?.bytes().await?;
            Ok(())
        })
    }
}

fn request(url: &str) -> Result<Request<Full<Bytes>>, http::Error> {
    Request::get(url).header("x-amz-target", "Orders.List").body(Full::default())
}

impl Caller for Client<HttpConnector, Full<Bytes>> {
    fn call<'a>(&'a self, url: &'a str) -> Sent<'a> {
        Box::pin(async move {
            let response = self.request(request(url)?).await?;
            response.into_body().collect().await?;
            Ok(())
        })
    }
}

/// A GET over HTTP/1.1 through a layer.
struct Get<S>(S);

impl<S> Caller for Get<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<hyper::body::Incoming>> + Clone + Send + Sync,
    S::Future: Send,
    S::Error: Error + Send + Sync + 'static,
{
    fn call<'a>(&'a self, url: &'a str) -> Sent<'a> {
        Box::pin(async move {
            let response = self.0.clone().oneshot(request(url)?).await?;
            response.into_body().collect().await?;
            Ok(())
        })
    }
}

/// Adds the headers of a signed request, always the same ones.
#[derive(Clone)]
struct SameHeaders<S> {
    headers: HeaderMap,
    service: S,
}

#[async_trait]
impl Middleware for SameHeaders<()> {
    async fn handle(
        &self,
        mut request: reqwest::Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        request.headers_mut().extend(self.headers.clone());
        next.run(request, extensions).await
    }
}

impl<S: Service<Request<Full<Bytes>>>> Service<Request<Full<Bytes>>> for SameHeaders<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Full<Bytes>>) -> S::Future {
        request.headers_mut().extend(self.headers.clone());
        self.service.call(request)
    }
}

/// The headers that signing adds.
async fn headers_of_signature(signer: &Signer) -> Result<HeaderMap, BoxError> {
    let (mut head, ()) = Request::get("http://127.0.0.1/prod/orders?limit=10").body(())?.into_parts();
    head.headers.insert("x-amz-target", HeaderValue::from_static("Orders.List"));
    signer.sign(&mut head, "").await?;
    head.headers.remove("x-amz-target");
    Ok(head.headers)
}

fn credentials() -> Credentials {
    let token = "IQoJb3JpZ2luX2VjEXAMPLE/".chars().cycle().take(1000).collect();
    Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY, Some(token), None, "bench")
}

/// One client of each kind, in the order of [`SUBJECTS`].
async fn callers() -> Result<Vec<Box<dyn Caller>>, BoxError> {
    let signer = Signer::builder().credentials(credentials()).service(SERVICE).region(REGION).build()?;
    let headers = headers_of_signature(&signer).await?;
    let reqwest = || {
        Ok::<_, BoxError>(reqwest_middleware::ClientBuilder::new(sigv4_middleware::reqwest_client().build()?))
    };
    let hyper = Client::builder(TokioExecutor::new());
    let h1 = || hyper.build_http::<Full<Bytes>>();
    // As tonic does: a message that waits for company would be all that is measured.
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let h2 = || hyper.clone().http2_only(true).build::<_, Full<Bytes>>(connector.clone());
    let naive = Naive { identity: credentials().into(), region: REGION.into(), service: SERVICE };
    Ok(vec![
        Box::new(reqwest()?.with(SigV4Middleware::new(signer.clone())).build()),
        Box::new(reqwest()?.with(SameHeaders { headers: headers.clone(), service: () }).build()),
        Box::new(reqwest()?.build()),
        Box::new(reqwest()?.with(naive).build()),
        Box::new(Get(SigV4::new(h1(), signer.clone()))),
        Box::new(Get(SameHeaders { headers: headers.clone(), service: h1() })),
        Box::new(h1()),
        Box::new(Grpc(SigV4::new(h2(), signer))),
        Box::new(Grpc(SameHeaders { headers, service: h2() })),
        Box::new(Grpc(h2())),
    ])
}

/// A unary gRPC call over HTTP/2, as tonic makes it: one message of 64 bytes there, one back, and trailers.
struct Grpc<S>(S);

impl<S> Caller for Grpc<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<hyper::body::Incoming>> + Clone + Send + Sync,
    S::Future: Send,
    S::Error: Error + Send + Sync + 'static,
{
    fn call<'a>(&'a self, url: &'a str) -> Sent<'a> {
        Box::pin(async move {
            let mut message = vec![0; 5 + 64];
            message[4] = 64;
            let request = Request::post(url)
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .header("x-amz-target", "Orders.List")
                .body(Full::from(message))?;
            let response = self.0.clone().oneshot(request).await?;
            let body = response.into_body().collect().await?;
            match body.trailers().and_then(|trailers| trailers.get("grpc-status")) {
                Some(status) if status == "0" => Ok(()),
                _ => Err("the call has no status".into()),
            }
        })
    }
}

async fn serve_grpc(listener: TcpListener) {
    let answer = |request: Request<hyper::body::Incoming>| async {
        request.into_body().collect().await?;
        let message = Full::new(Bytes::from_static(&[0, 0, 0, 0, 2, b'{', b'}']));
        let trailers = [(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))];
        let trailers = std::future::ready(Some(Ok(trailers.into_iter().collect())));
        let response = Response::builder().header("content-type", "application/grpc");
        Ok::<_, BoxError>(response.body(message.with_trailers(trailers))?)
    };
    while let Ok((stream, _)) = listener.accept().await {
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        tokio::spawn(
            hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service_fn(answer)),
        );
    }
}

async fn serve(listener: TcpListener) {
    let answer = |_: Request<hyper::body::Incoming>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"{}"))))
    };
    while let Ok((stream, _)) = listener.accept().await {
        // Small packets that wait for company would be all that is measured.
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer)),
        );
    }
}

/// Nanoseconds for one of `tasks` times `each` requests.
async fn round(
    caller: &'static dyn Caller,
    url: &'static str,
    tasks: usize,
    each: usize,
) -> Result<f64, BoxError> {
    let start = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..tasks {
        running.spawn(async move {
            for _ in 0..each {
                caller.call(url).await?;
            }
            Ok::<_, BoxError>(())
        });
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(start.elapsed().as_nanos() as f64 / (tasks * each) as f64)
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), BoxError> {
    let options = Options::parse();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    // Kept to the end: tasks borrow them.
    let url: &str =
        Box::leak(format!("http://{}/prod/orders?limit=10", listener.local_addr()?).into_boxed_str());
    tokio::spawn(serve(listener));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let grpc: &str =
        Box::leak(format!("http://{}/orders.Orders/List", listener.local_addr()?).into_boxed_str());
    tokio::spawn(serve_grpc(listener));
    let url_of = |at: usize| if SUBJECTS[at].ends_with("-grpc") { grpc } else { url };
    let callers: &[Box<dyn Caller>] = Box::leak(callers().await?.into_boxed_slice());

    let mut results = Vec::new();
    report::print_heading("ours");
    for (case, title, tasks, each) in
        [("seq", "one request at a time", 1, 200), ("c64", "64 tasks at once", 64, 16)]
    {
        let mut rounds = Rounds::new(case, title, &SUBJECTS);
        let count = if options.quick { 6 } else { 60 };
        let is_wanted = |at: &usize| options.only.as_ref().is_none_or(|only| only == SUBJECTS[*at]);
        let wanted: Vec<usize> = (0..callers.len()).filter(is_wanted).collect();
        for &at in &wanted {
            round(&*callers[at], url_of(at), tasks, each).await?;
        }
        for turn in 0..count {
            for at in 0..wanted.len() {
                let at = wanted[(at + turn) % wanted.len()];
                rounds.subjects[at].1.push(round(&*callers[at], url_of(at), tasks, each).await?);
            }
        }
        rounds.print("ours");
        results.push(rounds);
    }
    for rounds in &results {
        for peer in ["plain", "naive"] {
            println!("ratio {} {peer} {:.3}", rounds.case, rounds.ratio("ours", peer));
        }
        for client in ["hyper", "grpc"] {
            let ratio = rounds.ratio(&format!("ours-{client}"), &format!("plain-{client}"));
            println!("ratio {}-{client} plain {ratio:.3}", rounds.case);
        }
        for client in ["", "-hyper", "-grpc"] {
            let ratio = rounds.ratio(&format!("headers{client}"), &format!("plain{client}"));
            println!("ratio {}{client} plain {ratio:.3}, if only the headers are sent", rounds.case);
        }
    }
    if options.check {
        let checked_in = figures::checked_in("overhead").map_err(|error| error.to_string())?;
        let checks = results.iter().map(|rounds| rounds.check(&checked_in, "ours", &["plain", "naive"]));
        let good = checks.filter(|good| !good).count() == 0;
        return if good { Ok(()) } else { Err("some ratios became worse".into()) };
    }
    if options.quick || options.only.is_some() {
        return Ok(());
    }
    let cases: Vec<_> = results
        .iter()
        .map(|rounds| {
            let mut figures = rounds.json("ours");
            for client in ["hyper", "grpc"] {
                let ratio = rounds.ratio(&format!("ours-{client}"), &format!("plain-{client}"));
                figures[format!("{client}_ratio")] = ((ratio * 1e3).round() / 1e3).into();
            }
            for (name, client) in [("", ""), ("hyper_", "-hyper"), ("grpc_", "-grpc")] {
                let ratio = rounds.ratio(&format!("headers{client}"), &format!("plain{client}"));
                figures[format!("{name}headers_ratio")] = ((ratio * 1e3).round() / 1e3).into();
            }
            figures
        })
        .collect();
    let figures =
        json!({ "machine": report::machine(), "unit": "nanoseconds for one request", "cases": cases });
    report::write("overhead", &figures, &drawn(&results)).map_err(|error| error.to_string().into())
}

fn drawn(results: &[Rounds]) -> String {
    const BARS: [(&str, &str); 4] = [
        ("ours", "signed by this crate"),
        ("headers", "the same headers, not signed"),
        ("plain", "unsigned"),
        ("naive", "aws-sigv4 by hand"),
    ];
    let clients = [("", "reqwest"), ("-hyper", "hyper"), ("-grpc", "gRPC")];
    let group = |rounds: &Rounds, (suffix, client): (&str, &str)| {
        let bars = BARS.iter().filter_map(|(name, display)| {
            let name = SUBJECTS.into_iter().find(|subject| *subject == format!("{name}{suffix}"))?;
            let ratio = rounds.ratio(name, &format!("plain{suffix}"));
            let label = format!("{ratio:.2} ({:.1} \u{b5}s)", rounds.median(name) / 1e3);
            Some(((*display).to_owned(), ratio, label))
        });
        Group { title: format!("{client}, {}", rounds.title), bars: bars.collect() }
    };
    let groups: Vec<_> =
        results.iter().flat_map(|rounds| clients.map(|client| group(rounds, client))).collect();
    let notes = [
        "Time for one GET, relative to the same client without signing; shorter is better. Server in the same process, \
         session token of 1,000 characters."
            .to_owned(),
        format!("Medians of interleaved rounds over loopback. {}.", report::machine()),
    ];
    chart::draw("What signing adds to a request over loopback", &notes, &groups)
}
