//! Signs anything, and reads what came out.
#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use http::Uri;
use libfuzzer_sys::{Corpus, fuzz_target};
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};
use sigv4_middleware::{Error, SigningDetails, PresigningConfig, Signer, overrides};
use sigv4_middleware_fuzz::aws::{self, Signed};
use sigv4_middleware_fuzz::case::Case;
use sigv4_middleware_fuzz::run;
use sigv4_middleware_fuzz::signed::{self, Claim};

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
        keeps_secrets(case, &error);
        assert!(
            once.uri == case.parts.uri && once.headers == case.parts.headers,
            "an error leaves all as it was"
        );
        return;
    }
    if case.skips() {
        assert!(once.uri == case.parts.uri && once.headers == case.parts.headers, "skipped");
        return;
    }
    let claim = signed::check(case, &once);

    let mut twice = once.clone();
    signer.sign(&mut twice, case.payload()).await.expect("a signed request can be signed");
    assert_eq!(once.uri, twice.uri, "signing again changes nothing");
    // What the caller declared is part of the first signature, and replaced with it.
    if case.declared().is_none() {
        assert_eq!(once.headers, twice.headers, "signing again changes nothing");
    }

    let mut explained = case.parts.clone();
    let explanation = signer.sign_with_details(&mut explained, case.payload()).await.expect("what can be signed, too");
    assert_eq!(once.headers, explained.headers);
    explains(case, &explanation);

    let s3_token = once.headers.contains_key("x-amz-s3session-token");
    let token_header = if s3_token { "x-amz-s3session-token" } else { "x-amz-security-token" };
    let how = Signed::InHeaders { token_header };
    if let Some(by_aws) = aws::signature(case, &claim, &once.uri, &once.headers, &how) {
        assert_eq!(claim.signature, by_aws, "{explanation}");
    }
}

async fn in_query(case: &Case, signer: &Signer) {
    let presigning = PresigningConfig::new(case.expires_in).refuse_shortening(case.refuse_shortening);
    // The same bit decides two things: a shortened lifetime has nothing to do with the payload.
    let default_payload = case.refuse_shortening;
    let presigning = if default_payload { presigning } else { presigning.payload(case.payload()) };
    let presigned = match signer.presign_request(&case.parts, presigning).await {
        Ok(presigned) => presigned,
        Err(error) => return keeps_secrets(case, &error),
    };
    assert!(presigned.expires_in() <= case.expires_in && !presigned.expires_in().is_zero());
    explains(case, presigned.details());
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
    let said = |name| value(name).unwrap_or_else(|| panic!("no {name}"));
    assert_eq!(said("X-Amz-Algorithm"), "AWS4-HMAC-SHA256");
    assert_eq!(said("X-Amz-Expires"), presigned.expires_in().as_secs().to_string());
    let claim = Claim::new(&said("X-Amz-Credential"), &said("X-Amz-SignedHeaders"), &said("X-Amz-Signature"));
    let headers = presigned.headers().clone();
    claim.check(case, &headers, &said("X-Amz-Date"));
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
        // What is presigned may be just short enough to be sent, and too long to be read again.
        Err(error) => panic!("{error}"),
    }

    let how = Signed::InQuery {
        expires_in: presigned.expires_in(),
        token_parameter,
        token_appended,
        default_payload,
    };
    let base = without_signature(out);
    if let Some(by_aws) = aws::signature(case, &claim, &base, &headers, &how) {
        assert_eq!(claim.signature, by_aws, "{}", presigned.details());
    }
}

/// The URL that was presigned.
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

/// What is explained is what was signed, and holds no token.
fn explains(case: &Case, explanation: &SigningDetails) {
    let canonical = explanation.canonical_request();
    let lines: Vec<&str> = explanation.string_to_sign().lines().collect();
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

fn keeps_secrets(case: &Case, error: &Error) {
    let text = format!("{error} {error:?}");
    for secret in [Some(&case.keys.secret), case.keys.token.as_ref()].into_iter().flatten() {
        // The key id and other parts of the request are drawn from the same words.
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
