//! The canonical request and string to sign that a server prints when a signature does not match.

use sha2::{Digest, Sha256};

use super::parse::{Body, Form};

/// What the server computed, as it printed it. Holds secrets: the server repeats signed headers, tokens among them.
#[derive(Default)]
pub(super) struct ServerText {
    pub(super) canonical: Option<String>,
    pub(super) string_to_sign: Option<String>,
}

impl ServerText {
    pub(super) fn of(body: &Body) -> Self {
        if body.form == Form::Xml
            && (body.field("StringToSign").is_some() || body.field("CanonicalRequest").is_some())
        {
            return Self {
                canonical: exact(body, "CanonicalRequest"),
                string_to_sign: exact(body, "StringToSign"),
            };
        }
        let message = body.message();
        // The escapes of JSON that could not be read, or of a message within a message.
        let unescaped =
            (!message.contains('\n') && message.contains("\\n")).then(|| message.replace("\\n", "\n"));
        Self::printed(unescaped.as_deref().unwrap_or(message)).unwrap_or_default()
    }

    /// `The Canonical String for this request should have been '…' The String-to-Sign should have been '…'`.
    fn printed(message: &str) -> Option<Self> {
        const CANONICAL: &str = "Canonical String for this request should have been";
        const STRING: &str = "String-to-Sign should have been";
        let (canonical, rest) = match message.split_once(CANONICAL) {
            Some((_, rest)) => {
                let (canonical, rest) = rest.split_once(STRING).unwrap_or((rest, ""));
                let canonical =
                    canonical.split_once('\'').and_then(|(_, text)| Some(text.rsplit_once('\'')?.0));
                (canonical, rest)
            }
            None => (None, message.split_once(STRING)?.1),
        };
        let string = rest.split('\'').nth(1);
        Some(Self { canonical: canonical.map(str::to_owned), string_to_sign: string.map(str::to_owned) })
    }

    /// The hash of the canonical request: the last line of the string to sign.
    pub(super) fn canonical_hash(&self) -> Option<&str> {
        let string = self.string_to_sign.as_deref()?;
        string.starts_with("AWS4-").then(|| string.lines().nth(3)).flatten()
    }

    /// Whether the printed canonical request is what the server hashed. `None` if one of the two is not printed.
    pub(super) fn is_exact(&self) -> Option<bool> {
        let (canonical, hash) = (self.canonical.as_deref()?, self.canonical_hash()?);
        Some(sha256_hex(canonical.as_bytes()) == hash)
    }
}

pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A text that S3 prints twice, the second time as hexadecimal bytes, which no XML parser or formatter changes.
fn exact(body: &Body, name: &str) -> Option<String> {
    let bytes = body.field(&format!("{name}Bytes")).and_then(|hex| {
        let bytes: Option<Vec<u8>> =
            hex.split_ascii_whitespace().map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
        String::from_utf8(bytes?).ok()
    });
    bytes.filter(|text| !text.is_empty()).or_else(|| body.field(name).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_texts_are_found_in_a_message() {
        let message = "The Canonical String for this request should have been\n'GET\n/\n\nhost:it's\n\nhost\nhash'\n\nThe \
                       String-to-Sign should have been\n'AWS4-HMAC-SHA256\ndate\nscope\nhash'\n";
        let found = ServerText::printed(message).unwrap();
        assert_eq!(found.canonical.as_deref(), Some("GET\n/\n\nhost:it's\n\nhost\nhash"));
        assert_eq!(found.canonical_hash(), Some("hash"));
        assert_eq!(found.is_exact(), Some(false));
        assert!(ServerText::printed("The request signature we calculated does not match").is_none());
    }

    #[test]
    fn the_bytes_of_s3_come_before_its_text() {
        let xml = "<Error><Code>SignatureDoesNotMatch</Code><StringToSign>a b</StringToSign>\
                   <StringToSignBytes>61 0a 62</StringToSignBytes></Error>";
        let found = ServerText::of(&Body::parse(xml.as_bytes()));
        assert_eq!(found.string_to_sign.as_deref(), Some("a\nb"));
        assert_eq!(found.canonical, None);
    }
}
