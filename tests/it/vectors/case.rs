//! Signers and requests made from what a case says.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_async::time::StaticTimeSource;
use http::header::{HOST, HeaderName, USER_AGENT};
use http::request::Parts;
use percent_encoding::percent_decode_str;
use sigv4_middleware::{Credentials, Presigned, Signer, SignerBuilder, SigningDetails};

use super::report::{Outcome, same};

const REDACTED: &str = "[redacted]";

pub(crate) fn at(epoch: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(epoch)
}

pub(crate) fn credentials(id: &str, secret: &str, token: Option<&str>) -> Credentials {
    Credentials::new(id, secret, token.map(str::to_owned), None, "vectors")
}

/// A signer of one moment, for one host.
pub(crate) fn signer(
    credentials: Credentials,
    time: SystemTime,
    host: &str,
    service: &str,
    region: &str,
) -> SignerBuilder {
    Signer::builder()
        .credentials(credentials)
        .time_source(StaticTimeSource::new(time))
        .service(service.to_owned())
        .region(region.to_owned())
        .scope_overrides_host(true)
        .allow_origin(format!("https://{host}"))
}

/// Has the signer sign every header of a case, but for those that no signer signs.
pub(crate) fn signing_all(mut builder: SignerBuilder, parts: &Parts) -> SignerBuilder {
    for name in parts.headers.keys() {
        if name != HOST && name != USER_AGENT && name != "x-amzn-trace-id" {
            builder = builder.sign_header(name.clone());
        }
    }
    builder
}

/// The head of a request over https.
///
/// # Errors
/// Why the `http` crate, which every HTTP client here is built upon, does not take it.
pub(crate) fn head(
    method: &str,
    host: &str,
    target: &str,
    headers: &[(String, String)],
) -> Result<Parts, http::Error> {
    let mut request = http::Request::builder().method(method).uri(format!("https://{host}{target}"));
    request = request.header(HOST, host);
    for (name, value) in headers {
        request = request.header(HeaderName::from_bytes(name.as_bytes())?, value.as_bytes());
    }
    Ok(request.body(())?.into_parts().0)
}

/// Compares what was signed with a case's canonical request and string to sign.
pub(crate) fn same_explanation(
    explanation: &SigningDetails,
    token: Option<&str>,
    canonical_request: &str,
    string_to_sign: &str,
) -> Outcome {
    let mut expected = canonical_request.to_owned();
    if let Some(token) = token {
        expected = expected.replace(token, REDACTED).replace(&strict(token), REDACTED);
    }
    let redacted = |line: &str| match line.starts_with("cookie:") {
        true => format!("cookie:{REDACTED}"),
        false => line.to_owned(),
    };
    let expected = expected.split('\n').map(redacted).collect::<Vec<_>>().join("\n");
    same("canonical request", explanation.canonical_request(), &expected)?;
    same("string to sign", explanation.string_to_sign(), string_to_sign)
}

/// A parameter's value as AWS encodes it.
fn strict(value: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const ESCAPED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(value, &ESCAPED).to_string()
}

pub(crate) fn authorization(parts: &Parts) -> &str {
    header(parts, "authorization")
}

pub(crate) fn header<'a>(parts: &'a Parts, name: &str) -> &'a str {
    parts.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// The signature within an Authorization header.
pub(crate) fn signature_of(authorization: &str) -> &str {
    authorization.rsplit_once("Signature=").map_or("", |(_, signature)| signature)
}

/// An Authorization header up to its signature.
pub(crate) fn without_signature(authorization: &str) -> &str {
    authorization.rsplit_once("Signature=").map_or("", |(before, _)| before)
}

/// The signature within a presigned URL.
pub(crate) fn presigned_signature(presigned: &Presigned) -> &str {
    let pairs = presigned.uri().query().unwrap_or_default().split('&');
    pairs.filter_map(|pair| pair.strip_prefix("X-Amz-Signature=")).next().unwrap_or_default()
}

/// The parameters that a target means, decoded, in their order.
pub(crate) fn parameters(target: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decode_str(key).collect(), percent_decode_str(value).collect())
        })
        .collect()
}

/// The path that a target means, decoded.
pub(crate) fn path(target: &str) -> Vec<u8> {
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    percent_decode_str(path).collect()
}
