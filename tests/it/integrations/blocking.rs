//! `SendSigned` on `reqwest::blocking`: what the async integrations promise, promised once more.

use std::io::{self, Cursor, Read};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use reqwest::blocking::{Body, Client, RequestBuilder, multipart};
use sha2::{Digest, Sha256};
use sigv4_middleware::{
    Credentials, Error, ErrorKind, IamGateway, PayloadMode, ReceivedRequest, SendError, SendSigned, Signer,
};
use tokio::runtime::Runtime;

use super::refuse;
use crate::support::*;

/// A gateway, and the runtime that it lives on.
struct Served {
    gateway: IamGateway,
    runtime: Runtime,
}

fn served(service: &str) -> Served {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    Served { gateway: runtime.block_on(gateway(service)), runtime }
}

impl Served {
    /// A client for which every host that the tests name is the gateway.
    fn client(&self) -> Client {
        let mut builder = sigv4_middleware::reqwest_blocking_client().no_proxy().tls_certs_only([]);
        for host in HOSTS {
            builder = builder.resolve(host, self.gateway.addr());
        }
        builder.build().unwrap()
    }

    fn request(&self, method: Method, target: &str) -> RequestBuilder {
        self.client().request(method, format!("{}{target}", self.gateway.url()))
    }

    #[track_caller]
    fn only_request(&self) -> ReceivedRequest {
        let [request] = <[_; 1]>::try_from(self.gateway.requests()).unwrap();
        request
    }
}

#[track_caller]
fn kind(error: &SendError) -> ErrorKind {
    Error::find(error).unwrap_or_else(|| panic!("no error of this crate in {error:?}")).kind()
}

#[test]
fn requests_of_every_method_are_signed_and_go_out_in_strict_form() {
    for service in ["execute-api", "s3"] {
        let (served, signer) = (served(service), signer(service));
        for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let request = served.request(method.clone(), "/prod/a%20b?q=x+y&q='").query(&[("c d", "ü")]);
            let response = request.header("x-amz-meta-a", "two   spaces").send_signed(&signer).unwrap();
            assert_eq!(response.status(), 200, "{method} {}", response.text().unwrap());
            let received = served.only_request();
            assert_eq!(received.target, "/prod/a%20b?q=x%20y&q=%27&c%20d=%C3%BC");
            assert_eq!(received.header("x-amz-security-token"), Some(TOKEN));
            let empty = [Method::POST, Method::PUT, Method::PATCH].contains(&method).then_some("0");
            assert_eq!(received.header("content-length"), empty, "{method}");
            served.gateway.clear();
        }
    }
}

#[test]
fn a_body_in_memory_arrives_whole() {
    let (served, signer) = (served("s3"), signer("s3"));
    let big = vec![7; 300_000];
    for (body, sent) in [
        (Body::from("text"), &b"text"[..]),
        (Body::from(big.clone()), &big[..]),
        (Body::from(Bytes::from_static(b"bytes")), b"bytes"),
        (Body::from(""), b""),
    ] {
        let response = served.request(Method::PUT, "/key").body(body).send_signed(&signer).unwrap();
        assert_eq!(
            (response.status(), response.text().unwrap().as_str()),
            (StatusCode::OK, r#"{"message":"ok"}"#)
        );
        let received = served.gateway.requests().pop().unwrap();
        assert!(received.body == sent);
        assert_eq!(received.header("content-length"), Some(sent.len().to_string().as_str()));
    }
    let json = served.request(Method::POST, "/").json(&[1, 2]).send_signed(&signer).unwrap();
    assert_eq!(
        (json.status(), &served.gateway.requests().pop().unwrap().body[..]),
        (StatusCode::OK, &b"[1,2]"[..])
    );
}

#[test]
fn an_empty_upload_says_so_in_every_payload_mode() {
    let served = served("s3");
    for mode in [PayloadMode::Unsigned, PayloadMode::Sha256(Sha256::digest("").into())] {
        let signer = signing("s3").allow_unsigned_over_http(true).payload_mode(mode).build().unwrap();
        let put = || served.request(Method::PUT, "/key");
        for put in [put(), put().body("")] {
            assert_eq!(put.send_signed(&signer).unwrap().status(), 200);
            let received = served.gateway.requests().pop().unwrap();
            assert_eq!(received.header("content-length"), Some("0"));
        }
    }
}

#[test]
fn readers_and_forms_are_read_up_to_the_limit() {
    let served = served("execute-api");
    let signer = signing("execute-api").body_limit(1000).build().unwrap();
    let send =
        |body: Box<dyn Read + Send>| served.request(Method::POST, "/").send_signed_reader(body, &signer);

    assert_eq!(send(Box::new(&[b'x'; 1000][..])).unwrap().status(), 200);
    assert_eq!(served.only_request().header("content-length"), Some("1000"));
    assert_eq!(send(Box::new(io::empty())).unwrap().status(), 200);
    assert_eq!(served.gateway.requests()[1].header("content-length"), Some("0"));
    let form = multipart::Form::new().text("name", "ü").part("file", multipart::Part::bytes(vec![b'7'; 9]));
    let form_type = format!("multipart/form-data; boundary={}", form.boundary());
    let request = served.request(Method::POST, "/").header("content-type", form_type);
    assert_eq!(request.send_signed_reader(form.into_reader(), &signer).unwrap().status(), 200);
    let received = served.gateway.requests().pop().unwrap();
    assert!(String::from_utf8_lossy(&received.body).contains("\r\n\r\n777777777\r\n"), "{received:?}");

    served.gateway.clear();
    assert_eq!(kind(&send(Box::new(&[b'x'; 1001][..])).unwrap_err()), ErrorKind::BodyTooLarge);
    assert_eq!(kind(&send(Box::new(io::repeat(0))).unwrap_err()), ErrorKind::BodyTooLarge, "without end");
    let in_memory = served.request(Method::POST, "/").body(vec![0; 1001]).send_signed(&signer);
    assert_eq!(kind(&in_memory.unwrap_err()), ErrorKind::BodyTooLarge);
    let failing = send(Box::new((&b"ab"[..]).chain(Failing))).unwrap_err();
    assert_eq!(kind(&failing), ErrorKind::BodyFailed);
    assert!(failing.to_string().contains("after 2 bytes"), "{failing}");
    assert!(served.gateway.requests().is_empty());
}

struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("disk gone"))
    }
}

/// reqwest gives nobody a reader back to read it in bounds.
#[test]
fn a_reader_as_the_body_is_refused_unless_it_goes_out_as_it_comes() {
    let served = served("s3");
    let reader = || Body::sized(Cursor::new("hello"), 5);
    let error = served.request(Method::PUT, "/key").body(reader()).send_signed(&signer("s3")).unwrap_err();
    assert_eq!(kind(&error), ErrorKind::UnsupportedPayload);
    assert!(error.to_string().contains(".send_signed_reader("), "{error}");
    assert!(served.gateway.requests().is_empty());

    for (hashed, status) in [("hello", 200), ("another", 403)] {
        let mode = PayloadMode::Sha256(Sha256::digest(hashed).into());
        let signer = signing("s3").payload_mode(mode).build().unwrap();
        let response = served.request(Method::PUT, "/key").body(reader()).send_signed(&signer).unwrap();
        assert_eq!(response.status(), status, "{hashed}");
    }
}

/// Every bad input of the async integrations that a blocking request can be made of; no error tells a secret.
#[test]
fn bad_input_is_refused_and_nothing_sent() {
    let served = served("execute-api");
    let mut refused = 0;
    for case in refuse::cases().iter().filter(|case| case.integrations.contains(&Integration::LayerOnReqwest))
    {
        let request = case.request(&served.gateway).map(|_| "hello");
        let request = RequestBuilder::from_parts(served.client(), request.try_into().unwrap());
        let error = request.send_signed(&case.signer()).expect_err(case.name);
        case.check(Error::find(&error).unwrap());
        let said = format!("{error} {error:?} {error:#?}");
        for secret in [SECRET, TOKEN, "hunter2", "caller-token", "Y2FsbGVyOnB3"] {
            assert!(!said.contains(secret), "{}: {said}", case.name);
        }
        // Nor is a body read in vain, where the target is to blame.
        let request = case.request(&served.gateway).map(|_| "");
        let request = RequestBuilder::from_parts(served.client(), request.try_into().unwrap());
        let early = [ErrorKind::InvalidUri, ErrorKind::OriginNotAllowed, ErrorKind::InsecureOrigin];
        if early.contains(&case.kind) {
            case.check(
                Error::find(&request.send_signed_reader(Failing, &case.signer()).unwrap_err()).unwrap(),
            );
        }
        refused += 1;
    }
    assert!(refused > 20 && served.gateway.requests().is_empty());
    let relative = served.client().get("/relative").send_signed(&signer("execute-api")).unwrap_err();
    assert!(matches!(relative, SendError::Reqwest(_)), "{relative:?}");
}

#[test]
fn a_wrong_clock_is_corrected_once() {
    let (served, signer) = (served("execute-api"), signer("execute-api"));
    served.gateway.set_clock_offset(3600);
    let request = served.request(Method::POST, "/a%20b?c=d+e").body("hello");
    assert_eq!(request.send_signed(&signer).unwrap().status(), 200);
    let [first, second] = <[_; 2]>::try_from(served.gateway.requests()).unwrap();
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (403, 200));
    assert_eq!((&first.body, &first.target), (&second.body, &second.target));
    assert_ne!(first.header("authorization"), second.header("authorization"));
    assert_eq!(second.headers.get_all("x-amz-date").iter().count(), 1);
    // It is remembered.
    assert_eq!(served.request(Method::GET, "/").send_signed(&signer).unwrap().status(), 200);
    assert_eq!(served.gateway.requests().len(), 3);

    let stubborn =
        signing("execute-api").retry_on_auth_error(false).clock_skew_correction(false).build().unwrap();
    let response = served.request(Method::GET, "/").send_signed(&stubborn).unwrap();
    assert_eq!((response.status(), served.gateway.requests().len()), (StatusCode::FORBIDDEN, 4));
}

fn rotating_keys(turn: usize) -> Credentials {
    Credentials::new(format!("AKIDEXAMPLE{turn}"), SECRET, Some(TOKEN.into()), None, "test")
}

/// A provider that gives other credentials each time, after a while.
fn rotating(served: &Served) -> (FakeProvider, Signer) {
    for turn in 0..3 {
        served.gateway.add_credentials(rotating_keys(turn));
    }
    let provider = FakeProvider::from_async_fn(|call| async move {
        tokio::time::sleep(Duration::from_millis(2)).await;
        Ok(rotating_keys(call))
    });
    let signer = signing("s3").credentials(provider.clone()).build().unwrap();
    (provider, signer)
}

#[test]
fn expired_credentials_are_replaced_once() {
    let served = served("s3");
    let (provider, signer) = rotating(&served);
    served.gateway.expire("AKIDEXAMPLE0");
    let response = served.request(Method::PUT, "/key").send_signed_reader(&b"hello"[..], &signer).unwrap();
    assert_eq!(response.status(), 200);
    let received = served.gateway.requests();
    assert_eq!(
        received.iter().map(|one| one.error_type).collect::<Vec<_>>(),
        [Some("ExpiredTokenException"), None]
    );
    assert!(received.iter().all(|one| one.body == "hello"));
    assert_eq!(provider.calls(), 2);

    served.gateway.expire("AKIDEXAMPLE1");
    served.gateway.expire("AKIDEXAMPLE2");
    let response = served.request(Method::GET, "/key").send_signed(&signer).unwrap();
    assert_eq!(response.headers()["x-amzn-errortype"], "ExpiredTokenException");
    assert!(response.text().unwrap().contains("expired"), "the last response is the caller's");
    assert_eq!(served.gateway.requests().len(), 4);
}

/// S3 gives the code in the body, which the caller gets whole, however long it is.
#[test]
fn a_refusal_whose_body_was_read_is_whole() {
    for (length, tries) in [(100, 2), (200_000, 2)] {
        let served = served("s3");
        let (_, signer) = rotating(&served);
        let text = format!("<Error><Code>ExpiredToken</Code></Error>{}", "x".repeat(length));
        let refusal = Response::builder()
            .status(400)
            .header("x-told", "1")
            .header("x-amz-request-id", "4442587FB7D0A2F9")
            .body(Bytes::from(text.clone()));
        served.gateway.respond_with(refusal.unwrap());
        let response = served.request(Method::GET, "/key").send_signed(&signer).unwrap();
        assert!(response.text().unwrap() == text);
        assert_eq!(served.gateway.requests().len(), tries);

        // Another code: read, and handed on.
        let text = text.replace("ExpiredToken", "NoSuchUpload");
        let refusal = Response::builder()
            .status(400)
            .header("x-told", "1")
            .header("x-amz-request-id", "4442587FB7D0A2F9")
            .body(Bytes::from(text.clone()));
        served.gateway.respond_with(refusal.unwrap());
        let response = served.request(Method::GET, "/key").send_signed(&signer).unwrap();
        assert_eq!(
            (response.status(), &response.headers()["x-told"]),
            (StatusCode::BAD_REQUEST, &"1".parse().unwrap())
        );
        assert_eq!(response.url().path(), "/key");
        assert!(response.text().unwrap() == text);
        assert_eq!(served.gateway.requests().len(), tries + 1);
    }
}

#[test]
fn redirects_are_not_followed_and_noticed_where_they_were() {
    let (served, signer) = (served("execute-api"), signer("execute-api"));
    let elsewhere = format!("{}/elsewhere", served.gateway.url());
    served.gateway.redirect_next(2, StatusCode::TEMPORARY_REDIRECT, elsewhere.parse().unwrap());
    let response = served.request(Method::POST, "/").body("x").send_signed(&signer).unwrap();
    assert_eq!((response.status(), served.gateway.requests().len()), (StatusCode::TEMPORARY_REDIRECT, 1));

    let follows = Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let error = follows.get(served.gateway.url()).send_signed(&signer).unwrap_err();
    assert_eq!(kind(&error), ErrorKind::Redirected);
}

#[test]
fn one_signer_serves_many_threads() {
    let served = served("execute-api");
    let signer = signing("execute-api").build().unwrap();
    let client = served.client();
    std::thread::scope(|scope| {
        for n in 0..16 {
            let (client, signer, url) = (&client, &signer, format!("{}/{n}", served.gateway.url()));
            scope.spawn(move || assert_eq!(client.get(url).send_signed(signer).unwrap().status(), 200));
        }
    });
    assert_eq!(served.gateway.requests().len(), 16);
}

#[test]
fn beside_async_code_it_does_not_panic() {
    let served = served("s3");
    let (_, signer) = rotating(&served);
    let request = served.request(Method::GET, "/");
    let refused = served.client().get("https://api.example.com/");
    served.runtime.block_on(async {
        let own = signer.clone();
        let sent = tokio::task::spawn_blocking(move || request.send_signed(&own).unwrap().status());
        assert_eq!(sent.await.unwrap(), 200);
        // Refused before reqwest sees it; and the last clone goes in async code.
        assert_eq!(kind(&refused.send_signed(&signer).unwrap_err()), ErrorKind::OriginNotAllowed);
        drop(signer);
    });
}
