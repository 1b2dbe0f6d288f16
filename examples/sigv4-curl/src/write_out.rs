//! `-w`: what is written after the transfer.

use std::path::Path;

use http::header::{CONTENT_TYPE, LOCATION};
use serde_json::{Map, Value};

use crate::data::read;
use crate::failure::Failure;
use crate::trace::version_name;
use crate::transfer::Report;

/// Text for standard output and for standard error.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The format of the command line, or of the file that it names.
pub(crate) fn format(argument: &str) -> Result<String, Failure> {
    match argument.strip_prefix('@') {
        Some(path) => Ok(String::from_utf8_lossy(&read(Path::new(path))?).into_owned()),
        None => Ok(argument.to_owned()),
    }
}

/// Replaces variables and escapes. A variable that is not known is named on standard error, as curl does.
pub(crate) fn expand(format: &str, report: &Report, failure: Option<&Failure>) -> Written {
    let mut written = Written::default();
    let mut to_stderr = false;
    let mut rest = format;
    while let Some(c) = rest.chars().next() {
        let (text, after): (String, &str) = if let Some(after) = rest.strip_prefix("%%") {
            ("%".to_owned(), after)
        } else if let Some((name, after)) = braced(rest, "%{") {
            match name {
                "stderr" | "stdout" => to_stderr = name == "stderr",
                _ => {}
            }
            let value = match name {
                "stderr" | "stdout" => String::new(),
                _ => variable(name, report, failure).unwrap_or_else(|| {
                    written.stderr += &format!("sigv4-curl: unknown --write-out variable: '{name}'\n");
                    String::new()
                }),
            };
            (value, after)
        } else if let Some((name, after)) = braced(rest, "%header{") {
            (header(name, report), after)
        } else if let Some(escape) = rest.strip_prefix('\\').and_then(|rest| rest.chars().next()) {
            let text = match escape {
                'n' => "\n".to_owned(),
                'r' => "\r".to_owned(),
                't' => "\t".to_owned(),
                other => format!("\\{other}"),
            };
            (text, &rest[1 + escape.len_utf8()..])
        } else {
            (c.to_string(), &rest[c.len_utf8()..])
        };
        if to_stderr { &mut written.stderr } else { &mut written.stdout }.push_str(&text);
        rest = after;
    }
    written
}

/// What is between the opening and `}`, and what follows.
fn braced<'a>(text: &'a str, opening: &str) -> Option<(&'a str, &'a str)> {
    text.strip_prefix(opening)?.split_once('}')
}

fn header(name: &str, report: &Report) -> String {
    let value = report.head.as_ref().and_then(|head| head.headers.get(name));
    value.map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned()).unwrap_or_default()
}

/// The value of a variable; `None` if this program has none of this name.
fn variable(name: &str, report: &Report, failure: Option<&Failure>) -> Option<String> {
    let head = report.head.as_ref();
    let seconds = |duration: std::time::Duration| format!("{:.6}", duration.as_secs_f64());
    let speed = |bytes: u64| format!("{:.0}", bytes as f64 / report.time.as_secs_f64().max(1e-6));
    Some(match name {
        "http_code" | "response_code" => format!("{:03}", head.map_or(0, |head| head.status.as_u16())),
        "content_type" => header(CONTENT_TYPE.as_str(), report),
        "errormsg" => failure.map(|failure| failure.message.clone()).unwrap_or_default(),
        "exitcode" => failure.map_or(0, |failure| failure.code).to_string(),
        "filename_effective" => report.file.clone().unwrap_or_default(),
        "http_version" => {
            head.map_or("0", |head| version_name(head.version).trim_start_matches("HTTP/")).to_owned()
        }
        "method" => report.method.clone(),
        "num_headers" => head.map_or(0, |head| head.headers.len()).to_string(),
        "num_redirects" => report.redirects.to_string(),
        "num_retries" => report.retries.to_string(),
        "redirect_url" => {
            let location = header(LOCATION.as_str(), report);
            let is_redirect = head.is_some_and(|head| head.status.is_redirection()) && !location.is_empty();
            if !is_redirect {
                return Some(String::new());
            }
            report.url.join(&location).map(Into::into).unwrap_or(location)
        }
        "remote_ip" => report.remote.map(|remote| remote.ip().to_string()).unwrap_or_default(),
        "remote_port" => report.remote.map_or(0, |remote| remote.port()).to_string(),
        "scheme" => report.url.scheme().to_ascii_uppercase(),
        "size_download" => report.downloaded.to_string(),
        "size_header" => head.map_or(0, |head| head.to_bytes().len()).to_string(),
        "size_upload" => report.uploaded.to_string(),
        "speed_download" => speed(report.downloaded),
        "speed_upload" => speed(report.uploaded),
        "time_starttransfer" => seconds(report.time_to_head),
        "time_total" => seconds(report.time),
        "url_effective" => report.url.to_string(),
        "header_json" => header_json(report),
        _ => return None,
    })
}

/// Every header with the list of its values.
fn header_json(report: &Report) -> String {
    let mut all = Map::new();
    for (name, value) in report.head.iter().flat_map(|head| &head.headers) {
        let values = all.entry(name.as_str()).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(values) = values {
            values.push(String::from_utf8_lossy(value.as_bytes()).into());
        }
    }
    Value::Object(all).to_string()
}
