//! The checks, in the order in which a person would make them.

use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use http::Method;
use http::header::DATE;
use http::request::Parts;
use reqwest::{Client, Response, Url};
use reqwest_middleware::ClientBuilder;
use sigv4_middleware::diagnosis::{Cause, Diagnosis};
use sigv4_middleware::{Diagnose, Endpoint, Error, ErrorKind, Payload, SigV4Middleware, SigningDetails};

use super::caller_identity::{self, CallerIdentity};
use super::report::{Report, Status, Step, Verdict};
use crate::args::{Args, PayloadArg};
use crate::body::Body;
use crate::change::{self, Change};
use crate::credentials::{self, Identity};
use crate::failure::Failure;
use crate::terminal::printable;
use crate::{advice, connect, request, signer};

/// What is assumed of an endpoint that says neither, to learn from its refusal.
const GUESSED_SERVICE: &str = "execute-api";
const GUESSED_REGION: &str = "us-east-1";

/// How long credentials may take to load.
const LOADING: Duration = Duration::from_secs(30);

/// Clocks that differ by more are refused; by more than the second, they soon may be.
const REFUSED_SECONDS: i64 = 300;
const NOTICED_SECONDS: i64 = 60;

pub(super) struct Checks<'a> {
    args: &'a Args,
    sts_endpoint: Option<String>,
    steps: Vec<Step>,
    /// Of the first check that failed.
    outcome: Option<(Verdict, Option<Change>)>,
    diagnosis: Option<Diagnosis>,
}

impl<'a> Checks<'a> {
    pub(super) fn new(args: &'a Args, sts_endpoint: Option<String>) -> Self {
        Self { args, sts_endpoint, steps: Vec::new(), outcome: None, diagnosis: None }
    }

    pub(super) async fn run(mut self) -> Report {
        if let Err(failure) = self.all().await {
            self.fail("request", vec![failure.message], Verdict::Other, None);
        }
        let (verdict, change) = self.outcome.unwrap_or((Verdict::Accepted, None));
        Report { steps: self.steps, verdict, diagnosis: self.diagnosis, change }
    }

    fn note(&mut self, name: &'static str, status: Status, found: Vec<String>) {
        let found = found.iter().flat_map(|text| text.lines()).map(printable).collect();
        self.steps.push(Step { name, status, found });
    }

    fn fail(&mut self, name: &'static str, found: Vec<String>, verdict: Verdict, change: Option<Change>) {
        self.note(name, Status::Failed, found);
        self.outcome.get_or_insert((verdict, change));
    }

    /// # Errors
    /// For a command line that makes no request.
    async fn all(&mut self) -> Result<(), Failure> {
        let url = request::url(self.args)?;
        let body = Body::from_args(self.args).await?;
        let head = request::head(self.args, &url, &body)?;
        let mut identity =
            Identity::from_args(&self.args.signing, url.host_str(), self.args.reads_stdin()).await?;
        let keys = self.credentials(&identity).await;
        let has_credentials = keys.is_some();
        if let Some(keys) = keys {
            // Loaded once: the code of an MFA device is good for one call.
            identity.provider = SharedCredentialsProvider::new(keys);
            self.caller_identity(&identity, &url).await;
        }
        let scoped = self.scope(&identity, &url, &head).await;
        let client = connect::client(self.args, &url)?;
        if !self.dns(&url).await {
            return Ok(());
        }
        let (connected, skew) = self.unsigned(&client, &url, &head).await;
        if let (true, true, Some(args)) = (connected, has_credentials, scoped) {
            self.signed(&args, &identity, client, &url, &head, &body).await;
        } else {
            self.note("signed call", Status::Skipped, vec!["for what is wrong above".to_owned()]);
        }
        // Signed requests recover from a wrong clock; those of other programs may not.
        if let Some(seconds) = skew.filter(|seconds| seconds.abs() >= REFUSED_SECONDS) {
            self.outcome.get_or_insert((Verdict::Clock, Some(change::clock(seconds))));
        }
        Ok(())
    }

    async fn credentials(&mut self, identity: &Identity) -> Option<Credentials> {
        const NAME: &str = "credentials";
        let source = format!("from {}", identity.source);
        let loaded = tokio::time::timeout(LOADING, identity.provider.provide_credentials()).await;
        let keys = match loaded {
            Ok(Ok(keys)) => keys,
            Ok(Err(error)) => {
                let causes = advice::causes_of(&error);
                let change = Change::text(advice::GET_CREDENTIALS.trim());
                self.fail(NAME, vec![source, causes], Verdict::Credentials, Some(change));
                return None;
            }
            Err(_) => {
                let found = vec![source, format!("they did not load in {} s", LOADING.as_secs())];
                let change = Change::text(advice::GET_CREDENTIALS.trim());
                self.fail(NAME, found, Verdict::Credentials, Some(change));
                return None;
            }
        };
        let source = match credentials::feature(&keys) {
            Some(feature) => format!("{source}: {feature}"),
            None => source,
        };
        let mut found = vec![source, format!("access key id {}", keys.access_key_id()), lifetime(&keys)];
        if keys.expiry().is_some_and(|expiry| expiry <= SystemTime::now()) {
            let change = change::credentials(&identity.source, &change::ALL_KEYS, "they have expired");
            self.fail(NAME, found, Verdict::Credentials, Some(change));
            return None;
        }
        if keys.access_key_id().starts_with("ASIA") && keys.session_token().is_none() {
            found.push("keys that begin with ASIA are temporary, and there is no session token".to_owned());
            let change =
                change::credentials(&identity.source, &["AWS_SESSION_TOKEN"], "temporary keys need it");
            self.fail(NAME, found, Verdict::Credentials, Some(change));
            return None;
        }
        if keys.access_key_id().starts_with("AKIA") && keys.session_token().is_some() {
            found.push("keys that begin with AKIA are long-lived, and have no session token: unset AWS_SESSION_TOKEN".to_owned());
            self.note(NAME, Status::Warning, found);
        } else {
            self.note(NAME, Status::Passed, found);
        }
        Some(keys)
    }

    async fn caller_identity(&mut self, identity: &Identity, url: &Url) {
        const NAME: &str = "identity";
        match caller_identity::ask(identity, self.sts_endpoint.as_deref()).await {
            CallerIdentity::Arn(arn) => self.note(NAME, Status::Passed, vec![arn]),
            CallerIdentity::Unreachable(why) => {
                self.note(NAME, Status::Skipped, vec![format!("STS cannot be asked: {why}")]);
            }
            CallerIdentity::Refused(why) => {
                let found = vec![format!("STS does not take them: {why}")];
                // Keys of a server that is not AWS's are not known to AWS.
                if is_aws(url) {
                    let change =
                        change::credentials(&identity.source, &change::ALL_KEYS, "STS does not take them");
                    self.fail(NAME, found, Verdict::Credentials, Some(change));
                } else {
                    self.note(NAME, Status::Warning, found);
                }
            }
        }
    }

    /// Whom the request is signed for, found out without sending anything; with what has to be guessed.
    async fn scope(&mut self, identity: &Identity, url: &Url, head: &Parts) -> Option<Args> {
        const NAME: &str = "host";
        let host = url.host_str().unwrap_or_default();
        let mut found = vec![match Endpoint::infer_with_path(host, url.path()) {
            Ok(endpoint) => format!(
                "{host} is of service {}, region {} ({})",
                endpoint.service(),
                endpoint.region().or(endpoint.region_set()).unwrap_or("unknown"),
                endpoint.rule()
            ),
            Err(_) => format!("{host} is not a host of AWS's that is known"),
        }];
        let mut args = self.args.clone();
        let mut guessed = Vec::new();
        loop {
            match dry_run(&args, identity, head).await {
                Ok(details) => {
                    found.push(format!("signed for {}", details.scope().unwrap_or("nothing")));
                    let status = if guessed.is_empty() { Status::Passed } else { Status::Warning };
                    if !guessed.is_empty() {
                        found.push(format!("not configured and guessed: {}", guessed.join(", ")));
                    }
                    self.note(NAME, status, found);
                    return Some(args);
                }
                Err(failure)
                    if failure.kind == ErrorKind::ScopeUnknown
                        && args.signing.service.is_none()
                        && guessed.is_empty() =>
                {
                    args.signing.service = Some(GUESSED_SERVICE.to_owned());
                    guessed.push("service");
                }
                Err(failure) if failure.kind == ErrorKind::ScopeUnknown && args.signing.region.is_none() => {
                    args.signing.region = Some(GUESSED_REGION.to_owned());
                    guessed.push("region");
                }
                Err(failure) => {
                    found.push(failure.message.clone());
                    let change = failure.change(self.args);
                    self.fail(NAME, found, Verdict::Scope, Some(change));
                    return None;
                }
            }
        }
    }

    async fn dns(&mut self, url: &Url) -> bool {
        const NAME: &str = "DNS";
        let transfer = &self.args.transfer;
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or(443);
        if !transfer.resolve.is_empty() || transfer.proxy.is_some() {
            self.note(NAME, Status::Skipped, vec!["by --resolve or -x".to_owned()]);
            return true;
        }
        let name = host.trim_start_matches('[').trim_end_matches(']');
        match tokio::net::lookup_host((name, port)).await {
            Ok(addresses) => {
                let addresses: Vec<String> = addresses.map(|address| address.ip().to_string()).collect();
                self.note(NAME, Status::Passed, vec![addresses.join(", ")]);
                true
            }
            Err(error) => {
                let text = format!(
                    "correct the host in the URL, or give its address: --resolve {host}:{port}:ADDRESS"
                );
                let change = Change {
                    add: vec!["--resolve".to_owned(), format!("{host}:{port}:ADDRESS")],
                    ..Change::text(text)
                };
                self.fail(
                    NAME,
                    vec![format!("{host} has no address: {error}")],
                    Verdict::Connection,
                    Some(change),
                );
                false
            }
        }
    }

    /// Whether the server can be reached, and by how much its clock is ahead.
    async fn unsigned(&mut self, client: &Client, url: &Url, head: &Parts) -> (bool, Option<i64>) {
        const NAME: &str = "unsigned call";
        if !matches!(head.method, Method::GET | Method::HEAD) {
            let found = format!("a {} might be carried out; the signed call is made once", head.method);
            self.note(NAME, Status::Skipped, vec![found]);
            return (true, None);
        }
        let start = Instant::now();
        let sent = client.request(head.method.clone(), url.clone()).headers(head.headers.clone()).send();
        let response = match sent.await {
            Ok(response) => response,
            Err(error) => {
                let failure = Failure::from(error);
                let change = connection(&failure, url);
                self.fail("connection", vec![failure.message], Verdict::Connection, Some(change));
                return (false, None);
            }
        };
        let took = start.elapsed();
        let tls = if url.scheme() == "https" { "TLS and " } else { "" };
        self.note(
            "connection",
            Status::Passed,
            vec![format!("{tls}{:?} in {} ms", response.version(), took.as_millis())],
        );
        let skew = self.clock(&response, took);
        let status = response.status();
        if status.is_success() {
            self.note(
                NAME,
                Status::Warning,
                vec![format!("{status}: the server takes the request without a signature, too")],
            );
        } else {
            self.note(NAME, Status::Passed, vec![format!("{status}, as it should be without a signature")]);
        }
        (true, skew)
    }

    fn clock(&mut self, response: &Response, took: Duration) -> Option<i64> {
        const NAME: &str = "clock";
        let date =
            response.headers().get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
        let Some(date) = date else {
            self.note(NAME, Status::Skipped, vec!["the response has no Date".to_owned()]);
            return None;
        };
        let seconds = |time: SystemTime| {
            time.duration_since(SystemTime::UNIX_EPOCH)
                .map_or(0, |time| i64::try_from(time.as_secs()).unwrap_or(0))
        };
        let ahead = seconds(date) - seconds(SystemTime::now() - took / 2);
        let found = match ahead.abs() {
            0..=1 => "that of the server".to_owned(),
            off => format!("{off} s {} the server's", if ahead > 0 { "behind" } else { "ahead of" }),
        };
        let status = match ahead.abs() {
            off if off >= REFUSED_SECONDS => Status::Failed,
            off if off >= NOTICED_SECONDS => Status::Warning,
            _ => Status::Passed,
        };
        self.note(NAME, status, vec![found]);
        Some(ahead)
    }

    async fn signed(
        &mut self,
        args: &Args,
        identity: &Identity,
        client: Client,
        url: &Url,
        head: &Parts,
        body: &Body,
    ) {
        const NAME: &str = "signed call";
        let sent = async {
            let signer = signer::build(&args.signing, identity)?;
            let client = ClientBuilder::new(client).with(SigV4Middleware::new(signer)).build();
            let mut request = client
                .request(head.method.clone(), url.clone())
                .headers(head.headers.clone())
                .with_extension(body.payload_mode(args.signing.payload));
            if let Some(body) = body.to_reqwest(true) {
                request = request.body(body);
            }
            Ok::<_, Failure>(request.send().await?.diagnose().await)
        };
        let (response, diagnosis) = match sent.await {
            Ok(sent) => sent,
            Err(failure) => {
                let (verdict, change) = match failure.code {
                    Failure::SIGNING => (Verdict::Other, None),
                    _ => (Verdict::Connection, Some(connection(&failure, url))),
                };
                self.fail(NAME, vec![failure.message], verdict, change);
                return;
            }
        };
        let status = response.status();
        if !status.is_client_error() && !status.is_server_error() {
            self.note(NAME, Status::Passed, vec![format!("{status}")]);
            if let Some(change) = guesses(self.args, args) {
                self.outcome.get_or_insert((Verdict::Scope, Some(change)));
            }
            return;
        }
        let Some(diagnosis) = diagnosis else {
            self.fail(
                NAME,
                vec![format!("{status}, which is no refusal of a signature")],
                Verdict::Other,
                None,
            );
            return;
        };
        let change = change::for_diagnosis(&diagnosis, &response, args, &identity.source)
            .unwrap_or_else(|| Change::text(diagnosis.what_to_do()));
        let found = diagnosis.to_string().lines().map(str::to_owned).collect();
        self.fail(NAME, found, verdict_of(&diagnosis), Some(change));
        self.diagnosis = Some(diagnosis);
    }
}

/// What was guessed, and accepted.
fn guesses(given: &Args, used: &Args) -> Option<Change> {
    let mut options = Vec::new();
    for (option, given, used) in [
        ("--service", &given.signing.service, &used.signing.service),
        ("--region", &given.signing.region, &used.signing.region),
    ] {
        if let (None, Some(used)) = (given, used) {
            options.extend([option, used.as_str()]);
        }
    }
    (!options.is_empty()).then(|| Change::add(&options, "the server accepted this guess"))
}

fn verdict_of(diagnosis: &Diagnosis) -> Verdict {
    match diagnosis.cause() {
        Cause::ScopeRegionWrong | Cause::ScopeServiceWrong | Cause::WrongEndpoint => Verdict::Scope,
        Cause::ClockSkew | Cause::ClockSkewAhead | Cause::ClockSkewBehind => Verdict::Clock,
        Cause::SignatureMismatchSecret
        | Cause::AccessKeyUnknown
        | Cause::AccessKeyInactive
        | Cause::SessionTokenMissing
        | Cause::SessionTokenInvalid
        | Cause::SessionTokenExpired => Verdict::Credentials,
        cause if cause.signature_was_accepted() => Verdict::Denied,
        cause if cause.as_str().starts_with("signature-") || cause.as_str().starts_with("payload-") => {
            Verdict::Signature
        }
        Cause::HostNotSigned | Cause::UnsignedHeadersPresent | Cause::ScopeDateMismatch => Verdict::Signature,
        _ => Verdict::Other,
    }
}

fn is_aws(url: &Url) -> bool {
    url.host_str()
        .is_some_and(|host| Endpoint::infer(host).is_ok_and(|endpoint| endpoint.partition().is_some()))
}

/// How long credentials live.
fn lifetime(keys: &Credentials) -> String {
    let kind =
        if keys.session_token().is_some() { "temporary" } else { "long-lived, without a session token" };
    let Some(expiry) = keys.expiry() else { return kind.to_owned() };
    let at = httpdate::fmt_http_date(expiry);
    match expiry.duration_since(SystemTime::now()) {
        Ok(left) => format!("{kind}, valid for {} min, until {at}", left.as_secs() / 60),
        Err(_) => format!("{kind}, expired at {at}"),
    }
}

/// Why a request cannot be signed.
struct Unsigned {
    kind: ErrorKind,
    message: String,
}

impl Unsigned {
    fn change(&self, args: &Args) -> Change {
        match self.kind {
            ErrorKind::ForeignAuthorization => {
                Change::add(&["--replace-authorization"], "-H gives one of another kind")
            }
            ErrorKind::HostMismatch => {
                Change::add(&["--allow-host-mismatch"], "-H gives another host than the URL")
            }
            ErrorKind::UnsupportedPayload if args.signing.payload != PayloadArg::Signed => Change::add(
                &["--payload", "signed"],
                "the service, or plain http, wants the hash of the body",
            ),
            _ => {
                // `--allow-host api.example.com` and its like, as the message names them; NAME is for the user to fill in.
                let words: Vec<&str> = self.message.split_whitespace().collect();
                let named = words.windows(2).find(|pair| pair[0].starts_with("--allow-"));
                let add = named.map_or(Vec::new(), |pair| pair.iter().map(|&word| word.to_owned()).collect());
                Change { add, ..Change::text(&*self.message) }
            }
        }
    }
}

/// Signs with keys that are nobody's, and sends nothing.
async fn dry_run(args: &Args, identity: &Identity, head: &Parts) -> Result<SigningDetails, Unsigned> {
    let keys = Credentials::new("AKIDEXAMPLE", "not a secret", None, None, "dry run");
    let of_error = |error: &Error| Unsigned { kind: error.kind(), message: advice::for_error(error) };
    let signer = signer::builder(&args.signing, identity).credentials(keys).build().map_err(|error| {
        Unsigned { kind: ErrorKind::ScopeInvalid, message: advice::for_build_error(&error) }
    })?;
    let (mut parts, ()) = http::Request::from_parts(head.clone(), ()).into_parts();
    signer.sign_with_details(&mut parts, Payload::empty()).await.map_err(|error| of_error(&error))
}

/// What to do about a server that is not reached.
fn connection(failure: &Failure, url: &Url) -> Change {
    let host = url.host_str().unwrap_or_default();
    let text = match failure.code {
        Failure::CERTIFICATE => {
            let text = "add --cacert FILE, the certificate of the authority that signed the server's (or -k, for a test)";
            return Change { add: vec!["--cacert".to_owned(), "FILE".to_owned()], ..Change::text(text) };
        }
        Failure::TLS => format!(
            "the server speaks no TLS at this port: correct it, or write http:// with --allow-origin http://{}",
            url.authority()
        ),
        Failure::CONNECT => format!(
            "nothing listens there: correct host and port of {}, or look at firewall, VPN and proxy (-x)",
            url.authority()
        ),
        Failure::TIMEOUT => format!(
            "{host} does not respond: look at firewall, VPN, security groups and proxy (-x), or raise --connect-timeout"
        ),
        Failure::RESOLVE_PROXY | Failure::RESOLVE => {
            "correct the host's name, or the proxy's (-x)".to_owned()
        }
        _ => "the server, or a proxy on the way, does not speak HTTP here: correct host and port".to_owned(),
    };
    Change::text(text)
}
