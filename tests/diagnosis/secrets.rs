//! The middleware's event and error; and that no secret is in anything that a refusal makes the crate say.

use http::Request;
use reqwest_middleware::ClientBuilder;
use sigv4_middleware::diagnosis::Cause;
use sigv4_middleware::{
    BoxError, Credentials, Diagnose, ErrorKind, IamGateway, RefusalStyle, SigV4Middleware, SigningDetails,
};
use tracing::Level;

use crate::client::{client, recording};
use crate::support::*;

const API_KEY: &str = "api-key-of-the-caller";
const COOKIE: &str = "cookie-of-the-caller";

fn request(url: &str) -> Request<reqwest::Body> {
    Request::put(format!("{url}/prod/orders?a=1"))
        .header("x-api-key", API_KEY)
        .header("cookie", COOKIE)
        .body("{}".into())
        .unwrap()
}

fn wrong_secret() -> Credentials {
    Credentials::new(KEY, "a-wrong-secret", Some(TOKEN.into()), None, "test")
}

#[tokio::test]
async fn a_refusal_is_one_event_at_warn_by_choice_and_at_debug_without() {
    let gateway = gateway("execute-api").await;
    let signer = signing("execute-api").credentials(wrong_secret()).build().unwrap();
    let events = Events::capture();
    for chosen in [true, false] {
        let middleware = SigV4Middleware::new(signer.clone()).diagnose_refusals(chosen);
        let client = ClientBuilder::new(plain_reqwest()).with(middleware).build();
        let response = client.execute(request(&gateway.url()).try_into().unwrap()).await.unwrap();
        assert_eq!(response.extensions().get::<SigningDetails>().is_some(), chosen);
        assert!(response.text().await.unwrap().contains("The Canonical String"), "the body is whole");
        let said = events.take("the server refused a signed request");
        let at = |level: Level| said.iter().filter(|said| said.level == level).collect::<Vec<_>>();
        assert_eq!((at(Level::WARN).len(), at(Level::DEBUG).len()), (usize::from(chosen), 1), "{said:?}");
        for event in at(Level::WARN) {
            assert_eq!(event.field("cause"), Some("signature-mismatch-secret"));
            assert!(event.field("host").unwrap().starts_with("127.0.0.1:"));
            assert!(event.field("scope").unwrap().ends_with("/ap-northeast-1/execute-api/aws4_request"));
            assert!(!event.field("request_id").unwrap().is_empty());
            assert!(event.field("what_to_do").unwrap().contains("secret"));
        }
    }
}

#[tokio::test]
async fn a_refusal_is_an_error_by_choice() {
    let gateway = gateway("execute-api").await;
    let signer = signing("execute-api").region("us-east-1").build().unwrap();
    let middleware = SigV4Middleware::new(signer).refusals_as_errors(true);
    let client = ClientBuilder::new(plain_reqwest()).with(middleware).build();
    let error = client.execute(request(&gateway.url()).try_into().unwrap()).await.unwrap_err();
    let error: BoxError = error.into();
    let error = found(&error);
    assert_eq!((error.kind(), error.was_sent()), (ErrorKind::Refused, true));
    assert_eq!(error.diagnosis().unwrap().cause(), Cause::ScopeRegionWrong);
    assert!(error.to_string().contains("403"), "{error}");

    // What no diagnosis is for stays a response.
    let accepted = SigV4Middleware::new(self::signer("execute-api")).refusals_as_errors(true);
    let client = ClientBuilder::new(plain_reqwest()).with(accepted).build();
    let response = client.execute(request(&gateway.url()).try_into().unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn http_responses_are_explained_and_given_back_whole() {
    let gateway = gateway("execute-api").await;
    let wrong = recording("execute-api").credentials(wrong_secret()).build().unwrap();
    for (integration, http) in ways() {
        for (signer, cause) in
            [(&wrong, Some(Cause::SignatureMismatchSecret)), (&signer("execute-api"), None)]
        {
            let sent = Request::get(format!("{}/x", gateway.url())).body(in_memory("")).unwrap();
            let response = integration.open_at(http, gateway.addr(), signer, sent).await.unwrap();
            let (response, diagnosis) = response.diagnose().await;
            assert_eq!(diagnosis.map(|diagnosis| diagnosis.cause()), cause, "{integration:?}");
            let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
            assert!(body.starts_with(b"{") && body.ends_with(b"}"), "{body:?}");
        }
    }
}

/// A server that repeats what it was sent, as some do: token, Authorization, API key.
async fn repeating() -> Server {
    Server::start(|_| {
        let body = format!(
            "<?xml version=\"1.0\"?><Error><Code>InvalidToken</Code><Message>The provided token is malformed or otherwise \
             invalid.</Message><Token-0>{TOKEN}</Token-0><CanonicalRequest>GET\n/\n\nx-amz-security-token:{TOKEN}\n\
             x-api-key:{API_KEY}\n\nx-amz-security-token;x-api-key\nhash</CanonicalRequest></Error>"
        );
        http::Response::builder().status(403).header("x-amz-request-id", "1").body(in_memory(body)).unwrap()
    })
    .await
}

#[tokio::test]
async fn nothing_that_is_said_of_a_refusal_holds_a_secret() {
    let seen = Seen::default();
    let guard = seen.capture();
    let show = |text: String| seen.add(&text);

    let names_token = Server::start(|_| {
        let body = in_memory(format!("{{\"code\":\"{TOKEN}\\nforged line\",\"message\":\"x\"}}"));
        http::Response::builder().status(403).header("x-amzn-requestid", "1").body(body).unwrap()
    })
    .await;
    let client =
        ClientBuilder::new(plain_reqwest()).with(SigV4Middleware::new(self::signer("execute-api"))).build();
    client.execute(request(&names_token.url).try_into().unwrap()).await.unwrap();

    for (service, style) in [
        ("execute-api", RefusalStyle::ApiGateway),
        ("s3", RefusalStyle::S3),
        ("dynamodb", RefusalStyle::AwsJson),
        ("sts", RefusalStyle::Query),
    ] {
        let gateway =
            IamGateway::builder().service(service).region(REGION).credentials(role()).refusal_style(style);
        let gateway = gateway.start().await.unwrap();
        let right = recording(service).sign_all_headers(true).build().unwrap();
        let wrong = recording(service).sign_all_headers(true).credentials(wrong_secret()).build().unwrap();
        gateway.deny(KEY);
        let server = repeating().await;
        for (signer, url) in [(&wrong, gateway.url()), (&right, gateway.url()), (&right, server.url.clone())]
        {
            let explained =
                SigV4Middleware::new(signer.clone()).diagnose_refusals(true).refusals_as_errors(true);
            let client = ClientBuilder::new(plain_reqwest()).with(explained).build();
            let error: BoxError = client.execute(request(&url).try_into().unwrap()).await.unwrap_err().into();
            let error = found(&error);
            show(format!("{error}\n{error:?}\n{:?}\n{}", error.diagnosis(), error.diagnosis().unwrap()));
            let response = self::client(signer).execute(request(&url).try_into().unwrap()).await.unwrap();
            let details = response.extensions().get::<SigningDetails>().unwrap();
            show(format!("{details}\n{details:?}"));
        }
    }
    drop(guard);
    let seen = seen.text();
    for needed in
        ["signed a request", "WARN", "canonical request:", "signature-mismatch-secret", "InvalidToken"]
    {
        assert!(seen.contains(needed), "{needed} was not said");
    }
    assert!(!seen.contains("forged line"), "{seen}");
    for secret in [SECRET, TOKEN, "a-wrong-secret", API_KEY, COOKIE] {
        for form in [secret.to_owned(), secret[..12].to_owned(), format!("{:?}", secret.as_bytes())] {
            let at = seen.find(form.trim_matches(['[', ']']));
            assert!(at.is_none(), "{form} in: …{}", &seen[at.unwrap().saturating_sub(200)..][..400]);
        }
    }
}

#[cfg(feature = "blocking")]
#[test]
fn blocking_responses_are_explained_and_given_back_whole() {
    use sigv4_middleware::{DiagnoseBlocking, SendSigned};

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let gateway = runtime.block_on(gateway("execute-api"));
    let client = sigv4_middleware::reqwest_blocking_client().no_proxy().build().unwrap();
    let wrong = recording("execute-api").credentials(wrong_secret()).build().unwrap();
    for (signer, cause) in [(&wrong, Some(Cause::SignatureMismatchSecret)), (&signer("execute-api"), None)] {
        let response = client.get(gateway.url()).send_signed(signer).unwrap();
        let (response, diagnosis) = DiagnoseBlocking::diagnose(response);
        assert_eq!(diagnosis.map(|diagnosis| diagnosis.cause()), cause);
        let text = response.text().unwrap();
        assert!(text.starts_with('{') && text.ends_with('}'), "{text}");
    }
}
