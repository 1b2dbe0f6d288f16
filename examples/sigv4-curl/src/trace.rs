//! What goes over the wire, beneath the signing: shown with `-v`, and counted.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::header::{AUTHORIZATION, HeaderMap};
use http::{Extensions, StatusCode, Version};
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next};

use crate::terminal::printable;

/// A response's head.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) version: Version,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
}

/// What was seen on the wire.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The heads of redirects that were followed, and of the last response if it is one.
    pub(crate) redirects: Vec<Head>,
    pub(crate) requests: usize,
    /// From the start to the last response's head.
    pub(crate) time_to_head: Duration,
}

/// The innermost middleware.
pub(crate) struct Trace {
    pub(crate) seen: Arc<Mutex<Seen>>,
    pub(crate) start: Instant,
    pub(crate) verbose: bool,
}

#[async_trait::async_trait]
impl Middleware for Trace {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        if self.verbose {
            show_request(&request);
        }
        let response = next.run(request, extensions).await?;
        if self.verbose {
            show_response(&response);
        }
        if let Ok(mut seen) = self.seen.lock() {
            seen.requests += 1;
            seen.time_to_head = self.start.elapsed();
            if response.status().is_redirection() {
                seen.redirects.push(Head::of(&response));
            }
        }
        Ok(response)
    }
}

impl Head {
    pub(crate) fn of(response: &Response) -> Self {
        Self { version: response.version(), status: response.status(), headers: response.headers().clone() }
    }

    /// The text that `-i` writes, with an empty line at its end.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let reason = match self.version {
            Version::HTTP_2 => "",
            _ => self.status.canonical_reason().unwrap_or_default(),
        };
        let mut head =
            format!("{} {} {reason}\r\n", version_name(self.version), self.status.as_u16()).into_bytes();
        for (name, value) in &self.headers {
            head.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        head.extend(b"\r\n");
        head
    }
}

/// The version in a status line; for HTTP/2 what curl writes.
pub(crate) fn version_name(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        _ => "HTTP/1.1",
    }
}

fn show_request(request: &Request) {
    let url = request.url();
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    eprintln!("> {} {}{query}", request.method(), url.path());
    if !request.headers().contains_key(http::header::HOST) {
        eprintln!("> host: {}", url.authority());
    }
    show_headers("> ", request.headers());
}

fn show_response(response: &Response) {
    eprintln!("< {} {}", version_name(response.version()), response.status());
    show_headers("< ", response.headers());
}

fn show_headers(prefix: &str, headers: &HeaderMap) {
    for (name, value) in headers {
        let text = printable(&String::from_utf8_lossy(value.as_bytes()));
        // The signer marks secrets as sensitive, and the signature, which is valid for this request only, for minutes.
        if value.is_sensitive() && name != AUTHORIZATION {
            let start: String = text.chars().take(8).collect();
            eprintln!("{prefix}{name}: {start}… ({} characters)", text.chars().count());
        } else {
            eprintln!("{prefix}{name}: {text}");
        }
    }
    eprintln!("{}", prefix.trim_end());
}
