//! [`SigningSettings`]: what a service's signing needs beyond the common rule.

use http::HeaderName;

use crate::signing::headers::signature_headers;

/// How requests to one service are signed: how the path is encoded, and how the payload is declared.
///
/// The signer selects the settings by the service's signing name. Set others by
/// [`SignerBuilder::signing_settings`](crate::SignerBuilder::signing_settings), or for one request by putting a
/// `SigningSettings` into its extensions.
///
/// ```
/// use sigv4_middleware::{Credentials, Signer, SigningSettings};
///
/// // An S3-compatible store with a signing name of its own, which takes no aws-chunked bodies.
/// let settings = SigningSettings::for_service("s3").aws_chunked(false);
/// assert!(settings.sends_content_sha256() && !settings.double_encodes());
///
/// let signer = Signer::builder()
///     .credentials(Credentials::new("AKIDEXAMPLE", "secret", None, None, "static"))
///     .service("objects")
///     .region("local")
///     .allow_host("objects.example.com")
///     .signing_settings(settings)
///     .build()?;
/// # Ok::<(), sigv4_middleware::BuildError>(())
/// ```
///
/// # AWS documentation
/// - IAM User Guide: ["Create a signed AWS API request"][create].
/// - Amazon S3 API Reference: ["Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)"][s3].
/// - Amazon VPC Lattice User Guide: ["SIGv4 authenticated requests for Amazon VPC Lattice"][lattice].
///
/// Where these say nothing, the rule is that of the AWS SDKs' signers.
///
/// [create]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
/// [s3]: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html
/// [lattice]: https://docs.aws.amazon.com/vpc-lattice/latest/ug/sigv4-authenticated-requests.html
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SigningSettings {
    pub(crate) double_encode: bool,
    pub(crate) normalize_path: bool,
    pub(crate) keep_escaped_slash: bool,
    pub(crate) content_sha256_header: bool,
    pub(crate) unsigned_payload: bool,
    pub(crate) aws_chunked: bool,
    pub(crate) token_header: &'static str,
    pub(crate) presigns_unsigned: bool,
    pub(crate) appends_token: bool,
}

impl Default for SigningSettings {
    /// The settings of most services: path encoded twice and normalized, payload hashed, no `x-amz-content-sha256`.
    fn default() -> Self {
        Self {
            double_encode: true,
            normalize_path: true,
            keep_escaped_slash: true,
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
    /// The settings of a service, by its signing name (`s3`, `execute-api`, …); the [default](Self::default) for any other
    /// name.
    ///
    /// ```
    /// use sigv4_middleware::SigningSettings;
    ///
    /// assert_eq!(SigningSettings::for_service("execute-api"), SigningSettings::default());
    /// assert!(SigningSettings::for_service("vpc-lattice-svcs").leaves_payload_unsigned());
    /// ```
    #[must_use]
    pub fn for_service(signing_name: &str) -> Self {
        let common = Self::default();
        let s3 = Self {
            double_encode: false,
            normalize_path: false,
            keep_escaped_slash: false,
            content_sha256_header: true,
            presigns_unsigned: true,
            aws_chunked: true,
            ..common
        };
        match signing_name {
            "s3" | "s3-object-lambda" => s3,
            "s3-outposts" => Self { keep_escaped_slash: true, ..s3 },
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

    /// The name of the header that carries the session token.
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
}

/// Setters.
impl SigningSettings {
    /// Sets whether the path that is sent is percent-encoded once more in the canonical request; `true` for all services
    /// but S3. If it is not, the signer also rewrites the path that is sent to strict form.
    #[must_use]
    pub fn double_encode(self, double_encode: bool) -> Self {
        Self { double_encode, ..self }
    }

    /// Sets whether dot segments and repeated slashes are removed from the path in the canonical request; `true` for all
    /// services but S3.
    #[must_use]
    pub fn normalize_path(self, normalize_path: bool) -> Self {
        Self { normalize_path, ..self }
    }

    /// Sets whether `%2F` stays in a path that is not [encoded twice](Self::double_encode). If it does not, it is sent and
    /// signed as `/`.
    ///
    /// S3 decodes the path to an object's key, and signs that key with its slashes unescaped. `%2F` always stays on the hosts
    /// of S3's control plane (`{account}.s3-control.{region}.amazonaws.com`) and of S3 on Outposts, whose paths hold
    /// ARNs.
    #[must_use]
    pub fn keep_escaped_slash(self, keep_escaped_slash: bool) -> Self {
        Self { keep_escaped_slash, ..self }
    }

    /// Sets whether `x-amz-content-sha256` is sent and signed; `true` for S3, OpenSearch Serverless (`aoss`) and VPC
    /// Lattice.
    #[must_use]
    pub fn content_sha256_header(self, content_sha256_header: bool) -> Self {
        Self { content_sha256_header, ..self }
    }

    /// Sets whether the payload is signed as `UNSIGNED-PAYLOAD` if no payload mode is set; `true` for VPC Lattice.
    ///
    /// Over plain http that is an error of kind [`ErrorKind::UnsupportedPayload`](crate::ErrorKind::UnsupportedPayload),
    /// unless [`allow_unsigned_over_http`](crate::SignerBuilder::allow_unsigned_over_http) is set.
    #[must_use]
    pub fn unsigned_payload(self, unsigned_payload: bool) -> Self {
        Self { unsigned_payload, ..self }
    }

    /// Sets whether the service takes aws-chunked bodies, see [`AwsChunked`](crate::AwsChunked); `true` for S3.
    #[must_use]
    pub fn aws_chunked(self, aws_chunked: bool) -> Self {
        Self { aws_chunked, ..self }
    }
}

/// Getters.
impl SigningSettings {
    /// Whether the path is percent-encoded twice in the canonical request, see [`double_encode`](Self::double_encode).
    #[must_use]
    pub fn double_encodes(&self) -> bool {
        self.double_encode
    }

    /// Whether the path is normalized in the canonical request, see [`normalize_path`](Self::normalize_path).
    #[must_use]
    pub fn normalizes_path(&self) -> bool {
        self.normalize_path
    }

    /// Whether `%2F` stays in the path, see [`keep_escaped_slash`](Self::keep_escaped_slash).
    #[must_use]
    pub fn keeps_escaped_slash(&self) -> bool {
        self.keep_escaped_slash
    }

    /// Whether `x-amz-content-sha256` is sent and signed, see [`content_sha256_header`](Self::content_sha256_header).
    #[must_use]
    pub fn sends_content_sha256(&self) -> bool {
        self.content_sha256_header
    }

    /// Whether the payload is left unsigned if no payload mode is set, see
    /// [`unsigned_payload`](Self::unsigned_payload).
    #[must_use]
    pub fn leaves_payload_unsigned(&self) -> bool {
        self.unsigned_payload
    }

    /// Whether the service takes aws-chunked bodies, see [`aws_chunked`](Self::aws_chunked).
    #[must_use]
    pub fn takes_aws_chunked(&self) -> bool {
        self.aws_chunked
    }

    /// The name of the header that carries the session token: `x-amz-security-token`, or `x-amz-s3session-token` for
    /// S3 Express.
    #[must_use]
    pub fn token_header(&self) -> &'static str {
        self.token_header
    }

    /// Whether presigned URLs leave the payload unsigned if no payload is set: `true` for S3 and VPC Lattice.
    #[must_use]
    pub fn presigns_unsigned(&self) -> bool {
        self.presigns_unsigned
    }

    /// Whether presigned URLs carry the session token without signing it: `true` for AWS IoT's MQTT over WebSocket.
    #[must_use]
    pub fn appends_token(&self) -> bool {
        self.appends_token
    }
}

#[cfg(test)]
mod tests {
    use super::SigningSettings;

    #[test]
    fn settings_differ_where_the_services_do() {
        let of = SigningSettings::for_service;
        assert_eq!(of("execute-api"), SigningSettings::default());
        for name in ["s3", "s3-outposts", "s3-object-lambda", "s3express"] {
            let settings = of(name);
            assert!(
                !settings.double_encodes()
                    && !settings.normalizes_path()
                    && settings.sends_content_sha256()
                    && settings.presigns_unsigned()
                    && settings.takes_aws_chunked(),
                "{name}"
            );
            assert_eq!(settings.keeps_escaped_slash(), name == "s3-outposts", "{name}");
        }
        assert_eq!(of("s3express").token_header(), "x-amz-s3session-token");
        assert_eq!(of("s3").token_header(), "x-amz-security-token");
        assert!(of("aoss").sends_content_sha256() && of("aoss").double_encodes());
        assert!(of("iotdevicegateway").appends_token() && !of("iotdata").appends_token());
        assert!(of("vpc-lattice-svcs").leaves_payload_unsigned());
        assert!(of("vpc-lattice-svcs").sends_content_sha256() && of("vpc-lattice-svcs").presigns_unsigned());
    }

    /// Each getter gives what its setter set, and no other's.
    #[test]
    fn getters_follow_setters() {
        type Set = fn(SigningSettings, bool) -> SigningSettings;
        type Get = fn(&SigningSettings) -> bool;
        let fields: [(Set, Get); 6] = [
            (SigningSettings::double_encode, SigningSettings::double_encodes),
            (SigningSettings::normalize_path, SigningSettings::normalizes_path),
            (SigningSettings::keep_escaped_slash, SigningSettings::keeps_escaped_slash),
            (SigningSettings::content_sha256_header, SigningSettings::sends_content_sha256),
            (SigningSettings::unsigned_payload, SigningSettings::leaves_payload_unsigned),
            (SigningSettings::aws_chunked, SigningSettings::takes_aws_chunked),
        ];
        for (at, (set, _)) in fields.iter().enumerate() {
            let off =
                fields.iter().fold(SigningSettings::default(), |settings, (set, _)| set(settings, false));
            let on = set(off, true);
            for (other, (_, get)) in fields.iter().enumerate() {
                assert_eq!(get(&on), at == other, "{at} {other}");
            }
        }
    }
}
