//! The program as a user runs it, against collectors that verify signatures and decode what arrives.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::io::Read;

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::post;
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::{metric::Data, number_data_point};
use prost::Message;
use sigv4_test_support::verified::Verified;
use sigv4_test_support::{REGION, SECRET, TOKEN, assert_names_no_library_item, program, run, with_role};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const PROGRAM: &str = env!("CARGO_BIN_EXE_otlp");

/// A collector of one signal behind a server that verifies, and what it was sent.
async fn collector(service: &'static str, path: &str) -> (Verified, UnboundedReceiver<(HeaderMap, Bytes)>) {
    let (sender, receiver) = unbounded_channel();
    let handler = post(async move |headers: HeaderMap, body: Bytes| {
        sender.send((headers, body)).unwrap();
    });
    (Verified::serve(service, Router::new().route(path, handler)).await, receiver)
}

/// The only message that a collector was sent, decompressed and decoded.
fn message<M: Message + Default>(receiver: &mut UnboundedReceiver<(HeaderMap, Bytes)>) -> (HeaderMap, M) {
    let (headers, body) = receiver.try_recv().unwrap();
    assert_eq!(headers["content-type"], "application/x-protobuf");
    assert_eq!(headers["content-encoding"], "gzip");
    let mut bytes = Vec::new();
    GzDecoder::new(&body[..]).read_to_end(&mut bytes).unwrap();
    (headers, M::decode(&bytes[..]).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_metrics_and_logs_arrive() {
    let (xray, mut traces) = collector("xray", "/v1/traces").await;
    let (monitoring, mut metrics) = collector("monitoring", "/v1/metrics").await;
    let (cloudwatch_logs, mut logs) = collector("logs", "/v1/logs").await;
    let output = run(with_role(PROGRAM)
        .args(["--traces-url", &format!("{}/v1/traces", xray.url())])
        .args(["--metrics-url", &format!("{}/v1/metrics", monitoring.url())])
        .args(["--logs-url", &format!("{}/v1/logs", cloudwatch_logs.url())])
        .args(["--log-group", "a group", "--log-stream", "a-stream"]))
    .await;
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{}", output.stdout);
    assert!(output.stdout.starts_with("Sends a trace to http://127.0.0.1:"), "{}", output.stdout);
    assert!(output.stdout.lines().last().unwrap().starts_with("Next: look it up"), "{}", output.stdout);

    let (_, request): (_, ExportTraceServiceRequest) = message(&mut traces);
    let [resource_spans] = request.resource_spans.try_into().unwrap();
    let resource = resource_spans.resource.unwrap();
    let name = resource.attributes.iter().find(|attribute| attribute.key == "service.name").unwrap();
    let value = name.value.as_ref().unwrap().value.as_ref().unwrap();
    assert_eq!(value, &Value::StringValue("otlp-example".into()));
    let spans: Vec<_> = resource_spans.scope_spans.into_iter().flat_map(|scope| scope.spans).collect();
    let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    assert_eq!(spans.len(), 2);
    assert_eq!(named("pay").parent_span_id, named("order").span_id);
    let hex: String = named("order").trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(output.stdout.contains(&format!("The trace {hex} was accepted.")), "{}", output.stdout);

    let (_, request): (_, ExportMetricsServiceRequest) = message(&mut metrics);
    let metric = request.resource_metrics[0].scope_metrics[0].metrics[0].clone();
    let Some(Data::Sum(sum)) = metric.data else { panic!("{metric:?}") };
    assert_eq!(
        (metric.name.as_str(), &sum.data_points[0].value),
        ("orders", &Some(number_data_point::Value::AsInt(1)))
    );

    let (headers, request): (_, ExportLogsServiceRequest) = message(&mut logs);
    assert_eq!(
        (&headers["x-aws-log-group"], &headers["x-aws-log-stream"]),
        (&"a group".parse().unwrap(), &"a-stream".parse().unwrap())
    );
    let record = request.resource_logs[0].scope_logs[0].log_records[0].clone();
    assert_eq!(record.body.unwrap().value, Some(Value::StringValue("an order was paid".into())));
    assert_eq!(record.trace_id, named("order").trace_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_with_the_response() {
    let (xray, _traces) = collector("xray", "/v1/traces").await;
    let (monitoring, mut metrics) = collector("monitoring", "/v1/metrics").await;
    // Signed for another service than this collector is.
    let output = run(with_role(PROGRAM)
        .args(["--traces-url", &format!("{}/v1/metrics", monitoring.url())])
        .args(["--metrics-url", &format!("{}/v1/metrics", monitoring.url())]))
    .await;
    assert_eq!((output.code, xray.requests()), (1, 0), "{}", output.stderr);
    let (_, _): (_, ExportMetricsServiceRequest) = message(&mut metrics);
    assert!(output.stderr.contains("responded 403 Forbidden"), "{}", output.stderr);
    assert!(output.stderr.contains("error: not accepted: the trace: "), "{}", output.stderr);
    assert!(!output.stderr.contains(TOKEN) && !output.stderr.contains(SECRET), "{}", output.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_arguments_are_told_apart_from_failures() {
    let bad: [(&[&str], &str); 4] = [
        (&[], "--region NAME"),
        (&["--region", "eu-west-1", "--log-group", "a"], "--log-stream"),
        (&["--region", "eu west"], "--region NAME"),
        (&["--region", "eu-west-1", "--traces-url", "xray"], "--traces-url"),
    ];
    for (arguments, message) in bad {
        let output = run(with_role(PROGRAM).env_remove("AWS_REGION").args(arguments)).await;
        assert_eq!(output.code, 2, "{arguments:?}: {}", output.stderr);
        assert!(output.stderr.contains(message), "{arguments:?}: {}", output.stderr);
        assert_names_no_library_item(&output.stderr);
    }
    let output = run(program(PROGRAM).args(["--region", REGION])).await;
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("export AWS_ACCESS_KEY_ID"), "{}", output.stderr);
}
