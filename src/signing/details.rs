//! [`SigningDetails`]: what was signed, to compare with what a server expected.

use std::fmt;

use http::{HeaderMap, HeaderName};
use sha2::{Digest, Sha256};

use crate::redact;

const TOKEN_NAMES: [&str; 2] = ["x-amz-security-token", "x-amz-s3session-token"];

/// What was signed: the record of one signature, to compare with the canonical request that a server prints when it
/// refuses one.
///
/// [`Signer::sign_with_details`](crate::Signer::sign_with_details) returns one, and
/// [`record_signing_details`](crate::SignerBuilder::record_signing_details) puts one into each response.
/// [`from_canonical`](Self::from_canonical) makes one of a request that another signer signed. Display writes the canonical
/// request and the string to sign over several lines.
///
/// Secret values are shown as `[redacted]`: those of the session token, of cookies, API keys and SSE-C keys. Neither they
/// nor the secret access key are in the record.
///
/// ```
/// use sigv4_middleware::{Credentials, Signer};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// # let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "static");
/// let signer = Signer::builder().credentials(credentials).build()?;
/// let uri = "https://abc123.execute-api.eu-west-1.amazonaws.com/prod/a%20b";
/// let (mut parts, ()) = http::Request::get(uri).body(())?.into_parts();
/// let details = signer.sign_with_details(&mut parts, "").await?;
/// assert_eq!(details.path(), Some("/prod/a%2520b"));
/// println!("{details}");
/// # Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
/// ```
///
/// # AWS documentation
/// IAM User Guide: ["Create a signed AWS API request"][create] and ["Troubleshoot Signature Version 4 signing for AWS API
/// requests"][troubleshoot].
///
/// [create]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
/// [troubleshoot]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
#[derive(Clone, Debug, Default)]
pub struct SigningDetails {
    canonical_request: String,
    string_to_sign: String,
    canonical_sha256: Option<String>,
    access_key_id: Option<String>,
    session_token: bool,
    url_host: Option<String>,
    rule: Option<String>,
    /// `None` where it is not known which headers were sent.
    unsigned_headers: Option<Vec<HeaderName>>,
    clock_offset_seconds: i64,
}

impl SigningDetails {
    /// Makes the record of a request that another signer signed, from its canonical request and string to sign.
    ///
    /// Secret values of the canonical request are redacted, and their text is not kept. Both texts may be of SigV2, and an
    /// empty text stands for one that is not known.
    ///
    /// ```
    /// use sigv4_middleware::SigningDetails;
    ///
    /// let canonical = "GET\n/\n\nhost:sts.amazonaws.com\nx-amz-date:20261125T120000Z\n\
    ///                  x-amz-security-token:IQoJ...\n\nhost;x-amz-date;x-amz-security-token\n\
    ///                  e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    /// let details = SigningDetails::from_canonical(
    ///     canonical,
    ///     "AWS4-HMAC-SHA256\n20261125T120000Z\n20261125/us-east-1/sts/aws4_request\n(the hash of the canonical request)",
    /// );
    /// assert_eq!(details.scope(), Some("20261125/us-east-1/sts/aws4_request"));
    /// assert_eq!(details.signed_host(), Some("sts.amazonaws.com"));
    /// assert!(details.has_session_token());
    /// assert!(!details.canonical_request().contains("IQoJ"));
    /// ```
    #[must_use]
    pub fn from_canonical(canonical_request: &str, string_to_sign: &str) -> Self {
        let hash = || Sha256::digest(canonical_request).iter().map(|byte| format!("{byte:02x}")).collect();
        Self::new(
            redact::canonical_request(canonical_request),
            redact::canonical_request(string_to_sign),
            || (!canonical_request.is_empty()).then(hash),
        )
    }

    /// `canonical_request` is redacted already.
    pub(super) fn of_signer(canonical_request: String, string_to_sign: String) -> Self {
        let hash = string_to_sign.lines().nth(3).map(str::to_owned);
        Self::new(canonical_request, string_to_sign, || hash)
    }

    fn new(
        canonical_request: String,
        string_to_sign: String,
        canonical_sha256: impl FnOnce() -> Option<String>,
    ) -> Self {
        let mut details = Self {
            canonical_request,
            string_to_sign,
            canonical_sha256: canonical_sha256(),
            ..Self::default()
        };
        details.session_token = TOKEN_NAMES
            .iter()
            .any(|name| details.signed_header(name).is_some() || details.query_value(name).is_some());
        details.access_key_id = details.query_value("X-Amz-Credential").and_then(|credential| {
            let id = credential.split("%2F").next()?;
            (!id.is_empty()).then(|| id.to_owned())
        });
        details
    }

    /// Sets the access key id that the request was signed with.
    #[must_use]
    pub fn with_access_key_id(self, id: impl Into<String>) -> Self {
        Self { access_key_id: Some(id.into()), ..self }
    }

    /// Sets whether a session token was sent. Not needed if the token was signed.
    #[must_use]
    pub fn with_session_token(self, sent: bool) -> Self {
        Self { session_token: sent, ..self }
    }

    /// Sets the host of the URL that was requested: `host`, or `host:port` if the URL has a port.
    #[must_use]
    pub fn with_url_host(self, host: impl Into<String>) -> Self {
        Self { url_host: Some(host.into()), ..self }
    }

    /// Sets the headers that were sent, from which [`unsigned_headers`](Self::unsigned_headers) follow. Only names are
    /// kept.
    #[must_use]
    pub fn with_sent_headers(mut self, sent: &HeaderMap) -> Self {
        self.set_sent(sent);
        self
    }

    pub(super) fn set_sent(&mut self, sent: &HeaderMap) {
        let signed = self.signed_headers().unwrap_or_default();
        let is_signed = |name: &HeaderName| signed.split(';').any(|signed| signed == name.as_str());
        self.unsigned_headers = Some(sent.keys().filter(|name| !is_signed(name)).cloned().collect());
    }

    pub(super) fn set_rule(&mut self, rule: Option<&str>) {
        self.rule = rule.map(str::to_owned);
    }

    pub(super) fn set_clock_offset_seconds(&mut self, seconds: i64) {
        self.clock_offset_seconds = seconds;
    }

    /// The canonical request, with secret values redacted; empty if nothing was signed.
    #[must_use]
    pub fn canonical_request(&self) -> &str {
        &self.canonical_request
    }

    /// The string to sign: algorithm, date, credential scope, and the hash of the canonical request before redaction.
    #[must_use]
    pub fn string_to_sign(&self) -> &str {
        &self.string_to_sign
    }

    /// The SHA-256 of the canonical request before redaction, in lower-case hex; `None` if it is not known.
    #[must_use]
    pub fn canonical_request_sha256(&self) -> Option<&str> {
        self.canonical_sha256.as_deref()
    }

    /// The name of the rule by which service and region were inferred from the host, as [`Endpoint::rule`] returns it;
    /// `None` if they were not inferred.
    ///
    /// [`Endpoint::rule`]: crate::Endpoint::rule
    #[must_use]
    pub fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }

    /// Whether nothing was signed, as by a signer that is [disabled](crate::Signer::disabled).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.canonical_request.is_empty() && self.string_to_sign.is_empty()
    }

    /// The algorithm: `AWS4-HMAC-SHA256`, or `AWS4-ECDSA-P256-SHA256` for SigV4a; `None` for any other.
    #[must_use]
    pub fn algorithm(&self) -> Option<&str> {
        self.string_to_sign.lines().next().filter(|algorithm| algorithm.starts_with("AWS4-"))
    }

    /// The signing date in UTC, `YYYYMMDD'T'HHMMSS'Z'`.
    #[must_use]
    pub fn date(&self) -> Option<&str> {
        self.line_of_string_to_sign(1)
    }

    /// The credential scope: `YYYYMMDD/region/service/aws4_request`, without region for SigV4a.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.line_of_string_to_sign(2)
    }

    /// The signing name of the service, from the scope.
    #[must_use]
    pub fn service(&self) -> Option<&str> {
        self.scope()?.rsplit('/').nth(1)
    }

    /// The region, from the scope; `None` for SigV4a.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        let mut parts = self.scope()?.split('/');
        let (_, region, _, _) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        Some(region)
    }

    fn line_of_string_to_sign(&self, at: usize) -> Option<&str> {
        self.algorithm()?;
        self.string_to_sign.lines().nth(at)
    }

    /// The method that was signed.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        self.canonical_request.split('\n').next().filter(|method| !method.is_empty())
    }

    /// The path in its canonical form: percent-encoded twice for most services, once for S3.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.canonical_request.split('\n').nth(1)
    }

    /// The query in its canonical form, sorted and percent-encoded, with secret values redacted.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.canonical_request.split('\n').nth(2)
    }

    /// The names of the signed headers, lower-case and sorted: `name;name;…`.
    #[must_use]
    pub fn signed_headers(&self) -> Option<&str> {
        self.canonical_request.rsplit('\n').nth(1)
    }

    /// Whether a header was signed, by its lower-case name.
    #[must_use]
    pub fn signs(&self, name: &str) -> bool {
        self.signed_headers().is_some_and(|names| names.split(';').any(|signed| signed == name))
    }

    /// The value of a header as it was signed, by its lower-case name; a secret value is redacted.
    #[must_use]
    pub fn signed_header(&self, name: &str) -> Option<&str> {
        let lines = self.canonical_request.split('\n').skip(3).take_while(|line| !line.is_empty());
        lines
            .filter_map(|line| line.split_once(':'))
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// The value of the Host header that was signed.
    #[must_use]
    pub fn signed_host(&self) -> Option<&str> {
        self.signed_header("host")
    }

    /// The host of the URL that was requested: `host`, or `host:port` if the URL has a port.
    #[must_use]
    pub fn url_host(&self) -> Option<&str> {
        self.url_host.as_deref()
    }

    /// The payload hash in the canonical request: 64 hex digits, `UNSIGNED-PAYLOAD` or `STREAMING-…`.
    #[must_use]
    pub fn payload_hash(&self) -> Option<&str> {
        self.canonical_request.rsplit('\n').next().filter(|hash| !hash.is_empty())
    }

    /// The access key id that the request was signed with.
    #[must_use]
    pub fn access_key_id(&self) -> Option<&str> {
        self.access_key_id.as_deref()
    }

    /// Whether a session token was sent.
    #[must_use]
    pub fn has_session_token(&self) -> bool {
        self.session_token
    }

    /// Whether the signature is in the query, as in a presigned URL.
    #[must_use]
    pub fn is_presigned(&self) -> bool {
        self.query_value("X-Amz-Algorithm").is_some()
    }

    /// The value of a query parameter as it was signed, percent-encoded; its name in any case.
    fn query_value(&self, name: &str) -> Option<&str> {
        let pairs = self.query()?.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    /// The names of the headers that were sent without being signed.
    #[must_use]
    pub fn unsigned_headers(&self) -> &[HeaderName] {
        self.unsigned_headers.as_deref().unwrap_or_default()
    }

    #[cfg(feature = "diagnosis")]
    pub(crate) fn knows_sent_headers(&self) -> bool {
        self.unsigned_headers.is_some()
    }

    /// The offset, in seconds, that was added to the local clock for the signing date: positive if the server's clock is
    /// taken to be ahead, negative if behind.
    #[must_use]
    pub fn clock_offset_seconds(&self) -> i64 {
        self.clock_offset_seconds
    }
}

impl fmt::Display for SigningDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "canonical request:\n{}\n", self.canonical_request)?;
        write!(f, "string to sign:\n{}", self.string_to_sign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRING: &str = "AWS4-HMAC-SHA256\n20261125T120000Z\n20261125/eu-west-1/s3/aws4_request\nhash";

    #[test]
    fn the_record_of_another_signer_keeps_no_secret() {
        let canonical = "PUT\n/a\nX-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIAEXAMPLE%2F20261125%2Feu-west-1\
                         %2Fs3%2Faws4_request&X-Amz-Security-Token=topsecret\ncookie:topsecret\nhost:b.example:9000\n\
                         x-api-key:topsecret\n\ncookie;host;x-api-key\nUNSIGNED-PAYLOAD";
        let mut sent = HeaderMap::new();
        sent.insert("cookie", "topsecret".parse().unwrap());
        sent.insert("accept", "topsecret".parse().unwrap());
        let details = SigningDetails::from_canonical(canonical, STRING).with_sent_headers(&sent);
        assert!(!format!("{details} {details:?}").contains("topsecret"), "{details:?}");
        assert_eq!(details.access_key_id(), Some("ASIAEXAMPLE"));
        assert!(details.has_session_token() && details.is_presigned() && !details.is_empty());
        assert_eq!(
            (details.method(), details.path(), details.payload_hash()),
            (Some("PUT"), Some("/a"), Some("UNSIGNED-PAYLOAD"))
        );
        assert_eq!((details.service(), details.region()), (Some("s3"), Some("eu-west-1")));
        assert_eq!(details.signed_host(), Some("b.example:9000"));
        assert!(details.signs("host") && !details.signs("accept"));
        assert_eq!(details.unsigned_headers(), ["accept"]);
        let hash: String = Sha256::digest(canonical).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            details.canonical_request_sha256(),
            Some(&*hash),
            "of what was signed, not of what is shown"
        );
    }

    /// A line break in the query ends the headers early.
    #[test]
    fn a_text_that_is_no_canonical_request_shows_no_secret_either() {
        let text = "GET\n/\nGET\n/a\n\nhost:h\nx-amz-security-token:topsecret\nX-Amz-Security-Token=topsecret\n\nhost\nhash";
        let details = SigningDetails::from_canonical(text, text);
        assert!(!format!("{details:?}").contains("topsecret"), "{details:?}");
    }

    #[test]
    fn an_empty_record_says_that_nothing_was_signed() {
        let details = SigningDetails::from_canonical("", "");
        assert!(details.is_empty() && !details.has_session_token() && !details.is_presigned());
        assert_eq!((details.scope(), details.method(), details.payload_hash()), (None, None, None));
        let sigv2 = SigningDetails::from_canonical("", "GET\n\n\nThu, 12 Mar 2026 06:20:58 GMT\n/");
        assert!(!sigv2.is_empty());
        assert_eq!((sigv2.scope(), sigv2.date()), (None, None));
    }

    #[test]
    fn a_scope_of_sigv4a_has_no_region() {
        let string = "AWS4-ECDSA-P256-SHA256\n20261125T120000Z\n20261125/s3/aws4_request\nhash";
        let details = SigningDetails::from_canonical("GET\n/\n\nhost:h\n\nhost\nhash", string);
        assert_eq!((details.service(), details.region()), (Some("s3"), None));
    }
}
