//! Where a redirect leads, and what of the request goes along: the rules of the Fetch standard, and S3's regions.

mod headers;
mod policy;

use http::header::{HeaderMap, LOCATION};
use http::{Method, StatusCode};
use reqwest::Url;

pub use self::policy::RedirectPolicy;
pub(in crate::client) use self::policy::is_address_of_this_machine;
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind};

/// S3's header for the region of a bucket.
const BUCKET_REGION: &str = "x-amz-bucket-region";

/// What a request was signed for that is redirected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignedFor<'a> {
    pub(crate) service: &'a str,
    /// `None` for a region set.
    pub(crate) region: Option<&'a str>,
    /// Whether an earlier redirect of the request corrected the region.
    pub(crate) region_corrected: bool,
}

/// The next request of a chain.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Redirect {
    pub(crate) url: Url,
    pub(crate) method: Method,
    /// Whether the body is sent again.
    pub(crate) keeps_body: bool,
    /// The region of the bucket, from S3's response.
    pub(crate) region: Option<String>,
    /// Whether the URL is the server's. Otherwise it was made from the region, and the caller can have the response.
    pub(crate) has_location: bool,
}

impl Redirect {
    /// What a response asks for; `None` if it is not a redirect.
    ///
    /// # Errors
    /// [`ErrorKind::Redirected`] for a Location that is not a URL.
    pub(crate) fn of(
        method: &Method,
        url: &Url,
        status: StatusCode,
        headers: &HeaderMap,
        signed_for: SignedFor<'_>,
    ) -> Result<Option<Self>, Error> {
        let rewrites = match status {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => *method == Method::POST,
            StatusCode::SEE_OTHER => *method != Method::GET && *method != Method::HEAD,
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
            _ => return Ok(None),
        };
        let region = signed_for.bucket_region(url, headers);
        let Some(location) = headers.get(LOCATION) else {
            return Ok(Self::to_region(method, url, status, region, signed_for));
        };
        let mut next = std::str::from_utf8(location.as_bytes())
            .ok()
            .and_then(|location| url.join(location).ok())
            .ok_or_else(|| {
                let message =
                    "the server redirects to a Location that is not a URL; the server has to be corrected";
                Error::new(ErrorKind::Redirected, message)
            })?;
        if next.fragment().is_none() {
            next.set_fragment(url.fragment());
        }
        let method = if rewrites { Method::GET } else { method.clone() };
        let region = region.filter(|_| is_s3(&next, signed_for.service)).map(str::to_owned);
        Ok(Some(Self { url: next, method, keeps_body: !rewrites, region, has_location: true }))
    }

    /// S3 responds 301 without a Location to a request for a bucket of another region. It is followed once, and not to
    /// the region that the request was signed for already.
    fn to_region(
        method: &Method,
        url: &Url,
        status: StatusCode,
        region: Option<&str>,
        signed_for: SignedFor<'_>,
    ) -> Option<Self> {
        let keeps_method =
            [StatusCode::MOVED_PERMANENTLY, StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT];
        let region = region.filter(|region| signed_for.corrects(region) && keeps_method.contains(&status))?;
        let url = in_region(url, region)?;
        let region = Some(region.to_owned());
        Some(Self { url, method: method.clone(), keeps_body: true, region, has_location: false })
    }

    /// Removes the headers that do not go along.
    pub(crate) fn prune(&self, from: &Url, headers: &mut HeaderMap) {
        headers::prune(headers, self.keeps_body, from.origin() == self.url.origin());
    }
}

impl SignedFor<'_> {
    /// The region of the bucket, from S3's response. It is corrected at most once per request.
    fn bucket_region<'h>(&self, url: &Url, headers: &'h HeaderMap) -> Option<&'h str> {
        let is_region_name = |text: &&str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let region = headers.get(BUCKET_REGION)?.to_str().ok().filter(is_region_name)?;
        let counts = !self.region_corrected || self.region == Some(region);
        (counts && is_s3(url, self.service)).then_some(region)
    }

    /// Whether to sign for this region would correct what the request was signed for.
    pub(crate) fn corrects(&self, region: &str) -> bool {
        self.region != Some(region)
    }
}

/// Whether a response is S3's: its host is one of S3's, or no service can be inferred from it and requests to it are
/// signed for S3.
fn is_s3(url: &Url, signed_service: &str) -> bool {
    let endpoint = url.host_str().and_then(|host| Endpoint::infer(host).ok());
    endpoint.as_ref().map_or(signed_service, Endpoint::service) == "s3"
}

/// The same object at the regional endpoint of S3; at the same place for hosts that are not AWS's.
fn in_region(url: &Url, region: &str) -> Option<Url> {
    let host = url.host_str()?;
    if Endpoint::infer(host).is_err() {
        return Some(url.clone());
    }
    let mut labels: Vec<&str> = host.split('.').collect();
    let domain = labels.iter().rposition(|label| *label == "amazonaws")?;
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
    use http::HeaderName;

    use super::*;

    const S3_IN_VIRGINIA: SignedFor<'_> =
        SignedFor { service: "s3", region: Some("us-east-1"), region_corrected: false };

    fn redirect(method: Method, status: u16, from: &str, header: (&'static str, &str)) -> Option<Redirect> {
        redirect_of(S3_IN_VIRGINIA, method, status, from, &[header])
    }

    fn redirect_of(
        signed_for: SignedFor<'_>,
        method: Method,
        status: u16,
        from: &str,
        headers: &[(&'static str, &str)],
    ) -> Option<Redirect> {
        let header =
            |(name, value): &(&'static str, &str)| (HeaderName::from_static(name), value.parse().unwrap());
        let headers = headers.iter().map(header).collect();
        let status = StatusCode::from_u16(status).unwrap();
        Redirect::of(&method, &from.parse().unwrap(), status, &headers, signed_for).unwrap()
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
    fn s3_names_the_region_of_a_bucket() {
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
        let both = [("x-amz-bucket-region", "eu-west-1"), ("location", "https://other/")];
        let from = "https://b.s3.amazonaws.com/k";
        let found = redirect_of(S3_IN_VIRGINIA, Method::PUT, 307, from, &both).unwrap();
        assert_eq!((found.url.as_str(), found.region.as_deref()), ("https://other/", Some("eu-west-1")));
    }

    #[test]
    fn only_s3_names_the_region_of_a_bucket() {
        let region = ("x-amz-bucket-region", "eu-west-1");
        let sqs = SignedFor { service: "sqs", ..S3_IN_VIRGINIA };
        let api = "https://abc.execute-api.us-east-1.amazonaws.com/";
        // Inferred from the host; if that is not possible, by the service that was signed for.
        for (signed_for, from, counts) in [
            (S3_IN_VIRGINIA, api, false),
            (S3_IN_VIRGINIA, "https://sqs.us-east-1.amazonaws.com/", false),
            (S3_IN_VIRGINIA, "https://minio.example.com/b/k", true),
            (S3_IN_VIRGINIA, "http://127.0.0.1:9000/b/k", true),
            (sqs, "https://minio.example.com/b/k", false),
            (sqs, "http://127.0.0.1:9000/b/k", false),
            (sqs, "https://b.s3.amazonaws.com/k", true),
        ] {
            let alone = redirect_of(signed_for, Method::GET, 301, from, &[region]);
            assert_eq!(alone.is_some(), counts, "{from}");
            let headers = [region, ("location", "/next")];
            let found = redirect_of(signed_for, Method::GET, 307, from, &headers).unwrap();
            assert_eq!(found.region.is_some(), counts, "{from}");
        }
        // It does not apply to a host of another service.
        for to in [api, "https://iam.amazonaws.com/"] {
            let headers = [region, ("location", to)];
            let found =
                redirect_of(S3_IN_VIRGINIA, Method::GET, 307, "https://b.s3.amazonaws.com/k", &headers);
            assert_eq!(found.unwrap().region, None, "{to}");
        }
        for value in ["", "eu west 1", "eu-west-1.evil.example", "evil.example:1/", "eu-west-1/../a"] {
            let header = ("x-amz-bucket-region", value);
            assert_eq!(redirect(Method::GET, 301, "https://b.s3.amazonaws.com/k", header), None, "{value}");
        }
    }

    #[test]
    fn a_region_is_corrected_once_and_never_to_itself() {
        let region = ("x-amz-bucket-region", "eu-west-1");
        let in_ireland = SignedFor { region: Some("eu-west-1"), ..S3_IN_VIRGINIA };
        let once = SignedFor { region_corrected: true, ..S3_IN_VIRGINIA };
        let set = SignedFor { region: None, ..S3_IN_VIRGINIA };
        for (signed_for, followed) in
            [(S3_IN_VIRGINIA, true), (in_ireland, false), (once, false), (set, true)]
        {
            for from in ["https://b.s3.amazonaws.com/k", "http://127.0.0.1:9000/b/k"] {
                let found = redirect_of(signed_for, Method::PUT, 301, from, &[region]);
                assert_eq!(found.is_some(), followed, "{signed_for:?} {from}");
            }
        }
        // With a Location it is followed as any other, for the region that is known.
        let headers = [region, ("location", "/next")];
        let of =
            |signed_for| redirect_of(signed_for, Method::PUT, 307, "http://127.0.0.1/b", &headers).unwrap();
        assert_eq!(of(in_ireland).region.as_deref(), Some("eu-west-1"));
        assert_eq!(of(once).region, None);
        // Where the method would change, nothing but a Location is followed.
        for status in [302, 303] {
            assert_eq!(redirect(Method::GET, status, "http://127.0.0.1/b", region), None, "{status}");
        }
    }
}
