//! Canonical requests compared line by line.

use http::{HeaderMap, StatusCode};
use sha2::{Digest, Sha256};
use sigv4_middleware::SigningDetails;
use sigv4_middleware::diagnosis::{Cause, Diagnosis, RefusedResponse, SentRequest, diagnose};

const SCOPE: &str = "20261125/eu-west-1/execute-api/aws4_request";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn string_to_sign(canonical: &str) -> String {
    let hash: String = Sha256::digest(canonical).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("AWS4-HMAC-SHA256\n20261125T120000Z\n{SCOPE}\n{hash}")
}

/// The diagnosis of a server that prints `theirs` and this string to sign.
fn compared_with(ours: &str, theirs: &str, printed_string: &str) -> Diagnosis {
    let details = SigningDetails::from_canonical(ours, &string_to_sign(ours));
    printed(theirs, printed_string, &SentRequest::from(details))
}

fn printed(theirs: &str, printed_string: &str, sent: &SentRequest) -> Diagnosis {
    let message = format!(
        "The request signature we calculated does not match the signature you provided.\n\nThe Canonical String for \
         this request should have been\n'{theirs}'\n\nThe String-to-Sign should have been\n'{printed_string}'\n"
    );
    let body = serde_json::json!({ "message": message }).to_string();
    let mut headers = HeaderMap::new();
    headers.insert("x-amzn-errortype", "InvalidSignatureException".parse().unwrap());
    headers.insert("x-amzn-requestid", "0badcafe".parse().unwrap());
    diagnose(&RefusedResponse::new(StatusCode::FORBIDDEN, &headers, body.as_bytes()), sent).unwrap()
}

fn compared(ours: &str, theirs: &str) -> Diagnosis {
    compared_with(ours, theirs, &string_to_sign(theirs))
}

fn with_headers(lines: &str) -> String {
    let names: Vec<_> = lines.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
    format!("GET\n/\n\n{lines}\n{}\n{EMPTY}", names.join(";"))
}

#[test]
fn the_first_differing_line_is_shown_with_its_number() {
    let ours = with_headers("content-type:text/plain;charset=UTF-8\nhost:api.example\nx-amz-date:1\n");
    let theirs = with_headers("content-type:text/plain\nhost:10.0.0.7\nx-amz-date:1\n");
    let diagnosis = compared(&ours, &theirs);
    assert_eq!(diagnosis.causes(), [Cause::SignatureMismatchContentType]);
    let difference = diagnosis.difference().unwrap();
    assert_eq!(
        (difference.text, difference.line, &*difference.part),
        ("canonical request", 4, "header content-type")
    );
    assert_eq!(difference.ours.as_deref(), Some("content-type:text/plain;charset=UTF-8"));
    assert_eq!(difference.theirs.as_deref(), Some("content-type:text/plain"));
    assert_eq!(diagnosis.request_ids(), [("x-amzn-requestid".to_owned(), "0badcafe".to_owned())]);
    let report = diagnosis.to_string();
    for line in [
        "refused with 403 InvalidSignatureException",
        "line 4 of the canonical request (header content-type) differs",
        "x-amzn-requestid: 0badcafe",
        "what to do: set Content-Type before signing",
    ] {
        assert!(report.contains(line), "{line} in {report}");
    }
}

#[test]
fn each_kind_of_difference_has_its_reason() {
    let of = |path: &str, query: &str| format!("GET\n{path}\n{query}\nhost:h\n\nhost\n{EMPTY}");
    for (ours, theirs, cause, why) in [
        (of("/a%2Fb", ""), of("/a/b", ""), Cause::SignatureMismatchPathEncoding, "%2F"),
        (of("/a%20b", ""), of("/a%2520b", ""), Cause::SignatureMismatchPathEncoding, "encoded twice"),
        (
            of("/a%2520b", ""),
            of("/a%20b", ""),
            Cause::SignatureMismatchPathEncoding,
            "S3 signs it encoded once",
        ),
        (of("/a+b", ""), of("/a%20b", ""), Cause::SignatureMismatchPathEncoding, "plus sign"),
        (of("/%c3", ""), of("/%C3", ""), Cause::SignatureMismatchPathEncoding, "upper-case"),
        (
            of("/a//b", ""),
            of("/a/b", ""),
            Cause::SignatureMismatchPathNormalization,
            "empty and dot segments",
        ),
        (of("/b", ""), of("/a/b", ""), Cause::SignatureMismatchPathNormalization, "a prefix"),
        (of("/c", ""), of("/a/b", ""), Cause::SignatureMismatchPathNormalization, "another path"),
        (of("/", "b=1&a=1"), of("/", "a=1&b=1"), Cause::SignatureMismatchQueryOrder, "sorted"),
        (of("/", "a=+"), of("/", "a=%20"), Cause::SignatureMismatchQueryEncoding, "%2B"),
        (of("/", "a"), of("/", "a="), Cause::SignatureMismatchQueryEncoding, "equal-sign"),
        (
            of("/", "a=1"),
            of("/", "a=1&utm=2"),
            Cause::SignatureMismatchQueryAltered,
            "added after signing: utm",
        ),
        (
            of("/", "a=1&b=2"),
            of("/", "a=1"),
            Cause::SignatureMismatchQueryAltered,
            "dropped on the way, or not sent: b",
        ),
        (of("/", "a=1"), of("/", "a=2"), Cause::SignatureMismatchQueryAltered, "values were changed"),
        (with_headers("host:h:8080\n"), with_headers("host:h\n"), Cause::SignatureMismatchHost, "the port"),
        (with_headers("host:H\n"), with_headers("host:h\n"), Cause::SignatureMismatchHost, "upper case"),
        (with_headers("host:h\n"), with_headers("host:10.0.0.7\n"), Cause::SignatureMismatchHost, "a proxy"),
        (
            with_headers("te:x\n"),
            with_headers("te:\n"),
            Cause::SignatureMismatchHeaderMissing,
            "did not arrive",
        ),
        (
            with_headers("x:a  b\n"),
            with_headers("x:a b\n"),
            Cause::SignatureMismatchHeaderWhitespace,
            "white space",
        ),
        (with_headers("x:a,b\n"), with_headers("x:a, b\n"), Cause::SignatureMismatchHeaderAltered, "joined"),
        (with_headers("x:a\n"), with_headers("x:a, b\n"), Cause::SignatureMismatchHeaderAltered, "appended"),
        (
            with_headers("a:1\nb:2\n"),
            with_headers("a:1\n"),
            Cause::SignatureMismatchHeaderMissing,
            "into account",
        ),
        (
            with_headers("a:1\n"),
            with_headers("a:1\nb:2\n"),
            Cause::SignatureMismatchSignedHeaders,
            "did not sign",
        ),
    ] {
        let diagnosis = compared(&ours, &theirs);
        assert_eq!(diagnosis.causes(), [cause], "{ours:?} {theirs:?}");
        let found = &diagnosis.difference().unwrap().why;
        assert!(found.contains(why), "{why} in {found}");
    }
}

#[test]
fn payload_hashes_say_what_became_of_the_body() {
    let other = "0".repeat(64);
    let of = |hash: &str| format!("POST\n/\n\nhost:h\n\nhost\n{hash}");
    for (ours, theirs, why) in [
        (EMPTY, &*other, "the hash of an empty body was signed"),
        (&*other, EMPTY, "the server saw an empty body"),
        ("UNSIGNED-PAYLOAD", &*other, "left unsigned"),
        (&*other, "UNSIGNED-PAYLOAD", "did not arrive"),
        (&*other, &"1".repeat(64), "changed after signing"),
    ] {
        let diagnosis = compared(&of(ours), &of(theirs));
        assert_eq!(diagnosis.causes(), [Cause::SignatureMismatchPayloadHash]);
        let found = &diagnosis.difference().unwrap().why;
        assert!(found.contains(why), "{why} in {found}");
    }
}

/// The token is in neither record, so that its lines look the same.
#[test]
fn a_changed_token_shows_in_the_hash() {
    let of = |token: &str| with_headers(&format!("host:h\nx-amz-security-token:{token}\n"));
    let diagnosis = compared(&of("IQoJone"), &of("IQoJtwo"));
    assert_eq!(diagnosis.causes(), [Cause::SignatureMismatchHeaderAltered]);
    assert!(diagnosis.what_to_do().contains("x-amz-security-token"), "{diagnosis}");
    assert!(!diagnosis.to_string().contains("IQoJ"), "{diagnosis}");
    let same = compared(&of("IQoJone"), &of("IQoJone"));
    assert_eq!(same.causes(), [Cause::SignatureMismatchSecret]);
}

/// A canonical request that a formatter has changed is not what the server hashed.
#[test]
fn a_text_that_does_not_hash_to_its_hash_accuses_nobody_for_sure() {
    let ours = with_headers("host:h\nx-amz-date:1\n");
    let theirs = with_headers("host:h\nx-amz-date:2\n");
    let diagnosis = compared_with(&ours, &theirs, &string_to_sign("something else"));
    let causes = [Cause::SignatureMismatchHeaderAltered, Cause::SignatureMismatchUnspecified];
    assert_eq!(diagnosis.causes(), causes);
    assert!(!diagnosis.is_certain());
    assert!(diagnosis.evidence()[0].contains("changed in printing"), "{diagnosis}");
    // The hash decides, whatever was printed above it.
    let equal = compared_with(&ours, &theirs, &string_to_sign(&ours));
    assert_eq!(equal.causes(), [Cause::SignatureMismatchSecret]);
}

#[test]
fn another_scope_or_date_is_a_difference_of_the_string_to_sign() {
    let ours = with_headers("host:h\n");
    let string = string_to_sign(&ours).replace("eu-west-1", "us-east-1");
    let diagnosis = compared_with(&ours, &ours, &string);
    assert_eq!(diagnosis.causes(), [Cause::SignatureMismatchStringToSign]);
    let difference = diagnosis.difference().unwrap();
    assert_eq!((difference.text, difference.line, &*difference.part), ("string to sign", 3, "scope"));
}

#[test]
fn a_diagnosis_says_where_there_was_no_record_to_compare_with() {
    let text = with_headers("host:h\n");
    let without = printed(&text, &string_to_sign(&text), &SentRequest::unknown());
    assert_eq!(without.causes(), [Cause::SignatureMismatchUnspecified]);
    assert!(without.what_to_do().contains("record_signing_details(true)"), "{without}");
    let with = compared(&text, &text);
    assert!(!with.to_string().contains("record_signing_details"), "{with}");
}
