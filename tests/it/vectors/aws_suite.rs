//! AWS's own suite (`aws-c-auth/tests/aws-signing-test-suite`), read out of the aws-sigv4 package.
//!
//! Its paths are what a user means, not what is sent, and are encoded once in its canonical requests; that is this
//! crate's profile without double encoding. The two cases named `double-…`, which aws-sigv4 added, are of the common
//! profile. Every header of a case is signed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};
use std::{env, fs};

use http::request::Parts;
use serde::Deserialize;
use sigv4_middleware::{Payload, PresigningConfig, Signer, SigningSettings};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::case::{
    authorization, credentials, head, presigned_signature, same_explanation, signature_of, signer,
    signing_all,
};
use super::report::{self, Outcome, Report, same};
use super::v4a::PublicKey;

/// Cases whose request no HTTP client sends, with the reason.
const NOT_SENT: [(&str, &str); 3] = [
    ("get-header-value-multiline", "a header value over several lines: RFC 9112, 5.2, forbids to send one"),
    ("get-space-normalized", "a raw space in the request line, in the suite for SigV4a alone"),
    ("get-space-unnormalized", "a raw space in the request line, which ends the target there"),
];

/// Cases that ask for the session token to be added after signing, which this crate does only where a service wants
/// it (`iotdevicegateway`, presigned). They are checked up to that: signed without a token.
const TOKEN_AFTERWARDS: [&str; 1] = ["post-sts-header-after"];

/// Cases without a context and without a signature, added by aws-sigv4: only the canonical request is compared.
const CANONICAL_ONLY: [&str; 2] = ["double-encode-path", "double-url-encode"];

#[derive(Deserialize)]
struct Context {
    credentials: Keys,
    expiration_in_seconds: u64,
    normalize: bool,
    region: String,
    service: String,
    sign_body: bool,
    timestamp: String,
    #[serde(default)]
    omit_session_token: bool,
}

#[derive(Deserialize)]
struct Keys {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
}

/// The suite's folder, by cargo's own account of where the package lies.
fn suite() -> PathBuf {
    let cargo = |arguments: &[&str]| Command::new(env!("CARGO")).args(arguments).output().unwrap();
    // Of other platforms' packages nothing has been fetched.
    let version = String::from_utf8(cargo(&["-vV"]).stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("cargo names its host");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest = manifest.to_str().unwrap();
    let about = ["metadata", "--format-version", "1", "--offline", "--filter-platform", host];
    let output = cargo(&[&about[..], &["--manifest-path", manifest]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let package =
        metadata["packages"].as_array().unwrap().iter().find(|package| package["name"] == "aws-sigv4");
    let manifest = package.expect("aws-sigv4 in the tree")["manifest_path"].as_str().unwrap();
    Path::new(manifest).with_file_name("aws-signing-test-suite")
}

/// A request as the suite writes it: `\n` line ends, folded values, raw spaces and UTF-8 in the target.
struct Request {
    method: String,
    target: String,
    host: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Request {
    fn read(text: &str) -> Self {
        let (text, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = text.trim_end_matches('\n').split('\n').peekable();
        let first = lines.next().unwrap().strip_suffix(" HTTP/1.1").unwrap();
        let (method, target) = first.split_once(' ').unwrap();
        let (mut host, mut headers) = (String::new(), Vec::new());
        while let Some(line) = lines.next() {
            let (name, value) = line.split_once(':').unwrap();
            let mut value = value.to_owned();
            while let Some(folded) = lines.next_if(|line| line.starts_with(' ')) {
                value = format!("{value}\r\n{folded}");
            }
            if name.eq_ignore_ascii_case("host") {
                host = value
            } else {
                headers.push((name.to_owned(), value))
            }
        }
        Self { method: method.into(), target: target.into(), host, headers, body: body.into() }
    }

    fn head(&self) -> Result<Parts, http::Error> {
        head(&self.method, &self.host, &self.target, &self.headers)
    }
}

struct Case {
    algorithm: Algorithm,
    name: String,
    folder: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    V4,
    /// The region is a region set.
    #[cfg(feature = "sigv4a")]
    V4a,
}

impl Algorithm {
    /// What of [`NOT_SENT`] is in the suite for this algorithm.
    fn not_sent(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        NOT_SENT.into_iter().filter(move |(name, _)| self != Self::V4 || *name != "get-space-normalized")
    }
}

impl Case {
    fn read(&self, file: &str) -> String {
        let path = self.folder.join(file);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        text.replace("\r\n", "\n")
    }

    fn request(&self) -> Request {
        Request::read(&self.read("request.txt"))
    }

    fn is(&self, names: &[&str]) -> bool {
        names.contains(&self.name.as_str())
    }

    async fn check(&self) -> Outcome {
        if self.is(&CANONICAL_ONLY) {
            return self.check_canonical_only().await;
        }
        let context: Context = serde_json::from_str(&self.read("context.json")).unwrap();
        let request = self.request();
        let parts = request.head().map_err(|error| error.to_string())?;
        let keys = &context.credentials;
        let token = keys.token.as_deref().filter(|_| !context.omit_session_token);
        assert_eq!(context.omit_session_token, self.is(&TOKEN_AFTERWARDS), "{}", self.name);
        let time: SystemTime = OffsetDateTime::parse(&context.timestamp, &Rfc3339).unwrap().into();
        let credentials = || credentials(&keys.access_key_id, &keys.secret_access_key, token);
        let signer = |profile: SigningSettings| -> Signer {
            let builder = signer(credentials(), time, &request.host, &context.service, &context.region);
            let builder = match self.algorithm {
                Algorithm::V4 => builder,
                #[cfg(feature = "sigv4a")]
                Algorithm::V4a => builder.region_set(context.region.clone()),
            };
            signing_all(builder.signing_settings(profile), &parts).build().unwrap()
        };
        let profile = SigningSettings::default().double_encode(false).normalize_path(context.normalize);

        let headers = signer(profile.content_sha256_header(context.sign_body));
        let mut signed = parts.clone();
        let explained =
            headers.sign_with_details(&mut signed, &request.body).await.map_err(|error| error.to_string())?;
        let (canonical, to_sign) =
            (self.read("header-canonical-request.txt"), self.read("header-string-to-sign.txt"));
        same_explanation(&explained, token, &canonical, &to_sign)?;
        self.check_signature("header", &to_sign, signature_of(authorization(&signed)))?;

        let lifetime = Duration::from_secs(context.expiration_in_seconds);
        let presigning = PresigningConfig::new(lifetime).payload(Payload::from(&request.body));
        let presigned =
            signer(profile).presign_request(&parts, presigning).await.map_err(|error| error.to_string())?;
        let (canonical, to_sign) =
            (self.read("query-canonical-request.txt"), self.read("query-string-to-sign.txt"));
        same_explanation(presigned.details(), token, &canonical, &to_sign)
            .map_err(|difference| format!("presigned: {difference}"))?;
        self.check_signature("query", &to_sign, presigned_signature(&presigned))
    }

    fn check_signature(&self, place: &str, string_to_sign: &str, ours: &str) -> Outcome {
        let published = self.read(&format!("{place}-signature.txt"));
        match self.algorithm {
            Algorithm::V4 => same(place, ours, &published),
            #[cfg(feature = "sigv4a")]
            Algorithm::V4a => {
                // One key for every case, and its owner is whoever derives it from the credentials.
                let key: PublicKey = serde_json::from_str(&self.read("public-key.json")).unwrap();
                key.verify(string_to_sign, published.trim_end())
                    .map_err(|why| format!("published: {why}"))?;
                key.verify(string_to_sign, ours).map_err(|why| format!("{place}: {why}"))
            }
        }
    }

    async fn check_canonical_only(&self) -> Outcome {
        let request = self.request();
        let mut parts = request.head().map_err(|error| error.to_string())?;
        // The date that the canonical requests have, whatever the requests' own.
        let time = OffsetDateTime::parse("2021-05-11T15:40:45Z", &Rfc3339).unwrap().into();
        let credentials = credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None);
        let builder = signer(credentials, time, &request.host, "service", "us-east-1");
        let signer = signing_all(builder, &parts).build().unwrap();
        let explained =
            signer.sign_with_details(&mut parts, &request.body).await.map_err(|error| error.to_string())?;
        let expected = self.read("header-canonical-request.txt");
        same("canonical request", explained.canonical_request(), expected.trim_end())
    }
}

async fn check_all(algorithm: Algorithm, folder: &str, at_least: usize) {
    let mut cases: Vec<Case> = fs::read_dir(suite().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| Case { algorithm, name: entry.file_name().into_string().unwrap(), folder: entry.path() })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));

    let refused: Vec<&str> =
        cases.iter().filter(|case| case.request().head().is_err()).map(|case| case.name.as_str()).collect();
    let not_sent = algorithm.not_sent();
    assert_eq!(refused, not_sent.map(|(name, _)| name).collect::<Vec<_>>(), "cases that cannot be sent");

    let mut report = Report::default();
    for case in cases.iter().filter(|case| !refused.contains(&case.name.as_str())) {
        report.add(&case.name, case.check().await);
    }
    assert!(report.len() >= at_least, "the suite has shrunk to {}", report.len());
    let name = format!("aws-sigv4 {folder}");
    println!();
    report.print(&name);
    for (case, reason) in algorithm.not_sent() {
        println!("vectors {name}: {case} cannot be sent: {reason}");
    }
    report::assert_no_failures(&[(name, report)]);
}

#[tokio::test]
async fn aws_suite() {
    check_all(Algorithm::V4, "v4", 38).await;
}

#[cfg(feature = "sigv4a")]
#[tokio::test]
async fn aws_suite_v4a() {
    check_all(Algorithm::V4a, "v4a", 35).await;
}
