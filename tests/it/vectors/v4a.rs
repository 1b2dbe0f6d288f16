//! SigV4a signatures, each of them another: verified by the public key, never compared.

use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use serde::Deserialize;

use super::report::Outcome;

/// A point of the curve P-256 in hex, as the vectors and AWS's suite write it.
#[derive(Deserialize)]
pub(crate) struct PublicKey {
    #[serde(rename = "X")]
    x: String,
    #[serde(rename = "Y")]
    y: String,
}

impl PublicKey {
    /// Whether this is the signature (DER, in hex) of a string to sign by the key's owner.
    pub(crate) fn verify(&self, string_to_sign: &str, signature: &str) -> Outcome {
        let point = [&[4], &*hex(&self.x)?, &*hex(&self.y)?].concat();
        let key = VerifyingKey::from_sec1_bytes(&point).map_err(|error| format!("public key: {error}"))?;
        let signature = Signature::from_der(&hex(signature)?)
            .map_err(|error| format!("the signature {signature:?} is not one: {error}"))?;
        key.verify(string_to_sign.as_bytes(), &signature)
            .map_err(|_| "the signature is not by the owner of the public key".to_owned())
    }
}

fn hex(text: &str) -> Result<Vec<u8>, String> {
    let pairs = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap_or_default());
    pairs.map(|pair| u8::from_str_radix(pair, 16).map_err(|_| format!("{text:?} is not hex"))).collect()
}

/// What is checked with is able to fail.
#[test]
fn another_text_or_signature_is_refused() {
    let case: serde_json::Value =
        serde_json::from_str(include_str!("v4a_dev.jsonl").lines().next().unwrap()).unwrap();
    let expected = &case["expected"];
    let key: PublicKey = serde_json::from_value(expected["public_key"].clone()).unwrap();
    let text = expected["string_to_sign"].as_str().unwrap();
    let signature = expected["a_valid_signature"].as_str().unwrap();
    key.verify(text, signature).unwrap();
    assert!(key.verify(&text.replace("execute-api", "s3"), signature).is_err());
    assert!(key.verify(text, &signature.replace("3e", "3f")).is_err());
    assert!(key.verify(text, "").is_err());
}
