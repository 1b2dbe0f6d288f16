//! How services write a refusal.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use super::refusal::{Detail, Refusal};

const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// The service whose form an [`IamGateway`](crate::IamGateway) writes its refusals in, set by
/// [`refusal_style`](crate::IamGatewayBuilder::refusal_style).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalStyle {
    /// API Gateway and most REST services: the code in `x-amzn-errortype`, the message in JSON. The canonical request is
    /// printed.
    #[default]
    ApiGateway,
    /// Amazon S3: code, message and details in XML. The canonical request is printed. A date may be 15 minutes off; in the
    /// forms of other AWS services 5 minutes.
    S3,
    /// awsJson services such as DynamoDB: status 400, code and message in JSON. The canonical request is printed.
    AwsJson,
    /// Query services such as STS: code and message in XML. The canonical request is printed.
    Query,
    /// S3-compatible stores: S3's codes in XML, without canonical request, times or region. A date may be 15 minutes off.
    PlainStore,
}

impl RefusalStyle {
    /// How many seconds a signature's date may be off.
    pub(super) fn skew(self) -> i64 {
        match self {
            Self::S3 | Self::PlainStore => 900,
            _ => 300,
        }
    }

    /// The response for a refusal.
    pub(super) fn write(self, refusal: &Refusal) -> Response<Bytes> {
        let (status, content_type, body) = match self {
            Self::ApiGateway => {
                let body = serde_json::json!({ "message": refusal.message });
                (refusal.status, "application/json", body.to_string())
            }
            Self::AwsJson => {
                let code = format!("com.amazon.coral.service#{}", refusal.error_type);
                let body = serde_json::json!({ "__type": code, "message": refusal.message });
                (StatusCode::BAD_REQUEST, "application/x-amz-json-1.0", body.to_string())
            }
            Self::Query => {
                let code = match refusal.error_type {
                    "InvalidSignatureException" => "SignatureDoesNotMatch",
                    "UnrecognizedClientException" => "InvalidClientTokenId",
                    "AccessDeniedException" => "AccessDenied",
                    other => other.strip_suffix("Exception").unwrap_or(other),
                };
                let message = escaped(&refusal.message);
                let body = format!(
                    "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <Error>\n    \
                     <Type>Sender</Type>\n    <Code>{code}</Code>\n    <Message>{message}</Message>\n  </Error>\n\
                     </ErrorResponse>\n"
                );
                (refusal.status, "text/xml", body)
            }
            Self::S3 | Self::PlainStore => {
                let (status, code, message) = s3(refusal);
                let details = if self == Self::S3 { s3_details(&refusal.detail) } else { String::new() };
                let message = escaped(&message);
                let body = format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
                     {details}</Error>"
                );
                (status, "application/xml", body)
            }
        };
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if self == Self::ApiGateway {
            response.headers_mut().insert(ERROR_TYPE, HeaderValue::from_static(refusal.error_type));
        }
        response
    }
}

/// Status, code and message of S3.
fn s3(refusal: &Refusal) -> (StatusCode, &'static str, String) {
    const BAD: StatusCode = StatusCode::BAD_REQUEST;
    const FORBIDDEN: StatusCode = StatusCode::FORBIDDEN;
    let own = |status, code, message: &str| (status, code, message.to_owned());
    match &*refusal.detail {
        Detail::Mismatch { .. } => own(
            FORBIDDEN,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your key and signing \
             method.",
        ),
        Detail::Region { given, expected } => (
            BAD,
            "AuthorizationHeaderMalformed",
            format!(
                "The authorization header is malformed; the region '{given}' is wrong; expecting '{expected}'"
            ),
        ),
        Detail::Service { given, expected } => (
            BAD,
            "AuthorizationHeaderMalformed",
            format!(
                "The authorization header is malformed; incorrect service \"{given}\". This endpoint belongs to \
                 \"{expected}\"."
            ),
        ),
        Detail::Time { expired: true, presigned: true, .. } => {
            own(FORBIDDEN, "AccessDenied", "Request has expired")
        }
        Detail::Time { presigned: true, .. } => own(FORBIDDEN, "AccessDenied", "Request is not yet valid"),
        Detail::Time { .. } => own(
            FORBIDDEN,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        ),
        Detail::Key { .. } => own(
            FORBIDDEN,
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
        ),
        Detail::Token => own(BAD, "InvalidToken", "The provided token is malformed or otherwise invalid."),
        Detail::Scheme => own(BAD, "InvalidArgument", "Unsupported Authorization Type"),
        Detail::HashMissing => (BAD, "InvalidRequest", refusal.message.clone()),
        Detail::Hashes { .. } => (BAD, "XAmzContentSHA256Mismatch", refusal.message.clone()),
        Detail::Unsigned { .. } => {
            own(FORBIDDEN, "AccessDenied", "There were headers present in the request which were not signed")
        }
        Detail::None => match refusal.error_type {
            "ExpiredTokenException" => own(BAD, "ExpiredToken", "The provided token has expired."),
            "IncompleteSignatureException" => own(
                BAD,
                "AuthorizationHeaderMalformed",
                "The authorization header is malformed; the authorization header requires three components: Credential, \
                 SignedHeaders, and Signature.",
            ),
            "InvalidSignatureException" => (BAD, "AuthorizationHeaderMalformed", refusal.message.clone()),
            "MissingAuthenticationTokenException" => own(FORBIDDEN, "AccessDenied", "Access Denied"),
            "TooManyRequestsException" => {
                own(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "Please reduce your request rate.")
            }
            "AccessDeniedException" => (FORBIDDEN, "AccessDenied", refusal.message.clone()),
            _ => (refusal.status, "InternalError", refusal.message.clone()),
        },
    }
}

fn s3_details(detail: &Detail) -> String {
    let element = |name: &str, text: &str| format!("<{name}>{}</{name}>", escaped(text));
    let bytes = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    match detail {
        Detail::Mismatch { access_key_id, signature, string_to_sign, canonical } => [
            element("AWSAccessKeyId", access_key_id),
            element("StringToSign", string_to_sign),
            element("SignatureProvided", signature),
            element("StringToSignBytes", &bytes(string_to_sign)),
            element("CanonicalRequest", canonical),
            element("CanonicalRequestBytes", &bytes(canonical)),
        ]
        .concat(),
        Detail::Region { expected, .. } => element("Region", expected),
        Detail::Time { signed, now, limit, presigned: true, expired: true } => {
            element("X-Amz-Expires", &limit.to_string())
                + &element("Expires", &signed.plus(*limit).iso())
                + &element("ServerTime", &now.iso())
        }
        Detail::Time { signed, now, limit, .. } => {
            element("RequestTime", &signed.amz_date())
                + &element("ServerTime", &now.iso())
                + &element("MaxAllowedSkewMilliseconds", &(limit * 1000).to_string())
        }
        Detail::Key { access_key_id } => element("AWSAccessKeyId", access_key_id),
        Detail::Hashes { client, server } => {
            element("ClientComputedContentSHA256", client) + &element("S3ComputedContentSHA256", server)
        }
        Detail::Unsigned { name } => element("HeadersNotSigned", name),
        _ => String::new(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
