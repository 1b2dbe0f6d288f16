//! The library's messages in terms of a program's options.
//!
//! The library's errors name methods of its builders. Who runs a program cannot call those, and needs its options.

/// A method of a builder, the program's option for it, and the name of the option's value (empty for a flag).
pub type MethodOption = (&'static str, &'static str, &'static str);

/// The message with options in place of builder methods: `.service("s3")` becomes `--service s3`.
///
/// `None` if the message still names parts of the library afterwards, as the program has no option for them.
#[must_use]
pub fn with_options(message: &str, options: &[MethodOption]) -> Option<String> {
    let mut text = message.replace("the signer's builder", "the command line");
    for &(method, option, value_name) in options {
        let call = format!(".{method}(");
        while let Some((before, after)) = text.split_once(&call) {
            let (argument, after) = after.split_once(')')?;
            let space = if before.ends_with([' ', '(']) || before.is_empty() { "" } else { " " };
            let value = match value_name {
                "" => String::new(),
                name => format!(" {}", value(argument).unwrap_or(name)),
            };
            text = format!("{before}{space}{option}{value}{after}");
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

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: [MethodOption; 3] = [
        ("service", "--service", "NAME"),
        ("body_limit", "--body-limit", "BYTES"),
        ("expose", "--expose", ""),
    ];

    #[test]
    fn methods_become_options() {
        for (message, expected) in [
            ("add .service(\"s3\") to the signer's builder", "add --service s3 to the command line"),
            ("add .service(\"...\").expose(true)", "add --service NAME --expose"),
            ("raise .body_limit(bytes)", "raise --body-limit BYTES"),
            ("no method at all", "no method at all"),
        ] {
            assert_eq!(with_options(message, &OPTIONS).as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_no_option_does_is_left_to_the_program() {
        for message in ["add .region(\"eu\")", "see Signer::disabled", "call the builder"] {
            assert_eq!(with_options(message, &OPTIONS), None, "{message}");
        }
    }
}
