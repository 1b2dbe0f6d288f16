//! s3s-fs, called through `reqwest::blocking`: it takes every payload mode, and keeps nothing that is cut off.

use std::io::{self, Cursor, Read};

use reqwest::blocking::{Client, RequestBuilder};
use sigv4_middleware::{AwsChunked, ChecksumAlgorithm, Error, ErrorKind, PayloadMode, SendSigned, Signer};
use sigv4_test_support::s3s::S3s;

use super::s3s::{bytes, modes, signing};

fn signer(mode: PayloadMode) -> Signer {
    signing().payload_mode(mode).build().unwrap()
}

fn put(s3s: &S3s, key: &str) -> RequestBuilder {
    let client: Client =
        sigv4_middleware::reqwest_blocking_client().no_proxy().tls_certs_only([]).build().unwrap();
    client.put(s3s.url(key)).header("expect", "100-continue")
}

#[test]
fn every_payload_mode_is_taken() {
    let Some(s3s) = S3s::start("blocking") else { return };
    for length in [0, 1, 65_536, 200_000] {
        let body = bytes(length);
        for (number, mode) in modes(&body).into_iter().enumerate() {
            let signer = signer(mode.clone());
            let (memory, reader) = (format!("memory-{length}-{number}"), format!("reader-{length}-{number}"));
            let sent = put(&s3s, &memory).body(body.clone()).send_signed(&signer).unwrap();
            assert_eq!(sent.status(), 200, "{length} {mode:?}: {}", sent.text().unwrap());
            assert_eq!(s3s.stored(&memory).as_ref(), Some(&body), "{length} {mode:?}");

            let request = put(&s3s, &reader).header("content-length", length);
            let sent = request.send_signed_reader(Cursor::new(body.clone()), &signer).unwrap();
            assert_eq!(sent.status(), 200, "{length} {mode:?}: {}", sent.text().unwrap());
            assert_eq!(s3s.stored(&reader).as_ref(), Some(&body), "{length} {mode:?}");
        }
    }
}

#[test]
fn a_reader_that_lies_about_its_length_or_fails_leaves_nothing_behind() {
    let Some(s3s) = S3s::start("blocking-lies") else { return };
    let chunked = signer(PayloadMode::AwsChunked(AwsChunked::signed().trailer(ChecksumAlgorithm::Crc32)));
    let body = bytes(200_000);
    for (said, name) in [(199_999, "longer"), (200_001, "shorter"), (1, "much longer")] {
        let request = put(&s3s, name).header("content-length", said);
        let error = request.send_signed_reader(Cursor::new(body.clone()), &chunked).unwrap_err();
        assert_eq!(Error::find(&error).expect(name).kind(), ErrorKind::BodyMismatch, "{error:?}");
        assert_eq!(s3s.stored(name), None);
    }
    let failing = Cursor::new(body.clone()).chain(Failing);
    let request = put(&s3s, "failing").header("content-length", 300_000);
    let error = format!("{:?}", request.send_signed_reader(failing, &chunked).unwrap_err());
    assert!(error.contains("disk gone"), "{error}");
    assert_eq!(s3s.stored("failing"), None);

    let unknown = put(&s3s, "unknown").send_signed_reader(Cursor::new(body.clone()), &chunked).unwrap_err();
    assert_eq!(Error::find(&unknown).unwrap().kind(), ErrorKind::UnsupportedPayload);
    assert!(unknown.to_string().contains("content-length"), "{unknown}");
    let another = signer(PayloadMode::Sha256Checked([7; 32]));
    let request = put(&s3s, "another").header("content-length", body.len());
    let error = request.send_signed_reader(Cursor::new(body), &another).unwrap_err();
    assert_eq!(Error::find(&error).unwrap().kind(), ErrorKind::BodyMismatch);
    assert_eq!(s3s.stored("another"), None);
}

struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("disk gone"))
    }
}
