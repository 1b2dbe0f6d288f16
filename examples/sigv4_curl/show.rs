//! Output: the response, and with `-v` what is signed, sent and received.

use std::fs::File;
use std::io::{self, Write};

use http::header::{AUTHORIZATION, HeaderMap};
use http::request::Parts;
use reqwest::Response;
use sigv4_middleware::SigningDetails;

use crate::args::Args;
use crate::failure::Failure;

/// With `-v`: what was signed, without secrets.
pub(crate) fn details(details: &SigningDetails) {
    if let Some(rule) = details.rule() {
        eprintln!("* service and region are inferred from the host: {rule}");
    }
    eprintln!("* canonical request:");
    details.canonical_request().lines().for_each(|line| eprintln!("*   {line}"));
    eprintln!("* string to sign:");
    details.string_to_sign().lines().for_each(|line| eprintln!("*   {line}"));
}

/// With `-v`: the request.
pub(crate) fn request(parts: &Parts) {
    eprintln!("> {} {}", parts.method, parts.uri.path_and_query().map_or("/", |target| target.as_str()));
    if let Some(host) = parts.uri.authority() {
        eprintln!("> host: {host}");
    }
    headers("> ", &parts.headers);
}

/// With `-v`: the response's head.
pub(crate) fn response(response: &Response) {
    eprintln!("< {:?} {}", response.version(), response.status());
    headers("< ", response.headers());
}

fn headers(prefix: &str, headers: &HeaderMap) {
    for (name, value) in headers {
        let text = String::from_utf8_lossy(value.as_bytes());
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

/// Writes the response to its destination as it arrives.
pub(crate) async fn body(args: &Args, mut response: Response) -> Result<(), Failure> {
    let mut out: Box<dyn Write> = match &args.output {
        Some(path) => Box::new(File::create(path).map_err(|error| {
            Failure::new(Failure::WRITE, format!("{} cannot be written: {error}", path.display()))
        })?),
        None => Box::new(io::stdout()),
    };
    if args.include {
        let mut head = format!("{:?} {}\r\n", response.version(), response.status()).into_bytes();
        for (name, value) in response.headers() {
            head.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        head.extend(b"\r\n");
        out.write_all(&head).map_err(Failure::writing)?;
    }
    while let Some(chunk) = response.chunk().await? {
        out.write_all(&chunk).map_err(Failure::writing)?;
    }
    out.flush().map_err(Failure::writing)
}
