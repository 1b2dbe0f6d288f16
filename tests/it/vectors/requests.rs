//! The main and edge cases: requests signed by headers, and presigned.

use std::time::Duration;

use base64::Engine;
use http::request::Parts;
use serde::Deserialize;
use sigv4_middleware::{Payload, PresigningConfig, Signer, SigningSettings};

use super::case::{
    at, authorization, credentials, head, header, parameters, path, presigned_signature, same_explanation,
    signer, signing_all, without_signature,
};
use super::report::{Outcome, Report, same};
use super::v4a::PublicKey;

#[derive(Deserialize)]
struct Case {
    id: String,
    mode: Mode,
    service: String,
    /// For SigV4.
    region: Option<String>,
    /// For SigV4a.
    region_set: Option<String>,
    epoch: u64,
    credentials: Keys,
    config: Config,
    request: Request,
    expected: Expected,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Header,
    Query,
}

#[derive(Deserialize)]
struct Keys {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

#[derive(Deserialize)]
struct Config {
    double_uri_encode: bool,
    normalize_path: bool,
    content_sha256_header: bool,
    payload: String,
    expires: Option<u64>,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    host: String,
    target: String,
    headers: Vec<(String, String)>,
    body_b64: String,
}

#[derive(Deserialize)]
struct Expected {
    canonical_request: String,
    string_to_sign: String,
    /// Of SigV4.
    signature: Option<String>,
    /// By which SigV4a's are verified.
    public_key: Option<PublicKey>,
    signed_headers: String,
    authorization: Option<String>,
    #[serde(default)]
    added_headers: Vec<(String, String)>,
    signed_target: Option<String>,
}

pub(crate) async fn check(lines: &str) -> Report {
    let mut report = Report::default();
    for (at, line) in lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str::<Case>(line) {
            Ok(case) => report.add(&case.id, case.check().await),
            Err(error) => report.add(&format!("line {}", at + 1), Err(error.to_string())),
        }
    }
    report
}

impl Case {
    async fn check(&self) -> Outcome {
        let Request { method, host, target, headers, body_b64 } = &self.request;
        let body = base64::prelude::BASE64_STANDARD.decode(body_b64).map_err(|error| error.to_string())?;
        let payload = match self.config.payload.as_str() {
            "sha256" => Payload::from(&body),
            "UNSIGNED-PAYLOAD" => Payload::unsigned(),
            other => return Err(format!("unknown payload {other:?}")),
        };
        let parts = head(method, host, target, headers).map_err(|error| error.to_string())?;
        let signer = self.signer(&parts);
        match self.mode {
            Mode::Header => self.check_headers(&signer, parts, payload).await,
            Mode::Query => self.check_presigned(&signer, &parts, payload).await,
        }
    }

    fn signer(&self, parts: &Parts) -> Signer {
        let keys = &self.credentials;
        let credentials =
            credentials(&keys.access_key_id, &keys.secret_access_key, keys.session_token.as_deref());
        let profile = SigningSettings::for_service(&self.service)
            .double_encode(self.config.double_uri_encode)
            .normalize_path(self.config.normalize_path)
            .content_sha256_header(self.config.content_sha256_header);
        // A region set wins over any region.
        let region = self.region.as_deref().unwrap_or("unused");
        let mut builder = signer(credentials, at(self.epoch), &self.request.host, &self.service, region);
        if let Some(set) = &self.region_set {
            builder = builder.region_set(set.clone());
        }
        signing_all(builder.signing_settings(profile), parts).build().unwrap()
    }

    async fn check_headers(&self, signer: &Signer, mut parts: Parts, payload: Payload<'_>) -> Outcome {
        let given = parts.headers.clone();
        let explained =
            signer.sign_with_details(&mut parts, payload).await.map_err(|error| error.to_string())?;
        let expected = &self.expected;
        let token = self.credentials.session_token.as_deref();
        same_explanation(&explained, token, &expected.canonical_request, &expected.string_to_sign)?;
        let ours = authorization(&parts).to_owned();
        self.check_signature(&ours)?;
        let signed = format!("SignedHeaders={},", expected.signed_headers);
        if !ours.contains(&signed) {
            return Err(format!("{ours} has not {signed}"));
        }
        let wanted = expected.authorization.as_deref().unwrap_or_default();
        same("authorization", without_signature(&ours), without_signature(wanted))?;
        for (name, value) in &expected.added_headers {
            same(name, header(&parts, name), value)?;
        }
        let kept =
            given.iter().all(|(name, value)| parts.headers.get_all(name).iter().any(|now| now == value));
        if !kept || parts.headers.len() != given.len() + 1 + expected.added_headers.len() {
            return Err(format!("headers are added or lost: {:?} became {:?}", given, parts.headers));
        }
        self.check_target(&parts)?;

        // What is sent is what was signed: the rewritten request, taken as a new one, has the same signature.
        signer.sign(&mut parts, payload).await.map_err(|error| error.to_string())?;
        let again = authorization(&parts);
        same(
            "authorization of the request that is sent",
            without_signature(again),
            without_signature(&ours),
        )?;
        self.check_signature(again)
    }

    /// The signature within an Authorization header, or by itself, is the right one.
    fn check_signature(&self, ours: &str) -> Outcome {
        let ours = ours.rsplit_once("Signature=").map_or(ours, |(_, signature)| signature);
        match (&self.expected.signature, &self.expected.public_key) {
            (Some(signature), _) => same("signature", ours, signature),
            (None, Some(key)) => key.verify(&self.expected.string_to_sign, ours),
            (None, None) => Err("a case with neither signature nor public key".to_owned()),
        }
    }

    /// The target that is sent means what the given one does, and its path is untouched where it is encoded twice.
    fn check_target(&self, parts: &Parts) -> Outcome {
        let sent = parts.uri.path_and_query().map_or("", |target| target.as_str());
        let given = &self.request.target;
        let given_path = given.split('?').next().unwrap_or_default();
        if path(sent) != path(given) || parameters(sent) != parameters(given) {
            return Err(format!("the target sent, {sent}, does not mean the one given, {given}"));
        }
        if self.config.double_uri_encode { same("path sent", parts.uri.path(), given_path) } else { Ok(()) }
    }

    async fn check_presigned(&self, signer: &Signer, parts: &Parts, payload: Payload<'_>) -> Outcome {
        let expires = self.config.expires.ok_or("a presigned case without expires")?;
        let presigning = PresigningConfig::new(Duration::from_secs(expires)).payload(payload);
        let presigned = signer.presign_request(parts, presigning).await.map_err(|error| error.to_string())?;
        let expected = &self.expected;
        let token = self.credentials.session_token.as_deref();
        let (canonical, to_sign) = (&expected.canonical_request, &expected.string_to_sign);
        same_explanation(presigned.details(), token, canonical, to_sign)?;
        self.check_signature(presigned_signature(&presigned))?;
        let Some(signed_target) = &expected.signed_target else { return Ok(()) };
        let sent = presigned.uri().path_and_query().map_or("", |target| target.as_str());
        let sorted = |target| {
            let mut parameters = parameters(target);
            // Checked already.
            parameters.retain(|(name, _)| name != b"X-Amz-Signature");
            parameters.sort();
            parameters
        };
        if path(sent) != path(signed_target) || sorted(sent) != sorted(signed_target) {
            return Err(format!("the URL {sent} does not mean the one expected, {signed_target}"));
        }
        Ok(())
    }
}
