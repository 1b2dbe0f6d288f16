//! Service profiles: what a service's signing needs beyond the common rule.

use http::HeaderName;

use crate::signing::headers::signature_headers;

/// What one service's signatures need: how the path is encoded, and what is said of the payload.
///
/// The signer picks the profile by the signing name; say another with
/// [`SignerBuilder::profile`](crate::SignerBuilder::profile), or for one request by putting a `SigningSettings` into
/// its extensions. The rules are those of the AWS SDKs' signers and of each service's documentation.
///
/// ```
/// use sigv4_middleware::SigningSettings;
///
/// // A store that speaks S3's dialect under a signing name of its own.
/// let profile = SigningSettings::for_service("s3");
/// assert_eq!(profile.content_sha256_header(true), profile);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SigningSettings {
    pub(crate) double_encode: bool,
    pub(crate) normalize_path: bool,
    pub(crate) content_sha256_header: bool,
    pub(crate) unsigned_payload: bool,
    pub(crate) aws_chunked: bool,
    pub(crate) token_header: &'static str,
    /// Whether presigned URLs leave the payload unsigned.
    pub(crate) presigns_unsigned: bool,
    /// Whether presigned URLs carry the session token without signing it.
    pub(crate) appends_token: bool,
}

impl Default for SigningSettings {
    /// The common rule: path encoded twice and normalised, payload hashed, no `x-amz-content-sha256`.
    fn default() -> Self {
        Self {
            double_encode: true,
            normalize_path: true,
            content_sha256_header: false,
            unsigned_payload: false,
            aws_chunked: false,
            token_header: signature_headers::TOKEN_NAME,
            presigns_unsigned: false,
            appends_token: false,
        }
    }
}

impl SigningSettings {
    /// The profile of a service, by its signing name (`s3`, `execute-api`, …); the common rule for any other name.
    #[must_use]
    pub fn for_service(signing_name: &str) -> Self {
        let common = Self::default();
        let s3 = Self {
            double_encode: false,
            normalize_path: false,
            content_sha256_header: true,
            presigns_unsigned: true,
            aws_chunked: true,
            ..common
        };
        match signing_name {
            "s3" | "s3-outposts" | "s3-object-lambda" => s3,
            "s3express" => Self { token_header: signature_headers::S3_SESSION_TOKEN_NAME, ..s3 },
            "iotdevicegateway" => Self { appends_token: true, ..common },
            "aoss" => Self { content_sha256_header: true, ..common },
            "vpc-lattice-svcs" => Self {
                content_sha256_header: true,
                unsigned_payload: true,
                presigns_unsigned: true,
                ..common
            },
            _ => common,
        }
    }

    /// [`token_header`](Self::token_header) as a header's name.
    pub(crate) fn token_header_name(&self) -> HeaderName {
        if self.token_header == signature_headers::TOKEN_NAME {
            signature_headers::TOKEN
        } else {
            HeaderName::from_static(self.token_header)
        }
    }

    /// The name that the session token has in a presigned URL.
    pub(crate) fn token_parameter(&self) -> &'static str {
        match self.token_header {
            signature_headers::S3_SESSION_TOKEN_NAME => "X-Amz-S3session-Token",
            _ => "X-Amz-Security-Token",
        }
    }

    /// Whether the path, as it is sent, is encoded once more in the canonical request. Where it is not, the signer
    /// also rewrites the path that is sent to strict form.
    #[must_use]
    pub fn double_encode(self, double_encode: bool) -> Self {
        Self { double_encode, ..self }
    }

    /// Whether dot segments and repeated slashes are removed from the path in the canonical request.
    #[must_use]
    pub fn normalize_path(self, normalize_path: bool) -> Self {
        Self { normalize_path, ..self }
    }

    /// Whether `x-amz-content-sha256` is sent and signed.
    #[must_use]
    pub fn content_sha256_header(self, content_sha256_header: bool) -> Self {
        Self { content_sha256_header, ..self }
    }

    /// Whether the payload is signed as `UNSIGNED-PAYLOAD` over https unless a payload mode is said.
    #[must_use]
    pub fn unsigned_payload(self, unsigned_payload: bool) -> Self {
        Self { unsigned_payload, ..self }
    }

    /// Whether the service takes bodies in signed chunks, see [`AwsChunked`](crate::AwsChunked).
    #[must_use]
    pub fn aws_chunked(self, aws_chunked: bool) -> Self {
        Self { aws_chunked, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::SigningSettings;

    #[test]
    fn profiles_differ_where_the_services_do() {
        let of = SigningSettings::for_service;
        assert_eq!(of("execute-api"), SigningSettings::default());
        for name in ["s3", "s3-outposts", "s3-object-lambda", "s3express"] {
            let profile = of(name);
            assert!(
                !profile.double_encode
                    && !profile.normalize_path
                    && profile.content_sha256_header
                    && profile.presigns_unsigned
                    && profile.aws_chunked,
                "{name}"
            );
        }
        assert_eq!(of("s3express").token_header, "x-amz-s3session-token");
        assert!(of("aoss").content_sha256_header && of("aoss").double_encode);
        assert!(of("vpc-lattice-svcs").unsigned_payload && of("vpc-lattice-svcs").content_sha256_header);
    }
}
