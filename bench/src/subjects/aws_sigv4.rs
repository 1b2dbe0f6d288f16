//! aws-sigv4 as its documentation uses it.

use std::error::Error;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use http::request::Parts;
use http::{HeaderMap, Request};

use super::Subject;
use crate::cases::{ACCESS_KEY_ID, Case, REGION, SECRET_ACCESS_KEY};

/// `http_request::sign` and `apply_to_request_http1x`, the identity kept.
pub struct AwsSigV4 {
    identity: Identity,
    service: &'static str,
    payload: Option<Vec<u8>>,
}

impl AwsSigV4 {
    /// For one case.
    #[must_use]
    pub fn new(case: &Case) -> Self {
        let credentials =
            Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY, case.session_token(), None, "bench");
        Self { identity: credentials.into(), service: case.service, payload: case.payload.clone() }
    }

    fn settings(&self) -> SigningSettings {
        let mut settings = SigningSettings::default();
        if self.service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        settings
    }
}

impl Subject for AwsSigV4 {
    type Request = Request<()>;

    fn prepare(&self, parts: Parts) -> Request<()> {
        Request::from_parts(parts, ())
    }

    fn sign(&self, request: &mut Request<()>) -> Result<(), Box<dyn Error>> {
        let params = v4::SigningParams::builder()
            .identity(&self.identity)
            .region(REGION)
            .name(self.service)
            .time(SystemTime::now())
            .settings(self.settings())
            .build()?
            .into();
        let body = self.payload.as_deref().map_or(SignableBody::UnsignedPayload, SignableBody::Bytes);
        let uri = request.uri().to_string();
        let headers =
            request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let signable = SignableRequest::new(request.method().as_str(), uri, headers, body)?;
        let (instructions, _signature) = sign(signable, &params)?.into_parts();
        instructions.apply_to_request_http1x(request);
        Ok(())
    }

    fn headers<'a>(&self, request: &'a Request<()>) -> &'a HeaderMap {
        request.headers()
    }
}
