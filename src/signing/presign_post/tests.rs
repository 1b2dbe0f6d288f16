use std::time::UNIX_EPOCH;

use aws_credential_types::Credentials;
use aws_smithy_async::time::StaticTimeSource;
use base64::prelude::BASE64_STANDARD;

use super::*;
use crate::signing::builder::SignerBuilder;

const URL: &str = "https://bucket.s3.eu-central-1.amazonaws.com/";
const MINUTE: Duration = Duration::from_secs(60);

fn policy() -> PostPolicy {
    PostPolicy::new("bucket", MINUTE).key("a")
}

/// At noon of 30 August 2015; the credentials expire two minutes later.
fn builder() -> SignerBuilder {
    let now = UNIX_EPOCH + Duration::from_secs(1_440_938_160);
    let credentials = Credentials::new(
        "AKIDEXAMPLE",
        "thesecretkey",
        Some("thesessiontoken".into()),
        Some(now + 2 * MINUTE),
        "test",
    );
    Signer::builder().credentials(credentials).time_source(StaticTimeSource::new(now))
}

async fn refused(url: &str, policy: PostPolicy) -> Error {
    let signer = builder().build().unwrap();
    signer.presign_post(&url.parse().unwrap(), &policy).await.unwrap_err()
}

#[tokio::test]
async fn a_policy_that_s3_would_refuse_is_an_error() {
    let policies = [
        (PostPolicy::new("", MINUTE).key("a"), "bucket"),
        (PostPolicy::new("bucket", MINUTE), "key"),
        (PostPolicy::new("bucket", MINUTE).key(""), "1 to 1024 bytes"),
        (PostPolicy::new("bucket", MINUTE).key("a".repeat(1025)), "has 1025"),
        (PostPolicy::new("bucket", MINUTE).key("uploads/${filename}"), "key_starts_with"),
        (PostPolicy::new("bucket", MINUTE).key_starts_with("uploads/${filename}"), "key_starts_with"),
        (policy().metadata("name", "of ${filename}"), "field_starts_with"),
        (policy().field_starts_with("x-amz-meta-name", "${filename}"), "field_starts_with"),
        (policy().field("x-amz-s3session-token", "x"), "x-amz-s3session-token"),
        (policy().field("Success_Action_Status", "202"), "never with 202"),
        (policy().field("Success_Action_Redirect", "javascript:alert(1)"), "absolute URL"),
        (PostPolicy::new("bucket", MINUTE).key("a\nb"), "control character"),
        #[expect(clippy::reversed_empty_ranges, reason = "the mistake")]
        (policy().content_length_range(2..=1), "2 is more than 1"),
        (policy().field("policy", "x"), "policy"),
        (policy().field("X-Amz-Signature", "x"), "X-Amz-Signature"),
        (policy().field_starts_with("Key", ""), ".key("),
        (policy().field("a b", "x"), "\"a b\""),
        (policy().metadata("", "x").field("", "x"), "\"\""),
        (
            policy().content_type("a/b").field_starts_with("content-type", "a"),
            "two conditions on content-type",
        ),
        (policy().metadata("a", "b\r\nc"), "x-amz-meta-a has a control character"),
        (policy().success_action_status(StatusCode::ACCEPTED), "never with 202"),
        (policy().success_action_redirect("/done"), "absolute URL"),
        (policy().success_action_redirect("javascript:alert(1)"), "absolute URL"),
        (policy().metadata("a", "b".repeat(16_000)), "S3 takes 20000"),
    ];
    for (policy, expected) in policies {
        let error = refused(URL, policy).await;
        assert_eq!(error.kind(), ErrorKind::InvalidPostPolicy, "{error}");
        assert!(error.to_string().contains(expected), "{error} has no {expected:?}");
    }
}

#[tokio::test]
async fn a_url_that_is_not_a_bucket_of_s3_is_an_error() {
    for (url, kind) in [
        ("https://bucket.s3.eu-central-1.amazonaws.com/?a=1", ErrorKind::InvalidUri),
        ("/bucket", ErrorKind::InvalidUri),
        ("https://abc.execute-api.eu-central-1.amazonaws.com/", ErrorKind::ScopeInvalid),
        ("https://abc.accesspoint.s3-global.amazonaws.com/", ErrorKind::ScopeInvalid),
        ("https://www.example.com/", ErrorKind::OriginNotAllowed),
        ("http://bucket.s3.eu-central-1.amazonaws.com/", ErrorKind::InsecureOrigin),
    ] {
        let error = refused(url, policy()).await;
        assert_eq!(error.kind(), kind, "{url}: {error}");
    }
}

#[tokio::test]
async fn a_form_lives_no_longer_than_its_credentials_and_a_week() {
    let week = 7 * 24 * 60 * MINUTE;
    for expires_in in [Duration::ZERO, Duration::from_millis(1500), week + Duration::from_secs(1)] {
        let error = refused(URL, PostPolicy::new("bucket", expires_in).key("a")).await;
        assert_eq!(error.kind(), ErrorKind::InvalidExpiry, "{error}");
    }
    let signer = builder().build().unwrap();
    let hour = PostPolicy::new("bucket", 60 * MINUTE).key("a");
    let form = signer.presign_post(&Uri::from_static(URL), &hour).await.unwrap();
    assert_eq!(form.expires_in(), 2 * MINUTE);
    let (_, policy) = form.fields().find(|(name, _)| *name == "policy").unwrap();
    let policy = String::from_utf8(BASE64_STANDARD.decode(policy).unwrap()).unwrap();
    assert!(policy.starts_with("{\"expiration\": \"2015-08-30T12:38:00Z\", "), "{policy}");
    let error = refused(URL, hour.refuse_shortening(true)).await;
    assert_eq!(error.kind(), ErrorKind::InvalidExpiry, "{error}");
}

#[tokio::test]
async fn a_token_that_no_form_can_hold_is_an_error() {
    let credentials = Credentials::new("AKIDEXAMPLE", "thesecretkey", Some("töken".into()), None, "test");
    let signer = builder().credentials(credentials).build().unwrap();
    let error = signer.presign_post(&Uri::from_static(URL), &policy()).await.unwrap_err();
    assert!(error.is_credentials() && !error.to_string().contains("töken"), "{error}");
}

#[tokio::test]
async fn an_error_shows_no_url_of_a_redirect() {
    let error = refused(URL, policy().success_action_redirect("/done?code=topsecret")).await;
    assert!(!format!("{error} {error:?}").contains("topsecret"), "{error:?}");
}

#[tokio::test]
async fn no_value_adds_a_condition() {
    let evil = "x\"}], \"conditions\": [[\"starts-with\", \"$key\", \"\"]] //\u{2028}\\\u{1f600}";
    let policy =
        PostPolicy::new(evil, MINUTE).key(evil).metadata("a", evil).field_starts_with("x-amz-meta-b", evil);
    let form = builder().build().unwrap().presign_post(&Uri::from_static(URL), &policy).await.unwrap();
    let (_, policy) = form.fields().find(|(name, _)| *name == "policy").unwrap();
    let policy: serde_json::Value = serde_json::from_slice(&BASE64_STANDARD.decode(policy).unwrap()).unwrap();
    assert_eq!(policy.as_object().unwrap().len(), 2);
    let conditions = policy["conditions"].as_array().unwrap();
    assert_eq!(conditions.len(), 8, "{policy:#}");
    for name in ["key", "bucket", "x-amz-meta-a"] {
        let is_named = |condition: &&serde_json::Value| condition.get(name).is_some();
        assert_eq!(conditions.iter().filter(is_named).map(|found| &found[name]).collect::<Vec<_>>(), [evil]);
    }
}

#[tokio::test]
async fn debug_shows_no_value() {
    let policy = policy().field("x-amz-server-side-encryption-customer-key", "c2VjcmV0");
    let form = builder().build().unwrap().presign_post(&Uri::from_static(URL), &policy).await.unwrap();
    let token = form.fields().find(|(name, _)| *name == "x-amz-security-token").unwrap();
    assert_eq!(token.1, "thesessiontoken");
    for shown in [format!("{policy:?}"), format!("{form:?}")] {
        assert!(shown.contains("x-amz-server-side-encryption-customer-key"), "{shown}");
        for secret in ["c2VjcmV0", "thesessiontoken", "thesecretkey"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        let encoded = form.fields().filter(|(name, _)| ["policy", "x-amz-signature"].contains(name));
        assert!(encoded.into_iter().all(|(_, value)| !shown.contains(value)), "{shown}");
    }
}

#[tokio::test]
async fn a_disabled_signer_gives_the_fields_of_the_policy() {
    let url = Uri::from_static("http://www.example.com/bucket");
    let policy = PostPolicy::new("bucket", MINUTE)
        .content_type_starts_with("image/")
        .metadata("user", "42")
        .key_starts_with("avatars/");
    let form = Signer::disabled().presign_post(&url, &policy).await.unwrap();
    let fields: Vec<_> = form.fields().collect();
    assert_eq!(fields, [("x-amz-meta-user", "42"), ("key", "avatars/${filename}")]);
    assert_eq!(form.url(), &url);
}
