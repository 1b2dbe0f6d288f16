//! Refusals that another try would not help, and responses that are no refusal.

use aws_smithy_async::test_util::ManualTimeSource;
use http::{Response, StatusCode};
use sigv4_middleware::Credentials;

use crate::support::*;

#[tokio::test]
async fn a_plain_refusal_is_never_tried_again() {
    let wrong_secret = |token: Option<&str>| {
        Credentials::new("AKID", "not the secret", token.map(str::to_owned), None, "test")
    };
    for integration in INTEGRATIONS {
        for (keys, known, denied, code) in [
            (role_of("AKID"), role_of("AKID"), true, "AccessDeniedException"),
            (user_of("AKID"), user_of("AKID"), true, "AccessDeniedException"),
            (wrong_secret(Some("token-of-AKID")), role_of("AKID"), false, "InvalidSignatureException"),
            (wrong_secret(None), user_of("AKID"), false, "InvalidSignatureException"),
            (role_of("UNKNOWN"), role_of("AKID"), false, "UnrecognizedClientException"),
            (user_of("UNKNOWN"), user_of("AKID"), false, "UnrecognizedClientException"),
        ] {
            let clock = ManualTimeSource::new(noon());
            let gateway = gateway_at(&clock, [known]).await;
            if denied {
                gateway.deny("AKID");
            }
            // What is another key each time must not look like a cure.
            let provider = FakeProvider::of([keys, role_of("ANOTHER")]);
            let signer = signer_at(provider.clone(), &clock).build().unwrap();
            let response = integration.send(&signer, post(&gateway.url())).await;
            assert_eq!(response.headers["x-amzn-errortype"], code, "{integration:?}");
            assert_eq!(
                (tries(&gateway).as_slice(), provider.calls()),
                (&[403][..], 1),
                "{integration:?}, {code}"
            );
            let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
            assert!(body["message"].is_string(), "{integration:?}, {code}");
        }
    }
}

#[tokio::test]
async fn a_policys_no_after_a_cured_clock_is_the_last_word() {
    for integration in INTEGRATIONS {
        let clock = ManualTimeSource::new(noon());
        let gateway = gateway_at(&clock, [role_of("AKID")]).await;
        gateway.deny("AKID");
        gateway.set_clock_offset(3600);
        let signer = signer_at(role_of("AKID"), &clock).build().unwrap();
        for expected in [2, 3] {
            let response = integration.send(&signer, post(&gateway.url())).await;
            assert_eq!(response.headers["x-amzn-errortype"], "AccessDeniedException");
            assert_eq!(tries(&gateway).len(), expected, "{integration:?}");
        }
    }
}

#[tokio::test]
async fn no_other_status_is_tried_again_whatever_its_code_and_date_say() {
    for integration in INTEGRATIONS {
        for status in [200, 404, 409, 429, 500, 503] {
            let clock = ManualTimeSource::new(noon());
            let server = Server::start(move |before| {
                // Credentials first, then a clock: neither code counts.
                let code = ["ExpiredTokenException", "InvalidSignatureException"][before % 2];
                let mut response = invalid_signature(noon() + std::time::Duration::from_secs(7200));
                *response.status_mut() = StatusCode::from_u16(status).unwrap();
                response.headers_mut().insert("x-amzn-errortype", code.parse().unwrap());
                response
            });
            let server = server.await;
            let signer = signer_at(role_of("AKID"), &clock).clock_skew_correction(false).build().unwrap();
            for tries in 1..=2 {
                let response = integration.send(&signer, post(&server.url)).await;
                assert_eq!((response.status.as_u16(), server.tries()), (status, tries), "{integration:?}");
            }
        }
    }
}

/// A code may come with a URL or a namespace about it, and more than one status.
#[tokio::test]
async fn codes_are_read_off_the_header_as_services_write_them() {
    for integration in INTEGRATIONS {
        for (status, code) in [
            (400, "RequestExpired"),
            (401, "AuthFailure"),
            (403, "InvalidSignatureException:http://internal.amazon.com/coral/com.amazon.coral.service/"),
            (400, "com.amazon.coral.service#InvalidSignatureException"),
            (403, "SignatureDoesNotMatch"),
            (403, "RequestInTheFuture"),
            (400, "BadRequestException"),
            (403, "AccessDeniedException"),
        ] {
            let clock = ManualTimeSource::new(noon());
            let server = Server::start(move |before| match before {
                0 => Response::builder()
                    .status(status)
                    .header("x-amzn-errortype", code)
                    .header("date", "Sun, 30 Aug 2015 13:36:00 GMT")
                    .body(in_memory("never read"))
                    .unwrap(),
                _ => ok(),
            });
            let server = server.await;
            let signer = signer_at(role_of("AKID"), &clock).build().unwrap();
            assert_eq!(
                integration.send(&signer, post(&server.url)).await.body,
                "ok",
                "{integration:?}, {code}"
            );
            assert_eq!(server.tries(), 2);
            assert_eq!(server.header(1, "x-amz-date").unwrap(), "20150830T133600Z");
        }
    }
}
