//! What the diagnosis makes of refusals by servers that nobody here wrote. It may name more than one cause where they
//! do not say; never another than the one that was made.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_smithy_async::time::StaticTimeSource;
use reqwest_middleware::ClientBuilder;
use sigv4_middleware::diagnosis::{Cause, Diagnosis};
use sigv4_middleware::{Diagnose, SigV4Middleware, Signer, SignerBuilder};
use sigv4_test_support::ministack::{Keys, Ministack};
use sigv4_test_support::s3s::S3s;

use crate::support::{KEY, SECRET, plain_reqwest};

fn credentials(keys: &Keys) -> Credentials {
    Credentials::new(&keys.access_key_id, &keys.secret_access_key, keys.session_token.clone(), None, "test")
}

fn signing(service: &'static str, region: &str, keys: Credentials) -> SignerBuilder {
    Signer::builder()
        .credentials(keys)
        .service(service)
        .region(region.to_owned())
        .record_signing_details(true)
        .retry_on_auth_error(false)
        .clock_skew_correction(false)
}

fn hours(by: i32) -> StaticTimeSource {
    let shift = Duration::from_secs(3 * 3600);
    let now = SystemTime::now();
    StaticTimeSource::new(if by < 0 { now - shift } else { now + shift })
}

async fn refused(signer: SignerBuilder, url: &str) -> (u16, Option<Diagnosis>) {
    let signer = signer.build().unwrap();
    let client = ClientBuilder::new(plain_reqwest()).with(SigV4Middleware::new(signer)).build();
    let response = client.get(url).send().await.unwrap();
    let (response, diagnosis) = response.diagnose().await;
    (response.status().as_u16(), diagnosis)
}

async fn verify(server: &str, rows: Vec<(Cause, &str, SignerBuilder, String)>) {
    let mut wrong = Vec::new();
    for (made, how, signer, url) in rows {
        let (status, diagnosis) = refused(signer, &url).await;
        let given: Vec<_> =
            diagnosis.iter().flat_map(|given| given.causes()).map(|cause| cause.as_str()).collect();
        let is_right = given.contains(&made.as_str());
        println!("{server:12} {:32} {how:24} {status} {}", made.as_str(), given.join(" | "));
        if !is_right {
            wrong.push(format!(
                "{how}: {given:?}\n{}",
                diagnosis.map(|given| given.to_string()).unwrap_or_default()
            ));
        }
    }
    assert!(wrong.is_empty(), "{server}: {}", wrong.join("\n\n"));
}

#[tokio::test]
async fn of_ministack() {
    let Some(ministack) = Ministack::shared() else { return };
    let setup = &ministack.setup;
    let (api, object) =
        (format!("{}/items?a=1", setup.api_url), format!("{}/{}/key", setup.endpoint, setup.bucket));
    let wrong = Keys { secret_access_key: "wrong".to_owned(), ..setup.user.clone() };
    let no_token = Keys { session_token: None, ..setup.session.clone() };
    let other_token = Keys { session_token: Some("of-somebody-else".to_owned()), ..setup.session.clone() };
    let unknown = Keys { access_key_id: "AKIAUNKNOWNUNKNOWN00".to_owned(), ..setup.user.clone() };
    for (service, url) in [("execute-api", &api), ("s3", &object)] {
        let with = |keys: &Keys| signing(service, &setup.region, credentials(keys));
        let late = with(&setup.user).time_source(hours(-1));
        let early = with(&setup.user).time_source(hours(1));
        let mut rows = vec![
            (Cause::AccessKeyUnknown, "unknown key", with(&unknown), url.clone()),
            (Cause::SessionTokenMissing, "no token", with(&no_token), url.clone()),
            (Cause::SessionTokenInvalid, "token of others", with(&other_token), url.clone()),
        ];
        // Its API Gateway prints times and no canonical request; its S3 a canonical request and no times.
        rows.extend(if service == "execute-api" {
            vec![
                (Cause::SignatureMismatchUnspecified, "wrong secret", with(&wrong), url.clone()),
                (Cause::PolicyImplicitDeny, "user without rights", with(&setup.stranger), url.clone()),
                (Cause::ClockSkewBehind, "clock behind", late, url.clone()),
                (Cause::ClockSkewAhead, "clock ahead", early, url.clone()),
            ]
        } else {
            vec![
                (Cause::SignatureMismatchSecret, "wrong secret", with(&wrong), url.clone()),
                (Cause::ClockSkew, "clock behind", late, url.clone()),
                (Cause::ClockSkew, "clock ahead", early, url.clone()),
            ]
        });
        verify(&format!("ministack {service}"), rows).await;
    }
}

#[tokio::test]
async fn of_s3s() {
    let Some(server) = S3s::start("diagnosis") else { return };
    let url = server.url("key");
    let keys = |id: &str, secret: &str| Credentials::new(id, secret, None, None, "test");
    let with = |id: &str, secret: &str| signing("s3", "eu-west-1", keys(id, secret));
    // It prints no canonical request, and no times.
    verify(
        "s3s-fs",
        vec![
            (Cause::SignatureMismatchUnspecified, "wrong secret", with(KEY, "wrong"), url.clone()),
            // Which it calls an account that is not signed up, as S3 calls one that has no subscription.
            (Cause::SubscriptionRequired, "unknown key", with("AKIDOTHER", SECRET), url.clone()),
            (Cause::ClockSkew, "clock behind", with(KEY, SECRET).time_source(hours(-1)), url.clone()),
        ],
    )
    .await;
}
