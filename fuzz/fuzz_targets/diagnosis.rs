//! Any response and any record: a diagnosis of bounded length, without the secrets that a server repeats.
#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use libfuzzer_sys::fuzz_target;
use sigv4_middleware::SigningDetails;
use sigv4_middleware::diagnosis::{RefusedResponse, SentRequest, diagnose};
use sigv4_middleware_fuzz::text;

/// In the server's and the client's canonical requests, and nowhere in a diagnosis.
const SECRET: &str = "IQoJTopSecretTopSecretTopSecret";

/// Longer than any report.
const LONGEST_REPORT: usize = 32 * 1024;

const WORDS: [&str; 64] = [
    "<Error>",
    "</Error>",
    "<Code>",
    "</Code>",
    "<Message>",
    "</Message>",
    "<ErrorResponse>",
    "<Response><Errors>",
    "<CanonicalRequest>",
    "</CanonicalRequest>",
    "<CanonicalRequestBytes>47 45 54 0a 2f",
    "<StringToSign>",
    "</StringToSign>",
    "<HeadersNotSigned>host",
    "<Region>eu-west-1</Region>",
    "<RequestTime>20261125T120000Z</RequestTime>",
    "<ServerTime>2026-11-25T12:30:00Z</ServerTime>",
    "<![CDATA[",
    "&lt;",
    "&#x10ffff;",
    "<html><head><title>",
    "{\"__type\":\"com.amazon.coral#",
    "{\"message\":\"",
    "\"Message\" : ",
    "{\"errors\":[{\"errorType\":\"",
    "\"}",
    "\"",
    "\\n",
    "\n",
    "'",
    ":",
    ";",
    "&",
    "=",
    "%2",
    "%25",
    "\u{e9}",
    "\u{130}",
    "The Canonical String for this request should have been\n'",
    "'\n\nThe String-to-Sign should have been\n'",
    "AWS4-HMAC-SHA256\n20261125T120000Z\n20261125/eu-west-1/s3/aws4_request\n",
    "GET\n/a\nb=1\n",
    "host:h\n",
    "content-type:text/plain\n",
    "x-amz-content-sha256:UNSIGNED-PAYLOAD\n",
    "\nhost;x-amz-date\n",
    "Signature expired: 20261125T120000Z is now earlier than ",
    "Signature not yet current: ",
    "Credential should be scoped to a valid region, not '",
    "unexpected scope: 20261125/us-east-1/s3/aws4_request",
    "Authorization header: '",
    "(hashed with SHA-256 and encoded with Base64): '",
    "User: arn:aws:iam::1:user/a is not authorized to perform: s3:GetObject on resource: ",
    " with an explicit deny in a service control policy: arn:aws:",
    " because no identity-based policy allows",
    "Missing Authentication Token",
    "The security token included in the request is invalid.",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "RequestTimeTooSkewed",
    "AuthFailure",
    "AccessDenied",
    "Forbidden",
    "XAmzContentSHA256Mismatch",
];

const HEADERS: [&str; 16] = [
    "date",
    "server",
    "age",
    "via",
    "www-authenticate",
    "x-amzn-errortype",
    "x-amzn-errortype",
    "x-amzn-requestid",
    "x-amz-request-id",
    "x-amz-apigw-id",
    "apigw-requestid",
    "x-amz-bucket-region",
    "x-aoss-response-hint",
    "x-amz-cf-id",
    "cf-ray",
    "x-squid-error",
];

const VALUES: [&str; 12] = [
    "Wed, 25 Nov 2026 12:00:00 GMT",
    "AmazonS3",
    "CloudFront",
    "awselb/2.0",
    "MinIO",
    "aoss-amazon",
    "X01:gw-helper-deny",
    "Bearer error=\"invalid_token\"",
    "AccessDeniedException:http://internal.amazon.com/",
    "UnauthorizedException",
    "eu-west-1",
    "\u{e9}",
];

#[derive(Debug)]
struct Input {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    sent: SentRequest,
}

fn written(u: &mut Unstructured<'_>) -> Result<String> {
    let mut all = String::new();
    for _ in 0..u.int_in_range(0..=24)? {
        all.push_str(&text::text(u, &WORDS)?);
    }
    Ok(all)
}

fn sent(u: &mut Unstructured<'_>) -> Result<SentRequest> {
    let canonical = if u.arbitrary()? {
        format!(
            "GET\n/\n{}\nhost:h\nx-amz-security-token:{SECRET}\n\nhost;x-amz-security-token\nhash",
            written(u)?
        )
    } else {
        written(u)?
    };
    let mut sent = SentRequest::unknown();
    if u.ratio(3, 4)? {
        sent = SigningDetails::from_canonical(&canonical, &written(u)?).into();
    }
    if u.arbitrary()? {
        sent = sent.signed(u.arbitrary()?).session_token(u.arbitrary()?).api_key(u.arbitrary()?);
    }
    if u.arbitrary()? {
        sent = sent.method(written(u)?).url_host(written(u)?).access_key_id(written(u)?).service(written(u)?);
    }
    if u.arbitrary()? {
        sent = sent.authorization(&format!("Bearer {SECRET}"));
    }
    Ok(sent)
}

impl Arbitrary<'_> for Input {
    fn arbitrary(u: &mut Unstructured<'_>) -> Result<Self> {
        let status = if u.ratio(7, 8)? {
            *u.choose(&[400, 401, 403, 404, 301, 503])?
        } else {
            u.int_in_range(100..=999)?
        };
        let mut headers = HeaderMap::new();
        for _ in 0..u.int_in_range(0..=4)? {
            let name = HeaderName::from_static(u.choose(&HEADERS)?);
            let value = text::one_of(u, &VALUES)?;
            let value =
                HeaderValue::from_bytes(value.as_bytes()).map_err(|_| arbitrary::Error::IncorrectFormat)?;
            headers.append(name, value);
        }
        let sent = sent(u)?;
        let body = match u.int_in_range(0..=3)? {
            0 => u.arbitrary()?,
            // The server repeats what the client signed, its token among it.
            1 => format!(
                "The Canonical String for this request should have been\n'GET\n/\n{}\nhost:h\nx-amz-security-token:{SECRET}\n\
                 \nhost;x-amz-security-token\nhash'\n\nThe String-to-Sign should have been\n'{}'",
                written(u)?.replace('\n', ""),
                written(u)?
            )
            .into_bytes(),
            _ => written(u)?.into_bytes(),
        };
        let status = StatusCode::from_u16(status).map_err(|_| arbitrary::Error::IncorrectFormat)?;
        Ok(Self { status, headers, body, sent })
    }
}

fuzz_target!(|input: Input| {
    let refused = RefusedResponse::new(input.status, &input.headers, &input.body);
    let Some(diagnosis) = diagnose(&refused, &input.sent) else { return };
    assert!(!diagnosis.causes().is_empty());
    assert_eq!(diagnosis.is_certain(), diagnosis.causes().len() == 1);
    let report = diagnosis.to_string();
    assert!(report.len() < LONGEST_REPORT, "{} bytes", report.len());
    let shown = format!("{report} {diagnosis:?} {:?}", input.sent);
    assert!(!shown.contains("TopSecret"), "{shown}");
});
