//! Hosts and the scopes they are signed for: lists of botocore's, of known forms, and of look-alikes.
//!
//! `SIGV4_HOSTS=FILE cargo test --all-features --test it hosts -- --nocapture` also reads FILE, of the format of
//! `vectors/hosts_dev.jsonl`.

use std::collections::{HashMap, HashSet};
use std::fs;

use proptest::prelude::*;
use sigv4_middleware::{Endpoint, ErrorKind};

use crate::vectors::hosts::{Case, Scope};

fn json_lines(path: &str) -> Vec<Case> {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What is wrong with the scope inferred for a host, if anything is.
fn wrong(case: &Case) -> Option<String> {
    Some(format!("{}: {}", case.host, case.check().err()?))
}

fn check(name: &str, cases: &[Case]) {
    let failures: Vec<String> = cases.iter().filter_map(wrong).collect();
    println!("hosts {name}: {} passed, {} failed", cases.len() - failures.len(), failures.len());
    assert!(failures.is_empty(), "{name}:\n{}", failures[..failures.len().min(20)].join("\n"));
    assert!(!cases.is_empty(), "{name} is empty");
}

#[test]
fn development_list() {
    check("hosts_dev.jsonl", &json_lines("tests/it/vectors/hosts_dev.jsonl"));
}

#[test]
fn list_from_the_environment() {
    if let Some(path) = std::env::var_os("SIGV4_HOSTS").and_then(|path| path.into_string().ok()) {
        check(&path, &json_lines(&path));
    }
}

/// Every host that scripts/endpoints.py saw botocore resolve.
#[test]
fn everything_botocore_resolves() {
    let text = fs::read_to_string("tests/it/vectors/hosts_botocore.txt").unwrap();
    let mut regions: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut cases = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        let mut word = || words.next().unwrap();
        let first = word();
        if first == "=" {
            let partition = word();
            regions.insert(partition, words.collect());
            continue;
        }
        let (service, scope) = (word(), word());
        let seen = words.flat_map(|word| match word.strip_prefix('%') {
            Some(partition) => regions[partition].clone(),
            None => vec![word],
        });
        cases.extend(seen.map(|region| Case {
            host: first.replace('@', region),
            scopes: vec![Scope { service: service.to_owned(), region: scope.replace('@', region) }],
        }));
    }
    assert!(cases.len() > 80_000, "{}", cases.len());
    check("hosts_botocore.txt", &cases);
}

/// Host, signing name, region (`*` is a region set, `-` unknown), partition (`-` is outside AWS).
const FORMS: &[(&str, &str, &str, &str)] = &[
    ("abc.execute-api.us-east-1.amazonaws.com", "execute-api", "us-east-1", "aws"),
    ("ABC.Execute-API.US-EAST-1.AmazonAWS.com.", "execute-api", "us-east-1", "aws"),
    ("abc.execute-api-fips.us-gov-west-1.amazonaws.com", "execute-api", "us-gov-west-1", "aws-us-gov"),
    ("abc.execute-api.cn-north-1.amazonaws.com.cn", "execute-api", "cn-north-1", "aws-cn"),
    ("abc.execute-api.us-east-1.api.aws", "execute-api", "us-east-1", "aws"),
    ("abc-vpce-01.execute-api.us-east-1.amazonaws.com", "execute-api", "us-east-1", "aws"),
    ("vpce-01-2.execute-api.us-east-1.vpce.amazonaws.com", "execute-api", "us-east-1", "aws"),
    ("vpce-01-2-us-east-1a.sqs.us-east-1.vpce.amazonaws.com", "sqs", "us-east-1", "aws"),
    ("vpce-01-2.runtime.sagemaker.eu-west-1.vpce.amazonaws.com", "sagemaker", "eu-west-1", "aws"),
    ("vpce-01-2.bedrock-runtime.eu-west-1.vpce.amazonaws.com", "bedrock", "eu-west-1", "aws"),
    ("vpce-01-2.git-codecommit.eu-west-1.vpce.amazonaws.com", "codecommit", "eu-west-1", "aws"),
    ("bucket.vpce-01-2.s3.us-east-1.vpce.amazonaws.com", "s3", "us-east-1", "aws"),
    ("my.bucket.bucket.vpce-01-2.s3.us-east-1.vpce.amazonaws.com", "s3", "us-east-1", "aws"),
    ("accesspoint.vpce-01-2.s3.us-east-1.vpce.amazonaws.com", "s3", "us-east-1", "aws"),
    ("control.vpce-01-2.s3.us-east-1.vpce.amazonaws.com", "s3", "us-east-1", "aws"),
    ("abc.lambda-url.eu-west-1.on.aws", "lambda", "eu-west-1", "aws"),
    ("search-d-1.us-west-2.es.amazonaws.com", "es", "us-west-2", "aws"),
    ("d-1.aos.us-west-2.on.aws", "es", "us-west-2", "aws"),
    ("abc.us-west-2.aoss.amazonaws.com", "aoss", "us-west-2", "aws"),
    ("abc.appsync-api.us-west-2.amazonaws.com", "appsync", "us-west-2", "aws"),
    ("abc.appsync-realtime-api.us-west-2.amazonaws.com", "appsync", "us-west-2", "aws"),
    ("abc-ats.iot.us-west-2.amazonaws.com", "iotdata", "us-west-2", "aws"),
    ("abc.jobs.iot.us-west-2.amazonaws.com", "iot-jobs-data", "us-west-2", "aws"),
    ("aps-workspaces.us-west-2.amazonaws.com", "aps", "us-west-2", "aws"),
    ("svc-1.7d67968.vpc-lattice-svcs.us-west-2.on.aws", "vpc-lattice-svcs", "us-west-2", "aws"),
    ("c.cluster-1.us-west-2.neptune.amazonaws.com", "neptune-db", "us-west-2", "aws"),
    ("g-1.us-west-2.neptune-graph.amazonaws.com", "neptune-graph", "us-west-2", "aws"),
    ("search-d.us-west-2.cloudsearch.amazonaws.com", "cloudsearch", "us-west-2", "aws"),
    ("us-west-2.queue.amazonaws.com", "sqs", "us-west-2", "aws"),
    ("queue.amazonaws.com", "sqs", "us-east-1", "aws"),
    ("s-1.kinesisvideo.us-west-2.amazonaws.com", "kinesisvideo", "us-west-2", "aws"),
    ("123456789012.ddb.us-west-2.amazonaws.com", "dynamodb", "us-west-2", "aws"),
    ("123456789012.streams-ddb-fips.us-west-2.api.aws", "dynamodb", "us-west-2", "aws"),
    ("123456789012.data-kinesis.us-west-2.amazonaws.com", "kinesis", "us-west-2", "aws"),
    ("g.gateway.bedrock-agentcore.us-west-2.amazonaws.com", "bedrock-agentcore", "us-west-2", "aws"),
    ("bucket.s3.us-west-2.amazonaws.com", "s3", "us-west-2", "aws"),
    ("my.dotted.bucket.s3.us-west-2.amazonaws.com", "s3", "us-west-2", "aws"),
    ("eu-data-1.s3.us-west-2.amazonaws.com", "s3", "us-west-2", "aws"),
    ("compute.s3.us-west-2.amazonaws.com", "s3", "us-west-2", "aws"),
    ("bucket.s3.dualstack.us-west-2.amazonaws.com", "s3", "us-west-2", "aws"),
    ("bucket.s3-fips.dualstack.us-gov-east-1.amazonaws.com", "s3", "us-gov-east-1", "aws-us-gov"),
    ("bucket.s3-us-west-2.amazonaws.com", "s3", "us-west-2", "aws"),
    ("s3-us-gov-west-1.amazonaws.com", "s3", "us-gov-west-1", "aws-us-gov"),
    ("s3-fips-us-gov-west-1.amazonaws.com", "s3", "us-gov-west-1", "aws-us-gov"),
    ("s3-external-1.amazonaws.com", "s3", "us-east-1", "aws"),
    ("s3.amazonaws.com", "s3", "us-east-1", "aws"),
    ("bucket.s3.amazonaws.com", "s3", "-", "aws"),
    ("us-west-2.s3.amazonaws.com", "s3", "-", "aws"),
    ("my.eu-data-1.s3.amazonaws.com", "s3", "-", "aws"),
    ("eu-data-1.s3-us-west-2.amazonaws.com", "s3", "us-west-2", "aws"),
    ("bucket.s3-accelerate.amazonaws.com", "s3", "-", "aws"),
    ("bucket.s3-accelerate.dualstack.amazonaws.com", "s3", "-", "aws"),
    ("ap-123456789012.s3-accesspoint.us-west-2.amazonaws.com", "s3", "us-west-2", "aws"),
    ("ap-1.s3-accesspoint-fips.dualstack.us-west-2.amazonaws.com", "s3", "us-west-2", "aws"),
    ("ap-1.op-01.s3-outposts.us-west-2.amazonaws.com", "s3-outposts", "us-west-2", "aws"),
    ("ap-1.s3-object-lambda-fips.us-west-2.amazonaws.com", "s3-object-lambda", "us-west-2", "aws"),
    ("123456789012.s3-control.dualstack.us-west-2.amazonaws.com", "s3", "us-west-2", "aws"),
    ("b--usw2-az1--x-s3.s3express-usw2-az1.us-west-2.amazonaws.com", "s3express", "us-west-2", "aws"),
    (
        "b--use1-az4--x-s3.s3express-fips-use1-az4.dualstack.us-east-1.amazonaws.com",
        "s3express",
        "us-east-1",
        "aws",
    ),
    ("s3express-control.us-west-2.amazonaws.com", "s3express", "us-west-2", "aws"),
    ("mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com", "s3", "*", "aws"),
    ("abc.veo.endpoint.events.amazonaws.com", "events", "*", "aws"),
    ("abc.endpoints.email.global.api.aws", "ses", "*", "aws"),
    ("123456789012.cloudfront-kvs.global.api.aws", "cloudfront-keyvaluestore", "*", "aws"),
    ("account-id.r2.cloudflarestorage.com", "s3", "auto", "-"),
    ("bucket.account-id.eu.r2.cloudflarestorage.com", "s3", "auto", "-"),
    ("iam.us-gov.amazonaws.com", "iam", "us-gov-west-1", "aws-us-gov"),
    ("sts.eusc-de-east-1.amazonaws.eu", "sts", "eusc-de-east-1", "aws-eusc"),
    ("sqs.us-isob-east-1.sc2s.sgov.gov", "sqs", "us-isob-east-1", "aws-iso-b"),
    ("pipe-abc.us-west-2.osis.amazonaws.com", "osis", "us-west-2", "aws"),
    ("osis.us-west-2.api.aws", "osis", "us-west-2", "aws"),
    ("application-x-1.us-west-2.opensearch.amazonaws.com", "opensearch", "us-west-2", "aws"),
    ("db-1.c0hash.us-west-2.rds.amazonaws.com", "rds-db", "us-west-2", "aws"),
    ("c.cluster-ro-c0hash.us-west-2.rds.amazonaws.com", "rds-db", "us-west-2", "aws"),
    ("p.proxy-c0hash.us-west-2.rds.amazonaws.com", "rds-db", "us-west-2", "aws"),
    ("e.endpoint.proxy-c0hash.us-west-2.rds.amazonaws.com", "rds-db", "us-west-2", "aws"),
    ("db-1.c0hash.us-gov-west-1.rds.amazonaws.com", "rds-db", "us-gov-west-1", "aws-us-gov"),
    ("db-1.c0hash.rds.cn-north-1.amazonaws.com.cn", "rds-db", "cn-north-1", "aws-cn"),
    ("db-1.c0hash.cn-north-1.rds.amazonaws.com.cn", "rds-db", "cn-north-1", "aws-cn"),
    ("g.global-c0hash.global.rds.amazonaws.com", "rds-db", "-", "aws"),
    ("rds.us-west-2.amazonaws.com", "rds", "us-west-2", "aws"),
    ("00f.livy.emr-serverless-services.us-west-2.amazonaws.com", "emr-serverless", "us-west-2", "aws"),
    ("a1.egress.b2.mediapackagev2.us-west-2.amazonaws.com", "mediapackagev2", "us-west-2", "aws"),
    ("8a1a.route53-recovery-cluster.us-west-2.amazonaws.com", "route53-recovery-cluster", "us-west-2", "aws"),
    ("ingest-cell1.timestream.us-west-2.amazonaws.com", "timestream", "us-west-2", "aws"),
    ("bedrock-mantle.us-west-2.api.aws", "bedrock-mantle", "us-west-2", "aws"),
    ("abc.aoss.us-west-2.on.aws", "aoss", "us-west-2", "aws"),
    ("abc.dsql.us-west-2.on.aws", "dsql", "us-west-2", "aws"),
    ("abc.lambda-url.cn-north-1.on.amazonwebservices.com.cn", "lambda", "cn-north-1", "aws-cn"),
    ("abc.endpoints.email.us-gov.amazonaws.com", "ses", "*", "aws-us-gov"),
    // Regions and services newer than the table.
    ("sqs.eu-middle-12.amazonaws.com", "sqs", "eu-middle-12", "aws"),
    ("bucket.s3.us-gov-north-1.amazonaws.com", "s3", "us-gov-north-1", "aws-us-gov"),
    ("monitoring.cn-south-1.amazonaws.com.cn", "monitoring", "cn-south-1", "aws-cn"),
    ("brand-new.us-west-2.amazonaws.com", "brand-new", "us-west-2", "aws"),
    ("brand-new-fips.us-west-2.amazonaws.com", "brand-new", "us-west-2", "aws"),
    ("vpce-01-2.brand-new.us-west-2.vpce.amazonaws.com", "brand-new", "us-west-2", "aws"),
    ("brand-new-2.cn-north-1.amazonaws.com.cn", "brand-new-2", "cn-north-1", "aws-cn"),
    ("brand-new.eusc-de-east-1.amazonaws.eu", "brand-new", "eusc-de-east-1", "aws-eusc"),
    ("brand-new.us-iso-east-1.c2s.ic.gov", "brand-new", "us-iso-east-1", "aws-iso"),
];

#[test]
fn forms() {
    for &(host, service, region, partition) in FORMS {
        let endpoint = Endpoint::infer(host).unwrap_or_else(|error| panic!("{error}"));
        let inferred = endpoint.region().or(endpoint.region_set()).unwrap_or("-");
        let found = (endpoint.service(), inferred, endpoint.partition().unwrap_or("-"));
        assert_eq!(found, (service, region, partition), "{host}: {endpoint:?}");
        assert_eq!(endpoint.region_set().is_some(), region == "*", "{host}");
        assert!(!endpoint.rule().is_empty(), "{host}");
    }
}

#[test]
fn paths_that_change_the_service() {
    for (host, path, service) in [
        ("abc-ats.iot.us-west-2.amazonaws.com", "/mqtt", "iotdevicegateway"),
        ("abc-ats.iot.us-west-2.amazonaws.com", "/topics/a", "iotdata"),
        ("abc-ats.iot.us-west-2.amazonaws.com", "/mqtt/a", "iotdata"),
        ("abc.execute-api.us-west-2.amazonaws.com", "/mqtt", "execute-api"),
        ("maps.geo.us-west-2.amazonaws.com", "/maps/v0/maps/a", "geo"),
        ("maps.geo.us-west-2.amazonaws.com", "/v2/tiles/a", "geo-maps"),
    ] {
        let endpoint = Endpoint::infer_with_path(host, path).unwrap();
        assert_eq!(endpoint.service(), service, "{host}{path}");
        assert_eq!(endpoint.region(), Some("us-west-2"));
    }
}

#[test]
fn an_unknown_region_is_asked_for() {
    let endpoint = Endpoint::infer("bucket.s3.amazonaws.com").unwrap();
    let error = endpoint.require_region().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ScopeUnknown);
    for part in ["bucket", ".region(\"...\")", "x-amz-bucket-region"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    let writer = Endpoint::infer("g.global-c0hash.global.rds.amazonaws.com").unwrap();
    let error = writer.require_region().unwrap_err().to_string();
    assert!(error.contains("primary cluster") && error.contains(".region(\"...\")"), "{error}");
    let everywhere = Endpoint::infer("abc.mrap.accesspoint.s3-global.amazonaws.com").unwrap();
    assert!(everywhere.require_region().unwrap_err().to_string().contains("SigV4a"));
    let known = Endpoint::infer("sqs.us-west-2.amazonaws.com").unwrap();
    assert_eq!(known.require_region().unwrap(), "us-west-2");
}

/// Hosts that look like AWS's and are not, customers' machines, and hosts of AWS that are not a service's.
const NOT_INFERRED: &[&str] = &[
    "",
    ".",
    "com",
    "amazonaws.com",
    "api.aws",
    "aws",
    "localhost",
    "127.0.0.1",
    "[::1]",
    "::1",
    "api.example.com",
    "evil-amazonaws.com",
    "sqs.us-east-1.evil-amazonaws.com",
    "sqs.us-east-1.amazonaws.com.evil.io",
    "s3.us-east-1.amazonaws.com.evil.io",
    "s3.us-east-1.amazonaws.com@evil.io",
    "evil.io@s3.us-east-1.amazonaws.com",
    "evil.io/s3.us-east-1.amazonaws.com",
    "evil.io#.s3.us-east-1.amazonaws.com",
    "evil.io?s3.us-east-1.amazonaws.com",
    "evil.io\\.s3.us-east-1.amazonaws.com",
    "evil.io\0.s3.us-east-1.amazonaws.com",
    "evil.io%2f.s3.us-east-1.amazonaws.com",
    "sqs.us-east-1.amazonaws.com:443",
    "sqs.us-east-1.amazonaws.com ",
    "sqs.us-east-1.amazonaws.com\n",
    "sqs.us-east-1.amazonaws.com..",
    ".sqs.us-east-1.amazonaws.com",
    "sqs..us-east-1.amazonaws.com",
    "sqs.us-east-1.amazonaws.cn",
    "sqs.us-east-1.amazonaws.co",
    "sqs.us-east-1.amazonaws.org",
    "sqs.us-east-1.amazonaws.com.br",
    "sqs.us-east-1.amazonaws.comm",
    "sqs.us-east-1.xamazonaws.com",
    "sqs.us-east-1.amazonaws-com.io",
    "sqs。us-east-1。amazonaws。com",
    "sqs.us-east-1.amazonaws．com",
    "sqs.us-east-1.аmazonaws.com",
    "sqs.us-east-1.xn--mazonaws-3fg.com",
    "xn--amazonaws.com",
    "sqs.us-east-1.ａmazonaws.com",
    "sqs.us-east-1.amazonaws.com\u{200b}",
    "us-east-1.signin.aws.amazon.com.evil.io",
    "signin.aws.amazon.com",
    "r2.cloudflarestorage.com",
    "abc.r2.cloudflarestorage.com.evil.io",
    "abc.r2-cloudflarestorage.com",
    "us-east-1.amazonaws.com",
    "fips.us-east-1.amazonaws.com",
    "unknown.amazonaws.com",
    "a.b.us-east-1.amazonaws.com",
    "sqs.cn-north-1.amazonaws.com",
    "sqs.us-east-1.amazonaws.com.cn",
    "sqs.us-isof-south-1.amazonaws.com",
    "sqs.us-east.amazonaws.com",
    "sqs.us-east-x.amazonaws.com",
    "sqs.zz-east-1.amazonaws.com",
    "ec2-1-2-3-4.us-west-2.compute.amazonaws.com",
    "ec2-1-2-3-4.compute-1.amazonaws.com",
    "lb-1.us-west-2.elb.amazonaws.com",
    "lb-1.elb.us-west-2.amazonaws.com",
    "vpce-1.vpce-svc-2.us-east-1.vpce.amazonaws.com",
    "bucket.s3-website-us-east-1.amazonaws.com",
    "bucket.s3-website.eu-central-1.amazonaws.com",
    "app.ecs.us-east-1.on.aws",
    "ecs.us-east-1.on.aws",
    "sqs.us-east-1.on.aws",
    "brand-new.us-east-1.api.aws",
    "x.brand-new.us-east-1.amazonaws.com",
    "fips.brand-new.us-east-1.amazonaws.com",
    "dualstack.elb.us-east-1.amazonaws.com",
    "ec2-203-0-113-25.us-east-1.amazonaws.com",
    "vpce-svc-2.us-east-1.amazonaws.com",
    "x.us-east-1.airflow.amazonaws.com",
    "x.us-east-1.eks.amazonaws.com",
    "bucket.s3.on.aws",
    "queue.on.aws",
    "s3-us-west-2.on.aws",
    "abc.execute-api.us-east-1.on.aws",
    "abc.lambda-url.us-east-1.amazonaws.com",
];

#[test]
fn look_alikes() {
    for host in NOT_INFERRED {
        let error = Endpoint::infer(host).expect_err(host);
        assert_eq!(error.kind(), ErrorKind::ScopeUnknown, "{host}");
        let message = error.to_string();
        assert!(message.contains(".service(\"...\")") && message.contains(".region(\"...\")"), "{message}");
        assert!(!message.contains(char::is_control), "{message:?}");
    }
    let long = format!("{}.us-east-1.amazonaws.com", "a.".repeat(200_000));
    assert!(Endpoint::infer(&long).unwrap_err().to_string().len() < 1000);
    assert!(Endpoint::infer(&format!("{}.us-east-1.amazonaws.com", "a".repeat(64))).is_err());
}

#[test]
fn display_and_parsing() {
    for (host, shown) in [
        ("abc.execute-api.ap-northeast-1.amazonaws.com", "execute-api in ap-northeast-1 (aws)"),
        ("sqs.cn-north-1.amazonaws.com.cn", "sqs in cn-north-1 (aws-cn)"),
        ("abc.mrap.accesspoint.s3-global.amazonaws.com", "s3 in region set * (aws)"),
        ("bucket.s3.amazonaws.com", "s3 in an unknown region (aws)"),
        ("abc.r2.cloudflarestorage.com", "s3 in auto"),
    ] {
        let endpoint: Endpoint = host.parse().unwrap();
        assert_eq!(endpoint.to_string(), shown);
        assert_eq!(endpoint, Endpoint::infer(host).unwrap());
        // Equal endpoints of two hosts are one key of a map.
        let upper: Endpoint = host.to_ascii_uppercase().parse().unwrap();
        assert_eq!(HashSet::from([endpoint, upper]).len(), 1);
    }
    let error = "api.example.com".parse::<Endpoint>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ScopeUnknown);
}

/// An unknown host of AWS may be a customer's machine, which the message says.
#[test]
fn the_error_for_a_host_in_a_domain_of_aws_names_what_may_run_there() {
    for (host, aws) in [
        ("app.ecs.us-east-1.on.aws", true),
        ("X.us-east-1.Airflow.amazonaws.com.", true),
        ("api.example.com", false),
        ("amazonaws.com.evil.io", false),
        ("no host.amazonaws.com", false),
    ] {
        let message = Endpoint::infer(host).unwrap_err().to_string();
        assert_eq!(message.contains("customer's machine"), aws, "{message}");
        assert_eq!(message.contains(&format!(".allow_host(\"{host}\")")), aws, "{message}");
    }
}

fn real_host() -> impl Strategy<Value = String> {
    (0..FORMS.len()).prop_map(|at| FORMS[at].0.trim_end_matches('.').to_ascii_lowercase())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Nothing outside AWS's domains is inferred, whatever stands in front.
    #[test]
    fn random_domains(host in "[a-z0-9.-]{0,40}", tld in "(io|dev|net|example|xn--p1ai)") {
        let name = format!("{host}.{tld}");
        prop_assert!(Endpoint::infer(&name).is_err());
    }

    #[test]
    fn random_text(host in "\\PC{0,60}") {
        let _ = Endpoint::infer(&host);
        prop_assume!(!host.is_ascii());
        prop_assert!(Endpoint::infer(&host).is_err());
    }

    #[test]
    fn domains_behind_a_real_host(host in real_host(), between in "[.@/#?:%_a-z-]", domain in "[a-z]{1,9}\\.(com|io|cn)") {
        let look_alike = format!("{host}{between}{domain}");
        prop_assert!(Endpoint::infer(&look_alike).is_err(), "{look_alike}");
    }

    /// A letter put before the registered name makes another name of it.
    #[test]
    fn names_that_end_like_aws(front in "[a-z0-9.-]{0,20}", letter in "[a-z0-9-]") {
        for domain in ["amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "c2s.ic.gov", "r2.cloudflarestorage.com"] {
            let look_alike = format!("{front}sqs.us-east-1.{letter}{domain}");
            prop_assert!(Endpoint::infer(&look_alike).is_err(), "{look_alike}");
        }
    }

    #[test]
    fn one_character_that_no_name_has(host in real_host(), at in 0..100_usize, c in "[^a-zA-Z0-9._-]") {
        let at = at % (host.len() + 1);
        let spoilt = format!("{}{c}{}", &host[..at], &host[at..]);
        prop_assert!(Endpoint::infer(&spoilt).is_err(), "{spoilt}");
    }

    #[test]
    fn case_and_one_dot_do_not_matter(host in real_host(), upper in any::<u64>()) {
        let mixed: String = host.chars().enumerate().map(|(i, c)| {
            if upper >> (i % 64) & 1 == 1 { c.to_ascii_uppercase() } else { c }
        }).collect();
        let endpoint = Endpoint::infer(&host).unwrap();
        prop_assert_eq!(&endpoint, &Endpoint::infer(&mixed).unwrap());
        prop_assert_eq!(&endpoint, &Endpoint::infer(&(mixed + ".")).unwrap());
    }
}
