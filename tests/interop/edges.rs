//! ministack, called through the middleware, through the layer and with presigned URLs.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use sigv4_middleware::{Credentials, SigV4Layer, SigV4Middleware, Signer};
use tower::{ServiceBuilder, ServiceExt};

use crate::server::{Keys, Ministack, Setup};

#[derive(Clone, Copy, Debug)]
enum Edge {
    Middleware,
    LayerOnHyper,
    LayerOnReqwest,
}

const EDGES: [Edge; 3] = [Edge::Middleware, Edge::LayerOnHyper, Edge::LayerOnReqwest];

struct Answer {
    status: StatusCode,
    error: String,
    text: String,
}

impl Answer {
    /// What the API's backend received.
    #[track_caller]
    fn echo(&self) -> Value {
        assert_eq!(self.status, 200, "{} {}", self.error, self.text);
        serde_json::from_str(&self.text).expect("the backend echoes in JSON")
    }
}

fn client() -> reqwest::Client {
    sigv4_middleware::reqwest_client().no_proxy().tls_certs_only([]).build().expect("a plain client")
}

fn error_type(headers: &http::HeaderMap) -> String {
    let value = headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

async fn answer(response: reqwest::Response) -> Answer {
    let (status, error) = (response.status(), error_type(response.headers()));
    Answer { status, error, text: response.text().await.expect("text") }
}

impl Edge {
    async fn send(self, signer: &Signer, request: Request<&'static str>) -> Answer {
        let layer = SigV4Layer::new(signer.clone());
        match self {
            Self::Middleware => {
                let client = reqwest_middleware::ClientBuilder::new(client());
                let client = client.with(SigV4Middleware::new(signer.clone())).build();
                let request = request.try_into().expect("a request for reqwest");
                answer(client.execute(request).await.expect("an answer")).await
            }
            Self::LayerOnReqwest => {
                let service = ServiceBuilder::new().layer(layer).service(client());
                let request = reqwest::Request::try_from(request).expect("a request for reqwest");
                answer(service.oneshot(request).await.expect("an answer")).await
            }
            Self::LayerOnHyper => {
                let hyper = Client::builder(TokioExecutor::new()).build_http();
                let service = ServiceBuilder::new().layer(layer).service(hyper);
                let request = request.map(|body| Full::new(Bytes::from_static(body.as_bytes())));
                let (parts, body) = service.oneshot(request).await.expect("an answer").into_parts();
                let text = body.collect().await.expect("a body").to_bytes();
                let text = String::from_utf8(text.into()).expect("text");
                Answer { status: parts.status, error: error_type(&parts.headers), text }
            }
        }
    }
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
async fn an_api_takes_what_the_edges_sign() {
    let Some(ministack) = Ministack::shared() else { return };
    let setup = &ministack.setup;
    for keys in [&setup.user, &setup.session] {
        let signer = signer(setup, "execute-api", keys);
        for edge in EDGES {
            let echo = edge
                .send(&signer, request(Method::GET, &format!("{}/items", setup.api_url), ""))
                .await
                .echo();
            assert_eq!(echo["method"], "GET");
            let post = request(Method::POST, &format!("{}/items", setup.api_url), r#"{"name":"ü"}"#);
            let echo = edge.send(&signer, post).await.echo();
            assert_eq!((&echo["method"], &echo["body"]), (&json!("POST"), &json!(r#"{"name":"ü"}"#)));
            let empty = request(Method::POST, &format!("{}/items", setup.api_url), "");
            assert_eq!(edge.send(&signer, empty).await.echo()["body"], "");
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
        for edge in EDGES {
            let get = request(Method::GET, &format!("{}{target}", setup.api_url), "");
            let answer = edge.send(&signer, get).await;
            assert_eq!(answer.status, 200, "{edge:?} {target}: {} {}", answer.error, answer.text);
        }
    }
    let get = request(Method::GET, &format!("{}/items?a=b+c&d=e%2Bf", setup.api_url), "");
    let target =
        Edge::Middleware.send(&signer, get).await.echo()["target"].as_str().expect("text").to_owned();
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
        for edge in EDGES {
            let get = request(Method::GET, &format!("{}/items", setup.api_url), "");
            let answer = edge.send(&signer, get).await;
            assert_eq!((answer.status.as_u16(), answer.error.as_str()), (403, error), "{edge:?}");
        }
    }
}

/// Changes a signed request's body; what attaching anything beneath the edges may do.
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
async fn an_api_refuses_a_body_changed_beneath_the_edges() {
    let Some(ministack) = Ministack::shared() else { return };
    let setup = &ministack.setup;
    let signer = signer(setup, "execute-api", &setup.user);
    let url = format!("{}/items", setup.api_url);
    let post =
        || reqwest::Request::try_from(request(Method::POST, &url, r#"{"amount": 1}"#)).expect("a request");

    let changing = reqwest_middleware::ClientBuilder::new(client())
        .with(SigV4Middleware::new(signer.clone()))
        .with(Tampers)
        .build();
    let through_middleware = answer(changing.execute(post()).await.expect("an answer")).await;
    let changing = ServiceBuilder::new()
        .layer(SigV4Layer::new(signer.clone()))
        .map_request(Tampers::with)
        .service(client());
    let through_layer = answer(changing.oneshot(post()).await.expect("an answer")).await;
    for answer in [through_middleware, through_layer] {
        assert_eq!((answer.status.as_u16(), answer.error.as_str()), (403, "InvalidSignatureException"));
    }
    // Changed above them, it is signed as it is sent.
    let changing = reqwest_middleware::ClientBuilder::new(client())
        .with(Tampers)
        .with(SigV4Middleware::new(signer))
        .build();
    let above = answer(changing.execute(post()).await.expect("an answer")).await;
    assert_eq!(above.echo()["body"], r#"{"amount": 9}"#);
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
    for edge in EDGES {
        for (written, listed) in KEYS {
            let url = format!("{bucket}/{edge:?}/{written}");
            for (signer, method) in [(&user, Method::PUT), (&session, Method::GET)] {
                let body = if method == Method::PUT { "hello" } else { "" };
                let answer = edge.send(signer, request(method, &url, body)).await;
                assert_eq!(answer.status, 200, "{edge:?} {written}: {}", answer.text);
                assert_eq!(answer.text, if body.is_empty() { "hello" } else { "" });
            }
            // It is there by the key that was meant.
            let list = format!("{bucket}?list-type=2&prefix={edge:?}/");
            let listing = unescaped(&edge.send(&user, request(Method::GET, &list, "")).await.text);
            assert!(listing.contains(&format!("<Key>{edge:?}/{listed}</Key>")), "{listed}: {listing}");
        }
        let empty = edge.send(&user, request(Method::PUT, &format!("{bucket}/empty"), "")).await;
        assert_eq!(empty.status, 200, "{}", empty.text);
        let impostor = signer(setup, "s3", &wrong(setup));
        let refused = edge.send(&impostor, request(Method::GET, &format!("{bucket}/empty"), "")).await;
        assert_eq!(refused.status, 403);
        assert!(refused.text.contains("<Code>SignatureDoesNotMatch</Code>"), "{}", refused.text);
    }
}

#[tokio::test]
async fn presigned_urls_of_objects() {
    let Some(ministack) = Ministack::shared() else { return };
    let setup = &ministack.setup;
    let minute = Duration::from_secs(60);
    let anyone = client();
    for keys in [&setup.user, &setup.session] {
        let signer = signer(setup, "s3", keys);
        for (written, _) in KEYS {
            let url = format!("{}/{}/presigned/{written}", setup.endpoint, setup.bucket);
            let url: Uri = url.parse().expect("a URI");
            let put = signer.presign(&Method::PUT, &url, minute).await.expect("a URL").to_string();
            let sent = answer(anyone.put(&put).body("hello").send().await.expect("an answer")).await;
            assert_eq!(sent.status, 200, "{written}: {}", sent.text);
            let get = signer.presign(&Method::GET, &url, minute).await.expect("a URL").to_string();
            let got = answer(anyone.get(&get).send().await.expect("an answer")).await;
            assert_eq!((got.status.as_u16(), got.text.as_str()), (200, "hello"), "{written}");
            // For one method, one key, one time.
            for spoilt in [get.replace("presigned/", "presigneD/"), get.replace("Expires=60", "Expires=61")] {
                assert_ne!(spoilt, get);
                assert_eq!(anyone.get(spoilt).send().await.expect("an answer").status(), 403, "{written}");
            }
            assert_eq!(anyone.get(&put).send().await.expect("an answer").status(), 403, "{written}");
        }
    }
}
