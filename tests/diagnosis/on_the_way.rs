//! A proxy between client and server that changes one thing at a time.

use bytes::Bytes;
use sigv4_middleware::diagnosis::Cause;
use sigv4_middleware::{IamGateway, RefusalStyle};

use crate::between::{Change, reauthorize, remove, retarget, set};
use crate::client::{recording, through};
use crate::support::*;

/// A change, the cause that the diagnosis has to name, and the part of the request.
type Row = (&'static str, Change, Cause, Option<&'static str>);

fn changes() -> Vec<Row> {
    use Cause as Is;
    vec![
        ("method", |r| *r.method_mut() = http::Method::POST, Is::SignatureMismatchMethod, Some("method")),
        (
            "Host of the backend",
            |r| set(r, "host", "backend.internal"),
            Is::SignatureMismatchHost,
            Some("header host"),
        ),
        (
            "port of Host removed",
            |r| set(r, "host", "127.0.0.1"),
            Is::SignatureMismatchHost,
            Some("header host"),
        ),
        (
            "Host with a default port",
            |r| set(r, "host", "127.0.0.1:80"),
            Is::SignatureMismatchHost,
            Some("header host"),
        ),
        (
            "path prefix removed",
            |r| retarget(r, "/prod/", "/"),
            Is::SignatureMismatchPathNormalization,
            Some("path"),
        ),
        (
            "path prefix added",
            |r| retarget(r, "/prod/", "/v1/prod/"),
            Is::SignatureMismatchPathNormalization,
            Some("path"),
        ),
        (
            "slash added to the path",
            |r| retarget(r, "c-d?", "c-d/?"),
            Is::SignatureMismatchPathNormalization,
            Some("path"),
        ),
        ("// merged", |r| retarget(r, "//", "/"), Is::SignatureMismatchPathNormalization, Some("path")),
        ("%40 decoded", |r| retarget(r, "%40", "@"), Is::SignatureMismatchPathEncoding, Some("path")),
        (
            "escapes in lower case",
            |r| retarget(r, "%C3%BC", "%c3%bc"),
            Is::SignatureMismatchPathEncoding,
            Some("path"),
        ),
        ("- escaped", |r| retarget(r, "c-d", "c%2Dd"), Is::SignatureMismatchPathEncoding, Some("path")),
        (
            "parameter added",
            |r| retarget(r, "a=1", "a=1&utm=x"),
            Is::SignatureMismatchQueryAltered,
            Some("query"),
        ),
        ("parameter removed", |r| retarget(r, "a=1&", ""), Is::SignatureMismatchQueryAltered, Some("query")),
        (
            "parameter changed",
            |r| retarget(r, "a=1", "a=2"),
            Is::SignatureMismatchQueryAltered,
            Some("query"),
        ),
        (
            "parameter repeated",
            |r| retarget(r, "a=1", "a=1&a=1"),
            Is::SignatureMismatchQueryAltered,
            Some("query"),
        ),
        (
            "query removed",
            |r| retarget(r, "?a=1&b=x%20y&c=p%2Bq", ""),
            Is::SignatureMismatchQueryAltered,
            Some("query"),
        ),
        ("%2B decoded", |r| retarget(r, "%2B", "+"), Is::SignatureMismatchQueryAltered, Some("query")),
        (
            "%20 escaped again",
            |r| retarget(r, "%20", "%2520"),
            Is::SignatureMismatchQueryEncoding,
            Some("query"),
        ),
        (
            "charset added",
            |r| set(r, "content-type", "application/json; charset=utf-8"),
            Is::SignatureMismatchContentType,
            Some("header content-type"),
        ),
        (
            "another content-type",
            |r| set(r, "content-type", "application/octet-stream"),
            Is::SignatureMismatchContentType,
            Some("header content-type"),
        ),
        (
            "header changed",
            |r| set(r, "x-amz-meta-a", "one three"),
            Is::SignatureMismatchHeaderAltered,
            Some("header x-amz-meta-a"),
        ),
        (
            "header removed",
            |r| remove(r, "x-amz-meta-a"),
            Is::SignatureMismatchHeaderMissing,
            Some("header x-amz-meta-a"),
        ),
        (
            "second value added",
            |r| assert!(r.headers_mut().append("x-amz-meta-a", "three".parse().unwrap())),
            Is::SignatureMismatchHeaderAltered,
            Some("header x-amz-meta-a"),
        ),
        (
            "white space",
            |r| set(r, "x-amz-meta-a", "one\ttwo"),
            Is::SignatureMismatchHeaderWhitespace,
            Some("header x-amz-meta-a"),
        ),
        (
            "user agent extended",
            |r| set(r, "user-agent", "tests (via proxy)"),
            Is::SignatureMismatchHeaderAltered,
            Some("header user-agent"),
        ),
        (
            "accept-encoding rewritten",
            |r| set(r, "accept-encoding", "gzip(gfe)"),
            Is::SignatureMismatchHeaderAltered,
            Some("header accept-encoding"),
        ),
        (
            "accept-encoding removed",
            |r| remove(r, "accept-encoding"),
            Is::SignatureMismatchHeaderMissing,
            Some("header accept-encoding"),
        ),
        ("x-amz-* header added", |r| set(r, "x-amz-meta-b", "b"), Is::UnsignedHeadersPresent, None),
        ("region rewritten", |r| reauthorize(r, REGION, "us-east-1"), Is::ScopeRegionWrong, None),
        ("service rewritten", |r| reauthorize(r, "/REPLACED/", "/es/"), Is::ScopeServiceWrong, None),
        (
            "body replaced",
            |r| *r.body_mut() = Bytes::from_static(b"{}"),
            Is::SignatureMismatchPayloadHash,
            Some("payload hash"),
        ),
        (
            "body removed",
            |r| *r.body_mut() = Bytes::new(),
            Is::SignatureMismatchPayloadHash,
            Some("payload hash"),
        ),
        (
            "body compressed",
            |r| {
                set(r, "content-encoding", "gzip");
                *r.body_mut() =
                    Bytes::from_static(b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x01\0\0\xff\xff\0\0\0\0\0\0\0\0");
            },
            Is::SignatureMismatchPayloadHash,
            Some("payload hash"),
        ),
        (
            "Authorization replaced",
            |r| set(r, "authorization", "Bearer a.b.c"),
            Is::AuthorizationSchemeWrong,
            None,
        ),
        (
            "Authorization cut",
            |r| {
                let value = r.headers()["authorization"].to_str().unwrap().to_owned();
                set(r, "authorization", value.split(", SignedHeaders").next().unwrap());
            },
            Is::AuthorizationHeaderMalformed,
            None,
        ),
    ]
}

async fn named(service: &'static str, style: RefusalStyle) {
    let gateway =
        IamGateway::builder().service(service).region(REGION).credentials(role()).refusal_style(style);
    let gateway = gateway.start().await.unwrap();
    let signer = recording(service)
        .sign_header(http::header::USER_AGENT)
        .sign_header(http::header::ACCEPT_ENCODING)
        .build()
        .unwrap();
    assert!(through(&signer, &gateway, |_| ()).await.is_none(), "a request that is not changed is accepted");
    let mut off = Vec::new();
    let mut right = 0;
    println!("{service}: what the proxy changed, and the diagnosis");
    for (what, change, mut cause, mut part) in changes() {
        // S3 signs the path as it is; the others normalize it and decode what is not escaped.
        let s3 = service == "s3";
        let change: Change = match what {
            "// merged" | "%40 decoded" | "escapes in lower case" if !s3 && what == "// merged" => continue,
            "service rewritten" if s3 => |r| reauthorize(r, "/s3/", "/es/"),
            "service rewritten" => |r| reauthorize(r, "/execute-api/", "/es/"),
            _ => change,
        };
        // API Gateway quotes no more of what arrived than its hash, so that two causes are left.
        let is_open = !s3 && what.starts_with("Authorization");
        if s3 && part == Some("payload hash") {
            (cause, part) = (Cause::PayloadHashMismatch, None);
        }
        let diagnosis = through(&signer, &gateway, change).await;
        let given = diagnosis
            .as_ref()
            .map(|given| given.causes().iter().map(|cause| cause.as_str()).collect::<Vec<_>>());
        let given = given.unwrap_or_default().join(" | ");
        let difference = diagnosis.as_ref().and_then(|given| given.difference());
        let differs = difference.map(|difference| difference.part.clone());
        let is_right = diagnosis
            .as_ref()
            .is_some_and(|given| given.causes().contains(&cause) && (given.is_certain() || is_open))
            && (part.is_none() || differs.as_deref() == part);
        let mark = if is_right { "" } else { "  <-- wrong" };
        println!("{what:28} {given:44} {}{mark}", differs.unwrap_or_default());
        right += usize::from(is_right);
        if !is_right {
            let report = diagnosis.map(|given| given.to_string()).unwrap_or_default();
            off.push(format!("{what}: expected {} {part:?}, got {given}\n{report}", cause.as_str()));
        }
    }
    println!("{service}: {right} changes named");
    assert!(off.is_empty(), "{} wrong:\n{}", off.len(), off.join("\n\n"));
    assert!(right >= 30, "{right}");
}

#[tokio::test]
async fn is_named_by_the_diagnosis_at_an_api() {
    named("execute-api", RefusalStyle::ApiGateway).await;
}

#[tokio::test]
async fn is_named_by_the_diagnosis_at_s3() {
    named("s3", RefusalStyle::S3).await;
}
