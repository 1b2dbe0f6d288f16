//! Errors of programs leave the query of a URL out: it may be that of a presigned URL, which anyone can use.

use crate::{ProgramOutput, TOKEN};

/// A query that has to stay out of every message.
pub const SECRET_QUERY: &str =
    "key=query-key&X-Amz-Security-Token=query-token&X-Amz-Signature=query-signature";

/// Fails if a text has a part of [`SECRET_QUERY`] or the session token.
///
/// # Panics
/// If it has.
#[track_caller]
pub fn assert_without_secrets(text: &str) {
    for secret in ["query-key", "query-token", "query-signature", "X-Amz-", "x-amz-", TOKEN] {
        assert!(!text.contains(secret), "{text}");
    }
}

/// Fails unless a program ended with this code and an error that contains `expected` and no secret.
///
/// # Panics
/// If it did not.
#[track_caller]
pub fn assert_fails_without_secrets(output: &ProgramOutput, code: i32, expected: &str) {
    assert_eq!(output.code, code, "{}", output.stderr);
    assert!(output.stderr.contains(expected), "{}", output.stderr);
    assert_without_secrets(&output.stderr);
}
