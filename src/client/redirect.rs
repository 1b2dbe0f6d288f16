//! Where a redirect leads, and what of the request goes along: the rules of the Fetch standard, and S3's regions.

use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_TYPE,
    COOKIE, HOST, HeaderMap, HeaderName, LOCATION, PROXY_AUTHORIZATION,
};
use http::{Method, StatusCode};
use reqwest::Url;

use crate::body::{DECODED_CONTENT_LENGTH, TRAILER};
use crate::error::{Error, ErrorKind};
use crate::signing::headers::signature_headers;

/// The most redirects that are followed for one request.
pub(crate) const LONGEST_CHAIN: usize = 5;

/// The next request of a chain.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Redirect {
    pub(crate) url: Url,
    pub(crate) method: Method,
    /// Whether the body goes along.
    pub(crate) keeps_body: bool,
    /// The region that S3 says the bucket is in, with or without a Location.
    pub(crate) region: Option<String>,
}

impl Redirect {
    /// What an answer asks for; `None` where it is no redirect.
    ///
    /// # Errors
    /// [`ErrorKind::Redirected`] for a Location that is no URL.
    pub(crate) fn of(
        method: &Method,
        url: &Url,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Result<Option<Self>, Error> {
        let rewrites = match status {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => *method == Method::POST,
            StatusCode::SEE_OTHER => *method != Method::GET && *method != Method::HEAD,
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
            _ => return Ok(None),
        };
        let region = headers.get("x-amz-bucket-region").and_then(|region| region.to_str().ok());
        if let Some(location) = headers.get(LOCATION) {
            let mut next = std::str::from_utf8(location.as_bytes())
                .ok()
                .and_then(|location| url.join(location).ok())
                .ok_or_else(|| {
                    Error::new(ErrorKind::Redirected, "the server redirects to a Location that is no URL")
                })?;
            if next.fragment().is_none() {
                next.set_fragment(url.fragment());
            }
            let method = if rewrites { Method::GET } else { method.clone() };
            let region = region.map(str::to_owned);
            return Ok(Some(Self { url: next, method, keeps_body: !rewrites, region }));
        }
        // S3 answers 301 without a Location to a request for a bucket of another region.
        Ok(region.and_then(|region| {
            let url = in_region(url, region)?;
            Some(Self { url, method: method.clone(), keeps_body: true, region: Some(region.to_owned()) })
        }))
    }

    /// Takes out of the headers what must not go along.
    pub(crate) fn prune(&self, from: &Url, headers: &mut HeaderMap) {
        const OF_A_BODY: [HeaderName; 8] = [
            CONTENT_ENCODING,
            CONTENT_LANGUAGE,
            CONTENT_LENGTH,
            CONTENT_LOCATION,
            CONTENT_TYPE,
            signature_headers::CONTENT_SHA256,
            // Of one that was sent in chunks.
            DECODED_CONTENT_LENGTH,
            TRAILER,
        ];
        const OF_AN_ORIGIN: [HeaderName; 3] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];
        headers.remove(HOST);
        if !self.keeps_body {
            OF_A_BODY.iter().for_each(|name| drop(headers.remove(name)));
        }
        if from.origin() != self.url.origin() {
            OF_AN_ORIGIN.iter().for_each(|name| drop(headers.remove(name)));
        }
    }
}

/// The same object at the regional endpoint of S3; at the same place for hosts that are not AWS's.
fn in_region(url: &Url, region: &str) -> Option<Url> {
    let host = url.host_str()?;
    let mut labels: Vec<&str> = host.split('.').collect();
    let Some(domain) = labels.iter().rposition(|label| *label == "amazonaws") else {
        return Some(url.clone());
    };
    match labels.get(..domain)? {
        [.., "s3"] => labels.insert(domain, region),
        [.., "s3", _] | [.., "s3", "dualstack", _] => *labels.get_mut(domain - 1)? = region,
        _ => return None,
    }
    let mut url = url.clone();
    url.set_host(Some(&labels.join("."))).ok()?;
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect(method: Method, status: u16, from: &str, header: (&'static str, &str)) -> Option<Redirect> {
        let headers = [(HeaderName::from_static(header.0), header.1.parse().unwrap())].into_iter().collect();
        let status = StatusCode::from_u16(status).unwrap();
        Redirect::of(&method, &from.parse().unwrap(), status, &headers).unwrap()
    }

    #[test]
    fn methods_and_bodies_follow_the_fetch_standard() {
        for (status, method, next, keeps_body) in [
            (301, Method::GET, Method::GET, true),
            (301, Method::POST, Method::GET, false),
            (301, Method::PUT, Method::PUT, true),
            (302, Method::POST, Method::GET, false),
            (302, Method::HEAD, Method::HEAD, true),
            (303, Method::PUT, Method::GET, false),
            (303, Method::HEAD, Method::HEAD, true),
            (307, Method::POST, Method::POST, true),
            (308, Method::PUT, Method::PUT, true),
        ] {
            let found = redirect(method.clone(), status, "https://h/a?b#c", ("location", "/x?y")).unwrap();
            assert_eq!((found.method, found.keeps_body), (next, keeps_body), "{status} {method}");
            assert_eq!(found.url.as_str(), "https://h/x?y#c");
        }
        for status in [200, 300, 304, 305, 403] {
            assert_eq!(redirect(Method::GET, status, "https://h/", ("location", "/x")), None, "{status}");
        }
    }

    #[test]
    fn s3_says_the_region_of_a_bucket() {
        for (from, to) in [
            ("https://b.s3.amazonaws.com/k", "https://b.s3.eu-west-1.amazonaws.com/k"),
            ("https://s3.us-east-1.amazonaws.com/b/k", "https://s3.eu-west-1.amazonaws.com/b/k"),
            (
                "https://b.s3.dualstack.us-east-1.amazonaws.com/k",
                "https://b.s3.dualstack.eu-west-1.amazonaws.com/k",
            ),
            ("https://amazonaws.s3.amazonaws.com/k", "https://amazonaws.s3.eu-west-1.amazonaws.com/k"),
            ("https://b.s3.cn-north-1.amazonaws.com.cn/k", "https://b.s3.eu-west-1.amazonaws.com.cn/k"),
            ("http://127.0.0.1:9000/b/k", "http://127.0.0.1:9000/b/k"),
        ] {
            let found = redirect(Method::PUT, 301, from, ("x-amz-bucket-region", "eu-west-1")).unwrap();
            assert_eq!((found.url.as_str(), found.region.as_deref()), (to, Some("eu-west-1")));
        }
        let both: HeaderMap = [
            (HeaderName::from_static("x-amz-bucket-region"), "eu-west-1".parse().unwrap()),
            (LOCATION, "https://other/".parse().unwrap()),
        ]
        .into_iter()
        .collect();
        let from = "https://b.s3.amazonaws.com/k".parse().unwrap();
        let found =
            Redirect::of(&Method::PUT, &from, StatusCode::TEMPORARY_REDIRECT, &both).unwrap().unwrap();
        assert_eq!((found.url.as_str(), found.region.as_deref()), ("https://other/", Some("eu-west-1")));
        let other = "https://abc.execute-api.us-east-1.amazonaws.com/";
        assert_eq!(redirect(Method::GET, 301, other, ("x-amz-bucket-region", "eu-west-1")), None);
    }

    #[test]
    fn nothing_of_the_old_origin_or_body_goes_along() {
        let header = |name: &'static str| (HeaderName::from_static(name), "v".parse().unwrap());
        let all = ["authorization", "content-type", "cookie", "host", "x-amz-meta-a"];
        let of_chunks =
            ["content-encoding", "content-length", "x-amz-decoded-content-length", "x-amz-trailer"];
        let pruned = |to: &str, status| {
            let from: Url = "https://h/".parse().unwrap();
            let mut headers: HeaderMap = all.into_iter().map(header).collect();
            if status == 303 {
                headers.extend(of_chunks.map(header));
            }
            redirect(Method::POST, status, "https://h/", ("location", to))
                .unwrap()
                .prune(&from, &mut headers);
            let mut kept: Vec<_> = headers.keys().map(|name| name.as_str().to_owned()).collect();
            kept.sort();
            kept
        };
        assert_eq!(pruned("/x", 307), ["authorization", "content-type", "cookie", "x-amz-meta-a"]);
        assert_eq!(pruned("/x", 303), ["authorization", "cookie", "x-amz-meta-a"]);
        assert_eq!(pruned("https://other/", 307), ["content-type", "x-amz-meta-a"]);
        assert_eq!(pruned("https://h:444/", 307), ["content-type", "x-amz-meta-a"]);
    }
}
