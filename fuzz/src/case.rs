//! One request, with everything that its signature depends on.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arbitrary::{Arbitrary, Result, Unstructured};
use aws_credential_types::Credentials;
use http::header::{HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Uri};
use sigv4_middleware::overrides::{SignHeaders, SigningName, SigningRegion, SigningRegionSet, SkipSigning};
use sigv4_middleware::{Payload, PlusInQuery, Signer, SignerBuilder, SigningSettings};

use crate::{FixedClock, text};

/// A day after the last second of the year 9999.
const LATEST: u64 = 253_402_387_199;

const HEADERS: [&str; 30] = [
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "content-md5",
    "content-type",
    "cookie",
    "date",
    "expect",
    "host",
    "range",
    "referer",
    "sec-fetch-mode",
    "te",
    "traceparent",
    "transfer-encoding",
    "user-agent",
    "x-amz-checksum-mode",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-meta-a",
    "x-amz-meta-a-b",
    "x-amz-region-set",
    "x-amz-s3session-token",
    "x-amz-security-token",
    "x-amz-target",
    "x-amz-user-agent",
    "x-amzn-trace-id",
    "x-forwarded-for",
];
const VALUES: [&str; 12] = [
    "AWS4-HMAC-SHA256 Credential=",
    "Basic ",
    "Bearer x",
    "a,b",
    "  ",
    "\t",
    " ",
    "\u{a0}",
    "\u{3000}",
    "\u{e9}",
    "UNSIGNED-PAYLOAD",
    "example.com",
];
const SERVICES: [&str; 8] = [
    "execute-api",
    "s3",
    "s3express",
    "aoss",
    "vpc-lattice-svcs",
    "iotdevicegateway",
    "s3-outposts",
    "a.b-c_d",
];
const REGIONS: [&str; 4] = ["us-east-1", "eu-west-1", "cn-north-1", "auto"];
const KEYS: [&str; 4] = ["AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "=", "/"];

/// A request, the signer's settings and the time.
#[derive(Debug)]
pub struct Case {
    pub parts: Parts,
    pub body: Body,
    pub keys: Keys,
    pub now: SystemTime,
    pub profile: Option<Profile>,
    pub settings: Settings,
    pub expires_in: Duration,
    pub refuse_shortening: bool,
}

#[derive(Debug)]
pub enum Body {
    Bytes(Vec<u8>),
    Sha256([u8; 32]),
    Unsigned,
}

#[derive(Debug)]
pub struct Keys {
    pub id: String,
    pub secret: String,
    pub token: Option<String>,
    pub expiry: Option<SystemTime>,
}

/// `SigningSettings` of a service, with every public setting changed.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    pub of: &'static str,
    pub double_encode: bool,
    pub normalize: bool,
    pub content_sha256: bool,
    pub unsigned: bool,
}

impl Profile {
    /// The signer's default for a service.
    pub fn for_service(name: &str) -> Self {
        let s3 = is_s3(name);
        Self {
            of: SERVICES.iter().find(|known| **known == name).copied().unwrap_or(if s3 { "s3" } else { "" }),
            double_encode: !s3,
            normalize: !s3,
            content_sha256: s3 || matches!(name, "aoss" | LATTICE),
            unsigned: name == LATTICE,
        }
    }

    pub fn presigns_unsigned(self) -> bool {
        is_s3(self.of) || self.of == LATTICE
    }

    fn build(self) -> SigningSettings {
        SigningSettings::for_service(self.of)
            .double_encode(self.double_encode)
            .normalize_path(self.normalize)
            .content_sha256_header(self.content_sha256)
            .unsigned_payload(self.unsigned)
    }
}

const LATTICE: &str = "vpc-lattice-svcs";

fn is_s3(name: &str) -> bool {
    matches!(name, "s3" | "s3-outposts" | "s3-object-lambda" | "s3express")
}

/// Settings of the signer's builder.
#[derive(Debug)]
pub struct Settings {
    service: Option<String>,
    region: Option<String>,
    region_set: Option<String>,
    default_region: Option<String>,
    allow: Option<String>,
    sign_header: Option<HeaderName>,
    /// One bit for each boolean setting.
    switches: u8,
    plus: PlusInQuery,
    profile: Option<Profile>,
}

fn sometimes<T>(
    u: &mut Unstructured<'_>,
    one_in: u8,
    make: impl FnOnce(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Option<T>> {
    if u.ratio(1, one_in)? { make(u).map(Some) } else { Ok(None) }
}

fn service(u: &mut Unstructured<'_>) -> Result<String> {
    text::one_of(u, &SERVICES)
}

fn region(u: &mut Unstructured<'_>) -> Result<String> {
    text::one_of(u, &REGIONS)
}

fn time(u: &mut Unstructured<'_>) -> Result<SystemTime> {
    let seconds = match u.int_in_range(0..=15)? {
        0 => u.int_in_range(0..=LATEST)?,
        1 => LATEST,
        2 => return Ok(UNIX_EPOCH.checked_sub(Duration::from_secs(1)).unwrap_or(UNIX_EPOCH)),
        _ => 1_440_938_160 + u64::from(u16::arbitrary(u)?),
    };
    Ok(UNIX_EPOCH + Duration::from_secs(seconds))
}

fn header_name(u: &mut Unstructured<'_>) -> Result<HeaderName> {
    let name = text::one_of(u, &HEADERS)?;
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| arbitrary::Error::IncorrectFormat)
}

fn header_value(u: &mut Unstructured<'_>) -> Result<HeaderValue> {
    let value = if u.ratio(1, 8)? {
        Vec::<u8>::arbitrary(u)?
    } else {
        text::text(u, &VALUES)?
            .into_bytes()
            .into_iter()
            .filter(|byte| *byte >= b' ' || *byte == b'\t')
            .collect()
    };
    HeaderValue::from_bytes(&value).map_err(|_| arbitrary::Error::IncorrectFormat)
}

impl Arbitrary<'_> for Profile {
    fn arbitrary(u: &mut Unstructured<'_>) -> Result<Self> {
        Ok(Self {
            of: u.choose(&SERVICES)?,
            double_encode: u.arbitrary()?,
            normalize: u.arbitrary()?,
            content_sha256: u.arbitrary()?,
            unsigned: u.arbitrary()?,
        })
    }
}

impl Arbitrary<'_> for Keys {
    fn arbitrary(u: &mut Unstructured<'_>) -> Result<Self> {
        let part = |u: &mut Unstructured<'_>| text::one_of(u, &KEYS);
        Ok(Self {
            id: part(u)?,
            secret: part(u)?,
            token: sometimes(u, 2, part)?,
            expiry: sometimes(u, 8, time)?,
        })
    }
}

impl Arbitrary<'_> for Body {
    fn arbitrary(u: &mut Unstructured<'_>) -> Result<Self> {
        Ok(match u.int_in_range(0..=7)? {
            0 => Self::Unsigned,
            1 => Self::Sha256(u.arbitrary()?),
            _ => Self::Bytes(u.arbitrary()?),
        })
    }
}

impl Arbitrary<'_> for Settings {
    fn arbitrary(u: &mut Unstructured<'_>) -> Result<Self> {
        Ok(Self {
            service: sometimes(u, 4, service)?,
            region: sometimes(u, 4, region)?,
            region_set: sometimes(u, 32, region)?,
            default_region: sometimes(u, 2, region)?,
            allow: sometimes(u, 16, text::authority)?,
            sign_header: sometimes(u, 4, header_name)?,
            switches: u.arbitrary()?,
            plus: *u.choose(&[PlusInQuery::Space, PlusInQuery::Literal, PlusInQuery::Refuse])?,
            profile: sometimes(u, 4, |u| u.arbitrary())?,
        })
    }
}

impl Settings {
    fn on(&self, bit: u8) -> bool {
        self.switches & (1 << bit) != 0
    }

    /// A builder with these settings, without the origin to allow.
    fn builder(&self) -> SignerBuilder {
        let mut builder = Signer::builder()
            .cache_credentials(self.on(0))
            .sign_all_headers(self.on(1))
            .replace_authorization(self.on(2))
            .allow_host_mismatch(self.on(3))
            .clock_skew_correction(self.on(4))
            .scope_overrides_host(self.on(5))
            .plus_in_query(self.plus);
        builder = self.service.iter().fold(builder, |b, name| b.service(name.clone()));
        builder = self.region.iter().fold(builder, |b, name| b.region(name.clone()));
        builder = self.region_set.iter().fold(builder, |b, set| b.region_set(set.clone()));
        builder = self.default_region.iter().fold(builder, |b, name| b.default_region(name.clone()));
        builder = self.sign_header.iter().fold(builder, |b, name| b.sign_header(name.clone()));
        builder = self.allow.iter().fold(builder, |b, host| b.allow_host(host.clone()));
        self.profile.iter().fold(builder, |b, profile| b.signing_settings(profile.build()))
    }
}

impl Arbitrary<'_> for Case {
    fn arbitrary(u: &mut Unstructured<'_>) -> Result<Self> {
        let method = text::one_of(u, &["GET", "POST", "PUT", "HEAD", "DELETE", "CONNECT", "OPTIONS"])?;
        let scheme =
            u.choose(&["https", "https", "https", "https", "http", "HTTPS", "wss", "ws", "ftp", ""])?;
        let profile: Option<Profile> = sometimes(u, 4, |u| u.arbitrary())?;
        let authority = text::authority(u)?;
        let target = text::target(u)?;
        let uri = if scheme.is_empty() {
            Uri::try_from(target)
        } else {
            let uri = Uri::builder().scheme(*scheme).authority(authority).path_and_query(target);
            return_uri(uri.build())
        };
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).map_err(|_| arbitrary::Error::IncorrectFormat)?)
            .uri(uri.map_err(|_| arbitrary::Error::IncorrectFormat)?);
        for _ in 0..u.int_in_range(0..=6)? {
            let (name, value) = (header_name(u)?, header_value(u)?);
            let times = if u.ratio(1, 64)? { u.int_in_range(1..=600)? } else { 1 };
            for _ in 0..times {
                request = request.header(name.clone(), value.clone());
            }
        }
        if let Some(name) = sometimes(u, 3, service)? {
            request = request.extension(SigningName::new(name));
        }
        if let Some(name) = sometimes(u, 3, region)? {
            request = request.extension(SigningRegion::new(name));
        }
        if let Some(set) = sometimes(u, 32, region)? {
            request = request.extension(SigningRegionSet::new(set));
        }
        if let Some(name) = sometimes(u, 4, header_name)? {
            request = request.extension(SignHeaders::from_iter([name]));
        }
        if let Some(profile) = profile {
            request = request.extension(profile.build());
        }
        if u.ratio(1, 64)? {
            request = request.extension(SkipSigning);
        }
        let (parts, ()) = request.body(()).map_err(|_| arbitrary::Error::IncorrectFormat)?.into_parts();
        Ok(Self {
            parts,
            profile,
            keys: u.arbitrary()?,
            now: time(u)?,
            settings: u.arbitrary()?,
            expires_in: Duration::from_secs(u.int_in_range(0..=700_000)?),
            refuse_shortening: u.arbitrary()?,
            body: u.arbitrary()?,
        })
    }
}

/// One error type for both ways of building a URI.
fn return_uri(uri: std::result::Result<Uri, http::Error>) -> std::result::Result<Uri, http::uri::InvalidUri> {
    uri.map_err(|_| "\u{0}".parse::<Uri>().expect_err("a NUL is no URI"))
}

impl Case {
    /// The caller's own `x-amz-content-sha256`, where nothing else of a signature is on the request.
    pub fn declared(&self) -> Option<&HeaderValue> {
        let headers = &self.parts.headers;
        let authorized = headers.get_all("authorization").iter().any(|v| v.as_bytes().starts_with(b"AWS4-"));
        let is_signature = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap_or_default();
            let key = percent_encoding::percent_decode_str(key).decode_utf8_lossy();
            !value.is_empty() && key.eq_ignore_ascii_case("x-amz-signature")
        };
        let presigned = self.parts.uri.query().unwrap_or_default().split('&').any(is_signature);
        let signed = authorized || headers.contains_key("x-amz-date") || presigned;
        headers.get("x-amz-content-sha256").filter(|_| !signed)
    }

    /// A signer that may sign for the request's origin, where that origin can be allowed.
    pub fn signer(&self) -> Option<Signer> {
        let keys = &self.keys;
        let credentials =
            Credentials::new(keys.id.clone(), keys.secret.clone(), keys.token.clone(), keys.expiry, "fuzz");
        let builder =
            || self.settings.builder().credentials(credentials.clone()).time_source(FixedClock(self.now));
        let scheme =
            if matches!(self.parts.uri.scheme_str(), Some("http" | "ws")) { "http" } else { "https" };
        let authority = self.parts.uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
        let allowing = builder().allow_origin(format!("{scheme}://{authority}")).build();
        allowing.or_else(|_| builder().build()).ok()
    }

    pub fn skips(&self) -> bool {
        self.parts.extensions.get::<SkipSigning>().is_some()
    }

    pub fn payload(&self) -> Payload<'_> {
        match &self.body {
            Body::Bytes(bytes) => Payload::from(bytes),
            Body::Sha256(sha256) => Payload::sha256(*sha256),
            Body::Unsigned => Payload::unsigned(),
        }
    }

    /// The settings that a request for this service is signed with.
    pub fn profile_for(&self, service: &str) -> Profile {
        self.profile.or(self.settings.profile).unwrap_or_else(|| Profile::for_service(service))
    }
}
