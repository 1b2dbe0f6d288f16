//! Generated text: hosts, request targets, words.

use arbitrary::{Arbitrary, Result, Unstructured};

/// Longer than the longest target that can be signed, in bytes.
const LONG: usize = 70_000;

const HOSTS: [&str; 20] = [
    "example.com",
    "api.example.com",
    "localhost",
    "127.0.0.1",
    "[::1]",
    "[fe80::1]",
    "abc123.execute-api.eu-west-1.amazonaws.com",
    "bucket.s3.us-east-1.amazonaws.com",
    "s3.amazonaws.com",
    "bucket.s3-us-west-2.amazonaws.com",
    "b--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com",
    "mrap.accesspoint.s3-global.amazonaws.com",
    "id.lambda-url.us-east-1.on.aws",
    "id.us-east-1.aoss.amazonaws.com",
    "svc.vpc-lattice-svcs.us-west-2.on.aws",
    "data.iot.us-east-1.amazonaws.com",
    "sts.amazonaws.com",
    "dynamodb.cn-north-1.amazonaws.com.cn",
    "acct.r2.cloudflarestorage.com",
    "ec2-1-2-3-4.compute-1.amazonaws.com",
];

const TARGET: [&str; 36] = [
    "/",
    "//",
    "/.",
    "/..",
    "/./",
    "/../",
    "?",
    "&",
    "=",
    "&&",
    "==",
    "%",
    "+",
    ";",
    ",",
    ":",
    "@",
    "#",
    "*",
    "~",
    "%2F",
    "%2f",
    "%20",
    "%2B",
    "%25",
    "%7E",
    "%00",
    "%C3%A9",
    "%FF",
    "X-Amz-Signature=",
    "x-amz-date=1",
    "X-Amz-Security-Token",
    "X-Amz%2DCredential=a",
    "X-Amz-Algorithm=AWS4-HMAC-SHA256",
    "a=1",
    "mqtt",
];

const LABELS: [&str; 40] = [
    ".",
    ".",
    ".",
    ".",
    "..",
    "-",
    "amazonaws.com",
    "amazonaws.com.cn",
    "api.aws",
    "on.aws",
    "amazonaws.eu",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
    "r2.cloudflarestorage.com",
    "signin.aws.amazon.com",
    "us-east-1",
    "eu-central-1",
    "cn-north-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "aws-global",
    "s3",
    "s3-fips",
    "dualstack",
    "fips",
    "execute-api",
    "lambda-url",
    "vpce",
    "vpce-1a2b",
    "vpce-svc-1",
    "s3express-",
    "elb",
    "compute",
    "iot",
    "es",
    "appsync-api",
    "s3-us-west-2",
    "xn--",
];

/// Single characters, some of these words, and percent escapes, in any order.
pub fn text(u: &mut Unstructured<'_>, words: &[&str]) -> Result<String> {
    let mut out = String::new();
    while !u.is_empty() && out.len() < LONG && u.ratio(9, 10)? {
        match u.int_in_range(0..=15)? {
            0..=6 => out.push(char::from(u8::arbitrary(u)? & 0x7f)),
            7..=12 if !words.is_empty() => out.push_str(u.choose(words)?),
            7..=13 => {
                let (byte, lower): (u8, bool) = (u.arbitrary()?, u.arbitrary()?);
                out.push_str(&if lower { format!("%{byte:02x}") } else { format!("%{byte:02X}") });
            }
            14 => out.push(u.arbitrary()?),
            _ if u.ratio(1, 8)? => out = out.repeat(u.int_in_range(1..=LONG / out.len().max(1))?),
            _ => {}
        }
    }
    Ok(out)
}

/// A path and query.
pub fn target(u: &mut Unstructured<'_>) -> Result<String> {
    let slash = if u.ratio(31, 32)? { "/" } else { "" };
    Ok(format!("{slash}{}", text(u, &TARGET)?))
}

/// A host name, or an invalid one.
pub fn host(u: &mut Unstructured<'_>) -> Result<String> {
    if u.ratio(1, 4)? { text(u, &LABELS) } else { Ok((*u.choose(&HOSTS)?).to_owned()) }
}

/// `host[:port]`, or an invalid authority.
pub fn authority(u: &mut Unstructured<'_>) -> Result<String> {
    let mut host = host(u)?;
    if u.ratio(1, 8)? {
        host.make_ascii_uppercase();
    }
    let port = match u.int_in_range(0..=15)? {
        0 => ":443".to_owned(),
        1 => ":80".to_owned(),
        2 => format!(":{}", u16::arbitrary(u)?),
        3 => format!(":{}", text(u, &["0", "443", "+"])?),
        _ => String::new(),
    };
    let user = if u.ratio(1, 64)? { "user:pass@" } else { "" };
    Ok(format!("{user}{host}{port}"))
}

/// One of these words, or one time in four other text.
pub fn one_of(u: &mut Unstructured<'_>, words: &[&str]) -> Result<String> {
    if u.ratio(3, 4)? { Ok((*u.choose(words)?).to_owned()) } else { text(u, words) }
}

/// A host made of labels that AWS's hosts have.
pub fn hosts(u: &mut Unstructured<'_>) -> Result<String> {
    let mut host = String::new();
    for _ in 0..u.int_in_range(1..=6)? {
        if !host.is_empty() && u.ratio(15, 16)? {
            host.push('.');
        }
        match u.int_in_range(0..=7)? {
            0 => host.push_str(&text(u, &LABELS)?),
            1 => host.push(char::from(u.int_in_range(b'-'..=b'z')?)),
            _ => host.push_str(u.choose(&LABELS[4..])?),
        }
    }
    Ok(host)
}
