//! What of a server's message is shown: shortened, and without the secrets that a server repeats.

use super::facts::without_server_text;
use crate::redact::REDACTED;

/// The longest message that is shown, in characters.
const LONGEST: usize = 600;

/// The longest name that is shown, such as an ARN, in characters.
const LONGEST_NAME: usize = 2048;

/// Words longer than this are not shown unless they are ARNs, hosts or paths: tokens are long.
const LONGEST_WORD: usize = 40;

/// A message to be shown.
pub(super) fn message(text: &str) -> Option<String> {
    let text = without_server_text(text);
    let head: String = text.chars().take(4 * LONGEST).collect();
    let about_authorization = head.to_ascii_lowercase().contains("authorization");
    let head = if about_authorization { without_quoted(&head) } else { head };
    let mut out = String::new();
    let mut after_secret_name = false;
    for word in head.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        if after_secret_name && !word.starts_with('(') {
            out.push_str(REDACTED);
        } else {
            push_word(&mut out, word, about_authorization);
        }
        let bare = word.trim_matches(|char: char| !char.is_ascii_alphanumeric());
        after_secret_name = ["Bearer", "Basic", "Token", "token:"].contains(&bare) && about_authorization;
    }
    let out = super::compare::shorten(&out, LONGEST);
    (!out.is_empty()).then_some(out)
}

/// One word of a server's, to be shown.
pub(super) fn word(word: &str) -> String {
    let mut out = String::new();
    push_word(&mut out, word, false);
    super::compare::shorten(&out, LONGEST_NAME)
}

/// The text without what is quoted in it, other than names of parameters and regions and SigV4's own Authorization.
fn without_quoted(text: &str) -> String {
    let is_name = |quoted: &str| {
        quoted.len() <= 24
            && quoted.bytes().next().is_some_and(|byte| byte.is_ascii_uppercase() || byte == b':')
            && quoted.bytes().all(|byte| byte.is_ascii_alphabetic() || b"-:".contains(&byte))
    };
    let keep = |quoted: &str| {
        is_name(quoted) || is_region(quoted) || quoted.contains("AWS4-") || quoted.ends_with("/aws4_request")
    };
    let parts = text.split('\'').enumerate();
    let parts: Vec<_> = parts
        .map(|(at, part)| if at % 2 == 1 && !part.trim().is_empty() && !keep(part) { REDACTED } else { part })
        .collect();
    parts.join("'")
}

/// Whether this has the form of an AWS region's name, such as `us-gov-west-1`.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [country, .., number] = parts[..] else { return false };
    let words = &parts[..parts.len() - 1];
    matches!(parts.len(), 3 | 4)
        && country.len() <= 4
        && words
            .iter()
            .all(|word| (2..=9).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_lowercase()))
        && number.len() == 1
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// One word, with what follows `Signature=` and `Authorization=` left out, and what looks like a token.
fn push_word(out: &mut String, word: &str, about_authorization: bool) {
    const BEFORE_SECRET: [&str; 6] =
        ["signature=", "authorization=", "token=", "x-amz-security-token", "secret=", "password="];
    let lower = word.to_ascii_lowercase();
    let name = BEFORE_SECRET.iter().filter_map(|name| Some(lower.find(name)? + name.len())).min();
    if let Some(name) = name.filter(|at| word.is_char_boundary(*at) && *at < word.len()) {
        out.push_str(&word[..name]);
        out.push_str(REDACTED);
    } else if is_token(word)
        || (about_authorization && word.trim_start_matches(['\'', '"']).starts_with("eyJ"))
    {
        out.push_str(REDACTED);
    } else {
        out.push_str(word);
    }
}

/// Whether a word looks like a token or key: long, and neither an ARN nor a host, a path, or words joined.
fn is_token(word: &str) -> bool {
    let word = word.trim_matches(|char: char| !char.is_ascii_alphanumeric());
    if word.starts_with("IQoJ") || word.starts_with("FwoG") || word.starts_with("eyJ") {
        return word.len() > 8;
    }
    if word.len() <= LONGEST_WORD
        || word.contains("arn:")
        || word.contains("://")
        || word.contains("aws4_request")
    {
        return false;
    }
    let has = |is: fn(&u8) -> bool| word.as_bytes().iter().any(is);
    has(u8::is_ascii_digit)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && !word.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_keeps_what_helps_and_loses_what_is_secret() {
        for (text, shown) in [
            (
                "User: arn:aws:sts::123456789012:assumed-role/Role/i-0123456789abcdefABCDEF is not authorized",
                "User: arn:aws:sts::123456789012:assumed-role/Role/i-0123456789abcdefABCDEF is not authorized",
            ),
            (
                "'topsecret' not a valid key=value pair in Authorization header: 'Bearer topsecret'.",
                "'[redacted]' not a valid key=value pair in Authorization header: '[redacted]'.",
            ),
            ("Authorization=eyJhbGciOiJIUzI1NiJ9.topsecret", "Authorization=[redacted]"),
            (
                "Credential=AKID/20261125/x, Signature=0123abc'.",
                "Credential=AKID/20261125/x, Signature=[redacted]",
            ),
            (
                "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'us-gov-west-1'",
                "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'us-gov-west-1'",
            ),
            ("authorization 'top-secret-word-1x' 'my-token-42'", "authorization '[redacted]' '[redacted]'"),
            ("the token IQoJtopsecret was refused", "the token [redacted] was refused"),
            ("line one\n\n  line two", "line one line two"),
            (
                "does not match.\n\nThe Canonical String for this request should have been\n'GET",
                "does not match.",
            ),
        ] {
            assert_eq!(message(text).as_deref(), Some(shown));
        }
        assert_eq!(message("  "), None);
        assert!(message(&"ä ".repeat(10_000)).is_some_and(|text| text.chars().count() <= LONGEST + 1));
    }
}
