//! Bodies in chunks: every header, every chunk's signature, and the bytes that go over the wire.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::Request;
use http::request::Parts;
use http_body_util::Full;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use sigv4_middleware::{AwsChunked, ChecksumAlgorithm, PayloadMode, Signer, SignerBuilder};

use crate::support::handed_on;

use super::case::{at, authorization, credentials, head, header, signature_of, signer, signing_all};
use super::report::{Outcome, Report, same};

const ALGORITHMS: [ChecksumAlgorithm; 5] = [
    ChecksumAlgorithm::Crc32,
    ChecksumAlgorithm::Crc32c,
    ChecksumAlgorithm::Crc64Nvme,
    ChecksumAlgorithm::Sha1,
    ChecksumAlgorithm::Sha256,
];

#[derive(Deserialize)]
struct Case {
    id: String,
    kind: String,
    service: String,
    region: String,
    date: String,
    credentials: Keys,
    request: Given,
    body: Pattern,
    chunk_size: u64,
    trailer: Option<(String, String)>,
    expected: Expected,
}

#[derive(Deserialize)]
struct Keys {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

#[derive(Deserialize)]
struct Given {
    method: String,
    host: String,
    target: String,
    headers: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Pattern {
    length: usize,
    pattern_b64: String,
}

#[derive(Deserialize)]
struct Expected {
    headers: Vec<(String, String)>,
    seed_signature: String,
    chunk_signatures: Option<Vec<String>>,
    trailer_signature: Option<String>,
    wire_length: usize,
    wire_sha256: String,
}

pub(crate) async fn check(text: &str) -> Report {
    let mut report = Report::default();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let case: Case = serde_json::from_str(line).unwrap();
        report.add(&case.id, case.check().await);
    }
    report
}

impl Case {
    async fn check(&self) -> Outcome {
        let keys = &self.credentials;
        let credentials =
            credentials(&keys.access_key_id, &keys.secret_access_key, keys.session_token.as_deref());
        let time = at(epoch(&self.date));
        let builder = signer(credentials, time, &self.request.host, &self.service, &self.region);
        let given = &self.request;
        let parts = head(&given.method, &given.host, &given.target, &given.headers);
        let parts = parts.map_err(|error| error.to_string())?;
        let mut mode = match (self.kind.as_str(), &self.trailer) {
            ("signed", None) => AwsChunked::signed(),
            ("signed-trailer", Some((name, _))) => AwsChunked::signed().trailer(algorithm(name)?),
            ("unsigned-trailer", Some((name, _))) => AwsChunked::unsigned(algorithm(name)?),
            (kind, _) => return Err(format!("a kind that is not known: {kind}")),
        };
        mode = mode.chunk_size(self.chunk_size);
        let pattern = BASE64_STANDARD.decode(&self.body.pattern_b64).unwrap();
        let body: Vec<u8> = pattern.into_iter().cycle().take(self.body.length).collect();
        let signer = signing_all(builder, &parts).build().unwrap();
        let (sent, wire) = send(&signer, parts, mode, body).await?;

        let expected = &self.expected;
        for (name, value) in &expected.headers {
            same(name, header(&sent, name), value)?;
        }
        let said: Vec<_> = expected.headers.iter().map(|(name, _)| name.as_str()).collect();
        let beyond = |name: &&str| !said.contains(name) && !["host", "content-length"].contains(name);
        if let Some(name) = sent.headers.keys().map(|name| name.as_str()).find(beyond) {
            return Err(format!("a header that is not among those expected: {name}"));
        }
        same("seed", signature_of(authorization(&sent)), &expected.seed_signature)?;
        same_signatures(&wire, expected.chunk_signatures.as_deref(), expected.trailer_signature.as_deref())?;
        if let Some((name, value)) = &self.trailer {
            same("trailer", trailer(&wire, name).as_deref().unwrap_or_default(), value)?;
        }
        same("length", &wire.len().to_string(), &expected.wire_length.to_string())?;
        same("content-length", header(&sent, "content-length"), &expected.wire_length.to_string())?;
        same("sha256", &hex(&Sha256::digest(&wire)), &expected.wire_sha256)
    }
}

/// What S3's documents publish of an upload in chunks; both examples are of one body.
#[derive(Deserialize)]
pub(crate) struct Document {
    target: String,
    host: String,
    chunk_size: u64,
    content_length: usize,
    signatures: Vec<String>,
}

/// The same with a trailer.
#[derive(Deserialize)]
pub(crate) struct TrailerDocument {
    trailer: (String, String),
    signatures: Vec<String>,
    trailer_signature: String,
}

impl Document {
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) async fn check(&self, builder: SignerBuilder) -> Outcome {
        // This one signs content-length.
        let builder = builder.sign_header(http::header::CONTENT_LENGTH);
        let mode = AwsChunked::signed().chunk_size(self.chunk_size);
        let (sent, wire) = self.send(builder, mode).await?;
        same("content-length", header(&sent, "content-length"), &self.content_length.to_string())?;
        same("length", &wire.len().to_string(), &self.content_length.to_string())?;
        same_document(&sent, &wire, &self.signatures, None)
    }

    pub(crate) async fn check_trailer(&self, builder: SignerBuilder, with: &TrailerDocument) -> Outcome {
        let (name, value) = &with.trailer;
        let mode = AwsChunked::signed().chunk_size(self.chunk_size).trailer(algorithm(name)?);
        let (sent, wire) = self.send(builder, mode).await?;
        same("trailer", trailer(&wire, name).as_deref().unwrap_or_default(), value)?;
        same_document(&sent, &wire, &with.signatures, Some(&with.trailer_signature))
    }

    async fn send(&self, builder: SignerBuilder, mode: AwsChunked) -> Result<(Parts, Vec<u8>), String> {
        let storage = ("x-amz-storage-class".to_owned(), "REDUCED_REDUNDANCY".to_owned());
        let parts = head("PUT", &self.host, &self.target, &[storage]).map_err(|error| error.to_string())?;
        send(&builder.build().unwrap(), parts, mode, vec![b'a'; 66_560]).await
    }
}

fn same_document(sent: &Parts, wire: &[u8], signatures: &[String], trailer: Option<&str>) -> Outcome {
    let (seed, chunks) = signatures.split_first().ok_or("no signatures")?;
    same("seed", signature_of(authorization(sent)), seed)?;
    same_signatures(wire, Some(chunks), trailer)
}

/// What the layer hands on for a request, the body collected.
async fn send(
    signer: &Signer,
    mut parts: Parts,
    mode: AwsChunked,
    body: Vec<u8>,
) -> Result<(Parts, Vec<u8>), String> {
    parts.extensions.insert(PayloadMode::AwsChunked(mode));
    let request = Request::from_parts(parts, Full::<Bytes>::from(body));
    let (head, wire) = handed_on(signer, request).await.map_err(|error| error.to_string())?;
    Ok((head, wire.to_vec()))
}

fn same_signatures(wire: &[u8], chunks: Option<&[String]>, trailer_signature: Option<&str>) -> Outcome {
    let ours = chunk_signatures(wire)?;
    let expected = chunks.unwrap_or_default();
    same("chunk signatures", &ours.join("\n"), &expected.join("\n"))?;
    let ours = trailer(wire, "x-amz-trailer-signature");
    same("trailer signature", ours.as_deref().unwrap_or_default(), trailer_signature.unwrap_or_default())
}

/// The signatures of chunks, read as a server reads them; empty where they are not signed.
fn chunk_signatures(mut wire: &[u8]) -> Result<Vec<String>, String> {
    let mut signatures = Vec::new();
    loop {
        let end = wire.windows(2).position(|two| two == b"\r\n").ok_or("a chunk line without end")?;
        let line = std::str::from_utf8(&wire[..end]).map_err(|error| error.to_string())?;
        let (size, extension) = line.split_once(';').unwrap_or((line, ""));
        signatures.extend(extension.strip_prefix("chunk-signature=").map(str::to_owned));
        let size = usize::from_str_radix(size, 16).map_err(|error| error.to_string())?;
        if size == 0 {
            return Ok(signatures);
        }
        wire = wire.get(end + 2 + size + 2..).ok_or("a chunk that is cut off")?;
    }
}

/// The value of a line of the trailer.
fn trailer(wire: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(wire.get(wire.len().saturating_sub(512)..)?).into_owned();
    let rest = &text[text.rfind(&format!("\r\n{name}:"))? + name.len() + 3..];
    Some(rest[..rest.find("\r\n")?].to_owned())
}

fn algorithm(name: &str) -> Result<ChecksumAlgorithm, String> {
    let known = ALGORITHMS.into_iter().find(|algorithm| algorithm.header_name() == name);
    known.ok_or_else(|| format!("a checksum that is not known: {name}"))
}

/// Seconds since 1970 of `20130524T000000Z`.
fn epoch(date: &str) -> u64 {
    let field = |range: std::ops::Range<usize>| date[range].parse::<u64>().unwrap();
    let (year, month, day) = (field(0..4), field(4..6), field(6..8));
    // Days from the civil calendar, years counted from March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    (days - 719_468) * 86_400 + field(9..11) * 3600 + field(11..13) * 60 + field(13..15)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
