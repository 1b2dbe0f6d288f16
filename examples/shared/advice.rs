//! Advice of the library's errors in terms of a program's command line.
//!
//! The library's errors name methods of `SignerBuilder`. Who runs a program cannot call those, and needs its options.

use sigv4_middleware::{BuildError, BuildErrorKind, ErrorKind};

/// A method of the signer's builder, the option of the program for it, and the name of the option's value.
pub(crate) type OptionOf = (&'static str, &'static str, &'static str);

const EXPORT_CREDENTIALS: &str = "\n  export AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, with a role's credentials, \
     AWS_SESSION_TOKEN;\n  those of a profile of the AWS CLI: eval \"$(aws configure export-credentials --format env)\"";

/// Why a program with credentials from the environment has no signer, and what to do.
pub(crate) fn for_build_error(error: &BuildError, options: &[OptionOf]) -> String {
    let text = error.to_string();
    // What the library advises a programmer to do about missing credentials follows the reason.
    let reason = text.split("; set AWS_ACCESS_KEY_ID").next().unwrap_or(&text);
    let message = with_options(reason, options);
    if error.kind() != BuildErrorKind::MissingCredentials {
        return message.unwrap_or_else(|| "requests cannot be signed with these options".to_owned());
    }
    // A program that reads the environment only does not read the profile that the library's advice is about.
    message.unwrap_or_else(|| {
        "AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is not set, and this program does not read the profile that \
         AWS_PROFILE names"
            .to_owned()
    }) + EXPORT_CREDENTIALS
}

/// What to say of an error if a program has neither an option nor advice of its own for it.
pub(crate) fn for_kind(kind: ErrorKind) -> String {
    match kind {
        ErrorKind::CredentialsUnavailable => {
            format!("the credentials could not be loaded{EXPORT_CREDENTIALS}")
        }
        kind => format!("the request cannot be signed ({kind:?})"),
    }
}

/// The message with options in place of builder methods: `.service("s3")` becomes `--service s3`.
///
/// `None` if the message still names parts of the library afterwards, as the program has no option for them.
pub(crate) fn with_options(message: &str, options: &[OptionOf]) -> Option<String> {
    let mut text = message.replace("the signer's builder", "the command line");
    for (method, option, value_name) in options {
        let call = format!(".{method}(");
        while let Some((before, after)) = text.split_once(&call) {
            let (argument, after) = after.split_once(')')?;
            let space = if before.ends_with([' ', '(']) { "" } else { " " };
            text = format!("{before}{space}{option} {}{after}", value(argument).unwrap_or(value_name));
        }
    }
    (!names_library(&text)).then_some(text)
}

/// The value that a call in a message has as its argument, if it is more than a placeholder (`"..."`, `bytes`).
fn value(argument: &str) -> Option<&str> {
    let value = argument.trim_matches('"');
    let is_value = value.len() < argument.len() || value.contains('.');
    (is_value && value.chars().any(char::is_alphanumeric)).then_some(value)
}

/// Whether a text has a method call (`.method(`) or a path (`Type::item`).
fn names_library(text: &str) -> bool {
    let is_identifier = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_call = |before_parenthesis: &str| {
        let rest = before_parenthesis.trim_end_matches(is_identifier);
        rest.len() < before_parenthesis.len() && rest.ends_with('.')
    };
    let is_path = |before_colons: &str| {
        let rest = before_colons.trim_end_matches(is_identifier);
        before_colons[rest.len()..].starts_with(|c: char| c.is_ascii_uppercase())
    };
    text.contains("builder")
        || text.match_indices('(').any(|(at, _)| is_call(&text[..at]))
        || text.match_indices("::").any(|(at, _)| is_path(&text[..at]))
}
