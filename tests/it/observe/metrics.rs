//! What is counted and measured, read back by metrics-util's recorder.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{Method, Request, StatusCode};
use metrics_util::MetricKind;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use reqwest_middleware::ClientBuilder;
use sigv4_middleware::{
    Credentials, IamGateway, PayloadMode, RedirectPolicy, SigV4Middleware, Signer, metrics, overrides,
};

use crate::support::*;

/// Every metric as `name{label=value,…}`.
fn counted(snapshotter: &Snapshotter) -> BTreeMap<String, DebugValue> {
    let snapshot = snapshotter.snapshot().into_vec().into_iter();
    snapshot
        .map(|(key, _, _, value)| {
            let mut labels: Vec<_> =
                key.key().labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
            labels.sort();
            (format!("{}{{{}}}", key.key().name(), labels.join(",")), value)
        })
        .collect()
}

fn counter(counted: &BTreeMap<String, DebugValue>, name: &str) -> u64 {
    match counted.get(name) {
        Some(DebugValue::Counter(count)) => *count,
        other => panic!("{name} is {other:?} in {counted:?}"),
    }
}

fn histogram(counted: &BTreeMap<String, DebugValue>, name: &str) -> Vec<f64> {
    match counted.get(&format!("{name}{{}}")) {
        Some(DebugValue::Histogram(values)) => values.iter().map(|value| value.into_inner()).collect(),
        other => panic!("{name} is {other:?} in {counted:?}"),
    }
}

/// Runs something on a runtime of one thread, whose metrics alone are recorded.
fn recorded(run: impl AsyncFnOnce()) -> (BTreeMap<String, DebugValue>, Snapshotter) {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    ::metrics::with_local_recorder(&recorder, || {
        metrics::describe();
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run());
    });
    (counted(&snapshotter), snapshotter)
}

fn put(gateway: &IamGateway, body: &'static str) -> Request<TestBody> {
    Request::put(format!("{}/prod/orders", gateway.url())).body(in_memory(body)).unwrap()
}

#[test]
fn signatures_refusals_and_second_attempts_are_counted() {
    let (counted, _) = recorded(async || {
        let gateway = gateway("execute-api").await;
        let signer = signer("execute-api");
        for integration in INTEGRATIONS {
            integration.send(&signer, put(&gateway, "12345678")).await;
        }
        // Refused for its date once, then signed with the server's.
        gateway.set_clock_offset(3600);
        Integration::Middleware.send(&signer, put(&gateway, "")).await;
        gateway.deny(KEY);
        Integration::Middleware.send(&signer, put(&gateway, "")).await;
        let wrong = signing("execute-api").credentials(user_of("AKIDUNKNOWN")).build().unwrap();
        Integration::LayerOnHyper.send(&wrong, put(&gateway, "")).await;

        let mut skipped = put(&gateway, "");
        skipped.extensions_mut().insert(overrides::SkipSigning);
        Integration::LayerOnHyper.send(&signer, skipped).await;
        Integration::Middleware.send(&Signer::disabled(), put(&gateway, "")).await;
        let elsewhere = Request::get("https://stranger.example/").body(()).unwrap().into_parts();
        signer.sign(&mut elsewhere.0.clone(), "").await.unwrap_err();
        let passing = signing("execute-api").pass_through_disallowed_origins(true).build().unwrap();
        passing.sign(&mut elsewhere.0.clone(), "").await.unwrap();
        signer.presign(&Method::GET, &gateway.url().parse().unwrap(), Duration::from_secs(60)).await.unwrap();
    });
    let counter = |name: &str| counter(&counted, name);
    assert_eq!(counter("sigv4_signed_total{place=header,service=execute-api}"), 4 + 2 + 1 + 2);
    assert_eq!(counter("sigv4_signed_total{place=presigned,service=execute-api}"), 1);
    assert_eq!(counter("sigv4_resigned_total{reason=date}"), 2);
    assert_eq!(counter("sigv4_refusals_total{kind=signature,status=403}"), 2);
    assert_eq!(counter("sigv4_refusals_total{kind=denied,status=403}"), 1);
    assert_eq!(counter("sigv4_refusals_total{kind=credentials,status=403}"), 1);
    assert_eq!(counter("sigv4_skipped_total{reason=skip_signing}"), 1);
    assert_eq!(counter("sigv4_skipped_total{reason=disabled}"), 1);
    assert_eq!(counter("sigv4_skipped_total{reason=origin}"), 1);
    assert_eq!(counter("sigv4_sign_errors_total{kind=origin_not_allowed}"), 1);
    assert_eq!(counter("sigv4_hashed_bytes_total{}"), 4 * 8);
    let times = histogram(&counted, metrics::SIGNING_DURATION);
    assert_eq!(times.len(), 9);
    assert!(times.iter().all(|seconds| *seconds > 0.0 && *seconds < 10.0), "{times:?}");
    let offsets = histogram(&counted, metrics::CLOCK_OFFSET);
    assert!(offsets.iter().all(|seconds| (3590.0..3610.0).contains(seconds)), "{offsets:?}");
}

#[test]
fn loads_of_credentials_their_age_and_redirects_are_counted() {
    let (counted, _) = recorded(async || {
        let gateway = IamGateway::builder().region(REGION).credentials(role_of("AKIDONE"));
        let gateway = gateway.credentials(role_of("AKIDTWO")).start().await.unwrap();
        let provider = FakeProvider::of([role_of("AKIDONE"), role_of("AKIDTWO")]);
        let signer = signing("execute-api").credentials(provider).build().unwrap();
        gateway.expire("AKIDONE");
        let response = Integration::Middleware.send(&signer, put(&gateway, "")).await;
        assert_eq!(response.status, 200);

        let to = format!("{}/there", gateway.url());
        gateway.redirect_next(1, StatusCode::TEMPORARY_REDIRECT, to.parse().unwrap());
        let following = SigV4Middleware::new(signer.clone()).redirects(RedirectPolicy::same_origin());
        let client = ClientBuilder::new(plain_reqwest()).with(following).build();
        let response = client.get(format!("{}/here", gateway.url())).send().await.unwrap();
        assert_eq!(response.status(), 200);

        let failing = signing("execute-api").credentials(FakeProvider::new([None])).build().unwrap();
        let mut parts = Request::get(gateway.url()).body(()).unwrap().into_parts().0;
        failing.sign(&mut parts, "").await.unwrap_err();
    });
    let counter = |name: &str| counter(&counted, name);
    assert_eq!(counter("sigv4_credential_loads_total{outcome=loaded}"), 2);
    assert_eq!(counter("sigv4_credential_loads_total{outcome=failed}"), 1);
    assert_eq!(counter("sigv4_resigned_total{reason=credentials}"), 1);
    assert_eq!(counter("sigv4_resigned_total{reason=redirect}"), 1);
    assert_eq!(counter("sigv4_sign_errors_total{kind=credentials_unavailable}"), 1);
    let ages = histogram(&counted, metrics::CREDENTIAL_AGE);
    assert!(ages.len() == 1 && ages[0] < 60.0, "{ages:?}");
}

#[test]
fn bodies_hashed_while_they_are_sent_are_counted_once() {
    let (counted, _) = recorded(async || {
        let gateway = gateway("s3").await;
        let sha256: [u8; 32] =
            sha2::Digest::finalize(<sha2::Sha256 as sha2::Digest>::new_with_prefix("12345")).into();
        let mode = PayloadMode::Sha256Checked(sha256);
        let signer = signing("s3").payload_mode(mode).record_signing_details(true).build().unwrap();
        let response = Integration::Middleware.send(&signer, put(&gateway, "12345")).await;
        assert_eq!(response.status, 200);
    });
    assert_eq!(counter(&counted, "sigv4_hashed_bytes_total{}"), 5);
    assert_eq!(counter(&counted, "sigv4_signed_total{place=header,service=s3}"), 1);
}

/// Whatever a caller names its services, hosts and keys: the names of metrics and labels stay the same few.
#[test]
fn labels_are_bounded_and_hold_no_secret() {
    let (_, snapshotter) = recorded(async || {
        for at in 0..50 {
            let service = format!("service-{at}");
            let gateway = IamGateway::builder().service(&service).region(format!("region-{at}"));
            let gateway = gateway.credentials(role()).start().await.unwrap();
            let signer = Signer::builder()
                .credentials(Credentials::new(KEY, SECRET, Some(TOKEN.into()), None, "test"))
                .service(service)
                .region(format!("region-{at}"))
                .build()
                .unwrap();
            Integration::Middleware.send(&signer, put(&gateway, SECRET)).await;
            gateway.deny(KEY);
            Integration::Middleware.send(&signer, put(&gateway, SECRET)).await;
        }
    });
    let mut seen = BTreeMap::<String, usize>::new();
    for (key, unit, description, _) in snapshotter.snapshot().into_vec() {
        assert!(key.key().name().starts_with("sigv4_"));
        assert!(description.is_some() && unit.is_some(), "{} is not described", key.key().name());
        assert!(matches!(key.kind(), MetricKind::Counter | MetricKind::Histogram));
        *seen.entry(key.key().name().to_owned()).or_default() += 1;
        let text = format!("{key:?}");
        for secret in [SECRET, TOKEN, KEY, "127.0.0.1", "region-", "service-"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    assert!(seen.len() >= 4 && seen.values().all(|labels| *labels <= 2), "{seen:?}");
}
