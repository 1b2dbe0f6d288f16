//! Clocks that differ. The signer's clock stands still unless a test moves it, so that every date is known.

use std::time::Duration;

use aws_smithy_async::test_util::ManualTimeSource;
use bytes::Bytes;
use http::{Method, Request, Response};
use sigv4_middleware::{IamGateway, Signer};

use crate::support::*;

const HOUR: i64 = 3600;
const MINUTE: i64 = 60;

async fn alike(correct: Option<bool>, recover: bool) -> (ManualTimeSource, IamGateway, Signer) {
    let clock = ManualTimeSource::new(noon());
    let gateway = gateway_at(&clock, [role_of("AKID")]).await;
    let mut builder = signer_at(role_of("AKID"), &clock).retry_on_auth_error(recover);
    if let Some(correct) = correct {
        builder = builder.clock_skew_correction(correct);
    }
    (clock, gateway, builder.build().unwrap())
}

#[tokio::test]
async fn a_clock_an_hour_or_six_minutes_off_costs_one_more_try_and_then_none() {
    for integration in INTEGRATIONS {
        for ahead in [HOUR, -HOUR, 6 * MINUTE, -6 * MINUTE] {
            let (_, gateway, signer) = alike(Some(true), true).await;
            gateway.set_clock_offset(ahead);
            let response = integration.send(&signer, post(&gateway.url())).await;
            assert_eq!(response.status, 200, "{integration:?} {ahead}");
            assert_eq!(tries(&gateway), [403, 200], "{integration:?} {ahead}");
            let seen = gateway.requests();
            assert_eq!(seen[0].error_type, Some("InvalidSignatureException"));
            assert_eq!(seen[0].body, seen[1].body, "the same body both times");

            assert_eq!(integration.send(&signer, post(&gateway.url())).await.status, 200);
            assert_eq!(tries(&gateway), [403, 200, 200], "the offset was learned: {integration:?} {ahead}");
        }
    }
}

#[tokio::test]
async fn what_the_server_still_takes_is_learned_without_a_refusal() {
    for integration in INTEGRATIONS {
        let (_, gateway, signer) = alike(Some(true), true).await;
        gateway.set_clock_offset(4 * MINUTE + 30);
        for _ in 0..2 {
            assert_eq!(integration.send(&signer, post(&gateway.url())).await.status, 200);
        }
        assert_eq!(tries(&gateway), [200, 200]);
        let dates: Vec<_> =
            gateway.requests().iter().map(|seen| seen.header("x-amz-date").unwrap().to_owned()).collect();
        assert_eq!(dates, ["20150830T123600Z", "20150830T124030Z"], "{integration:?}");
    }
}

#[tokio::test]
async fn a_server_whose_clock_jumps_costs_one_more_try_at_each_jump() {
    for integration in INTEGRATIONS {
        let (_, gateway, signer) = alike(Some(true), true).await;
        for (ahead, expected) in [
            (0, &[200][..]),
            (HOUR, &[403, 200]),
            (HOUR, &[200]),
            (0, &[403, 200]),
            (-6 * MINUTE, &[403, 200]),
            (6 * MINUTE, &[403, 200]),
        ] {
            gateway.set_clock_offset(ahead);
            gateway.clear();
            assert_eq!(
                integration.send(&signer, post(&gateway.url())).await.status,
                200,
                "{integration:?} {ahead}"
            );
            assert_eq!(tries(&gateway), expected, "{integration:?} {ahead}");
        }
    }
}

#[tokio::test]
async fn a_server_that_never_agrees_is_asked_twice() {
    for integration in INTEGRATIONS {
        let clock = ManualTimeSource::new(noon());
        let server = Server::start(|before| {
            invalid_signature(noon() + Duration::from_secs(3600 * (before as u64 + 1)))
        })
        .await;
        let signer = signer_at(role_of("AKID"), &clock).build().unwrap();
        let response = integration.send(&signer, post(&server.url)).await;
        assert_eq!((response.status.as_u16(), server.tries()), (403, 2), "{integration:?}");
        assert_eq!(response.body, r#"{"message":"Signature expired"}"#);
        assert_eq!(response.headers["date"], "Sun, 30 Aug 2015 14:36:00 GMT", "the second refusal");
    }
}

/// Two servers of one host, on ports of their own.
#[tokio::test]
async fn the_clock_of_one_server_says_nothing_of_another_on_the_same_host() {
    for integration in INTEGRATIONS {
        let (clock, gateway, signer) = alike(Some(true), false).await;
        gateway.set_clock_offset(24 * HOUR);
        let other = gateway_at(&clock, [role_of("AKID")]).await;
        for _ in 0..2 {
            integration.send(&signer, post(&gateway.url())).await;
            integration.send(&signer, post(&other.url())).await;
        }
        assert_eq!(tries(&gateway), [403, 200], "{integration:?}");
        assert_eq!(tries(&other), [200, 200], "{integration:?}");
    }
}

#[tokio::test]
async fn with_correction_off_a_wrong_clock_is_the_callers_to_see() {
    for integration in INTEGRATIONS {
        for ahead in [HOUR, -HOUR, 6 * MINUTE, -6 * MINUTE] {
            let (_, gateway, signer) = alike(Some(false), true).await;
            gateway.set_clock_offset(ahead);
            for call in 1..=2 {
                let response = integration.send(&signer, post(&gateway.url())).await;
                assert_eq!(response.headers["x-amzn-errortype"], "InvalidSignatureException");
                assert_eq!(tries(&gateway), vec![403; call], "{integration:?} {ahead}");
            }
        }
    }
}

/// A clock that goes on between the two looks at it makes a second signature a little nearer to the server's time.
#[tokio::test]
async fn with_correction_off_a_running_clock_changes_nothing() {
    for integration in INTEGRATIONS {
        let gateway = IamGateway::builder()
            .region(REGION)
            .credentials(user_of("AKID"))
            .clock_offset(HOUR)
            .start()
            .await;
        let gateway = gateway.unwrap();
        let signer = Signer::builder().credentials(user_of("AKID")).service("execute-api").region(REGION);
        let signer = signer.clock_skew_correction(false).build().unwrap();
        assert_eq!(integration.send(&signer, post(&gateway.url())).await.status, 403);
        assert_eq!(tries(&gateway), [403], "{integration:?}");
    }
}

/// Run by the next test in a process that has the variable.
#[tokio::test]
#[ignore = "runs in a process of its own, with another environment"]
async fn in_an_environment_that_switches_correction_off() {
    if std::env::var_os("AWS_DISABLE_CLOCK_SKEW_CORRECTION").is_none() {
        return;
    }
    let (_, gateway, signer) = alike(None, true).await;
    gateway.set_clock_offset(HOUR);
    assert_eq!(Integration::LayerOnHyper.send(&signer, post(&gateway.url())).await.status, 403);
    assert_eq!(tries(&gateway), [403]);
}

#[test]
fn the_environment_switches_correction_off() {
    let run = |value: &str| {
        rerun(module_path!(), "in_an_environment_that_switches_correction_off")
            .arg("--ignored")
            .env("AWS_DISABLE_CLOCK_SKEW_CORRECTION", value)
            .output()
            .unwrap()
    };
    let off = run("true");
    let text = String::from_utf8_lossy(&off.stdout);
    assert!(off.status.success() && text.contains("1 passed"), "{text}");
    let on = run("false");
    assert!(!on.status.success() && String::from_utf8_lossy(&on.stdout).contains("1 failed"));
}

#[tokio::test]
async fn with_recovery_off_nothing_is_sent_again_but_the_next_call_knows() {
    for integration in INTEGRATIONS {
        let (_, gateway, signer) = alike(Some(true), false).await;
        gateway.set_clock_offset(HOUR);
        assert_eq!(integration.send(&signer, post(&gateway.url())).await.status, 403);
        assert_eq!(tries(&gateway), [403], "{integration:?}");
        assert_eq!(integration.send(&signer, post(&gateway.url())).await.status, 200);
        assert_eq!(tries(&gateway), [403, 200], "{integration:?}");
    }
}

#[tokio::test]
async fn a_cached_response_teaches_nothing() {
    for integration in INTEGRATIONS {
        let (_, gateway, signer) = alike(Some(true), true).await;
        let cached = Response::builder()
            .header("age", "3600")
            .header("date", httpdate::fmt_http_date(noon() - Duration::from_secs(3600)));
        gateway.respond_with(cached.body(Bytes::from_static(b"from a cache")).unwrap());
        for _ in 0..2 {
            assert_eq!(integration.send(&signer, post(&gateway.url())).await.body, "from a cache");
        }
        assert_eq!(tries(&gateway), [200, 200]);
        assert_eq!(gateway.requests()[1].header("x-amz-date"), Some("20150830T123600Z"), "{integration:?}");
    }
}

#[tokio::test]
async fn a_refusal_that_does_not_tell_the_servers_time_is_not_tried_again() {
    type Change = fn(&mut Response<TestBody>);
    let changes: [(&str, Change); 4] = [
        ("from a cache", |response| drop(response.headers_mut().insert("age", "0".parse().unwrap()))),
        ("two Dates", |response| {
            let date = response.headers()["date"].clone();
            response.headers_mut().append("date", date);
        }),
        ("without Date", |response| drop(response.headers_mut().remove("date"))),
        ("unreadable Date", |response| drop(response.headers_mut().insert("date", "noon".parse().unwrap()))),
    ];
    for integration in INTEGRATIONS {
        for (what, change) in changes {
            let clock = ManualTimeSource::new(noon());
            let server = Server::start(move |_| {
                let mut response = invalid_signature(noon() + Duration::from_secs(3600));
                change(&mut response);
                response
            });
            let server = server.await;
            let signer = signer_at(role_of("AKID"), &clock).build().unwrap();
            let response = integration.send(&signer, post(&server.url)).await;
            assert_eq!((response.status.as_u16(), server.tries()), (403, 1), "{integration:?}, {what}");
            assert_eq!(response.body, r#"{"message":"Signature expired"}"#);
        }
    }
}

/// A refusal an hour after the request was signed, by a server whose clock is one more hour ahead.
#[tokio::test]
async fn a_round_trip_over_a_quarter_of_an_hour_teaches_nothing() {
    for integration in INTEGRATIONS {
        let clock = ManualTimeSource::new(noon());
        let passing = clock.clone();
        let server = Server::start(move |_| {
            passing.advance(Duration::from_secs(3600));
            invalid_signature(noon() + Duration::from_secs(7200))
        });
        let server = server.await;
        let signer = signer_at(role_of("AKID"), &clock).build().unwrap();
        let response = integration.send(&signer, post(&server.url)).await;
        assert_eq!((response.status.as_u16(), server.tries()), (403, 1), "{integration:?}");
        integration.send(&signer, post(&server.url)).await;
        assert_eq!(server.header(1, "x-amz-date").unwrap(), "20150830T133600Z", "{integration:?}");
    }
}

#[tokio::test]
async fn a_presigned_url_is_never_shifted() {
    let (_, gateway, signer) = alike(Some(true), true).await;
    gateway.set_clock_offset(HOUR);
    assert_eq!(Integration::LayerOnHyper.send(&signer, post(&gateway.url())).await.status, 200, "learned");
    let uri = format!("{}/orders", gateway.url()).parse().unwrap();
    let url = signer.presign(&Method::GET, &uri, Duration::from_secs(60)).await;
    assert!(url.unwrap().to_string().contains("X-Amz-Date=20150830T123600Z"));
    let request = Request::get(format!("{}/orders", gateway.url())).body("").unwrap();
    assert_eq!(Integration::LayerOnHyper.send(&signer, request).await.status, 200);
    assert_eq!(gateway.requests()[2].header("x-amz-date"), Some("20150830T133600Z"));
}

/// A server that works for minutes dates its refusal long after the request was signed, and was not late to see it.
#[tokio::test]
async fn a_slow_server_gets_a_request_once() {
    for (code, tries) in
        [("BadRequestException", 1), ("AccessDeniedException", 1), ("InvalidSignatureException", 2)]
    {
        let clock = ManualTimeSource::new(noon());
        let working = clock.clone();
        let server = Server::start(move |_| {
            working.advance(Duration::from_secs(6 * 60));
            http::Response::builder()
                .status(403)
                .header("x-amzn-errortype", code)
                .header("date", httpdate::fmt_http_date(aws_smithy_async::time::TimeSource::now(&working)))
                .body(in_memory("{}"))
                .unwrap()
        });
        let server = server.await;
        let signer = signer_at(role_of("AKID"), &clock).build().unwrap();
        assert_eq!(Integration::LayerOnHyper.send(&signer, post(&server.url)).await.status, 403, "{code}");
        assert_eq!(server.tries(), tries, "{code}");
    }
}
