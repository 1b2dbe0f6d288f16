//! [`KeptHeaders`]: the caller's headers, kept while the signed request is on its way.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers in their order, for a second attempt.
///
/// As text in one allocation: a clone would take two, and one more for each value that was never cloned before.
pub(super) struct KeptHeaders(Vec<u8>);

/// Length of the name, length of the value, and whether it is sensitive; before the two.
const PREFIX: usize = 2 * LENGTH + 1;
const LENGTH: usize = size_of::<usize>();

impl KeptHeaders {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let lengths = headers.iter().map(|(name, value)| PREFIX + name.as_str().len() + value.len());
        let mut kept = Vec::with_capacity(lengths.sum());
        for (name, value) in headers {
            let name = name.as_str().as_bytes();
            let mut prefix = [value.is_sensitive().into(); PREFIX];
            prefix[..LENGTH].copy_from_slice(&name.len().to_ne_bytes());
            prefix[LENGTH..2 * LENGTH].copy_from_slice(&value.len().to_ne_bytes());
            kept.extend_from_slice(&prefix);
            kept.extend_from_slice(name);
            kept.extend_from_slice(value.as_bytes());
        }
        Self(kept)
    }

    /// Puts them in the place of those that were sent.
    pub(super) fn restore(&self, headers: &mut HeaderMap) -> Result<(), http::Error> {
        headers.clear();
        let mut rest = self.0.as_slice();
        while let Some((name, value, is_sensitive)) = next(&mut rest) {
            let mut value = HeaderValue::from_bytes(value)?;
            value.set_sensitive(is_sensitive);
            // Not `from_bytes`, which refuses the quotation mark that `from_static` takes.
            headers.try_append(HeaderName::from_lowercase(name)?, value)?;
        }
        Ok(())
    }
}

/// The name and the value at the beginning of `rest`, and whether the value is sensitive.
fn next<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8], bool)> {
    let mut length = || rest.split_off(..LENGTH)?.try_into().ok().map(usize::from_ne_bytes);
    let (name, value) = (length()?, length()?);
    let is_sensitive = *rest.split_off_first()? != 0;
    Some((rest.split_off(..name)?, rest.split_off(..value)?, is_sensitive))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_restored_as_they_were() {
        let mut headers = HeaderMap::new();
        let mut secret = HeaderValue::from_bytes(b"caf\xc3\xa9 \t: ; ").unwrap();
        secret.set_sensitive(true);
        headers.append("x-api-key", secret);
        headers.append(HeaderName::from_static("x-\"quoted\""), HeaderValue::from_bytes(b"\xff").unwrap());
        for (name, value) in [("accept", "a"), ("x-empty", ""), ("accept", "b"), ("content-type", "c")] {
            headers.append(name, HeaderValue::from_static(value));
        }
        for headers in [headers, HeaderMap::new()] {
            let kept = KeptHeaders::of(&headers);
            let mut sent = headers.clone();
            sent.insert("authorization", HeaderValue::from_static("AWS4-HMAC-SHA256"));
            sent.remove("accept");
            kept.restore(&mut sent).unwrap();
            assert_eq!(sent, headers);
            let listed = |headers: &HeaderMap| {
                let listed = headers.iter().map(|(name, value)| (name.clone(), value.is_sensitive()));
                listed.collect::<Vec<_>>()
            };
            assert_eq!(listed(&sent), listed(&headers));
        }
    }
}
