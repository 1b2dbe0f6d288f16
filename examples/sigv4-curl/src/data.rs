//! What `-d` and its relatives give: a form's data, as curl joins and encodes it.

use std::io::Read;
use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode, utf8_percent_encode};

use crate::failure::Failure;

/// One `-d`, `--data-raw`, `--data-binary`, `--data-urlencode` or `--json`.
#[derive(Clone, Debug)]
pub(crate) struct Data {
    pub(crate) kind: DataKind,
    pub(crate) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataKind {
    /// `-d`: the content of a file loses its line ends and NUL bytes.
    Stripped,
    /// `--data-raw`: never a file.
    Raw,
    /// `--data-binary`
    Binary,
    /// `--data-urlencode`
    UrlEncoded,
    /// `--json`
    Json,
}

/// All that curl's `--data-urlencode` escapes; a space becomes `+`.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b' ');

/// The pieces in one: separated by `&`, but nothing before `--json`.
pub(crate) fn joined(pieces: &[Data]) -> Result<Vec<u8>, Failure> {
    let mut all = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        if index > 0 && piece.kind != DataKind::Json {
            all.push(b'&');
        }
        all.extend(piece.bytes()?);
    }
    Ok(all)
}

impl Data {
    fn bytes(&self) -> Result<Vec<u8>, Failure> {
        if self.kind == DataKind::UrlEncoded {
            return url_encoded(&self.text);
        }
        match self.text.strip_prefix('@') {
            Some(path) if self.kind != DataKind::Raw => {
                let mut content = read(Path::new(path))?;
                if self.kind == DataKind::Stripped {
                    content.retain(|byte| !matches!(byte, b'\r' | b'\n' | 0));
                }
                Ok(content)
            }
            _ => Ok(self.text.clone().into_bytes()),
        }
    }
}

/// `content`, `=content`, `name=content`, `@file` or `name@file`.
fn url_encoded(text: &str) -> Result<Vec<u8>, Failure> {
    let (name, content) = match text.find(['=', '@']) {
        None => ("", text.as_bytes().to_vec()),
        Some(at) if text.as_bytes()[at] == b'=' => (&text[..at], text.as_bytes()[at + 1..].to_vec()),
        Some(at) => (&text[..at], read(Path::new(&text[at + 1..]))?),
    };
    let encoded = percent_encode(&content, ESCAPED).to_string().replace(' ', "+");
    let equals = if name.is_empty() { "" } else { "=" };
    Ok(format!("{name}{equals}{encoded}").into_bytes())
}

/// A whole file, or the standard input for `-`.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let content = if path == Path::new("-") {
        let mut content = Vec::new();
        std::io::stdin().read_to_end(&mut content).map(|_| content)
    } else {
        std::fs::read(path)
    };
    content.map_err(|error| Failure::reading(path, error))
}

/// Data as a part of a URL's query. What a query cannot hold is escaped; the data's own `&`, `=`, `+` and `%` stay.
pub(crate) fn as_query(data: &[u8]) -> String {
    const NOT_IN_A_QUERY: &AsciiSet =
        &percent_encoding::CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');
    match std::str::from_utf8(data) {
        Ok(text) => utf8_percent_encode(text, NOT_IN_A_QUERY).to_string(),
        Err(_) => percent_encode(data, NOT_IN_A_QUERY).to_string(),
    }
}
