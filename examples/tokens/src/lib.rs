//! Tokens that AWS services take as a password: a request that was presigned, in the form that each service wants.
//!
//! A token is made without a request to AWS, for one user of one resource. It is good for 15 minutes (EKS: one), in which
//! a connection can be opened; an open connection stays. Make a new one for each connection.
//!
//! Every function takes a [`SignerBuilder`] with credentials, and for the hosts from which no region can be inferred the
//! region. Whoever has a token can log in with it: treat it as the password that it is.

use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use http::Request;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use sigv4_middleware::{BoxError, PresigningConfig, SignerBuilder};

/// How long databases, caches and Kafka clusters take a token.
const FIFTEEN_MINUTES: Duration = Duration::from_secs(900);

/// What a query may contain unescaped.
const QUERY_VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The password of a database user in RDS or Aurora, directly or through RDS Proxy.
///
/// `host` is the endpoint of the instance, cluster or proxy, without a domain of your own in its place: it is signed.
/// As botocore's `generate_db_auth_token`.
///
/// # Errors
/// If the request cannot be signed: no region, no credentials, an invalid host.
pub async fn rds(signer: SignerBuilder, host: &str, port: u16, user: &str) -> Result<String, BoxError> {
    let url = format!("https://{host}:{port}/?Action=connect&DBUser={}", encoded(user));
    without_scheme(signer, "rds-db", host, &url).await
}

/// The password of a user of Aurora DSQL; `admin` for the user of that name.
///
/// As botocore's `generate_db_connect_auth_token` and `generate_db_connect_admin_auth_token`.
///
/// # Errors
/// As [`rds`].
pub async fn dsql(signer: SignerBuilder, host: &str, admin: bool) -> Result<String, BoxError> {
    let action = if admin { "DbConnectAdmin" } else { "DbConnect" };
    without_scheme(signer, "dsql", host, &format!("https://{host}/?Action={action}")).await
}

/// The password of a user of ElastiCache for Valkey or Redis OSS.
///
/// `cache` is the name of the replication group or of the serverless cache, not the endpoint. AWS stores it in lower
/// case, and compares it so.
///
/// # Errors
/// As [`rds`].
pub async fn elasticache(
    signer: SignerBuilder,
    cache: &str,
    user: &str,
    serverless: bool,
) -> Result<String, BoxError> {
    let cache = cache.to_lowercase();
    let kind = if serverless { "&ResourceType=ServerlessCache" } else { "" };
    let url = format!("https://{cache}/?Action=connect&User={}{kind}", encoded(user));
    without_scheme(signer, "elasticache", &cache, &url).await
}

/// The password of a user of MemoryDB. `cluster` is the name of the cluster, not the endpoint.
///
/// # Errors
/// As [`rds`].
pub async fn memorydb(signer: SignerBuilder, cluster: &str, user: &str) -> Result<String, BoxError> {
    let cluster = cluster.to_lowercase();
    let url = format!("https://{cluster}/?Action=connect&User={}", encoded(user));
    without_scheme(signer, "memorydb", &cluster, &url).await
}

/// The bearer token of an EKS cluster, as `aws eks get-token` prints it: good for 15 minutes, though the request in it
/// expires after one.
///
/// # Errors
/// As [`rds`].
pub async fn eks(signer: SignerBuilder, region: &str, cluster: &str) -> Result<String, BoxError> {
    let url = format!("https://{}/?Action=GetCallerIdentity&Version=2011-06-15", sts_host(region));
    let (parts, ()) = Request::get(url).header("x-k8s-aws-id", cluster).body(())?.into_parts();
    let signer = signer.service("sts").region(region.to_owned()).build()?;
    let presigned = signer.presign_request(&parts, PresigningConfig::new(Duration::from_secs(60))).await?;
    Ok(format!("k8s-aws-v1.{}", BASE64_URL_SAFE_NO_PAD.encode(presigned.uri().to_string())))
}

/// [`eks`]'s token as the `ExecCredential` that kubectl reads from a program named in its configuration. `expiry` is when
/// kubectl asks for another one.
///
/// # Errors
/// For an expiry that no date can be written for.
pub fn exec_credential(token: &str, expiry: SystemTime) -> Result<Value, BoxError> {
    Ok(json!({
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {
            "expirationTimestamp": DateTime::from_secs(i64::try_from(
                expiry.duration_since(SystemTime::UNIX_EPOCH)?.as_secs(),
            )?)
            .fmt(Format::DateTime)?,
            "token": token,
        },
    }))
}

/// The OAUTHBEARER token of an MSK cluster with IAM access control.
///
/// `client` is what CloudTrail shows as user agent, `name/version`. As AWS's signers for Python, Go and JavaScript.
///
/// # Errors
/// As [`rds`].
pub async fn msk(signer: SignerBuilder, region: &str, client: &str) -> Result<String, BoxError> {
    let host = format!("kafka.{region}.amazonaws.com");
    let url = format!("https://{host}/?Action={}", encoded("kafka-cluster:Connect"));
    let url = presigned(signer.region(region.to_owned()), "kafka-cluster", &host, &url).await?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(format!("{url}&User-Agent={}", encoded(client))))
}

/// The body of a login to HashiCorp Vault's AWS auth method of type IAM, for `POST /v1/auth/aws/login`.
///
/// It holds a signed request to STS, which Vault sends to find out who signed it. `server_id` is the value that the
/// server is configured to ask for in `X-Vault-AWS-IAM-Server-ID`, so that no other server can use the login.
///
/// # Errors
/// As [`rds`].
pub async fn vault(
    signer: SignerBuilder,
    region: &str,
    role: &str,
    server_id: Option<&str>,
) -> Result<Value, BoxError> {
    const SERVER_ID: &str = "x-vault-aws-iam-server-id";
    const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";

    let mut request = Request::post(format!("https://{}/", sts_host(region)))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8");
    if let Some(server_id) = server_id {
        request = request.header(SERVER_ID, server_id);
    }
    let (mut parts, ()) = request.body(())?.into_parts();
    let signer = signer.service("sts").region(region.to_owned()).sign_header(SERVER_ID.parse()?).build()?;
    signer.sign(&mut parts, BODY).await?;
    Ok(json!({
        "role": role,
        "iam_http_request_method": parts.method.as_str(),
        "iam_request_url": BASE64_STANDARD.encode(parts.uri.to_string()),
        "iam_request_body": BASE64_STANDARD.encode(BODY),
        "iam_request_headers": BASE64_STANDARD.encode(headers(&parts)?.to_string()),
    }))
}

/// The headers of a request to be sent by somebody else, with the Host that is signed.
fn headers(parts: &Parts) -> Result<Value, BoxError> {
    let mut map = Map::new();
    map.insert("host".into(), json!([parts.uri.host()]));
    for (name, value) in &parts.headers {
        map.insert(name.as_str().to_owned(), json!([value.to_str()?]));
    }
    Ok(Value::Object(map))
}

async fn without_scheme(
    signer: SignerBuilder,
    service: &'static str,
    host: &str,
    url: &str,
) -> Result<String, BoxError> {
    let url = presigned(signer, service, host, url).await?;
    Ok(url.strip_prefix("https://").unwrap_or(&url).to_owned())
}

/// Presigns a request that is never sent: only a host in it counts, which may be no more than a name.
async fn presigned(
    signer: SignerBuilder,
    service: &'static str,
    host: &str,
    url: &str,
) -> Result<String, BoxError> {
    let signer = signer.service(service).scope_overrides_host(true).allow_host(host).build()?;
    let (parts, ()) = Request::get(url).body(())?.into_parts();
    let presigned = signer.presign_request(&parts, PresigningConfig::new(FIFTEEN_MINUTES)).await?;
    Ok(presigned.uri().to_string())
}

fn encoded(value: &str) -> impl std::fmt::Display {
    utf8_percent_encode(value, QUERY_VALUE)
}

/// STS in a region, by the domain of the region's partition.
fn sts_host(region: &str) -> String {
    const DOMAINS: [(&str, &str); 6] = [
        ("cn-", "amazonaws.com.cn"),
        ("eusc-", "amazonaws.eu"),
        ("us-iso-", "c2s.ic.gov"),
        ("us-isob-", "sc2s.sgov.gov"),
        ("eu-isoe-", "cloud.adc-e.uk"),
        ("us-isof-", "csp.hci.ic.gov"),
    ];
    let domain = DOMAINS.iter().find(|(prefix, _)| region.starts_with(prefix));
    format!("sts.{region}.{}", domain.map_or("amazonaws.com", |(_, domain)| domain))
}
