//! What stands before AWS, or beside it: pages and responses that no verifier of signatures writes.

use http::Request;
use sigv4_middleware::diagnosis::{Cause, Diagnosis};

use crate::client::{diagnosed, recording};
use crate::support::*;

/// A response as it is played: status, headers, body.
pub(crate) type Played = (u16, &'static [(&'static str, &'static str)], &'static str);

const ID: (&str, &str) = ("x-amzn-requestid", "0badcafe-0001-4bad-8bad-000000000001");
const S3_ID: (&str, &str) = ("x-amz-request-id", "MADEUP0138REQ0ID");
const JSON: (&str, &str) = ("content-type", "application/json");
const HTML: (&str, &str) = ("content-type", "text/html");
const XML: (&str, &str) = ("content-type", "application/xml");

pub(crate) const OUTSIDE: &[(Cause, &str, Played)] = &[
    (
        Cause::WafBlocked,
        "CloudFront with a web ACL",
        (
            403,
            &[
                ("server", "CloudFront"),
                HTML,
                ("x-cache", "Error from cloudfront"),
                ("x-amz-cf-id", "madeup=="),
            ],
            "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01 Transitional//EN\">\n<HTML><HEAD><TITLE>ERROR: The request \
             could not be satisfied</TITLE></HEAD><BODY><H1>403 ERROR</H1><H2>The request could not be satisfied.</H2>\
             Request blocked.\nWe can't connect to the server for this app or website at this time.</BODY></HTML>",
        ),
    ),
    (
        Cause::WafBlocked,
        "load balancer with a web ACL",
        (
            403,
            &[("server", "awselb/2.0"), HTML],
            "<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body>\r\n<center><h1>403 Forbidden</h1></center>\r\n\
             </body>\r\n</html>\r\n",
        ),
    ),
    (
        Cause::CdnGeoBlocked,
        "CloudFront by country",
        (
            403,
            &[
                ("server", "CloudFront"),
                HTML,
                ("x-cache", "Error from cloudfront"),
                ("x-amz-cf-id", "madeup=="),
            ],
            "<HTML><HEAD><TITLE>ERROR: The request could not be satisfied</TITLE></HEAD><BODY><H1>403 ERROR</H1>The Amazon \
             CloudFront distribution is configured to block access from your country.</BODY></HTML>",
        ),
    ),
    (
        Cause::CloudfrontSignedUrlInvalid,
        "CloudFront's own signed URL",
        (
            403,
            &[("server", "CloudFront"), ("content-type", "text/xml"), ("x-cache", "Error from cloudfront")],
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>InvalidKey</Code><Message>Unknown Key</Message></Error>",
        ),
    ),
    (
        Cause::ProxyDenied,
        "squid",
        (
            403,
            &[("server", "squid/6.6"), ("x-squid-error", "ERR_ACCESS_DENIED 0"), HTML],
            "<!DOCTYPE html><html><head><title>ERROR: The requested URL could not be retrieved</title></head><body>\
             <p>Access Denied.</p></body></html>",
        ),
    ),
    (
        Cause::ProxyDenied,
        "login page of a proxy",
        (
            407,
            &[("proxy-authenticate", "Basic realm=\"proxy\""), HTML],
            "<html><head><title>Proxy login</title></head><body><form action=\"/login\"></form></body></html>",
        ),
    ),
    (
        Cause::ThirdPartyCdnBlocked,
        "Cloudflare",
        (
            403,
            &[
                ("server", "cloudflare"),
                ("cf-ray", "0badcafe0000010a-FRA"),
                ("content-type", "text/html; charset=UTF-8"),
            ],
            "<!DOCTYPE html>\n<html lang=\"en-US\">\n<head>\n<title>Attention Required! | Cloudflare</title>\n</head>\n\
             <body><h1>Sorry, you have been blocked</h1></body>\n</html>\n",
        ),
    ),
    (
        Cause::JwtAuthorizerRefused,
        "JWT authorizer",
        (
            401,
            &[
                JSON,
                ("apigw-requestid", "MadeUp0089FiAM=="),
                ("www-authenticate", "Bearer scope=\"\" error=\"invalid_token\""),
            ],
            r#"{"message":"Unauthorized"}"#,
        ),
    ),
    (
        Cause::LambdaAuthorizerDenied,
        "Lambda authorizer",
        (
            403,
            &[JSON, ID, ("x-amzn-errortype", "AccessDeniedException")],
            r#"{"Message":"User is not authorized to access this resource with an explicit deny"}"#,
        ),
    ),
    (
        Cause::Application401,
        "application",
        (
            401,
            &[("content-type", "application/json; charset=utf-8"), ("x-powered-by", "Express")],
            r#"{"error":"unauthorized","message":"please log in"}"#,
        ),
    ),
    (
        Cause::Application403,
        "application behind API Gateway",
        (
            403,
            &[JSON, ID, ("x-amzn-trace-id", "Root=1-0badcafe-000000000000000000000001")],
            r#"{"statusCode":403,"error":"Forbidden","message":"signature of the order is missing"}"#,
        ),
    ),
    (
        Cause::WrongEndpoint,
        "bucket of another region",
        (
            301,
            &[("x-amz-bucket-region", "eu-west-1"), S3_ID, XML, ("server", "AmazonS3")],
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>PermanentRedirect</Code><Message>The bucket you are \
             attempting to access must be addressed using the specified endpoint. Please send all future requests to this \
             endpoint.</Message><Endpoint>b.s3.eu-west-1.amazonaws.com</Endpoint><Bucket>b</Bucket></Error>",
        ),
    ),
    (
        Cause::WrongStageOrRoute,
        "workspace that is not there",
        (
            404,
            &[JSON, ID, ("x-amzn-errortype", "ResourceNotFoundException")],
            r#"{"Message":"Workspace not found"}"#,
        ),
    ),
    (
        Cause::ModelAccessNotGranted,
        "Bedrock",
        (
            403,
            &[JSON, ID, ("x-amzn-errortype", "AccessDeniedException:http://internal.amazon.com/coral/")],
            r#"{"message":"You don't have access to the model with the specified model ID."}"#,
        ),
    ),
    (
        Cause::SubscriptionRequired,
        "service not activated",
        (
            400,
            &[ID, ("content-type", "application/x-amz-json-1.1")],
            r#"{"__type":"SubscriptionRequiredException","Message":"The AWS Access Key Id needs a subscription for the service"}"#,
        ),
    ),
    (
        Cause::WebIdentityExpired,
        "STS",
        (
            400,
            &[ID, ("content-type", "text/xml")],
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <Error>\n    <Type>Sender</Type>\n    \
             <Code>ExpiredTokenException</Code>\n    <Message>Token expired: current date/time 1 must be before 0</Message>\n  \
             </Error>\n</ErrorResponse>\n",
        ),
    ),
    (
        Cause::CorsRefused,
        "S3",
        (
            403,
            &[S3_ID, XML, ("server", "AmazonS3")],
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessForbidden</Code><Message>CORSResponse: CORS is not \
             enabled for this bucket.</Message><Method>PUT</Method><ResourceType>BUCKET</ResourceType></Error>",
        ),
    ),
    (
        Cause::ResourcePolicyAnonymous,
        "domain without a policy",
        (
            403,
            &[JSON, ID, ("x-amzn-errortype", "AccessDeniedException")],
            r#"{"Message":"User: anonymous is not authorized to perform: es:ESHttpGet"}"#,
        ),
    ),
    (
        Cause::Sigv4Required,
        "S3 of SigV2",
        (
            400,
            &[S3_ID, XML, ("server", "AmazonS3")],
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>InvalidRequest</Code><Message>The authorization mechanism \
             you have provided is not supported. Please use AWS4-HMAC-SHA256.</Message></Error>",
        ),
    ),
];

/// The diagnosis of a signed request that gets this response.
pub(crate) async fn played(&(status, headers, body): &Played) -> Option<Diagnosis> {
    let server = Server::start(move |_| {
        let mut response = http::Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        response.body(in_memory(body)).unwrap()
    })
    .await;
    let signer = recording("execute-api").build().unwrap();
    let request = Request::get(format!("{}/prod/orders", server.url)).body("".into()).unwrap();
    diagnosed(&signer, request).await
}
