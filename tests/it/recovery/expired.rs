//! Credentials that the cache holds for good and the server does not.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_async::test_util::ManualTimeSource;
use futures_util::future::join_all;
use sigv4_middleware::{Credentials, IamGateway};
use tokio::sync::Semaphore;

use crate::support::*;

const EXPIRED: &str = r#"{"message":"The security token included in the request is expired"}"#;

/// A gateway to which `AKID1` is expired and, if said, `AKID2` as well.
async fn gateway_past_the_first(clock: &ManualTimeSource, second_too: bool) -> IamGateway {
    let gateway = gateway_at(clock, [role_of("AKID1"), role_of("AKID2")]).await;
    gateway.expire("AKID1");
    if second_too {
        gateway.expire("AKID2");
    }
    gateway
}

fn keys(gateway: &IamGateway) -> Vec<String> {
    let key = |seen: &sigv4_middleware::ReceivedRequest| {
        let authorization = seen.header("authorization").unwrap();
        authorization.split_once("Credential=").unwrap().1.split_once('/').unwrap().0.to_owned()
    };
    gateway.requests().iter().map(key).collect()
}

#[tokio::test]
async fn one_refresh_and_one_more_try() {
    for integration in INTEGRATIONS {
        let clock = ManualTimeSource::new(noon());
        let gateway = gateway_past_the_first(&clock, false).await;
        let mut first = role_of("AKID1");
        *first.expiry_mut() = Some(noon() + Duration::from_secs(3600));
        let provider = FakeProvider::of([first, role_of("AKID2")]);
        let signer = signer_at(provider.clone(), &clock).build().unwrap();

        assert_eq!(integration.send(&signer, post(&gateway.url())).await.status, 200);
        assert_eq!(tries(&gateway), [403, 200], "{integration:?}");
        assert_eq!(keys(&gateway), ["AKID1", "AKID2"]);
        assert_eq!(gateway.requests()[0].error_type, Some("ExpiredTokenException"));
        assert_eq!(gateway.requests()[1].header("x-amz-security-token"), Some("token-of-AKID2"));
        assert_eq!(provider.calls(), 2);

        assert_eq!(integration.send(&signer, post(&gateway.url())).await.status, 200);
        assert_eq!((tries(&gateway).len(), provider.calls()), (3, 2), "{integration:?}");
    }
}

#[tokio::test]
async fn refused_again_the_caller_gets_the_refusal() {
    for integration in INTEGRATIONS {
        let clock = ManualTimeSource::new(noon());
        let gateway = gateway_past_the_first(&clock, true).await;
        let provider = FakeProvider::of([role_of("AKID1"), role_of("AKID2")]);
        let signer = signer_at(provider.clone(), &clock).build().unwrap();
        let response = integration.send(&signer, post(&gateway.url())).await;
        assert_eq!(response.status, 403);
        assert_eq!(response.headers["x-amzn-errortype"], "ExpiredTokenException");
        assert_eq!(response.body, EXPIRED);
        assert_eq!(keys(&gateway), ["AKID1", "AKID2"], "{integration:?}");
        assert_eq!(provider.calls(), 2);
    }
}

#[tokio::test]
async fn without_other_credentials_there_is_no_second_try() {
    let same = || FakeProvider::of([role_of("AKID1")]);
    let failing = || FakeProvider::new([Some(role_of("AKID1")), None]);
    for integration in INTEGRATIONS {
        for (what, provider) in [("the same", same()), ("a failure", failing())] {
            let clock = ManualTimeSource::new(noon());
            let gateway = gateway_past_the_first(&clock, false).await;
            let signer = signer_at(provider.clone(), &clock).build().unwrap();
            let response = integration.send(&signer, post(&gateway.url())).await;
            assert_eq!(
                (response.status.as_u16(), response.body.as_ref()),
                (403, EXPIRED.as_bytes()),
                "{what}"
            );
            assert_eq!(
                (keys(&gateway), provider.calls()),
                (vec!["AKID1".into()], 2),
                "{integration:?}, {what}"
            );
        }
    }
}

#[tokio::test]
async fn with_recovery_off_the_first_refusal_is_the_callers() {
    for integration in INTEGRATIONS {
        let clock = ManualTimeSource::new(noon());
        let gateway = gateway_past_the_first(&clock, false).await;
        let provider = FakeProvider::of([role_of("AKID1"), role_of("AKID2")]);
        let signer = signer_at(provider.clone(), &clock).retry_on_auth_error(false).build().unwrap();
        assert_eq!(integration.send(&signer, post(&gateway.url())).await.body, EXPIRED);
        assert_eq!((tries(&gateway).len(), provider.calls()), (1, 1), "{integration:?}");
    }
}

#[tokio::test]
async fn a_provider_with_a_cache_of_its_own_is_asked_again() {
    for integration in INTEGRATIONS {
        let clock = ManualTimeSource::new(noon());
        let gateway = gateway_past_the_first(&clock, false).await;
        let provider = FakeProvider::of([role_of("AKID1"), role_of("AKID2")]);
        let signer = signer_at(provider, &clock).cache_credentials(false).build().unwrap();
        assert_eq!(integration.send(&signer, post(&gateway.url())).await.status, 200);
        assert_eq!(keys(&gateway), ["AKID1", "AKID2"], "{integration:?}");
    }
}

#[tokio::test]
async fn a_second_try_with_keys_that_have_no_token_sends_none() {
    for integration in INTEGRATIONS {
        let clock = ManualTimeSource::new(noon());
        let gateway = gateway_at(&clock, [role_of("AKID1"), user_of("AKID2")]).await;
        gateway.expire("AKID1");
        let signer =
            signer_at(FakeProvider::of([role_of("AKID1"), user_of("AKID2")]), &clock).build().unwrap();
        assert_eq!(integration.send(&signer, post(&gateway.url())).await.status, 200, "{integration:?}");
        let seen = gateway.requests();
        assert_eq!(seen[0].header("x-amz-security-token"), Some("token-of-AKID1"));
        assert_eq!(seen[1].header("x-amz-security-token"), None);
    }
}

/// A hundred requests on their way with credentials that the server takes back: late refusals drop nothing.
#[tokio::test]
async fn any_number_of_refused_callers_share_one_refresh() {
    let clock = ManualTimeSource::new(noon());
    let gateway = gateway_past_the_first(&clock, false).await;
    let provider = FakeProvider::of([role_of("AKID1"), role_of("AKID2"), role_of("AKID3")]);
    let signer = signer_at(provider.clone(), &clock).build().unwrap();
    let calls = (0..100).map(|_| Integration::LayerOnHyper.send(&signer, post(&gateway.url())));
    let responses = join_all(calls).await;
    assert!(responses.iter().all(|response| response.status == 200));
    assert_eq!(provider.calls(), 2);
    assert!(tries(&gateway).len() <= 200);
}

/// Neither is right by itself: the first refusal is for the date, the second would be for the token.
#[tokio::test]
async fn skew_and_expiry_together_are_still_one_more_try() {
    for integration in INTEGRATIONS {
        let clock = ManualTimeSource::new(noon());
        let gateway = gateway_past_the_first(&clock, false).await;
        gateway.set_clock_offset(3600);
        let provider = FakeProvider::of([role_of("AKID1"), role_of("AKID2")]);
        let signer = signer_at(provider, &clock).build().unwrap();
        let response = integration.send(&signer, post(&gateway.url())).await;
        assert_eq!((response.status.as_u16(), tries(&gateway).len()), (403, 2), "{integration:?}");
        assert_eq!(response.body, EXPIRED);
    }
}

#[tokio::test]
async fn credentials_past_their_expiry_by_the_servers_clock_only() {
    for integration in INTEGRATIONS {
        let clock = ManualTimeSource::new(noon());
        let until = |id: &str, minutes: u64| -> Credentials {
            let mut credentials = role_of(id);
            *credentials.expiry_mut() = Some(noon() + Duration::from_secs(60 * minutes));
            credentials
        };
        // Three minutes ahead of us, the server sees the end of credentials that have two minutes left here.
        let gateway = gateway_at(&clock, [until("AKID1", 2), until("AKID2", 60)]).await;
        gateway.set_clock_offset(180);
        let signer =
            signer_at(FakeProvider::of([until("AKID1", 2), until("AKID2", 60)]), &clock).build().unwrap();
        assert_eq!(integration.send(&signer, post(&gateway.url())).await.status, 200);
        assert_eq!(keys(&gateway), ["AKID1", "AKID2"], "{integration:?}");
    }
}

/// A server that calls all credentials expired, and a provider that takes its time and has new ones at each call.
#[tokio::test]
async fn a_server_that_refuses_everything_is_no_trouble_for_other_hosts() {
    for integration in INTEGRATIONS {
        let clock = ManualTimeSource::new(noon());
        let good = gateway_at(&clock, (0..8).map(|call| role_of(&format!("AKID{call}")))).await;
        let bad = Server::start(|_| {
            let expired = invalid_signature(noon()).map(|_| in_memory(EXPIRED));
            let (mut head, body) = expired.into_parts();
            head.headers.insert("x-amzn-errortype", "ExpiredTokenException".parse().unwrap());
            http::Response::from_parts(head, body)
        });
        let bad = bad.await;
        let gate = Arc::new(Semaphore::new(1));
        let provider = FakeProvider::from_async_fn({
            let gate = Arc::clone(&gate);
            move |call| {
                let gate = Arc::clone(&gate);
                async move {
                    gate.acquire().await.unwrap().forget();
                    Ok(role_of(&format!("AKID{call}")))
                }
            }
        });
        let signer = signer_at(provider.clone(), &clock).build().unwrap();
        assert_eq!(integration.send(&signer, post(&good.url())).await.status, 200);

        let refused = tokio::spawn({
            let (signer, request) = (signer.clone(), post(&bad.url));
            async move { integration.send(&signer, request).await.status }
        });
        while provider.calls() < 2 {
            tokio::task::yield_now().await;
        }
        // The provider has not responded, and others sign with what there is.
        for _ in 0..3 {
            let response = in_time(integration.send(&signer, post(&good.url()))).await;
            assert_eq!(response.status, 200, "{integration:?}");
        }
        assert!(!refused.is_finished(), "the refused caller waits");
        gate.add_permits(1000);
        assert_eq!(refused.await.unwrap(), 403);

        for _ in 0..10 {
            assert_eq!(integration.send(&signer, post(&bad.url)).await.status, 403);
        }
        assert_eq!(provider.calls(), 3, "two reloads, and no more before time has passed: {integration:?}");
        assert_eq!(bad.tries(), 13, "each reload is one more try");
    }
}
