//! Every cause that can be made, by requests that are really wrong in that way.

use std::time::{Duration, SystemTime};

use aws_smithy_async::time::StaticTimeSource;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use sigv4_middleware::diagnosis::{Cause, RefusedResponse, SentRequest, diagnose};
use sigv4_middleware::{
    Credentials, Diagnose, IamGateway, PayloadMode, PolicyDenial, RefusalStyle, Signer, overrides,
};

use crate::between::{reauthorize, remove, retarget, set};
use crate::client::{client, diagnosed, recording, request, through};
use crate::outside::{OUTSIDE, played};
use crate::support::*;
use crate::table::Table;

async fn of_style(service: &str, style: RefusalStyle) -> IamGateway {
    let gateway = IamGateway::builder().service(service).region(REGION).credentials(role());
    gateway.refusal_style(style).start().await.unwrap()
}

fn get(url: &str) -> Request<reqwest::Body> {
    Request::get(format!("{url}/prod/orders")).body("".into()).unwrap()
}

/// The services and forms in which most causes are made.
const FORMS: [(&str, RefusalStyle); 4] = [
    ("execute-api", RefusalStyle::ApiGateway),
    ("s3", RefusalStyle::S3),
    ("dynamodb", RefusalStyle::AwsJson),
    ("sts", RefusalStyle::Query),
];

#[tokio::test]
async fn every_cause_is_told_by_its_name() {
    let mut table = Table::default();
    for (service, style) in FORMS {
        signatures(&mut table, service, style).await;
        scopes_and_clocks(&mut table, service, style).await;
        keys_and_policies(&mut table, service, style).await;
    }
    of_api_gateway(&mut table).await;
    of_s3(&mut table).await;
    presigned(&mut table).await;
    plain_stores(&mut table).await;
    for (cause, how, response) in OUTSIDE {
        table.add(*cause, how, played(response).await);
    }
    for (report, cause) in table.reports().zip(1..) {
        assert!(!report.contains(TOKEN) && !report.contains(SECRET), "{cause}: {report}");
    }
    table.verify(50);
}

async fn signatures(table: &mut Table, service: &'static str, style: RefusalStyle) {
    use Cause as Is;

    let gateway = of_style(service, style).await;
    let signer = recording(service).sign_header(http::header::USER_AGENT).build().unwrap();
    let wrong = Credentials::new(KEY, "wrong", Some(TOKEN.into()), None, "test");
    let wrong = recording(service).credentials(wrong).build().unwrap();
    table.add(Is::SignatureMismatchSecret, "wrong secret", diagnosed(&wrong, get(&gateway.url())).await);

    let add = async |table: &mut Table, cause, how, change| {
        table.add(cause, how, through(&signer, &gateway, change).await);
    };
    add(table, Is::SignatureMismatchMethod, "PUT becomes POST", |r| *r.method_mut() = Method::POST).await;
    add(table, Is::SignatureMismatchHost, "Host rewritten", |r| set(r, "host", "backend.internal:8080"))
        .await;
    add(table, Is::SignatureMismatchPathNormalization, "prefix removed", |r| retarget(r, "/prod/", "/"))
        .await;
    if service == "s3" {
        add(table, Is::SignatureMismatchPathEncoding, "%40 decoded", |r| retarget(r, "%40", "@")).await;
    } else {
        add(table, Is::SignatureMismatchPathEncoding, "- escaped", |r| retarget(r, "c-d", "c%2Dd")).await;
    }
    add(table, Is::SignatureMismatchQueryAltered, "parameter added", |r| retarget(r, "a=1", "a=1&utm=x"))
        .await;
    add(table, Is::SignatureMismatchContentType, "charset added", |r| {
        set(r, "content-type", "application/json; charset=utf-8");
    })
    .await;
    add(table, Is::SignatureMismatchHeaderWhitespace, "space becomes a tab", |r| {
        set(r, "x-amz-meta-a", "one\ttwo");
    })
    .await;
    add(table, Is::SignatureMismatchHeaderMissing, "header removed", |r| remove(r, "x-amz-meta-a")).await;
    add(table, Is::SignatureMismatchHeaderAltered, "user agent extended", |r| {
        set(r, "user-agent", "tests via proxy");
    })
    .await;
    if service != "s3" {
        add(table, Is::SignatureMismatchPayloadHash, "body replaced", |r| {
            *r.body_mut() = Bytes::from_static(b"{\"order\":2}");
        })
        .await;
    }
    add(table, Is::UnsignedHeadersPresent, "x-amz-* added", |r| set(r, "x-amz-meta-b", "b")).await;
    add(table, Is::AuthorizationHeaderMalformed, "signature cut off", |r| {
        let value = r.headers()["authorization"].to_str().unwrap().to_owned();
        set(r, "authorization", value.split(", Signature").next().unwrap());
    })
    .await;
}

async fn scopes_and_clocks(table: &mut Table, service: &'static str, style: RefusalStyle) {
    use Cause as Is;

    let gateway = of_style(service, style).await;
    let elsewhere = recording(service).region("us-east-1").build().unwrap();
    table.add(Is::ScopeRegionWrong, "another region", diagnosed(&elsewhere, get(&gateway.url())).await);
    let other =
        Signer::builder().credentials(role()).service("es").region(REGION).record_signing_details(true);
    let other = other.build().unwrap();
    table.add(Is::ScopeServiceWrong, "another service", diagnosed(&other, get(&gateway.url())).await);

    for (cause, how, offset) in
        [(Is::ClockSkewBehind, "clock behind", -3600), (Is::ClockSkewAhead, "clock ahead", 3600)]
    {
        let now = SystemTime::now();
        let shift = Duration::from_secs(3600);
        let time = StaticTimeSource::new(if offset < 0 { now - shift } else { now + shift });
        let signer = recording(service).time_source(time).build().unwrap();
        table.add(cause, how, diagnosed(&signer, get(&gateway.url())).await);
    }
    if style != RefusalStyle::S3 {
        let signer = recording(service).build().unwrap();
        let date = |r: &mut Request<Bytes>| {
            let day = r.headers()["x-amz-date"].to_str().unwrap()[..8].to_owned();
            reauthorize(r, &format!("/{day}/"), "/20200101/");
        };
        table.add(Is::ScopeDateMismatch, "another day", through(&signer, &gateway, date).await);
        let end = |r: &mut Request<Bytes>| reauthorize(r, "aws4_request", "aws4");
        table.add(Is::ScopeTerminatorWrong, "another end", through(&signer, &gateway, end).await);
        let cut = |r: &mut Request<Bytes>| reauthorize(r, "/aws4_request", "");
        table.add(Is::CredentialMalformed, "four parts", through(&signer, &gateway, cut).await);
    }
}

async fn keys_and_policies(table: &mut Table, service: &'static str, style: RefusalStyle) {
    use Cause as Is;

    let gateway = of_style(service, style).await;
    gateway.add_credentials(Credentials::new("ASIAEXAMPLE", SECRET, Some(TOKEN.into()), None, "test"));
    let with = |id: &str, token: Option<&str>| {
        let keys = Credentials::new(id, SECRET, token.map(str::to_owned), None, "test");
        recording(service).credentials(keys).build().unwrap()
    };
    for (cause, how, signer) in [
        (Is::AccessKeyUnknown, "unknown key", with("AKIDOTHER", None)),
        (Is::SessionTokenMissing, "no token", with("ASIAEXAMPLE", None)),
        (Is::SessionTokenInvalid, "token of others", with("ASIAEXAMPLE", Some("of-somebody-else"))),
    ] {
        // STS has one word for a key that it does not know and for a token that is not the key's.
        if style != RefusalStyle::Query || cause != Is::SessionTokenInvalid {
            table.add(cause, how, diagnosed(&signer, get(&gateway.url())).await);
        }
    }
    let signer = recording(service).build().unwrap();
    for (cause, how, denial) in [
        (Is::PolicyImplicitDeny, "no policy allows", PolicyDenial::Implicit),
        (Is::PolicyExplicitDenyIdentity, "identity policy", PolicyDenial::ExplicitIdentity),
        (Is::PolicyExplicitDenyResource, "resource policy", PolicyDenial::ExplicitResource),
        (Is::PolicyScpDeny, "SCP", PolicyDenial::ServiceControlPolicy),
        (Is::PolicyRcpDeny, "RCP", PolicyDenial::ResourceControlPolicy),
        (Is::PolicyBoundaryDeny, "permissions boundary", PolicyDenial::PermissionsBoundary),
        (Is::PolicySessionDeny, "session policy", PolicyDenial::SessionPolicy),
        (Is::PolicyVpcEndpointDeny, "VPC endpoint policy", PolicyDenial::VpcEndpoint),
        (Is::KmsDenied, "KMS key", PolicyDenial::Kms),
    ] {
        gateway.deny_by(KEY, denial);
        let diagnosis = diagnosed(&signer, get(&gateway.url())).await;
        if let Some(denied) = &diagnosis {
            assert!(denied.cause().signature_was_accepted(), "{how}: {denied}");
            let by = denied.denial().expect("the response says who was denied what");
            assert!(
                by.principal.as_deref().is_some_and(|arn| arn.contains("assumed-role/emulated")),
                "{by:?}"
            );
            assert!(by.action.is_some(), "{by:?}");
        }
        table.add(cause, how, diagnosis);
    }
    gateway.add_credentials(role());
    gateway.fail_next(1, StatusCode::TOO_MANY_REQUESTS);
    table.add(Is::ServiceThrottled, "throttled", diagnosed(&signer, get(&gateway.url())).await);
    gateway.expire(KEY);
    table.add(Is::SessionTokenExpired, "token expired", diagnosed(&signer, get(&gateway.url())).await);
}

async fn of_api_gateway(table: &mut Table) {
    use Cause as Is;

    let builder = || IamGateway::builder().region(REGION).credentials(role());
    let signer = recording("execute-api").build().unwrap();
    let gateway = builder().start().await.unwrap();
    let mut unsigned = get(&gateway.url());
    unsigned.extensions_mut().insert(overrides::SkipSigning);
    table.add(Is::CredentialsAbsent, "sent unsigned", {
        let mut extensions = std::mem::take(unsigned.extensions_mut());
        let sent =
            client(&signer).execute_with_extensions(unsigned.try_into().unwrap(), &mut extensions).await;
        sent.unwrap().diagnose().await.1
    });
    // The response quotes a hash of the header that arrived: that of what was sent, if the client knows it.
    let bearer = "Bearer abc.def.ghi";
    let sent = plain_reqwest().get(gateway.url()).header("authorization", bearer).send().await.unwrap();
    let (status, headers) = (sent.status(), sent.headers().clone());
    let body = sent.bytes().await.unwrap();
    let refused = RefusedResponse::new(status, &headers, &body);
    let given = diagnose(&refused, &SentRequest::unsigned().authorization(bearer));
    table.add(Is::AuthorizationSchemeWrong, "bearer token instead", given);
    let twice = |r: &mut Request<Bytes>| {
        retarget(r, "?", "?X-Amz-Algorithm=AWS4-HMAC-SHA256&");
    };
    table.add(Is::AuthorizationDuplicated, "also in the query", through(&signer, &gateway, twice).await);
    let host = |r: &mut Request<Bytes>| reauthorize(r, ";host;", ";");
    table.add(Is::HostNotSigned, "host not listed", through(&signer, &gateway, host).await);

    let gateway = builder().route(Method::GET, "/prod/other").start().await.unwrap();
    table.add(Is::RouteNotFoundMasked, "unknown route", diagnosed(&signer, get(&gateway.url())).await);
    let gateway = builder().api_key("of-a-plan").start().await.unwrap();
    table.add(Is::ApiKeyMissing, "no API key", diagnosed(&signer, get(&gateway.url())).await);
}

async fn of_s3(table: &mut Table) {
    use Cause as Is;

    let gateway = of_style("s3", RefusalStyle::S3).await;
    let signer = recording("s3").build().unwrap();
    let replaced = |r: &mut Request<Bytes>| *r.body_mut() = Bytes::from_static(b"{\"order\":2}");
    table.add(Is::PayloadHashMismatch, "body replaced", through(&signer, &gateway, replaced).await);
    let removed = |r: &mut Request<Bytes>| remove(r, "x-amz-content-sha256");
    table.add(Is::PayloadHashHeaderMissing, "hash header removed", through(&signer, &gateway, removed).await);
    gateway.deny(KEY);
    let head = Request::head(format!("{}/bucket/key", gateway.url())).body("".into()).unwrap();
    table.add(Is::HeadWithoutBody, "HEAD of a denied object", diagnosed(&signer, head).await);
}

async fn presigned(table: &mut Table) {
    use Cause as Is;

    let shift = Duration::from_secs(7200);
    let now = SystemTime::now();
    for (service, style) in [("s3", RefusalStyle::S3), ("execute-api", RefusalStyle::ApiGateway)] {
        let gateway = of_style(service, style).await;
        let url = format!("{}/bucket/key", gateway.url());
        for (cause, how, time, method) in [
            (Is::PresignedExpired, "presigned long ago", now - shift, Method::GET),
            (Is::PresignedNotYetValid, "presigned in the future", now + shift, Method::GET),
            (Is::SignatureMismatchMethod, "presigned for GET, sent as PUT", now, Method::PUT),
        ] {
            let signer = recording(service).time_source(StaticTimeSource::new(time)).build().unwrap();
            let parts = Request::get(&url).body(()).unwrap().into_parts().0;
            let config = sigv4_middleware::PresigningConfig::new(Duration::from_secs(600));
            let presigned = signer.presign_request(&parts, config).await.unwrap();
            let sent = plain_reqwest().request(method, presigned.uri().to_string()).send().await.unwrap();
            let mut response: Response<reqwest::Body> = sent.into();
            response.extensions_mut().insert(presigned.details().clone());
            table.add(cause, how, response.diagnose().await.1);
        }
    }
}

async fn plain_stores(table: &mut Table) {
    use Cause as Is;

    let gateway = of_style("s3", RefusalStyle::PlainStore).await;
    let wrong = Credentials::new(KEY, "wrong", Some(TOKEN.into()), None, "test");
    let wrong = recording("s3").credentials(wrong).build().unwrap();
    table.add(Is::SignatureMismatchUnspecified, "plain store", diagnosed(&wrong, get(&gateway.url())).await);
    let late = StaticTimeSource::new(SystemTime::now() - Duration::from_secs(3600));
    let late = recording("s3").time_source(late).build().unwrap();
    table.add(Is::ClockSkew, "plain store", diagnosed(&late, get(&gateway.url())).await);
    let unsigned = recording("s3").payload_mode(PayloadMode::Unsigned).allow_unsigned_over_http(true).build();
    let accepted =
        client(&unsigned.unwrap()).execute(request(&gateway.url()).try_into().unwrap()).await.unwrap();
    let (accepted, nothing) = accepted.diagnose().await;
    assert!(accepted.status() == 200 && nothing.is_none(), "an accepted request is not explained");
}

/// The server shows its canonical request, and nothing is known of the client's.
#[tokio::test]
async fn without_a_record_the_report_says_how_to_have_one() {
    let gateway = of_style("execute-api", RefusalStyle::ApiGateway).await;
    let wrong = Credentials::new(KEY, "wrong", Some(TOKEN.into()), None, "test");
    let unrecorded = signing("execute-api").credentials(wrong).build().unwrap();

    let diagnosis = diagnosed(&unrecorded, get(&gateway.url())).await.unwrap();

    assert_eq!(diagnosis.causes(), [Cause::SignatureMismatchUnspecified]);
    assert!(diagnosis.what_to_do().contains(".record_signing_details(true)"), "{diagnosis}");
}
