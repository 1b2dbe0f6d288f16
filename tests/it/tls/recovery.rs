//! One more attempt, over a connection that is there already: nothing of TLS or ALPN changes the rules.

use aws_smithy_async::test_util::ManualTimeSource;
use http::Request;

use super::*;

fn order() -> Request<&'static str> {
    Request::post(format!("{API}/orders?a=1")).body(r#"{"order":1}"#).unwrap()
}

#[tokio::test]
async fn a_wrong_clock() {
    for (integration, http) in ways() {
        for ahead in [3600, -3600] {
            let clock = ManualTimeSource::new(noon());
            let at = TlsGateway::new(gateway_at(&clock, [role_of("AKID")]).await).await;
            at.gateway.set_clock_offset(ahead);
            let signer = signer_at(role_of("AKID"), &clock).build().unwrap();
            accepted(integration, http, &at, &signer, order()).await;
            assert_eq!(tries(&at.gateway), [403, 200], "{integration:?} {http:?}");
            let seen = at.gateway.requests();
            assert_eq!((&seen[0].body, seen[0].version), (&seen[1].body, version(http)));
            accepted(integration, http, &at, &signer, order()).await;
            assert_eq!(tries(&at.gateway), [403, 200, 200], "{integration:?} {http:?}: it was learned");
        }
    }
}

#[tokio::test]
async fn expired_credentials() {
    for (integration, http) in ways() {
        let clock = ManualTimeSource::new(noon());
        let at = TlsGateway::new(gateway_at(&clock, [role_of("AKID1"), role_of("AKID2")]).await).await;
        at.gateway.expire("AKID1");
        let provider = FakeProvider::of([role_of("AKID1"), role_of("AKID2")]);
        let signer = signer_at(provider.clone(), &clock).build().unwrap();
        let received = accepted(integration, http, &at, &signer, order()).await;
        assert_eq!(received.header("x-amz-security-token"), Some("token-of-AKID2"));
        assert_eq!((tries(&at.gateway), provider.calls()), (vec![403, 200], 2), "{integration:?} {http:?}");
    }
}

#[tokio::test]
async fn a_policys_no_is_the_callers() {
    for (integration, http) in ways() {
        let clock = ManualTimeSource::new(noon());
        let at = TlsGateway::new(gateway_at(&clock, [role_of("AKID")]).await).await;
        at.gateway.deny("AKID");
        let signer = signer_at(role_of("AKID"), &clock).build().unwrap();
        let response = integration.send_to(http, at.addr(), &signer, order()).await.unwrap();
        assert_eq!(response.verdict(), (403, "AccessDeniedException"), "{integration:?} {http:?}");
        assert_eq!(tries(&at.gateway), [403]);
    }
}
