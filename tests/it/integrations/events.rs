//! One event for each refusal, with what a reader of the log needs to find its cause, and nothing secret.

use aws_smithy_async::test_util::ManualTimeSource;
use http::{Request, Response};
use sigv4_middleware::Signer;
use tracing::Level;

use crate::support::*;

const REFUSED: &str = "the server refused a signed request";

/// The refusal's fields, in order; an empty text for one that is missing.
fn refusals(events: &Events) -> Vec<[String; 5]> {
    let said = events.take(REFUSED);
    let fields = |said: &Said| {
        assert_eq!(said.level, Level::DEBUG);
        let shown = format!("{said:?}");
        for secret in [SECRET, TOKEN, "token-of-AKID", "secret of AKID", "Signature="] {
            assert!(!shown.contains(secret), "{shown}");
        }
        ["status", "code", "scope", "host", "request_id"]
            .map(|name| said.field(name).unwrap_or_default().to_owned())
    };
    said.iter().map(fields).collect()
}

fn scope(service: &str) -> String {
    format!("20150830/{REGION}/{service}/aws4_request")
}

#[tokio::test]
async fn a_refusal_is_one_event() {
    for (integration, http) in ways() {
        let clock = ManualTimeSource::new(noon());
        let gateway = gateway_at(&clock, [role_of("AKID")]).await;
        gateway.deny("AKID");
        let signer = signer_at(role_of("AKID"), &clock).build().unwrap();
        let events = Events::capture();
        let response =
            integration.send_to(http, gateway.addr(), &signer, post(&gateway.url())).await.unwrap();
        let id = response.headers["x-amzn-requestid"].to_str().unwrap();
        let host = gateway.addr().to_string();
        let expected = ["403", "AccessDeniedException", &scope("execute-api"), &host, id];
        assert_eq!(refusals(&events), [expected], "{integration:?} {http:?}");
    }
}

#[tokio::test]
async fn each_attempt_that_is_refused_is_one() {
    for (integration, http) in ways() {
        let clock = ManualTimeSource::new(noon());
        let gateway = gateway_at(&clock, [role_of("AKID")]).await;
        gateway.set_clock_offset(3600);
        let signer = signer_at(role_of("AKID"), &clock).build().unwrap();
        let events = Events::capture();
        for codes in [&["InvalidSignatureException"][..], &[], &["AccessDeniedException"]] {
            integration.send_to(http, gateway.addr(), &signer, post(&gateway.url())).await.unwrap();
            let said: Vec<_> = refusals(&events).into_iter().map(|[_, code, ..]| code).collect();
            assert_eq!(said, codes, "{integration:?} {http:?}");
            gateway.deny(if codes.is_empty() { "AKID" } else { "nobody" });
        }
        gateway.set_clock_offset(-3600);
        integration.send_to(http, gateway.addr(), &signer, post(&gateway.url())).await.unwrap();
        let said: Vec<_> = refusals(&events).into_iter().map(|[_, code, ..]| code).collect();
        assert_eq!(said, ["InvalidSignatureException", "AccessDeniedException"], "{integration:?} {http:?}");
    }
}

/// S3 has its code in the body, which the integrations that read bodies show, whatever the credentials are; the caller
/// gets it whole.
#[tokio::test]
async fn a_code_in_the_body_is_shown_where_bodies_are_read() {
    const BODY: &str = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    let clock = ManualTimeSource::new(noon());
    for keys in [role_of("AKID"), user_of("AKID")] {
        for retries in [true, false] {
            let signer =
                signer_at(keys.clone(), &clock).service("s3").retry_on_auth_error(retries).build().unwrap();
            for integration in INTEGRATIONS {
                let server = Server::start(|_| {
                    let response =
                        Response::builder().status(403).header("x-amz-request-id", "4442587FB7D0A2F9");
                    response.body(in_memory(BODY)).unwrap()
                });
                let server = server.await;
                let events = Events::capture();
                let response = integration.send(&signer, post(&server.url)).await;
                assert_eq!(response.text(), BODY, "{integration:?}");
                let code = if integration.reads_refusals() { "AccessDenied" } else { "" };
                let host = server.url.strip_prefix("http://").unwrap();
                let expected = ["403", code, &scope("s3"), host, "4442587FB7D0A2F9"];
                assert_eq!(refusals(&events), [expected], "{integration:?} {retries}");
            }
        }
    }
}

#[tokio::test]
async fn an_applications_refusal_is_one_and_other_statuses_are_none() {
    let clock = ManualTimeSource::new(noon());
    let signer = signer_at(role_of("AKID"), &clock).build().unwrap();
    for integration in INTEGRATIONS {
        for (status, is_refusal) in
            [(401, true), (400, true), (200, false), (302, false), (404, false), (500, false)]
        {
            let server =
                Server::start(move |_| Response::builder().status(status).body(in_memory("{}")).unwrap());
            let server = server.await;
            let events = Events::capture();
            integration.send(&signer, post(&server.url)).await;
            let expected = [
                status.to_string(),
                String::new(),
                scope("execute-api"),
                server.url[7..].into(),
                String::new(),
            ];
            let expected = is_refusal.then_some(expected);
            assert_eq!(refusals(&events), Vec::from_iter(expected), "{integration:?} {status}");
        }
    }
}

#[cfg(feature = "blocking")]
#[test]
fn a_blocking_refusal_is_one_event() {
    use sigv4_middleware::SendSigned;

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let clock = ManualTimeSource::new(noon());
    let gateway = runtime.block_on(gateway_at(&clock, [role_of("AKID")]));
    gateway.deny("AKID");
    let signer = signer_at(role_of("AKID"), &clock).build().unwrap();
    let client = sigv4_middleware::reqwest_blocking_client().no_proxy().tls_certs_only([]).build().unwrap();
    let events = Events::capture();
    assert_eq!(client.get(gateway.url()).send_signed(&signer).unwrap().status(), 403);
    let [[status, code, ..]] = <[_; 1]>::try_from(refusals(&events)).unwrap();
    assert_eq!((status.as_str(), code.as_str()), ("403", "AccessDeniedException"));
}

/// A clock that is wrong is worth a warning, and a warning for each request would be noise.
#[tokio::test]
async fn a_wrong_clock_is_one_warning_for_each_origin() {
    for integration in INTEGRATIONS {
        let clock = ManualTimeSource::new(noon());
        let gateways = [
            gateway_at(&clock, [role_of("AKID")]).await,
            gateway_at(&clock, [role_of("AKID")]).await,
            gateway_at(&clock, [role_of("AKID")]).await,
        ];
        gateways[0].set_clock_offset(3600);
        gateways[1].set_clock_offset(-3600);
        let signer = signer_at(role_of("AKID"), &clock).build().unwrap();
        let events = Events::capture();
        for _ in 0..3 {
            for gateway in &gateways {
                assert_eq!(integration.send(&signer, post(&gateway.url())).await.status, 200);
            }
        }
        let warnings: Vec<_> = events
            .take("clock")
            .into_iter()
            .filter(|said| said.level <= Level::INFO)
            .map(|said| {
                [said.field("origin").unwrap().to_owned(), said.field("offset_seconds").unwrap().to_owned()]
            })
            .collect();
        let expected =
            |gateway: usize, offset: &str| [gateways[gateway].addr().to_string(), offset.to_owned()];
        assert_eq!(warnings, [expected(0, "3600"), expected(1, "-3600")], "{integration:?}");
    }
}

/// Requests that nobody signed say so once, at a level that is seen.
#[tokio::test]
async fn a_disabled_signer_says_so_once() {
    let gateway = gateway("execute-api").await;
    let signer = Signer::disabled();
    let events = Events::capture();
    for integration in INTEGRATIONS {
        let request = Request::get(gateway.url()).body("").unwrap();
        assert_eq!(integration.send(&signer.clone(), request).await.status, 403);
    }
    let said = events.take("");
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0].level, Level::WARN);
    assert!(said[0].message().contains("Signer::disabled()"), "{said:?}");
}
