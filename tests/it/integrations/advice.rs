//! Errors that a gRPC client or a proxy meets say what to do in its own words.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::{HeaderMap, Method, Request, Uri};
use http_body::Frame;
use http_body_util::StreamBody;
use sigv4_middleware::{ErrorKind, PayloadMode};

use crate::support::*;

/// The messages of a call in both directions: one, and the next when the server has responded.
fn both_ways() -> TestBody {
    let first = stream::iter([Ok(Frame::data(Bytes::from_static(b"\0\0\0\0\x01a")))]);
    boxed(StreamBody::new(first.chain(stream::pending())))
}

/// A call in both directions to a service whose payloads are hashed: it would wait for ever.
#[tokio::test]
async fn a_body_that_does_not_end_is_told_which_payload_modes_stream() {
    let (gateway, builder) = (gateway("execute-api").await, signing("execute-api"));
    let signer = builder.body_timeout(Duration::from_millis(20)).build().unwrap();
    for (integration, http) in ways() {
        let call = Request::post(gateway.url()).header("content-type", "application/grpc").body(both_ways());
        let error = integration.send_to(http, gateway.addr(), &signer, call.unwrap()).await.err().unwrap();
        let error = found(&error);
        assert_eq!(error.kind(), ErrorKind::BodyTimeout, "{integration:?} {http:?}");
        let said = error.to_string();
        for words in [".body_timeout(", "PayloadMode::Unsigned", "PayloadMode::EventStream", "gRPC", "hash"] {
            assert!(said.contains(words), "{words}: {said}");
        }
    }
    assert!(gateway.requests().is_empty());
}

/// In such a mode the first message arrives while the call goes on.
#[tokio::test]
async fn a_body_that_does_not_end_is_sent_in_such_a_mode() {
    let signer =
        signing("s3").payload_mode(PayloadMode::Unsigned).allow_unsigned_over_http(true).build().unwrap();
    let request = Request::post("http://localhost/").body(both_ways()).unwrap();
    let client = tower::service_fn(|request: Request<Outgoing<TestBody>>| async move {
        let mut body = request.into_body();
        let first = http_body_util::BodyExt::frame(&mut body).await.unwrap()?;
        Ok::<_, sigv4_middleware::BoxError>(http::Response::new(first.into_data().unwrap()))
    });
    let response =
        in_time(tower::ServiceExt::oneshot(layered_wrapping(client, &signer), request)).await.unwrap();
    assert_eq!(response.into_body(), &b"\0\0\0\0\x01a"[..]);
}

#[tokio::test]
async fn a_relative_uri_is_told_what_makes_it_absolute() {
    let signer = signer("execute-api");
    let relative = Uri::from_static("/orders.Orders/Get");
    let (mut parts, ()) = Request::post(&relative).body(()).unwrap().into_parts();
    let through_layer = handed_on(&signer, Request::post(&relative).body(in_memory("")).unwrap()).await;
    let errors = [
        found(&through_layer.unwrap_err().into()).clone(),
        signer.sign(&mut parts, "").await.unwrap_err(),
        signer.signed_headers(&Method::POST, &relative, &HeaderMap::new(), "").await.unwrap_err(),
        signer.presign(&Method::GET, &relative, Duration::from_secs(60)).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::InvalidUri);
        let said = error.to_string();
        for words in ["give it a scheme and host", "tonic", "with_origin", "Endpoint", "axum"] {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert!(said.len() < 250, "{said}");
    }
}
