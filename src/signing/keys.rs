//! Signing keys, derived once for a day, region and service, and kept with the credentials they come from.

use std::ops::{Deref, Range};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::sign::v4::generate_signing_key;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderValue;
use sha2::Sha256;
use smallvec::SmallVec;

use crate::cache::{Found, SmallCache};
use crate::credentials::Validity;
use crate::error::{Error, ErrorKind};
use crate::signing::date::AmzDate;

/// Signing keys kept for one set of credentials. A signer serves a handful of scopes; a proxy for every region a few
/// dozen.
const KEYS: usize = 64;

/// One set of credentials with the keys derived from it.
///
/// The credentials own their keys, instead of keys being looked up by credentials: no secret is ever the key of a map,
/// and rotation drops, and thereby zeroizes, every key of the old credentials at once.
pub(crate) struct CredentialsWithKeys {
    credentials: Arc<Credentials>,
    token: Option<HeaderValue>,
    keys: SmallCache<DatedKey>,
    #[cfg(feature = "sigv4a")]
    v4a_key: std::sync::OnceLock<Option<zeroize::Zeroizing<[u8; 32]>>>,
}

impl CredentialsWithKeys {
    /// # Errors
    /// [`ErrorKind::CredentialsInvalid`] where key id or token cannot be sent in a header.
    pub(crate) fn new(credentials: Arc<Credentials>) -> Result<Self, Error> {
        let id = credentials.access_key_id();
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b',')) {
            return Err(Error::new(
                ErrorKind::CredentialsInvalid,
                "the access key id is empty or has characters other than printable ASCII, / and , excepted; check for \
                 a stray newline or quote where it is stored",
            ));
        }
        if credentials.secret_access_key().is_empty()
            || credentials.secret_access_key().bytes().any(|byte| byte.is_ascii_control())
        {
            return Err(Error::new(
                ErrorKind::CredentialsInvalid,
                "the secret access key is empty or has a control character; check for a stray newline where it is \
                 stored",
            ));
        }
        let token = credentials.session_token().filter(|token| !token.is_empty()).map(header).transpose()?;
        Ok(Self {
            credentials,
            token,
            keys: SmallCache::new(KEYS),
            #[cfg(feature = "sigv4a")]
            v4a_key: std::sync::OnceLock::new(),
        })
    }

    pub(crate) fn credentials(&self) -> &Arc<Credentials> {
        &self.credentials
    }

    pub(crate) fn access_key_id(&self) -> &str {
        self.credentials.access_key_id()
    }

    /// The session token as a header value, marked sensitive.
    pub(crate) fn token(&self) -> Option<&HeaderValue> {
        self.token.as_ref()
    }

    /// Whether this was made from equal credentials.
    pub(crate) fn is_of(&self, other: &Credentials) -> bool {
        let own = &self.credentials;
        own.access_key_id() == other.access_key_id()
            && own.secret_access_key() == other.secret_access_key()
            && own.session_token() == other.session_token()
    }

    /// The key for a second since 1970, region and service, derived at most once a day while it is kept.
    ///
    /// # Errors
    /// [`ErrorKind::ClockOutOfRange`] after the year 9999.
    pub(crate) fn signing_key(
        &self,
        epoch_seconds: u64,
        reach: RegionScope<'_>,
        service: &str,
    ) -> Result<Found<DatedKey>, Error> {
        let day = epoch_seconds / SECONDS_A_DAY;
        let is_of_second = |known: &DatedKey| {
            known.date.epoch_seconds() == epoch_seconds && known.is_for(day, reach, service)
        };
        if let Some(key) = self.keys.find(is_of_second) {
            return Ok(key);
        }
        let date = AmzDate::at(epoch_seconds)?;
        let key = match self.keys.find(|known| known.is_for(day, reach, service)) {
            Some(known) => Arc::clone(&known.key),
            None => Arc::new(self.derive(epoch_seconds, &date, reach, service)?),
        };
        let is_outdated = |known: &DatedKey| known.is_for(day, reach, service);
        Ok(self.keys.replace(DatedKey::new(key, date), is_outdated))
    }

    fn derive(
        &self,
        epoch_seconds: u64,
        date: &AmzDate,
        reach: RegionScope<'_>,
        service: &str,
    ) -> Result<SigningKey, Error> {
        let (secret, region) = match reach {
            RegionScope::Region(region) => {
                let secret = self.credentials.secret_access_key();
                let time = UNIX_EPOCH + Duration::from_secs(epoch_seconds);
                let derived = generate_signing_key(secret, time, region, service);
                (Secret::V4(mac(derived.as_ref())?), format!("{region}/"))
            }
            #[cfg(feature = "sigv4a")]
            RegionScope::RegionSet(_) => (Secret::V4a(self.v4a_key()?), String::new()),
            #[cfg(not(feature = "sigv4a"))]
            RegionScope::RegionSet(_) => return Err(no_sigv4a()),
        };
        let scope = format!("{}/{region}{service}/aws4_request", date.day());
        let day = epoch_seconds / SECONDS_A_DAY;
        Ok(SigningKey::new(secret, day, (reach.algorithm(), self.access_key_id(), &scope)))
    }

    /// The private key of SigV4a: costly to derive, and the same for every day, region set and service.
    #[cfg(feature = "sigv4a")]
    fn v4a_key(&self) -> Result<zeroize::Zeroizing<[u8; 32]>, Error> {
        let derive = || {
            let own = &self.credentials;
            let derived =
                aws_sigv4::sign::v4a::generate_signing_key(own.access_key_id(), own.secret_access_key());
            <[u8; 32]>::try_from(derived.as_ref()).ok().map(zeroize::Zeroizing::new)
        };
        self.v4a_key.get_or_init(derive).clone().ok_or_else(|| {
            Error::new(ErrorKind::CredentialsInvalid, "no SigV4a key can be derived from these credentials")
        })
    }
}

/// The error for a request that only SigV4a can sign, in a build without it.
#[cfg(not(feature = "sigv4a"))]
fn no_sigv4a() -> Error {
    Error::new(
        ErrorKind::ScopeInvalid,
        "a region set is signed with SigV4a; turn on the feature `sigv4a` of sigv4-middleware",
    )
}

fn mac(key: &[u8]) -> Result<Hmac<Sha256>, Error> {
    Hmac::new_from_slice(key).map_err(|error| {
        Error::with_source(
            ErrorKind::CredentialsInvalid,
            "no HMAC can be made with the derived signing key",
            error,
        )
    })
}

/// Where a signature is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RegionScope<'a> {
    /// In one region: SigV4.
    Region(&'a str),
    /// In a set of regions, such as `us-east-1,eu-*`: SigV4a.
    RegionSet(&'a str),
}

impl<'a> RegionScope<'a> {
    /// The one region.
    pub(crate) fn region(self) -> Option<&'a str> {
        match self {
            Self::Region(region) => Some(region),
            Self::RegionSet(_) => None,
        }
    }

    /// The set of regions.
    pub(crate) fn region_set(self) -> Option<&'a str> {
        match self {
            Self::Region(_) => None,
            Self::RegionSet(set) => Some(set),
        }
    }

    /// The name of the algorithm.
    pub(crate) fn algorithm(self) -> &'static str {
        match self {
            Self::Region(_) => "AWS4-HMAC-SHA256",
            Self::RegionSet(_) => "AWS4-ECDSA-P256-SHA256",
        }
    }
}

/// Session tokens are text in ASCII without white space to collapse. Servers disagree about other text, and sign collapsed
/// white space.
fn header(token: &str) -> Result<HeaderValue, Error> {
    // To the end in any case: a loop without an exit takes many bytes at a time, and tokens are long.
    let text = token.bytes().fold(true, |text, byte| text & (b' '..=b'~').contains(&byte));
    let collapses = token.contains("  ") || token.trim_ascii() != token;
    let value = (text && !collapses).then(|| HeaderValue::from_str(token).ok()).flatten();
    let mut value = value.ok_or_else(|| {
        Error::new(
            ErrorKind::CredentialsInvalid,
            "the session token has white space around it, or characters that no token has; check for a stray newline or \
             quote where it is stored",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// The credentials of a signer's last signature.
pub(crate) struct CurrentKeys {
    pub(crate) keys: Arc<CredentialsWithKeys>,
    /// For how long they are the cached ones; `None` for those of a provider that is called each time.
    pub(crate) validity: Option<Validity>,
}

impl Deref for CurrentKeys {
    type Target = Arc<CredentialsWithKeys>;

    fn deref(&self) -> &Self::Target {
        &self.keys
    }
}

const SECONDS_A_DAY: u64 = 24 * 60 * 60;

/// A key for one credential scope. Zeroized on drop.
pub(crate) struct SigningKey {
    secret: Secret,
    /// Days since 1970.
    day: u64,
    /// What the Authorization headers of its signatures begin with: `ALGORITHM Credential=ID/SCOPE, SignedHeaders=`.
    authorization: String,
    /// Where in that the scope is.
    scope: Range<usize>,
    /// Where in that the service is.
    service: Range<usize>,
}

/// A signing key at one second: the next signature is mostly made in the same one. Zeroized on drop.
pub(crate) struct DatedKey {
    key: Arc<SigningKey>,
    date: AmzDate,
    /// The MAC's state after `ALGORITHM\nDATE\nSCOPE\n`; none for SigV4a.
    mac: Option<Hmac<Sha256>>,
}

impl Deref for DatedKey {
    type Target = SigningKey;

    fn deref(&self) -> &Self::Target {
        &self.key
    }
}

impl DatedKey {
    fn new(key: Arc<SigningKey>, date: AmzDate) -> Self {
        let mac = key.secret.mac_at(key.algorithm(), &date, key.scope());
        Self { key, date, mac }
    }

    pub(crate) fn key(&self) -> &Arc<SigningKey> {
        &self.key
    }

    pub(crate) fn date(&self) -> &AmzDate {
        &self.date
    }

    /// The signature of a canonical request with this hash in hex, in lower-case hex.
    pub(crate) fn sign_request(&self, canonical_hash: &[u8; 64]) -> SignatureHex {
        match &self.mac {
            Some(mac) => {
                let mut mac = mac.clone();
                mac.update(canonical_hash);
                SmallVec::from_buf(hex(&mac.finalize().into_bytes().into()))
            }
            None => self.sign(&self.string_to_sign(canonical_hash)),
        }
    }

    /// The string to sign of a canonical request, in parts.
    pub(crate) fn string_to_sign<'a>(&'a self, canonical_hash: &'a [u8; 64]) -> [&'a [u8]; 7] {
        let (date, scope) = (self.date.as_str().as_bytes(), self.scope().as_bytes());
        [self.algorithm().as_bytes(), b"\n", date, b"\n", scope, b"\n", canonical_hash]
    }
}

enum Secret {
    /// A keyed MAC state; `hmac` and `sha2` zeroize it.
    V4(Hmac<Sha256>),
    #[cfg(feature = "sigv4a")]
    V4a(zeroize::Zeroizing<[u8; 32]>),
}

impl Secret {
    fn is_for(&self, reach: RegionScope<'_>) -> bool {
        match self {
            Self::V4(_) => matches!(reach, RegionScope::Region(_)),
            #[cfg(feature = "sigv4a")]
            Self::V4a(_) => matches!(reach, RegionScope::RegionSet(_)),
        }
    }

    /// The MAC's state after the part of the string to sign that stays the same for a second.
    fn mac_at(&self, algorithm: &str, date: &AmzDate, scope: &str) -> Option<Hmac<Sha256>> {
        match self {
            Self::V4(mac) => {
                let mut mac = mac.clone();
                for line in [algorithm, date.as_str(), scope] {
                    mac.update(line.as_bytes());
                    mac.update(b"\n");
                }
                Some(mac)
            }
            #[cfg(feature = "sigv4a")]
            Self::V4a(_) => None,
        }
    }
}

impl SigningKey {
    fn new(secret: Secret, day: u64, (algorithm, id, scope): (&str, &str, &str)) -> Self {
        let before_scope = format!("{algorithm} Credential={id}/");
        let at = before_scope.len()..before_scope.len() + scope.len();
        let authorization = format!("{before_scope}{scope}, SignedHeaders=");
        let service_end = at.end - "/aws4_request".len();
        let service_len = scope.rsplit('/').nth(1).map_or(0, str::len);
        let service = service_end - service_len..service_end;
        Self { secret, day, authorization, scope: at, service }
    }

    fn is_for(&self, day: u64, reach: RegionScope<'_>, service: &str) -> bool {
        const DAY: usize = "20150830/".len();
        if self.day != day || !self.secret.is_for(reach) {
            return false;
        }
        let mut parts = [reach.region(), Some(service)].into_iter().flatten();
        let rest =
            parts.try_fold(&self.scope()[DAY..], |text, part| text.strip_prefix(part)?.strip_prefix('/'));
        rest == Some("aws4_request")
    }

    fn algorithm(&self) -> &str {
        self.authorization.split(' ').next().unwrap_or_default()
    }

    /// What the Authorization headers of its signatures begin with, up to the names of the signed headers.
    pub(crate) fn authorization(&self) -> &str {
        &self.authorization
    }

    pub(crate) fn is_v4a(&self) -> bool {
        !matches!(self.secret, Secret::V4(_))
    }

    /// The credential scope without the key id.
    pub(crate) fn scope(&self) -> &str {
        &self.authorization[self.scope.clone()]
    }

    /// The service's signing name.
    pub(crate) fn service(&self) -> &str {
        self.authorization.get(self.service.clone()).unwrap_or_default()
    }

    /// The region; `None` for SigV4a.
    #[cfg(feature = "reqwest")]
    pub(crate) fn region(&self) -> Option<&str> {
        self.scope().rsplit('/').nth(2).filter(|_| !self.is_v4a())
    }

    /// The signature of the concatenated parts, in lower-case hex.
    pub(crate) fn sign(&self, parts: &[&[u8]]) -> SignatureHex {
        match &self.secret {
            Secret::V4(mac) => {
                let mut mac = mac.clone();
                for part in parts {
                    mac.update(part);
                }
                SmallVec::from_slice(&hex(&mac.finalize().into_bytes().into()))
            }
            #[cfg(feature = "sigv4a")]
            Secret::V4a(key) => {
                let signature = aws_sigv4::sign::v4a::calculate_signature(key.as_slice(), &parts.concat());
                SmallVec::from_slice(signature.as_bytes())
            }
        }
    }
}

/// A signature in hex: 64 digits of a MAC, or up to 144 of SigV4a's DER.
pub(crate) type SignatureHex = SmallVec<[u8; 64]>;

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8; 32]) -> [u8; 64] {
    let mut out = [0; 64];
    // Computed, not looked up, so that the compiler vectorizes this loop.
    let digit = |value: u8| value + b'0' + u8::from(value > 9) * (b'a' - b'9' - 1);
    for (two, byte) in out.as_chunks_mut().0.iter_mut().zip(bytes) {
        *two = [digit(byte >> 4), digit(byte & 15)];
    }
    out
}

#[cfg(test)]
mod tests;
