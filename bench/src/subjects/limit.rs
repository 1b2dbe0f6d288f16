//! The hand-tuned limit: signs these cases, and little else, as fast as straight code can.
//!
//! It refuses nothing, rewrites nothing, has one set of credentials and one scope, and belongs to one thread.

use std::cell::RefCell;
use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sigv4::sign::v4::generate_signing_key;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use sha2::{Digest, Sha256};
use smallvec::SmallVec;
use time::OffsetDateTime;

use super::{Subject, hex};
use crate::cases::{ACCESS_KEY_ID, Case, EMPTY_SHA256, REGION, SECRET_ACCESS_KEY};

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const BEFORE_ID: &str = "AWS4-HMAC-SHA256 Credential=";

/// A keyed MAC state, the values of date and token headers, and a buffer for the canonical request, all kept.
pub struct Limit {
    /// `AWS4-HMAC-SHA256 Credential=ID/SCOPE, SignedHeaders=`
    authorization: String,
    scope: String,
    mac: Hmac<Sha256>,
    token: Option<HeaderValue>,
    payload: Option<Vec<u8>>,
    is_s3: bool,
    kept: RefCell<Kept>,
}

#[derive(Default)]
struct Kept {
    seconds: u64,
    date: Option<HeaderValue>,
    canonical: Vec<u8>,
}

impl Kept {
    fn date(&mut self) -> Result<HeaderValue, Box<dyn Error>> {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        if let Some(date) = self.date.as_ref().filter(|_| self.seconds == seconds) {
            return Ok(date.clone());
        }
        let date = HeaderValue::try_from(date_text(seconds)?)?;
        (self.seconds, self.date) = (seconds, Some(date.clone()));
        Ok(date)
    }
}

fn date_text(seconds: u64) -> Result<String, Box<dyn Error>> {
    let date = OffsetDateTime::from_unix_timestamp(i64::try_from(seconds)?)?;
    let (year, month, day) = date.to_calendar_date();
    let (hour, minute, second) = date.to_hms();
    Ok(format!("{year:04}{:02}{day:02}T{hour:02}{minute:02}{second:02}Z", u8::from(month)))
}

impl Limit {
    /// For one case.
    ///
    /// # Errors
    /// None but by a mistake in the case.
    pub fn new(case: &Case) -> Result<Self, Box<dyn Error>> {
        let now = SystemTime::now();
        let day = date_text(now.duration_since(UNIX_EPOCH)?.as_secs())?;
        let scope = format!("{}/{REGION}/{}/aws4_request", &day[..8], case.service);
        let key = generate_signing_key(SECRET_ACCESS_KEY, now, REGION, case.service);
        Ok(Self {
            authorization: format!("{BEFORE_ID}{ACCESS_KEY_ID}/{scope}, SignedHeaders="),
            scope,
            mac: Hmac::new_from_slice(key.as_ref())?,
            token: case.session_token().map(HeaderValue::try_from).transpose()?,
            payload: case.payload.clone(),
            is_s3: case.is_s3(),
            kept: RefCell::default(),
        })
    }

    pub(super) fn last_canonical(&self) -> Vec<u8> {
        self.kept.borrow().canonical.clone()
    }

    pub(super) fn string_to_sign_len(&self) -> usize {
        "AWS4-HMAC-SHA256\n20150830T123600Z\n\n".len() + self.scope.len() + 64
    }

    fn authorization(&self, parts: &Parts, date: &HeaderValue, payload: &[u8], out: &mut Vec<u8>) -> Vec<u8> {
        let mut headers: SmallVec<[(&str, &[u8]); 24]> = SmallVec::new();
        for (name, value) in &parts.headers {
            if name == CONTENT_TYPE || name.as_str().starts_with("x-amz-") {
                headers.push((name.as_str(), value.as_bytes().trim_ascii()));
            }
        }
        headers.push(("host", parts.uri.host().unwrap_or_default().as_bytes()));
        headers.push(("x-amz-date", date.as_bytes()));
        if let Some(token) = &self.token {
            headers.push(("x-amz-security-token", token.as_bytes()));
        }
        if self.is_s3 {
            headers.push(("x-amz-content-sha256", payload));
        }
        headers.sort_unstable_by_key(|(name, _)| *name);

        out.clear();
        out.extend_from_slice(parts.method.as_str().as_bytes());
        out.push(b'\n');
        put_path(out, parts.uri.path(), self.is_s3);
        out.push(b'\n');
        put_query(out, parts.uri.query().unwrap_or_default());
        out.push(b'\n');
        for (name, value) in &headers {
            out.extend_from_slice(name.as_bytes());
            out.push(b':');
            out.extend_from_slice(value);
            out.push(b'\n');
        }
        out.push(b'\n');
        let names_at = out.len();
        for (name, _) in &headers {
            out.extend_from_slice(name.as_bytes());
            out.push(b';');
        }
        out.pop();
        let names = names_at..out.len();
        out.push(b'\n');
        out.extend_from_slice(payload);

        let mut mac = self.mac.clone();
        mac.update(b"AWS4-HMAC-SHA256\n");
        mac.update(date.as_bytes());
        mac.update(b"\n");
        mac.update(self.scope.as_bytes());
        mac.update(b"\n");
        mac.update(&hex(&Sha256::digest(out.as_slice()).into()));
        let signature = hex(&mac.finalize().into_bytes().into());

        const BEFORE_SIGNATURE: &[u8] = b", Signature=";
        let len = self.authorization.len() + names.len() + BEFORE_SIGNATURE.len() + signature.len();
        let mut authorization = Vec::with_capacity(len);
        authorization.extend_from_slice(self.authorization.as_bytes());
        authorization.extend_from_slice(&out[names]);
        authorization.extend_from_slice(BEFORE_SIGNATURE);
        authorization.extend_from_slice(&signature);
        authorization
    }
}

impl Subject for Limit {
    type Request = Parts;

    fn prepare(&self, parts: Parts) -> Parts {
        parts
    }

    fn sign(&self, parts: &mut Parts) -> Result<(), Box<dyn Error>> {
        let kept = &mut *self.kept.borrow_mut();
        let date = kept.date()?;
        let payload_hex;
        let payload: &[u8] = match self.payload.as_deref() {
            None => b"UNSIGNED-PAYLOAD",
            Some([]) => EMPTY_SHA256.as_bytes(),
            Some(bytes) => {
                payload_hex = hex(&Sha256::digest(bytes).into());
                &payload_hex
            }
        };

        let authorization = self.authorization(parts, &date, payload, &mut kept.canonical);
        let content_sha256 = match (self.is_s3, &self.payload) {
            (false, _) => None,
            (true, None) => Some(HeaderValue::from_static("UNSIGNED-PAYLOAD")),
            (true, Some(_)) => Some(HeaderValue::from_bytes(payload)?),
        };
        parts.headers.reserve(4);
        parts.headers.insert(DATE, date);
        if let Some(token) = &self.token {
            parts.headers.insert(TOKEN, token.clone());
        }
        if let Some(content_sha256) = content_sha256 {
            parts.headers.insert(CONTENT_SHA256, content_sha256);
        }
        parts.headers.insert(AUTHORIZATION, HeaderValue::from_maybe_shared(Bytes::from(authorization))?);
        Ok(())
    }

    fn headers<'a>(&self, request: &'a Parts) -> &'a HeaderMap {
        &request.headers
    }
}

fn put_path(out: &mut Vec<u8>, path: &str, as_is: bool) {
    if as_is {
        return out.extend_from_slice(path.as_bytes());
    }
    for &byte in path.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(byte);
        } else {
            let digit = |digit: u8| b"0123456789ABCDEF"[usize::from(digit)];
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

fn put_query(out: &mut Vec<u8>, query: &str) {
    if query.is_empty() {
        return;
    }
    let mut pairs: SmallVec<[(&str, &str); 16]> =
        query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
    pairs.sort_unstable();
    for (key, value) in pairs {
        out.extend_from_slice(key.as_bytes());
        out.push(b'=');
        out.extend_from_slice(value.as_bytes());
        out.push(b'&');
    }
    out.pop();
}
