//! `-F`: a multipart form, as curl writes it.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::body::Segment;
use crate::data::read;
use crate::failure::Failure;

/// The types that curl knows by a file name's end; all others are `application/octet-stream`.
const TYPES: [(&str, &str); 10] = [
    (".gif", "image/gif"),
    (".htm", "text/html"),
    (".html", "text/html"),
    (".jpeg", "image/jpeg"),
    (".jpg", "image/jpeg"),
    (".pdf", "application/pdf"),
    (".png", "image/png"),
    (".svg", "image/svg+xml"),
    (".txt", "text/plain"),
    (".xml", "application/xml"),
];

/// What may follow `;`.
const OPTIONS: [&str; 3] = ["type=", "filename=", "headers="];

/// One field of a form.
struct Field<'a> {
    name: &'a str,
    content: Content,
    content_type: Option<&'a str>,
    filename: Option<String>,
    headers: Option<String>,
}

enum Content {
    Text(String),
    /// `<FILE`: a text field.
    TextOf(PathBuf),
    /// `@FILE`: an upload.
    Upload(PathBuf),
}

impl<'a> Field<'a> {
    /// `name=content`, `name=@file` or `name=<file`, with `;type=` and `;filename=`, unless it is literal.
    fn parse(text: &'a str, literal: bool) -> Result<Self, Failure> {
        let (name, rest) = text
            .split_once('=')
            .ok_or_else(|| Failure::new(Failure::USAGE, format!("-F {text:?}: write it as name=content")))?;
        if literal {
            return Ok(Self {
                name,
                content: Content::Text(rest.to_owned()),
                content_type: None,
                filename: None,
                headers: None,
            });
        }
        let (prefix, rest) = match rest.split_at_checked(1) {
            Some((prefix @ ("@" | "<"), rest)) => (prefix, rest),
            _ => ("", rest),
        };
        let (content, mut parameters) = word(rest);
        let (mut content_type, mut filename, mut headers) = (None::<&str>, None, None);
        while let Some(after) = parameters.strip_prefix(';') {
            let trimmed = after.trim_start();
            if let Some(value) = trimmed.strip_prefix("type=") {
                // Parameters of the media type follow it.
                let mut end = value.find(';').unwrap_or(value.len());
                while let Some(next) = value[end..].strip_prefix(';') {
                    if OPTIONS.iter().any(|option| next.trim_start().starts_with(option)) {
                        break;
                    }
                    end += 1 + next.find(';').unwrap_or(next.len());
                }
                (content_type, parameters) = (Some(value[..end].trim()), &value[end..]);
            } else if let Some(value) = trimmed.strip_prefix("filename=") {
                let (value, rest) = word(value);
                (filename, parameters) = (Some(value), rest);
            } else if let Some(value) = trimmed.strip_prefix("headers=") {
                let (value, rest) = word(value);
                (headers, parameters) = (Some(value), rest);
            } else {
                return Err(Failure::new(
                    Failure::USAGE,
                    format!(
                        "-F {name}: after ; write type=, filename= or headers=; use --form-string for text \
                         with ;, or quotes"
                    ),
                ));
            }
        }
        let content = match prefix {
            "@" => Content::Upload(content.into()),
            "<" => Content::TextOf(content.into()),
            _ => Content::Text(content),
        };
        if let (Content::Upload(path), None) = (&content, &filename) {
            filename = Some(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
        Ok(Self { name, content, content_type, filename, headers })
    }

    /// The part's head, without the empty line.
    fn head(&self) -> String {
        let mut head = format!("Content-Disposition: form-data; name=\"{}\"", escaped(self.name));
        if let Some(filename) = &self.filename {
            head += &format!("; filename=\"{}\"", escaped(filename));
        }
        let guessed = match &self.content {
            Content::Upload(path) => {
                let named = self.filename.as_deref().and_then(type_of);
                Some(named.or_else(|| type_of(&path.to_string_lossy())).unwrap_or("application/octet-stream"))
            }
            Content::Text(_) | Content::TextOf(_) => None,
        };
        if let Some(content_type) = self.content_type.or(guessed) {
            head += &format!("\r\nContent-Type: {content_type}");
        }
        if let Some(headers) = &self.headers {
            head += &format!("\r\n{headers}");
        }
        head + "\r\n"
    }

    fn content(&self) -> Result<Segment, Failure> {
        match &self.content {
            Content::Text(text) => Ok(Segment::Bytes(Bytes::copy_from_slice(text.as_bytes()))),
            Content::TextOf(path) => Ok(Segment::Bytes(read(path)?.into())),
            Content::Upload(path) => Segment::file(path),
        }
    }
}

/// A value without white space around it, up to `;` or in quotes with `\"` and `\\`; and what follows it.
fn word(text: &str) -> (String, &str) {
    let trimmed = text.trim_start();
    if let Some(quoted) = trimmed.strip_prefix('"') {
        let mut value = String::new();
        let mut chars = quoted.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    let rest = &quoted[at + 1..];
                    return (value, &rest[rest.find(';').unwrap_or(rest.len())..]);
                }
                '\\' => match quoted[at + 1..].chars().next() {
                    Some(next @ ('"' | '\\')) => {
                        chars.next();
                        value.push(next);
                    }
                    _ => value.push(c),
                },
                c => value.push(c),
            }
        }
    }
    let end = trimmed.find(';').unwrap_or(trimmed.len());
    (trimmed[..end].trim_end().to_owned(), &trimmed[end..])
}

/// As browsers write a name within quotes.
fn escaped(text: &str) -> String {
    text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

fn type_of(filename: &str) -> Option<&'static str> {
    let lower = filename.to_ascii_lowercase();
    TYPES.iter().find(|(end, _)| lower.ends_with(end)).map(|(_, media_type)| *media_type)
}

/// A form's content type and body.
pub(crate) fn multipart(fields: &[(String, bool)]) -> Result<(String, Vec<Segment>), Failure> {
    let boundary = boundary();
    let mut segments = Vec::new();
    for (field, literal) in fields {
        let field = Field::parse(field, *literal)?;
        let head = format!("--{boundary}\r\n{}\r\n", field.head());
        segments.extend([Segment::from(head), field.content()?, Segment::from("\r\n".to_owned())]);
    }
    segments.push(format!("--{boundary}--\r\n").into());
    Ok((format!("multipart/form-data; boundary={boundary}"), segments))
}

/// 24 dashes and 16 random hexadecimal digits, as curl 7 has it.
fn boundary() -> String {
    use std::hash::{BuildHasher, Hasher};
    // Seeded at random for each process, which is what a boundary needs.
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("{}{random:016x}", "-".repeat(24))
}

impl Segment {
    /// A file to be read when it is sent, or at once if it is standard input or has no length.
    pub(crate) fn file(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Ok(Self::Bytes(read(path)?.into()));
        }
        let metadata = std::fs::metadata(path).map_err(|error| Failure::reading(path, error))?;
        if metadata.is_dir() {
            return Err(Failure::reading(path, "it is a directory"));
        }
        if !metadata.is_file() {
            return Ok(Self::Bytes(read(path)?.into()));
        }
        // Now rather than halfway through the request.
        std::fs::File::open(path).map_err(|error| Failure::reading(path, error))?;
        Ok(Self::File { path: PathBuf::from(path), len: metadata.len() })
    }
}
