//! Redirects of a server behind TLS, followed by the middleware where they stay at their origin.

use http::StatusCode;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use sigv4_middleware::{Error, ErrorKind, RedirectPolicy, SigV4Middleware};

use super::*;

fn following(at: &TlsGateway, http: Http, policy: RedirectPolicy) -> ClientWithMiddleware {
    let middleware = SigV4Middleware::new(signer("execute-api")).redirects(policy);
    ClientBuilder::new(reqwest(at.addr(), http)).with(middleware).build()
}

#[tokio::test]
async fn to_the_same_origin_each_request_is_signed() {
    for http in [Http::One, Http::Two] {
        let at = tls_gateway("execute-api").await;
        for location in ["/next?a=b".to_owned(), format!("{API}/next?a=b"), format!("{API}:443/next?a=b")] {
            at.gateway.redirect_next(1, StatusCode::TEMPORARY_REDIRECT, location.parse().unwrap());
            let client = following(&at, http, RedirectPolicy::same_origin());
            let response = client.post(format!("{API}/first")).body("order").send().await;
            assert_eq!(response.unwrap().status(), 200, "{http:?} {location}");
            let received = last(&at.gateway);
            assert_eq!((received.target.as_str(), &received.body[..]), ("/next?a=b", &b"order"[..]));
            assert_eq!(received.header("host"), API.strip_prefix("https://"));
        }
    }
}

#[tokio::test]
async fn to_another_origin_nothing_is_sent() {
    for http in [Http::One, Http::Two] {
        let (at, elsewhere) = (tls_gateway("execute-api").await, Recorder::start().await);
        let port = elsewhere.addr().port();
        for (location, refusal) in [
            ("https://api.example.com/".to_owned(), ErrorKind::OriginNotAllowed),
            (format!("https://api.example.com:{port}/"), ErrorKind::OriginNotAllowed),
            // From https to plain http, though the host is the same.
            (format!("{}:{port}/", API.replacen("https", "http", 1)), ErrorKind::InsecureOrigin),
        ] {
            for policy in [RedirectPolicy::same_origin(), RedirectPolicy::same_service()] {
                at.gateway.clear();
                at.gateway.redirect_next(1, StatusCode::TEMPORARY_REDIRECT, location.parse().unwrap());
                let client = following(&at, http, policy);
                let error = client.post(format!("{API}/first")).body("order").send().await;
                let error = error.expect_err(&location);
                let kind = Error::find(&error).unwrap_or_else(|| panic!("{location}: {error:?}")).kind();
                assert_eq!(kind, refusal, "{location}");
                assert_eq!(at.gateway.requests().len(), 1, "{location}");
            }
        }
        elsewhere.assert_untouched("another origin");
    }
}
