//! Targets, methods and paths that are passed on.

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, Version};
use percent_encoding::percent_decode_str;

use crate::headers::{is_aws_chunked, without_signature};
use crate::refusal::Refusal;

/// What is passed on; an empty list allows everything.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) methods: Vec<Method>,
    pub(crate) paths: Vec<String>,
}

impl Policy {
    /// The target to send a request to.
    ///
    /// # Errors
    /// The refusal of a request that is not passed on.
    pub(crate) fn check(&self, request: &Parts) -> Result<PathAndQuery, Refusal> {
        let method = &request.method;
        if [Method::CONNECT, Method::TRACE].contains(method)
            || !(self.methods.is_empty() || self.methods.contains(method))
        {
            return Err(Refusal::method(method, &self.methods));
        }
        // HTTP/2 has scheme and authority in every request.
        let is_absolute = request.uri.scheme().is_some() || request.uri.authority().is_some();
        if is_absolute && request.version != Version::HTTP_2 {
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

    /// Whether a path is an allowed one or below it, even after a server resolves dot segments.
    fn allows_path(&self, path: &str) -> bool {
        let is_below = |allowed: &String| {
            let rest = path.strip_prefix(allowed.as_str());
            rest.is_some_and(|rest| rest.is_empty() || allowed.ends_with('/') || rest.starts_with('/'))
        };
        self.paths.is_empty() || (self.paths.iter().any(is_below) && !has_dot_segment(path))
    }
}

/// Whether a path has a segment `..` or `.`, with or without escapes.
fn has_dot_segment(path: &str) -> bool {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    decoded.split(['/', '\\']).any(|segment| matches!(segment, "." | ".."))
}
