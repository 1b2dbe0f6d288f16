//! ministack, called through the middleware, through the layer and with presigned URLs.

use std::time::Duration;

use http::{Method, Request, Uri};
use serde_json::{Value, json};
use sigv4_middleware::{Credentials, SigV4Layer, SigV4Middleware, Signer};
use tower::{ServiceBuilder, ServiceExt};

use crate::support::{INTEGRATIONS, Integration, TestResponse, plain_reqwest};

use sigv4_test_support::ministack::{Keys, Ministack, Setup};

/// What the API's backend received.
#[track_caller]
fn echo(response: &TestResponse) -> Value {
    assert_eq!(response.status, 200, "{} {}", response.error_type(), response.text());
    serde_json::from_slice(&response.body).expect("the backend echoes in JSON")
}

fn signer(setup: &Setup, service: &'static str, keys: &Keys) -> Signer {
    let Keys { access_key_id, secret_access_key, session_token } = keys.clone();
    Signer::builder()
        .credentials(Credentials::new(access_key_id, secret_access_key, session_token, None, "ministack"))
        .service(service)
        .region(setup.region.clone())
        .build()
        .expect("ministack's keys and region are good")
}

fn request(method: Method, url: &str, body: &'static str) -> Request<&'static str> {
    let request = Request::builder().method(method).uri(url);
    request.header("content-type", "application/json").body(body).expect("a good request")
}

/// The wrong secret, for a known key.
fn wrong(setup: &Setup) -> Keys {
    Keys { secret_access_key: "wrong".to_owned(), ..setup.user.clone() }
}

#[tokio::test]
async fn an_api_takes_what_the_integrations_sign() {
    let Some(ministack) = Ministack::shared() else { return };
    let setup = &ministack.setup;
    for keys in [&setup.user, &setup.session] {
        let signer = signer(setup, "execute-api", keys);
        for integration in INTEGRATIONS {
            let get = request(Method::GET, &format!("{}/items", setup.api_url), "");
            let echoed = echo(&integration.send(&signer, get).await);
            assert_eq!(echoed["method"], "GET");
            let post = request(Method::POST, &format!("{}/items", setup.api_url), r#"{"name":"ü"}"#);
            let echoed = echo(&integration.send(&signer, post).await);
            assert_eq!((&echoed["method"], &echoed["body"]), (&json!("POST"), &json!(r#"{"name":"ü"}"#)));
            let empty = request(Method::POST, &format!("{}/items", setup.api_url), "");
            assert_eq!(echo(&integration.send(&signer, empty).await)["body"], "");
        }
    }
}

#[tokio::test]
async fn an_api_takes_awkward_queries_and_paths() {
    let Some(ministack) = Ministack::shared() else { return };
    let setup = &ministack.setup;
    let signer = signer(setup, "execute-api", &setup.session);
    let targets = [
        "/items?a=two%20words&b=two+words&c=1%2B1",
        "/items?a=/:@,;!$()*~-._'&b=b=c==&%C3%BC=%C3%9F",
        "/items?b=2&a=1&b=1&a=1&flag&empty=",
        "/items?a=%2f%7e%41&&x[]=1",
        "/a%20b/%C3%BC(1)'",
        "/x//y/",
        "/arn:aws:bedrock::model/x:0,1;2=3@4!5*6$7/invoke",
        "/100%25/%2525/~-._",
        "/a%2Fb",
    ];
    for target in targets {
        for integration in INTEGRATIONS {
            let get = request(Method::GET, &format!("{}{target}", setup.api_url), "");
            let response = integration.send(&signer, get).await;
            assert_eq!(
                response.status,
                200,
                "{integration:?} {target}: {} {}",
                response.error_type(),
                response.text()
            );
        }
    }
    let get = request(Method::GET, &format!("{}/items?a=b+c&d=e%2Bf", setup.api_url), "");
    let echoed = echo(&Integration::Middleware.send(&signer, get).await);
    let target = echoed["target"].as_str().expect("text");
    assert!(["a=b%20c&d=e%2Bf", "a=b+c&d=e%2Bf"].iter().any(|query| target.ends_with(query)), "{target}");
}

#[tokio::test]
async fn an_api_refuses_whom_it_should() {
    let Some(ministack) = Ministack::shared() else { return };
    let setup = &ministack.setup;
    let no_token = Keys { session_token: None, ..setup.session.clone() };
    let unknown = Keys { access_key_id: "AKIANOSUCHKEY0000000".to_owned(), ..setup.user.clone() };
    for (keys, error) in [
        (&wrong(setup), "InvalidSignatureException"),
        (&no_token, "UnrecognizedClientException"),
        (&unknown, "UnrecognizedClientException"),
        (&setup.stranger, "AccessDeniedException"),
    ] {
        let signer = signer(setup, "execute-api", keys);
        for integration in INTEGRATIONS {
            let get = request(Method::GET, &format!("{}/items", setup.api_url), "");
            let response = integration.send(&signer, get).await;
            assert_eq!((response.status.as_u16(), response.error_type()), (403, error), "{integration:?}");
        }
    }
}

/// Changes a signed request's body; what attaching anything beneath the integrations may do.
#[derive(Clone)]
struct Tampers;

impl Tampers {
    fn with(mut request: reqwest::Request) -> reqwest::Request {
        *request.body_mut() = Some(r#"{"amount": 9}"#.into());
        request
    }
}

#[async_trait::async_trait]
impl reqwest_middleware::Middleware for Tampers {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut http::Extensions,
        next: reqwest_middleware::Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        next.run(Self::with(request), extensions).await
    }
}

#[tokio::test]
async fn an_api_refuses_a_body_changed_beneath_the_integrations() {
    let Some(ministack) = Ministack::shared() else { return };
    let setup = &ministack.setup;
    let signer = signer(setup, "execute-api", &setup.user);
    let url = format!("{}/items", setup.api_url);
    let post =
        || reqwest::Request::try_from(request(Method::POST, &url, r#"{"amount": 1}"#)).expect("a request");

    let changing = reqwest_middleware::ClientBuilder::new(plain_reqwest())
        .with(SigV4Middleware::new(signer.clone()))
        .with(Tampers)
        .build();
    let through_middleware =
        TestResponse::read_reqwest(changing.execute(post()).await.expect("a response")).await;
    let changing = ServiceBuilder::new()
        .layer(SigV4Layer::new(signer.clone()))
        .map_request(Tampers::with)
        .service(plain_reqwest());
    let through_layer = TestResponse::read_reqwest(changing.oneshot(post()).await.expect("a response")).await;
    for response in [through_middleware, through_layer] {
        assert_eq!((response.status.as_u16(), response.error_type()), (403, "InvalidSignatureException"));
    }
    // Changed above them, it is signed as it is sent.
    let changing = reqwest_middleware::ClientBuilder::new(plain_reqwest())
        .with(Tampers)
        .with(SigV4Middleware::new(signer))
        .build();
    let above = TestResponse::read_reqwest(changing.execute(post()).await.expect("a response")).await;
    assert_eq!(echo(&above)["body"], r#"{"amount": 9}"#);
}

/// Keys as callers write them in a URL, and as S3 lists them.
const KEYS: [(&str, &str); 8] = [
    ("a%20b+c/%C3%BC(1)'.txt", "a b+c/ü(1)'.txt"),
    ("plus+and%2Bplus", "plus+and+plus"),
    ("!*$&=:@,;()", "!*$&=:@,;()"),
    ("%7etilde~/%41", "~tilde~/A"),
    ("100%25/%2525", "100%/%25"),
    ("x/y/z/", "x/y/z/"),
    ("%E3%81%82%F0%9F%98%80", "あ😀"),
    ("q%3Fuestion%23mark", "q?uestion#mark"),
];

/// XML's text as it is meant.
fn unescaped(xml: &str) -> String {
    let quote =
        ["&#x27;", "&#39;", "&apos;"].iter().fold(xml.to_owned(), |xml, quote| xml.replace(quote, "'"));
    quote.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[tokio::test]
async fn objects_of_awkward_keys() {
    let Some(ministack) = Ministack::shared() else { return };
    let setup = &ministack.setup;
    let (user, session) = (signer(setup, "s3", &setup.user), signer(setup, "s3", &setup.session));
    let bucket = format!("{}/{}", setup.endpoint, setup.bucket);
    for integration in INTEGRATIONS {
        for (written, listed) in KEYS {
            let url = format!("{bucket}/{integration:?}/{written}");
            for (signer, method) in [(&user, Method::PUT), (&session, Method::GET)] {
                let body = if method == Method::PUT { "hello" } else { "" };
                let response = integration.send(signer, request(method, &url, body)).await;
                assert_eq!(response.status, 200, "{integration:?} {written}: {}", response.text());
                assert_eq!(response.text(), if body.is_empty() { "hello" } else { "" });
            }
            // It is there by the key that was meant.
            let list = format!("{bucket}?list-type=2&prefix={integration:?}/");
            let listing = unescaped(integration.send(&user, request(Method::GET, &list, "")).await.text());
            assert!(listing.contains(&format!("<Key>{integration:?}/{listed}</Key>")), "{listed}: {listing}");
        }
        let empty = integration.send(&user, request(Method::PUT, &format!("{bucket}/empty"), "")).await;
        assert_eq!(empty.status, 200, "{}", empty.text());
        let impostor = signer(setup, "s3", &wrong(setup));
        let refused = integration.send(&impostor, request(Method::GET, &format!("{bucket}/empty"), "")).await;
        assert_eq!(refused.status, 403);
        assert!(refused.text().contains("<Code>SignatureDoesNotMatch</Code>"), "{}", refused.text());
    }
}

#[tokio::test]
async fn presigned_urls_of_objects() {
    let Some(ministack) = Ministack::shared() else { return };
    let setup = &ministack.setup;
    let minute = Duration::from_secs(60);
    let anyone = plain_reqwest();
    for keys in [&setup.user, &setup.session] {
        let signer = signer(setup, "s3", keys);
        for (written, _) in KEYS {
            let url = format!("{}/{}/presigned/{written}", setup.endpoint, setup.bucket);
            let url: Uri = url.parse().expect("a URI");
            let put = signer.presign(&Method::PUT, &url, minute).await.expect("a URL").to_string();
            let sent =
                TestResponse::read_reqwest(anyone.put(&put).body("hello").send().await.expect("a response"))
                    .await;
            assert_eq!(sent.status, 200, "{written}: {}", sent.text());
            let get = signer.presign(&Method::GET, &url, minute).await.expect("a URL").to_string();
            let got = TestResponse::read_reqwest(anyone.get(&get).send().await.expect("a response")).await;
            assert_eq!((got.status.as_u16(), got.text()), (200, "hello"), "{written}");
            // For one method, one key, one time.
            for spoilt in [get.replace("presigned/", "presigneD/"), get.replace("Expires=60", "Expires=61")] {
                assert_ne!(spoilt, get);
                assert_eq!(anyone.get(spoilt).send().await.expect("a response").status(), 403, "{written}");
            }
            assert_eq!(anyone.get(&put).send().await.expect("a response").status(), 403, "{written}");
        }
    }
}
