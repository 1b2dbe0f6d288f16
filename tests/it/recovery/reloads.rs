//! Whom a reload of credentials keeps waiting: the caller whose request is sent again with them, and nobody else.

use std::sync::Arc;

use aws_smithy_async::test_util::ManualTimeSource;
use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use sha2::{Digest, Sha256};
use sigv4_middleware::{IamGateway, PayloadMode};
use tokio::sync::Semaphore;

use crate::support::*;

/// A provider that gives other keys at each call, and each only when a permit is there.
struct Gated {
    provider: FakeProvider,
    gate: Arc<Semaphore>,
}

impl Gated {
    /// With one permit.
    fn new() -> Self {
        let gate = Arc::new(Semaphore::new(1));
        let passed = Arc::clone(&gate);
        let provider = FakeProvider::from_async_fn(move |call| {
            let passed = Arc::clone(&passed);
            async move {
                passed.acquire().await.unwrap().forget();
                Ok(role_of(&format!("AKID{call}")))
            }
        });
        Self { provider, gate }
    }

    async fn called(&self, calls: usize) {
        while self.provider.calls() < calls {
            tokio::task::yield_now().await;
        }
        assert_eq!(self.provider.calls(), calls);
    }
}

/// A gateway that knows the first keys of [`Gated`].
async fn knowing(clock: &ManualTimeSource) -> IamGateway {
    gateway_at(clock, (0..4).map(|call| role_of(&format!("AKID{call}")))).await
}

/// A server that calls every request's credentials expired: in a header, or in S3's body.
async fn always_expired(in_header: bool) -> Server {
    Server::start(move |_| {
        let response = Response::builder().status(403).header("x-amz-request-id", "4442587FB7D0A2F9");
        let response = match in_header {
            true => response.header("x-amzn-errortype", "ExpiredTokenException"),
            false => response,
        };
        response.body(in_memory("<Error><Code>ExpiredToken</Code></Error>")).unwrap()
    })
    .await
}

fn key_of_last(gateway: &IamGateway) -> String {
    let last = gateway.requests().pop().unwrap();
    let credential = last.header("authorization").unwrap().split_once("Credential=").unwrap().1;
    credential.split_once('/').unwrap().0.to_owned()
}

#[tokio::test]
async fn any_number_of_callers_of_other_hosts_go_on() {
    for integration in INTEGRATIONS {
        let clock = ManualTimeSource::new(noon());
        let (one, other, bad) = (knowing(&clock).await, knowing(&clock).await, always_expired(true).await);
        let gated = Gated::new();
        let signer = signer_at(gated.provider.clone(), &clock).build().unwrap();
        assert_eq!(integration.send(&signer, post(&one.url())).await.status, 200);
        let refused: Vec<_> = (0..3)
            .map(|_| {
                let (signer, request) = (signer.clone(), post(&bad.url));
                tokio::spawn(async move { integration.send(&signer, request).await.status })
            })
            .collect();
        gated.called(2).await;
        let calls = (0..20).map(|call| {
            let gateway = if call % 2 == 0 { &one } else { &other };
            integration.send(&signer, post(&gateway.url()))
        });
        let responses = in_time(join_all(calls)).await;
        assert!(responses.iter().all(|response| response.status == 200), "{integration:?}");
        assert!(refused.iter().all(|call| !call.is_finished()), "{integration:?}: the refused callers wait");
        assert_eq!(gated.provider.calls(), 2, "{integration:?}: one reload for all of them");
        gated.gate.add_permits(1);
        for call in refused {
            assert_eq!(call.await.unwrap(), 403);
        }
        assert_eq!(bad.tries(), 6, "{integration:?}: one more attempt each");
        assert_eq!(integration.send(&signer, post(&other.url())).await.status, 200);
        assert_eq!(key_of_last(&other), "AKID1", "{integration:?}");
    }
}

/// The body was a stream, or the code is where the integration does not look: the response is the caller's at once, and
/// the credentials are loaded again for the next request, in the background.
#[tokio::test]
async fn a_caller_that_cannot_send_again_does_not_wait() {
    const TEXT: &str = "one, two";
    let streams = INTEGRATIONS.map(|integration| (integration, true));
    let unread = [Integration::LayerSameBody, Integration::LayerOnHyper].map(|layer| (layer, false));
    for (integration, is_stream) in streams.into_iter().chain(unread) {
        let clock = ManualTimeSource::new(noon());
        let (good, bad) = (knowing(&clock).await, always_expired(is_stream).await);
        let gated = Gated::new();
        let mode = PayloadMode::Sha256(Sha256::digest(TEXT).into());
        let signer = signer_at(gated.provider.clone(), &clock).payload_mode(mode).build().unwrap();
        let put = |url: &str| {
            let frames = ["one, ", "two"].map(|frame| Ok(Frame::data(Bytes::from(frame))));
            let body = match is_stream {
                true => RequestBody::from(boxed(StreamBody::new(stream::iter(frames)))),
                false => RequestBody::from(TEXT),
            };
            Request::put(format!("{url}/key")).body(body).unwrap()
        };
        let what = format!("{integration:?}, stream: {is_stream}");
        assert_eq!(integration.send(&signer, put(&good.url())).await.status, 200, "{what}");
        for _ in 0..3 {
            let response = in_time(integration.send(&signer, put(&bad.url))).await;
            assert_eq!(
                (response.status.as_u16(), response.text()),
                (403, "<Error><Code>ExpiredToken</Code></Error>")
            );
        }
        gated.called(2).await;
        assert_eq!(bad.tries(), 3, "{what}");
        assert_eq!(in_time(integration.send(&signer, put(&good.url()))).await.status, 200, "{what}");
        assert_eq!(key_of_last(&good), "AKID0", "{what}: the provider has not responded");
        gated.gate.add_permits(1);
        while key_of_last(&good) != "AKID1" {
            assert_eq!(in_time(integration.send(&signer, put(&good.url()))).await.status, 200, "{what}");
        }
        assert_eq!(gated.provider.calls(), 2, "{what}");
    }
}

/// There are no others to sign with.
#[tokio::test]
async fn static_credentials_are_not_sent_again() {
    for integration in INTEGRATIONS {
        let clock = ManualTimeSource::new(noon());
        let bad = always_expired(true).await;
        let signer = signer_at(role_of("AKID"), &clock).build().unwrap();
        assert_eq!(integration.send(&signer, post(&bad.url)).await.status, 403);
        assert_eq!(bad.tries(), 1, "{integration:?}");
    }
}
