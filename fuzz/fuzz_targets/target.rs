//! Any request target: the form that is sent is a fixpoint, and means the same as the original.
#![no_main]

use std::cell::LazyCell;
use std::time::{Duration, UNIX_EPOCH};

use arbitrary::{Arbitrary, Unstructured};
use aws_credential_types::Credentials;
use http::Uri;
use http::request::Parts;
use libfuzzer_sys::{Corpus, fuzz_target};
use percent_encoding::percent_decode_str;
use sigv4_middleware::{ErrorKind, PlusInQuery, Signer, SigningSettings};
use sigv4_middleware_fuzz::signed::check_uri;
use sigv4_middleware_fuzz::{FixedClock, run, text};

const SIGNATURE: [&str; 9] = [
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-region-set",
    "x-amz-s3session-token",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
];

fuzz_target!(|data: &[u8]| -> Corpus {
    let Ok((uri, literal, strict)) = input(&mut Unstructured::new(data)) else { return Corpus::Reject };
    thread_local! {
        static SPACE: LazyCell<Signer> = LazyCell::new(|| signer(PlusInQuery::Space));
        static LITERAL: LazyCell<Signer> = LazyCell::new(|| signer(PlusInQuery::Literal));
    }
    let plus = if literal { &LITERAL } else { &SPACE };
    let sign = |uri: &Uri| plus.with(|signer| sign(signer, uri, strict));
    let once = match sign(&uri) {
        Ok(once) => once,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidUri, "{error}");
            return Corpus::Keep;
        }
    };
    let twice = sign(&once.uri).expect("a rewritten target can be signed");
    assert_eq!(once.uri.to_string(), twice.uri.to_string(), "a fixpoint");
    assert_eq!(once.headers, twice.headers);
    check_uri(&uri, &once.uri);

    // Decoded, both are equal, except for parameters of a signature and empty ones.
    let path = |uri: &Uri| -> Vec<Vec<u8>> {
        // An escaped slash does not separate segments.
        uri.path().split('/').map(|segment| percent_decode_str(segment).collect()).collect()
    };
    assert_eq!(path(&uri), path(&once.uri));
    assert_eq!(parameters(&uri, literal), parameters(&once.uri, true));
    if strict {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%/".contains(&byte);
        assert!(once.uri.path().bytes().all(allowed), "{}", once.uri.path());
    } else if uri.path().is_ascii() {
        assert_eq!(uri.path(), once.uri.path(), "other paths are sent unchanged");
    }
    Corpus::Keep
});

fn input(u: &mut Unstructured<'_>) -> arbitrary::Result<(Uri, bool, bool)> {
    let (literal, strict) = (bool::arbitrary(u)?, bool::arbitrary(u)?);
    let uri = Uri::builder().scheme("https").authority("example.com").path_and_query(text::target(u)?);
    Ok((uri.build().map_err(|_| arbitrary::Error::IncorrectFormat)?, literal, strict))
}

fn signer(plus: PlusInQuery) -> Signer {
    Signer::builder()
        .credentials(Credentials::new("AKIDEXAMPLE", "secret", None, None, "fuzz"))
        .service("execute-api")
        .region("eu-west-1")
        .allow_host("example.com")
        .plus_in_query(plus)
        .time_source(FixedClock(UNIX_EPOCH + Duration::from_secs(1_440_938_160)))
        .build()
        .expect("a signer")
}

fn sign(signer: &Signer, uri: &Uri, strict: bool) -> Result<Parts, sigv4_middleware::Error> {
    let profile = SigningSettings::default().double_encode(!strict).normalize_path(!strict);
    let request = http::Request::get(uri.clone()).extension(profile).body(()).expect("a request");
    let mut parts = request.into_parts().0;
    run(signer.sign(&mut parts, ""))?;
    Ok(parts)
}

/// The decoded parameters in order. A key without `=` differs from one with an empty value.
fn parameters(uri: &Uri, plus_is_literal: bool) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let decode = |text: &str| -> Vec<u8> {
        let text = if plus_is_literal { text.to_owned() } else { text.replace('+', "%20") };
        percent_decode_str(&text).collect()
    };
    uri.query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            pair.split_once('=')
                .map_or((decode(pair), None), |(key, value)| (decode(key), Some(decode(value))))
        })
        .filter(|(key, _)| !SIGNATURE.contains(&&*String::from_utf8_lossy(key).to_lowercase()))
        .collect()
}
