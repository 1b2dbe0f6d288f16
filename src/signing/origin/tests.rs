use super::*;

fn origin(uri: &str) -> Result<Origin<'_>, Error> {
    let (scheme, authority) = uri.split_once("://").unwrap();
    Origin::new(Some(scheme), Some(authority))
}

#[test]
fn the_schemes_own_port_is_left_out() {
    for (uri, authority, host, port) in [
        ("https://example.com", "example.com", "example.com", None),
        ("https://example.com:443", "example.com", "example.com", None),
        ("http://example.com:80", "example.com", "example.com", None),
        ("wss://example.com:443", "example.com", "example.com", None),
        ("ws://example.com:", "example.com", "example.com", None),
        ("https://example.com:80", "example.com:80", "example.com", Some(80)),
        ("http://Example.com:8080", "Example.com:8080", "Example.com", Some(8080)),
        ("http://127.0.0.1:9000", "127.0.0.1:9000", "127.0.0.1", Some(9000)),
        ("https://[::1]", "[::1]", "[::1]", None),
        ("https://[::1]:443", "[::1]", "[::1]", None),
        ("https://[2001:db8::1]:8443", "[2001:db8::1]:8443", "[2001:db8::1]", Some(8443)),
    ] {
        let origin = origin(uri).unwrap();
        assert_eq!((origin.authority, origin.host, origin.port), (authority, host, port), "{uri}");
    }
    assert_eq!(origin("wss://example.com").unwrap().http_scheme(), "https");
    assert_eq!(origin("ws://example.com").unwrap().http_scheme(), "http");
    assert!(!origin("http://example.com").unwrap().is_secure());
}

#[test]
fn an_origin_that_credentials_cannot_go_to_is_refused() {
    for (uri, word) in [
        ("https://user:password@example.com", "userinfo"),
        ("https://user@example.com", "userinfo"),
        ("https://@example.com", "userinfo"),
        ("https://", "empty host"),
        ("https://:8443", "empty host"),
        ("https://[]:8443", "empty host"),
        ("https://example.com:65536", "65535"),
        ("https://example.com:a", "65535"),
        ("https://example.com:-1", "65535"),
        ("https://example.com:+443", "65535"),
        ("ftp://example.com", "scheme"),
    ] {
        let error = origin(uri).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidUri);
        assert!(error.to_string().contains(word), "{uri}: {error}");
        assert!(!error.to_string().contains("password@e"), "no password in an error");
    }
    for (scheme, authority) in [(None, Some("example.com")), (Some("https"), None), (None, None)] {
        let error = Origin::new(scheme, authority).unwrap_err();
        assert!(error.to_string().contains("relative"), "{error}");
    }
}

#[test]
fn a_default_or_empty_port_is_needless() {
    for (uri, needless) in [
        ("https://example.com:443", true),
        ("http://example.com:80", true),
        ("https://example.com:", true),
        ("wss://[::1]:443", true),
        ("https://example.com", false),
        ("https://[::1]", false),
        ("https://example.com:80", false),
        ("http://example.com:443", false),
    ] {
        assert_eq!(origin(uri).unwrap().has_needless_port, needless, "{uri}");
    }
}

#[test]
fn a_host_header_names_the_authority_or_is_asked_for() {
    let host = |uri, given: &[&'static str], may_differ| {
        let headers: HeaderMap = given.iter().map(|value| (HOST, HeaderValue::from_static(value))).collect();
        let host = Host::new(&origin(uri).unwrap(), &headers, may_differ)?;
        Ok::<_, Error>((String::from_utf8(host.value.to_vec()).unwrap(), host.drop_header))
    };
    let kept = |value: &str| (value.to_owned(), false);
    let dropped = |value: &str| (value.to_owned(), true);
    let uri = "https://example.com:8443";
    assert_eq!(host(uri, &[], false).unwrap(), kept("example.com:8443"));
    assert_eq!(host("https://example.com:443", &[], false).unwrap(), kept("example.com"));
    assert_eq!(host("https://[::1]:8443", &["[::1]:8443"], false).unwrap(), kept("[::1]:8443"));
    // Another spelling of the URI's host goes: HTTP/2 would send the URI's.
    for may_differ in [false, true] {
        for (uri, given, signed) in [
            (uri, "EXAMPLE.com:8443", "example.com:8443"),
            ("https://example.com", "example.com:443", "example.com"),
            ("https://example.com", "example.com:", "example.com"),
            ("https://example.com:443", "example.com:443", "example.com"),
            ("http://Example.com", "example.com", "Example.com"),
        ] {
            assert_eq!(host(uri, &[given], may_differ).unwrap(), dropped(signed), "{uri} {given}");
        }
    }

    for other in ["example.com", "example.com:8444", "other.example.com:8443", "user@example.com:8443", ""] {
        let error = host(uri, &[other], false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::HostMismatch, "{other}");
        assert!(error.to_string().contains("allow_host_mismatch"), "{error}");
        assert_eq!(host(uri, &[other], true).unwrap(), kept(other));
    }
    let text = HeaderValue::from_bytes(b"b\xfccher.example").unwrap();
    let headers = HeaderMap::from_iter([(HOST, text)]);
    let error = Host::new(&origin(uri).unwrap(), &headers, true).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::HostMismatch);
    for may_differ in [false, true] {
        let error = host(uri, &["example.com:8443", "example.com:8443"], may_differ).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::HostMismatch, "two of them");
    }
}
