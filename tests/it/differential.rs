//! Own signatures against aws-sigv4's, on random requests.
//!
//! 10,000 requests in the ordinary run; a million by
//! `cargo test --release --all-features --test it differential -- --ignored --nocapture`.
//!
//! Where the two differ on purpose, a request is outside the random ones' domain, and has a test of its own below.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode,
};
use aws_sigv4::sign::v4;
use aws_smithy_async::time::TimeSource;
use http::header::HeaderName;
use http::request::Parts;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::string::string_regex;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use sigv4_middleware::overrides::{SignHeaders, SigningName, SigningRegion};
use sigv4_middleware::{Credentials, ErrorKind, Payload, PlusInQuery, PresigningConfig, Signer};

use crate::support::FakeProvider;

/// The last second of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

const HOSTS: [&str; 6] = [
    "example.com",
    "api.example.com:8443",
    "127.0.0.1:9000",
    "[::1]:8443",
    "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com",
    "bucket.s3.dualstack.us-west-2.amazonaws.com",
];

/// A request with all that its signature depends on.
#[derive(Clone, Debug)]
struct Case {
    method: &'static str,
    host: &'static str,
    path: String,
    query: Option<String>,
    headers: Vec<(String, String)>,
    body: Body,
    key_id: String,
    secret: String,
    token: Option<String>,
    service: String,
    region: String,
    epoch: u64,
    double_encode: bool,
    normalize: bool,
    content_sha256: bool,
    /// Presigned, for so many seconds.
    expires: Option<u64>,
}

#[derive(Clone, Debug)]
enum Body {
    Bytes(Vec<u8>),
    Unsigned,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            method: "GET",
            host: "example.com",
            path: "/".into(),
            query: None,
            headers: Vec::new(),
            body: Body::Bytes(Vec::new()),
            key_id: "AKIDEXAMPLE".into(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            token: None,
            service: "execute-api".into(),
            region: "eu-west-1".into(),
            epoch: 1_440_938_160,
            double_encode: true,
            normalize: true,
            content_sha256: false,
            expires: None,
        }
    }
}

impl Case {
    fn uri(&self) -> String {
        let query = self.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        format!("https://{}{}{query}", self.host, self.path)
    }

    fn credentials(&self) -> Credentials {
        Credentials::new(self.key_id.clone(), self.secret.clone(), self.token.clone(), None, "differential")
    }

    fn parts(&self) -> Parts {
        let profile = sigv4_middleware::SigningSettings::default()
            .double_encode(self.double_encode)
            .normalize_path(self.normalize)
            .content_sha256_header(self.content_sha256);
        let mut request = http::Request::builder().method(self.method).uri(self.uri());
        let mut names = Vec::new();
        for (name, value) in &self.headers {
            let name: HeaderName = name.parse().unwrap();
            request = request.header(&name, value.as_bytes());
            names.push(name);
        }
        let request = request
            .extension(profile)
            .extension(SigningName::new(self.service.clone()))
            .extension(SigningRegion::new(self.region.clone()))
            .extension(SignHeaders::from_iter(names));
        request.body(()).unwrap().into_parts().0
    }

    fn payload(&self) -> Payload<'_> {
        match &self.body {
            Body::Bytes(bytes) => Payload::from(bytes),
            Body::Unsigned => Payload::unsigned(),
        }
    }

    /// What aws-sigv4 adds to a request to this URI: names and values, sorted.
    fn by_aws(&self, uri: &str) -> Vec<(String, String)> {
        let identity = self.credentials().into();
        let mut settings = SigningSettings::default();
        if !self.double_encode {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
        }
        if !self.normalize {
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        if self.content_sha256 {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        if let Some(seconds) = self.expires {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(Duration::from_secs(seconds));
        }
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.service)
            .time(UNIX_EPOCH + Duration::from_secs(self.epoch))
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let body = match &self.body {
            Body::Bytes(bytes) => SignableBody::Bytes(bytes),
            Body::Unsigned => SignableBody::UnsignedPayload,
        };
        let request = SignableRequest::new(self.method, uri, headers, body).unwrap();
        let (output, _) = aws_sigv4::http_request::sign(request, &params).unwrap().into_parts();
        let (headers, parameters) = output.into_parts();
        let headers = headers.into_iter().map(|header| (header.name().to_owned(), header.value().to_owned()));
        let parameters = parameters.into_iter().map(|(name, value)| (name.to_owned(), value.into_owned()));
        let mut added: Vec<_> = headers.chain(parameters).collect();
        added.sort();
        added
    }

    /// Whether aws-sigv4 signs the target as it is given; where it does not, the target that is sent still is in its
    /// domain.
    ///
    /// It takes a path that is encoded once as it comes, and this crate brings such a path into strict form.
    fn is_signed_as_given(&self) -> bool {
        let strict = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        self.double_encode || self.path.bytes().all(strict)
    }
}

/// One signer for all cases: its caches see rotating credentials, scopes and days.
struct Own {
    runtime: tokio::runtime::Runtime,
    signer: Signer,
    moment: Moment,
}

/// The clock and the credentials of the case at hand.
#[derive(Clone, Debug, Default)]
struct Moment {
    epoch: Arc<AtomicU64>,
    credentials: Arc<Mutex<Option<Credentials>>>,
}

impl TimeSource for Moment {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.epoch.load(Ordering::SeqCst))
    }
}

impl Moment {
    fn provider(&self) -> FakeProvider {
        let credentials = Arc::clone(&self.credentials);
        FakeProvider::from_fn(move |_| Ok(credentials.lock().unwrap().clone().unwrap()))
    }
}

impl Own {
    fn new(plus: PlusInQuery) -> Self {
        let moment = Moment::default();
        let mut builder = Signer::builder()
            .credentials(moment.provider())
            .cache_credentials(false)
            .time_source(moment.clone())
            .plus_in_query(plus);
        for host in HOSTS {
            builder = builder.allow_origin(format!("https://{host}"));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, signer: builder.build().unwrap(), moment }
    }

    fn at(&self, case: &Case) {
        self.moment.epoch.store(case.epoch, Ordering::SeqCst);
        *self.moment.credentials.lock().unwrap() = Some(case.credentials());
    }

    /// The URI that is sent (without what was added to it) and what was added, sorted.
    fn sign(&self, case: &Case) -> Result<(String, Vec<(String, String)>), sigv4_middleware::Error> {
        self.at(case);
        let mut parts = case.parts();
        if let Some(seconds) = case.expires {
            let presigning = PresigningConfig::new(Duration::from_secs(seconds)).payload(case.payload());
            let presigned = self.runtime.block_on(self.signer.presign_request(&parts, presigning))?;
            return Ok(without_signature(&presigned.into_uri()));
        }
        self.runtime.block_on(self.signer.sign(&mut parts, case.payload()))?;
        let own = ["authorization", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"];
        let added: Vec<_> = own
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), parts.headers.get(name)?.to_str().unwrap().to_owned())))
            .collect();
        Ok((parts.uri.to_string(), added))
    }

    fn canonical_request(&self, case: &Case) -> String {
        self.at(case);
        let mut parts = case.parts();
        let explained = self.runtime.block_on(self.signer.sign_with_details(&mut parts, case.payload()));
        explained.unwrap().canonical_request().to_owned()
    }

    fn error(&self, case: &Case) -> ErrorKind {
        self.sign(case).unwrap_err().kind()
    }
}

/// A presigned URL as the one that was to be presigned, and the decoded parameters that were added to it.
fn without_signature(uri: &http::Uri) -> (String, Vec<(String, String)>) {
    let query = uri.query().unwrap();
    let at = query.find("X-Amz-Algorithm=").unwrap();
    let decode = |text| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let mut added: Vec<_> = query[at..]
        .split('&')
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (decode(name), decode(value)))
        .collect();
    added.sort();
    let kept = query[..at].trim_end_matches('&');
    let path = uri.path();
    let host = uri.authority().unwrap();
    let target = if kept.is_empty() { path.to_owned() } else { format!("{path}?{kept}") };
    (format!("https://{host}{target}"), added)
}

fn check(own: &Own, case: &Case) -> Result<(), TestCaseError> {
    let (sent, added) = own.sign(case).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let canonical = || own.canonical_request(case);
    prop_assert_eq!(&added, &case.by_aws(&sent), "as sent to {}:\n{}", sent, canonical());
    let given = case.uri();
    if given != sent && case.is_signed_as_given() {
        prop_assert_eq!(&added, &case.by_aws(&given), "as given:\n{}", canonical());
    }
    Ok(())
}

/// Random requests within both signers' domain.
fn cases() -> impl Strategy<Value = Case> {
    let request = (
        select(vec!["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"]),
        select(HOSTS.to_vec()),
        path(),
        option::of(query()),
        vec((header_name(), header_value()), 0..6),
        prop_oneof![4 => vec(any::<u8>(), 0..24).prop_map(Body::Bytes), 1 => Just(Body::Unsigned)],
    );
    let keys = (text("[A-Z0-9]{4,20}"), text("[ -~]{1,20}"), option::of(text("[!-~]{1,20}")));
    let scope = (text("[a-z0-9-]{1,16}"), text("[a-z0-9-]{1,16}"), 0..=LAST_SECOND);
    let profile = (any::<bool>(), any::<bool>(), any::<bool>(), option::of(1..=604_800_u64));
    (request, keys, scope, profile).prop_map(|(request, keys, scope, profile)| Case {
        method: request.0,
        host: request.1,
        path: request.2,
        query: request.3,
        headers: request.4,
        body: request.5,
        key_id: keys.0,
        secret: keys.1,
        token: keys.2,
        service: scope.0,
        region: scope.1,
        epoch: scope.2,
        double_encode: profile.0,
        normalize: profile.1,
        content_sha256: profile.2,
        expires: profile.3,
    })
}

/// Text of this form; the expression is compiled once, not for each case.
fn text(form: &str) -> impl Strategy<Value = String> + use<> {
    string_regex(form).unwrap()
}

/// Text as a target may hold it: characters raw, or escaped in upper or lower case, of one to four bytes.
fn target_text(raw: &str) -> impl Strategy<Value = String> + use<> {
    let escaped = |text: String| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let ascii = (0..0x7f_u8).map(|byte| escaped(char::from(byte).into()));
    let wide =
        ['\u{e9}', '\u{ff}', '\u{2603}', '\u{65e5}', '\u{fffd}', '\u{1f980}'].map(|c| escaped(c.into()));
    let upper: Vec<String> = ascii.chain(wide).collect();
    let lower: Vec<String> = upper.iter().map(|text| text.to_lowercase()).collect();
    let plain = ('a'..='z').chain('A'..='Z').chain('0'..='9').map(String::from).collect::<Vec<_>>();
    let raw: Vec<String> = raw.chars().map(String::from).collect();
    let piece = prop_oneof![5 => select(plain), 3 => select(raw), 1 => select(upper), 1 => select(lower)];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn path() -> impl Strategy<Value = String> {
    let dots = select(vec![".", "..", "...", "", ".a"]).prop_map(str::to_owned);
    vec(prop_oneof![4 => target_text("-._~!$'()*+,;=:@"), 1 => dots], 0..6).prop_map(|segments| {
        let mut path = format!("/{}", segments.join("/"));
        // aws-sigv4 keeps the slash of a last dot segment; in strict form an escaped dot makes one, too.
        let read = path.to_lowercase().replace("%2e", ".");
        if read.ends_with("/.") || read.ends_with("/..") {
            path.push('a');
        }
        path
    })
}

fn query() -> impl Strategy<Value = String> {
    const PAIRS: [&str; 9] = ["a=1", "a=2", "a", "A=1", "=", "a=b=c", "", "a-b=1", "lifecycle"];
    let text = || target_text("-._~!$'()*+,;:@/?");
    let pair = prop_oneof![
        4 => (text(), text()).prop_map(|(key, value)| format!("{key}={value}")),
        1 => text(),
        1 => select(PAIRS.to_vec()).prop_map(str::to_owned),
    ];
    vec(pair, 0..6).prop_map(|pairs| pairs.join("&"))
}

fn header_name() -> impl Strategy<Value = String> {
    const KNOWN: [&str; 12] = [
        "content-type",
        "content-md5",
        "Range",
        "Accept",
        "x-amz-target",
        "X-Amz-Meta-A",
        "x-amz-meta-a-1",
        "x-dup",
        "Cookie",
        "if-none-match",
        "date",
        "content-length",
    ];
    prop_oneof![select(KNOWN.to_vec()).prop_map(str::to_owned), text("[xX]-[a-z0-9_]{1,8}(-[a-z0-9]{1,3})?"),]
}

/// Spaces at either end and in runs, UTF-8, and every visible character.
fn header_value() -> impl Strategy<Value = String> {
    const SPACES: [&str; 3] = [" ", "  ", "   "];
    let visible = ('!'..='~').chain(['\u{a0}', '\u{e9}', '\u{2603}', '\u{1f980}']).map(String::from);
    let piece = prop_oneof![
        3 => select(visible.collect::<Vec<_>>()),
        1 => select(SPACES.to_vec()).prop_map(str::to_owned),
    ];
    vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

fn run(cases_to_run: u32) {
    let own = Own::new(PlusInQuery::Space);
    let config = Config { cases: cases_to_run, failure_persistence: None, ..Config::default() };
    let began = Instant::now();
    if let Err(error) = TestRunner::new(config).run(&cases(), |case| check(&own, &case)) {
        panic!("{error}");
    }
    println!("{cases_to_run} requests signed alike, in {:.1} s", began.elapsed().as_secs_f32());
}

#[test]
fn random_requests_are_signed_as_aws_sigv4_signs_them() {
    run(10_000);
}

#[test]
#[ignore = "a million cases; see the top of this file"]
fn a_million_random_requests_are_signed_as_aws_sigv4_signs_them() {
    run(1_000_000);
}

/// Where the two differ on purpose. Each test shows what this crate does instead, and that aws-sigv4 does not.
mod edge_cases {
    use super::*;

    fn own() -> Own {
        Own::new(PlusInQuery::Space)
    }

    fn with_path(path: &str) -> Case {
        Case { path: path.into(), ..Case::default() }
    }

    fn with_query(query: &str) -> Case {
        Case { query: Some(query.into()), ..Case::default() }
    }

    fn with_header(name: &str, value: &str) -> Case {
        Case { headers: vec![(name.into(), value.into())], ..Case::default() }
    }

    fn line(canonical: &str, at: usize) -> &str {
        canonical.lines().nth(at).unwrap()
    }

    /// The signatures of the request as given differ.
    fn assert_differs(own: &Own, case: &Case) {
        assert_ne!(own.sign(case).unwrap().1, case.by_aws(&case.uri()));
    }

    /// The signatures of the request as it is sent are the same: rewriting it left nothing to disagree about.
    fn assert_agrees_as_sent(own: &Own, case: &Case) {
        let (sent, added) = own.sign(case).unwrap();
        assert_eq!(added, case.by_aws(&sent), "{sent}");
    }

    /// botocore, CRT and JS collapse tabs, and so do servers; aws-sigv4 does not.
    #[test]
    fn tabs_collapse_like_spaces() {
        let (own, case) = (own(), with_header("x-amz-meta-a", "\ta\t \tb\t"));
        assert_eq!(line(&own.canonical_request(&case), 5), "x-amz-meta-a:a b");
        assert_differs(&own, &case);
    }

    /// Every other signer drops the slash before a last dot segment; aws-sigv4 keeps it, as RFC 3986 has it.
    #[test]
    fn a_last_dot_segment_takes_its_slash_along() {
        for (path, canonical) in [("/a/.", "/a"), ("/a/b/..", "/a")] {
            let (own, case) = (own(), with_path(path));
            assert_eq!(line(&own.canonical_request(&case), 1), canonical);
            assert_differs(&own, &case);
        }
    }

    /// A raw plus is `+`, `%2B` or `%20` to one signer or another: the request is rewritten to what the policy says.
    #[test]
    fn a_plus_is_what_the_policy_says() {
        let case = with_query("a=b+c");
        let space = own();
        assert_eq!(line(&space.canonical_request(&case), 2), "a=b%20c");
        assert_eq!(space.sign(&case).unwrap().1, case.by_aws(&case.uri()), "aws-sigv4 reads a space, too");
        let literal = Own::new(PlusInQuery::Literal);
        assert_eq!(line(&literal.canonical_request(&case), 2), "a=b%2Bc");
        assert_differs(&literal, &case);
        for own in [space, literal] {
            assert_agrees_as_sent(&own, &case);
        }
        assert_eq!(Own::new(PlusInQuery::Refuse).error(&case), ErrorKind::InvalidUri);
    }

    /// No two signers agree on escapes that are not UTF-8; aws-sigv4 signs U+FFFD for each.
    #[test]
    fn query_escapes_that_are_not_utf8_are_refused() {
        let (own, case) = (own(), with_query("a=%FF"));
        assert_eq!(own.error(&case), ErrorKind::InvalidUri);
        assert_eq!(case.by_aws(&case.uri()), case.by_aws("https://example.com/?a=%EF%BF%BD"));
    }

    /// A path that a service takes as it is: SDKs sign it as given, strict servers refuse that, and hence it is
    /// rewritten.
    #[test]
    fn a_path_encoded_once_is_brought_into_strict_form() {
        let case = Case { double_encode: false, normalize: false, ..with_path("/a+b(c)%2f%7e/..//d") };
        let own = own();
        assert_eq!(own.sign(&case).unwrap().0, "https://example.com/a%2Bb%28c%29%2F~/..//d");
        assert_differs(&own, &case);
        assert_agrees_as_sent(&own, &case);
    }

    /// HTTP/1.1 carries no bytes beyond ASCII in a target: they are escaped on the wire, and that is signed.
    #[test]
    fn a_path_beyond_ascii_is_escaped_before_it_is_signed() {
        let (own, case) = (own(), with_path("/caf\u{e9}"));
        assert_eq!(own.sign(&case).unwrap().0, "https://example.com/caf%C3%A9");
        assert_eq!(line(&own.canonical_request(&case), 1), "/caf%25C3%25A9");
        assert_differs(&own, &case);
        assert_agrees_as_sent(&own, &case);
    }

    /// aws-sigv4 signs the userinfo as part of the host, and hyper sends it.
    #[test]
    fn userinfo_is_refused() {
        let case = Case { host: "user:secret@example.com", ..Case::default() };
        let signer = own();
        assert_eq!(signer.error(&case), ErrorKind::InvalidUri);
        assert_ne!(case.by_aws(&case.uri()), case.by_aws("https://example.com/"));
    }

    /// Headers of the connection change on the way; aws-sigv4 signs most of them. Others are signed only if named.
    #[test]
    fn headers_that_do_not_arrive_as_sent_are_not_signed() {
        let own = own();
        let signs = |authorization: &str, name: &str| {
            let names = authorization.split("SignedHeaders=").nth(1).unwrap().split(',').next().unwrap();
            names.split(';').any(|signed| signed == name)
        };
        for name in ["connection", "expect", "te", "via", "proxy-authorization", "keep-alive", "upgrade"] {
            let case = with_header(name, "a");
            assert_eq!(own.error(&case), ErrorKind::InvalidHeader, "{name} is named to be signed");
            assert!(signs(&case.by_aws(&case.uri())[0].1, name), "aws-sigv4 signs {name}");
        }
        for name in ["cookie", "accept-encoding", "x-forwarded-for", "traceparent", "te", "connection"] {
            let case = with_header(name, "a");
            own.at(&case);
            let mut parts = case.parts();
            parts.extensions.remove::<SignHeaders>();
            own.runtime.block_on(own.signer.sign(&mut parts, "")).unwrap();
            assert!(!signs(parts.headers["authorization"].to_str().unwrap(), name), "{name}");
            assert!(signs(&case.by_aws(&case.uri())[0].1, name), "aws-sigv4 signs {name}");
        }
    }

    /// Clients leave the scheme's default port out of Host. Both sign it so; a Host header that has it is dropped.
    #[test]
    fn the_default_port_is_signed_as_it_is_sent() {
        let (own, case) = (own(), Case { host: "example.com:443", ..Case::default() });
        assert_eq!(line(&own.canonical_request(&case), 3), "host:example.com");
        assert_eq!(own.sign(&case).unwrap().1, case.by_aws("https://example.com/"));
        let case = Case { headers: vec![("host".into(), "example.com:443".into())], ..Case::default() };
        assert_eq!(line(&own.canonical_request(&case), 3), "host:example.com");
    }

    /// An earlier signature is replaced; aws-sigv4 signs what is left of it.
    #[test]
    fn a_stale_signature_goes_first() {
        let own = own();
        for name in ["x-amz-content-sha256", "x-amz-security-token"] {
            let mut case = with_header(name, "stale");
            case.headers.push(("x-amz-date".into(), "20150830T123600Z".into()));
            assert!(!own.canonical_request(&case).contains("stale"));
            assert_differs(&own, &case);
        }
        let case = with_query("X-Amz-Signature=stale&a=1&X-Amz-Date=stale");
        assert_eq!(own.sign(&case).unwrap().0, "https://example.com/?a=1");
        assert_differs(&own, &case);
    }

    /// aws-sigv4 panics on these.
    #[test]
    fn what_cannot_be_signed_is_an_error() {
        let own = own();
        let relative = http::Request::get("/only/a/path").body(()).unwrap();
        let signed = own.runtime.block_on(own.signer.sign(&mut relative.into_parts().0, ""));
        assert_eq!(signed.unwrap_err().kind(), ErrorKind::InvalidUri);
        let grows = with_query(&format!("a={}", "/".repeat(40_000)));
        assert_eq!(own.error(&grows), ErrorKind::InvalidUri);
        let region = Case { region: "eu-west-1\n".into(), ..Case::default() };
        assert_eq!(own.error(&region), ErrorKind::ScopeInvalid);
        let key = Case { key_id: "AKID\nX".into(), ..Case::default() };
        assert_eq!(own.error(&key), ErrorKind::CredentialsInvalid);
        let late = Case { epoch: LAST_SECOND + 1, ..Case::default() };
        assert_eq!(own.error(&late), ErrorKind::ClockOutOfRange);
    }
}
