//! The head of the unsigned request.

use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use http::request::Parts;
use http::{Method, Request};
use reqwest::Url;

use crate::args::{Args, HeaderArg, header};
use crate::body::Body;
use crate::data::{as_query, joined, read};
use crate::failure::Failure;

/// The algorithms that `--compressed` asks for, as curl names them.
const ENCODINGS: &str = "deflate, gzip, br";

/// The URL to call, with `-G`'s data and `-T`'s file name.
pub(crate) fn url(args: &Args) -> Result<Url, Failure> {
    let mut url = Url::parse(&args.url).map_err(|error| Failure::url(&args.url, error))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(match args.url.contains("://") {
            true => Failure::new(
                Failure::UNSUPPORTED_PROTOCOL,
                format!("{}:// is neither http nor https", url.scheme()),
            ),
            false => Failure::url(&args.url, "it has no scheme"),
        });
    }
    // curl makes Basic authentication of it, and so would the client.
    if !url.username().is_empty() || url.password().is_some() {
        let message = "the URL has userinfo (user:password@), which cannot be signed; remove it";
        return Err(Failure::new(Failure::SIGNING, message));
    }
    if let (Some(path), true) = (&args.request.upload_file, url.path().ends_with('/')) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let (Ok(mut segments), false) = (url.path_segments_mut(), name == "-") {
            segments.pop_if_empty().push(&name);
        }
    }
    if args.request.get && !args.data.is_empty() {
        let data = as_query(&joined(&args.data)?);
        let query = match url.query() {
            Some(query) if !query.is_empty() => format!("{query}&{data}"),
            _ => data,
        };
        url.set_query((!query.is_empty()).then_some(&query));
    }
    url.set_fragment(None);
    Ok(url)
}

/// Method, URL and headers.
pub(crate) fn head(args: &Args, url: &Url, body: &Body) -> Result<Parts, Failure> {
    let request = &args.request;
    let implied = match () {
        () if request.head => Method::HEAD,
        () if request.upload_file.is_some() => Method::PUT,
        () if body.len().is_some() => Method::POST,
        () => Method::GET,
    };
    let method = request.method.clone().unwrap_or(implied);
    let built = Request::builder().method(method).uri(url.as_str()).body(());
    let (mut parts, ()) = built.map_err(|error| Failure::url(&args.url, error))?.into_parts();
    parts.headers = defaults(args, body, &parts.method)?;
    let mut replaced: Vec<HeaderName> = Vec::new();
    for header in all_headers(&request.headers)? {
        match header {
            HeaderArg::Remove(name) => {
                parts.headers.remove(&name);
            }
            HeaderArg::Set(name, value) => {
                // The first one takes the place of a default one.
                if !replaced.contains(&name) {
                    parts.headers.remove(&name);
                    replaced.push(name.clone());
                }
                parts.headers.append(name, value);
            }
            HeaderArg::File(_) => {}
        }
    }
    Ok(parts)
}

/// The headers that curl sends by default.
fn defaults(args: &Args, body: &Body, method: &Method) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    let agent =
        args.request.user_agent.as_deref().unwrap_or(concat!("sigv4-curl/", env!("CARGO_PKG_VERSION")));
    let agent = HeaderValue::from_str(agent)
        .map_err(|error| Failure::new(Failure::USAGE, format!("-A {agent:?}: {error}")))?;
    if !agent.is_empty() {
        headers.insert(USER_AGENT, agent);
    }
    headers.insert(ACCEPT, body.accept.clone().unwrap_or(HeaderValue::from_static("*/*")));
    if let Some(content_type) = &body.content_type {
        headers.insert(CONTENT_TYPE, content_type.clone());
    }
    if args.transfer.compressed {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(ENCODINGS));
    }
    // S3 responds with 411 to a POST without a length.
    let empty = matches!(*method, Method::POST | Method::PUT | Method::PATCH).then_some(0);
    if let Some(len) = body.len().or(empty) {
        headers.insert(CONTENT_LENGTH, len.into());
    }
    Ok(headers)
}

/// The headers of `-H`, those in files in their place.
fn all_headers(given: &[HeaderArg]) -> Result<Vec<HeaderArg>, Failure> {
    let mut all = Vec::new();
    for argument in given {
        let HeaderArg::File(path) = argument else {
            all.push(argument.clone());
            continue;
        };
        let content = read(path)?;
        for line in String::from_utf8_lossy(&content).lines().filter(|line| !line.trim().is_empty()) {
            all.push(
                header(line).map_err(|error| {
                    Failure::new(Failure::USAGE, format!("-H @{}: {error}", path.display()))
                })?,
            );
        }
    }
    Ok(all)
}
