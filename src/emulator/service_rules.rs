//! What each service requires of a signed request.

/// What represents the body in the canonical request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payload {
    /// The body's hash; no header needed.
    Hash,
    /// `x-amz-content-sha256`, signed: the body's hash or `UNSIGNED-PAYLOAD`.
    Declared,
    /// `x-amz-content-sha256`, signed: the body's hash.
    DeclaredHash,
    /// `x-amz-content-sha256: UNSIGNED-PAYLOAD`, signed.
    Unsigned,
}

/// What a service requires of a signed request.
#[derive(Debug)]
pub(super) struct ServiceRules {
    /// Whether the path is encoded once and not normalized.
    pub(super) path_once: bool,
    pub(super) payload: Payload,
    pub(super) token_header: &'static str,
    pub(super) token_query: &'static str,
    /// Whether the signature of a presigned URL covers its session token.
    pub(super) token_signed: bool,
}

impl ServiceRules {
    /// The rules of a service, by its signing name.
    pub(super) fn of_service(service: &str) -> Self {
        let s3 = matches!(service, "s3" | "s3-outposts" | "s3-object-lambda" | "s3express");
        let (token_header, token_query) = match service {
            "s3express" => ("x-amz-s3session-token", "X-Amz-S3session-Token"),
            _ => ("x-amz-security-token", "X-Amz-Security-Token"),
        };
        let payload = match service {
            "aoss" => Payload::DeclaredHash,
            "vpc-lattice-svcs" => Payload::Unsigned,
            _ if s3 => Payload::Declared,
            _ => Payload::Hash,
        };
        let token_signed = service != "iotdevicegateway";
        Self { path_once: s3, payload, token_header, token_query, token_signed }
    }
}
