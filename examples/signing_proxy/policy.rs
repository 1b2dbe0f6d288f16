//! What may pass: targets, methods and paths.

use http::Method;
use http::request::Parts;
use http::uri::PathAndQuery;
use percent_encoding::percent_decode_str;

use crate::headers::{is_aws_chunked, without_signature};
use crate::refusal::Refusal;

/// What is let through; an empty list lets everything through.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) methods: Vec<Method>,
    pub(crate) paths: Vec<String>,
}

impl Policy {
    /// The target to send a request to, or why it is not sent.
    pub(crate) fn check(&self, request: &Parts) -> Result<PathAndQuery, Refusal> {
        let method = &request.method;
        if [Method::CONNECT, Method::TRACE].contains(method)
            || !(self.methods.is_empty() || self.methods.contains(method))
        {
            return Err(Refusal::method(method, &self.methods));
        }
        if request.uri.scheme().is_some() || request.uri.authority().is_some() {
            return Err(Refusal::TARGET.into());
        }
        let target = request.uri.path_and_query().filter(|target| target.path().starts_with('/'));
        let target = target.ok_or(Refusal::TARGET)?;
        if !self.allows_path(target.path()) {
            return Err(Refusal::PATH.into());
        }
        if is_aws_chunked(&request.headers) {
            return Err(Refusal::AWS_CHUNKED.into());
        }
        match without_signature(target) {
            Some(target) => target.parse().map_err(|_| Refusal::TARGET.into()),
            None => Ok(target.clone()),
        }
    }

    /// Whether a path lies at or below an allowed one, whichever way a server reads it.
    fn allows_path(&self, path: &str) -> bool {
        let below = |allowed: &String| {
            let rest = path.strip_prefix(allowed.as_str());
            rest.is_some_and(|rest| rest.is_empty() || allowed.ends_with('/') || rest.starts_with('/'))
        };
        self.paths.is_empty() || (self.paths.iter().any(below) && !climbs(path))
    }
}

/// Whether a path has a segment `..` or `.`, be it written with escapes.
fn climbs(path: &str) -> bool {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    decoded.split(['/', '\\']).any(|segment| matches!(segment, "." | ".."))
}
