//! Generated responses of a service.

use std::time::{Duration, UNIX_EPOCH};

use arbitrary::{Arbitrary, Result, Unstructured};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::scripted::{Scripted, Step, steps};
use crate::text;

/// The time of the signer's clock, in seconds since 1970.
pub const NOW: u64 = 1_440_938_160;

const WORDS: [&str; 33] = [
    "<Code>",
    "</Code>",
    "<Error>",
    "</Error>",
    "<ErrorResponse>",
    "<Response><Errors>",
    "<!--",
    "<![CDATA[",
    "&lt;",
    "\"__type\"",
    "\"code\"",
    ":",
    "\"",
    "#",
    " ",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "RequestExpired",
    "AccessDenied",
    "com.amazon.coral#ExpiredToken:http://",
    "{\"__type\":\"ExpiredToken\"}",
    "<Error><Code>ExpiredToken</Code></Error>",
    "<Error><Code>RequestTimeTooSkewed</Code></Error>",
    "{\"code\": \"RequestExpired\"}",
    "Sun, 30 Aug 2015 12:36:00 GMT",
    "Sunday, 30-Aug-15 12:36:00 GMT",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "\u{e9}",
];

const HEADERS: [&str; 9] = [
    "date",
    "date",
    "x-amzn-errortype",
    "x-amzn-errortype",
    "x-amzn-requestid",
    "x-amz-request-id",
    "age",
    "content-length",
    "location",
];

/// A response of the service.
#[derive(Clone, Debug)]
pub struct ScriptedResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub steps: Vec<Step>,
    pub is_sized: bool,
}

impl ScriptedResponse {
    pub fn build(&self) -> Response<Scripted> {
        let mut response = Response::new(Scripted::new(&self.steps, self.is_sized));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response
    }

    /// Whether the status is one that requests are refused with.
    pub fn is_refusal(&self) -> bool {
        matches!(self.status.as_u16(), 400 | 401 | 403)
    }
}

fn header(u: &mut Unstructured<'_>) -> Result<(HeaderName, HeaderValue)> {
    let name = text::one_of(u, &HEADERS)?;
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| arbitrary::Error::IncorrectFormat)?;
    let near = u.ratio(1, 2)?;
    let value = if near && name == http::header::DATE {
        let seconds = i64::from(i16::arbitrary(u)?);
        let date = UNIX_EPOCH + Duration::from_secs(NOW.saturating_add_signed(seconds));
        httpdate::fmt_http_date(date).into_bytes()
    } else {
        text::one_of(u, &WORDS)?.into_bytes()
    };
    Ok((name, HeaderValue::from_bytes(&value).map_err(|_| arbitrary::Error::IncorrectFormat)?))
}

impl Arbitrary<'_> for ScriptedResponse {
    fn arbitrary(u: &mut Unstructured<'_>) -> Result<Self> {
        let status =
            if u.ratio(7, 8)? { *u.choose(&[400, 401, 403, 200])? } else { u.int_in_range(100..=999)? };
        let steps = steps(u, 6, |u| Ok(text::text(u, &WORDS)?.into_bytes()))?;
        let mut headers = HeaderMap::new();
        for _ in 0..u.int_in_range(0..=4)? {
            let (name, value) = header(u)?;
            headers.append(name, value);
        }
        Ok(Self {
            status: StatusCode::from_u16(status).map_err(|_| arbitrary::Error::IncorrectFormat)?,
            headers,
            steps,
            is_sized: u.arbitrary()?,
        })
    }
}
