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

/// One field of a form.
struct Field<'a> {
    name: &'a str,
    content: Content<'a>,
    content_type: Option<&'a str>,
    filename: Option<String>,
}

enum Content<'a> {
    Text(&'a str),
    /// `<FILE`: a text field.
    TextOf(&'a Path),
    /// `@FILE`: an upload.
    Upload(&'a Path),
}

impl<'a> Field<'a> {
    /// `name=content`, `name=@file` or `name=<file`, with `;type=` and `;filename=`, unless it is literal.
    fn parse(text: &'a str, literal: bool) -> Result<Self, Failure> {
        let (name, rest) = text
            .split_once('=')
            .ok_or_else(|| Failure::new(Failure::USAGE, format!("-F {text:?}: write it as name=content")))?;
        if literal {
            return Ok(Self { name, content: Content::Text(rest), content_type: None, filename: None });
        }
        let (content, parameters) = first_part(rest);
        let (mut content_type, mut filename) = (None, None);
        let mut parameters = parameters;
        while let Some(rest) = parameters.strip_prefix(';') {
            let (parameter, rest) = first_part(rest);
            let parameter = parameter.trim();
            if let Some(value) = parameter.strip_prefix("type=") {
                // A media type has parameters of its own.
                content_type = Some(value);
            } else if let Some(value) = parameter.strip_prefix("filename=") {
                filename = Some(unquoted(value));
            } else {
                return Err(Failure::new(
                    Failure::USAGE,
                    format!(
                        "-F {name}: ;{parameter} is neither ;type= nor ;filename=; use --form-string for text with ;"
                    ),
                ));
            }
            parameters = rest;
        }
        let content = match content.split_at_checked(1) {
            Some(("@", path)) => Content::Upload(Path::new(path)),
            Some(("<", path)) => Content::TextOf(Path::new(path)),
            _ => Content::Text(content),
        };
        if let (Content::Upload(path), None) = (&content, &filename) {
            filename = Some(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
        Ok(Self { name, content, content_type, filename })
    }

    /// The part's head, without the empty line.
    fn head(&self) -> String {
        let mut head = format!("Content-Disposition: form-data; name=\"{}\"", escaped(self.name));
        if let Some(filename) = &self.filename {
            head += &format!("; filename=\"{}\"", escaped(filename));
        }
        let guessed = self.filename.as_deref().filter(|_| matches!(self.content, Content::Upload(_)));
        if let Some(content_type) = self.content_type.or_else(|| guessed.map(type_of)) {
            head += &format!("\r\nContent-Type: {content_type}");
        }
        head + "\r\n"
    }

    fn content(&self) -> Result<Segment, Failure> {
        match self.content {
            Content::Text(text) => Ok(Segment::Bytes(Bytes::copy_from_slice(text.as_bytes()))),
            Content::TextOf(path) => Ok(Segment::Bytes(read(path)?.into())),
            Content::Upload(path) => Segment::file(path),
        }
    }
}

/// What is before the first `;` that is not in quotes, and the rest.
fn first_part(text: &str) -> (&str, &str) {
    let mut in_quotes = false;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_quotes => escaped = true,
            '"' => in_quotes = !in_quotes,
            ';' if !in_quotes => return text.split_at(at),
            _ => {}
        }
    }
    (text, "")
}

/// The text within quotes, `\"` and `\\` resolved.
fn unquoted(text: &str) -> String {
    let Some(within) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else {
        return text.to_owned();
    };
    within.replace("\\\"", "\"").replace("\\\\", "\\")
}

/// As browsers write a name within quotes.
fn escaped(text: &str) -> String {
    text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

fn type_of(filename: &str) -> &'static str {
    let lower = filename.to_ascii_lowercase();
    let known = TYPES.iter().find(|(end, _)| lower.ends_with(end));
    known.map_or("application/octet-stream", |(_, media_type)| media_type)
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
