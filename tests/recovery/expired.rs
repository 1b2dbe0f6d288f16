//! Credentials that the cache holds for good and the server does not.

use std::time::Duration;

use aws_smithy_async::test_util::ManualTimeSource;
use futures_util::future::join_all;
use sigv4_middleware::{Credentials, IamGateway};

use crate::edges::{EDGES, Edge};
use crate::support::*;

const EXPIRED: &str = r#"{"message":"The security token included in the request is expired"}"#;

/// A gateway to which `AKID1` is expired and, if said, `AKID2` as well.
async fn gateway_past_the_first(clock: &ManualTimeSource, second_too: bool) -> IamGateway {
    let gateway = gateway(clock, [role("AKID1"), role("AKID2")]).await;
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
    for edge in EDGES {
        let clock = ManualTimeSource::new(noon());
        let gateway = gateway_past_the_first(&clock, false).await;
        let mut first = role("AKID1");
        *first.expiry_mut() = Some(noon() + Duration::from_secs(3600));
        let provider = Provider::of([first, role("AKID2")]);
        let signer = signer(provider.clone(), &clock).build().unwrap();

        assert_eq!(edge.send(&signer, post(&gateway.url())).await.status, 200);
        assert_eq!(tries(&gateway), [403, 200], "{edge:?}");
        assert_eq!(keys(&gateway), ["AKID1", "AKID2"]);
        assert_eq!(gateway.requests()[0].error_type, Some("ExpiredTokenException"));
        assert_eq!(gateway.requests()[1].header("x-amz-security-token"), Some("token-of-AKID2"));
        assert_eq!(provider.calls(), 2);

        assert_eq!(edge.send(&signer, post(&gateway.url())).await.status, 200);
        assert_eq!((tries(&gateway).len(), provider.calls()), (3, 2), "{edge:?}");
    }
}

#[tokio::test]
async fn refused_again_the_caller_gets_the_refusal() {
    for edge in EDGES {
        let clock = ManualTimeSource::new(noon());
        let gateway = gateway_past_the_first(&clock, true).await;
        let provider = Provider::of([role("AKID1"), role("AKID2")]);
        let signer = signer(provider.clone(), &clock).build().unwrap();
        let answer = edge.send(&signer, post(&gateway.url())).await;
        assert_eq!(answer.status, 403);
        assert_eq!(answer.headers["x-amzn-errortype"], "ExpiredTokenException");
        assert_eq!(answer.body, EXPIRED);
        assert_eq!(keys(&gateway), ["AKID1", "AKID2"], "{edge:?}");
        assert_eq!(provider.calls(), 2);
    }
}

#[tokio::test]
async fn without_other_credentials_there_is_no_second_try() {
    let same = || Provider::of([role("AKID1")]);
    let failing = || Provider::new([Some(role("AKID1")), None]);
    for edge in EDGES {
        for (what, provider) in [("the same", same()), ("a failure", failing())] {
            let clock = ManualTimeSource::new(noon());
            let gateway = gateway_past_the_first(&clock, false).await;
            let signer = signer(provider.clone(), &clock).build().unwrap();
            let answer = edge.send(&signer, post(&gateway.url())).await;
            assert_eq!((answer.status.as_u16(), answer.body.as_ref()), (403, EXPIRED.as_bytes()), "{what}");
            assert_eq!((keys(&gateway), provider.calls()), (vec!["AKID1".into()], 2), "{edge:?}, {what}");
        }
    }
}

#[tokio::test]
async fn with_recovery_off_the_first_refusal_is_the_callers() {
    for edge in EDGES {
        let clock = ManualTimeSource::new(noon());
        let gateway = gateway_past_the_first(&clock, false).await;
        let provider = Provider::of([role("AKID1"), role("AKID2")]);
        let signer = signer(provider.clone(), &clock).retry_on_auth_error(false).build().unwrap();
        assert_eq!(edge.send(&signer, post(&gateway.url())).await.body, EXPIRED);
        assert_eq!((tries(&gateway).len(), provider.calls()), (1, 1), "{edge:?}");
    }
}

#[tokio::test]
async fn a_provider_with_a_cache_of_its_own_is_asked_again() {
    for edge in EDGES {
        let clock = ManualTimeSource::new(noon());
        let gateway = gateway_past_the_first(&clock, false).await;
        let provider = Provider::of([role("AKID1"), role("AKID2")]);
        let signer = signer(provider, &clock).cache_credentials(false).build().unwrap();
        assert_eq!(edge.send(&signer, post(&gateway.url())).await.status, 200);
        assert_eq!(keys(&gateway), ["AKID1", "AKID2"], "{edge:?}");
    }
}

#[tokio::test]
async fn a_second_try_with_keys_that_have_no_token_sends_none() {
    for edge in EDGES {
        let clock = ManualTimeSource::new(noon());
        let gateway = gateway(&clock, [role("AKID1"), user("AKID2")]).await;
        gateway.expire("AKID1");
        let signer = signer(Provider::of([role("AKID1"), user("AKID2")]), &clock).build().unwrap();
        assert_eq!(edge.send(&signer, post(&gateway.url())).await.status, 200, "{edge:?}");
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
    let provider = Provider::of([role("AKID1"), role("AKID2"), role("AKID3")]);
    let signer = signer(provider.clone(), &clock).build().unwrap();
    let calls = (0..100).map(|_| Edge::Layer.send(&signer, post(&gateway.url())));
    let answers = join_all(calls).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(provider.calls(), 2);
    assert!(tries(&gateway).len() <= 200);
}

/// Neither is right by itself: the first refusal is for the date, the second would be for the token.
#[tokio::test]
async fn skew_and_expiry_together_are_still_one_more_try() {
    for edge in EDGES {
        let clock = ManualTimeSource::new(noon());
        let gateway = gateway_past_the_first(&clock, false).await;
        gateway.set_clock_offset(3600);
        let provider = Provider::of([role("AKID1"), role("AKID2")]);
        let signer = signer(provider, &clock).build().unwrap();
        let answer = edge.send(&signer, post(&gateway.url())).await;
        assert_eq!((answer.status.as_u16(), tries(&gateway).len()), (403, 2), "{edge:?}");
        assert_eq!(answer.body, EXPIRED);
    }
}

#[tokio::test]
async fn credentials_past_their_expiry_by_the_servers_clock_only() {
    for edge in EDGES {
        let clock = ManualTimeSource::new(noon());
        let until = |id: &str, minutes: u64| -> Credentials {
            let mut credentials = role(id);
            *credentials.expiry_mut() = Some(noon() + Duration::from_secs(60 * minutes));
            credentials
        };
        // Three minutes ahead of us, the server sees the end of credentials that have two minutes left here.
        let gateway = gateway(&clock, [until("AKID1", 2), until("AKID2", 60)]).await;
        gateway.set_clock_offset(180);
        let signer = signer(Provider::of([until("AKID1", 2), until("AKID2", 60)]), &clock).build().unwrap();
        assert_eq!(edge.send(&signer, post(&gateway.url())).await.status, 200);
        assert_eq!(keys(&gateway), ["AKID1", "AKID2"], "{edge:?}");
    }
}
