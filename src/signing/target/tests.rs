use super::*;

fn target<'a>(path: &'a str, query: Option<&'a str>, form: PathForm) -> Result<Target<'a>, Error> {
    Target::new(path, query, form, PlusInQuery::Space, true)
}

fn sent_path(given: &str, form: PathForm) -> String {
    target(given, None, form).unwrap().to_path_and_query()
}

fn sent_query(given: &str) -> String {
    target("/", Some(given), PathForm::AsGiven).unwrap().query().to_owned()
}

/// A target that is refused, with a word that the message has.
fn refused(result: Result<Target<'_>, Error>, word: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidUri);
    assert!(error.to_string().contains(word), "{error}");
}

#[test]
fn a_strict_path_escapes_all_but_unreserved_characters_and_slashes() {
    for (given, sent) in [
        ("/", "/"),
        ("", "/"),
        ("/a-b._~/C9", "/a-b._~/C9"),
        ("/a+b*(c)'!:@;=,$&", "/a%2Bb%2A%28c%29%27%21%3A%40%3B%3D%2C%24%26"),
        ("/a%2fb%2Fc", "/a%2Fb%2Fc"),
        ("/%7e%41%2d", "/~A-"),
        ("/caf\u{e9}/%c3%a9", "/caf%C3%A9/%C3%A9"),
        ("/%25/%2525", "/%25/%2525"),
        ("/%FF%00", "/%FF%00"),
        ("//a/../b/./", "//a/../b/./"),
    ] {
        assert_eq!(sent_path(given, PathForm::Strict), sent, "{given}");
        assert_eq!(sent_path(sent, PathForm::Strict), sent, "once is enough");
    }
}

#[test]
fn an_escaped_slash_in_an_objects_key_becomes_a_slash() {
    for (given, sent) in [
        ("/a%2Fb", "/a/b"),
        ("/a%2fb%2F%2f", "/a/b//"),
        ("/%2F", "//"),
        ("/a%252Fb", "/a%252Fb"),
        ("/a%2E%2Fb%3A", "/a./b%3A"),
        ("/a/b", "/a/b"),
        ("/2F%20", "/2F%20"),
    ] {
        assert_eq!(sent_path(given, PathForm::ObjectKey), sent, "{given}");
        assert_eq!(sent_path(sent, PathForm::ObjectKey), sent, "once is enough");
    }
    assert!(target("/a%2Fb", None, PathForm::ObjectKey).unwrap().is_rewritten());
    assert!(!target("/a%252Fb", None, PathForm::ObjectKey).unwrap().is_rewritten());
}

#[test]
fn the_form_of_a_path_follows_service_and_host() {
    let form = |service, host| PathForm::new(&SigningSettings::for_service(service), holds_arns(host));
    for host in [
        "bucket.s3.eu-west-1.amazonaws.com",
        "s3.eu-west-1.amazonaws.com",
        "127.0.0.1",
        "s3-control.s3.eu-west-1.amazonaws.com",
        "a.s3-outposts.s3.dualstack.eu-west-1.amazonaws.com",
        "s3-control.s3-accelerate.amazonaws.com",
        "control.vpce-1.s3.eu-west-1.amazonaws.com",
        "bucket.vpce-1a2b.s3.eu-west-1.vpce.amazonaws.com",
    ] {
        assert_eq!(form("s3", host), PathForm::ObjectKey, "{host}");
    }
    for host in [
        "123456789012.s3-control.eu-west-1.amazonaws.com",
        "123456789012.S3-Control-FIPS.dualstack.us-east-1.amazonaws.com",
        "s3-control.eu-west-1.amazonaws.com",
        "control.vpce-1a2b.s3.eu-west-1.vpce.amazonaws.com",
        "ap-123456789012.op-01.s3-outposts.eu-west-1.amazonaws.com",
    ] {
        assert_eq!(form("s3", host), PathForm::Strict, "{host}");
    }
    assert_eq!(form("s3-outposts", "127.0.0.1"), PathForm::Strict);
    assert_eq!(form("s3express", "b--x.s3express-x.us-east-1.amazonaws.com"), PathForm::ObjectKey);
    assert_eq!(form("execute-api", "example.com"), PathForm::AsGiven);
    let kept = SigningSettings::for_service("s3").keep_escaped_slash(true);
    assert_eq!(PathForm::new(&kept, false), PathForm::Strict);
}

#[test]
fn another_path_is_sent_unchanged_but_in_ascii() {
    for (given, sent) in [
        ("/a+b%7e%2f:@/../x", "/a+b%7e%2f:@/../x"),
        ("/100%25", "/100%25"),
        ("/caf\u{e9}\u{1f980}%e9", "/caf%C3%A9%F0%9F%A6%80%e9"),
        ("", "/"),
    ] {
        assert_eq!(sent_path(given, PathForm::AsGiven), sent);
    }
}

#[test]
fn a_path_begins_with_a_slash() {
    // `http::Uri` may be built with one of these behind an authority, and then is read again as another host.
    for form in [PathForm::AsGiven, PathForm::Strict] {
        for path in ["*", "*/a", "a/b"] {
            refused(target(path, None, form), "begin with a slash");
        }
    }
}

#[test]
fn a_query_is_sent_in_strict_form_in_its_order() {
    for (given, sent) in [
        ("", ""),
        ("b=2&a=1&b=1", "b=2&a=1&b=1"),
        ("a&b=", "a&b="),
        ("a=b=c=", "a=b%3Dc%3D"),
        ("=", "="),
        ("=v", "=v"),
        ("&&a=1&&b=2&", "a=1&b=2"),
        ("&", ""),
        ("a:/?@=b;c,d*(e)'!$", "a%3A%2F%3F%40=b%3Bc%2Cd%2A%28e%29%27%21%24"),
        ("%7e%41=%2d%2b%c3%a9", "~A=-%2B%C3%A9"),
        ("a=%26%3d&%3D=1", "a=%26%3D&%3D=1"),
        ("\u{e9}=\u{1f980}", "%C3%A9=%F0%9F%A6%80"),
        ("a=%2525", "a=%2525"),
        ("a=%00%7F", "a=%00%7F"),
    ] {
        assert_eq!(sent_query(given), sent, "{given}");
        assert_eq!(sent_query(sent), sent, "once is enough");
    }
}

#[test]
fn nothing_is_rewritten_that_is_strict_already() {
    let rewritten = |path, query, form| target(path, query, form).unwrap().is_rewritten();
    assert!(!rewritten("/a/b", Some("a=1&b=%2F&c"), PathForm::Strict));
    assert!(!rewritten("/a:b", Some(""), PathForm::AsGiven));
    assert!(!rewritten("/", None, PathForm::Strict));
    for query in ["a=%2f", "a=%41", "a=:", "&a=1", "a=1&", "a==", "a=+", "X-Amz-Date=1"] {
        assert!(rewritten("/", Some(query), PathForm::AsGiven), "{query}");
    }
    assert!(rewritten("/a:b", None, PathForm::Strict));
}

#[test]
fn a_raw_plus_follows_the_policy_and_an_escaped_one_stays() {
    let with = |plus| Target::new("/", Some("a+=b+%2B"), PathForm::AsGiven, plus, true);
    assert_eq!(with(PlusInQuery::Space).unwrap().query(), "a%20=b%20%2B");
    assert_eq!(with(PlusInQuery::Literal).unwrap().query(), "a%2B=b%2B%2B");
    refused(with(PlusInQuery::Refuse), "raw +");
    let escaped = Target::new("/a+b", Some("a=%2B"), PathForm::AsGiven, PlusInQuery::Refuse, true);
    assert_eq!(escaped.unwrap().to_path_and_query(), "/a+b?a=%2B", "a path's plus is never a space");
}

#[test]
fn broken_escapes_are_refused_by_their_place() {
    for (query, at) in [("a=%zz", "byte 2"), ("a=1&b=%4", "byte 6"), ("%", "byte 0"), ("a=%\u{e9}", "byte 2")]
    {
        refused(target("/", Some(query), PathForm::AsGiven), at);
    }
    for form in [PathForm::AsGiven, PathForm::Strict, PathForm::ObjectKey] {
        for (path, at) in
            [("/a%g0", "byte 2"), ("/a%", "byte 2"), ("/%41/%4", "byte 5"), ("/100%/\u{e9}", "byte 4")]
        {
            refused(target(path, None, form), at);
        }
    }
}

#[test]
fn query_escapes_have_to_be_utf8() {
    for query in ["a=%FF", "a=%e9", "%C3=%A9", "a=%C3%", "a=%ed%a0%80"] {
        refused(target("/", Some(query), PathForm::AsGiven), "");
    }
    refused(target("/", Some("a=%FF"), PathForm::AsGiven), "UTF-8");
    assert_eq!(sent_query("a=%C3%A9"), "a=%C3%A9");
}

#[test]
fn the_parameters_of_an_earlier_signature_go() {
    let old = "X-Amz-Algorithm=A&a=1&X-Amz-Credential=c&X-Amz-Date=d&X-Amz-Expires=1&x-amz-signedheaders=h&\
               X-Amz-Security-Token=t&X-Amz-Signature=s&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD&X-Amz-Kept=k&b";
    let stripped = target("/p", Some(old), PathForm::AsGiven).unwrap();
    assert_eq!(stripped.to_path_and_query(), "/p?a=1&X-Amz-Kept=k&b");
    let emptied = target("/p", Some("X-Amz-Date=d"), PathForm::AsGiven).unwrap();
    assert_eq!(emptied.to_path_and_query(), "/p", "the ? goes with its last parameter");
    // Escaped names are read as servers read them.
    let escaped = target("/p", Some("X%2DAmz-Signature=s&X-Amz%2dDate&a"), PathForm::AsGiven).unwrap();
    assert_eq!(escaped.query(), "a");
    let kept = Target::new("/p", Some(old), PathForm::AsGiven, PlusInQuery::Space, false).unwrap();
    assert_eq!(kept.query(), old);
}

#[test]
fn a_target_holds_64_kib_before_and_after_it_is_rewritten() {
    let path = |len: usize| format!("/{}", "a".repeat(len - 1));
    assert!(target(&path(MAX_TARGET), None, PathForm::Strict).is_ok());
    refused(target(&path(MAX_TARGET + 1), None, PathForm::Strict), "65534 bytes");
    refused(target(&path(MAX_TARGET - 3), Some("a=1"), PathForm::Strict), "65534 bytes");
    assert!(target(&path(MAX_TARGET - 4), Some("a=1"), PathForm::Strict).is_ok(), "the ? counts");
    let colons = ":".repeat(30_000);
    refused(target("/", Some(&colons), PathForm::AsGiven), "65534 bytes");
    refused(target(&format!("/{colons}"), None, PathForm::Strict), "65534 bytes");
    assert!(target(&format!("/{colons}"), None, PathForm::AsGiven).is_ok());
}
