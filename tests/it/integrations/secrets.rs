//! Neither Debug output, nor errors, nor logs at TRACE hold a secret key, a session token, or what a caller keeps in
//! Authorization and Cookie: all of it is captured and looked through.

use std::fmt::Debug;
use std::io;
use std::time::{Duration, SystemTime};

use http::{Method, Request, StatusCode, Uri};
use sigv4_middleware::{
    CachedCredentials, Credentials, Endpoint, EnvironmentCredentials, Error, IamGateway, Payload,
    PayloadMode, PlusInQuery, PresigningConfig, SigV4Layer, SigV4Middleware, Signer, SigningSettings,
    overrides,
};
use tower::Service;

use super::refuse;
use crate::support::*;

impl Seen {
    fn show(&self, what: &impl Debug) {
        self.add(&format!("{what:?}\n{what:#?}\n"));
    }

    /// An error in every form that a program prints one in.
    fn error(&self, error: &(dyn std::error::Error + 'static)) {
        let chain = std::iter::successors(Some(error), |error| error.source());
        chain.for_each(|error| self.add(&format!("{error}\n{error:?}\n{error:#?}\n")));
    }

    #[track_caller]
    fn holds_no_secret(&self, must_hold: &[&str]) {
        let seen = self.text();
        for needed in must_hold {
            assert!(seen.contains(needed), "nothing was captured: {needed} is missing in {seen}");
        }
        let escaped: String =
            percent_encoding::utf8_percent_encode(TOKEN, percent_encoding::NON_ALPHANUMERIC).collect();
        // As text, as a query holds it, as Debug shows bytes, and what a log may have cut.
        let bytes = |text: &str| format!("{:?}", text.as_bytes());
        let forms =
            SECRETS.iter().flat_map(|secret| [(*secret).to_owned(), bytes(secret), secret[..12].to_owned()]);
        for secret in forms.chain([escaped]) {
            if let Some(at) = seen.find(secret.trim_matches(['[', ']'])) {
                let line = seen[..at].rfind('\n').map_or(0, |at| at + 1);
                panic!("{secret} in: {}", seen[line..].lines().next().unwrap_or_default());
            }
        }
    }
}

const COOKIE: &str = "session-of-the-caller";
const BEARER: &str = "bearer-of-the-caller";
const PROXY: &str = "proxy-password-of-the-caller";
const SECRETS: [&str; 5] = [SECRET, TOKEN, COOKIE, BEARER, PROXY];

fn request(gateway: &IamGateway, method: Method) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(format!("{}/orders/a%20b?c=d+e", gateway.url()))
        .header("cookie", COOKIE)
        .header("proxy-authorization", PROXY)
        .header("x-amz-meta-a", "b")
}

#[tokio::test]
async fn of_requests_that_are_taken_or_refused() {
    let seen = Seen::default();
    let guard = seen.capture();
    for service in ["execute-api", "s3"] {
        let gateway = gateway(service).await;
        let signer = signing(service).sign_all_headers(true).replace_authorization(true).build().unwrap();
        let wrong = signing(service)
            .credentials(Credentials::new(KEY, "a-wrong-secret", Some(TOKEN.into()), None, "test"))
            .build()
            .unwrap();
        for (integration, http) in ways() {
            let post =
                request(&gateway, Method::POST).header("authorization", BEARER).body(in_memory("x")).unwrap();
            integration.accepted(http, &gateway, &signer, post).await;
            gateway.fail_next(1, StatusCode::SERVICE_UNAVAILABLE);
            for signer in [&signer, &wrong] {
                let get = request(&gateway, Method::GET).body(in_memory("")).unwrap();
                let response = integration.send_to(http, gateway.addr(), signer, get).await.unwrap();
                assert_ne!(response.status, 200);
                seen.show(&(response.status, &response.headers, response.text()));
            }
        }
        gateway.expire(KEY);
        for integration in INTEGRATIONS {
            let get = request(&gateway, Method::GET).body(in_memory("")).unwrap();
            let response = integration.send_to(Http::One, gateway.addr(), &signer, get).await.unwrap();
            assert_eq!(response.verdict(), (403, "ExpiredTokenException"));
        }
        seen.show(&gateway.requests());
        seen.show(&gateway);
    }
    drop(guard);
    seen.holds_no_secret(&["TRACE", "POST", "ReceivedRequest", "ServiceUnavailableException"]);
}

#[tokio::test]
async fn of_everything_that_fails() {
    let seen = Seen::default();
    let guard = seen.capture();
    let gateway = gateway("execute-api").await;
    let mut kinds = Vec::new();
    for case in refuse::cases() {
        let signer = case.signer();
        seen.show(&signer);
        for integration in case.integrations {
            let mut request = case.request(&gateway);
            request.headers_mut().insert("cookie", COOKIE.parse().unwrap());
            if request.headers().contains_key("authorization") {
                request.headers_mut().insert("authorization", BEARER.parse().unwrap());
            }
            let error = integration.send_to(Http::One, gateway.addr(), &signer, request).await.err().unwrap();
            kinds.push(found(&error).kind());
            seen.error(error.as_ref());
        }
        let (mut parts, _) = case.request(&gateway).into_parts();
        if let Err(error) = signer.sign(&mut parts, "hello").await {
            seen.error(&error);
        }
        if let Err(error) = signer.presign(&Method::GET, &parts.uri, Duration::from_secs(60)).await {
            seen.error(&error);
        }
    }
    for (frames, stalls, kind, _) in refuse::bad_bodies() {
        let request = request(&gateway, Method::PUT).body(refuse::bad_body(frames, stalls)).unwrap();
        let response = Integration::Middleware
            .send_to(Http::One, gateway.addr(), &refuse::impatient("s3"), request)
            .await;
        kinds.push(kind);
        seen.error(response.err().unwrap().as_ref());
    }
    drop(guard);
    assert!(kinds.len() > 60, "{}", kinds.len());
    seen.holds_no_secret(&["ForeignAuthorization", "CredentialsInvalid", "BodyTimeout", "stray newline"]);
}

#[tokio::test]
async fn of_a_redirect_that_was_followed() {
    let seen = Seen::default();
    let guard = seen.capture();
    let (gateway, signer) = (gateway("execute-api").await, signer("execute-api"));
    let elsewhere = format!("{}/elsewhere", gateway.url());
    gateway.redirect_next(1, StatusCode::TEMPORARY_REDIRECT, elsewhere.parse().unwrap());
    let follows = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let request = middleware(follows, &signer).get(gateway.url()).header("cookie", COOKIE);
    let error = request.send().await.unwrap_err();
    assert_eq!(Error::find(&error).unwrap().kind(), sigv4_middleware::ErrorKind::Redirected);
    seen.error(&error);
    drop(guard);
    seen.holds_no_secret(&["followed a redirect"]);
}

/// Debug of every public type that there is.
#[tokio::test]
async fn of_every_type() {
    let seen = Seen::default();
    let guard = seen.capture();
    let gateway = gateway("s3").await;
    let signer = signer("s3");
    seen.show(&(
        signing("s3"),
        &signer,
        SigV4Layer::new(signer.clone()),
        SigV4Middleware::new(signer.clone()),
    ));
    let cached = CachedCredentials::builder(role());
    seen.show(&cached);
    let cached = cached.build();
    aws_credential_types::provider::ProvideCredentials::provide_credentials(&cached).await.unwrap();
    seen.show(&(cached, EnvironmentCredentials::new()));
    seen.show(&IamGateway::builder().credentials(role()));
    seen.show(&gateway);

    let mut service = layered_wrapping(hyper(gateway.addr(), Http::One), &signer);
    seen.show(&service);
    let put = request(&gateway, Method::PUT).body(in_memory(SECRET)).unwrap();
    let future = service.call(put);
    seen.show(&future);
    future.await.unwrap();
    seen.show(&gateway.requests());
    let shown = seen.clone();
    let mut within = layered_wrapping(
        tower::service_fn(move |signed: Request<Outgoing<TestBody>>| {
            shown.show(signed.body());
            std::future::ready(Ok::<_, io::Error>(http::Response::new(String::new())))
        }),
        &signer,
    );
    within.call(request(&gateway, Method::PUT).body(in_memory(SECRET)).unwrap()).await.unwrap();

    let uri: Uri = format!("{}/key?a=b", gateway.url()).parse().unwrap();
    let (mut parts, _) = request(&gateway, Method::PUT).body(()).unwrap().into_parts();
    let explanation = signer.sign_with_details(&mut parts, SECRET).await.unwrap();
    seen.show(&explanation);
    seen.add(&explanation.to_string());
    for name in ["authorization", "x-amz-security-token"] {
        assert!(parts.headers[name].is_sensitive());
        seen.show(&parts.headers[name]);
    }
    let (mut parts, _) = Request::put(&uri).body(()).unwrap().into_parts();
    let presigning = PresigningConfig::new(Duration::from_secs(60)).payload(SECRET);
    seen.show(&presigning);
    let presigned = signer.presign_request(&parts, presigning).await.unwrap();
    assert!(presigned.uri().query().unwrap().contains("X-Amz-Security-Token="));
    seen.show(&presigned);
    signer.sign(&mut parts, SECRET).await.unwrap();
    seen.show(&parts);

    seen.show(&(
        Payload::from(SECRET),
        PayloadMode::Buffered,
        PlusInQuery::Space,
        SigningSettings::default(),
    ));
    seen.show(&Endpoint::infer("sts.eu-west-1.amazonaws.com").unwrap());
    let sign = overrides::SignHeaders::from_iter([http::header::COOKIE]);
    seen.show(&(
        sign,
        overrides::SigningRegion::new("r"),
        overrides::SigningName::new("s"),
        overrides::SkipSigning,
    ));
    let soon = SystemTime::now() + Duration::from_secs(5);
    let expiring = Credentials::new(KEY, SECRET, Some(TOKEN.into()), Some(soon), "test");
    let shortened = signing("s3").credentials(expiring).build().unwrap();
    shortened.presign(&Method::GET, &uri, Duration::from_secs(60)).await.unwrap();
    seen.error(&Signer::builder().build().unwrap_err());
    drop(guard);
    seen.holds_no_secret(&["SigV4Layer", "Presigned", "SigningDetails", "WARN", "Sensitive"]);
}
