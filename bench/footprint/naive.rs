//! A hand-written middleware around aws-sigv4, as people write it.

use std::error::Error;
use std::io;
use std::time::SystemTime;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use http::{Extensions, Request};
use reqwest_middleware::{Middleware, Next};

pub(crate) struct Naive {
    pub(crate) identity: Identity,
    pub(crate) region: String,
    pub(crate) service: &'static str,
}

impl Naive {
    fn sign(&self, request: &mut reqwest::Request) -> Result<(), Box<dyn Error + Send + Sync>> {
        let params = v4::SigningParams::builder()
            .identity(&self.identity)
            .region(&self.region)
            .name(self.service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let headers =
            request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
        let signable = SignableRequest::new(
            request.method().as_str(),
            request.url().as_str(),
            headers,
            SignableBody::Bytes(body),
        )?;
        let (instructions, _signature) = sign(signable, &params)?.into_parts();
        let mut head = Request::new(());
        instructions.apply_to_request_http1x(&mut head);
        request.headers_mut().extend(head.into_parts().0.headers);
        Ok(())
    }
}

#[async_trait::async_trait]
impl Middleware for Naive {
    async fn handle(
        &self,
        mut request: reqwest::Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        self.sign(&mut request)
            .map_err(|error| reqwest_middleware::Error::middleware(io::Error::other(error)))?;
        next.run(request, extensions).await
    }
}
