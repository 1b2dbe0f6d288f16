//! Where an error code counts and where it does not: responses of AWS and of applications to a POST, which the server
//! counts.

use std::time::Duration;

use aws_smithy_async::test_util::ManualTimeSource;
use http::{Response, StatusCode};
use sigv4_middleware::{Credentials, Signer};

use crate::support::*;

/// A first response, and how often the request is sent.
struct Row {
    name: &'static str,
    service: &'static str,
    /// Whether the request is signed with a session token, which alone can expire.
    has_token: bool,
    /// How far the server's clock is ahead, in minutes.
    ahead: u64,
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    /// By an integration that reads the bodies of refusals.
    read: usize,
    /// By one that has status and headers only.
    unread: usize,
}

const AMZN: (&str, &str) = ("x-amzn-requestid", "b25f48e8-84fd-11e6-80d9-574e0c4664cb");
const AMZ: (&str, &str) = ("x-amz-request-id", "4442587FB7D0A2F9");
const APIGW: (&str, &str) = ("apigw-requestid", "JKJaXmPLvHcESHA=");

const ROW: Row = Row {
    name: "",
    service: "execute-api",
    has_token: true,
    ahead: 0,
    status: 403,
    headers: &[],
    body: "",
    read: 1,
    unread: 1,
};

/// What an application says itself is the caller's.
const APPLICATIONS: &[Row] = &[
    Row { name: "warnings", body: r#"{"warnings":[{"code":"ExpiredToken"}]}"#, ..ROW },
    Row { name: "warnings behind API Gateway", headers: &[APIGW], ..APPLICATIONS_WARNINGS },
    Row { name: "an API token", status: 401, body: r#"{"code":"InvalidToken"}"#, ..ROW },
    Row { name: "a JSON code without a request id", body: r#"{"code":"ExpiredToken"}"#, ..ROW },
    Row { name: "a JSON type without a request id", body: r#"{"__type":"ExpiredTokenException"}"#, ..ROW },
    Row {
        name: "an XML code without a request id",
        service: "s3",
        body: "<Error><Code>ExpiredToken</Code></Error>",
        ..ROW
    },
    Row {
        name: "an XML code with S3's second id only",
        service: "s3",
        headers: &[("x-amz-id-2", "Y2xvdWQ=")],
        body: "<Error><Code>ExpiredToken</Code></Error>",
        ..ROW
    },
    Row {
        name: "a request id of its own",
        headers: &[("x-request-id", "1")],
        body: r#"{"code":"ExpiredToken"}"#,
        ..ROW
    },
    Row {
        name: "JWT authorizer",
        status: 401,
        headers: &[APIGW],
        body: r#"{"message":"Unauthorized"}"#,
        ..ROW
    },
    Row { name: "HTTP API", headers: &[APIGW], body: r#"{"message":"Forbidden"}"#, ..ROW },
    Row { name: "a nested error", headers: &[AMZN], body: r#"{"error":{"code":"ExpiredToken"}}"#, ..ROW },
    Row { name: "a nested type", headers: &[AMZN], body: r#"{"error":{"__type":"ExpiredToken"}}"#, ..ROW },
    Row {
        name: "a list of errors",
        headers: &[AMZN],
        body: r#"{"errors":[{"code":"ExpiredToken"}]}"#,
        ..ROW
    },
    Row { name: "GraphQL", headers: &[AMZN], body: r#"{"errors":[{"errorType":"ExpiredToken"}]}"#, ..ROW },
    Row { name: "OAuth", status: 401, headers: &[APIGW], body: r#"{"error":"ExpiredToken"}"#, ..ROW },
    Row { name: "another field", headers: &[AMZN], body: r#"{"Code":"ExpiredToken"}"#, ..ROW },
    Row { name: "the message", headers: &[AMZN], body: r#"{"message":"ExpiredToken"}"#, ..ROW },
    Row { name: "an array", headers: &[AMZN], body: r#"[{"code":"ExpiredToken"}]"#, ..ROW },
    Row { name: "a JSON string", headers: &[AMZN], body: r#""ExpiredToken""#, ..ROW },
    Row { name: "plain text", headers: &[AMZN], body: "ExpiredToken", ..ROW },
    Row { name: "YAML", headers: &[AMZN], body: "code: ExpiredToken", ..ROW },
    Row { name: "a number", headers: &[AMZN], body: r#"{"code":403}"#, ..ROW },
    Row { name: "another case", headers: &[AMZN], body: r#"{"code":"expiredtoken"}"#, ..ROW },
    Row { name: "more than the code", headers: &[AMZN], body: r#"{"code":"ExpiredTokenForOrders"}"#, ..ROW },
    Row { name: "JSON cut off", headers: &[AMZN], body: r#"{"code":"ExpiredToken""#, ..ROW },
    Row { name: "JSON of two values", headers: &[AMZN], body: r#"{} {"code":"ExpiredToken"}"#, ..ROW },
    Row {
        name: "a type before a code",
        headers: &[AMZN],
        body: r#"{"code":"ExpiredToken","__type":"AccessDeniedException"}"#,
        ..ROW
    },
    Row { name: "a JSON code of S3", headers: &[APIGW], body: r#"{"code":"InvalidToken"}"#, ..ROW },
    Row {
        name: "a header code of S3",
        headers: &[AMZN, ("x-amzn-errortype", "InvalidToken")],
        body: r#"{"code":"InvalidToken"}"#,
        ..ROW
    },
    Row {
        name: "the header's code is the code",
        headers: &[AMZN, ("x-amzn-errortype", "AccessDeniedException")],
        body: r#"{"code":"ExpiredToken"}"#,
        ..ROW
    },
    Row {
        name: "a page",
        headers: &[AMZ],
        body: "<html><body><Code>ExpiredToken</Code></body></html>",
        ..ROW
    },
    Row { name: "a page that is not XML", headers: &[AMZ], body: "<!doctype html><p>ExpiredToken", ..ROW },
    Row {
        name: "another root",
        service: "s3",
        headers: &[AMZ],
        body: "<Result><Error><Code>ExpiredToken</Code></Error></Result>",
        ..ROW
    },
    Row {
        name: "deeper than the error",
        service: "s3",
        headers: &[AMZ],
        body: "<Error><Detail><Code>ExpiredToken</Code></Detail></Error>",
        ..ROW
    },
    Row {
        name: "SOAP",
        headers: &[AMZN],
        body: "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault><faultcode>\
               ExpiredToken</faultcode></s:Fault></s:Body></s:Envelope>",
        ..ROW
    },
    Row {
        name: "the first of two codes",
        service: "s3",
        headers: &[AMZ],
        body: "<Error><Code>AccessDenied</Code><Code>ExpiredToken</Code></Error>",
        ..ROW
    },
    Row {
        name: "an attribute",
        service: "s3",
        headers: &[AMZ],
        body: "<Error Code=\"ExpiredToken\"/>",
        ..ROW
    },
    Row {
        name: "a comment",
        service: "s3",
        headers: &[AMZ],
        body: "<!-- <Code>ExpiredToken</Code> -->",
        ..ROW
    },
    Row { name: "an application with another clock", ahead: 60, body: r#"{"message":"no"}"#, ..ROW },
    Row {
        name: "an application with another clock and a code",
        ahead: 60,
        body: r#"{"code":"SignatureDoesNotMatch"}"#,
        ..ROW
    },
];

const APPLICATIONS_WARNINGS: Row = Row { body: r#"{"warnings":[{"code":"ExpiredToken"}]}"#, ..ROW };

/// Of AWS's refusals, two kinds are recovered from.
const AWS: &[Row] = &[
    Row {
        name: "API Gateway: expired",
        headers: &[AMZN, ("x-amzn-errortype", "ExpiredTokenException")],
        body: r#"{"message":"The security token included in the request is expired"}"#,
        read: 2,
        unread: 2,
        ..ROW
    },
    Row {
        name: "expired, with a URL",
        headers: &[AMZN, ("x-amzn-errortype", "ExpiredTokenException:http://internal.amazon.com/coral/")],
        read: 2,
        unread: 2,
        ..ROW
    },
    Row {
        name: "expired, with a namespace",
        status: 400,
        headers: &[AMZN, ("x-amzn-errortype", "com.amazon.coral.service#ExpiredTokenException")],
        read: 2,
        unread: 2,
        ..ROW
    },
    Row {
        name: "DynamoDB: expired",
        service: "dynamodb",
        status: 400,
        headers: &[AMZN],
        body: r#"{"__type":"com.amazon.coral.service#ExpiredTokenException","message":"x"}"#,
        read: 2,
        ..ROW
    },
    Row { name: "a top-level code", headers: &[AMZN], body: r#"{"code":"ExpiredToken"}"#, read: 2, ..ROW },
    Row {
        name: "S3: expired",
        service: "s3",
        status: 400,
        headers: &[AMZ],
        body: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>ExpiredToken</Code><Message/></Error>",
        read: 2,
        ..ROW
    },
    Row {
        name: "S3: invalid token",
        service: "s3",
        status: 400,
        headers: &[AMZ],
        body: "<Error><Code>InvalidToken</Code></Error>",
        read: 2,
        ..ROW
    },
    Row {
        name: "STS: expired",
        service: "sts",
        headers: &[AMZN],
        body: "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <Error>\n    <Type>Sender</Type>\n    \
               <Code>ExpiredToken</Code>\n  </Error>\n</ErrorResponse>",
        read: 2,
        ..ROW
    },
    Row {
        name: "STS: invalid token",
        service: "sts",
        headers: &[AMZN],
        body: "<ErrorResponse><Error><Code>InvalidToken</Code></Error></ErrorResponse>",
        read: 2,
        ..ROW
    },
    Row {
        name: "SQS: invalid token",
        service: "sqs",
        headers: &[AMZN],
        body: "<ErrorResponse><Error><Code>InvalidToken</Code></Error></ErrorResponse>",
        ..ROW
    },
    Row {
        name: "expired, of keys without a token",
        service: "s3",
        has_token: false,
        headers: &[AMZ],
        body: "<Error><Code>ExpiredToken</Code></Error>",
        ..ROW
    },
    Row {
        name: "API Gateway: wrong date",
        ahead: 60,
        headers: &[AMZN, ("x-amzn-errortype", "InvalidSignatureException")],
        read: 2,
        unread: 2,
        ..ROW
    },
    Row {
        name: "STS: wrong date",
        service: "sts",
        has_token: false,
        ahead: 60,
        headers: &[AMZN],
        body: "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>",
        read: 2,
        unread: 2,
        ..ROW
    },
    Row {
        name: "S3: wrong date",
        service: "s3",
        has_token: false,
        ahead: 60,
        headers: &[AMZ],
        body: "<Error><Code>RequestTimeTooSkewed</Code></Error>",
        read: 2,
        unread: 2,
        ..ROW
    },
    Row {
        name: "EC2: wrong date",
        service: "ec2",
        status: 400,
        ahead: 60,
        headers: &[AMZN],
        body: "<Response><Errors><Error><Code>RequestExpired</Code></Error></Errors></Response>",
        read: 2,
        unread: 2,
        ..ROW
    },
    Row {
        name: "EC2: wrong date as 401",
        service: "ec2",
        status: 401,
        ahead: 60,
        headers: &[AMZN],
        body: "<Response><Errors><Error><Code>AuthFailure</Code></Error></Errors></Response>",
        read: 2,
        unread: 2,
        ..ROW
    },
    // Without the body, a date counts only if it is so far off that every service refuses it.
    Row {
        name: "S3: a date that some services take",
        service: "s3",
        ahead: 10,
        headers: &[AMZ],
        body: "<Error><Code>SignatureDoesNotMatch</Code></Error>",
        read: 2,
        ..ROW
    },
    Row {
        name: "S3: another code and a wrong date",
        service: "s3",
        ahead: 60,
        headers: &[AMZ],
        body: "<Error><Code>InvalidAccessKeyId</Code></Error>",
        unread: 2,
        ..ROW
    },
    Row {
        name: "API Gateway: another code and a wrong date",
        ahead: 60,
        headers: &[AMZN, ("x-amzn-errortype", "UnrecognizedClientException")],
        ..ROW
    },
    Row {
        name: "a date that every service takes",
        ahead: 3,
        headers: &[AMZN, ("x-amzn-errortype", "InvalidSignatureException")],
        ..ROW
    },
    Row {
        name: "API Gateway: wrong signature",
        headers: &[AMZN, ("x-amzn-errortype", "InvalidSignatureException")],
        ..ROW
    },
    Row {
        name: "API Gateway: missing token",
        headers: &[AMZN, ("x-amzn-errortype", "MissingAuthenticationTokenException")],
        ..ROW
    },
    Row {
        name: "API Gateway: denied",
        headers: &[AMZN, ("x-amzn-errortype", "AccessDeniedException")],
        ..ROW
    },
    Row {
        name: "Lambda: throttled",
        status: 429,
        headers: &[AMZN, ("x-amzn-errortype", "TooManyRequestsException")],
        ..ROW
    },
    Row {
        name: "S3: wrong signature",
        service: "s3",
        headers: &[AMZ],
        body: "<Error><Code>SignatureDoesNotMatch</Code></Error>",
        ..ROW
    },
    Row {
        name: "S3: denied",
        service: "s3",
        headers: &[AMZ],
        body: "<Error><Code>AccessDenied</Code></Error>",
        ..ROW
    },
    Row {
        name: "S3: unknown key",
        service: "s3",
        headers: &[AMZ],
        body: "<Error><Code>InvalidAccessKeyId</Code></Error>",
        ..ROW
    },
    Row {
        name: "S3: another region",
        service: "s3",
        status: 400,
        headers: &[AMZ],
        body: "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>",
        ..ROW
    },
    Row {
        name: "S3: slow down",
        service: "s3",
        status: 503,
        headers: &[AMZ],
        body: "<Error><Code>SlowDown</Code></Error>",
        ..ROW
    },
    Row {
        name: "DynamoDB: a condition",
        service: "dynamodb",
        status: 400,
        headers: &[AMZN],
        body: r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}"#,
        ..ROW
    },
];

impl Row {
    fn response(&self) -> Response<TestBody> {
        let date = httpdate::fmt_http_date(noon() + Duration::from_secs(60 * self.ahead));
        let mut response = Response::builder().status(self.status).header("date", date);
        for (name, value) in self.headers {
            response = response.header(*name, *value);
        }
        response.body(in_memory(self.body)).unwrap()
    }

    async fn server(&'static self) -> Server {
        Server::start(|before| if before == 0 { self.response() } else { ok() }).await
    }

    fn signer(&self) -> Signer {
        let clock = ManualTimeSource::new(noon());
        let keys: fn(&str) -> Credentials = if self.has_token { role_of } else { user_of };
        let provider = FakeProvider::of([keys("AKID1"), keys("AKID2")]);
        signer_at(provider, &clock).service(self.service).build().unwrap()
    }

    /// Checks how often the request was sent, and that a caller who gets the first response gets it whole.
    fn check(&self, through: &str, reads: bool, server: &Server, got: (u16, &str)) {
        let tries = if reads { self.read } else { self.unread };
        assert_eq!(server.tries(), tries, "{through}: {}", self.name);
        let expected = if tries == 2 { (200, "ok") } else { (self.status, self.body) };
        assert_eq!(got, expected, "{through}: {}", self.name);
        assert!(server.bodies().iter().all(|body| body == r#"{"order":1}"#), "{through}: {}", self.name);
    }
}

fn rows() -> impl Iterator<Item = &'static Row> {
    APPLICATIONS.iter().chain(AWS)
}

#[tokio::test]
async fn a_code_counts_where_aws_puts_it() {
    for row in rows() {
        for integration in INTEGRATIONS {
            let server = row.server().await;
            let response = integration.send(&row.signer(), post(&server.url)).await;
            let got = (response.status.as_u16(), response.text());
            row.check(&format!("{integration:?}"), integration.reads_refusals(), &server, got);
        }
    }
}

#[cfg(feature = "blocking")]
#[test]
fn a_code_counts_where_aws_puts_it_blocking() {
    use sigv4_middleware::SendSigned;

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let client = sigv4_middleware::reqwest_blocking_client().no_proxy().tls_certs_only([]).build().unwrap();
    for row in rows() {
        let server = runtime.block_on(row.server());
        let (head, body) = post(&server.url).into_parts();
        let request = client.post(head.uri.to_string()).body(body);
        let response = request.send_signed(&row.signer()).unwrap();
        let (status, text) = (response.status().as_u16(), response.text().unwrap());
        row.check("blocking", true, &server, (status, &text));
    }
}

/// A refusal that says all at once: that the date was wrong, and in header and body that the credentials are expired. No
/// status but the three that requests are refused with makes a POST be sent again.
#[tokio::test]
async fn a_post_is_sent_once_for_every_other_status() {
    let statuses: Vec<u16> = (300..=599).filter(|status| ![400, 401, 403].contains(status)).collect();
    let codes = ["ExpiredTokenException", "InvalidSignatureException", ""];
    for code in codes {
        let sent = statuses.clone();
        let server = Server::start(move |before| {
            // An hour later each time, so that what was learned from the last response does not help.
            let mut response = invalid_signature(noon() + Duration::from_secs(3600 * (before as u64 + 1)));
            *response.body_mut() = in_memory(r#"{"__type":"ExpiredTokenException"}"#);
            *response.status_mut() = StatusCode::from_u16(sent[before % sent.len()]).unwrap();
            response.headers_mut().insert(AMZN.0, AMZN.1.parse().unwrap());
            match code {
                "" => drop(response.headers_mut().remove("x-amzn-errortype")),
                code => drop(response.headers_mut().insert("x-amzn-errortype", code.parse().unwrap())),
            }
            response
        });
        let server = server.await;
        let clock = ManualTimeSource::new(noon());
        let provider = FakeProvider::from_fn(|call| Ok(role_of(&format!("AKID{call}"))));
        let signer = signer_at(provider.clone(), &clock).build().unwrap();
        let to = server.url.strip_prefix("http://").unwrap().parse().unwrap();
        let through_middleware = middleware(reqwest(to, Http::One), &signer);
        let through_layer = layered(hyper::<axum::body::Body>(to, Http::One), &signer);
        for status in &statuses {
            let response = through_middleware.post(&server.url).body("order").send().await.unwrap();
            assert_eq!(response.status(), *status);
            response.bytes().await.unwrap();
        }
        for status in &statuses {
            let request = http::Request::post(&server.url).body("order".into()).unwrap();
            let response = tower::ServiceExt::oneshot(through_layer.clone(), request).await.unwrap();
            assert_eq!(response.status(), *status);
            http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
        }
        assert_eq!(server.tries(), 2 * statuses.len(), "{code}");
        assert_eq!(provider.calls(), 1, "{code}");
    }
}

/// Every code that AWS is known to refuse with, where it counts: only those of dates and expired credentials make a POST
/// be sent again, and those of dates only where the date was wrong.
#[tokio::test]
async fn a_post_is_sent_once_for_every_other_code() {
    const EXPIRED: [&str; 2] = ["ExpiredToken", "ExpiredTokenException"];
    const DATES: [&str; 9] = [
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "BadRequestException",
        "InvalidSignatureException",
        "RequestExpired",
        "RequestInTheFuture",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
    ];
    const OTHERS: [&str; 30] = [
        "AuthorizationHeaderMalformed",
        "AuthorizationQueryParametersError",
        "ConditionalCheckFailedException",
        "ForbiddenException",
        "IDPCommunicationError",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InternalServerErrorException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidIdentityToken",
        "InvalidSecurity",
        "InvalidToken",
        "MalformedQueryString",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "MissingSecurityHeader",
        "NotAuthorized",
        "OptInRequired",
        "RequestTimeout",
        "RequestTimeoutException",
        "SlowDown",
        "ThrottlingException",
        "TokenRefreshRequired",
        "TooManyRequestsException",
        "UnauthorizedAccess",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
        "ValidationError",
        "XAmzContentSHA256Mismatch",
    ];
    let codes = EXPIRED.iter().chain(&DATES).chain(&OTHERS);
    for (code, status, date_is_wrong) in codes.flat_map(|code| {
        [400, 401, 403].into_iter().flat_map(move |status| [(*code, status, false), (*code, status, true)])
    }) {
        let sent_again = EXPIRED.contains(&code) || (date_is_wrong && DATES.contains(&code));
        for integration in [Integration::Middleware, Integration::LayerSameBody] {
            let server = Server::start(move |before| {
                let ahead = Duration::from_secs(if date_is_wrong { 3600 } else { 0 });
                let mut response = invalid_signature(noon() + ahead);
                *response.status_mut() = StatusCode::from_u16(status).unwrap();
                response.headers_mut().insert("x-amzn-errortype", code.parse().unwrap());
                if before == 0 { response } else { ok() }
            });
            let server = server.await;
            let response = integration.send(&ROW.signer(), post(&server.url)).await;
            let expected = if sent_again { (200, 2) } else { (status, 1) };
            let what = format!("{integration:?} {code} {status} {date_is_wrong}");
            assert_eq!((response.status.as_u16(), server.tries()), expected, "{what}");
        }
    }
}
