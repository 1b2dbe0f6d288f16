//! The running server: its settings, faults, HTTP/2, many clients, garbage, limits, logs, and its end.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sigv4_middleware::IamGateway;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::wire::*;
use crate::support::{KEY, SECRET, Seen, TOKEN, role};

fn signed(gateway: &IamGateway) -> Call {
    Signing::with(role()).sign(gateway, Call::new("GET", "/"))
}

#[tokio::test]
async fn starts_with_the_system_clock() {
    let gateway = IamGateway::start(role()).await.unwrap();
    assert_eq!(gateway.url(), format!("http://127.0.0.1:{}", gateway.addr().port()));
    let signing =
        Signing { region: "us-east-1", time: std::time::SystemTime::now(), ..Signing::with(role()) };
    call(&gateway, &signing.sign(&gateway, Call::new("GET", "/"))).await.assert(200, "");
}

#[tokio::test]
async fn responds_as_configured() {
    let gateway = gateway_of(role()).await;
    let response =
        Response::builder().status(201).header("x-a", "b").body(Bytes::from_static(b"made")).unwrap();
    gateway.respond_with(response);
    let response = call(&gateway, &signed(&gateway)).await;
    assert_eq!((response.assert(201, "").header("x-a"), response.body.as_str()), (Some("b"), "made"));
}

#[tokio::test]
async fn faults_meet_authorised_requests_in_order() {
    let gateway = gateway_of(role()).await;
    let request = signed(&gateway);
    gateway.fail_next(1, StatusCode::INTERNAL_SERVER_ERROR);
    gateway.redirect_next(
        1,
        StatusCode::TEMPORARY_REDIRECT,
        HeaderValue::from_static("http://127.0.0.1:9/x"),
    );
    for status in [429, 503, 504, 502, 418] {
        gateway.fail_next(1, StatusCode::from_u16(status).unwrap());
    }
    let unsigned = Call::new("GET", "/").header("host", "h");
    call(&gateway, &unsigned).await.assert(403, "MissingAuthenticationTokenException");
    let response = call(&gateway, &request).await;
    assert_eq!(response.assert(500, "InternalServerErrorException").message(), "Internal server error");
    let response = call(&gateway, &request).await;
    assert_eq!(response.assert(307, "").header("location"), Some("http://127.0.0.1:9/x"));
    for (status, error) in [
        (429, "TooManyRequestsException"),
        (503, "ServiceUnavailableException"),
        (504, "GatewayTimeoutException"),
        (502, "InternalServerErrorException"),
        (418, "BadRequestException"),
        (200, ""),
    ] {
        call(&gateway, &request).await.assert(status, error);
    }
}

#[tokio::test]
async fn bodies_are_bounded() {
    let gateway = builder().credentials(role()).max_body(4).start().await.unwrap();
    let sign = |body: &str| Signing::with(role()).sign(&gateway, Call::new("POST", "/").body(body));
    call(&gateway, &sign("1234")).await.assert(200, "");
    let response = call(&gateway, &sign("12345")).await;
    assert_eq!(response.assert(413, "RequestTooLargeException").message(), "Request Too Long");
    assert_eq!(gateway.requests()[1].status, 413);
    // A chunk that is not one.
    let broken = String::from_utf8(sign("zz\r\n").bytes()).unwrap();
    let broken = broken.replace("content-length: 4", "transfer-encoding: chunked");
    Wire::to(&gateway).send(broken.as_bytes()).await.assert(400, "BadRequestException");
}

#[tokio::test]
async fn speaks_http2_without_tls() {
    let gateway = gateway_of(role()).await;
    let stream = TcpStream::connect(gateway.addr()).await.unwrap();
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    for (path, status) in [("/a%20b?c=d", 200), ("/a%20b?c=e", 403)] {
        let good = Signing::with(role()).sign(&gateway, Call::new("POST", "/a%20b?c=d").body("x"));
        let mut request = http::Request::post(format!("{}{path}", gateway.url()));
        for (name, value) in good.headers.iter().filter(|(name, _)| name != b"host") {
            request = request.header(&name[..], &value[..]);
        }
        let response =
            client.send_request(request.body(Full::new(Bytes::from_static(b"x"))).unwrap()).await.unwrap();
        assert_eq!(response.status(), status);
        response.into_body().collect().await.unwrap();
    }
    let received = &gateway.requests()[0];
    assert_eq!((received.version, received.target.as_str()), (Version::HTTP_2, "/a%20b?c=d"));
    assert_eq!(received.header("host"), Some(gateway.addr().to_string().as_str()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_at_once() {
    let gateway = Arc::new(gateway_of(role()).await);
    gateway.expire_after(150, KEY);
    let tasks = (0..20).map(|n| {
        let gateway = Arc::clone(&gateway);
        tokio::spawn(async move {
            let good =
                Signing::with(role()).sign(&gateway, Call::new("PUT", &format!("/{n}")).body(n.to_string()));
            let mut wire = Wire::to(&gateway);
            let mut ok = 0;
            for _ in 0..10 {
                ok += usize::from(wire.send(&good.bytes()).await.status == 200);
            }
            ok
        })
    });
    let mut ok = 0;
    for task in tasks.collect::<Vec<_>>() {
        ok += task.await.unwrap();
    }
    assert_eq!((ok, gateway.requests().len()), (150, 200));
    for received in gateway.requests() {
        assert_eq!(&received.target.as_bytes()[1..], &received.body[..]);
    }
}

#[tokio::test]
async fn garbage_is_survived() {
    let gateway = gateway_of(role()).await;
    let mut random = fastrand::Rng::with_seed(1);
    let good = signed(&gateway).bytes();
    for round in 0..300 {
        let mut bytes = if round % 2 == 0 { good.clone() } else { (0..200).map(|_| random.u8(..)).collect() };
        for _ in 0..random.usize(1..20) {
            let at = random.usize(..bytes.len());
            match random.u8(..3) {
                0 => bytes[at] = random.u8(..),
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, random.u8(..)),
            }
        }
        let mut stream = TcpStream::connect(gateway.addr()).await.unwrap();
        // The server may close first.
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
    // Well-formed HTTP with wild values in every place.
    let wild = [
        "",
        "=",
        "/",
        "////",
        "AWS4-HMAC-SHA256 Credential=////,SignedHeaders=;,Signature=",
        "é",
        "%",
        "\t",
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/ap-northeast-1/execute-api/aws4_request, \
         SignedHeaders=host;x-amz-date;x-amz-security-token;é, Signature=0",
    ];
    let mut wire = Wire::to(&gateway);
    for header in ["authorization", "host", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"] {
        for value in wild {
            let mut call = signed(&gateway);
            call.set(header, value);
            wire.send(&call.bytes())
                .await
                .assert(403, gateway.requests().last().unwrap().error_type.unwrap());
        }
    }
    call(&gateway, &signed(&gateway)).await.assert(200, "");
}

#[tokio::test]
async fn ends_when_dropped() {
    let gateway = gateway_of(role()).await;
    let addr = gateway.addr();
    let mut open = TcpStream::connect(addr).await.unwrap();
    call(&gateway, &signed(&gateway)).await.assert(200, "");
    drop(gateway);
    assert_eq!(open.read(&mut [0]).await.unwrap_or(0), 0);
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn nothing_secret_is_logged_or_sent_back() {
    let gateway = gateway_of(role()).await;
    let signing = Signing::with(role());
    let get = || Call::new("GET", "/").header("cookie", "session=hunter2");
    let calls = [
        signing.sign(&gateway, get()),
        signing.presign(&gateway, get(), 60),
        signing.sign(&gateway, get()).edit_authorization("Signature=", "Signature=0"),
        signing.presign(&gateway, Call { method: b"PUT".into(), ..get() }, 60),
    ];
    let log = Seen::default();
    let guard = log.capture();
    tracing::trace!("the log is read");
    let mut seen = String::new();
    for mut request in calls {
        if request.method == b"PUT" {
            request.method = b"GET".into();
        }
        seen += &format!("{:?}", call(&gateway, &request).await);
    }
    drop(guard);
    seen += &log.text();
    seen += &format!("{:?} {gateway:?} {:?}", gateway.requests(), builder().credentials(role()));
    assert!(seen.contains("the log is read") && seen.contains("[redacted]"), "{seen}");
    let token: String =
        percent_encoding::utf8_percent_encode(TOKEN, percent_encoding::NON_ALPHANUMERIC).collect();
    for secret in [SECRET, TOKEN, &token, "hunter2"] {
        assert!(!seen.contains(secret), "{secret}: {seen}");
    }
}
