//! The values that the S3 and IAM documents publish, signed by the service's own profile.

use std::time::Duration;

use http::{Method, Uri};
use serde::Deserialize;
use sigv4_middleware::{PresigningConfig, Signer};

use super::case::{
    at, authorization, credentials, head, header, presigned_signature, signature_of, signer, signing_all,
};
use super::chunked::{Document, TrailerDocument};
use super::report::{Outcome, Report, same};

/// 24 May 2013, 00:00:00, the date of all of S3's examples.
const S3_EPOCH: u64 = 1_369_353_600;
/// 30 August 2015, 12:36:00, that of IAM's.
const IAM_EPOCH: u64 = 1_440_938_160;

#[derive(Deserialize)]
struct Documents {
    credentials: Keys,
    region: String,
    service: String,
    header: Vec<HeaderCase>,
    iam: IamCase,
    presigned: PresignedCase,
    chunked: Document,
    chunked_trailer: TrailerDocument,
}

#[derive(Deserialize)]
struct Keys {
    access_key_id: String,
    secret_access_key: String,
}

#[derive(Deserialize)]
struct HeaderCase {
    name: String,
    method: String,
    host: String,
    target: String,
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
    canonical_request: String,
    #[serde(default)]
    string_to_sign: Option<String>,
    signature: String,
}

#[derive(Deserialize)]
struct IamCase {
    #[serde(flatten)]
    request: HeaderCase,
    service: String,
    secret: String,
    akid: String,
}

#[derive(Deserialize)]
struct PresignedCase {
    method: String,
    host: String,
    target: String,
    expires: u64,
    signature: String,
}

pub(crate) async fn check(text: &str) -> Report {
    let documents: Documents = serde_json::from_str(text).unwrap();
    let mut report = Report::default();
    for case in &documents.header {
        report.add(&case.name, documents.check_header(case).await);
    }
    report.add(&documents.iam.request.name, documents.check_iam().await);
    report.add("presigned", documents.check_presigned().await);
    let chunked = &documents.chunked;
    report.add("chunked", chunked.check(documents.s3(chunked.host())).await);
    let trailer = &documents.chunked_trailer;
    report.add("chunked_trailer", chunked.check_trailer(documents.s3(chunked.host()), trailer).await);
    report
}

impl Documents {
    fn s3(&self, host: &str) -> sigv4_middleware::SignerBuilder {
        let credentials =
            credentials(&self.credentials.access_key_id, &self.credentials.secret_access_key, None);
        signer(credentials, at(S3_EPOCH), host, &self.service, &self.region)
    }

    async fn check_header(&self, case: &HeaderCase) -> Outcome {
        case.check(self.s3(&case.host)).await
    }

    async fn check_iam(&self) -> Outcome {
        let case = &self.iam;
        let credentials = credentials(&case.akid, &case.secret, None);
        let builder = signer(credentials, at(IAM_EPOCH), &case.request.host, &case.service, &self.region);
        case.request.check(builder).await
    }

    async fn check_presigned(&self) -> Outcome {
        let case = &self.presigned;
        let signer: Signer = self.s3(&case.host).build().unwrap();
        let uri: Uri = format!("https://{}{}", case.host, case.target).parse().unwrap();
        let method = Method::from_bytes(case.method.as_bytes()).unwrap();
        let (mut parts, ()) = http::Request::new(()).into_parts();
        (parts.method, parts.uri) = (method, uri);
        let presigning = PresigningConfig::new(Duration::from_secs(case.expires));
        let presigned =
            signer.presign_request(&parts, presigning).await.map_err(|error| error.to_string())?;
        same("signature", presigned_signature(&presigned), &case.signature)
    }
}

impl HeaderCase {
    async fn check(&self, builder: sigv4_middleware::SignerBuilder) -> Outcome {
        let parts = head(&self.method, &self.host, &self.target, &self.headers);
        let mut parts = parts.map_err(|error| error.to_string())?;
        let own = ["x-amz-date", "x-amz-content-sha256"];
        let given: Vec<_> = own.map(|name| (name, header(&parts, name).to_owned())).into();
        for name in own {
            parts.headers.remove(name);
        }

        let signer = signing_all(builder, &parts).build().unwrap();
        let explained =
            signer.sign_with_details(&mut parts, &self.body).await.map_err(|error| error.to_string())?;
        same("canonical request", explained.canonical_request(), &self.canonical_request)?;
        if let Some(string_to_sign) = &self.string_to_sign {
            same("string to sign", explained.string_to_sign(), string_to_sign)?;
        }
        for (name, value) in given {
            same(name, header(&parts, name), &value)?;
        }
        same("signature", signature_of(authorization(&parts)), &self.signature)
    }
}
