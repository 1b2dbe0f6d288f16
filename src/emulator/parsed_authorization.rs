//! Parsing of a request's Authorization header or of the query of a presigned URL.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};

use super::canonical_text::QueryPairs;
use super::clock::Seconds;
use super::refusal::{Detail, Refusal};

pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
pub(super) const X_AMZ_DATE: &str = "x-amz-date";

/// The longest lifetime of a presigned URL in seconds: seven days.
const MAX_EXPIRES: i64 = 604_800;

/// A request's signature, and the scope, headers and date that the request declares for it.
#[derive(Debug)]
pub(super) struct ParsedAuthorization {
    pub(super) access_key_id: String,
    pub(super) scope: Scope,
    pub(super) signed_headers: Vec<String>,
    pub(super) signature: String,
    pub(super) date: Seconds,
    /// Lifetime of a presigned URL in seconds; `None` for a signature in the header.
    pub(super) expires: Option<i64>,
}

/// The credential scope that the request declares.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) date: String,
    pub(super) region: String,
    pub(super) service: String,
    pub(super) terminator: String,
}

impl ParsedAuthorization {
    /// Parses a request's authorization.
    ///
    /// # Errors
    /// The refusal to send if it is missing or incomplete.
    pub(super) fn parse(headers: &HeaderMap, query: &QueryPairs) -> Result<Self, Refusal> {
        let presigned = query.iter().any(|(key, _)| key == "X-Amz-Algorithm" || key == "X-Amz-Signature");
        let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
        match (authorizations.next(), authorizations.next()) {
            (None, _) if presigned => Self::from_query(query),
            (None, _) => Err(Refusal::missing_token()),
            (Some(value), None) if !presigned => Self::from_header(value, headers).map_err(|refusal| {
                let is_sigv4 = value.as_bytes().starts_with(b"AWS4-");
                if is_sigv4 { refusal } else { refusal.with(Detail::Scheme) }
            }),
            _ => Err(Refusal::incomplete(
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter or one Authorization \
                 header should be specified",
            )),
        }
    }

    fn from_header(authorization: &HeaderValue, headers: &HeaderMap) -> Result<Self, Refusal> {
        // Like AWS, print a hash of the header and not the header, which may be a bearer token.
        let hash = BASE64_STANDARD.encode(Sha256::digest(authorization.as_bytes()));
        let Ok(text) = std::str::from_utf8(authorization.as_bytes()) else {
            return Err(Refusal::incomplete(format!(
                "Authorization header is not valid UTF-8. (Hashed with SHA-256 and encoded with Base64) Authorization={hash}"
            )));
        };
        let (algorithm, rest) = text.split_once(' ').unwrap_or((text, ""));
        let rest = if algorithm.contains('=') { text } else { rest };
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for part in rest.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let Some((key, value)) = part.split_once('=') else {
                return Err(Refusal::incomplete(format!(
                    "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and \
                     encoded with Base64): '{hash}'."
                )));
            };
            let slot = match key {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(Refusal::incomplete(format!(
                    "Authorization header has more than one '{key}' parameter."
                )));
            }
        }
        let mut dates = headers.get_all(X_AMZ_DATE).iter();
        let date = dates.next().filter(|_| dates.next().is_none()).and_then(|value| value.to_str().ok());

        let mut missing = Vec::new();
        for (name, value) in
            [("Credential", credential), ("Signature", signature), ("SignedHeaders", signed_headers)]
        {
            if value.is_none() {
                missing.push(format!("Authorization header requires '{name}' parameter."));
            }
        }
        if date.is_none() {
            missing.push(
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.".into(),
            );
        }
        let (Some(credential), Some(signature), Some(signed_headers), Some(date)) =
            (credential, signature, signed_headers, date)
        else {
            let missing = missing.join(" ");
            return Err(Refusal::incomplete(format!(
                "{missing} (Hashed with SHA-256 and encoded with Base64) Authorization={hash}"
            )));
        };
        check_algorithm(algorithm)?;
        let (access_key_id, scope) = parse_credential(credential)?;
        Ok(Self {
            access_key_id,
            scope,
            signed_headers: parse_signed_headers(signed_headers)?,
            signature: signature.to_owned(),
            date: parse_date(date)?,
            expires: None,
        })
    }

    fn from_query(query: &QueryPairs) -> Result<Self, Refusal> {
        let single = |name: &str| {
            let mut values = query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
            values.next().filter(|_| values.next().is_none()).ok_or_else(|| {
                Refusal::incomplete(format!(
                    "AWS query-string parameters must include '{name}'. Re-examine the query-string parameters."
                ))
            })
        };
        check_algorithm(single("X-Amz-Algorithm")?)?;
        let credential = single("X-Amz-Credential")?;
        let signature = single("X-Amz-Signature")?;
        let signed_headers = single("X-Amz-SignedHeaders")?;
        let date = single("X-Amz-Date")?;
        let text = single("X-Amz-Expires")?;
        // Only the form in which the number is printed again: the signature is verified for that.
        let expires =
            text.parse().ok().filter(|n: &i64| (1..=MAX_EXPIRES).contains(n) && n.to_string() == text);
        let Some(expires) = expires else {
            return Err(Refusal::incomplete(
                "X-Amz-Expires must be a number of seconds, at least 1 and less than a week (in seconds) 604800",
            ));
        };
        let (access_key_id, scope) = parse_credential(credential)?;
        Ok(Self {
            access_key_id,
            scope,
            signed_headers: parse_signed_headers(signed_headers)?,
            signature: signature.to_owned(),
            date: parse_date(date)?,
            expires: Some(expires),
        })
    }

    pub(super) fn signs(&self, name: &str) -> bool {
        self.signed_headers.iter().any(|signed| signed == name)
    }
}

fn check_algorithm(algorithm: &str) -> Result<(), Refusal> {
    if algorithm == ALGORITHM {
        return Ok(());
    }
    // Not repeated in the message: in a malformed header this may be a secret.
    Err(Refusal::incomplete(format!("Unsupported AWS 'algorithm' (only {ALGORITHM} for now).")))
}

fn parse_date(text: &str) -> Result<Seconds, Refusal> {
    Seconds::parse(text).ok_or_else(|| {
        Refusal::incomplete(format!(
            "Date must be in ISO-8601 'basic format'. Got '{}'. See http://en.wikipedia.org/wiki/ISO_8601",
            text.chars().take(64).collect::<String>()
        ))
    })
}

fn parse_credential(text: &str) -> Result<(String, Scope), Refusal> {
    let parts: Vec<_> = text.split('/').collect();
    let &[key, date, region, service, terminator] = parts.as_slice() else {
        return Err(Refusal::incomplete(format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{text}'"
        )));
    };
    let scope = Scope {
        date: date.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
        terminator: terminator.to_owned(),
    };
    Ok((key.to_owned(), scope))
}

/// Header names in lower case, sorted, each once: a signer makes no other list.
fn parse_signed_headers(text: &str) -> Result<Vec<String>, Refusal> {
    let names: Vec<_> = text.split(';').map(str::to_owned).collect();
    let strict = names.iter().all(|name| !name.is_empty() && !name.bytes().any(|b| b.is_ascii_uppercase()));
    if strict && names.is_sorted_by(|a, b| a < b) {
        return Ok(names);
    }
    Err(Refusal::invalid_signature(
        "'SignedHeaders' must be lower-case header names, sorted and each only once.",
    ))
}
