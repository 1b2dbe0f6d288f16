//! Bad input, to every integration and `Signer::sign`: a typed error that says what to do, nothing sent, nothing
//! changed.

use std::io;
use std::time::{Duration, SystemTime};

use aws_credential_types::provider::error::CredentialsError;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, Request};
use http_body::Frame;
use http_body_util::StreamBody;
use sigv4_middleware::{
    BuildErrorKind, Credentials, Error, ErrorKind, IamGateway, PlusInQuery, Signer, SignerBuilder, overrides,
};
use tower::ServiceExt;

use crate::support::*;

/// One bad input: what is wrong with the signer or the request, and what is said of it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) signer: fn(SignerBuilder) -> SignerBuilder,
    pub(crate) request: fn(http::request::Builder, &str) -> http::request::Builder,
    pub(crate) kind: ErrorKind,
    /// A piece of the message: what to do.
    pub(crate) says: &'static str,
    /// On which integrations it can be made at all: `Url` and `http::Uri` let other things through.
    pub(crate) integrations: &'static [Integration],
}

const ONLY_ON_HYPER: &[Integration] = &[Integration::LayerOnHyper];

const fn case(name: &'static str, kind: ErrorKind, says: &'static str) -> Case {
    Case {
        name,
        kind,
        says,
        signer: |signer| signer,
        request: |request, url| request.uri(url),
        integrations: &INTEGRATIONS,
    }
}

/// Credentials that a header or a signature cannot be made of, all with a secret to be looked for in what is said.
fn with(key: &str, secret: &str, token: Option<&str>) -> Credentials {
    Credentials::new(key, secret, token.map(str::to_owned), None, "test")
}

pub(crate) fn cases() -> Vec<Case> {
    use ErrorKind as Kind;
    vec![
        Case {
            signer: |signer| signer.credentials(no_credentials()),
            ..case("no credentials", Kind::CredentialsUnavailable, "provider")
        },
        Case {
            signer: |signer| signer.credentials(no_credentials()).cache_credentials(false),
            ..case("no credentials, uncached", Kind::CredentialsUnavailable, "provider")
        },
        Case {
            signer: |signer| {
                let expiry = Some(SystemTime::now() - Duration::from_secs(1));
                signer.credentials(Credentials::new(KEY, SECRET, Some(TOKEN.into()), expiry, "test"))
            },
            ..case("expired credentials", Kind::CredentialsExpired, "expired")
        },
        Case {
            signer: |signer| signer.credentials(with("AKIDEXAMPLE\n", SECRET, Some(TOKEN))),
            ..case("key id with a newline", Kind::CredentialsInvalid, "check for a stray newline")
        },
        Case {
            signer: |signer| signer.credentials(with("", SECRET, Some(TOKEN))),
            ..case("empty key id", Kind::CredentialsInvalid, "check for a stray newline")
        },
        Case {
            signer: |signer| {
                signer.credentials(with(KEY, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\n", None))
            },
            ..case("secret with a newline", Kind::CredentialsInvalid, "check for a stray newline")
        },
        Case {
            signer: |signer| {
                signer.credentials(with(KEY, SECRET, Some("IQoJb3JpZ2luX2VjE+Token/Example==\r\n")))
            },
            ..case("token with a newline", Kind::CredentialsInvalid, "check for a stray newline")
        },
        Case {
            request: |request, _| request.uri("/relative?a=b"),
            integrations: ONLY_ON_HYPER,
            ..case("relative URI", Kind::InvalidUri, "give it a scheme and host")
        },
        Case {
            request: |request, _| request.uri("ftp://localhost/"),
            ..case("another scheme", Kind::InvalidUri, "use one of these schemes")
        },
        Case {
            request: |request, url| request.uri(url.replacen("://", "://user:hunter2@", 1)),
            ..case("userinfo in the URI", Kind::InvalidUri, "remove it")
        },
        Case {
            request: |request, url| request.uri(format!("{url}/?a=%E9")),
            ..case("query that is not UTF-8", Kind::InvalidUri, "escape the text's UTF-8 bytes")
        },
        Case {
            request: |request, url| request.uri(format!("{url}/?a=%zz")),
            ..case("broken escape", Kind::InvalidUri, "write a percent sign as %25")
        },
        Case {
            signer: |signer| signer.plus_in_query(PlusInQuery::Refuse),
            request: |request, url| request.uri(format!("{url}/?a=b+c")),
            ..case("plus that shall be refused", Kind::InvalidUri, "write a space as %20")
        },
        Case {
            request: |request, url| request.uri(format!("{url}/?{}", "+".repeat(30_000))),
            ..case("target that grows too long", Kind::InvalidUri, "send what is long in the body")
        },
        Case {
            request: |request, url| {
                let host = url.trim_start_matches("http://");
                request.uri(url).header("host", host).header("host", host)
            },
            ..case("two Host headers", Kind::HostMismatch, "keep one")
        },
        Case {
            request: |request, url| request.uri(url).header("host", "other.example.com"),
            ..case("Host of another server", Kind::HostMismatch, ".allow_host_mismatch(true)")
        },
        Case {
            request: |request, url| request.uri(url).header("authorization", "Bearer caller-token"),
            ..case("a bearer token", Kind::ForeignAuthorization, ".replace_authorization(true)")
        },
        Case {
            request: |request, url| request.uri(url).header("authorization", "Basic Y2FsbGVyOnB3"),
            ..case("basic authentication", Kind::ForeignAuthorization, "user:password@ in a URL")
        },
        Case {
            request: |request, url| {
                request.uri(url).header("x-amz-meta-a", HeaderValue::from_bytes(b"gr\xfcn").unwrap())
            },
            ..case("signed header that is not UTF-8", Kind::InvalidHeader, "encode it")
        },
        Case {
            request: |request, url| {
                let sign = overrides::SignHeaders::from_iter([http::header::CONNECTION]);
                request.uri(url).extension(sign)
            },
            integrations: &[Integration::Middleware, Integration::LayerOnHyper],
            ..case("connection header to be signed", Kind::InvalidHeader, "cannot be signed")
        },
        Case {
            request: |request, url| request.uri(url).extension(overrides::SigningRegion::new("eu\n")),
            integrations: &[Integration::Middleware, Integration::LayerOnHyper],
            ..case("region with a newline for one request", Kind::ScopeInvalid, "other than letters")
        },
        Case {
            request: |request, url| request.uri(url).extension(overrides::SigningName::new("s3/../x")),
            integrations: &[Integration::Middleware, Integration::LayerOnHyper],
            ..case("service with a slash for one request", Kind::ScopeInvalid, "other than letters")
        },
        Case {
            request: |request, _| request.uri("https://api.example.com/"),
            ..case("host not allowed", Kind::OriginNotAllowed, r#".allow_host("api.example.com")"#)
        },
        Case {
            signer: |signer| signer.allow_host("api.example.com"),
            request: |request, _| request.uri("https://api.example.com.evil.example/"),
            ..case("look-alike of an allowed host", Kind::OriginNotAllowed, ".allow_host(")
        },
        Case {
            request: |request, _| request.uri("http://api.example.com:8080/"),
            ..case("plain http", Kind::OriginNotAllowed, r#".allow_origin("http://api.example.com:8080")"#)
        },
        Case {
            signer: |signer| signer.allow_host("api.example.com"),
            request: |request, _| request.uri("http://api.example.com:8080/"),
            ..case(
                "plain http to an allowed host",
                Kind::InsecureOrigin,
                r#".allow_origin("http://api.example.com:8080")"#,
            )
        },
        Case {
            request: |request, _| request.uri("http://abc.execute-api.ap-northeast-1.amazonaws.com/"),
            ..case("plain http to AWS", Kind::InsecureOrigin, "use https")
        },
        Case {
            signer: |_| Signer::builder().credentials(role()),
            ..case("unknown host, no service, no region", Kind::ScopeUnknown, r#".service("...")"#)
        },
        Case {
            signer: |_| Signer::builder().credentials(role()).service("execute-api"),
            ..case("unknown host, no region", Kind::ScopeUnknown, r#".region("...")"#)
        },
        Case {
            signer: |_| Signer::builder().credentials(role()).service("s3").region("eu-west-1"),
            request: |request, _| request.uri("https://abc.execute-api.ap-northeast-1.amazonaws.com/"),
            ..case("host of another service", Kind::ScopeInvalid, ".scope_overrides_host(true)")
        },
        Case {
            signer: |signer| signer.payload_mode(sigv4_middleware::PayloadMode::Unsigned),
            ..case("unsigned payload over plain http", Kind::UnsupportedPayload, "use https")
        },
    ]
}

/// A provider that has none.
fn no_credentials() -> FakeProvider {
    FakeProvider::from_fn(|_| Err(CredentialsError::not_loaded("nobody is logged in")))
}

impl Case {
    pub(crate) fn signer(&self) -> Signer {
        (self.signer)(signing("execute-api")).build().unwrap()
    }

    pub(crate) fn request(&self, gateway: &IamGateway) -> Request<TestBody> {
        (self.request)(Request::post("/").header("cookie", "session=hunter2"), &gateway.url())
            .body(in_memory("hello"))
            .unwrap()
    }

    #[track_caller]
    pub(crate) fn check(&self, error: &Error) {
        assert_eq!(error.kind(), self.kind, "{}: {error}", self.name);
        let mut said = error.to_string();
        if let Some(source) = std::error::Error::source(error) {
            said += &format!(": {source}");
        }
        assert!(said.contains(self.says), "{}: {said}", self.name);
    }
}

#[tokio::test]
async fn no_integration_sends_a_bad_request() {
    let gateway = gateway("execute-api").await;
    for case in cases() {
        for integration in case.integrations {
            let response =
                integration.send_to(Http::One, gateway.addr(), &case.signer(), case.request(&gateway)).await;
            let Err(error) = response else { panic!("{} {integration:?} was sent", case.name) };
            case.check(found(&error));
            assert!(gateway.requests().is_empty(), "{} {integration:?}", case.name);
        }
    }
}

#[tokio::test]
async fn sign_changes_nothing() {
    let gateway = gateway("execute-api").await;
    for case in cases() {
        let (mut parts, _) = case.request(&gateway).into_parts();
        let before = parts.clone();
        let payload = match case.name {
            "unsigned payload over plain http" => sigv4_middleware::Payload::unsigned(),
            _ => "hello".into(),
        };
        case.check(&case.signer().sign(&mut parts, payload).await.expect_err(case.name));
        let seen = |parts: http::request::Parts| (parts.method, parts.uri, parts.version, parts.headers);
        assert_eq!(seen(parts), seen(before), "{}", case.name);
    }
}

/// A wrong target, host, scope or header is found out before a body is read.
#[tokio::test]
async fn the_body_of_a_bad_request_is_not_read() {
    use ErrorKind as Kind;

    let gateway = gateway("execute-api").await;
    let early = [
        Kind::InvalidUri,
        Kind::HostMismatch,
        Kind::OriginNotAllowed,
        Kind::InsecureOrigin,
        Kind::ScopeUnknown,
        Kind::ScopeInvalid,
        Kind::ForeignAuthorization,
        Kind::InvalidHeader,
    ];
    for case in cases().into_iter().filter(|case| early.contains(&case.kind)) {
        for integration in case.integrations {
            let unread = stream::poll_fn(|_| -> std::task::Poll<Option<io::Result<Frame<Bytes>>>> {
                panic!("the body was read");
            });
            let request = case.request(&gateway).map(|_| boxed(StreamBody::new(unread)));
            let response = integration.send_to(Http::One, gateway.addr(), &case.signer(), request).await;
            case.check(found(&response.expect_err(case.name)));
        }
    }
}

type Frames = Vec<io::Result<Frame<Bytes>>>;

/// Bodies that cannot be signed: their frames, whether they then stall, the error, and what its message says.
pub(crate) fn bad_bodies() -> Vec<(Frames, bool, ErrorKind, &'static str)> {
    let data = |bytes: &[u8]| Ok(Frame::data(Bytes::copy_from_slice(bytes)));
    vec![
        (vec![data(&[b'x'; 40]), data(&[b'x'; 61])], false, ErrorKind::BodyTooLarge, ".body_limit(bytes)"),
        (
            vec![data(b"ab"), Err(io::Error::other("disk gone"))],
            false,
            ErrorKind::BodyFailed,
            "after 2 bytes",
        ),
        (vec![Err(io::Error::other("disk gone"))], false, ErrorKind::BodyFailed, "after 0 bytes"),
        (vec![data(b"ab")], true, ErrorKind::BodyTimeout, ".body_timeout(…)"),
        (
            vec![data(b"ab"), Ok(Frame::trailers(HeaderMap::new()))],
            false,
            ErrorKind::BodyTrailers,
            "as headers",
        ),
    ]
}

pub(crate) fn bad_body(frames: Frames, stalls: bool) -> TestBody {
    let rest = if stalls { stream::pending().left_stream() } else { stream::empty().right_stream() };
    boxed(StreamBody::new(stream::iter(frames).chain(rest)))
}

pub(crate) fn impatient(service: &'static str) -> Signer {
    signing(service).body_limit(100).body_timeout(Duration::from_millis(5)).build().unwrap()
}

#[tokio::test]
async fn bodies_that_cannot_be_signed() {
    for service in ["execute-api", "s3"] {
        let gateway = gateway(service).await;
        for (integration, http) in ways() {
            for (frames, stalls, kind, says) in bad_bodies() {
                let request = Request::post(gateway.url()).body(bad_body(frames, stalls)).unwrap();
                let response = integration.send_to(http, gateway.addr(), &impatient(service), request).await;
                let error = response.err().unwrap_or_else(|| panic!("{integration:?} {kind:?} was sent"));
                assert_eq!(found(&error).kind(), kind, "{integration:?} {error}");
                assert!(found(&error).to_string().contains(says), "{error}");
            }
        }
        assert!(gateway.requests().is_empty());
    }
}

/// Over the limit by its own word: refused before a byte of it is read.
#[tokio::test]
async fn a_body_that_says_it_is_too_large() {
    let gateway = gateway("execute-api").await;
    for integration in INTEGRATIONS {
        let request = Request::post(gateway.url()).body(in_memory(vec![0; 101])).unwrap();
        let error = integration
            .send_to(Http::One, gateway.addr(), &impatient("execute-api"), request)
            .await
            .err()
            .unwrap();
        assert_eq!(found(&error).kind(), ErrorKind::BodyTooLarge);
    }
    assert!(gateway.requests().is_empty());
}

/// reqwest makes a header of a URL's userinfo; a `Request` made by hand keeps it in the URL.
#[tokio::test]
async fn userinfo_the_way_reqwest_has_it() {
    let gateway = gateway("execute-api").await;
    let url = gateway.url().replacen("://", "://user:hunter2@", 1);
    let client = middleware(reqwest(gateway.addr(), Http::One), &signer("execute-api"));
    let error = client.get(&url).send().await.unwrap_err();
    let error = Error::find(&error).unwrap();
    assert_eq!(error.kind(), ErrorKind::ForeignAuthorization);
    assert!(!format!("{error:?} {error}").contains("hunter2"));

    let service = layered(reqwest(gateway.addr(), Http::One), &signer("execute-api"));
    let request = reqwest::Request::new(http::Method::GET, url.parse().unwrap());
    let error = service.oneshot(request).await.unwrap_err().into();
    assert_eq!(found(&error).kind(), ErrorKind::InvalidUri);
    assert!(!format!("{error:?} {error}").contains("hunter2"));
    assert!(gateway.requests().is_empty());
}

#[test]
fn what_no_signer_is_built_with() {
    let refused = |builder: SignerBuilder| builder.build().unwrap_err();
    let cases = [
        (refused(Signer::builder()), BuildErrorKind::MissingCredentials, ".credentials_from_env()"),
        (refused(signing("execute-api").region("eu-west-1\n")), BuildErrorKind::InvalidValue, "eu-west-1\\n"),
        (refused(signing("execute-api").region("")), BuildErrorKind::InvalidValue, "empty"),
        (refused(signing("execute-api").default_region("a/b")), BuildErrorKind::InvalidValue, "a/b"),
        (refused(signing("execute-api\r\n")), BuildErrorKind::InvalidValue, "execute-api\\r\\n"),
        (
            refused(signing("s3").sign_header(http::header::TE)),
            BuildErrorKind::InvalidValue,
            "te cannot be signed",
        ),
        (refused(signing("s3").allow_host("https://a.example/")), BuildErrorKind::InvalidOrigin, "a.example"),
        (
            refused(signing("s3").allow_origin("minio:9000")),
            BuildErrorKind::InvalidOrigin,
            "http:// or https://",
        ),
    ];
    for (error, kind, says) in cases {
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

/// In a process of its own, whose environment can be emptied.
#[test]
fn no_signer_from_an_empty_environment() {
    const NAMES: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
    if NAMES.iter().any(|name| std::env::var_os(name).is_some()) {
        let mut own = rerun(module_path!(), "no_signer_from_an_empty_environment");
        for name in NAMES {
            own.env_remove(name);
        }
        let output = own.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
        return;
    }
    let error = Signer::from_env().unwrap_err();
    assert_eq!(error.kind(), BuildErrorKind::MissingCredentials);
    assert!(error.to_string().contains("AWS_ACCESS_KEY_ID"), "{error}");
}
