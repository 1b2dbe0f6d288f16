//! The bridge: messages of an MCP host, a line each on standard input and output, to and from a server over HTTP.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use rmcp::model::{
    ClientJsonRpcMessage, ErrorCode, ErrorData, JsonRpcMessage, RequestId, ServerJsonRpcMessage,
};
use rmcp::transport::{StreamableHttpClientTransport, Transport};
use sigv4_middleware::BoxError;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};

use crate::signed::Signed;

/// How long the server has to hear that a session ends.
const CLOSING_TIME: Duration = Duration::from_secs(2);

/// Carries messages both ways until the host closes its end and every request has its response, or the server ends.
///
/// A request that cannot be sent, or is refused, is given an error as its response: the host waits for nothing.
pub(crate) async fn bridge(
    mut server: StreamableHttpClientTransport<Signed>,
    input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) -> Result<(), BoxError> {
    // Bytes: what is no text is not a message, and no reason to end.
    let mut lines = BufReader::new(input).split(b'\n');
    let mut sending: FuturesUnordered<BoxFuture<'static, Option<ServerJsonRpcMessage>>> =
        FuturesUnordered::new();
    let mut unanswered: Vec<RequestId> = Vec::new();
    let mut open = true;
    while open || !unanswered.is_empty() || !sending.is_empty() {
        tokio::select! {
            line = lines.next_segment(), if open => match line? {
                None => open = false,
                Some(line) if line.trim_ascii().is_empty() => {}
                Some(line) => match serde_json::from_slice::<ClientJsonRpcMessage>(&line) {
                    Ok(message) => {
                        let id = match &message {
                            JsonRpcMessage::Request(request) => Some(request.id.clone()),
                            _ => None,
                        };
                        unanswered.extend(id.clone());
                        let sent = server.send(message);
                        sending.push(Box::pin(async move { failure(sent.await.err()?, id) }));
                    }
                    Err(error) => {
                        let error = ErrorData::new(ErrorCode::PARSE_ERROR, format!("not a message: {error}"), None);
                        write(&mut output, &ServerJsonRpcMessage::error(error, None)).await?;
                    }
                },
            },
            message = server.receive() => match message {
                Some(message) => {
                    answered(&mut unanswered, &message);
                    write(&mut output, &message).await?;
                }
                None => break,
            },
            Some(failed) = sending.next() => {
                if let Some(message) = failed {
                    answered(&mut unanswered, &message);
                    write(&mut output, &message).await?;
                }
            }
        }
    }
    // The server ended before the host, if anything is left: a refused session, for one.
    while let Some(failed) = sending.next().await {
        if let Some(message) = failed {
            answered(&mut unanswered, &message);
            write(&mut output, &message).await?;
        }
    }
    for id in unanswered {
        let error = ErrorData::internal_error("the server ended the connection", None);
        write(&mut output, &ServerJsonRpcMessage::error(error, Some(id))).await?;
    }
    // The server is told that the session ends. Whether it hears that matters to nobody here; before the session is
    // initialized, the transport waits for the host.
    let _ = tokio::time::timeout(CLOSING_TIME, server.close()).await;
    if open { Err("the server ended the connection".into()) } else { Ok(()) }
}

/// The response to a request that did not get through; other messages have none.
fn failure(error: impl std::error::Error + 'static, id: Option<RequestId>) -> Option<ServerJsonRpcMessage> {
    let chain = std::iter::successors(Some(&error as &dyn std::error::Error), |&error| error.source());
    let mut texts: Vec<String> = chain.map(ToString::to_string).collect();
    // Some errors show their cause's text as their own.
    texts.dedup_by(|cause, error| error.contains(&**cause));
    let text = texts.join(": ");
    eprintln!("error: {text}");
    Some(ServerJsonRpcMessage::error(ErrorData::internal_error(text, None), Some(id?)))
}

fn answered(unanswered: &mut Vec<RequestId>, message: &ServerJsonRpcMessage) {
    let id = match message {
        JsonRpcMessage::Response(response) => Some(&response.id),
        JsonRpcMessage::Error(error) => error.id.as_ref(),
        _ => None,
    };
    unanswered.retain(|one| Some(one) != id);
}

async fn write(
    output: &mut (impl AsyncWrite + Unpin),
    message: &ServerJsonRpcMessage,
) -> Result<(), BoxError> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    output.write_all(&line).await?;
    Ok(output.flush().await?)
}
