//! Presigned URLs: how long they live, what they replace, and that a client without credentials can use them.

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_async::time::StaticTimeSource;
use http::{Method, Request, Uri};
use sigv4_middleware::{Credentials, ErrorKind, PresigningConfig, Signer};

use crate::support::*;

fn object() -> Uri {
    Uri::from_static("https://bucket.s3.eu-central-1.amazonaws.com/key")
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

/// A signer whose credentials end after so many seconds.
fn ending_in(seconds: u64) -> Signer {
    let expiry = now() + Duration::from_secs(seconds);
    let credentials = Credentials::new(KEY, SECRET, Some(TOKEN.to_owned()), Some(expiry), "test");
    Signer::builder().credentials(credentials).time_source(StaticTimeSource::new(now())).build().unwrap()
}

fn get(uri: &Uri) -> http::request::Parts {
    Request::get(uri).body(()).unwrap().into_parts().0
}

#[tokio::test]
async fn a_lifetime_is_whole_seconds_from_one_to_seven_days() {
    let signer = ending_in(30 * 24 * 3600);
    for (asked, good) in [
        (Duration::ZERO, false),
        (Duration::from_millis(999), false),
        (Duration::from_secs(1), true),
        (Duration::from_millis(1500), false),
        (Duration::from_secs(604_800), true),
        (Duration::from_secs(604_801), false),
        (Duration::MAX, false),
    ] {
        let url = signer.presign(&Method::GET, &object(), asked).await;
        assert_eq!(url.is_ok(), good, "{asked:?}");
        match url {
            Ok(url) => assert!(url.query().unwrap().contains(&format!("X-Amz-Expires={}&", asked.as_secs()))),
            Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidExpiry),
        }
    }
}

#[tokio::test]
async fn a_url_does_not_outlive_its_credentials() {
    let hour = PresigningConfig::new(Duration::from_secs(3600));
    let parts = get(&object());
    let shortened = ending_in(1200).presign_request(&parts, hour).await.unwrap();
    assert_eq!(shortened.expires_in(), Duration::from_secs(1200));
    assert!(shortened.uri().query().unwrap().contains("X-Amz-Expires=1200&"));
    let refused = ending_in(1200).presign_request(&parts, hour.refuse_shortening(true)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidExpiry);
    assert!(refused.to_string().contains("1200s"), "{refused}");
    let whole = ending_in(7200).presign_request(&parts, hour.refuse_shortening(true)).await.unwrap();
    assert_eq!(whole.expires_in(), Duration::from_secs(3600));
}

#[tokio::test]
async fn an_earlier_signature_is_replaced_and_other_parameters_stay() {
    let signer = ending_in(7200);
    let once = signer.presign(&Method::GET, &object(), Duration::from_secs(60)).await.unwrap();
    let again = signer.presign(&Method::GET, &once, Duration::from_secs(60)).await.unwrap();
    assert_eq!(once, again);
    let with: Uri = format!("{}?versionId=3&x-amz-signature=00&a=%20", object()).parse().unwrap();
    let url = signer.presign(&Method::GET, &with, Duration::from_secs(60)).await.unwrap();
    let query = url.query().unwrap();
    assert!(query.starts_with("versionId=3&a=%20&X-Amz-Algorithm="), "{query}");
    assert_eq!(query.to_lowercase().matches("x-amz-signature").count(), 1);
}

/// S3 takes the payload of a presigned URL as unsigned where no signed header tells its hash.
#[tokio::test]
async fn a_signed_payload_is_the_only_one_that_is_taken() {
    for service in ["s3", "execute-api"] {
        let gateway = gateway(service).await;
        // As an earlier signature may have left it.
        let uri: Uri = format!("{}/key?X-Amz-Content-Sha256=00", gateway.url()).parse().unwrap();
        let put = Request::put(&uri).body(()).unwrap().into_parts().0;
        let presigning = PresigningConfig::new(Duration::from_secs(60)).payload("this body");
        let presigned = signer(service).presign_request(&put, presigning).await.unwrap();
        let url = presigned.uri().to_string();
        assert!(!url.contains("Content-Sha256"), "{url}");
        for (body, status) in [("this body", 200), ("another", 403)] {
            let request = reqwest::Client::new().put(&url).headers(presigned.headers().clone());
            let response = request.body(body).send().await.unwrap();
            let (given, text) = (response.status(), response.text().await.unwrap());
            assert_eq!(given, status, "{service} {body}: {text}");
        }
        let without = reqwest::Client::new().put(&url).body("this body").send().await.unwrap();
        assert_eq!(without.status(), if service == "s3" { 403 } else { 200 });
        assert_eq!(presigned.headers().len(), usize::from(service == "s3"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_fetches_it() {
    for service in ["s3", "execute-api"] {
        let gateway = gateway(service).await;
        for path in ["/", "/a%20b+c/%C3%BC(1)'.txt", "/100%25?list-type=2&prefix=a%2Fb"] {
            let uri: Uri = format!("{}{path}", gateway.url()).parse().unwrap();
            let url = signer(service).presign(&Method::GET, &uri, Duration::from_secs(60)).await.unwrap();
            let mut curl = Command::new("curl");
            curl.args([
                "--silent",
                "--path-as-is",
                "--globoff",
                "--write-out",
                "%{http_code}",
                "--output",
                "-",
            ]);
            let output = match curl.arg(url.to_string()).output() {
                Ok(output) => String::from_utf8(output.stdout).unwrap(),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    eprintln!("skipped: there is no curl here");
                    return;
                }
                Err(error) => panic!("{error}"),
            };
            assert!(output.ends_with("200"), "{service} {path}: {output}");
            let cut = url.to_string().replace("X-Amz-Expires=60", "X-Amz-Expires=61");
            let output =
                Command::new("curl").args(["--silent", "--globoff", "--path-as-is"]).arg(cut).output();
            let refusal = String::from_utf8(output.unwrap().stdout).unwrap();
            assert!(refusal.contains("does not match"), "{refusal}");
        }
    }
}
