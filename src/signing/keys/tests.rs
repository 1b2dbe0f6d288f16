use super::*;

fn identity(secret: &str, token: Option<&str>) -> Result<CredentialsWithKeys, Error> {
    CredentialsWithKeys::new(Arc::new(Credentials::new(
        "AKIDEXAMPLE",
        secret,
        token.map(str::to_owned),
        None,
        "test",
    )))
}

fn key_at(identity: &CredentialsWithKeys, seconds: u64, region: &str) -> Found<DatedKey> {
    identity.signing_key(seconds, RegionScope::Region(region), "iam").unwrap()
}

#[test]
fn signs_as_the_documentation_does() {
    // The example of "Signature Version 4 signing process", 30 August 2015.
    let identity = identity("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None).unwrap();
    let key = key_at(&identity, 1_440_938_160, "us-east-1");
    assert_eq!(key.scope(), "20150830/us-east-1/iam/aws4_request");
    assert_eq!(key.service(), "iam");
    let string_to_sign = "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\n\
                          f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59";
    let signature = key.sign(&[&string_to_sign.as_bytes()[..20], &string_to_sign.as_bytes()[20..]]);
    assert_eq!(&signature[..], b"5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
    // The same from the state that is kept for the second.
    let hash = string_to_sign.as_bytes().last_chunk().unwrap();
    assert_eq!(key.string_to_sign(hash).concat(), string_to_sign.as_bytes());
    assert_eq!(key.sign_request(hash), signature);
    assert_eq!(
        key.authorization(),
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders="
    );
}

#[test]
fn what_is_kept_for_a_second_follows_the_clock_both_ways() {
    let identity = identity("secret", None).unwrap();
    let signatures = [100, 100, 101, 99, 100].map(|seconds| {
        let key = key_at(&identity, seconds, "us-east-1");
        assert_eq!(key.date().as_str(), AmzDate::at(seconds).unwrap().as_str());
        let signature = key.sign_request(&[b'0'; 64]);
        assert_eq!(signature, key.sign(&key.string_to_sign(&[b'0'; 64])));
        assert_eq!(identity.keys.len(), 1, "a second takes the place of the one before");
        signature
    });
    assert!(signatures[0] == signatures[1] && signatures[0] == signatures[4]);
    assert!(signatures[0] != signatures[2] && signatures[2] != signatures[3]);
    let late = identity.signing_key(253_402_300_800, RegionScope::Region("us-east-1"), "iam");
    assert_eq!(late.err().map(|error| error.kind()), Some(ErrorKind::ClockOutOfRange));
}

#[test]
fn a_key_is_derived_once_and_anew_after_midnight() {
    let identity = identity("secret", None).unwrap();
    let before = key_at(&identity, 86_399, "us-east-1");
    assert!(Arc::ptr_eq(before.key(), key_at(&identity, 1, "us-east-1").key()));
    let after = key_at(&identity, 86_400, "us-east-1");
    assert_ne!(before.scope(), after.scope());
    assert_ne!(before.sign(&[b"x"]), after.sign(&[b"x"]));
    assert!(
        !Arc::ptr_eq(before.key(), key_at(&identity, 1, "us-east").key()),
        "a region that is another's prefix"
    );
    // A late request of yesterday still finds yesterday's key.
    assert!(Arc::ptr_eq(before.key(), key_at(&identity, 86_399, "us-east-1").key()));
}

#[test]
fn the_keys_kept_are_bounded() {
    let identity = identity("secret", None).unwrap();
    for region in 0..3 * KEYS {
        key_at(&identity, 0, &format!("r-{region}"));
    }
    assert_eq!(identity.keys.len(), KEYS);
}

#[cfg(feature = "sigv4a")]
#[test]
fn a_sigv4a_key_serves_every_region_set() {
    let identity = identity("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None).unwrap();
    let key = |set| identity.signing_key(1_440_938_160, RegionScope::RegionSet(set), "service").unwrap();
    assert_eq!(key("us-east-1").scope(), "20150830/service/aws4_request");
    assert!(Arc::ptr_eq(key("us-east-1").key(), key("*").key()));
    assert_ne!(key("*").scope(), key_at(&identity, 1_440_938_160, "service").scope());
}

/// The key of AWS's own suite for SigV4a: `public-key.json` there.
#[cfg(feature = "sigv4a")]
#[test]
fn the_sigv4a_key_is_the_published_one() {
    let identity = identity("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None).unwrap();
    let key = p256::ecdsa::SigningKey::from_slice(identity.v4a_key().unwrap().as_slice()).unwrap();
    let point = key.verifying_key().to_sec1_point(false);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let known = "b6618f6a65740a99e650b33b6b4b5bd0d43b176d721a3edfea7e7d2d56d936b1\
                 865ed22a7eadc9c5cb9d2cbaca1b3699139fedc5043dc6661864218330c8e518";
    assert_eq!(hex(&point.as_bytes()[1..]), known);
}

#[test]
fn keys_are_zeroised_on_drop() {
    fn zeroised<T: zeroize::ZeroizeOnDrop>() {}
    // `Hmac` is made of two of these, and a buffer for the message.
    zeroised::<<Sha256 as hmac::EagerHash>::Core>();
}

#[test]
fn material_that_no_header_carries_is_refused() {
    let kind = |result: Result<CredentialsWithKeys, Error>| result.err().map(|error| error.kind());
    for token in ["a\nb", "a\tb", "a  b", " ab", "ab ", " ", "caf\u{e9}"] {
        let refused = kind(identity("secret", Some(token)));
        assert_eq!(refused, Some(ErrorKind::CredentialsInvalid), "{token:?}");
    }
    assert_eq!(kind(identity("secret\n", None)), Some(ErrorKind::CredentialsInvalid));
    assert_eq!(kind(identity("", None)), Some(ErrorKind::CredentialsInvalid));
    let id =
        |id: &str| CredentialsWithKeys::new(Arc::new(Credentials::new(id, "secret", None, None, "test")));
    assert_eq!(kind(id("AKID\nX")), Some(ErrorKind::CredentialsInvalid));
    assert_eq!(kind(id("")), Some(ErrorKind::CredentialsInvalid));
    assert!(identity("secret", Some("tok/with+plus and space==")).is_ok());
}
