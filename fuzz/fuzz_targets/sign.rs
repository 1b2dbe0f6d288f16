//! Signs any request, and checks the result.
#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use http::Uri;
use libfuzzer_sys::{Corpus, fuzz_target};
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};
use sigv4_middleware::{Error, PresigningConfig, Signer, SigningDetails, overrides};
use sigv4_middleware_fuzz::aws::{self, Signed};
use sigv4_middleware_fuzz::case::Case;
use sigv4_middleware_fuzz::run;
use sigv4_middleware_fuzz::signed::{self, ParsedAuthorization};

fuzz_target!(|data: &[u8]| -> Corpus {
    let Ok(case) = Case::arbitrary(&mut Unstructured::new(data)) else { return Corpus::Reject };
    let Some(signer) = case.signer() else { return Corpus::Keep };
    run(async {
        in_headers(&case, &signer).await;
        in_query(&case, &signer).await;
    });
    Corpus::Keep
});

async fn in_headers(case: &Case, signer: &Signer) {
    let mut once = case.parts.clone();
    if let Err(error) = signer.sign(&mut once, case.payload()).await {
        has_no_secrets(case, &error);
        assert!(
            once.uri == case.parts.uri && once.headers == case.parts.headers,
            "an error leaves the request unchanged"
        );
        return;
    }
    if case.skips() {
        assert!(once.uri == case.parts.uri && once.headers == case.parts.headers, "skipped");
        return;
    }
    let parsed = signed::check(case, &once);

    let mut twice = once.clone();
    signer.sign(&mut twice, case.payload()).await.expect("a signed request can be signed");
    assert_eq!(once.uri, twice.uri, "signing again changes nothing");
    // What the caller declared is part of the first signature, and replaced with it.
    if case.declared().is_none() {
        assert_eq!(once.headers, twice.headers, "signing again changes nothing");
    }

    let mut with_details = case.parts.clone();
    let details =
        signer.sign_with_details(&mut with_details, case.payload()).await.expect("what can be signed, too");
    assert_eq!(once.headers, with_details.headers);
    check_details(case, &details);

    let s3_token = once.headers.contains_key("x-amz-s3session-token");
    let token_header = if s3_token { "x-amz-s3session-token" } else { "x-amz-security-token" };
    let how = Signed::InHeaders { token_header };
    if let Some(by_aws) = aws::signature(case, &parsed, &once.uri, &once.headers, &how) {
        assert_eq!(parsed.signature, by_aws, "{details}");
    }
}

async fn in_query(case: &Case, signer: &Signer) {
    let presigning = PresigningConfig::new(case.expires_in).refuse_shortening(case.refuse_shortening);
    // One bit decides both, as the lifetime and the payload do not depend on each other.
    let default_payload = case.refuse_shortening;
    let presigning = if default_payload { presigning } else { presigning.payload(case.payload()) };
    let presigned = match signer.presign_request(&case.parts, presigning).await {
        Ok(presigned) => presigned,
        Err(error) => return has_no_secrets(case, &error),
    };
    if case.skips() {
        let is_unchanged = *presigned.uri() == case.parts.uri && presigned.headers().is_empty();
        return assert!(is_unchanged, "skipped");
    }
    assert!(presigned.expires_in() <= case.expires_in && !presigned.expires_in().is_zero());
    check_details(case, presigned.details());
    let out = presigned.uri();
    signed::check_uri(&case.parts.uri, out);

    let query = out.query().expect("a query");
    let value = |name: &str| {
        let mut all =
            query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(key, _)| *key == name);
        let value = all.next().map(|(_, value)| percent_decode_str(value).decode_utf8_lossy().into_owned());
        assert!(all.next().is_none(), "{name} once");
        value
    };
    let required = |name| value(name).unwrap_or_else(|| panic!("no {name}"));
    assert_eq!(required("X-Amz-Algorithm"), "AWS4-HMAC-SHA256");
    assert_eq!(required("X-Amz-Expires"), presigned.expires_in().as_secs().to_string());
    let parsed = ParsedAuthorization::new(
        &required("X-Amz-Credential"),
        &required("X-Amz-SignedHeaders"),
        &required("X-Amz-Signature"),
    );
    let headers = presigned.headers().clone();
    parsed.check(case, &headers, &required("X-Amz-Date"));
    let (token, s3_token) = (value("X-Amz-Security-Token"), value("X-Amz-S3session-Token"));
    let token_parameter = if s3_token.is_some() { "X-Amz-S3session-Token" } else { "X-Amz-Security-Token" };
    let token = token.or(s3_token);
    assert_eq!(token.as_deref(), case.keys.token.as_deref().filter(|token| !token.is_empty()));
    let place = |name| query.find(name);
    let token_appended =
        token.is_some() && place("&X-Amz-Signature=") < place(&*format!("{token_parameter}="));

    let mut again = case.parts.clone();
    again.uri = out.clone();
    match signer.presign_request(&again, presigning).await {
        Ok(again) => {
            assert!(again.uri() == out || case.declared().is_some(), "presigning again changes nothing");
        }
        // A presigned URL is short enough to be presigned again.
        Err(error) => panic!("{error}"),
    }

    let how = Signed::InQuery {
        expires_in: presigned.expires_in(),
        token_parameter,
        token_appended,
        default_payload,
    };
    let base = without_signature(out);
    if let Some(by_aws) = aws::signature(case, &parsed, &base, &headers, &how) {
        assert_eq!(parsed.signature, by_aws, "{}", presigned.details());
    }
}

/// The URL without the parameters of the signature.
fn without_signature(uri: &Uri) -> Uri {
    let own = |pair: &&str| {
        let own =
            ["Algorithm", "Credential", "Date", "Expires", "S3session-Token", "Security-Token", "Signature"];
        let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
        name.strip_prefix("X-Amz-").is_some_and(|name| own.contains(&name) || name == "SignedHeaders")
    };
    let kept: Vec<&str> = uri.query().unwrap_or_default().split('&').filter(|pair| !own(pair)).collect();
    let target =
        if kept.is_empty() { uri.path().to_owned() } else { format!("{}?{}", uri.path(), kept.join("&")) };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(target.parse().expect("a target"));
    Uri::from_parts(parts).expect("a URI")
}

/// Checks that the details match the signature and contain no session token.
fn check_details(case: &Case, details: &SigningDetails) {
    let canonical = details.canonical_request();
    let lines: Vec<&str> = details.string_to_sign().lines().collect();
    assert_eq!(lines.len(), 4);
    match case.keys.token.as_deref().filter(|token| !token.is_empty()) {
        // Cookies are redacted as well.
        None if canonical.contains("[redacted]") => {}
        None => {
            let hash: String = Sha256::digest(canonical).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hash, lines[3], "{canonical}");
        }
        Some(token) => assert!(token.len() < 16 || !canonical.contains(token.trim()), "{canonical}"),
    }
}

fn has_no_secrets(case: &Case, error: &Error) {
    let text = format!("{error} {error:?}");
    for secret in [Some(&case.keys.secret), case.keys.token.as_ref()].into_iter().flatten() {
        // The key id and other parts of the request are made of the same words.
        let extensions = &case.parts.extensions;
        let scope = (
            extensions.get::<overrides::SigningName>(),
            extensions.get::<overrides::SigningRegion>(),
            extensions.get::<overrides::SigningRegionSet>(),
        );
        let elsewhere = format!("{:?} {:?} {} {scope:?}", case.parts, case.settings, case.keys.id);
        let elsewhere = elsewhere.contains(secret.as_str());
        assert!(secret.len() < 16 || elsewhere || !text.contains(secret.as_str()), "{text}");
    }
}
