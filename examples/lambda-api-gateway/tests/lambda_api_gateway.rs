//! The function runs on an emulated Lambda Runtime API and calls an [`IamGateway`].
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde_json::{Value, json};
use sigv4_middleware::IamGateway;
use sigv4_test_support::{
    KEY, REGION, SECRET_QUERY, TOKEN, assert_without_secrets, gateway, in_time, program, run, serve,
    with_role,
};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc};

const PROGRAM: &str = env!("CARGO_BIN_EXE_lambda-api-gateway");

/// What a function posted for an event, with the request id.
#[derive(Debug, PartialEq)]
enum Posted {
    Response(String, Value),
    Error(String, Value),
}

/// The Runtime API that AWS documents as
/// [Using the Lambda runtime API](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).
struct RuntimeApi {
    address: String,
    events: mpsc::UnboundedSender<(String, Value)>,
    posted: mpsc::UnboundedReceiver<Posted>,
}

type Waiting = Arc<Mutex<mpsc::UnboundedReceiver<(String, Value)>>>;
type Posting = mpsc::UnboundedSender<Posted>;

impl RuntimeApi {
    async fn start() -> Self {
        let (events, waiting) = mpsc::unbounded_channel();
        let (posting, posted) = mpsc::unbounded_channel();
        let next = get(next).with_state(Arc::new(Mutex::new(waiting)));
        let response = post(async |Path(id): Path<String>, State(to): State<Posting>, body: String| {
            accepted(to.send(Posted::Response(id, json(&body))))
        });
        let error = post(async |Path(id): Path<String>, State(to): State<Posting>, body: String| {
            accepted(to.send(Posted::Error(id, json(&body))))
        });
        let app = Router::new()
            .route("/2018-06-01/runtime/invocation/next", next)
            .route("/2018-06-01/runtime/invocation/{id}/response", response.with_state(posting.clone()))
            .route("/2018-06-01/runtime/invocation/{id}/error", error.with_state(posting));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, events, posted }
    }

    /// Sends the function an event and waits for what it posts.
    async fn invoke(&mut self, id: &str, event: Value) -> Posted {
        self.events.send((id.to_owned(), event)).unwrap();
        in_time(self.posted.recv()).await.unwrap()
    }
}

async fn next(State(events): State<Waiting>) -> impl IntoResponse {
    // A real function waits here, frozen, for its next event.
    let (id, event) = match events.lock().await.recv().await {
        Some(event) => event,
        None => std::future::pending().await,
    };
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("lambda-runtime-aws-request-id", id),
        ("lambda-runtime-deadline-ms", "4102444800000".to_owned()),
        (
            "lambda-runtime-invoked-function-arn",
            format!("arn:aws:lambda:{REGION}:123456789012:function:orders"),
        ),
        ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1".to_owned()),
    ];
    (axum::response::AppendHeaders(headers), event.to_string())
}

fn accepted<E: std::fmt::Debug>(sent: Result<(), E>) -> impl IntoResponse {
    sent.unwrap();
    (http::StatusCode::ACCEPTED, r#"{"status":"OK"}"#)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The environment that Lambda sets for a function, besides its role's credentials.
fn function<'c>(command: &'c mut Command, runtime: &RuntimeApi, api_url: &str) -> &'c mut Command {
    command
        .env("AWS_LAMBDA_RUNTIME_API", &runtime.address)
        .env("AWS_LAMBDA_FUNCTION_NAME", "orders")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/orders")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[$LATEST]0")
        .env("API_URL", api_url)
        .env("API_SERVICE", "execute-api")
}

/// A function of this role that waits for events; it ends when it is dropped.
async fn start(command: &mut Command, gateway: &IamGateway) -> (RuntimeApi, Child) {
    let runtime = RuntimeApi::start().await;
    let url = format!("{}/prod/orders?status=open", gateway.url());
    let child = function(command, &runtime, &url).spawn().unwrap();
    (runtime, child)
}

fn response(id: &str, status: u16, body: &str) -> Posted {
    Posted::Response(id.to_owned(), json!({ "status": status, "body": body }))
}

#[tokio::test]
async fn calls_the_api_with_its_roles_credentials() {
    let gateway = gateway("execute-api").await;
    let (mut runtime, _child) = start(&mut with_role(PROGRAM), &gateway).await;

    for id in ["8476a536-e9f4-11e8-9739-2dfe598c3fcd", "8476a536-e9f4-11e8-9739-2dfe598c3fce"] {
        let posted = runtime.invoke(id, json!({ "customer": 42 })).await;
        assert_eq!(posted, response(id, 200, r#"{"message":"ok"}"#));
    }

    let requests = gateway.requests();
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert_eq!(request.target, "/prod/orders?status=open");
        assert_eq!(request.header("x-amz-security-token"), Some(TOKEN));
        let date = &request.header("x-amz-date").unwrap()[..8];
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential={KEY}/{date}/{REGION}/execute-api/aws4_request, \
             SignedHeaders=host;x-amz-date;x-amz-security-token, Signature="
        );
        let authorization = request.header("authorization").unwrap();
        assert!(authorization.starts_with(&scope), "{authorization}");
    }
}

#[tokio::test]
async fn a_wrong_secret_is_the_apis_403() {
    let gateway = gateway("execute-api").await;
    let mut command = with_role(PROGRAM);
    let (mut runtime, _child) = start(command.env("AWS_SECRET_ACCESS_KEY", "another"), &gateway).await;

    let posted = runtime.invoke("1", json!({})).await;

    let Posted::Response(_, response) = posted else { panic!("{posted:?}") };
    assert_eq!(response["status"], 403);
    let body = response["body"].as_str().unwrap();
    assert!(body.contains("The request signature we calculated does not match"), "{body}");
}

#[tokio::test]
async fn a_request_that_cannot_be_signed_is_the_functions_error() {
    let gateway = gateway("execute-api").await;
    let mut command = with_role(PROGRAM);
    let mut runtime = RuntimeApi::start().await;
    let url = "https://bucket.s3.ap-northeast-1.amazonaws.com/key";
    let _child = function(&mut command, &runtime, url).spawn().unwrap();

    let posted = runtime.invoke("1", json!({})).await;

    let Posted::Error(_, error) = posted else { panic!("{posted:?}") };
    let message = error["errorMessage"].as_str().unwrap();
    assert!(message.contains(r#"the service "execute-api""#) && message.contains(r#""s3""#), "{message}");
    assert!(gateway.requests().is_empty());
}

#[tokio::test]
async fn without_credentials_it_does_not_start() {
    let runtime = RuntimeApi::start().await;
    let mut command = program(PROGRAM);

    let output = run(function(&mut command, &runtime, "http://127.0.0.1:1/")).await;

    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("AWS_ACCESS_KEY_ID is not set"), "{}", output.stderr);
}

#[tokio::test]
async fn outside_of_lambda_it_says_so() {
    let output = run(with_role(PROGRAM).env("API_URL", "http://127.0.0.1:1/")).await;

    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("cargo lambda watch"), "{}", output.stderr);
}

#[tokio::test]
async fn errors_are_posted_without_the_query() {
    for responses in [vec![], vec![String::new()]] {
        let mut runtime = RuntimeApi::start().await;
        let url = format!("{}/prod/orders?{SECRET_QUERY}", serve(responses).await);
        let mut command = with_role(PROGRAM);
        let _child = function(&mut command, &runtime, &url).spawn().unwrap();
        let Posted::Error(_, error) = runtime.invoke("1", json!({})).await else { panic!("a response") };
        assert!(error.to_string().contains("error sending request"), "{error}");
        assert_without_secrets(&error.to_string());
    }
}
