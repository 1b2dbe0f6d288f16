//! The record of what was signed, in the response's extensions.

use http::Request;
use sigv4_middleware::{IamGateway, SigningDetails, overrides};

use crate::support::*;

fn request(gateway: &IamGateway) -> Request<TestBody> {
    Request::put(format!("{}/prod/a%20b?z=1&a=2", gateway.url()))
        .header("x-amz-meta-a", "of the caller")
        .body(in_memory("body"))
        .unwrap()
}

#[tokio::test]
async fn is_there_where_it_is_wanted_and_only_there() {
    for service in ["execute-api", "s3"] {
        let gateway = gateway(service).await;
        let recording = signing(service).record_signing_details(true).build().unwrap();
        for (integration, http) in ways() {
            let sent =
                integration.open_at(http, gateway.addr(), &recording, request(&gateway)).await.unwrap();
            assert_eq!(sent.status(), 200);
            let details = sent.extensions().get::<SigningDetails>().expect("it was recorded");
            let text = details.canonical_request();
            assert!(text.starts_with("PUT\n/prod/a%"), "{text}");
            assert!(text.contains("\na=2&z=1\nhost:127.0.0.1:"), "{text}");
            assert!(text.contains("\nx-amz-meta-a:of the caller\n"), "{text}");
            assert!(!details.to_string().contains(TOKEN) && text.contains("x-amz-security-token:[redacted]"));
            // The same date as was sent.
            let sent = gateway.requests().pop().unwrap();
            let date = sent.header("x-amz-date").unwrap();
            assert_eq!(details.string_to_sign().lines().nth(1), Some(date), "{integration:?}");

            let mut unsigned = request(&gateway);
            unsigned.extensions_mut().insert(overrides::SkipSigning);
            let unsigned = integration.open_at(http, gateway.addr(), &recording, unsigned).await.unwrap();
            let skipped = unsigned.status() == 403;
            assert_eq!(skipped, WITH_EXTENSIONS.contains(&integration));
            let details = unsigned.extensions().get::<SigningDetails>().expect("that nothing was signed");
            assert_eq!(details.is_empty(), skipped);

            let silent = integration.open_at(http, gateway.addr(), &signer(service), request(&gateway)).await;
            assert!(silent.unwrap().extensions().get::<SigningDetails>().is_none());
        }
    }
}

/// The record is made after the request was sent. It has to be what was signed, to the letter: AWS's own signer, asked
/// for the signature of the string to sign in the record, gives the one that was sent.
#[tokio::test]
async fn is_what_was_signed_of_the_last_attempt() {
    let gateway = gateway("execute-api").await;
    gateway.set_clock_offset(3600);
    let recording = signing("execute-api").record_signing_details(true).build().unwrap();
    for integration in INTEGRATIONS {
        gateway.clear();
        let fresh = signing("execute-api").record_signing_details(true).build().unwrap();
        for signer in [&fresh, &recording] {
            let response = integration.open(signer, request(&gateway)).await;
            let details = response.extensions().get::<SigningDetails>().expect("it was recorded");
            let last = gateway.requests().pop().unwrap();
            assert_eq!(last.status, 200);
            let to_sign = details.string_to_sign();
            let mut lines = to_sign.lines().skip(1);
            let (date, scope) = (lines.next().unwrap(), lines.next().unwrap());
            assert_eq!(Some(date), last.header("x-amz-date"));
            let day = time::PrimitiveDateTime::parse(
                date,
                time::macros::format_description!("[year][month][day]T[hour][minute][second]Z"),
            );
            let region = scope.split('/').nth(1).unwrap();
            let key = aws_sigv4::sign::v4::generate_signing_key(
                SECRET,
                day.unwrap().assume_utc().into(),
                region,
                "execute-api",
            );
            let signature = aws_sigv4::sign::v4::calculate_signature(key, to_sign.as_bytes());
            let sent = last.headers["authorization"].to_str().unwrap();
            assert!(sent.ends_with(&format!("Signature={signature}")), "{integration:?}: {sent}");
        }
        assert_eq!(tries(&gateway).first(), Some(&403), "{integration:?} was refused for its date at first");
    }
}

#[cfg(feature = "blocking")]
#[test]
fn is_there_for_blocking_clients() {
    use sigv4_middleware::SendSigned;

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let gateway = runtime.block_on(gateway("execute-api"));
    let client = sigv4_middleware::reqwest_blocking_client().no_proxy().build().unwrap();
    for wanted in [true, false] {
        let signer = signing("execute-api").record_signing_details(wanted).build().unwrap();
        let response = client.put(gateway.url()).body("body").send_signed(&signer).unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.extensions().get::<SigningDetails>().is_some(), wanted);
    }
}
