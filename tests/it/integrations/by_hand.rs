//! `sign_reqwest` and `signed_headers`: a signature for a client that somebody else calls.

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use sha2::{Digest, Sha256};
use sigv4_middleware::{Credentials, ErrorKind, PayloadMode, Signer};

use crate::support::*;

const TEXT: &str = "one, two, three";

fn streamed() -> reqwest::Body {
    reqwest::Body::wrap_stream(stream::iter(["one, ", "two, ", "three"].map(Ok::<_, std::io::Error>)))
}

/// What a request consists of, to be compared.
fn shown(request: &reqwest::Request) -> (Method, String, HeaderMap, Option<Bytes>) {
    let body = request.body().and_then(reqwest::Body::as_bytes).map(Bytes::copy_from_slice);
    (request.method().clone(), request.url().to_string(), request.headers().clone(), body)
}

#[tokio::test]
async fn a_reqwest_request_is_signed_in_place() {
    for service in ["execute-api", "s3"] {
        let (gateway, signer) = (gateway(service).await, signer(service));
        for http in [Http::One, Http::Two] {
            let client = reqwest(gateway.addr(), http);
            for (method, body, length) in [
                (Method::GET, None, None),
                (Method::POST, Some(TEXT), Some("15")),
                (Method::PUT, Some(""), Some("0")),
                (Method::POST, None, Some("0")),
            ] {
                let url = format!("{}/a%20b?q=x+y&q='", gateway.url());
                let mut request =
                    client.request(method.clone(), url).header("x-amz-meta-a", "b").build().unwrap();
                *request.body_mut() = body.map(Into::into);
                // A second time as after a retry.
                for _ in 0..2 {
                    signer.sign_reqwest(&mut request).await.unwrap();
                }
                assert_eq!(
                    client.execute(request).await.unwrap().status(),
                    200,
                    "{service} {http:?} {method}"
                );
                let received = gateway.requests().pop().unwrap();
                assert_eq!(received.target, "/a%20b?q=x%20y&q=%27");
                assert_eq!(received.header("content-length"), length, "{service} {http:?} {method}");
                assert_eq!(received.body, body.unwrap_or_default());
            }
        }
    }
}

/// A stream goes out unread where its bytes are not signed, or its hash is known.
#[tokio::test]
async fn a_reqwest_request_with_a_stream() {
    let at = TlsGateway::new(gateway("s3").await).await;
    for (mode, declared) in [
        (PayloadMode::Unsigned, "UNSIGNED-PAYLOAD".to_owned()),
        (PayloadMode::Sha256(Sha256::digest(TEXT).into()), format!("{:x}", Hex(&Sha256::digest(TEXT)))),
    ] {
        let signer = signing("s3").payload_mode(mode).build().unwrap();
        for http in [Http::One, Http::Two] {
            let client = reqwest(at.addr(), http);
            let url = "https://bucket.s3.ap-northeast-1.amazonaws.com/key";
            let mut request = client.put(url).body(streamed()).build().unwrap();
            signer.sign_reqwest(&mut request).await.unwrap();
            assert_eq!(client.execute(request).await.unwrap().status(), 200, "{http:?}");
            let received = at.gateway.requests().pop().unwrap();
            assert_eq!(received.header("x-amz-content-sha256"), Some(declared.as_str()));
            assert_eq!(received.body, TEXT);
        }
    }
}

struct Hex<'a>(&'a [u8]);

impl std::fmt::LowerHex for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[tokio::test]
async fn a_reqwest_request_that_cannot_be_signed_is_unchanged() {
    let client = reqwest::Client::new();
    let get = |url: &str| client.get(url).header("content-length", "7").body("text");
    let none = Credentials::new("", "", None, None, "test");
    for (what, signer, request, kind, words) in [
        (
            "a stream",
            signer("s3"),
            client.put("http://localhost/key?a=+").body(streamed()),
            ErrorKind::UnsupportedPayload,
            &["bytes", "SigV4Middleware"][..],
        ),
        (
            "a stranger",
            signer("s3"),
            get("https://evil.example/?a=+"),
            ErrorKind::OriginNotAllowed,
            &[".allow_host("],
        ),
        ("a broken escape", signer("s3"), get("http://localhost/?a=%zz"), ErrorKind::InvalidUri, &["%25"]),
        (
            "bad credentials",
            signing("s3").credentials(none).build().unwrap(),
            get("http://localhost/?a=+"),
            ErrorKind::CredentialsInvalid,
            &["access key id"],
        ),
        (
            "unsigned over http",
            signing("s3").payload_mode(PayloadMode::Unsigned).build().unwrap(),
            get("http://localhost/?a=+"),
            ErrorKind::UnsupportedPayload,
            &[".allow_unsigned_over_http(true)"],
        ),
        (
            "a bearer token",
            signer("s3"),
            get("http://localhost/?a=+").bearer_auth("token"),
            ErrorKind::ForeignAuthorization,
            &[".replace_authorization(true)"],
        ),
    ] {
        let mut request = request.build().unwrap();
        let before = shown(&request);
        let error = signer.sign_reqwest(&mut request).await.expect_err(what);
        assert_eq!(error.kind(), kind, "{what}: {error}");
        assert!(words.iter().all(|word| error.to_string().contains(word)), "{what}: {error}");
        assert_eq!(shown(&request), before, "{what}");
        assert!(!error.was_sent());
    }
}

#[tokio::test]
async fn what_is_not_to_be_signed_passes() {
    let passing = signing("s3").pass_through_disallowed_origins(true).build().unwrap();
    for (signer, url) in
        [(Signer::disabled(), "http://localhost/?a=+"), (passing, "https://evil.example/?a=+")]
    {
        // A stream, too.
        let mut request = reqwest::Client::new().put(url).body(streamed()).build().unwrap();
        let before = shown(&request);
        signer.sign_reqwest(&mut request).await.unwrap();
        assert_eq!(shown(&request), before);
        let uri = url.parse().unwrap();
        let headers = signer.signed_headers(&Method::PUT, &uri, &HeaderMap::new(), TEXT).await.unwrap();
        assert!(headers.is_empty(), "{headers:?}");
    }
}

/// As a client of another version of reqwest, or of any other kind, sends them.
#[tokio::test]
async fn signed_headers_are_taken_with_the_request_they_are_for() {
    for service in ["execute-api", "s3"] {
        let (gateway, signer) = (gateway(service).await, signer(service));
        for http in [Http::One, Http::Two] {
            let client = reqwest(gateway.addr(), http);
            let url = format!("{}/a%20b?q=x%20y", gateway.url());
            let own = HeaderMap::from_iter([
                (HeaderName::from_static("x-amz-meta-a"), HeaderValue::from_static("b")),
                // Of an earlier signature.
                (HeaderName::from_static("x-amz-date"), HeaderValue::from_static("19700101T000000Z")),
            ]);
            let headers =
                signer.signed_headers(&Method::POST, &url.parse().unwrap(), &own, TEXT).await.unwrap();
            let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
            names.sort_unstable();
            let hash = (service == "s3").then_some("x-amz-content-sha256");
            let expected: Vec<_> = ["authorization"]
                .into_iter()
                .chain(hash)
                .chain(["x-amz-date", "x-amz-security-token"])
                .collect();
            assert_eq!(names, expected, "only what is to be added");
            assert!(
                headers["authorization"].is_sensitive() && headers["x-amz-security-token"].is_sensitive()
            );
            let request = client.post(&url).headers(own).headers(headers).body(TEXT);
            assert_eq!(request.send().await.unwrap().status(), 200, "{service} {http:?}");
        }
    }
}

/// The target cannot be rewritten here: the error shows what to send, and that is taken.
#[tokio::test]
async fn a_target_in_another_form_is_refused_with_the_form_to_send() {
    let (gateway, signer) = (gateway("s3").await, signer("s3"));
    let client = reqwest(gateway.addr(), Http::One);
    for (target, strict) in [
        ("/a%2fb?q=x+y", "/a/b?q=x%20y"),
        ("/(a)?q=/", "/%28a%29?q=%2F"),
        ("/a?&&b=%7e", "/a?b=~"),
        ("/a?X-Amz-Signature=1&b=2", "/a?b=2"),
    ] {
        let [given, strict] = [target, strict].map(|target| format!("{}{target}", gateway.url()));
        let given: Uri = given.parse().unwrap();
        let error = signer.signed_headers(&Method::GET, &given, &HeaderMap::new(), "").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidUri);
        assert!(error.to_string().contains(&format!("send {strict} and sign that")), "{error}");
        let uri = strict.parse().unwrap();
        let headers = signer.signed_headers(&Method::GET, &uri, &HeaderMap::new(), "").await.unwrap();
        assert_eq!(client.get(&strict).headers(headers).send().await.unwrap().status(), 200, "{strict}");
    }
    // A default port is one form more.
    let given = Uri::from_static("http://localhost:80/a");
    let error = signer.signed_headers(&Method::GET, &given, &HeaderMap::new(), "").await.unwrap_err();
    assert!(error.to_string().contains("send http://localhost/a and"), "{error}");
}
