//! Presigned forms: byte for byte those of botocore, and uploaded to two servers that verify policies.

use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_async::time::StaticTimeSource;
use http::{StatusCode, Uri};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use sigv4_middleware::{Credentials, PostPolicy, PresignedPost, Signer};
use sigv4_test_support::ministack::{Ministack, script};
use sigv4_test_support::s3s::S3s;

use crate::support::*;

use super::s3s;

const MINUTE: Duration = Duration::from_secs(60);

/// The form for a case as `presign_post.py` takes it, as JSON that it prints.
async fn form(case: &Value) -> Value {
    let text = |name: &str| case[name].as_str().unwrap_or_else(|| panic!("{name} of {case}"));
    let credential = |at: usize| case["credentials"][at].as_str().map(str::to_owned);
    let credentials =
        Credentials::new(credential(0).unwrap(), credential(1).unwrap(), credential(2), None, "test");
    let time = UNIX_EPOCH + Duration::from_secs(case["time"].as_u64().unwrap());
    let signer =
        Signer::builder().credentials(credentials).time_source(StaticTimeSource::new(time)).build().unwrap();
    let (bucket, region) = (text("bucket"), text("region"));
    let url: Uri = format!("https://{bucket}.s3.{region}.amazonaws.com/").parse().unwrap();

    let mut policy = PostPolicy::new(bucket, Duration::from_secs(case["expires_in"].as_u64().unwrap()));
    policy = match text("key").strip_suffix("${filename}") {
        Some(prefix) => policy.key_starts_with(prefix),
        None => policy.key(text("key")),
    };
    for condition in case["conditions"].as_array().unwrap() {
        policy = match condition {
            Value::Array(parts) if parts[0] == "content-length-range" => {
                policy.content_length_range(parts[1].as_u64().unwrap()..=parts[2].as_u64().unwrap())
            }
            Value::Array(parts) => {
                let (name, prefix) = (parts[1].as_str().unwrap(), parts[2].as_str().unwrap());
                policy.field_starts_with(name.strip_prefix('$').unwrap().to_owned(), prefix)
            }
            condition => {
                let (name, value) = condition.as_object().unwrap().iter().next().unwrap();
                policy.field(name.clone(), value.as_str().unwrap())
            }
        };
    }
    let form = signer.presign_post(&url, &policy).await.unwrap();
    json!({ "url": form.url().to_string(), "fields": form.fields().collect::<Vec<_>>() })
}

fn case(random: &mut fastrand::Rng) -> Value {
    let mut word = |from: &str| {
        let letters: Vec<_> = from.chars().collect();
        (0..random.usize(3..20)).map(|_| letters[random.usize(..letters.len())]).collect::<String>()
    };
    let bucket = format!("b-{}", word("abc019").to_lowercase());
    let prefix = format!("up loads/{}", word("aZ09/_-.!~'()\"\\&<>+=:üあ😀"));
    let (meta, kind) = (word("aZ09 \"\\/<>&$@#ü😀"), word("abcxyz"));
    let fields = [
        ("Content-Type", format!("image/{kind}")),
        ("success_action_status", "201".to_owned()),
        ("success_action_redirect", format!("https://www.example.com/done?a={kind}&b=%20")),
        ("acl", "public-read".to_owned()),
        ("x-amz-meta-user", meta),
    ];
    let fields: Vec<_> = fields.into_iter().filter(|_| random.bool()).collect();
    let mut conditions: Vec<_> = fields.iter().map(|(name, value)| json!({ *name: value })).collect();
    if random.bool() {
        conditions.push(json!(["starts-with", "$x-amz-meta-tag", &prefix[..2]]));
        conditions.push(json!(["starts-with", "$Cache-Control", ""]));
    }
    if random.bool() {
        conditions.push(json!(["content-length-range", 0, random.u64(1..5 << 30)]));
    }
    let token = random.bool().then_some(TOKEN);
    let regions = ["us-east-1", "eu-central-1", "us-gov-west-1"];
    json!({
        "bucket": bucket,
        "region": regions[random.usize(..3)],
        "key": if random.bool() { prefix } else { prefix + "${filename}" },
        "fields": fields,
        "conditions": conditions,
        "expires_in": random.u64(1..=604_800),
        "time": random.u64(1_500_000_000..4_000_000_000),
        "credentials": [KEY, SECRET, token],
    })
}

#[tokio::test]
async fn forms_are_those_that_botocore_made() {
    let vectors: Vec<Value> =
        include_str!("presign_post.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(vectors.len(), 12);
    for vector in vectors {
        assert_eq!(form(&vector).await, vector["expected"], "{vector}");
    }
}

/// Writes the recorded vectors, if `SIGV4_RECORD` names a file for them.
#[tokio::test]
async fn forms_are_those_that_botocore_makes() {
    let Some(mut command) = script("presign_post.py") else { return };
    let record = std::env::var_os("SIGV4_RECORD");
    let mut random = fastrand::Rng::with_seed(13);
    let cases: Vec<_> = (0..if record.is_some() { 12 } else { 60 }).map(|_| case(&mut random)).collect();
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input: String = cases.iter().map(|case| format!("{case}\n")).collect();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let expected: Vec<Value> = std::str::from_utf8(&output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(expected.len(), cases.len());
    for (case, expected) in cases.iter().zip(&expected) {
        assert_eq!(&form(case).await, expected, "{case}");
    }
    if let Some(file) = record {
        let vectors = cases.into_iter().zip(expected).map(|(mut case, expected)| {
            case["expected"] = expected;
            format!("{case}\n")
        });
        std::fs::write(file, vectors.collect::<String>()).unwrap();
    }
}

/// What a browser sends: the form's fields, changed, and then the file.
fn filled(form: &PresignedPost, change: &[(&'static str, &str)], file: &[u8]) -> Form {
    let mut out = Form::new();
    let changed = |name: &str| change.iter().find(|(changed, _)| *changed == name).map(|(_, value)| *value);
    for (name, value) in form.fields() {
        out = out.text(name.to_owned(), changed(name).unwrap_or(value).to_owned());
    }
    for (name, value) in change.iter().filter(|(name, _)| form.fields().all(|(field, _)| field != *name)) {
        out = out.text(*name, (*value).to_owned());
    }
    out.part("file", Part::bytes(file.to_vec()).file_name("cat.txt").mime_str("text/plain").unwrap())
}

/// Status and text of the response.
async fn upload(form: &PresignedPost, filled: Form) -> (StatusCode, String) {
    let response = reqwest::Client::new().post(form.url().to_string()).multipart(filled).send();
    let response = in_time(response).await.unwrap();
    (response.status(), response.text().await.unwrap())
}

/// Uploads what the policy allows, and tries everything that it does not. `stored` is the object that a server has.
async fn verifies(
    signer: impl Fn(SystemTime) -> Signer,
    url: Uri,
    bucket: &str,
    stored: impl AsyncFn(&str) -> Option<Vec<u8>>,
) {
    let policy = PostPolicy::new(bucket, 10 * MINUTE)
        .key_starts_with("uploads/")
        .content_length_range(3..=9)
        .content_type_starts_with("text/")
        .success_action_status(StatusCode::CREATED)
        .metadata("user", "42");
    let now = SystemTime::now();
    let form = signer(now).presign_post(&url, &policy).await.unwrap();
    let text = ("Content-Type", "text/plain");

    let (status, body) = upload(&form, filled(&form, &[text, ("key", "uploads/good.txt")], b"meow")).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    assert_eq!(stored("uploads/good.txt").await.as_deref(), Some(&b"meow"[..]));

    let (_, signature) = form.fields().find(|(name, _)| *name == "x-amz-signature").unwrap();
    let wrong = signature.replace(['0', '1', '2'], "3");
    let key = ("key", "uploads/bad.txt");
    type Upload<'a> = (&'static str, &'a [(&'static str, &'a str)], &'static [u8]);
    let bad: [Upload<'_>; 8] = [
        ("another folder", &[text, ("key", "elsewhere/bad.txt")], b"meow"),
        ("too long a file", &[text, key], b"0123456789"),
        ("too short a file", &[text, key], b"01"),
        ("another type", &[("Content-Type", "image/png"), key], b"meow"),
        ("other metadata", &[text, key, ("x-amz-meta-user", "43")], b"meow"),
        ("a field that the policy does not have", &[text, key, ("acl", "public-read")], b"meow"),
        ("a wrong signature", &[text, key, ("x-amz-signature", &wrong)], b"meow"),
        ("another date", &[text, key, ("x-amz-date", "20200101T000000Z")], b"meow"),
    ];
    for (what, change, file) in bad {
        let (status, body) = upload(&form, filled(&form, change, file)).await;
        assert!(status.is_client_error(), "{what}: {status} {body}");
    }
    let expired = signer(now - 11 * MINUTE).presign_post(&url, &policy).await.unwrap();
    let (status, body) = upload(&expired, filled(&expired, &[text, key], b"meow")).await;
    assert!(status.is_client_error(), "expired: {status} {body}");
    for key in ["uploads/bad.txt", "elsewhere/bad.txt"] {
        assert_eq!(stored(key).await, None);
    }
}

#[tokio::test]
async fn ministack_takes_what_the_policy_allows() {
    let Some(ministack) = Ministack::shared() else { return };
    let setup = &ministack.setup;
    for keys in [&setup.user, &setup.session] {
        let signing = || {
            let token = keys.session_token.clone();
            let credentials =
                Credentials::new(&keys.access_key_id, &keys.secret_access_key, token, None, "ministack");
            Signer::builder().credentials(credentials).service("s3").region(setup.region.clone())
        };
        let url: Uri = format!("{}/{}", setup.endpoint, setup.bucket).parse().unwrap();
        let signer = |time| signing().time_source(StaticTimeSource::new(time)).build().unwrap();
        let stored = async |key: &str| {
            let object = format!("{}/{}/{key}", setup.endpoint, setup.bucket).parse().unwrap();
            let url = signing().build().unwrap().presign(&http::Method::GET, &object, MINUTE).await.unwrap();
            let response = reqwest::get(url.to_string()).await.unwrap();
            match response.status() {
                StatusCode::NOT_FOUND => None,
                status => {
                    assert_eq!(status, StatusCode::OK);
                    Some(response.bytes().await.unwrap().to_vec())
                }
            }
        };
        verifies(signer, url, &setup.bucket, stored).await;
    }
}

#[tokio::test]
async fn s3s_takes_what_the_policy_allows() {
    let Some(server) = S3s::start("presign-post") else { return };
    let signer = |time| s3s::signing().time_source(StaticTimeSource::new(time)).build().unwrap();
    let url: Uri = server.url("").trim_end_matches('/').parse().unwrap();
    verifies(signer, url, "bucket", async |key| server.stored(key)).await;
}
