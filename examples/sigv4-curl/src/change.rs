//! What to change on the command line, in the environment or elsewhere, so that a request is accepted.

use http::HeaderMap;
use reqwest::Response;
use serde_json::{Value, json};
use sigv4_middleware::diagnosis::{Cause, Diagnosis};
use sigv4_middleware::{Endpoint, SigningDetails};

use crate::args::{Args, HeaderArg, PayloadArg};

/// One change, and how a program would make it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    /// For people: a sentence that names the option, variable or setting.
    pub(crate) text: String,
    /// Options to add, or to give another value.
    pub(crate) add: Vec<String>,
    /// Options to leave out.
    pub(crate) remove: Vec<String>,
    /// Environment variables to set to something else.
    pub(crate) environment: Vec<&'static str>,
}

impl Change {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    pub(crate) fn add(options: &[&str], why: &str) -> Self {
        let add = options.iter().map(|&option| option.to_owned()).collect();
        let quoted: Vec<String> = options.iter().map(|option| quoted(option)).collect();
        Self { add, ..Self::text(format!("add {}: {why}", quoted.join(" "))) }
    }

    fn remove(option: &str, why: &str) -> Self {
        Self { remove: vec![option.to_owned()], ..Self::text(format!("leave out {option}: {why}")) }
    }

    fn environment(names: &[&'static str], text: String) -> Self {
        Self { environment: names.to_vec(), ..Self::text(text) }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "text": self.text,
            "add": self.add,
            "remove": self.remove,
            "environment": self.environment,
        })
    }
}

/// For a POSIX shell, where it has to be.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The change for a refusal; `None` where it is not on this side, or the diagnosis says all there is.
pub(crate) fn for_diagnosis(
    diagnosis: &Diagnosis,
    response: &Response,
    args: &Args,
    source: &str,
) -> Option<Change> {
    let details = response.extensions().get::<SigningDetails>();
    let message = diagnosis.message().unwrap_or_default();
    match diagnosis.cause() {
        Cause::ScopeServiceWrong => {
            let service = after_quote(message, "correct service: '")?;
            Some(Change::add(&["--service", service], "the server names this service"))
        }
        Cause::ScopeRegionWrong | Cause::WrongEndpoint => Some(region(message, response, args, details)),
        Cause::SignatureMismatchSecret => Some(credentials(
            source,
            &["AWS_SECRET_ACCESS_KEY"],
            "the secret access key is not that of the access key id",
        )),
        Cause::AccessKeyUnknown | Cause::AccessKeyInactive => Some(credentials(
            source,
            &ALL_KEYS,
            "the access key is not known to the server",
        )),
        Cause::SessionTokenMissing => {
            Some(credentials(source, &["AWS_SESSION_TOKEN"], "temporary keys need their session token"))
        }
        Cause::SessionTokenExpired | Cause::SessionTokenInvalid => Some(credentials(
            source,
            &ALL_KEYS,
            "the session token is not valid, or no longer",
        )),
        Cause::ClockSkew | Cause::ClockSkewAhead | Cause::ClockSkewBehind => {
            Some(clock(diagnosis.clock_offset_seconds().unwrap_or(0)))
        }
        Cause::SignatureMismatchHost => Some(host(diagnosis, args)),
        Cause::SignatureMismatchContentType | Cause::SignatureMismatchHeaderAltered => altered(diagnosis),
        Cause::SignatureMismatchHeaderMissing => missing(diagnosis),
        Cause::PayloadHashHeaderMissing
        | Cause::PayloadHashHeaderInvalid
        | Cause::SignatureMismatchPayloadHash
        | Cause::PayloadHashMismatch
            if args.signing.payload != PayloadArg::Signed =>
        {
            Some(Change::add(&["--payload", "signed"], "the service wants the hash of the body"))
        }
        Cause::RouteNotFoundMasked | Cause::WrongStageOrRoute => Some(Change::text(
            "change the URL or -X: compare method, stage, path and trailing slash with the routes that are deployed",
        )),
        Cause::ProxyDenied => Some(Change::add(&["-x", ""], "no proxy, or a proxy that lets the host pass")),
        Cause::ApiKeyMissing => Some(Change::text("add -H 'x-api-key: KEY', with a key of the stage's usage plan")),
        cause if cause.signature_was_accepted() => diagnosis.denial().map(|denial| {
            let [action, resource, principal] = [&denial.action, &denial.resource, &denial.principal]
                .map(|part| part.as_deref().unwrap_or("…"));
            Change::text(format!("allow {action} on {resource} to {principal}, or sign as somebody else (--profile, --role-arn)"))
        }),
        _ => None,
    }
}

/// The machine's clock is off by so many seconds.
pub(crate) fn clock(behind: i64) -> Change {
    let direction = if behind >= 0 { "behind" } else { "ahead of" };
    Change::text(format!(
        "set this machine's clock, which is {} s {direction} the server's (timedatectl set-ntp true)",
        behind.unsigned_abs()
    ))
}

/// The region to sign for: named by the response, inferred from the host, or that of the environment.
fn region(message: &str, response: &Response, args: &Args, details: Option<&SigningDetails>) -> Change {
    let headers: &HeaderMap = response.headers();
    let signed_for = details.and_then(SigningDetails::region).unwrap_or_default();
    let named = after_quote(message, "expecting '")
        .map(str::to_owned)
        .or_else(|| headers.get("x-amz-bucket-region")?.to_str().ok().map(str::to_owned));
    if let Some(region) = named.filter(|region| region != signed_for) {
        return Change::add(&["--region", &region], "the server names this region");
    }
    let inferred = response.url().host_str().and_then(|host| Endpoint::infer(host).ok());
    if args.signing.region.is_some() {
        if let Some(region) =
            inferred.as_ref().and_then(Endpoint::region).filter(|region| *region != signed_for)
        {
            return Change::add(&["--region", region], "it is in the host");
        }
        let set = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(|name| std::env::var(name).ok());
        if set.is_some_and(|set| !set.is_empty() && set != signed_for) {
            return Change::remove("--region", "the environment names another region");
        }
    }
    Change::text(format!("give another --region: {signed_for} is not the region where this API was deployed"))
}

/// The environment's variables for temporary credentials.
pub(crate) const ALL_KEYS: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// Where the credentials come from decides what is to be renewed.
pub(crate) fn credentials(source: &str, variables: &[&'static str], why: &str) -> Change {
    if source.starts_with("the environment") {
        return Change::environment(variables, format!("set {} anew: {why}", variables.join(", ")));
    }
    Change::text(format!(
        "renew the credentials of {source} (aws sso login, aws configure), or choose others by --profile: {why}"
    ))
}

/// The Host that arrived is another.
fn host(diagnosis: &Diagnosis, args: &Args) -> Change {
    let gives_host =
        |header: &HeaderArg| matches!(header, HeaderArg::Set(name, _) if name == http::header::HOST);
    if args.request.headers.iter().any(gives_host) {
        return Change::remove("-H Host", "the server signs another name");
    }
    let theirs = diagnosis.difference().and_then(|difference| difference.theirs.as_deref());
    match theirs.and_then(|line| line.strip_prefix("host:")) {
        Some(host) => Change::add(
            &["-H", &format!("Host: {host}"), "--allow-host-mismatch"],
            "what is in between changes Host to this name",
        ),
        None => {
            Change::text("call the endpoint by its own name, or keep what is in between from changing Host")
        }
    }
}

/// A signed header that was changed on the way: what it becomes can be sent at once.
fn altered(diagnosis: &Diagnosis) -> Option<Change> {
    let (name, value) = diagnosis.difference()?.theirs.as_deref()?.split_once(':')?;
    Some(Change::add(&["-H", &format!("{name}: {value}")], "what is in between changes the header to this"))
}

/// A signed header that was dropped on the way.
fn missing(diagnosis: &Diagnosis) -> Option<Change> {
    let (name, _) = diagnosis.difference()?.ours.as_deref()?.split_once(':')?;
    Some(Change::remove(&format!("-H {name}"), "what is in between drops the header"))
}

/// What stands between this beginning and the next single quote.
fn after_quote<'a>(text: &'a str, beginning: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(beginning)?;
    let (value, _) = rest.split_once('\'')?;
    (!value.is_empty()).then_some(value)
}
