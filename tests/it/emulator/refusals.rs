//! Each status the gateway can give, provoked by a request that deserves it.

use std::time::Duration;

use aws_credential_types::Credentials;
use sha2::{Digest, Sha256};

use super::wire::*;
use crate::support::{KEY, REGION, SECRET, TOKEN, noon, role, user};

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

#[tokio::test]
async fn a_signed_request_is_let_in_and_recorded() {
    let gateway = gateway_of(role()).await;
    let target = "/prod/items/a%20b?b=1&a=%E3%81%82&a=0&~";
    let request = Call::new("POST", target).header("content-type", "application/json").body(r#"{"a":1}"#);
    let request = Signing::with(role()).sign(&gateway, request);
    let response = call(&gateway, &request).await;
    response.assert(200, "");
    assert_eq!(response.header("date"), Some("Sun, 30 Aug 2015 12:36:00 GMT"));
    assert_eq!(response.header("x-amzn-requestid").unwrap().len(), 36);

    let [received] = gateway.requests().try_into().unwrap();
    assert_eq!((received.method.as_str(), received.target.as_str()), ("POST", target));
    assert_eq!(received.header("x-amz-security-token"), Some(TOKEN));
    assert_eq!(&received.body[..], br#"{"a":1}"#);
    assert_eq!((received.status.as_u16(), received.error_type), (200, None));
    let debug = format!("{received:?} {gateway:?}");
    assert!(!debug.contains(TOKEN) && !debug.contains("Signature="), "{debug}");
    gateway.clear();
    assert!(gateway.requests().is_empty());
}

#[tokio::test]
async fn no_signature() {
    let gateway = gateway_of(role()).await;
    let request = Call::new("GET", "/").header("host", gateway.addr().to_string());
    let response = call(&gateway, &request).await;
    response.assert(403, "MissingAuthenticationTokenException");
    assert_eq!(response.message(), "Missing Authentication Token");
    assert_eq!(gateway.requests()[0].error_type, Some("MissingAuthenticationTokenException"));
    call(&gateway, &Call::new("GET", "/?a=%zz")).await.assert(403, "MissingAuthenticationTokenException");
}

#[tokio::test]
async fn malformed_authorization() {
    let gateway = gateway_of(role()).await;
    let good = Signing::with(role()).sign(&gateway, Call::new("GET", "/"));
    let scope = format!("{KEY}/20150830/{REGION}/execute-api/aws4_request");
    let cases = [
        (good.clone().edit_authorization("Credential=", "Credentials="), "requires 'Credential' parameter"),
        (good.clone().edit_authorization("Signature=", "Sig="), "requires 'Signature' parameter"),
        (good.clone().edit_authorization("SignedHeaders=", "Headers="), "requires 'SignedHeaders' parameter"),
        (good.clone().edit_authorization("Signature=", "Signature"), "missing equal-sign"),
        (
            good.clone().edit_authorization("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"),
            "Unsupported AWS 'algorithm'",
        ),
        (good.clone().edit_authorization(&scope, KEY), "exactly 5 slash-delimited elements"),
        (
            good.clone().edit_authorization("Signature=", "Signature=a, Signature="),
            "more than one 'Signature'",
        ),
        (good.clone().header("authorization", "Bearer x"), "Only one auth mechanism"),
    ];
    for (request, text) in cases {
        let response = call(&gateway, &request).await;
        response.assert(403, "IncompleteSignatureException");
        assert!(response.message().contains(text), "{}", response.message());
    }
    for header in ["Bearer abc", "Basic c2VjcmV0OnRva2Vu==", "", "=", ",,,", "AWS4-HMAC-SHA256", "caf\u{e9}"]
    {
        let mut request = good.clone();
        request.set("authorization", header);
        let response = call(&gateway, &request).await;
        response.assert(403, "IncompleteSignatureException");
        assert!(!response.message().contains("c2VjcmV0"), "the header is echoed: {}", response.message());
    }
    let mut request = good.clone();
    request.set("authorization", b"AWS4 \xff");
    call(&gateway, &request).await.assert(403, "IncompleteSignatureException");
    let mut request = good.clone();
    request.remove("x-amz-date");
    let message = call(&gateway, &request).await.assert(403, "IncompleteSignatureException").message();
    assert!(message.starts_with(
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. (Hashed with"
    ));
    for date in ["20150830", "2015-08-30T12:36Z", "99999999T999999Z", "20150830T123600Z "] {
        request.set("x-amz-date", date);
        let response = call(&gateway, &request).await;
        if date.trim() == "20150830T123600Z" {
            response.assert(200, "")
        } else {
            response.assert(403, "IncompleteSignatureException")
        };
    }
}

#[tokio::test]
async fn wrong_secret_prints_what_was_expected() {
    let gateway = gateway_of(role()).await;
    let wrong = Credentials::new(KEY, "wrong", Some(TOKEN.into()), None, "test");
    let request = Call::new("GET", "/prod/a%20b?z=1&a=%2F").header("x-amz-meta", "  two   words ");
    let response = call(&gateway, &Signing::with(wrong).sign(&gateway, request)).await;
    response.assert(403, "InvalidSignatureException");
    let message = response.message();
    let host = gateway.addr();
    let empty = hex(Sha256::digest(b""));
    let canonical = format!(
        "GET\n/prod/a%2520b\na=%2F&z=1\nhost:{host}\nx-amz-date:20150830T123600Z\nx-amz-meta:two words\n\
         x-amz-security-token:[redacted]\n\nhost;x-amz-date;x-amz-meta;x-amz-security-token\n{empty}"
    );
    let hash = hex(Sha256::digest(canonical.replace("[redacted]", TOKEN)));
    assert_eq!(
        message,
        format!(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
             Access Key and signing method. Consult the service documentation for details.\n\nThe Canonical String \
             for this request should have been\n'{canonical}'\n\nThe String-to-Sign should have been\n\
             'AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/{REGION}/execute-api/aws4_request\n{hash}'\n"
        )
    );
}

/// The printed text is a second canonicalisation: it must be the one whose signature aws-sigv4 computed.
#[tokio::test]
async fn the_printed_strings_are_those_that_were_signed() {
    let targets = [
        "/",
        "//",
        "/a/../b/./c//d",
        "/..",
        "/a/.",
        "/a/..",
        "/a%2Fb/%7E/~:@!$&'()*+,;=",
        "/é/%C3%A9",
        "/?",
        "/?&&",
        "/?a",
        "/?a=&b==c&=d",
        "/?b=2&b=10&B=1&a+b=c+d",
        "/?x=%2f%2F%7e~%20*()'!",
        "/?k[]={}|^`\"<>",
        "/?é=ü",
        "/a?b?c=d?e",
        "/%zz?a=b",
        "/a;b=c/d?e;f",
    ];
    for service in ["execute-api", "s3"] {
        let gateway = builder().credentials(user()).service(service).start().await.unwrap();
        let signing = Signing { service, ..Signing::with(user()) };
        let mut wire = Wire::to(&gateway);
        for target in targets {
            if http::Uri::try_from(target).is_err() {
                continue;
            }
            let call = Call::new("PUT", target)
                .header("x-amz-meta", " a  b \t c")
                .header("x-dup", "1")
                .header("X-Dup", "2  2")
                .header("x-utf8", "é")
                .body("data");
            let good = signing.sign(&gateway, call);
            wire.send(&good.bytes()).await.assert(200, "");
            let mut bad = good.clone();
            bad.set("authorization", good.get("authorization").replace(good.signature(), "0"));
            let response = wire.send(&bad.bytes()).await;
            let (canonical, to_sign) = response.assert(403, "InvalidSignatureException").printed();
            assert_eq!(
                to_sign.lines().last().unwrap(),
                hex(Sha256::digest(&canonical)),
                "{target}\n{canonical}"
            );
            let key = aws_sigv4::sign::v4::generate_signing_key(SECRET, noon(), REGION, service);
            let signature = aws_sigv4::sign::v4::calculate_signature(key, to_sign.as_bytes());
            assert_eq!(signature, good.signature(), "{target}\n{canonical}");
        }
    }
}

#[tokio::test]
async fn dates_beyond_five_minutes() {
    let gateway = gateway_of(role()).await;
    let at = |seconds: i64| {
        let time = noon().checked_add(Duration::from_secs(1000)).unwrap()
            - Duration::from_secs((1000 - seconds) as u64);
        Signing { time, ..Signing::with(role()) }.sign(&gateway, Call::new("GET", "/"))
    };
    for (seconds, text) in [
        (
            -301,
            "Signature expired: 20150830T123059Z is now earlier than 20150830T123100Z (20150830T123600Z - 5 min.)",
        ),
        (
            301,
            "Signature not yet current: 20150830T124101Z is still later than 20150830T124100Z (20150830T123600Z + 5 min.)",
        ),
    ] {
        let response = call(&gateway, &at(seconds)).await;
        assert_eq!(response.assert(403, "InvalidSignatureException").message(), text);
    }
    for seconds in [-300, 300] {
        call(&gateway, &at(seconds)).await.assert(200, "");
    }
    gateway.set_clock_offset(3600);
    let response = call(&gateway, &at(0)).await;
    response.assert(403, "InvalidSignatureException");
    assert_eq!(response.header("date"), Some("Sun, 30 Aug 2015 13:36:00 GMT"));
    call(&gateway, &at(3600 - 3000)).await.assert(403, "InvalidSignatureException");
    for offset in [i64::MIN, i64::MAX] {
        gateway.set_clock_offset(offset);
        call(&gateway, &at(0)).await.assert(403, "InvalidSignatureException");
    }
}

#[tokio::test]
async fn unknown_keys_and_wrong_tokens() {
    let gateway = gateway_of(role()).await;
    let unknown = Credentials::new("AKIDUNKNOWN", SECRET, Some(TOKEN.into()), None, "test");
    let other = Credentials::new(KEY, SECRET, Some("other".into()), None, "test");
    // AWS's message ends in a full stop unless the key is known and the token is not the key's.
    for (credentials, end) in [(unknown, "."), (other, ""), (user(), ".")] {
        let request = Signing::with(credentials.clone()).sign(&gateway, Call::new("GET", "/"));
        let response = call(&gateway, &request).await;
        response.assert(403, "UnrecognizedClientException");
        let message = format!("The security token included in the request is invalid{end}");
        assert_eq!(response.message(), message);
        let request = Signing::with(credentials).presign(&gateway, Call::new("GET", "/"), 60);
        call(&gateway, &request).await.assert(403, "UnrecognizedClientException");
    }
    gateway.add_credentials(user());
    let superfluous = Signing::with(role()).sign(&gateway, Call::new("GET", "/"));
    call(&gateway, &superfluous).await.assert(403, "UnrecognizedClientException");
    let replaced = Signing::with(user()).sign(&gateway, Call::new("GET", "/"));
    call(&gateway, &replaced).await.assert(200, "");
}

#[tokio::test]
async fn expired_and_denied_keys() {
    let gateway = gateway_of(role()).await;
    let request = Signing::with(role()).sign(&gateway, Call::new("GET", "/a?token=1"));
    gateway.deny(KEY);
    let response = call(&gateway, &request).await;
    assert_eq!(
        response.assert(403, "AccessDeniedException").message(),
        format!(
            "User: arn:aws:sts::123456789012:assumed-role/emulated/session is not authorized to perform: \
             execute-api:Invoke on resource: arn:aws:execute-api:{REGION}:********9012:emulated/prod/GET/a"
        )
    );
    gateway.expire(KEY);
    let response = call(&gateway, &request).await;
    let message = response.assert(403, "ExpiredTokenException").message();
    assert_eq!(message, "The security token included in the request is expired");
    gateway.add_credentials(role());
    call(&gateway, &request).await.assert(200, "");
    gateway.expire_after(2, KEY);
    for (status, error) in [(200, ""), (200, ""), (403, "ExpiredTokenException")] {
        call(&gateway, &request).await.assert(status, error);
    }
    gateway.add_credentials(Credentials::new(KEY, SECRET, Some(TOKEN.into()), Some(noon()), "test"));
    call(&gateway, &request).await.assert(403, "ExpiredTokenException");
    gateway.set_clock_offset(-1);
    call(&gateway, &request).await.assert(200, "");
}

#[tokio::test]
async fn wrong_scope() {
    let gateway = gateway_of(role()).await;
    let good = Signing::with(role()).sign(&gateway, Call::new("GET", "/"));
    let region = Signing { region: "us-west-2", ..Signing::with(role()) };
    let service = Signing { service: "lambda", ..Signing::with(role()) };
    let cases = [
        (
            region.sign(&gateway, Call::new("GET", "/")),
            "Credential should be scoped to a valid region, not 'us-west-2'. ",
        ),
        (
            service.sign(&gateway, Call::new("GET", "/")),
            "Credential should be scoped to correct service: 'execute-api'. ",
        ),
        (
            good.clone().edit_authorization("aws4_request", "aws5_request"),
            "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'. ",
        ),
        (
            good.clone().edit_authorization("20150830", "20150831"),
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20150831' != \
             '20150830', from '20150830T123600Z'. ",
        ),
    ];
    for (request, message) in cases {
        assert_eq!(
            call(&gateway, &request).await.assert(403, "InvalidSignatureException").message(),
            message
        );
    }
}

#[tokio::test]
async fn signed_headers_are_held_to() {
    let gateway = gateway_of(role()).await;
    let good = Signing::with(role()).sign(&gateway, Call::new("GET", "/").header("x-other", "1"));
    let edit = |from, to| good.clone().edit_authorization(from, to);
    let listed = "SignedHeaders=host;x-amz-date;x-amz-security-token;x-other";
    let mut two_hosts = good.clone();
    two_hosts.headers.push((b"host".to_vec(), b"evil.example".to_vec()));
    let mut absolute = good.clone();
    absolute.target = b"http://evil.example/".to_vec();
    let cases = [
        (edit("SignedHeaders=host;", "SignedHeaders="), "'Host' or ':authority' must be a 'SignedHeader'"),
        (edit("x-amz-date;", ""), "'x-amz-date' must be a 'SignedHeader'"),
        (edit("x-amz-security-token;", ""), "'x-amz-security-token' must be a 'SignedHeader'"),
        (good.clone().header("x-amz-acl", "public-read"), "'x-amz-acl' must be a 'SignedHeader'"),
        (edit(";x-other", ""), "does not match"),
        (edit("x-other", "x-other;x-zzz"), "x-zzz:"),
        (edit("host;x-amz-date", "x-amz-date;host"), "sorted"),
        (edit("host;", "Host;"), "lower-case"),
        (edit("host;", "host;host;"), "only once"),
        (edit("=host;", "=authorization;host;"), "cannot be signed"),
        (good.clone().header("x-other", "2"), "does not match"),
        (two_hosts, "exactly one host"),
        (absolute, "exactly one host"),
    ];
    call(&gateway, &good).await.assert(200, "");
    assert!(good.get("authorization").contains(listed));
    for (request, text) in cases {
        let response = call(&gateway, &request).await;
        response.assert(403, "InvalidSignatureException");
        assert!(response.message().contains(text), "{text}: {}", response.message());
    }
    let mut not_utf8 = good.clone();
    not_utf8.set("x-other", b"caf\xe9");
    let message = call(&gateway, &not_utf8).await.assert(403, "InvalidSignatureException").message();
    assert!(message.contains("'x-other' is not UTF-8"), "{message}");
    let unsigned_bytes = good.clone().header("x-unsigned", b"caf\xe9");
    call(&gateway, &unsigned_bytes).await.assert(200, "");
}

#[tokio::test]
async fn targets_that_decode_to_something_else_are_refused() {
    let gateway = gateway_of(role()).await;
    // aws-sigv4 signs both as U+FFFD: the same signature fits either.
    let good = Signing::with(role()).sign(&gateway, Call::new("GET", "/?a=%EF%BF%BD"));
    call(&gateway, &good).await.assert(200, "");
    for target in ["/?a=%FF", "/?a=%E9", "/?a=%", "/?a=%2", "/?a=%g1", "/?%FF=%EF%BF%BD"] {
        let mut request = good.clone();
        request.target = target.into();
        call(&gateway, &request).await.assert(403, "InvalidSignatureException");
    }
    for (method, target) in [("OPTIONS", "*"), ("CONNECT", "127.0.0.1:1")] {
        let mut request = good.clone();
        (request.method, request.target) = (method.into(), target.into());
        call(&gateway, &request).await.assert(403, "InvalidSignatureException");
    }
    // Grows past 64 KiB when encoded again, where aws-sigv4 panics.
    let mut request = good.clone();
    request.target = format!("/?a={}", "*".repeat(40_000)).into();
    call(&gateway, &request).await.assert(414, "RequestTooLargeException");
}

#[tokio::test]
async fn presigned_urls() {
    let gateway = gateway_of(role()).await;
    let signing = Signing::with(role());
    let good = signing.presign(&gateway, Call::new("GET", "/a%20b?x=1&y=%2F"), 60);
    call(&gateway, &good).await.assert(200, "");
    let edit = |from: &str, to: &str| {
        let target = String::from_utf8(good.target.clone()).unwrap();
        assert!(target.contains(from), "{target}");
        Call { target: target.replacen(from, to, 1).into(), ..good.clone() }
    };
    let cases = [
        (edit("x=1", "x=2"), "InvalidSignatureException"),
        (edit("/a%20b", "/a%20c"), "InvalidSignatureException"),
        (edit("Expires=60", "Expires=61"), "InvalidSignatureException"),
        (edit("Expires=60", "Expires=060"), "IncompleteSignatureException"),
        (edit("Expires=60", "Expires=604801"), "IncompleteSignatureException"),
        (edit("X-Amz-Expires", "X-Amz-Ex"), "IncompleteSignatureException"),
        (edit("X-Amz-Algorithm", "X-Amz-Algo"), "IncompleteSignatureException"),
        (edit("X-Amz-Signature=", "X-Amz-Signature=0"), "InvalidSignatureException"),
        (edit("123600Z", "123559Z"), "InvalidSignatureException"),
        (edit("%2Fexecute", "%2Flambda"), "InvalidSignatureException"),
        (edit("Token=", "Token=x"), "UnrecognizedClientException"),
        (good.clone().header("authorization", "Bearer x"), "IncompleteSignatureException"),
        (good.clone().header("x-amz-acl", "x"), "InvalidSignatureException"),
        (good.clone().body("data"), "InvalidSignatureException"),
        (edit("x=1", "x=1&X-Amz-Date=20150830T123600Z"), "IncompleteSignatureException"),
    ];
    for (request, error) in cases {
        call(&gateway, &request).await.assert(403, error);
    }
    let message = call(&gateway, &edit("x=1", "x=2")).await.message();
    assert!(
        message.contains("&X-Amz-Security-Token=[redacted]&X-Amz-SignedHeaders=host&x=2&y=%2F\n"),
        "{message}"
    );
    gateway.set_clock_offset(60);
    call(&gateway, &good).await.assert(200, "");
    gateway.set_clock_offset(61);
    assert_eq!(
        call(&gateway, &good).await.assert(403, "InvalidSignatureException").message(),
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T123701Z - 1 min.)"
    );
}

#[tokio::test]
async fn service_profiles() {
    let s3 = builder().credentials(role()).service("s3").start().await.unwrap();
    let signing = Signing { service: "s3", ..Signing::with(role()) };
    let good = signing.sign(&s3, Call::new("PUT", "/b//a/../%7E%2f+(1)").body("data"));
    call(&s3, &good).await.assert(200, "");
    let mut tampered = good.clone();
    tampered.body = b"Data".to_vec();
    let message = call(&s3, &tampered).await.assert(403, "InvalidSignatureException").message();
    assert_eq!(message, "The provided 'x-amz-content-sha256' header does not match what was computed.");
    let unsigned = Signing { service: "s3", unsigned_payload: true, ..Signing::with(role()) };
    call(&s3, &unsigned.sign(&s3, Call::new("PUT", "/b/k").body("any"))).await.assert(200, "");
    call(&s3, &unsigned.presign(&s3, Call::new("PUT", "/b/k").body("any"), 9)).await.assert(200, "");
    let streaming = signing.sign(&s3, Call::new("PUT", "/b/k"));
    let mut streaming = streaming.clone();
    streaming.set("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
    call(&s3, &streaming).await.assert(501, "NotImplementedException");

    for service in ["aoss", "vpc-lattice-svcs"] {
        let gateway = builder().credentials(role()).service(service).start().await.unwrap();
        for unsigned_payload in [true, false] {
            let signing = Signing { service, unsigned_payload, ..Signing::with(role()) };
            let response = call(&gateway, &signing.sign(&gateway, Call::new("PUT", "/a//b").body("x"))).await;
            if unsigned_payload == (service == "vpc-lattice-svcs") {
                response.assert(200, "");
            } else {
                response.assert(403, "InvalidSignatureException");
            }
        }
        let mut without = Signing { service, ..Signing::with(role()) }.sign(&gateway, Call::new("GET", "/"));
        without.remove("x-amz-content-sha256");
        let without = without.edit_authorization("x-amz-content-sha256;", "");
        let message = call(&gateway, &without).await.assert(403, "InvalidSignatureException").message();
        assert!(message.contains("Missing required header"), "{message}");
    }
}
