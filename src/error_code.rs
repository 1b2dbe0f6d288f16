//! Error codes of AWS, as headers and bodies have them.

/// `InvalidSignatureException` of `com.amazon.coral#InvalidSignatureException:http://internal.amazon.com/…`.
pub(crate) fn bare_code(code: &str) -> &str {
    let code = code.split(':').next().unwrap_or(code);
    code.rsplit('#').next().unwrap_or(code).trim()
}
