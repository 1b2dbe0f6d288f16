//! Targets, methods and paths that are passed on.

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, Version};

use crate::headers::is_aws_chunked;
use crate::paths::{AllowedPaths, PathRefusal};
use crate::query;
use crate::refusal::Refusal;

/// What is passed on; an empty list allows everything.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) methods: Vec<Method>,
    pub(crate) paths: AllowedPaths,
    pub(crate) stripped_parameters: Vec<String>,
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
        self.paths.check(target.path()).map_err(|why| match why {
            PathRefusal::NotAllowed => Refusal::PATH,
            PathRefusal::Ambiguous => Refusal::AMBIGUOUS_PATH,
        })?;
        if is_aws_chunked(&request.headers) {
            return Err(Refusal::AWS_CHUNKED.into());
        }
        match query::without(target, &self.stripped_parameters) {
            Some(target) => target.parse().map_err(|_| Refusal::TARGET.into()),
            None => Ok(target.clone()),
        }
    }
}
