//! The program as a user and as an MCP host runs it, against rmcp's own server behind one that verifies signatures.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]
#![allow(missing_docs, reason = "rmcp's macros write functions without docs")]

use std::sync::{Arc, Mutex};

use axum::Router;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    CallToolRequestParams, ProgressNotificationParam, RequestMetaObject, ServerCapabilities, ServerConfig,
};
use rmcp::service::{NotificationContext, Peer};
use rmcp::transport::TokioChildProcess;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{
    ClientHandler, RoleClient, RoleServer, ServerHandler, ServiceExt, schemars, tool, tool_handler,
    tool_router,
};
use serde_json::{Value, json};
use sigv4_test_support::verified::Verified;
use sigv4_test_support::{
    REGION, SECRET, TOKEN, assert_names_no_library_item, in_time, program, run, run_with_input, with_role,
};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PROGRAM: &str = env!("CARGO_BIN_EXE_mcp");

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Sum {
    a: i32,
    b: i32,
}

/// The server's tools.
struct Tools {
    #[expect(dead_code, reason = "read by what tool_handler writes")]
    tool_router: ToolRouter<Self>,
}

#[tool_router]
impl Tools {
    #[tool(description = "Add two numbers")]
    fn add(&self, Parameters(Sum { a, b }): Parameters<Sum>) -> String {
        (a + b).to_string()
    }

    #[tool(description = "Count to three, and say so in between")]
    async fn count(&self, meta: RequestMetaObject, client: Peer<RoleServer>) -> String {
        let token = meta.get_progress_token().unwrap();
        for step in 1..=3_u8 {
            let progress = ProgressNotificationParam::new(token.clone(), step.into());
            client.notify_progress(progress).await.unwrap();
        }
        "three".to_owned()
    }
}

#[tool_handler]
impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

/// An MCP server that verifies what is signed for AgentCore. It answers by event streams, in sessions.
async fn server() -> Verified {
    let tools = || Ok(Tools { tool_router: Tools::tool_router() });
    let service: StreamableHttpService<Tools, LocalSessionManager> =
        StreamableHttpService::new(tools, Arc::default(), StreamableHttpServerConfig::default());
    Verified::serve("bedrock-agentcore", Router::new().route_service("/mcp", service)).await
}

fn url(server: &Verified) -> String {
    format!("{}/mcp?key=query-key", server.url())
}

#[tokio::test]
async fn tools_are_listed_and_called() {
    let server = server().await;
    let list = run(with_role(PROGRAM).args(["--url", &url(&server), "tools"])).await;
    assert_eq!((list.code, list.stderr.as_str()), (0, ""));
    let lines: Vec<_> = list.stdout.lines().collect();
    assert_eq!(lines[0], format!("Calls {}/mcp with signed requests.", server.url()));
    assert!(lines.contains(&"add: Add two numbers"), "{lines:?}");
    assert!(lines.last().unwrap().starts_with("Next: call one"), "{lines:?}");

    let call =
        run(with_role(PROGRAM).args(["--url", &url(&server), "call", "add", r#"{"a": 1, "b": 41}"#])).await;
    assert_eq!((call.code, call.stderr.as_str()), (0, ""));
    assert_eq!(call.stdout.lines().last(), Some("42"));
    // At least: initialize, initialized, the stream of the server's own messages, the call.
    assert!(server.requests() >= 6, "{}", server.requests());

    let unknown = run(with_role(PROGRAM).args(["--url", &url(&server), "call", "subtract"])).await;
    assert_eq!(unknown.code, 1);
    assert!(unknown.stderr.contains("tool"), "{}", unknown.stderr);
}

/// A host that remembers how far the server said it was.
#[derive(Clone, Default)]
struct Host(Arc<Mutex<Vec<f64>>>);

impl ClientHandler for Host {
    async fn on_progress(&self, params: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        self.0.lock().unwrap().push(params.progress);
    }
}

/// rmcp's own client starts the bridge as it starts any server, and knows nothing of HTTP or of signatures.
#[tokio::test]
async fn a_host_that_starts_programs_is_bridged() {
    let server = server().await;
    let mut command = with_role(PROGRAM);
    command.args(["--url", &url(&server), "bridge"]);
    let host = Host::default();
    let bridge = in_time(host.clone().serve(TokioChildProcess::new(command).unwrap())).await.unwrap();

    let tools = in_time(bridge.list_all_tools()).await.unwrap();
    let mut names: Vec<_> = tools.iter().map(|tool| tool.name.as_ref()).collect();
    names.sort_unstable();
    assert_eq!(names, ["add", "count"]);

    // Several at once, one with messages before its response.
    let sum = json!({"a": 2, "b": 3}).as_object().unwrap().clone();
    let (counted, added) = tokio::join!(
        in_time(bridge.call_tool(CallToolRequestParams::new("count"))),
        in_time(bridge.call_tool(CallToolRequestParams::new("add").with_arguments(sum))),
    );
    assert_eq!(counted.unwrap().content[0].as_text().unwrap().text, "three");
    assert_eq!(added.unwrap().content[0].as_text().unwrap().text, "5");
    assert_eq!(*host.0.lock().unwrap(), [1.0, 2.0, 3.0]);
    bridge.cancel().await.unwrap();
}

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":"first","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}"#;

fn messages(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What a shell would pipe in: input ends at once, and every request has its response all the same.
#[tokio::test]
async fn the_bridge_ends_when_all_is_answered() {
    let server = server().await;
    let input = [
        INITIALIZE,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"add","arguments":{"a":20,"b":22}}}"#,
    ];
    let mut command = with_role(PROGRAM);
    command.args(["--url", &url(&server), "bridge"]);
    let output =
        run_with_input(&mut command, input.map(|line| format!("{line}\n")).concat().as_bytes()).await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(
        output.stderr.starts_with("Bridges standard input and output to http://127.0.0.1:"),
        "{}",
        output.stderr
    );
    let messages = messages(&output.stdout);
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert_eq!(messages[0]["id"], "first");
    assert_eq!(messages[1]["result"]["content"][0]["text"], "42");
}

#[tokio::test]
async fn a_refused_request_is_answered_with_an_error() {
    let server = server().await;
    let mut command = with_role(PROGRAM);
    command.env("AWS_SECRET_ACCESS_KEY", "wrong").args(["--url", &url(&server), "bridge"]);
    let output = run_with_input(&mut command, format!("no json\n{INITIALIZE}\n").as_bytes()).await;
    let messages = messages(&output.stdout);
    assert_eq!(messages[0]["error"]["code"], -32700, "{messages:?}");
    assert_eq!(messages[1]["id"], "first");
    let why = messages[1]["error"]["message"].as_str().unwrap();
    assert!(why.contains("403 Forbidden"), "{why}");
    assert_eq!(server.requests(), 0);

    let mut command = with_role(PROGRAM);
    command.env("AWS_SECRET_ACCESS_KEY", "wrong").args(["--url", &url(&server), "tools"]);
    let tools = run(&mut command).await;
    assert_eq!(tools.code, 1);
    assert!(tools.stderr.contains("403 Forbidden"), "{}", tools.stderr);
    for text in [output.stderr, output.stdout, tools.stderr] {
        for secret in [TOKEN, SECRET, "query-key"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[tokio::test]
async fn lines_that_are_no_text_end_no_bridge() {
    let server = server().await;
    let mut command = with_role(PROGRAM);
    command.args(["--url", &url(&server), "bridge"]);
    let mut input = b"\xff\xfe{}\n\x00\n[]\n{\"jsonrpc\":\"2.0\"}\n".to_vec();
    input.extend("[".repeat(100_000).into_bytes());
    input.extend(format!("\n{INITIALIZE}\r\n").into_bytes());
    let output = run_with_input(&mut command, &input).await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    let messages = messages(&output.stdout);
    let (last, errors) = messages.split_last().unwrap();
    assert_eq!(errors.len(), 5, "{messages:?}");
    assert!(errors.iter().all(|message| message["error"]["code"] == -32700), "{errors:?}");
    assert_eq!(last["id"], "first", "{last}");
}

/// A server that sends this beginning of an event, and then more of it for ever.
async fn endless(content_type: &'static str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 8192]).await;
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nConnection: close\r\n\r\ndata: "
                );
                let mut sent = stream.write_all(head.as_bytes()).await;
                while sent.is_ok() {
                    sent = stream.write_all(&[b'a'; 64 * 1024]).await;
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn an_event_or_a_document_that_never_ends_is_an_error() {
    for content_type in ["text/event-stream", "application/json"] {
        let mut command = with_role(PROGRAM);
        command.args(["--url", &endless(content_type).await, "bridge"]);
        let output = run_with_input(&mut command, format!("{INITIALIZE}\n").as_bytes()).await;
        let messages = messages(&output.stdout);
        assert_eq!(messages.len(), 1, "{content_type}: {messages:?} {}", output.stderr);
        assert_eq!(
            (&messages[0]["id"], messages[0]["error"].is_object()),
            (&json!("first"), true),
            "{content_type}"
        );
    }
}

#[tokio::test]
async fn bad_arguments_are_told_apart_from_failures() {
    let arn = "arn:aws:s3:::bucket";
    let bad: [(&[&str], &str); 6] = [
        (&["tools"], "--url"),
        (&["--url", "http://127.0.0.1:9/", "--agent-runtime", arn, "tools"], "cannot be used with"),
        (&["--agent-runtime", arn, "tools"], "is not the ARN of a runtime"),
        (&["--url", "here", "tools"], "--url"),
        (&["--url", "http://127.0.0.1:9/", "call", "add", "[1]"], "[1]"),
        (&["--url", "https://mcp.example.com/", "tools"], "--region NAME"),
    ];
    for (arguments, message) in bad {
        let output = run(with_role(PROGRAM).env_remove("AWS_REGION").args(arguments)).await;
        assert_eq!(output.code, 2, "{arguments:?}: {}", output.stderr);
        assert!(output.stderr.contains(message), "{arguments:?}: {}", output.stderr);
        assert_names_no_library_item(&output.stderr);
    }
    let output =
        run(program(PROGRAM).args(["--region", REGION, "--url", "http://127.0.0.1:9/", "tools"])).await;
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("export AWS_ACCESS_KEY_ID"), "{}", output.stderr);
}
