//! The request target in the form that is both sent and signed.
//!
//! AWS's signers disagree about a query or an S3 path that is not in strict form, and servers follow different signers.
//! A target in strict form has one reading: unreserved characters raw, every other byte as
//! `%XX` in upper case.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::error::{Error, ErrorKind};
use crate::signing::encode::{is_unreserved, push_escaped, push_strict};
use crate::signing::signing_settings::SigningSettings;

/// Longest path plus query, in bytes, that is signed; the longest that `http::Uri` holds as well.
pub(crate) const MAX_TARGET: usize = 65_534;

/// What a raw `+` in a query means; set by [`SignerBuilder::plus_in_query`](crate::SignerBuilder::plus_in_query).
///
/// HTML forms write a space as `+`; in RFC 3986 it is a literal plus; and AWS's signers differ. The signer replaces it by
/// `%20` or `%2B`, which mean the same to every server.
///
/// ```
/// use sigv4_middleware::{Credentials, PlusInQuery, Signer};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// # let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "static");
/// let signer = Signer::builder().credentials(credentials).plus_in_query(PlusInQuery::Literal).build()?;
/// let uri = "https://abc123.execute-api.eu-west-1.amazonaws.com/prod/search?q=c++";
/// let (mut parts, ()) = http::Request::get(uri).body(())?.into_parts();
/// signer.sign(&mut parts, "").await?;
/// assert_eq!(parts.uri.query(), Some("q=c%2B%2B"));
/// # Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
/// ```
///
/// # AWS documentation
/// IAM User Guide: ["Create a signed AWS API request"][create], where a space is `%20` and never `+`.
///
/// [create]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PlusInQuery {
    /// A space: sent and signed as `%20`. The default, as in `form_urlencoded` and the AWS SDK for Rust.
    #[default]
    Space,
    /// A plus: sent and signed as `%2B`.
    Literal,
    /// An error of kind [`ErrorKind::InvalidUri`].
    Refuse,
}

/// In which form the path is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathForm {
    /// Unchanged; only bytes outside ASCII, which no HTTP/1.1 target may hold, are escaped.
    AsGiven,
    /// Strict form, for services that sign the path unchanged.
    Strict,
    /// Strict form, with `%2F` as `/`: S3 decodes the path to an object's key and signs it with its slashes raw.
    ObjectKey,
}

impl PathForm {
    /// The form for a request that is signed by these settings.
    ///
    /// `holds_arns`: whether the host's paths [hold ARNs](holds_arns).
    pub(crate) fn new(settings: &SigningSettings, holds_arns: bool) -> Self {
        if settings.double_encode {
            Self::AsGiven
        } else if settings.keep_escaped_slash || holds_arns {
            Self::Strict
        } else {
            Self::ObjectKey
        }
    }
}

/// Whether a host's paths hold ARNs: S3's control plane, `[{account}.]s3-control.{region}.…`, which shares S3's signing
/// name, its VPC endpoints, and S3 on Outposts.
///
/// A bucket may have any of these names, and then a label of S3's comes after it.
pub(crate) fn holds_arns(host: &str) -> bool {
    let labels: SmallVec<[&str; 8]> = host.split('.').collect();
    labels.iter().zip(labels.iter().skip(1)).any(|(label, next)| {
        let is = |name: &str| label.eq_ignore_ascii_case(name);
        let next_is = |start: &str| next.get(..start.len()).is_some_and(|s| s.eq_ignore_ascii_case(start));
        let named = is("s3-control") || is("s3-control-fips") || is("s3-outposts") || is("s3-outposts-fips");
        let in_vpc = || labels.iter().any(|label| label.eq_ignore_ascii_case("vpce"));
        (named && !next_is("s3")) || (is("control") && next_is("vpce-") && in_vpc())
    })
}

/// Path and query as they will be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    pub(crate) path: Cow<'a, str>,
    pub(crate) query: Option<Cow<'a, str>>,
    /// Whether the path is known to be one that neither encoding nor normalizing changes.
    pub(crate) path_is_canonical: bool,
}

impl<'a> Target<'a> {
    /// Brings path and query into the form to send.
    ///
    /// `drop_signature` removes the parameters of a presigned URL: `X-Amz-Signature` and those that go with it.
    pub(crate) fn new(
        path: &'a str,
        query: Option<&'a str>,
        form: PathForm,
        plus: PlusInQuery,
        drop_signature: bool,
    ) -> Result<Self, Error> {
        if path.len() + query.map_or(0, str::len) > MAX_TARGET {
            return Err(too_long());
        }
        if !path.is_empty() && !path.starts_with('/') {
            return Err(Error::new(
                ErrorKind::InvalidUri,
                "the request's path does not begin with a slash; write it as an absolute path, such as /orders",
            ));
        }
        let path_is_canonical = is_canonical(path);
        let path = match form {
            _ if path_is_canonical => Cow::Borrowed(path),
            PathForm::AsGiven => escape_non_ascii(path)?,
            PathForm::Strict => strict_path(path, true)?,
            PathForm::ObjectKey => strict_path(path, false)?,
        };
        let path = if path.is_empty() { Cow::Borrowed("/") } else { path };
        let query = query.map(|query| strict_query(query, plus, drop_signature)).transpose()?;
        let target = Self { path, query, path_is_canonical };
        if target.len() > MAX_TARGET {
            return Err(too_long());
        }
        Ok(target)
    }

    /// The query in strict form; empty for a request without one.
    pub(crate) fn query(&self) -> &str {
        self.query.as_deref().unwrap_or_default()
    }

    /// Whether anything differs from what was given, so that the request has to be rewritten.
    pub(crate) fn is_rewritten(&self) -> bool {
        matches!(self.path, Cow::Owned(_)) || matches!(self.query, Some(Cow::Owned(_)))
    }

    /// `path[?query]`; the `?` is dropped with a query that became empty by losing its signature parameters.
    pub(crate) fn to_path_and_query(&self) -> String {
        match &self.query {
            Some(Cow::Owned(query)) if query.is_empty() => self.path.clone().into_owned(),
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone().into_owned(),
        }
    }

    fn len(&self) -> usize {
        self.path.len() + self.query.as_ref().map_or(0, |query| query.len() + 1)
    }
}

fn too_long() -> Error {
    Error::new(
        ErrorKind::InvalidUri,
        format!("path and query are longer than {MAX_TARGET} bytes; send what is long in the body instead"),
    )
}

/// Whether no form, encoding or normalizing changes a path: its bytes are unreserved, and no segment is empty or begins
/// with a dot.
fn is_canonical(path: &str) -> bool {
    /// Of a slash.
    const SLASH: u32 = 1;
    /// Of what no segment begins with: a slash and a dot.
    const NOT_FIRST: u32 = SLASH << 1;
    const OTHER: u32 = NOT_FIRST << 1;
    const CLASSES: [u8; 256] = {
        let mut classes = [0; 256];
        let mut byte = 0;
        while byte < classes.len() {
            classes[byte] = match byte as u8 {
                b'/' => SLASH | NOT_FIRST,
                b'.' => NOT_FIRST,
                byte if is_unreserved(byte) => 0,
                _ => OTHER,
            } as u8;
            byte += 1;
        }
        classes
    };
    // To the end in any case, and without a branch: most paths are.
    let (mut before, mut any, mut refused) = (0, 0, 0);
    for byte in path.bytes() {
        let class = u32::from(CLASSES[usize::from(byte)]);
        any |= class;
        refused |= (before << 1) & class;
        before = class;
    }
    any & OTHER == 0 && refused & NOT_FIRST == 0 && path.starts_with('/')
}

/// # Errors
/// [`ErrorKind::InvalidUri`] for a `%` that two hex digits do not follow: servers decode the path, and disagree about it.
fn escape_non_ascii(path: &str) -> Result<Cow<'_, str>, Error> {
    let bytes = path.as_bytes();
    // Without an early exit, the compiler vectorizes this loop.
    let special = |any: u8, byte: &u8| any | (byte & 0x80) | u8::from(*byte == b'%');
    if bytes.iter().fold(0, special) == 0 {
        return Ok(Cow::Borrowed(path));
    }
    let broken = path.match_indices('%').find(|(at, _)| unescape(&bytes[at + 1..]).is_none());
    if let Some((at, _)) = broken {
        return Err(broken_escape("path", at));
    }
    if path.is_ascii() {
        return Ok(Cow::Borrowed(path));
    }
    let mut out = String::with_capacity(path.len() * 2);
    for &byte in bytes {
        if byte.is_ascii() { out.push(char::from(byte)) } else { push_escaped(&mut out, byte) }
    }
    Ok(Cow::Owned(out))
}

/// The byte that the two characters after a `%` stand for.
fn unescape(after_percent: &[u8]) -> Option<u8> {
    let digit = |at: usize| after_percent.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    Some((digit(0)? * 16 + digit(1)?) as u8)
}

/// Whether `%XX` at the start of `rest` already is the strict form of its byte.
fn is_strict_escape(rest: &[u8]) -> bool {
    let upper = |at: usize| matches!(rest.get(at), Some(b'0'..=b'9' | b'A'..=b'F'));
    upper(1) && upper(2) && unescape(&rest[1..]).is_some_and(|byte| !is_unreserved(byte))
}

fn broken_escape(part: &str, at: usize) -> Error {
    Error::new(
        ErrorKind::InvalidUri,
        format!(
            "the {part} has a % at byte {at} without two hex digits after it; write a percent sign as %25"
        ),
    )
}

/// `keep_escaped_slash`: whether `%2F` stays and does not become `/`.
fn strict_path(path: &str, keep_escaped_slash: bool) -> Result<Cow<'_, str>, Error> {
    let bytes = path.as_bytes();
    let is_plain = |byte: &u8| is_unreserved(*byte) || *byte == b'/';
    let strict = bytes.iter().all(is_plain)
        || bytes.iter().enumerate().all(|(at, byte)| match byte {
            b'%' => {
                is_strict_escape(&bytes[at..]) && (keep_escaped_slash || !bytes[at + 1..].starts_with(b"2F"))
            }
            byte => is_plain(byte),
        });
    if strict {
        return Ok(Cow::Borrowed(path));
    }
    let mut out = String::with_capacity(path.len() + 16);
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'/' => out.push('/'),
            b'%' => {
                match unescape(&bytes[at + 1..]).ok_or_else(|| broken_escape("path", at))? {
                    b'/' if !keep_escaped_slash => out.push('/'),
                    byte => push_strict(&mut out, byte),
                }
                at += 2;
            }
            byte => push_strict(&mut out, byte),
        }
        at += 1;
    }
    Ok(Cow::Owned(out))
}

fn strict_query(query: &str, plus: PlusInQuery, drop_signature: bool) -> Result<Cow<'_, str>, Error> {
    let look = QueryLook::at(query.as_bytes());
    if look.escapes_above_ascii && percent_encoding::percent_decode_str(query).decode_utf8().is_err() {
        return Err(Error::new(
            ErrorKind::InvalidUri,
            "the query's escapes are not UTF-8, and AWS's signers disagree about those; escape the text's UTF-8 bytes",
        ));
    }
    if look.is_strict {
        let signed = drop_signature && look.has_key_in_x;
        return Ok(if signed { without_signature(Cow::Borrowed(query)) } else { Cow::Borrowed(query) });
    }
    let mut out = String::with_capacity(query.len() + 16);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if !out.is_empty() {
            out.push('&');
        }
        push_strict_pair(&mut out, pair, query, plus)?;
    }
    Ok(if drop_signature { without_signature(Cow::Owned(out)) } else { Cow::Owned(out) })
}

fn push_strict_pair(out: &mut String, pair: &str, query: &str, plus: PlusInQuery) -> Result<(), Error> {
    let bytes = pair.as_bytes();
    let mut in_value = false;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'=' if !in_value => {
                in_value = true;
                out.push('=');
            }
            b'%' => {
                let byte = unescape(&bytes[at + 1..]).ok_or_else(|| {
                    broken_escape("query", pair.as_ptr() as usize - query.as_ptr() as usize + at)
                })?;
                push_strict(out, byte);
                at += 2;
            }
            b'+' => match plus {
                PlusInQuery::Space => out.push_str("%20"),
                PlusInQuery::Literal => out.push_str("%2B"),
                PlusInQuery::Refuse => {
                    return Err(Error::new(
                        ErrorKind::InvalidUri,
                        "the query has a raw +; write a space as %20 and a plus as %2B",
                    ));
                }
            },
            byte => push_strict(out, byte),
        }
        at += 1;
    }
    Ok(())
}

/// Properties of a query, found in one pass.
struct QueryLook {
    is_strict: bool,
    escapes_above_ascii: bool,
    /// Whether a key begins with an x, as those of a signature do.
    has_key_in_x: bool,
}

impl QueryLook {
    fn at(bytes: &[u8]) -> Self {
        let mut look = Self { is_strict: true, escapes_above_ascii: false, has_key_in_x: false };
        let (mut in_value, mut start) = (false, 0);
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                byte if is_unreserved(*byte) => {}
                b'&' => {
                    look.add_pair(&bytes[start..at]);
                    (in_value, start) = (false, at + 1);
                }
                b'=' => {
                    look.is_strict &= !in_value;
                    in_value = true;
                }
                b'%' => {
                    let rest = &bytes[at..];
                    look.is_strict &= is_strict_escape(rest);
                    look.escapes_above_ascii |=
                        matches!(rest.get(1), Some(b'8'..=b'9' | b'A'..=b'F' | b'a'..=b'f'));
                }
                _ => look.is_strict = false,
            }
        }
        // A lone trailing & leaves an empty pair; an empty query has none.
        if !bytes.is_empty() {
            look.add_pair(&bytes[start..]);
        }
        look
    }

    fn add_pair(&mut self, pair: &[u8]) {
        self.is_strict &= !pair.is_empty();
        self.has_key_in_x |= matches!(pair.first(), Some(b'X' | b'x'));
    }
}

/// The parameters that make a URL a presigned one.
const SIGNATURE_PARAMETERS: [&str; 10] = [
    "X-Amz-Algorithm",
    "X-Amz-Content-Sha256",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Region-Set",
    "X-Amz-S3session-Token",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
];

/// Takes the parameters of an earlier signature out of a query in strict form.
fn without_signature(query: Cow<'_, str>) -> Cow<'_, str> {
    if !query.as_bytes().split(|byte| *byte == b'&').any(is_signature_parameter) {
        return query;
    }
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_signature_parameter(pair.as_bytes())).collect();
    Cow::Owned(kept.join("&"))
}

/// Whether a query, in any form, is that of a presigned URL.
pub(crate) fn has_signature(query: &str) -> bool {
    query.split('&').any(|pair| {
        pair.split_once('=').is_some_and(|(key, value)| {
            let key = percent_encoding::percent_decode_str(key);
            let name = b"x-amz-signature".iter().copied();
            !value.is_empty() && key.map(|byte| byte.to_ascii_lowercase()).eq(name)
        })
    })
}

fn is_signature_parameter(pair: &[u8]) -> bool {
    // All of them begin alike, which most parameters do not.
    let begins_alike = pair.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"X-Amz-"));
    begins_alike && {
        let key = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
        SIGNATURE_PARAMETERS.iter().any(|name| key.eq_ignore_ascii_case(name.as_bytes()))
    }
}

#[cfg(test)]
mod tests;
