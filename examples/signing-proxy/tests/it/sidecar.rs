//! The program as a sidecar: credentials from a container's endpoint on loopback that rotates them all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::json;
use sigv4_middleware::{Credentials, IamGateway};
use sigv4_test_support::{REGION, program};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::net::TcpListener;

use crate::program::{PROGRAM, Proxy};

const CLIENTS: usize = 64;
/// How often the endpoint has new keys, and how long they live.
const ROTATION: Duration = Duration::from_secs(3);
const LIFETIME: Duration = Duration::from_secs(9);
const AUTHORIZATION: &str = "of-the-pod";

/// A container's credentials endpoint; the gateway accepts its keys until they expire, and no others.
struct Endpoint {
    gateway: IamGateway,
    started: Instant,
    loads: AtomicU64,
}

impl Endpoint {
    /// The keys of the current period.
    fn keys(&self) -> Credentials {
        let period = self.started.elapsed().as_secs() / ROTATION.as_secs();
        self.loads.fetch_add(1, Relaxed);
        // To whole seconds, as the endpoint's format has it.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let expiry = SystemTime::UNIX_EPOCH + Duration::from_secs(now) + LIFETIME;
        let id = format!("ASIAROTATED{period:08}{}", self.loads.load(Relaxed));
        Credentials::new(
            &id,
            format!("secret-of-{id}"),
            Some(format!("token+of/{id}==")),
            Some(expiry),
            "test",
        )
    }
}

async fn credentials(State(endpoint): State<Arc<Endpoint>>, headers: HeaderMap) -> impl IntoResponse {
    assert_eq!(headers["authorization"], AUTHORIZATION);
    let keys = endpoint.keys();
    endpoint.gateway.add_credentials(keys.clone());
    let expiry = OffsetDateTime::from(keys.expiry().unwrap()).format(&Rfc3339).unwrap();
    let keys = json!({
        "AccessKeyId": keys.access_key_id(),
        "SecretAccessKey": keys.secret_access_key(),
        "Token": keys.session_token(),
        "Expiration": expiry,
    });
    ([("content-type", "application/json")], keys.to_string())
}

/// What happened in a run.
#[derive(Debug, Default)]
struct Report {
    accepted: u64,
    refused: Vec<String>,
    /// What the proxy counted: refusals by the gateway, and requests that it signed once more.
    recovered: u64,
    signed: u64,
    loads: u64,
    keys: usize,
}

/// Runs clients for so long, each with requests one after the other.
async fn run_clients(time: Duration) -> Report {
    let gateway = IamGateway::builder().region(REGION).start().await.unwrap();
    let url = gateway.url();
    let endpoint = Arc::new(Endpoint { gateway, started: Instant::now(), loads: AtomicU64::new(0) });
    let app = Router::new().route("/creds", get(credentials)).with_state(Arc::clone(&endpoint));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let credentials_url = format!("http://{}/creds", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });

    let mut command = program(PROGRAM);
    command
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &credentials_url)
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", AUTHORIZATION)
        .env("AWS_REGION", REGION)
        .args(["--upstream", &url, "--service", "execute-api"]);
    let proxy = Proxy::started(command, &[]).await;

    let end = Instant::now() + time;
    let clients = (0..CLIENTS).map(|number| {
        let url = proxy.url(&format!("/orders/{number}"));
        tokio::spawn(async move {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let (mut accepted, mut refused) = (0_u64, Vec::new());
            while Instant::now() < end {
                let request =
                    if accepted % 2 == 0 { client.get(&url) } else { client.post(&url).body("order") };
                match request.send().await {
                    Ok(response) if response.status() == 200 => accepted += 1,
                    Ok(response) => refused.push(response.text().await.unwrap_or_default()),
                    Err(error) => refused.push(format!("{error:?}")),
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            (accepted, refused)
        })
    });
    let clients: Vec<_> = clients.collect();

    let mut report = Report::default();
    let mut keys = std::collections::HashSet::new();
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_secs(1)).await;
        for request in endpoint.gateway.requests() {
            let authorization = request.header("authorization").unwrap_or_default();
            let key = authorization.split("Credential=").nth(1).and_then(|rest| rest.split('/').next());
            keys.insert(key.unwrap_or_default().to_owned());
            if request.status != 200 {
                report.refused.push(format!("by the gateway: {:?}", request.error_type));
            }
        }
        // The gateway keeps every request until it is told to forget them. One may come in between, so what the proxy
        // counted counts.
        endpoint.gateway.clear();
    }
    for client in clients {
        let (accepted, refused) = client.await.unwrap();
        report.accepted += accepted;
        report.refused.extend(refused);
    }
    report.recovered = proxy.sum("sigv4_refusals_total{").await + proxy.sum("sigv4_resigned_total{").await;
    report.signed = proxy.sum("sigv4_signed_total{").await;
    report.keys = keys.len();
    report.loads = endpoint.loads.load(Relaxed);
    report
}

fn assert_none_refused(report: &Report, time: Duration) {
    assert!(report.refused.is_empty(), "{} refused: {:?}", report.refused.len(), report.refused.first());
    assert_eq!(report.recovered, 0, "the proxy recovered from some: {report:?}");
    // One more to find out at the start whether requests can be signed.
    assert_eq!(report.signed, report.accepted + 1, "{report:?}");
    assert!(report.accepted >= time.as_secs() * CLIENTS as u64, "{report:?}");
    let expected = time.as_secs() / LIFETIME.as_secs();
    assert!(report.keys as u64 >= expected && report.loads >= expected, "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotating_credentials_cost_no_request() {
    let time = Duration::from_secs(12);
    let report = run_clients(time).await;
    assert_none_refused(&report, time);
}

#[ignore = "takes five minutes"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotating_credentials_cost_no_request_in_five_minutes() {
    let time = Duration::from_secs(300);
    let report = run_clients(time).await;
    println!("{report:?}");
    assert_none_refused(&report, time);
}
