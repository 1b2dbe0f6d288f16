//! The redirect matrix: every status, method and place, by every way of following or not.
//!
//! `evil.example` and the AWS host over plain http lead to a server that keeps every byte: what is asserted of it is
//! what arrived there.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use sigv4_middleware::{
    Error, ErrorKind, IamGateway, PayloadMode, RedirectPolicy, SigV4Layer, SigV4Middleware, Signer,
};
use tower::{ServiceBuilder, ServiceExt};
use tower_http::follow_redirect::FollowRedirectLayer;
use tower_http::follow_redirect::policy::{Policy, PolicyExt, SameOrigin, Standard, clone_body_fn};

use crate::support::*;

const BODY: &str = "the-body-that-is-not-for-everyone";
const AWS: &str = "abc.execute-api.ap-northeast-1.amazonaws.com";

/// Where a redirect leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    SameOrigin,
    /// Loopback as well, and so allowed.
    OtherPort,
    /// Not allowed.
    OtherHost,
    /// Allowed, but over https only.
    PlainHttp,
}

impl Place {
    /// Why a signer with its defaults refuses to sign for it.
    fn refusal(self) -> Option<ErrorKind> {
        match self {
            Self::SameOrigin | Self::OtherPort => None,
            Self::OtherHost => Some(ErrorKind::OriginNotAllowed),
            Self::PlainHttp => Some(ErrorKind::InsecureOrigin),
        }
    }
}

/// One case of the matrix, with servers of its own.
struct Scene {
    status: StatusCode,
    method: Method,
    place: Place,
    location: String,
    origin: IamGateway,
    other: IamGateway,
    elsewhere: Recorder,
}

impl Scene {
    async fn new(status: u16, method: Method, place: Place) -> Self {
        let (origin, other) = (gateway("s3").await, gateway("s3").await);
        let elsewhere = Recorder::start().await;
        let port = elsewhere.addr().port();
        let location = match place {
            Place::SameOrigin => "/next?a=b".to_owned(),
            Place::OtherPort => format!("{}/next?a=b", other.url()),
            Place::OtherHost => format!("http://evil.example:{port}/next?a=b"),
            Place::PlainHttp => format!("http://{AWS}:{port}/next?a=b"),
        };
        let status = StatusCode::from_u16(status).unwrap();
        origin.redirect_next(1, status, HeaderValue::from_str(&location).unwrap());
        Self { status, method, place, location, origin, other, elsewhere }
    }

    fn name(&self) -> String {
        format!("{} {} {:?}", self.status, self.method, self.place)
    }

    fn url(&self) -> String {
        format!("{}/first", self.origin.url())
    }

    fn body(&self) -> &'static str {
        if self.method == Method::GET { "" } else { BODY }
    }

    fn http_request<B>(&self, body: impl FnOnce(&'static str) -> B) -> Request<B> {
        let request = Request::builder().method(self.method.clone()).uri(self.url());
        request.header("content-type", "text/plain").body(body(self.body())).unwrap()
    }

    fn reqwest_request(&self) -> reqwest::Request {
        self.http_request(reqwest::Body::from).try_into().unwrap()
    }

    /// The next request's method and body, by the Fetch standard.
    fn next(&self) -> (Method, &'static str) {
        let rewritten = match self.status.as_u16() {
            301 | 302 => self.method == Method::POST,
            303 => true,
            _ => false,
        };
        if rewritten { (Method::GET, "") } else { (self.method.clone(), self.body()) }
    }

    /// A reqwest client to which both names lead to the recording server.
    fn reqwest(&self, builder: reqwest::ClientBuilder) -> reqwest::Client {
        let builder = builder.no_proxy().tls_certs_only([]);
        let to = self.elsewhere.addr();
        builder.resolve("evil.example", to).resolve(AWS, to).build().unwrap()
    }

    /// What a client that follows redirects has to do: send nothing elsewhere, and either refuse or send one more
    /// request, signed afresh.
    fn assert_followed(
        &self,
        outcome: Result<StatusCode, sigv4_middleware::BoxError>,
        refusal: Option<ErrorKind>,
    ) {
        let name = self.name();
        self.elsewhere.assert_untouched(&name);
        let first = &self.origin.requests()[0];
        assert_eq!((first.status, &first.body[..]), (self.status, self.body().as_bytes()), "{name}");
        if let Some(refusal) = refusal {
            assert_eq!(found(&outcome.unwrap_err()).kind(), refusal, "{name}");
            assert_eq!((self.origin.requests().len(), self.other.requests().len()), (1, 0), "{name}");
            return;
        }
        assert_eq!(outcome.unwrap_or_else(|error| panic!("{name}: {error:?}")), 200, "{name}");
        let there = if self.place == Place::SameOrigin { &self.origin } else { &self.other };
        // The gateway has verified its signature.
        let second = there.requests().pop().unwrap();
        let (method, body) = self.next();
        assert_eq!((&second.method, &second.body[..]), (&method, body.as_bytes()), "{name}");
        assert_eq!(second.target, "/next?a=b", "{name}");
        // A body's headers go along with the body; without a body, followers differ.
        if self.method != method || !body.is_empty() {
            assert_eq!(second.header("content-type").is_some(), !body.is_empty(), "{name}");
        }
    }
}

async fn matrix(check: impl AsyncFn(Scene)) {
    for place in [Place::SameOrigin, Place::OtherPort, Place::OtherHost, Place::PlainHttp] {
        for status in [301, 302, 303, 307, 308] {
            for method in [Method::GET, Method::POST, Method::PUT] {
                in_time(check(Scene::new(status, method, place).await)).await;
            }
        }
    }
}

/// By default, and by the crate's own reqwest builder, the caller sees the 3xx and nothing else is sent.
#[tokio::test]
async fn not_followed_unless_asked() {
    matrix(async |scene| {
        for integration in INTEGRATIONS {
            let scene = Scene::new(scene.status.as_u16(), scene.method.clone(), scene.place).await;
            let name = format!("{integration:?} {}", scene.name());
            let request = scene.http_request(in_memory);
            let response =
                integration.send_to(Http::One, scene.origin.addr(), &signer("s3"), request).await.unwrap();
            assert_eq!(response.status, scene.status, "{name}");
            assert!(response.headers.contains_key("location"), "{name}");
            assert_eq!((scene.origin.requests().len(), scene.other.requests().len()), (1, 0), "{name}");
            scene.elsewhere.assert_untouched(&name);
        }
    })
    .await;
}

#[tokio::test]
async fn followed_by_the_middleware() {
    matrix(async |scene| {
        let covered = (scene.place != Place::SameOrigin).then_some(ErrorKind::OriginNotAllowed);
        followed(scene, |_| RedirectPolicy::same_origin(), covered).await;
    })
    .await;
}

/// What the policy names is followed as far as the signer signs for it.
#[tokio::test]
async fn followed_by_the_middleware_to_named_origins() {
    matrix(async |scene| {
        let refusal = scene.place.refusal();
        let named = |location: &str| match location.split_once("/next") {
            Some((origin, _)) if !origin.is_empty() => {
                RedirectPolicy::same_origin().allow_origin(origin).unwrap()
            }
            _ => RedirectPolicy::same_service(),
        };
        followed(scene, named, refusal).await;
    })
    .await;
}

/// `policy` gets the Location.
async fn followed(scene: Scene, policy: impl FnOnce(&str) -> RedirectPolicy, refusal: Option<ErrorKind>) {
    let client = scene.reqwest(sigv4_middleware::reqwest_client());
    let middleware = SigV4Middleware::new(signer("s3")).redirects(policy(&scene.location));
    let client = reqwest_middleware::ClientBuilder::new(client).with(middleware).build();
    let outcome = client.execute(scene.reqwest_request()).await;
    if let Ok(response) = &outcome {
        assert_eq!(response.url().path(), "/next", "{}", scene.name());
    }
    if let Err(error) = &outcome {
        // The caller never named the place, and the first request was sent.
        let error = Error::find(error).unwrap();
        assert!(error.was_sent(), "{}", scene.name());
        let message = error.to_string();
        assert!(message.starts_with("a redirect was not followed: "), "{}: {message}", scene.name());
    }
    scene.assert_followed(outcome.map(|response| response.status()).map_err(Into::into), refusal);
}

/// A payload that is not signed goes along where it is in memory; of a stream the caller sees the redirect.
#[tokio::test]
async fn an_unsigned_body_goes_along_if_it_is_in_memory() {
    let streamed = || {
        let halves = [&BODY[..10], &BODY[10..]].map(|half| Ok::<_, std::io::Error>(Bytes::from(half)));
        reqwest::Body::wrap_stream(futures_util::stream::iter(halves))
    };
    for status in [307, 308] {
        for (body, expected, http) in [
            (reqwest::Body::from(BODY), 200, Http::One),
            (reqwest::Body::from(BODY), 200, Http::Two),
            (streamed(), status, Http::One),
        ] {
            let scene = Scene::new(status, Method::POST, Place::OtherPort).await;
            let signer = signing("s3").payload_mode(PayloadMode::Unsigned).allow_unsigned_over_http(true);
            let policy = RedirectPolicy::none().allow_origin(&scene.other.url()).unwrap();
            let middleware = SigV4Middleware::new(signer.build().unwrap()).redirects(policy);
            let builder = sigv4_middleware::reqwest_client();
            let client = scene.reqwest(match http {
                Http::One => builder,
                Http::Two => builder.http2_prior_knowledge(),
            });
            let client = reqwest_middleware::ClientBuilder::new(client).with(middleware).build();
            let response = client.execute(scene.http_request(|_| body).try_into().unwrap()).await.unwrap();
            assert_eq!(response.status().as_u16(), expected, "{}", scene.name());
            let received = [scene.origin.requests(), scene.other.requests()].concat();
            assert_eq!(received.len(), if expected == 200 { 2 } else { 1 }, "{}", scene.name());
            for received in received {
                assert_eq!(received.body, BODY, "{}", scene.name());
                assert_eq!(received.header("x-amz-content-sha256"), Some("UNSIGNED-PAYLOAD"));
            }
        }
    }
}

/// The status of the last response, with tower-http's follower above the layer.
async fn follow_above_the_layer<P>(policy: P, scene: &Scene) -> Result<StatusCode, LayerError>
where
    P: Policy<Full<Bytes>, LayerError> + Clone,
{
    let policy =
        policy.and::<_, Full<Bytes>, LayerError>(clone_body_fn(|body: &Full<Bytes>| Some(body.clone())));
    let client = ServiceBuilder::new()
        .layer(FollowRedirectLayer::with_policy(policy))
        .layer(SigV4Layer::new(signer("s3")))
        .service(hyper::<Full<Bytes>>(scene.elsewhere.addr(), Http::One));
    let response = client.oneshot(scene.http_request(|text| Full::from(Bytes::from(text)))).await?;
    Ok(response.status())
}

/// tower-http's follower above the layer: each hop is a request like any other to the layer.
#[tokio::test]
async fn followed_above_the_layer() {
    matrix(async |scene| {
        let outcome = follow_above_the_layer(Standard::default(), &scene).await;
        scene.assert_followed(outcome.map_err(Into::into), scene.place.refusal());
    })
    .await;
}

/// What the layer's documentation recommends where redirects have to be followed above it.
#[tokio::test]
async fn followed_above_the_layer_on_the_same_origin_only() {
    matrix(async |scene| {
        let outcome = follow_above_the_layer(SameOrigin::default(), &scene).await;
        let status = outcome.unwrap();
        let expected = if scene.place == Place::SameOrigin { StatusCode::OK } else { scene.status };
        assert_eq!(status, expected, "{}", scene.name());
        assert!(scene.other.requests().is_empty(), "{}", scene.name());
        scene.elsewhere.assert_untouched(&scene.name());
    })
    .await;
}

/// reqwest's own following cannot be prevented from above; it is noticed, and its response withheld. What it takes to
/// another origin is everything but Authorization.
#[tokio::test]
async fn followed_by_reqwest_beneath_an_integration() {
    matrix(async |scene| {
        let name = scene.name();
        let client = scene.reqwest(reqwest::Client::builder());
        let error: sigv4_middleware::BoxError = if scene.method == Method::POST {
            layered(client, &signer("s3")).oneshot(scene.reqwest_request()).await.unwrap_err().into()
        } else {
            middleware(client, &signer("s3")).execute(scene.reqwest_request()).await.unwrap_err().into()
        };
        let error = found(&error);
        assert_eq!(error.kind(), ErrorKind::Redirected, "{name}");
        let text = format!("{error} {error:?}");
        assert!(text.contains("sigv4_middleware::reqwest_client()") && !text.contains("loot"), "{text}");
        let (_, body) = scene.next();
        let mut expected = vec!["token", "hash", "date"];
        if !body.is_empty() {
            expected.push("body");
        }
        match scene.place {
            Place::SameOrigin => assert_eq!(scene.origin.requests().len(), 2, "{name}"),
            Place::OtherPort => {
                let there = scene.other.requests().pop().unwrap();
                assert_eq!(there.header("authorization"), None, "{name}");
                assert!(there.header("x-amz-security-token").is_some(), "{name}");
            }
            Place::OtherHost => {
                assert_eq!(scene.elsewhere.loot(BODY), expected, "{name}");
                assert!(text.contains("http://evil.example:"), "{text}");
            }
            Place::PlainHttp => assert_eq!(scene.elsewhere.loot(BODY), expected, "{name}"),
        }
    })
    .await;
}

/// A chain that ends where it began looks like no redirect at all: this is why the client must not follow.
#[tokio::test]
async fn a_chain_that_leads_back_is_not_noticed() {
    let origin = gateway("s3").await;
    let back = format!("{}/first", origin.url());
    let evil = Recorder::responding(move |_| {
        format!("HTTP/1.1 302 Found\r\nlocation: {back}\r\ncontent-length: 0\r\n\r\n")
    })
    .await;
    let to = format!("http://evil.example:{}/", evil.addr().port());
    origin.redirect_next(1, StatusCode::FOUND, HeaderValue::from_str(&to).unwrap());
    let client =
        reqwest::Client::builder().no_proxy().tls_certs_only([]).resolve("evil.example", evil.addr());
    let client = middleware(client.build().unwrap(), &signer("s3"));
    let response = client.get(format!("{}/first", origin.url())).send().await.unwrap();
    assert_eq!(response.status(), 403, "reqwest took Authorization away, and came back without");
    assert_eq!(evil.loot(""), ["token", "hash", "date"]);
}

/// A follower beneath the layer, on the bodies that it takes: what it does is not seen from above, and the token goes
/// wherever it is led.
#[tokio::test]
async fn followed_beneath_the_layer() {
    for place in [Place::OtherHost, Place::PlainHttp] {
        let scene = Scene::new(302, Method::POST, place).await;
        let client = ServiceBuilder::new()
            .layer(wrapping(&signer("s3")))
            .map_request(|request: Request<Outgoing<_>>| request.map(reqwest::Body::wrap))
            .layer(FollowRedirectLayer::new())
            .service(hyper::<reqwest::Body>(scene.elsewhere.addr(), Http::One));
        let response = client.oneshot(scene.http_request(in_memory)).await.unwrap();
        assert_eq!(response.status(), 200, "the response of a stranger, to a caller who trusts it");
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "loot!");
        assert_eq!(scene.elsewhere.loot(BODY), ["token", "hash", "date"], "{}", scene.name());
    }
}

/// The layer's refusals need no server: nothing is asked of the inner service.
#[tokio::test]
async fn from_https_to_http_is_refused_before_anything_is_sent() {
    let signer = Signer::builder().credentials(role()).region(REGION).build().unwrap();
    let inner = tower::service_fn(|request: Request<Full<Bytes>>| async move {
        assert_eq!(request.uri().scheme_str(), Some("https"), "{}", request.uri());
        assert!(request.headers().contains_key("authorization"));
        let to = format!("http://{AWS}/next");
        let response = http::Response::builder().status(307).header("location", to);
        Ok::<_, sigv4_middleware::BoxError>(response.body(Full::<Bytes>::default()).unwrap())
    });
    let client =
        ServiceBuilder::new().layer(FollowRedirectLayer::new()).layer(SigV4Layer::new(signer)).service(inner);
    let request = Request::get(format!("https://{AWS}/first")).body(Full::<Bytes>::default()).unwrap();
    let error = client.oneshot(request).await.unwrap_err();
    assert_eq!(Error::find(&error).map(Error::kind), Some(ErrorKind::InsecureOrigin));
}
