//! The proxies of the environment, for every host but loopback.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Proxy, Url};

use super::redirect::is_address_of_this_machine;
use crate::endpoint::is_loopback;

/// Single labels, so that `NO_PROXY` covers them only if it covers every host.
const ANY_HOST: [&str; 2] = ["http://host", "https://host"];

/// reqwest's default proxies (`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, in either case, and
/// with its feature `system-proxy` those of the system), for every host but loopback; `None` if no proxy is set.
///
/// reqwest uses the first proxy that matches a request, and ignores the environment's once one is added. So another proxy
/// cannot exclude loopback; only a replacement of the environment's can.
pub(super) fn beyond_loopback() -> Option<Proxy> {
    let matcher = Matcher::from_system();
    let has_proxy = ANY_HOST.iter().any(|host| matcher.intercept(&Uri::from_static(host)).is_some());
    has_proxy.then(|| Proxy::custom(move |url| proxy_for(&matcher, url)))
}

fn proxy_for(matcher: &Matcher, url: &Url) -> Option<String> {
    let host = url.host_str()?;
    if is_loopback(host) || is_address_of_this_machine(host) {
        return None;
    }
    let proxy = matcher.intercept(&url.as_str().parse().ok()?)?;
    let (scheme, authority) = (proxy.uri().scheme_str()?, proxy.uri().authority()?);
    Some(match user_and_password(&proxy) {
        Some((user, password)) => {
            let [user, password] = [&user, &password].map(|text| utf8_percent_encode(text, NON_ALPHANUMERIC));
            format!("{scheme}://{user}:{password}@{authority}")
        }
        None => format!("{scheme}://{authority}"),
    })
}

fn user_and_password(proxy: &Intercept) -> Option<(String, String)> {
    if let Some((user, password)) = proxy.raw_auth() {
        return Some((user.to_owned(), password.to_owned()));
    }
    let encoded = proxy.basic_auth()?.to_str().ok()?.strip_prefix("Basic ")?;
    let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    decoded.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matcher() -> Matcher {
        let builder = Matcher::builder().http("http://us%40er:p%3As%2541@proxy:3128/ignored");
        builder.https("socks5h://user:pa%2Fss@socks").no("direct.example, 10.0.0.0/8").build()
    }

    fn found(url: &str) -> Option<String> {
        proxy_for(&matcher(), &url.parse().unwrap())
    }

    #[test]
    fn proxies_serve_every_host_but_loopback() {
        let http = Some("http://us%40er:p%3As%2541@proxy:3128".to_owned());
        let https = Some("socks5h://user:pa%2Fss@socks".to_owned());
        for host in [
            "a.example",
            "a.example:8080",
            "192.0.2.1",
            "[2001:db8::1]",
            "minio.localhost",
            "localhost.example",
        ] {
            assert_eq!(found(&format!("http://{host}")), http, "{host}");
            assert_eq!(found(&format!("https://{host}/a?b")), https, "{host}");
        }
        for host in [
            "localhost",
            "LOCALHOST:9000",
            "127.0.0.1",
            "127.0.0.1:9000",
            "127.255.0.9",
            "0x7f.1",
            "2130706433",
            "[::1]",
            "[::1]:9000",
            "[::ffff:127.0.0.1]",
            "0.0.0.0",
            "direct.example",
            "sub.direct.example",
            "10.1.2.3",
        ] {
            assert_eq!(found(&format!("http://{host}/")), None, "{host}");
            assert_eq!(found(&format!("https://{host}/")), None, "{host}");
        }
    }
}
