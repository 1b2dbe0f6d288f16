//! Sends a trace, a metric and, if a log group and stream are given, a log record to X-Ray and CloudWatch: by OpenTelemetry's
//! own batch exporters, over HTTP with signed requests, without a collector.
//!
//! ```console
//! $ cargo run -p otlp -- --region eu-west-1 --log-group my-group --log-stream my-stream
//! ```
//!
//! README.md says what the role and the account need. The one line is in `signed.rs`.

mod signed;

use std::collections::HashMap;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind as UsageErrorKind;
use clap::{CommandFactory, Parser};
use opentelemetry::logs::{LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{TraceContextExt, Tracer, TracerProvider};
use opentelemetry_otlp::{
    Compression, LogExporter, MetricExporter, SpanExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use signed::Signed;
use sigv4_middleware::{BoxError, BuildErrorKind, Signer};

const EXPORT_CREDENTIALS: &str = "export AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, with a role's credentials, \
     AWS_SESSION_TOKEN;\n  those of a profile of the AWS CLI: eval \"$(aws configure export-credentials --format env)\"";

#[derive(Parser)]
#[command(
    about = "Send a trace, a metric and a log record to X-Ray and CloudWatch with OpenTelemetry's exporters"
)]
#[command(
    after_help = "The credentials are those of AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN."
)]
struct Arguments {
    /// The region, if it is not AWS_REGION
    #[arg(long, value_name = "NAME")]
    region: Option<String>,
    /// The log group that the log record goes to; it has to exist
    #[arg(long, value_name = "NAME", requires = "log_stream")]
    log_group: Option<String>,
    /// The log stream in the group; it has to exist
    #[arg(long, value_name = "NAME", requires = "log_group")]
    log_stream: Option<String>,
    /// Where traces go instead of X-Ray
    #[arg(long, value_name = "URL")]
    traces_url: Option<reqwest::Url>,
    /// Where metrics go instead of CloudWatch
    #[arg(long, value_name = "URL")]
    metrics_url: Option<reqwest::Url>,
    /// Where log records go instead of CloudWatch Logs
    #[arg(long, value_name = "URL")]
    logs_url: Option<reqwest::Url>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let (message, code) = explained(error.as_ref());
            eprintln!("error: {message}");
            ExitCode::from(code)
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), BoxError> {
    let region = region(arguments.region.as_deref())?;
    let at = |host: &str, path: &str, instead: &Option<reqwest::Url>| match instead {
        Some(url) => url.to_string(),
        None => format!("https://{host}.{region}.amazonaws.com/v1/{path}"),
    };
    let traces_url = at("xray", "traces", &arguments.traces_url);
    let metrics_url = at("monitoring", "metrics", &arguments.metrics_url);
    let logs_url = at("logs", "logs", &arguments.logs_url);
    println!("Sends a trace to {traces_url} and a metric to {metrics_url}, signed for {region}.");
    let resource = || Resource::builder().with_service_name("otlp-example").build();

    let spans = SpanExporter::builder()
        .with_http()
        .with_http_client(client("xray", &region, &traces_url)?)
        .with_endpoint(traces_url)
        .with_compression(Compression::Gzip)
        .build()?;
    let tracers = SdkTracerProvider::builder().with_batch_exporter(spans).with_resource(resource()).build();

    let metrics = MetricExporter::builder()
        .with_http()
        .with_http_client(client("monitoring", &region, &metrics_url)?)
        .with_endpoint(metrics_url)
        .with_compression(Compression::Gzip)
        .build()?;
    let meters =
        SdkMeterProvider::builder().with_periodic_exporter(metrics).with_resource(resource()).build();

    let loggers = match (&arguments.log_group, &arguments.log_stream) {
        (Some(group), Some(stream)) => {
            println!("Sends a log record to {logs_url}, for {stream} in {group}.");
            let destination = [("x-aws-log-group", group), ("x-aws-log-stream", stream)];
            let headers = destination.map(|(name, value)| (name.to_owned(), value.clone()));
            let records = LogExporter::builder()
                .with_http()
                .with_http_client(client("logs", &region, &logs_url)?)
                .with_endpoint(logs_url)
                .with_headers(HashMap::from(headers))
                .with_compression(Compression::Gzip)
                .build()?;
            Some(SdkLoggerProvider::builder().with_batch_exporter(records).with_resource(resource()).build())
        }
        _ => None,
    };

    let trace_id = tracers.tracer("otlp-example").in_span("order", |context| {
        tracers.tracer("otlp-example").in_span("pay", |_| ());
        // Within the span, so that the record has its trace id.
        if let Some(loggers) = &loggers {
            let logger = loggers.logger("otlp-example");
            let mut record = logger.create_log_record();
            record.set_severity_number(Severity::Info);
            record.set_body("an order was paid".into());
            logger.emit(record);
        }
        context.span().span_context().trace_id()
    });
    meters.meter("otlp-example").u64_counter("orders").build().add(1, &[]);

    // Each is tried, whatever becomes of the others. A program that runs on flushes only when it ends.
    let flushed = [
        ("the trace", tracers.force_flush()),
        ("the metric", meters.force_flush()),
        ("the log record", loggers.as_ref().map_or(Ok(()), SdkLoggerProvider::force_flush)),
    ];
    let failed: Vec<_> =
        flushed.into_iter().filter_map(|(what, result)| Some(format!("{what}: {}", result.err()?))).collect();
    if !failed.is_empty() {
        return Err(NotSent(failed.join("\n  ")).into());
    }
    println!("The trace {trace_id} was accepted.");
    println!(
        "Next: look it up in CloudWatch, under Transaction Search; give your own exporters the client of src/signed.rs."
    );
    Ok(())
}

/// A blocking client whose requests to this endpoint are signed.
fn client(
    service: &'static str,
    region: &str,
    endpoint: &str,
) -> Result<Signed<reqwest::blocking::Client>, BoxError> {
    let signer = Signer::builder()
        .credentials_from_env()
        .service(service)
        .region(region.to_owned())
        // An endpoint that is named on the command line is allowed.
        .allow_origin(reqwest::Url::parse(endpoint)?.origin().ascii_serialization())
        .build()?;
    let client = sigv4_middleware::reqwest_blocking_client().timeout(Duration::from_secs(10)).build()?;
    Ok(Signed { client, signer })
}

fn region(option: Option<&str>) -> Result<String, clap::Error> {
    let of_environment = ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let found = option.map(str::to_owned).or(of_environment.into_iter().flatten().next());
    let is_name = |name: &String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    found.filter(is_name).ok_or_else(|| {
        let message = "which region? Give --region NAME, such as eu-west-1, or set AWS_REGION";
        Arguments::command().error(UsageErrorKind::MissingRequiredArgument, message)
    })
}

/// What was not accepted, and why.
#[derive(Debug)]
struct NotSent(String);

impl std::fmt::Display for NotSent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not accepted: {}", self.0)
    }
}

impl Error for NotSent {}

/// What to say of an error, and the exit code: 2 if other arguments would help.
fn explained(error: &(dyn Error + 'static)) -> (String, u8) {
    if let Some(error) = error.downcast_ref::<clap::Error>() {
        return (error.to_string().trim_start_matches("error: ").trim_end().to_owned(), 2);
    }
    match error.downcast_ref::<sigv4_middleware::BuildError>().map(sigv4_middleware::BuildError::kind) {
        Some(BuildErrorKind::MissingCredentials) => {
            (format!("there are no credentials\n  {EXPORT_CREDENTIALS}"), 1)
        }
        Some(_) => (error.to_string(), 2),
        None => (error.to_string(), if error.is::<NotSent>() { 1 } else { 2 }),
    }
}
