use proptest::prelude::*;

use super::*;

fn allowed(hosts: &[&str], origins: &[&str]) -> AllowedOrigins {
    let mut allowed = AllowedOrigins::default();
    hosts.iter().for_each(|host| allowed.allow_host(host).unwrap());
    origins.iter().for_each(|origin| allowed.allow_origin(origin).unwrap());
    allowed
}

fn kind(result: Result<(), Error>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// Whether an origin may be signed for; both ways of asking must agree.
fn ensure(allowed: &AllowedOrigins, scheme: &str, host: &str, port: Option<u16>) -> Result<(), Error> {
    let result = allowed.ensure_allowed(scheme, host, port, MissingScope::default);
    assert_eq!(result.is_ok(), allowed.allows(scheme, host, port), "{scheme} {host} {port:?}");
    result
}

/// The same for scheme, host and port as `http::Uri` parses them.
fn check(allowed: &AllowedOrigins, origin: &str) -> Result<(), Error> {
    let uri: http::Uri = origin.parse().unwrap();
    ensure(allowed, uri.scheme_str().unwrap(), uri.host().unwrap(), uri.port_u16())
}

#[test]
fn aws_over_https_and_loopback_by_default() {
    let default = AllowedOrigins::default();
    for origin in [
        "https://sqs.us-east-1.amazonaws.com",
        "https://SQS.US-EAST-1.AMAZONAWS.COM.:8443",
        "https://sqs.cn-north-1.amazonaws.com.cn",
        "https://abc.lambda-url.eu-west-1.on.aws",
        "https://eks-auth.us-east-1.api.aws",
        "https://sqs.eusc-de-east-1.amazonaws.eu",
        "https://sqs.us-iso-east-1.c2s.ic.gov",
        "https://compute.s3.us-east-1.amazonaws.com",
        "https://us-east-1.signin.aws.amazon.com",
        "https://vpce-1.sqs.us-east-1.vpce.amazonaws.com",
        "http://127.0.0.1:9000",
        "http://127.9.8.7",
        "http://[::1]:4566",
        "https://[0:0:0:0:0:0:0:1]",
        "http://localhost",
        "http://LOCALHOST:1",
        "https://db.c0hash.us-east-1.rds.amazonaws.com:5432",
    ] {
        assert!(check(&default, origin).is_ok(), "{origin}");
    }
    for origin in [
        "https://example.com",
        "https://evil-amazonaws.com",
        "https://amazonaws.com",
        "https://amazonaws.com.evil.io",
        "https://s3.us-east-1.amazonaws.com.evil.io",
        "https://s3.us-east-1.amazonaws.com@evil.io",
        "https://abc.r2.cloudflarestorage.com",
        "https://ec2-1-2-3-4.us-west-2.compute.amazonaws.com",
        "https://ec2-1-2-3-4.compute-1.amazonaws.com",
        "https://lb-1.us-west-2.elb.amazonaws.com",
        "https://lb-1.ELB.us-west-2.amazonaws.com",
        "https://vpce-1.vpce-svc-2.us-east-1.vpce.amazonaws.com",
        "https://b.s3-website-us-east-1.amazonaws.com",
        "http://b.s3-website.eu-central-1.amazonaws.com",
        "https://10.0.0.1",
        "http://128.0.0.1",
        "http://localhost.evil.io",
        "http://notlocalhost",
        "http://0.0.0.0",
        "http://[::ffff:127.0.0.1]",
        "http://[fe80::1]",
        "https://s3.amazonaws.com..",
        // Customers' machines under names of AWS.
        "https://app.ecs.us-east-1.on.aws",
        "https://ecs.us-east-1.on.aws",
        "https://x.us-east-1.airflow.amazonaws.com",
        "https://x.c1.airflow.us-east-1.on.aws",
        "https://x.notebook.us-east-1.sagemaker.aws",
        "https://d-1.studio.us-east-1.sagemaker.aws",
        "https://x.vfs.cloud9.us-east-1.amazonaws.com",
        "https://elb.us-east-1.amazonaws.com",
        "https://dualstack.elb.us-east-1.amazonaws.com",
        "https://dualstack.lb-1.us-east-1.elb.amazonaws.com",
        "https://fips.x.us-east-1.amazonaws.com",
        "https://ec2-203-0-113-25.us-east-1.amazonaws.com",
        "https://vpce-svc-2.us-east-1.amazonaws.com",
        "https://vpce-1-snra-1.rcfg-1.4232ccc.vpc-lattice-rsc.us-east-1.on.aws",
        "https://x.d111.cloudfront.net",
        "https://x.us-east-1.elasticbeanstalk.com",
        "https://x.us-east-1.awsapprunner.com",
        // Known services, in a domain that holds none of their endpoints.
        "https://sqs.us-east-1.on.aws",
        "https://bucket.s3.us-east-1.on.aws",
        "https://bucket.s3.on.aws",
        "https://s3-us-west-2.api.aws",
        "https://abc.execute-api.us-east-1.on.aws",
        "https://abc.lambda-url.us-east-1.amazonaws.com",
        // The naming rule is for the standard domains, and for the name alone.
        "https://brand-new.us-east-1.api.aws",
        "https://brand-new.us-east-1.on.aws",
        "https://x.brand-new.us-east-1.amazonaws.com",
    ] {
        assert_eq!(kind(check(&default, origin)), Some(ErrorKind::OriginNotAllowed), "{origin}");
    }
    let plain = kind(check(&default, "http://sqs.us-east-1.amazonaws.com"));
    assert_eq!(plain, Some(ErrorKind::InsecureOrigin));
}

/// Hosts that a resolver or a URL parser may take for loopback, as they stand in an `http::Uri`.
#[test]
fn loopback_is_nothing_but_loopback() {
    const NOT_LOOPBACK: [&str; 17] = [
        "minio.localhost",
        "bucket.s3.localhost",
        "localhost.",
        "LocalHost.",
        "localhost.localdomain",
        "ip6-localhost",
        "127.0.0.1.",
        "127.1",
        "127.0.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "127.0.0.01",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[::]",
    ];
    for host in NOT_LOOPBACK {
        let mut allowed = AllowedOrigins::default();
        for scheme in ["http", "https"] {
            let refused = kind(check(&allowed, &format!("{scheme}://{host}:9000")));
            assert_eq!(refused, Some(ErrorKind::OriginNotAllowed), "{scheme}://{host}");
        }
        allowed.allow_origin(&format!("http://{host}:9000")).unwrap();
        assert!(check(&allowed, &format!("http://{host}:9000")).is_ok(), "{host}");
        assert!(check(&allowed, &format!("http://{host}:9001")).is_err(), "{host}");
    }
    let message = check(&AllowedOrigins::default(), "http://localhost.:9000").unwrap_err().to_string();
    assert!(message.contains("without the trailing dot"), "{message}");
}

#[test]
fn loopback_can_be_disallowed() {
    let mut allowed = AllowedOrigins::default();
    allowed.disallow_loopback();
    for origin in ["http://127.0.0.1:9000", "http://localhost", "https://localhost", "http://[::1]:4566"] {
        assert_eq!(kind(check(&allowed, origin)), Some(ErrorKind::OriginNotAllowed), "{origin}");
    }
    assert!(check(&allowed, "https://sqs.us-east-1.amazonaws.com").is_ok());
    allowed.allow_origin("http://127.0.0.1:9000").unwrap();
    allowed.allow_host("localhost").unwrap();
    for (origin, ok) in [
        ("http://127.0.0.1:9000", true),
        ("https://localhost", true),
        ("http://127.0.0.1:9001", false),
        ("http://localhost", false),
    ] {
        assert_eq!(check(&allowed, origin).is_ok(), ok, "{origin}");
    }
}

/// One message names the lines for the origin and for what is missing of the scope, and for nothing else.
#[test]
fn every_missing_line_is_named_at_once() {
    let allowed = allowed(&["tls.example.com"], &[]);
    for (scheme, host, line) in [
        ("https", "api.example.com", "add .allow_host(\"api.example.com\")"),
        ("https", "app.ecs.us-east-1.on.aws", "add .allow_host(\"app.ecs.us-east-1.on.aws\")"),
        ("http", "api.example.com", "add .allow_origin(\"http://api.example.com:81\")"),
        ("http", "tls.example.com", "add .allow_origin(\"http://tls.example.com:81\")"),
    ] {
        for (service, region) in [(false, false), (false, true), (true, false), (true, true)] {
            let missing = || MissingScope { service, region };
            let port = (scheme == "http").then_some(81);
            let message = allowed.ensure_allowed(scheme, host, port, missing).unwrap_err().to_string();
            let service = if service { ".service(\"...\")" } else { "" };
            let region = if region { ".region(\"...\")" } else { "" };
            assert!(
                message.contains(&format!("{line}{service}{region} to the signer's builder")),
                "{message}"
            );
            assert_eq!(message.contains("customer's machine"), host.ends_with("on.aws"), "{message}");
        }
    }
}

#[test]
fn only_http_and_ascii_hosts() {
    let default = AllowedOrigins::default();
    for (scheme, host) in [
        ("ftp", "localhost"),
        ("", "localhost"),
        ("https", ""),
        ("https", "."),
        ("https", "s3。us-east-1。amazonaws。com"),
        ("https", "ѕqs.us-east-1.amazonaws.com"),
        ("https", "sqs.us-east-1.amazonaws.com:443"),
        ("https", "user@sqs.us-east-1.amazonaws.com"),
        ("https", "evil.io/.amazonaws.com"),
        ("https", "evil.io#.amazonaws.com"),
        ("https", "evil.io%00.amazonaws.com"),
        ("https", "sqs..amazonaws.com"),
        ("https", "::1"),
        ("https", "[::1"),
        ("https", "[::1]x"),
    ] {
        let refused = kind(ensure(&default, scheme, host, None));
        assert_eq!(refused, Some(ErrorKind::OriginNotAllowed), "{scheme} {host}");
    }
    let message = ensure(&default, "https", "bücher.example", None).unwrap_err().to_string();
    assert!(message.contains("punycode"), "{message}");
}

#[test]
fn hosts_by_whole_labels() {
    let allowed =
        allowed(&["Api.Example.com.", "*.internal.example.com", "[fd00::1]", "other.example:8443"], &[]);
    for origin in [
        "https://api.example.com",
        "https://API.EXAMPLE.COM.:444",
        "https://a.internal.example.com",
        "https://a.b.INTERNAL.example.com:9",
        "https://[FD00:0::1]:9",
        "https://other.example:8443",
    ] {
        assert!(check(&allowed, origin).is_ok(), "{origin}");
    }
    for origin in [
        "https://example.com",
        "https://a.api.example.com",
        "https://xapi.example.com",
        "https://internal.example.com",
        "https://xinternal.example.com",
        "https://api.example.com.evil.io",
        "https://[fd00::2]",
        "https://other.example",
        "http://other.example:9",
    ] {
        assert_eq!(kind(check(&allowed, origin)), Some(ErrorKind::OriginNotAllowed), "{origin}");
    }
    let plain = kind(check(&allowed, "http://api.example.com"));
    assert_eq!(plain, Some(ErrorKind::InsecureOrigin));
}

#[test]
fn origins_exactly() {
    let allowed = allowed(&[], &["http://minio:9000", "HTTPS://Store.example/", "http://[fd00::1]"]);
    for origin in
        ["http://minio:9000", "http://MINIO.:9000", "https://store.example:443", "http://[fd00::1]:80"]
    {
        assert!(check(&allowed, origin).is_ok(), "{origin}");
    }
    for origin in ["http://minio", "https://minio:9000", "http://store.example", "https://store.example:444"]
    {
        assert_eq!(kind(check(&allowed, origin)), Some(ErrorKind::OriginNotAllowed), "{origin}");
    }
}

/// Pastes the line that a refusal names and asks again.
#[test]
fn the_line_named_is_the_line_that_helps() {
    for origin in [
        "https://api.example.com",
        "https://api.example.com:8443",
        "https://[fd00::1]:8443",
        "https://lb-1.us-west-2.elb.amazonaws.com",
        "http://minio:9000",
        "http://minio",
        "http://[fd00::1]:9000",
        "http://sqs.us-east-1.amazonaws.com",
    ] {
        let mut allowed = AllowedOrigins::default();
        let message = check(&allowed, origin).unwrap_err().to_string();
        let quoted = |call: &str| {
            let (_, rest) = message.split_once(call)?;
            rest.split_once('"').map(|(argument, _)| argument)
        };
        if let Some(argument) = quoted("add .allow_origin(\"") {
            allowed.allow_origin(argument).unwrap();
        } else {
            allowed.allow_host(quoted("add .allow_host(\"").unwrap()).unwrap();
        }
        assert!(check(&allowed, origin).is_ok(), "{origin}: {message}");
    }
}

#[test]
fn what_is_no_host_or_origin() {
    let mut allowed = AllowedOrigins::default();
    for host in [
        "",
        "*",
        "*.",
        "*.com",
        "*.*.example.com",
        "a.*.example.com",
        "*example.com",
        "a b",
        ".example.com",
        "example..com",
        "https://x",
        "https://x/path",
        "x/path",
        "user@x",
        "x:",
        "x:0",
        "x:65536",
        "x:+1",
        "x:1:2",
        "[::1",
        "[::1]x",
        "[x]",
        "::1",
        "*.[::1]",
        "*.1.2.3.4",
        "*.10.0.0.1",
        "ex%61mple.com",
        "x?y",
        "x#y",
    ] {
        let error = allowed.allow_host(host).unwrap_err();
        assert_eq!(error.kind(), BuildErrorKind::InvalidOrigin, "{host}");
        assert!(error.to_string().contains(".allow_host(\"api.example.com\")"), "{error}");
    }
    for origin in
        ["", "minio:9000", "ftp://minio", "http://", "http://a/b", "http://u@a", "http://*.a.b", "http:a"]
    {
        let error = allowed.allow_origin(origin).unwrap_err();
        assert_eq!(error.kind(), BuildErrorKind::InvalidOrigin, "{origin}");
        assert!(error.to_string().contains(".allow_origin(\"http://minio:9000\")"), "{error}");
    }
    assert!(allowed.hosts.is_empty() && allowed.origins.is_empty());
}

#[cfg(feature = "reqwest")]
#[test]
fn names_that_are_not_ascii() {
    let allowed = allowed(&["Bücher.example", "*.例え。テスト"], &["http://straße.example:81"]);
    for origin in [
        "https://xn--bcher-kva.example",
        "https://XN--BCHER-KVA.example.",
        "https://a.xn--r8jz45g.xn--zckzah",
        "http://xn--strae-oqa.example:81",
    ] {
        assert!(check(&allowed, origin).is_ok(), "{origin}");
    }
    assert_eq!(kind(ensure(&allowed, "https", "bücher.example", None)), Some(ErrorKind::OriginNotAllowed));
    assert!(AllowedOrigins::default().allow_host("a\u{ad}\u{200b}.b c").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Credentials go to no other registered name, whatever stands in front of it or how it ends.
    #[test]
    fn look_alikes(front in "[a-z0-9.@/#-]{0,30}", letter in "[a-z0-9-]", tld in "\\.(io|dev|example|com\\.br)") {
        let allowed = allowed(&["*.internal.example.com"], &[]);
        for domain in ["amazonaws.com", "api.aws", "amazonaws.com.cn", "internal.example.com", "localhost"] {
            for host in [format!("{front}{letter}{domain}"), format!("{front}.{domain}{tld}")] {
                prop_assert!(ensure(&allowed, "https", &host, None).is_err(), "{host}");
            }
        }
    }

    #[test]
    fn any_text(scheme in "(https?|\\PC{0,5})", host in "\\PC{0,40}", port in any::<Option<u16>>()) {
        let mut allowed = AllowedOrigins::default();
        let _ = (ensure(&allowed, &scheme, &host, port), allowed.allow_host(&host), allowed.allow_origin(&host));
    }
}
