//! One transfer: send, retry, and write the response.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use http::request::Parts;
use reqwest::{Client, Response, Url};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use sigv4_middleware::diagnosis::Diagnosis;
use sigv4_middleware::{Diagnose, Endpoint, Error, SigV4Middleware, Signer, SigningDetails};

use crate::args::Args;
use crate::body::Body;
use crate::failure::Failure;
use crate::output::Output;
use crate::signer::redirects;
use crate::trace::{Head, Seen, Trace};
use crate::{change, explain, show};

/// curl's wait before the first retry, and the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// What became of a transfer, for `-w`.
pub(crate) struct Report {
    pub(crate) method: String,
    pub(crate) url: Url,
    pub(crate) head: Option<Head>,
    pub(crate) redirects: usize,
    pub(crate) retries: u32,
    pub(crate) uploaded: u64,
    pub(crate) downloaded: u64,
    pub(crate) time_to_head: Duration,
    pub(crate) time: Duration,
    pub(crate) remote: Option<std::net::SocketAddr>,
    pub(crate) file: Option<String>,
}

/// A request that can be sent any number of times.
pub(crate) struct Transfer<'a> {
    pub(crate) args: &'a Args,
    pub(crate) url: &'a Url,
    pub(crate) head: Parts,
    pub(crate) body: Body,
    pub(crate) client: Client,
    pub(crate) signer: Signer,
    /// Where the credentials come from.
    pub(crate) source: String,
}

impl Transfer<'_> {
    /// Sends it, and writes the response.
    pub(crate) async fn run(&self) -> (Report, Result<(), Failure>) {
        let (mut retries, mut wait) = (0, FIRST_WAIT);
        loop {
            let last = retries >= self.args.transfer.retry;
            let start = Instant::now();
            let seen = Arc::new(Mutex::new(Seen::default()));
            let mut report = self.report(retries);
            let attempt = self.attempt(start, &seen, last, &mut report);
            let result = match self.args.transfer.max_time.filter(|limit| !limit.is_zero()) {
                None => attempt.await,
                Some(limit) => tokio::time::timeout(limit, attempt).await.unwrap_or_else(|_| {
                    let message = format!("the transfer took longer than {} s", limit.as_secs_f64());
                    Err(Failure::timeout(message))
                }),
            };
            report.time = start.elapsed();
            if let Ok(seen) = seen.lock() {
                report.time_to_head = seen.time_to_head;
            }
            let asked = match result {
                Ok(Attempt::Written) => return (report, Ok(())),
                Ok(Attempt::Transient(asked)) => asked,
                Err(failure) if failure.code == Failure::TIMEOUT && !last => None,
                Err(failure) => return (report, Err(failure)),
            };
            let pause = asked.or(self.args.transfer.retry_delay).unwrap_or(wait);
            wait = (wait * 2).min(LONGEST_WAIT);
            if self.args.output.shows_messages() {
                eprintln!(
                    "sigv4-curl: the problem may pass; trying again in {} s, {} tries left",
                    pause.as_secs_f64(),
                    self.args.transfer.retry - retries
                );
            }
            tokio::time::sleep(pause).await;
            retries += 1;
        }
    }

    fn report(&self, retries: u32) -> Report {
        Report {
            method: self.head.method.to_string(),
            url: self.url.clone(),
            head: None,
            redirects: 0,
            retries,
            uploaded: self.body.len().unwrap_or(0),
            downloaded: 0,
            time_to_head: Duration::ZERO,
            time: Duration::ZERO,
            remote: None,
            file: None,
        }
    }

    async fn attempt(
        &self,
        start: Instant,
        seen: &Arc<Mutex<Seen>>,
        last: bool,
        report: &mut Report,
    ) -> Result<Attempt, Failure> {
        let output = &self.args.output;
        let client = self.signing_client(start, seen)?;
        let response = self.send(&client).await?;
        let remote = response.remote_addr();
        let (mut response, mut diagnosis) = response.diagnose().await;
        // The middleware cannot send a file again; by now the signer knows the server's clock.
        if !self.body.is_in_memory() && diagnosis.as_ref().is_some_and(explain::is_clock) {
            (response, diagnosis) = self.send(&client).await?.diagnose().await;
        }
        self.explain(&response, diagnosis.as_ref());
        let (status, redirects) = (response.status(), seen.lock().map(|seen| seen.redirects.clone()));
        let mut redirects = redirects.unwrap_or_default();
        if status.is_redirection() {
            redirects.pop();
        }
        report.url = response.url().clone();
        report.redirects = redirects.len();
        report.remote = remote;
        report.head = Some(Head::of(&response));
        if !last && is_transient(status) {
            return Ok(Attempt::Transient(retry_after(&response)));
        }
        let failed = status.is_client_error() || status.is_server_error();
        let http_failure = || {
            let code = response.headers().get("x-amzn-errortype").and_then(|code| code.to_str().ok());
            let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
            Failure::new(Failure::HTTP_STATUS, format!("the server responded with {status}{code}"))
        };
        if output.fail && failed {
            return Err(http_failure());
        }
        let after = (output.fail_with_body && failed).then(http_failure);
        let mut out = Output::open(self.args, self.url, report)?;
        if output.include || self.args.request.head {
            redirects.push(Head::of(&response));
            for head in &redirects {
                out.write(&head.to_bytes())?;
            }
        }
        out.body(response, report).await?;
        after.map_or(Ok(Attempt::Written), Err)
    }

    /// What was signed with `-v`, and why the request was refused if it was.
    fn explain(&self, response: &Response, diagnosis: Option<&Diagnosis>) {
        let output = &self.args.output;
        let details = response.extensions().get::<SigningDetails>();
        if let Some(details) = details.filter(|_| output.verbose) {
            show::details(details);
        }
        if let Some(diagnosis) = diagnosis.filter(|_| output.shows_messages()) {
            let change = change::for_diagnosis(diagnosis, response, self.args, &self.source);
            explain::print(diagnosis, change.as_ref());
        }
    }

    /// A client that signs above the trace, so that every try and every hop is seen in the form that is sent.
    fn signing_client(
        &self,
        start: Instant,
        seen: &Arc<Mutex<Seen>>,
    ) -> Result<ClientWithMiddleware, Failure> {
        let inferred = self.url.host_str().and_then(|host| Endpoint::infer(host).ok());
        let service = self.args.signing.service.as_deref();
        let is_s3 = service.or(inferred.as_ref().map(Endpoint::service)) == Some("s3");
        let signing =
            SigV4Middleware::new(self.signer.clone()).redirects(redirects(&self.args.transfer, is_s3)?);
        let trace = Trace { seen: Arc::clone(seen), start, verbose: self.args.output.verbose };
        Ok(ClientBuilder::new(self.client.clone()).with(signing).with(trace).build())
    }

    async fn send(&self, client: &ClientWithMiddleware) -> Result<Response, Failure> {
        let mut request = client
            .request(self.head.method.clone(), self.url.clone())
            .headers(self.head.headers.clone())
            .with_extension(self.body.payload_mode(self.args.signing.payload));
        if let Some(body) = self.body.to_reqwest(self.args.output.silent) {
            request = request.body(body);
        }
        request.send().await.map_err(|error| {
            if let Some(error) = Error::find(&error) {
                return Failure::signing(error, &self.source);
            }
            let failure = Failure::from(error);
            // Of the two, the proxy is resolved here.
            match failure.code {
                Failure::RESOLVE
                    if self.args.transfer.proxy.as_ref().is_some_and(|proxy| !proxy.is_empty()) =>
                {
                    Failure { code: Failure::RESOLVE_PROXY, ..failure }
                }
                _ => failure,
            }
        })
    }
}

enum Attempt {
    Written,
    /// To be sent again, after the time that the server asked for.
    Transient(Option<Duration>),
}

fn is_transient(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(RETRY_AFTER).map(HeaderValue::to_str)?.ok()?;
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(std::time::SystemTime::now()).unwrap_or_default())
}
