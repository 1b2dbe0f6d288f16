//! Presigned URLs: requests that anyone who has the URL can make, signed in the query.

use std::fmt;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, Method, Request, Uri, header::HOST, request::Parts};

use crate::error::{Error, ErrorKind};
use crate::metrics::{self, Skipped};
use crate::signing::canonical::SignedHeaders;
use crate::signing::details::SigningDetails;
use crate::signing::encode::strict_value;
use crate::signing::headers::signature_headers;
use crate::signing::payload::Payload;
use crate::signing::prepare::PreparedRequest;
use crate::signing::request::RequestView;
use crate::signing::sign::SigningContext;
use crate::signing::signer::{Signer, with_target};

/// The longest lifetime that AWS accepts: 7 days.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Settings of one presigned URL: how long it is valid, and the body that it allows.
///
/// ```
/// use std::time::Duration;
/// use sigv4_middleware::{Payload, PresigningConfig};
///
/// let presigning = PresigningConfig::new(Duration::from_secs(300)).payload(Payload::from("the body to be sent"));
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct PresigningConfig<'a> {
    expires_in: Duration,
    payload: Option<Payload<'a>>,
    refuse_shortening: bool,
}

impl<'a> PresigningConfig<'a> {
    /// Settings of a URL that is valid for `expires_in`: whole seconds, from 1 second to 7 days.
    ///
    /// The lifetime is checked by [`Signer::presign_request`].
    pub fn new(expires_in: Duration) -> Self {
        Self { expires_in, payload: None, refuse_shortening: false }
    }

    /// Sets the body that is signed: the request must then be made with exactly this body.
    ///
    /// Without it the payload is the one that an `x-amz-content-sha256` header of the request declares. Without that
    /// header it is left unsigned for S3 and VPC Lattice, and signed as empty for every other service. S3 takes a signed
    /// payload only with the header `x-amz-content-sha256`, which is then among [`Presigned::headers`].
    pub fn payload(self, payload: impl Into<Payload<'a>>) -> Self {
        Self { payload: Some(payload.into()), ..self }
    }

    /// Sets whether it is an error of kind [`ErrorKind::InvalidExpiry`] if the credentials expire before the URL would;
    /// `false` by default: the URL's lifetime is shortened to that of the credentials, with a warning in the log.
    pub fn refuse_shortening(self, refuse: bool) -> Self {
        Self { refuse_shortening: refuse, ..self }
    }
}

/// A presigned URL, and what was signed into it; returned by [`Signer::presign_request`].
///
/// ```
/// use sigv4_middleware::Presigned;
///
/// fn curl_command(presigned: &Presigned) -> Result<String, http::header::ToStrError> {
///     let mut command = format!("curl '{}'", presigned.uri());
///     for (name, value) in presigned.headers() {
///         command.push_str(&format!(" -H '{name}: {}'", value.to_str()?));
///     }
///     Ok(command)
/// }
/// ```
///
/// Debug leaves out the query, which contains the signature and the session token, and the values of headers.
#[derive(Clone)]
pub struct Presigned {
    uri: Uri,
    headers: HeaderMap,
    expires_in: Duration,
    details: SigningDetails,
}

impl fmt::Debug for Presigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presigned")
            .field("authority", &self.uri.authority())
            .field("path", &self.uri.path())
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("expires_in", &self.expires_in)
            .field("details", &self.details)
            .finish_non_exhaustive()
    }
}

impl Presigned {
    /// The unchanged URL, of a signer that is disabled.
    fn unsigned(parts: &Parts, presigning: &PresigningConfig<'_>) -> Self {
        Self {
            uri: parts.uri.clone(),
            headers: HeaderMap::new(),
            expires_in: presigning.expires_in,
            details: SigningDetails::default(),
        }
    }

    /// The URL. Treat it as a secret: anyone holding it can make the request until it expires.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Returns the URL alone. Treat it as a secret, see [`uri`](Self::uri).
    #[must_use]
    pub fn into_uri(self) -> Uri {
        self.uri
    }

    /// All headers that have to be sent with the URL, with the values that were signed. The Host that a client takes from
    /// the URL is not listed.
    ///
    /// These are the headers of the request that was presigned. `host` is among them if it names another host than the URL
    /// (see [`allow_host_mismatch`](crate::SignerBuilder::allow_host_mismatch)), and `x-amz-content-sha256` if it declares
    /// the payload: S3 takes [a signed payload](PresigningConfig::payload) from nowhere else, and the AWS SDK for Go does
    /// the same. Empty for a URL of [`Signer::presign`].
    ///
    /// Further headers may be sent, except `x-amz-*` ones: S3 refuses those that are not signed.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// How long the URL is valid; less than asked for if the credentials expire earlier.
    #[must_use]
    pub fn expires_in(&self) -> Duration {
        self.expires_in
    }

    /// The canonical request and string to sign, with secret values redacted.
    #[must_use]
    pub fn details(&self) -> &SigningDetails {
        &self.details
    }
}

impl Signer {
    /// Presigns a URL: anyone who has it can make this one request until it expires, without credentials.
    ///
    /// `expires_in` is in whole seconds, from 1 second to 7 days. For a `wss://` URL the method is GET.
    ///
    /// ```
    /// use std::time::Duration;
    /// use http::{Method, Uri};
    /// use sigv4_middleware::{Credentials, Signer};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// # let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "static");
    /// let signer = Signer::builder().credentials(credentials).build()?;
    /// let object = Uri::from_static("https://bucket.s3.eu-central-1.amazonaws.com/report.pdf");
    /// let url = signer.presign(&Method::GET, &object, Duration::from_secs(300)).await?;
    /// assert!(url.query().is_some_and(|query| query.contains("X-Amz-Expires=300")));
    /// # Ok(()) }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`sign`](Self::sign), and [`ErrorKind::InvalidExpiry`] for a lifetime that is out of range.
    ///
    /// # AWS documentation
    /// Amazon S3 API Reference: ["Authenticating Requests: Using Query Parameters (AWS Signature Version 4)"][query].
    ///
    /// [query]: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
    pub async fn presign(&self, method: &Method, uri: &Uri, expires_in: Duration) -> Result<Uri, Error> {
        let (mut parts, ()) = Request::new(()).into_parts();
        (parts.method, parts.uri) = (method.clone(), uri.clone());
        Ok(self.presign_request(&parts, PresigningConfig::new(expires_in)).await?.into_uri())
    }

    /// Presigns a request with headers, and a body if the [`PresigningConfig`] has one.
    ///
    /// All headers of the request are signed, as botocore does, and have to be sent with the URL: [`Presigned::headers`]
    /// lists them. Not signed are `user-agent`, unless [`sign_header`](crate::SignerBuilder::sign_header) names it, and
    /// headers that do not reach the server unchanged: `connection`, `expect`, `te`, `trailer`, `transfer-encoding`,
    /// `upgrade`, `via`, `x-amzn-trace-id`, `keep-alive` and `proxy-*`. Signature parameters of the URI are replaced.
    ///
    /// The token that `aws eks get-token` prints is such a URL:
    ///
    /// ```
    /// use std::time::Duration;
    /// use http::Request;
    /// use sigv4_middleware::{Credentials, PresigningConfig, Signer};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// # let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "static");
    /// let signer = Signer::builder().credentials(credentials).build()?;
    /// let uri = "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15";
    /// let (parts, ()) = Request::get(uri).header("x-k8s-aws-id", "my-cluster").body(())?.into_parts();
    /// let url = signer.presign_request(&parts, PresigningConfig::new(Duration::from_secs(60))).await?;
    /// assert!(url.uri().query().is_some_and(|query| query.contains("X-Amz-SignedHeaders=host%3Bx-k8s-aws-id")));
    /// assert_eq!(url.headers()["x-k8s-aws-id"], "my-cluster");
    /// // Then `k8s-aws-v1.` and the URL in base64url without padding.
    /// # Ok(()) }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`sign`](Self::sign), and [`ErrorKind::InvalidExpiry`] for a lifetime that is out of range, or that is longer than
    /// that of the credentials if [shortening is refused](PresigningConfig::refuse_shortening).
    ///
    /// # AWS documentation
    /// Amazon S3 API Reference: ["Authenticating Requests: Using Query Parameters (AWS Signature Version 4)"][query].
    ///
    /// [query]: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
    pub async fn presign_request(
        &self,
        parts: &Parts,
        presigning: PresigningConfig<'_>,
    ) -> Result<Presigned, Error> {
        self.presigned(parts, presigning).await.inspect_err(metrics::sign_error)
    }

    async fn presigned(&self, parts: &Parts, presigning: PresigningConfig<'_>) -> Result<Presigned, Error> {
        let request = RequestView::of(parts);
        if self.skips_all() || request.overrides.skip {
            metrics::skipped(if self.is_disabled() { Skipped::Disabled } else { Skipped::SkipSigning });
            return Ok(Presigned::unsigned(parts, &presigning));
        }
        let keys = self.keys_for(&request).await?;
        let known = self.known_host(&request)?;
        let prepared = self.prepare(&request, &known)?;
        let (context, now) = self.presigning_context(&prepared, keys)?;
        let expires_in = lifetime(&presigning, &context, now)?;

        let presigns_unsigned = prepared.profile().presigns_unsigned;
        let payload = match (presigning.payload, prepared.declared) {
            (Some(given), Some(declared)) => declared.agree(given)?,
            (Some(given), None) => given,
            (None, Some(declared)) => declared.payload()?,
            (None, None) if presigns_unsigned => Payload::unsigned(),
            (None, None) => Payload::empty(),
        };
        let hash = payload.hash();

        let mut headers = SignedHeaders::default();
        prepared.headers_to_presign(self, &mut headers)?;
        let mut to_send = to_send(&prepared, &headers);
        if prepared.declared.is_some() || (presigns_unsigned && !payload.is_unsigned()) {
            headers.push_own(signature_headers::CONTENT_SHA256_NAME, hash.as_bytes());
            to_send.insert(signature_headers::CONTENT_SHA256, hash.to_header()?);
        }
        headers.sort();
        let mut signed_names = Vec::with_capacity(headers.names_len);
        headers.write_names(&mut signed_names);
        let names = String::from_utf8_lossy(&signed_names);
        let (mut query, appended) = query(&prepared, &context, &names, expires_in)?;

        let (signature, details) = {
            let canonical = prepared.canonical(&query, (&headers, &signed_names), hash.as_bytes());
            (context.sign(&canonical), context.details(&prepared, &canonical))
        };
        metrics::presigned(context.key.service());
        query.push_str("&X-Amz-Signature=");
        query.push_str(&String::from_utf8_lossy(&signature));
        query.push_str(&appended);
        let uri = with_target(&parts.uri, format!("{}?{query}", prepared.target().path))?;
        Ok(Presigned { uri, headers: to_send, expires_in, details })
    }
}

/// The headers of a request that were signed, besides the Host that its URI names.
fn to_send(prepared: &PreparedRequest<'_>, signed: &SignedHeaders<'_>) -> HeaderMap {
    let host_of_uri = prepared.host.value == prepared.origin.authority.as_bytes();
    let lines = prepared
        .request
        .headers
        .iter()
        .filter(|(name, _)| if *name == HOST { !host_of_uri } else { signed.contains(name.as_str()) });
    lines.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The lifetime asked for, no longer than that of the credentials.
pub(super) fn lifetime(
    presigning: &PresigningConfig<'_>,
    context: &SigningContext,
    now: SystemTime,
) -> Result<Duration, Error> {
    let asked = Duration::from_secs(presigning.expires_in.as_secs());
    if asked.is_zero() || asked > LONGEST || asked != presigning.expires_in {
        return Err(Error::new(
            ErrorKind::InvalidExpiry,
            format!(
                "a presigned URL or form lives for whole seconds, from 1 to {}; asked for {:?}",
                LONGEST.as_secs(),
                presigning.expires_in
            ),
        ));
    }
    let credentials = context.keys.credentials().expiry();
    let left = credentials.map(|expiry| expiry.duration_since(now).unwrap_or_default().as_secs());
    match left.map(Duration::from_secs) {
        Some(left) if left < asked => {
            if presigning.refuse_shortening || left.is_zero() {
                return Err(Error::new(
                    ErrorKind::InvalidExpiry,
                    format!(
                        "the credentials expire in {left:?}, before a presigned URL or form of {asked:?} would; ask for a \
                         shorter lifetime, or renew the credentials"
                    ),
                ));
            }
            tracing::warn!(
                ?asked,
                ?left,
                "a presigned URL or form expires with its credentials, earlier than asked for"
            );
            Ok(left)
        }
        _ => Ok(asked),
    }
}

/// The query to be signed, and what is appended to it after the signature.
fn query(
    prepared: &PreparedRequest<'_>,
    context: &SigningContext,
    signed_headers: &str,
    expires_in: Duration,
) -> Result<(String, String), Error> {
    let mut query = prepared.target().query().to_owned();
    let credential = format!("{}/{}", context.keys.access_key_id(), context.key.scope());
    let parameters = [
        ("X-Amz-Algorithm", context.algorithm),
        ("X-Amz-Credential", &credential),
        ("X-Amz-Date", context.key.date().as_str()),
        ("X-Amz-Expires", &expires_in.as_secs().to_string()),
        ("X-Amz-SignedHeaders", signed_headers),
    ];
    for (name, value) in parameters {
        push(&mut query, name, value);
    }
    if let Some(set) = prepared.region_set() {
        push(&mut query, "X-Amz-Region-Set", set);
    }
    let mut appended = String::new();
    if let Some(token) = context.keys.token().and_then(|token| token.to_str().ok()) {
        let profile = prepared.profile();
        let to = if profile.appends_token { &mut appended } else { &mut query };
        push(to, profile.token_parameter(), token);
        if profile.appends_token {
            appended.insert(0, '&');
        }
    }
    Ok((query, appended))
}

fn push(query: &mut String, name: &str, value: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    query.push_str(name);
    query.push('=');
    query.push_str(&strict_value(value));
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use aws_credential_types::Credentials;
    use aws_sigv4::http_request::{
        SessionTokenMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
    };
    use aws_sigv4::sign::v4;
    use aws_smithy_async::time::StaticTimeSource;
    use http::HeaderName;

    use super::*;

    const TOKEN: &str = "IQoJb3JpZ2luX2VjE+Token/Example==";
    const LIFETIME: Duration = Duration::from_secs(300);

    fn credentials() -> Credentials {
        Credentials::new("ASIAEXAMPLE", "secret", Some(TOKEN.to_owned()), None, "test")
    }

    fn noon() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_790_000_000)
    }

    /// What aws-sigv4 signs the same handshake with; it knows no `wss`.
    fn second_opinion(
        url: &str,
        service: &str,
        region: &str,
        token: SessionTokenMode,
        headers: &[(&str, &str)],
    ) -> String {
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(LIFETIME);
        settings.session_token_mode = token;
        let keys = credentials().into();
        let params = v4::SigningParams::builder().identity(&keys).region(region).name(service);
        let params = params.time(noon()).settings(settings).build().unwrap().into();
        let url = url.strip_prefix("ws").map_or_else(|| url.to_owned(), |rest| format!("http{rest}"));
        let headers = headers.iter().copied();
        let request = SignableRequest::new("GET", &url, headers, SignableBody::Bytes(b"")).unwrap();
        sign(request, &params).unwrap().into_parts().1
    }

    #[tokio::test]
    async fn web_sockets_are_signed_for_the_scope_of_their_host() {
        let signer =
            Signer::builder().credentials(credentials()).time_source(StaticTimeSource::new(noon())).build();
        let signer = signer.unwrap();
        let token = format!("X-Amz-Security-Token={}", strict_value(TOKEN));
        use SessionTokenMode::{Exclude, Include};
        for (url, service, region, mode) in [
            ("wss://abc.execute-api.eu-west-1.amazonaws.com/prod", "execute-api", "eu-west-1", Include),
            ("wss://abc.execute-api.eu-west-1.amazonaws.com/p?a=b", "execute-api", "eu-west-1", Include),
            (
                "wss://abc.appsync-realtime-api.us-west-2.amazonaws.com/graphql",
                "appsync",
                "us-west-2",
                Include,
            ),
            ("wss://abc-ats.iot.us-east-2.amazonaws.com/mqtt", "iotdevicegateway", "us-east-2", Exclude),
        ] {
            let given = Uri::from_static(url);
            let presigned = signer.presign(&Method::GET, &given, LIFETIME).await.unwrap();
            assert_eq!(presigned.scheme(), given.scheme());
            assert_eq!(presigned.authority(), given.authority());
            assert_eq!(presigned.path(), given.path());
            let query = presigned.query().unwrap();
            assert!(query.contains(&format!("%2F{region}%2F{service}%2Faws4_request&")), "{query}");
            // AWS IoT wants the token behind the signature, and not in it.
            let signature = format!("X-Amz-Signature={}", second_opinion(url, service, region, mode, &[]));
            let end = match mode {
                Exclude => format!("&{signature}&{token}"),
                _ => format!("&{token}&{signature}"),
            };
            assert!(query.ends_with(&end), "{query} does not end with {end}");
        }
    }

    #[tokio::test]
    async fn the_headers_of_a_request_are_signed_and_listed() {
        let signer =
            Signer::builder().credentials(credentials()).time_source(StaticTimeSource::new(noon())).build();
        let url = "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15";
        let key = "x-amz-server-side-encryption-customer-key";
        let signed = [("x-k8s-aws-id", "cluster"), ("accept", "a"), ("accept", "b"), (key, "c2VjcmV0")];
        let mut request = Request::get(url);
        for (name, value) in signed {
            request = request.header(name, value);
        }
        for (name, value) in
            [("user-agent", "u"), ("x-amzn-trace-id", "t"), ("host", "sts.eu-west-1.amazonaws.com:443")]
        {
            request = request.header(name, value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let presigned =
            signer.unwrap().presign_request(&parts, PresigningConfig::new(LIFETIME)).await.unwrap();
        let expected: HeaderMap = signed
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        assert_eq!(presigned.headers(), &expected);
        let query = presigned.uri().query().unwrap();
        let names = format!("X-Amz-SignedHeaders=accept%3Bhost%3B{key}%3Bx-k8s-aws-id&");
        assert!(query.contains(&names), "{query}");
        let signature = second_opinion(url, "sts", "eu-west-1", SessionTokenMode::Include, &signed);
        assert!(query.ends_with(&format!("X-Amz-Signature={signature}")), "{query}");
        let shown = format!("{presigned:?}");
        assert!(shown.contains("x-k8s-aws-id") && !shown.contains("c2VjcmV0"), "{shown}");
    }

    #[tokio::test]
    async fn a_host_that_the_url_does_not_name_is_listed() {
        let signer = Signer::builder().credentials(credentials()).allow_host_mismatch(true).build().unwrap();
        for (host, listed) in [("proxied.example.com", true), ("STS.us-east-1.amazonaws.com", false)] {
            let request = Request::get("https://sts.us-east-1.amazonaws.com/").header(HOST, host);
            let (parts, ()) = request.body(()).unwrap().into_parts();
            let presigned = signer.presign_request(&parts, PresigningConfig::new(LIFETIME)).await.unwrap();
            let value = presigned.headers().get(HOST).map(|value| value.to_str().unwrap());
            assert_eq!(value, listed.then_some(host));
            assert_eq!(presigned.headers().len(), usize::from(listed));
        }
    }

    /// `ws://` is plain http, where anyone on the way can read the signature.
    #[tokio::test]
    async fn a_socket_in_the_clear_is_refused_but_on_loopback() {
        let signer =
            Signer::builder().credentials(credentials()).service("execute-api").region("eu-west-1").build();
        let signer = signer.unwrap();
        let presign = async |url| signer.presign(&Method::GET, &Uri::from_static(url), LIFETIME).await;
        let clear = presign("ws://abc.execute-api.eu-west-1.amazonaws.com/prod").await;
        assert_eq!(clear.unwrap_err().kind(), ErrorKind::InsecureOrigin);
        let foreign = presign("wss://chat.example.com/").await;
        assert_eq!(foreign.unwrap_err().kind(), ErrorKind::OriginNotAllowed);
        assert_eq!(presign("ws://127.0.0.1:9/").await.unwrap().scheme_str(), Some("ws"));
    }

    #[tokio::test]
    async fn a_url_that_its_signature_makes_too_long_is_refused() {
        let signer = Signer::builder()
            .credentials(Credentials::new("AKIDEXAMPLE", "secret", None, None, "static"))
            .build()
            .unwrap();
        let presign = async |bytes: usize| {
            let uri = format!("https://bucket.s3.eu-central-1.amazonaws.com/key?a={}", "b".repeat(bytes));
            signer.presign(&Method::GET, &uri.parse().unwrap(), Duration::from_secs(300)).await
        };
        let url = presign(65_000).await.unwrap();
        assert_eq!(url.to_string().parse::<Uri>().unwrap(), url);
        let error = presign(65_400).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidUri);
        assert!(error.to_string().contains("65534 bytes"), "{error}");
    }
}
