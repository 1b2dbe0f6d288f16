//! What the documentation promises of errors, unsigned requests and Debug, where it was found not to hold once.

use std::io;

use futures_util::stream::{self, StreamExt};
use http::{HeaderMap, Method, Request, Uri};
use http_body::Frame;
use http_body_util::StreamBody;
use sha2::{Digest, Sha256};
use sigv4_middleware::overrides::SkipSigning;
use sigv4_middleware::{Error, ErrorKind, PayloadMode, PresigningConfig, Signer};

use crate::support::*;

/// Nothing tells by then how much of the request a server has.
#[tokio::test]
async fn a_body_that_was_cut_off_was_sent_in_part() {
    let gateway = gateway("s3").await;
    for (integration, http) in wrapping_ways() {
        let frames = ["aaaa", "bbbb"].map(|data| Ok(Frame::data(bytes::Bytes::from(data))));
        let trailers = Ok(Frame::trailers(HeaderMap::new()));
        let body = boxed(StreamBody::new(stream::iter(frames).chain(stream::iter([trailers]))));
        let mode = PayloadMode::Sha256Checked(Sha256::digest("aaaabbbb").into());
        let signer = signing("s3").payload_mode(mode).build().unwrap();
        let put = Request::put(format!("{}/key", gateway.url())).body(body).unwrap();
        let error = in_time(integration.send_to(http, gateway.addr(), &signer, put)).await.err().unwrap();
        let error = found(&error);
        assert_eq!(error.kind(), ErrorKind::BodyTrailers, "{integration:?} {http:?}");
        assert!(error.was_sent(), "{integration:?} {http:?}");
    }
}

#[test]
fn an_error_is_found_in_an_io_error() {
    let error =
        futures_util::FutureExt::now_or_never(signer("s3").sign(&mut Request::new(()).into_parts().0, ""));
    let error = error.unwrap().unwrap_err();
    let wrapped = io::Error::other(io::Error::other(error));
    assert_eq!(Error::find(&wrapped).map(Error::kind), Some(ErrorKind::InvalidUri));
}

/// Headers alone cannot remove one.
#[tokio::test]
async fn headers_that_would_have_to_be_removed_are_errors() {
    let uri: Uri = "http://localhost:9/".parse().unwrap();
    let signed = async |name: &'static str, value: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-date", "20150830T123600Z".parse().unwrap());
        headers.insert(name, value.parse().unwrap());
        let signer = signing("execute-api").credentials(user()).build().unwrap();
        signer.signed_headers(&Method::GET, &uri, &headers, "").await.map_err(|error| error.kind())
    };
    assert!(signed("x-amz-date", "20150830T123600Z").await.is_ok(), "it is replaced");
    assert_eq!(signed("host", "LOCALHOST:9").await, Err(ErrorKind::HostMismatch));
    for stale in ["x-amz-security-token", "x-amz-content-sha256", "x-amz-region-set"] {
        assert_eq!(signed(stale, "x").await, Err(ErrorKind::InvalidHeader), "{stale}");
    }
}

#[tokio::test]
async fn what_is_sent_unsigned_is_so_by_every_way_to_sign() {
    let uri = "https://abc.execute-api.ap-northeast-1.amazonaws.com/";
    let head = |skip: bool| {
        let (mut parts, ()) = Request::get(uri).body(()).unwrap().into_parts();
        if skip {
            parts.extensions.insert(SkipSigning);
        }
        parts
    };
    let disabled = Signer::disabled();
    let details = disabled.sign_with_details(&mut head(false), "").await.unwrap();
    assert_eq!(details.canonical_request(), "");
    for (signer, skip) in [(disabled, false), (signer("execute-api"), true)] {
        let config = PresigningConfig::new(std::time::Duration::from_secs(60));
        let presigned = signer.presign_request(&head(skip), config).await.unwrap();
        assert_eq!(presigned.uri().to_string(), uri);
    }
    let passing = signing("execute-api").pass_through_disallowed_origins(true).build().unwrap();
    let (mut parts, ()) = Request::get("https://example.com/").body(()).unwrap().into_parts();
    let error = passing.sign_with_details(&mut parts, "").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnsupportedPayload);
    assert!(error.to_string().contains("call sign() instead"), "{error}");
}
