//! A good request with one byte changed, every byte in turn, is never let in.
//!
//! Some changes are none: `%2f` is `%2F`, `X-Amz-Date` is `x-amz-date`. Signature Version 4 signs what the target
//! means, so the test works out the meaning for itself and expects 200 exactly where that is unchanged.

use percent_encoding::percent_decode_str;

use super::wire::*;
use crate::support::role;

/// Each bit of a byte, and bytes that mean something in a target.
fn replacements(byte: u8) -> impl Iterator<Item = u8> {
    (0..8).map(move |bit| byte ^ (1 << bit)).chain(*b"/.%+&=?~:;aA0").filter(move |other| *other != byte)
}

/// Path without empty and dot segments, decoded and sorted query; `None` where the query does not decode.
fn meaning(target: &[u8]) -> Option<(String, Vec<(String, String)>)> {
    let target = std::str::from_utf8(target).ok()?.split('#').next()?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let end = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    let path = format!("/{}{}", segments.join("/"), if end && !segments.is_empty() { "/" } else { "" });
    let decode = |text: &str| {
        let bytes = text.as_bytes();
        let escapes = (0..bytes.len()).filter(|i| bytes[*i] == b'%').collect::<Vec<_>>();
        let hex = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_hexdigit);
        let whole = escapes.iter().all(|i| hex(i + 1) && hex(i + 2));
        let text = text.replace('+', " ");
        whole.then(|| percent_decode_str(&text).decode_utf8().ok().map(String::from)).flatten()
    };
    let mut pairs = Vec::new();
    for piece in query.split('&').filter(|piece| !piece.is_empty()) {
        let (key, value) = piece.split_once('=').unwrap_or((piece, ""));
        pairs.push((decode(key)?, decode(value)?));
    }
    pairs.sort();
    Some((path, pairs))
}

#[tokio::test]
async fn of_the_target() {
    let gateway = gateway_of(role()).await;
    let target = "/prod/items/a%2fb/~x?b=1&a=two%20words&c=%E3%81%82&d=%7e+z&e";
    let good = Signing::with(role()).sign(&gateway, Call::new("GET", target));
    let mut wire = Wire::to(&gateway);
    let (mut same, mut refused) = (0, 0);
    for at in 0..target.len() {
        for byte in replacements(target.as_bytes()[at]) {
            let mut call = good.clone();
            call.target[at] = byte;
            let response = wire.send(&call.bytes()).await;
            let shown = String::from_utf8_lossy(&call.target).into_owned();
            if response.status == 400 {
                assert!(response.body.is_empty(), "not HTTP, so the parser's own response: {shown}");
            } else if meaning(&call.target).is_some() && meaning(&call.target) == meaning(target.as_bytes()) {
                assert_eq!(response.status, 200, "{shown}");
                same += 1;
            } else {
                assert_eq!(response.status, 403, "{shown}");
                refused += 1;
            }
        }
    }
    assert!(same > 1 && refused > 800, "{same} {refused}");
}

#[tokio::test]
async fn of_the_method_and_body() {
    let gateway = gateway_of(role()).await;
    let good = Signing::with(role()).sign(&gateway, Call::new("POST", "/").body("{\"amount\":1000}"));
    let mut wire = Wire::to(&gateway);
    wire.send(&good.bytes()).await.assert(200, "");
    for at in 0..good.body.len() {
        for bit in 0..8 {
            let mut call = good.clone();
            call.body[at] ^= 1 << bit;
            wire.send(&call.bytes()).await.assert(403, "InvalidSignatureException");
        }
    }
    for at in 0..good.method.len() {
        for bit in 0..7 {
            let mut call = good.clone();
            call.method[at] ^= 1 << bit;
            let response = wire.send(&call.bytes()).await;
            assert!(response.status == 403 || response.status == 400, "{response:?}");
        }
    }
}

#[tokio::test]
async fn of_every_signed_header_and_the_signature() {
    let gateway = gateway_of(role()).await;
    let call = Call::new("GET", "/a")
        .header("content-type", "text/plain; charset=utf-8")
        .header("x-amz-meta", "a b\tc");
    let good = Signing::with(role()).sign(&gateway, call);
    let mut wire = Wire::to(&gateway);
    wire.send(&good.bytes()).await.assert(200, "");
    let mut refused = 0;
    for (index, (name, value)) in good.headers.iter().enumerate() {
        for at in 0..name.len() + value.len() {
            for bit in 0..8 {
                let mut call = good.clone();
                let (new_name, new_value) = &mut call.headers[index];
                match at.checked_sub(name.len()) {
                    None => new_name[at] ^= 1 << bit,
                    Some(at) => new_value[at] ^= 1 << bit,
                }
                let same = new_name.eq_ignore_ascii_case(name) && new_value == value;
                let shown =
                    format!("{:?}", (String::from_utf8_lossy(new_name), String::from_utf8_lossy(new_value)));
                let response = wire.send(&call.bytes()).await;
                match response.status.as_u16() {
                    200 => assert!(same, "{shown}"),
                    403 => refused += 1,
                    status => assert_eq!((status, response.body.as_str()), (400, ""), "{shown}"),
                }
            }
        }
    }
    assert!(refused > 2000, "{refused}");
}

#[tokio::test]
async fn of_a_presigned_url() {
    let gateway = gateway_of(role()).await;
    let good = Signing::with(role()).presign(&gateway, Call::new("GET", "/a?b=c"), 60);
    let mut wire = Wire::to(&gateway);
    wire.send(&good.bytes()).await.assert(200, "");
    for at in 0..good.target.len() {
        for bit in 0..7 {
            let mut call = good.clone();
            call.target[at] ^= 1 << bit;
            let response = wire.send(&call.bytes()).await;
            let shown = String::from_utf8_lossy(&call.target).into_owned();
            match response.status.as_u16() {
                200 => assert_eq!(meaning(&call.target), meaning(&good.target), "{shown}"),
                403 => assert_ne!(meaning(&call.target), meaning(&good.target), "{shown}"),
                status => assert_eq!((status, response.body.as_str()), (400, ""), "{shown}"),
            }
        }
    }
}
