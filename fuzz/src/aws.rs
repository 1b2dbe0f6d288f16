//! The signature that aws-sigv4 makes for a signed request, where it can be compared.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SessionTokenMode, SignableBody, SignableRequest,
    SignatureLocation, SigningSettings, UriPathNormalizationMode,
};
use aws_sigv4::sign::v4;
use http::{HeaderMap, Uri};

use crate::case::{Body, Case};
use crate::signed::ParsedAuthorization;

/// Where the signature and the session token are, for aws-sigv4's settings.
pub enum Signed {
    InHeaders {
        token_header: &'static str,
    },
    InQuery {
        expires_in: Duration,
        token_parameter: &'static str,
        token_appended: bool,
        default_payload: bool,
    },
}

/// The signature that aws-sigv4 makes for the signed headers and the URI that is sent. `None` where aws-sigv4 panics or
/// signs differently by design.
pub fn signature(
    case: &Case,
    parsed: &ParsedAuthorization,
    uri: &Uri,
    headers: &HeaderMap,
    how: &Signed,
) -> Option<String> {
    let profile = case.profile_for(&parsed.service);
    if !in_domain(case, uri, profile.normalize) {
        return None;
    }
    let keys = &case.keys;
    let identity =
        Credentials::new(keys.id.clone(), keys.secret.clone(), keys.token.clone(), None, "fuzz").into();
    let mut settings = SigningSettings::default();
    settings.excluded_headers = None;
    if !profile.double_encode {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
    }
    if !profile.normalize {
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    }
    let declared = case.declared().map(|value| value.as_bytes() == b"UNSIGNED-PAYLOAD");
    if profile.content_sha256 || declared.is_some() {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    let mut body = match &case.body {
        Body::Bytes(bytes) => SignableBody::Bytes(bytes),
        Body::Sha256(hash) => {
            SignableBody::Precomputed(hash.iter().map(|byte| format!("{byte:02x}")).collect())
        }
        Body::Unsigned => SignableBody::UnsignedPayload,
    };
    match how {
        Signed::InHeaders { token_header } => {
            settings.session_token_name_override = Some(token_header);
            let unsigned = declared.unwrap_or(profile.unsigned);
            if unsigned && matches!(case.body, Body::Bytes(_)) {
                body = SignableBody::UnsignedPayload;
            }
        }
        Signed::InQuery { expires_in, token_parameter, token_appended, default_payload } => {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(*expires_in);
            settings.session_token_name_override = Some(token_parameter);
            if *token_appended {
                settings.session_token_mode = SessionTokenMode::Exclude;
                settings.session_token_name_override = None;
            }
            // A declared hash is the body's, or the request is refused.
            if declared == Some(true) {
                body = SignableBody::UnsignedPayload;
            } else if *default_payload && declared.is_some() {
                return None;
            } else if *default_payload {
                let unsigned = profile.presigns_unsigned();
                body = if unsigned { SignableBody::UnsignedPayload } else { SignableBody::Bytes(&[]) };
            }
        }
    }
    let in_query = matches!(how, Signed::InQuery { .. });
    let own = ["x-amz-date", "x-amz-security-token", "x-amz-s3session-token"];
    let adds = |name: &str| own.contains(&name) || (name == "x-amz-content-sha256" && !in_query);
    let mut given = Vec::new();
    for name in parsed.signed_headers.iter().filter(|name| !adds(name)) {
        // aws-sigv4 leaves these out of presigned URLs.
        if in_query && matches!(&**name, "x-amz-user-agent" | "x-amz-checksum-mode") {
            return None;
        }
        for value in headers.get_all(name) {
            let value = std::str::from_utf8(value.as_bytes()).ok()?;
            if value.contains('\t') {
                return None;
            }
            given.push((name.as_str(), value));
        }
    }
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(&parsed.region)
        .name(&parsed.service)
        .time(case.now)
        .settings(settings)
        .build()
        .expect("all parameters")
        .into();
    let uri = uri.to_string();
    let request =
        SignableRequest::new(case.parts.method.as_str(), uri, given.into_iter(), body).expect("a request");
    let output = aws_sigv4::http_request::sign(request, &params).expect("a signature");
    Some(output.signature().to_owned())
}

/// Whether aws-sigv4 signs this request as other signers do.
fn in_domain(case: &Case, uri: &Uri, normalizes: bool) -> bool {
    let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
    let port = authority.rsplit_once(']').map_or(authority, |(_, tail)| tail).split_once(':');
    let plain_port =
        port.is_none_or(|(_, port)| port.parse::<u16>().is_ok_and(|number| number.to_string() == port));
    let last_dots = uri.path().ends_with("/.") || uri.path().ends_with("/..");
    let token = case.keys.token.as_deref().unwrap_or("-");
    let plain_token = !token.is_empty() && !token.contains([' ', '\t']);
    // aws-sigv4 re-encodes the query, adds a `=` to each parameter, and panics if the result is too long.
    let query = uri.query().unwrap_or_default();
    let room =
        authority.len() + uri.path().len() + query.len() + query.matches('&').count() + 3 * token.len();
    matches!(uri.scheme_str(), Some("http" | "https"))
        && plain_port
        && !(normalizes && last_dots)
        && plain_token
        && room + 2_000 + 3 * case.keys.id.len() < crate::signed::MAX_URI
}
