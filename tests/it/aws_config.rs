//! `SdkConfig` and the default chain of aws-config.
use std::fs;
use std::path::PathBuf;

use aws_config::{Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::test_util::ManualTimeSource;
use aws_smithy_async::time::SharedTimeSource;
use sigv4_middleware::{BuildErrorKind, ErrorKind, IamGateway, Signer};

use crate::support::{FakeProvider, noon, rerun, role};

fn clock() -> ManualTimeSource {
    ManualTimeSource::new(noon())
}

async fn authorization(signer: &Signer, url: &str) -> Result<String, sigv4_middleware::Error> {
    let (mut parts, ()) = http::Request::get(url).body(()).unwrap().into_parts();
    signer.sign(&mut parts, "").await?;
    Ok(parts.headers["authorization"].to_str().unwrap().to_owned())
}

#[tokio::test]
async fn an_sdk_config_gives_credentials_region_and_clock() {
    let provider = FakeProvider::of([role()]);
    let config = SdkConfig::builder()
        .credentials_provider(SharedCredentialsProvider::new(provider.clone()))
        .region(Region::new("eu-west-1"))
        .time_source(SharedTimeSource::new(clock()))
        .build();
    let signer = Signer::builder().sdk_config(&config).service("execute-api").build().unwrap();
    let gateway = IamGateway::builder().credentials(role()).region("eu-west-1").time_source(clock());
    let gateway = gateway.start().await.unwrap();
    for _ in 0..3 {
        let (mut parts, ()) = http::Request::get(gateway.url()).body(()).unwrap().into_parts();
        signer.sign(&mut parts, "").await.unwrap();
        let request = reqwest::Request::try_from(http::Request::from_parts(parts, "")).unwrap();
        assert_eq!(reqwest::Client::new().execute(request).await.unwrap().status(), 200);
    }
    assert_eq!(provider.calls(), 1, "what it gives is cached");
}

#[tokio::test]
async fn a_host_that_tells_its_region_is_signed_for_it() {
    let config = SdkConfig::builder()
        .credentials_provider(SharedCredentialsProvider::new(role()))
        .region(Region::new("eu-west-1"))
        .build();
    let signer = Signer::builder().sdk_config(&config).build().unwrap();
    let url = "https://abc123.execute-api.us-west-2.amazonaws.com/";
    assert!(authorization(&signer, url).await.unwrap().contains("/us-west-2/execute-api/aws4_request"));
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let error = Signer::builder().sdk_config(&SdkConfig::builder().build()).build().unwrap_err();
    assert_eq!(error.kind(), BuildErrorKind::MissingCredentials);
    assert!(error.to_string().contains("no credentials provider"), "{error}");

    let config = SdkConfig::builder().credentials_provider(SharedCredentialsProvider::new(role())).build();
    let signer = Signer::builder().sdk_config(&config).service("execute-api").build().unwrap();
    let error = authorization(&signer, "http://127.0.0.1/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ScopeUnknown);

    let config = config.into_builder().region(Region::new("eu west 1")).build();
    let error = Signer::builder().sdk_config(&config).build().unwrap_err();
    assert_eq!(error.kind(), BuildErrorKind::InvalidValue);
}

#[tokio::test]
async fn skew_correction_is_off_where_the_sdk_config_says_so() {
    for (disabled, statuses) in [(true, &[403][..]), (false, &[403, 200])] {
        let gateway = IamGateway::builder().credentials(role()).clock_offset(3600).start().await.unwrap();
        let config = SdkConfig::builder()
            .credentials_provider(SharedCredentialsProvider::new(role()))
            .region(Region::new("us-east-1"))
            .disable_clock_skew_correction(disabled)
            .build();
        let signer = Signer::builder().sdk_config(&config).service("execute-api").build().unwrap();
        let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new())
            .with(sigv4_middleware::SigV4Middleware::new(signer))
            .build();
        client.get(gateway.url()).send().await.unwrap();
        let seen: Vec<_> = gateway.requests().iter().map(|seen| seen.status.as_u16()).collect();
        assert_eq!(seen, statuses);
    }
}

const CHILD: &str = "SIGV4_DEFAULT_CHAIN_CHILD";

/// Signs with the default chain of its environment, and prints the signature's scope or the error.
#[tokio::test]
#[ignore = "runs in processes of its own, with other environments"]
async fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let outcome = match Signer::from_default_chain().await {
        Ok(signer) => authorization(&signer, "https://abc123.execute-api.us-west-2.amazonaws.com/").await,
        Err(error) => panic!("{error}"),
    };
    // As a step of the builder, before and after other settings.
    let steps = Signer::builder().service("sqs").default_chain().await.region("eu-west-3").build().unwrap();
    let by_steps = authorization(&steps, "http://127.0.0.1/").await;
    assert_eq!(by_steps.is_ok(), outcome.is_ok());
    match outcome {
        Ok(authorization) => {
            let (credential, _) = authorization.split_once('/').unwrap();
            let by_steps = by_steps.unwrap();
            assert!(by_steps.starts_with(credential) && by_steps.contains("/eu-west-3/sqs/"), "{by_steps}");
            println!("{}", authorization.split(',').next().unwrap());
        }
        Err(error) => println!("{:?}", error.kind()),
    }
}

/// What the child prints in this environment and no other.
fn default_chain(env: &[(&str, &str)]) -> String {
    let output = rerun(module_path!(), "child")
        .args(["--ignored", "--nocapture"])
        .env_clear()
        .envs([(CHILD, "1"), ("AWS_EC2_METADATA_DISABLED", "true"), ("PATH", "/usr/bin:/bin")])
        .envs([("AWS_CONFIG_FILE", "/dev/null"), ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")])
        .envs(env.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

struct File(PathBuf);

impl File {
    fn new(text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sigv4-aws-config-{:x}", fastrand::u64(..)));
        fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

/// A container's credentials over http, and STS's response to a web identity token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_default_chain_asks_containers_and_sts() {
    async fn container() -> &'static str {
        r#"{"AccessKeyId": "AKIDCONTAINER", "SecretAccessKey": "secret", "Token": "t", "Expiration": "2099-01-01T00:00:00Z"}"#
    }
    async fn sts(body: String) -> String {
        assert!(body.contains("Action=AssumeRoleWithWebIdentity") && body.contains("an-identity"), "{body}");
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
         <AccessKeyId>AKIDWEB</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>t</SessionToken>\
         <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
         </AssumeRoleWithWebIdentityResponse>"
            .to_owned()
    }
    let app = axum::Router::new()
        .route("/container", axum::routing::get(container))
        .route("/", axum::routing::post(sts));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async { axum::serve(listener, app).await });
    tokio::task::spawn_blocking(move || {
        let container = format!("{url}/container");
        let env = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", container.as_str()), ("AWS_REGION", "eu-west-1")];
        assert!(default_chain(&env).contains("Credential=AKIDCONTAINER/"));

        let token = File::new("an-identity");
        let env = [
            ("AWS_WEB_IDENTITY_TOKEN_FILE", token.path()),
            ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/web"),
            ("AWS_ROLE_SESSION_NAME", "test"),
            ("AWS_ENDPOINT_URL_STS", &url),
            ("AWS_REGION", "eu-west-1"),
        ];
        assert!(default_chain(&env).contains("Credential=AKIDWEB/"));
    })
    .await
    .unwrap();
    server.abort();
}

#[cfg(unix)]
#[test]
fn the_default_chain_reads_the_environment_profiles_and_processes() {
    let env = [("AWS_ACCESS_KEY_ID", "AKIDENV"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    assert!(default_chain(&env).contains("Credential=AKIDENV/"));

    let profiles = File::new("[default]\naws_access_key_id = AKIDFILE\naws_secret_access_key = secret\n");
    let env = [("AWS_SHARED_CREDENTIALS_FILE", profiles.path())];
    assert!(default_chain(&env).contains("Credential=AKIDFILE/"));

    let response = File::new(
        r#"{"Version": 1, "AccessKeyId": "AKIDPROCESS", "SecretAccessKey": "secret", "SessionToken": "t"}"#,
    );
    let config =
        format!("[profile tool]\nregion = eu-west-1\ncredential_process = cat {}\n", response.path());
    let config = File::new(&config);
    let env = [("AWS_CONFIG_FILE", config.path()), ("AWS_PROFILE", "tool")];
    assert!(default_chain(&env).contains("Credential=AKIDPROCESS/"));

    assert!(
        default_chain(&[]).contains("\nCredentialsUnavailable\n"),
        "an error of this kind, at the first request"
    );
}
