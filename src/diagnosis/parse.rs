//! A refusal's body as names and texts, whatever it is written in: XML, JSON, HTML, text, or something customized that is
//! almost JSON.

use quick_xml::events::Event;
use serde_json::Value;

/// More fields than any refusal has.
const MAX_FIELDS: usize = 256;
/// The longest name of a member of what is almost JSON, in bytes.
const LONGEST_NAME: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Empty,
    Json,
    Xml,
    Html,
    /// Anything else, JSON that cannot be read among it.
    Text,
}

/// What a body says.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) form: Form,
    /// The name of the root element, or empty.
    pub(super) root: String,
    /// Names of elements and members that hold text, in their order.
    fields: Vec<(String, String)>,
    /// All of it, as text.
    pub(super) text: String,
}

impl Body {
    pub(super) fn parse(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let text = text.trim_start_matches('\u{feff}').trim();
        let mut fields = Vec::new();
        let mut root = String::new();
        let form = match text.as_bytes().first() {
            None => Form::Empty,
            Some(b'<') if is_html(text) => {
                website_fields(text, &mut fields);
                Form::Html
            }
            Some(b'<') => {
                xml_fields(text, &mut root, &mut fields);
                Form::Xml
            }
            Some(b'{' | b'[' | b'"') => json_fields(text, &mut fields),
            Some(_) => Form::Text,
        };
        Self { form, root, fields, text: text.to_owned() }
    }

    /// The first field of this name, in any case.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields
            .find(|(known, text)| known.eq_ignore_ascii_case(name) && !text.is_empty())
            .map(|(_, text)| &**text)
    }

    /// The error code, where services put it.
    pub(super) fn code(&self) -> Option<&str> {
        let names: &[&str] = match self.form {
            Form::Xml | Form::Html => &["Code", "faultcode"],
            _ => &["__type", "code", "errorCode", "errorType", "type", "error"],
        };
        let code = names.iter().find_map(|name| self.field(name).filter(|code| looks_like_code(code)));
        // Some services name the root of their XML after the error, and Lattice begins its text with it.
        let code = code.or_else(|| match self.form {
            Form::Xml => Some(&*self.root).filter(|root| root.ends_with("Exception")),
            Form::Text => {
                let start = self.text.split_once(':').map(|(code, _)| code);
                start.filter(|code| code.ends_with("Exception") && looks_like_code(code))
            }
            _ => None,
        })?;
        let code = code.split(':').next().unwrap_or(code);
        Some(code.rsplit('#').next().unwrap_or(code).trim())
    }

    /// The message for people. The whole text, where the body has no parts that can be told apart.
    pub(super) fn message(&self) -> &str {
        let names: &[&str] = match self.form {
            Form::Xml | Form::Html => &["Message", "faultstring", "Details"],
            Form::Json | Form::Text => &[
                "message",
                "errorMessage",
                "detailedMessage",
                "error_description",
                "reason",
                "detail",
                "details",
                "msg",
                "faultstring",
                "error",
            ],
            Form::Empty => &[],
        };
        let message = names.iter().find_map(|name| self.field(name));
        message.unwrap_or(if self.form == Form::Xml { "" } else { &self.text })
    }
}

/// A code is one word: some bodies have a sentence under `error`.
fn looks_like_code(code: &str) -> bool {
    !code.is_empty() && code.len() <= 200 && !code.contains(char::is_whitespace)
}

fn is_html(text: &str) -> bool {
    let start = text.chars().take(1024).collect::<String>().to_ascii_lowercase();
    let tags = ["<!doctype html", "<html", "<head>", "<title>", "<center>", "<h1>", "<body>", "<body "];
    tags.iter().any(|tag| start.contains(tag))
}

/// S3's website endpoints list code and message on a page.
fn website_fields(text: &str, fields: &mut Vec<(String, String)>) {
    for item in text.split("<li>").skip(1).take(MAX_FIELDS) {
        let item = item.split('<').next().unwrap_or(item);
        if let Some((name, value)) =
            item.split_once(": ").filter(|(name, _)| ["Code", "Message"].contains(name))
        {
            fields.push((name.to_owned(), value.to_owned()));
        }
    }
}

/// Reads as far as the document is one.
fn xml_fields(text: &str, root: &mut String, fields: &mut Vec<(String, String)>) {
    let mut reader = quick_xml::Reader::from_str(text);
    let config = reader.config_mut();
    (config.check_end_names, config.allow_unmatched_ends, config.allow_dangling_amp) = (false, true, true);
    let mut open: Option<(String, String)> = None;
    let push = |open: &mut Option<(String, String)>, text: &str| {
        if let Some((_, content)) = open {
            content.push_str(text);
        }
    };
    while fields.len() < MAX_FIELDS {
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                let name = start.local_name().as_ref().to_owned();
                if root.is_empty() {
                    root.clone_from(&name);
                }
                open = Some((name, String::new()));
            }
            Ok(Event::Empty(empty)) if root.is_empty() => empty.local_name().as_ref().clone_into(root),
            Ok(Event::Text(content)) => push(&mut open, &content.xml10_content()),
            Ok(Event::CData(content)) => push(&mut open, &content.xml10_content()),
            Ok(Event::GeneralRef(reference)) => {
                let known = match &*reference.xml10_content() {
                    "lt" => Some('<'),
                    "gt" => Some('>'),
                    "amp" => Some('&'),
                    "apos" => Some('\''),
                    "quot" => Some('"'),
                    _ => reference.resolve_char_ref().ok().flatten(),
                };
                if let Some(known) = known {
                    push(&mut open, known.encode_utf8(&mut [0; 4]));
                }
            }
            Ok(Event::End(_)) => fields.extend(open.take()),
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => {}
        }
    }
    // A document that was cut off.
    fields.extend(open.filter(|(_, content)| !content.trim().is_empty()));
}

fn json_fields(text: &str, fields: &mut Vec<(String, String)>) -> Form {
    let value =
        serde_json::from_str::<Value>(text).or_else(|_| serde_json::from_str(&with_escaped_controls(text)));
    if let Ok(value) = value {
        flatten("", &value, fields, 0);
        return Form::Json;
    }
    almost_json_fields(text, fields);
    Form::Text
}

/// The strings of a value by the names of their members, outer ones first.
fn flatten(name: &str, value: &Value, fields: &mut Vec<(String, String)>, depth: usize) {
    if fields.len() >= MAX_FIELDS || depth > 8 {
        return;
    }
    match value {
        Value::String(text) => fields.push((name.to_owned(), text.clone())),
        Value::Number(number) => fields.push((name.to_owned(), number.to_string())),
        Value::Array(values) => values.iter().for_each(|value| flatten(name, value, fields, depth + 1)),
        Value::Object(members) => {
            let is_text = |value: &&Value| value.is_string() || value.is_number();
            for (name, value) in members.iter().filter(|(_, value)| is_text(value)) {
                flatten(name, value, fields, depth + 1);
            }
            for (name, value) in members.iter().filter(|(_, value)| !is_text(value)) {
                flatten(name, value, fields, depth + 1);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// The text with line breaks and tabs within strings escaped: a gateway's response template that does not.
fn with_escaped_controls(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for char in text.chars() {
        match char {
            '"' if !escaped => in_string = !in_string,
            '\n' if in_string => out.push_str("\\n"),
            '\r' if in_string => out.push_str("\\r"),
            '\t' if in_string => out.push_str("\\t"),
            _ => {}
        }
        escaped = char == '\\' && !escaped;
        if !(in_string && matches!(char, '\n' | '\r' | '\t')) {
            out.push(char);
        }
    }
    out
}

/// Members of what is almost JSON: `"name": text`, the text with or without quotes, up to the next member's name.
fn almost_json_fields(text: &str, fields: &mut Vec<(String, String)>) {
    let mut rest = text;
    while fields.len() < MAX_FIELDS {
        let Some((name, after)) = next_member(rest) else { return };
        let ends = next_member_at(after).unwrap_or(after.len());
        let value = after[..ends].trim().trim_end_matches([',', '}', ']', ' ', '\n', '\r', '\t']);
        let value = value.strip_prefix('"').unwrap_or(value);
        let value = value.strip_suffix('"').unwrap_or(value);
        fields.push((name.to_owned(), value.replace("\\n", "\n").replace("\\\"", "\"")));
        rest = &after[ends..];
    }
}

/// The next `"name":` and what follows it.
fn next_member(text: &str) -> Option<(&str, &str)> {
    let start = next_member_at(text)?;
    let (name, after) = text[start + 1..].split_once('"')?;
    Some((name, after.trim_start().strip_prefix(':')?))
}

/// Where the next `"name":` begins.
fn next_member_at(text: &str) -> Option<usize> {
    let quotes = text.match_indices('"').map(|(at, _)| at);
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    let begins = |at: &usize| {
        let start = at + 1;
        // The quote that ends a name is not looked for in all the rest.
        let Some(length) =
            text.as_bytes()[start..].iter().take(LONGEST_NAME + 1).position(|byte| *byte == b'"')
        else {
            return false;
        };
        let (name, after) = (&text[start..start + length], &text[start + length + 1..]);
        is_name(name) && after.trim_start().starts_with(':')
    };
    quotes.into_iter().find(begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_and_message(text: &str) -> (Option<String>, String) {
        let body = Body::parse(text.as_bytes());
        (body.code().map(str::to_owned), body.message().to_owned())
    }

    #[test]
    fn codes_and_messages_are_read_where_services_put_them() {
        for (text, code, message) in [
            (
                "<?xml version=\"1.0\"?>\n<Error><Code>A</Code><Message>x &lt;y&gt; &#39;z&#39;</Message></Error>",
                Some("A"),
                "x <y> 'z'",
            ),
            (
                "<ErrorResponse xmlns=\"u\"><Error><Type>Sender</Type><Code>B</Code></Error></ErrorResponse>",
                Some("B"),
                "",
            ),
            (
                "<Response><Errors><Error><Code>C</Code><Message>m</Message></Error></Errors></Response>",
                Some("C"),
                "m",
            ),
            (r#"{"__type":"com.amazon.coral#D:http://x","Message":"m"}"#, Some("D"), "m"),
            (r#"{"errors":[{"code":"E","message":"m"}]}"#, Some("E"), "m"),
            (
                r#"{"error":{"reason":"403 Forbidden","type":"Forbidden"}}"#,
                Some("Forbidden"),
                "403 Forbidden",
            ),
            (r#"{"error":"a whole sentence"}"#, None, "a whole sentence"),
            ("{\"message\":\"two\nlines\"}", None, "two\nlines"),
            ("{\"message\": not quoted, \"code\": \"F\"}", Some("F"), "not quoted"),
            (
                "<html><ul><li>Code: AccessDenied</li>\n<li>Message: Access Denied</li></ul></html>",
                Some("AccessDenied"),
                "Access Denied",
            ),
            ("<XException><Message>m</Message></XException>", Some("XException"), "m"),
            ("XException: m", Some("XException"), "XException: m"),
            ("plain", None, "plain"),
            ("", None, ""),
        ] {
            let expected = (code.map(str::to_owned), message.to_owned());
            assert_eq!(code_and_message(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_cut_off_is_read_as_far_as_it_goes() {
        let body = Body::parse(b"<Error><Code>SignatureDoesNotMatch</Code><Message>The request sig");
        assert_eq!((body.code(), body.message()), (Some("SignatureDoesNotMatch"), "The request sig"));
        let body = Body::parse(b"{\"code\":\"A\",\"message\":\"The requ");
        assert_eq!((body.code(), body.message()), (Some("A"), "The requ"));
    }

    #[test]
    fn pages_are_told_from_documents() {
        for (text, form) in [
            ("<!DOCTYPE html PUBLIC \"-//W3C//DTD HTML 4.01//EN\"><html>", Form::Html),
            ("<HTML><HEAD>", Form::Html),
            ("<Error><Code>A</Code></Error>", Form::Xml),
            (
                "<html><head><title>403 Forbidden</title></head><ul><li>Code: AccessDenied</li></ul></html>",
                Form::Html,
            ),
            ("{", Form::Text),
            ("\u{feff}{}", Form::Json),
        ] {
            assert_eq!(Body::parse(text.as_bytes()).form, form, "{text}");
        }
    }
}
