//! [`RedirectPolicy`]: which redirects are followed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;

use crate::endpoint::{Endpoint, is_loopback};
use crate::error::{BuildError, BuildErrorKind, Error, ErrorKind};
use crate::signing::origin::Origin;

/// How many redirects are followed for one request by default.
const LIMIT: usize = 5;

/// Which redirects a [`SigV4Middleware`](crate::SigV4Middleware) follows; none by default.
///
/// The server that sends a redirect chooses the next request, and the signer signs it. A server that may redirect to any
/// host could make the client call any AWS API with the caller's credentials. So only redirects that the policy covers are
/// followed:
///
/// | policy | redirects that are followed |
/// |---|---|
/// | [`none`](Self::none) | none: the caller gets the 3xx response |
/// | [`same_origin`](Self::same_origin) | to the same scheme, host and port |
/// | [`same_service`](Self::same_service) | also to AWS hosts of the same service and partition, as S3 does between regions |
/// | [`.allow_origin(…)`](Self::allow_origin) | also to this origin |
///
/// No policy covers a redirect from https to http, or from another host to loopback. The signer has to
/// [allow](crate::SignerBuilder::allow_host) the origin as well.
///
/// ```
/// use sigv4_middleware::{Credentials, RedirectPolicy, SigV4Middleware, Signer};
///
/// # let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "static");
/// let signer = Signer::builder()
///     .credentials(credentials)
///     .service("execute-api")
///     .region("eu-west-1")
///     .allow_host("*.example.com")
///     .build()?;
/// let middleware = SigV4Middleware::new(signer)
///     .redirects(RedirectPolicy::same_origin().allow_origin("https://archive.example.com")?);
/// # Ok::<(), sigv4_middleware::BuildError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct RedirectPolicy {
    rule: Rule,
    /// Origins that are covered whatever the rule.
    named: Vec<Url>,
    limit: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Rule {
    #[default]
    None,
    SameOrigin,
    SameService,
}

impl RedirectPolicy {
    /// Follows no redirect: the caller gets the 3xx response. The default.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Follows redirects to the same origin: the same scheme, host and port.
    #[must_use]
    pub fn same_origin() -> Self {
        Self { rule: Rule::SameOrigin, ..Self::default() }
    }

    /// Follows redirects to the same origin, and from one AWS host to another of the same service and partition, such as
    /// S3's to the region of a bucket.
    ///
    /// Service and partition are those that an [`Endpoint`](crate::Endpoint) infers from both hosts, whatever the signer
    /// is configured with. From a custom domain, for which none can be inferred, only redirects to the same origin are
    /// followed.
    ///
    /// For services whose responses AWS writes, such as S3. The hosts of API Gateway, Lambda and other services run code of
    /// AWS's customers: with this policy, the owner of one API could choose requests to another API of the same service.
    /// Use [`same_origin`](Self::same_origin) there.
    #[must_use]
    pub fn same_service() -> Self {
        Self { rule: Rule::SameService, ..Self::default() }
    }

    /// Also follows redirects to this origin, such as `https://archive.example.com` or `http://minio:9000`, from any host
    /// that the policy covers. The signer has to allow the origin as well.
    ///
    /// ```
    /// use sigv4_middleware::RedirectPolicy;
    ///
    /// let policy = RedirectPolicy::same_service().allow_origin("https://archive.example.com")?;
    /// assert!(policy.allow_origin("archive.example.com").is_err());
    /// # Ok::<(), sigv4_middleware::BuildError>(())
    /// ```
    ///
    /// # Errors
    /// [`BuildErrorKind::InvalidOrigin`] for anything that is not a scheme, a host and optionally a port.
    pub fn allow_origin(mut self, origin: &str) -> Result<Self, BuildError> {
        self.named.push(parse_origin(origin)?);
        Ok(self)
    }

    /// Sets how many redirects are followed for one request; 5 by default. One more is an error of kind
    /// [`ErrorKind::Redirected`].
    ///
    /// ```
    /// use sigv4_middleware::RedirectPolicy;
    ///
    /// let policy = RedirectPolicy::same_origin().limit(2);
    /// ```
    #[must_use]
    pub fn limit(self, limit: usize) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// Whether any redirect is followed at all.
    pub(crate) fn follows(&self) -> bool {
        self.rule != Rule::None || !self.named.is_empty()
    }

    pub(crate) fn max(&self) -> usize {
        self.limit.unwrap_or(LIMIT)
    }

    /// Ensures that a redirect may be followed.
    ///
    /// # Errors
    /// [`ErrorKind::OriginNotAllowed`], [`ErrorKind::InsecureOrigin`] from https to http, [`ErrorKind::InvalidUri`] for
    /// a URL that no request can be signed for. The message says what to do.
    pub(crate) fn ensure_covered(&self, from: &Url, to: &Url) -> Result<(), Error> {
        // Refuses userinfo, which must not appear in the messages below.
        Origin::new(Some(to.scheme()), Some(to.authority()))?;
        let (here, there) = (from.origin().ascii_serialization(), to.origin().ascii_serialization());
        if from.scheme() == "https" && to.scheme() == "http" {
            return Err(Error::new(
                ErrorKind::InsecureOrigin,
                format!(
                    "{here} redirects to plain http, {there}, where everyone on the network path can read and change \
                     requests; have it redirect to https, or send the request to {there} directly if that is intended"
                ),
            ));
        }
        let same_origin = from.origin() == to.origin();
        if !same_origin && reaches_this_machine(to) && !(is_on_loopback(from) || same_host(from, to)) {
            return Err(Error::new(
                ErrorKind::OriginNotAllowed,
                format!(
                    "{here} redirects to this machine, {there}, and no policy lets another host choose requests to \
                     loopback; send the request to {there} directly if that is intended"
                ),
            ));
        }
        let same_service = !same_origin && same_service(from, to);
        let covered = match self.rule {
            Rule::None => false,
            Rule::SameOrigin => same_origin,
            Rule::SameService => same_origin || same_service,
        };
        if covered || self.named.iter().any(|named| named.origin() == to.origin()) {
            return Ok(());
        }
        let or = if same_service { ", or use RedirectPolicy::same_service()," } else { "" };
        Err(Error::new(
            ErrorKind::OriginNotAllowed,
            format!(
                "{here} redirects to {there}, which the redirect policy does not cover, and so would choose a request \
                 that is signed with your credentials: add .allow_origin(\"{there}\")?{or} to the redirect policy if you \
                 trust {here} with that; the signer has to allow requests to {there} too"
            ),
        ))
    }
}

fn parse_origin(text: &str) -> Result<Url, BuildError> {
    let refused = |why: &str| {
        BuildError::new(
            BuildErrorKind::InvalidOrigin,
            format!(
                "{text:?} is not an origin that redirects can lead to ({why}): name scheme, host and port, and nothing \
                 else, as in .allow_origin(\"https://archive.example.com\")"
            ),
        )
    };
    let url = Url::parse(text).map_err(|_| refused("it is not a URL"))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(refused("it must begin with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let why = "the origin of a redirect has userinfo (user:password@): name scheme, host and port only";
        return Err(BuildError::new(BuildErrorKind::InvalidOrigin, why));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(refused("it has a path, a query or a fragment"));
    }
    Ok(url)
}

/// Whether both hosts are AWS's, of the same service and partition.
fn same_service(from: &Url, to: &Url) -> bool {
    let endpoint = |url: &Url| Endpoint::infer_with_path(url.host_str()?, url.path()).ok();
    let (Some(from), Some(to)) = (endpoint(from), endpoint(to)) else { return false };
    from.partition().is_some() && from.partition() == to.partition() && from.service() == to.service()
}

fn same_host(from: &Url, to: &Url) -> bool {
    from.host_str() == to.host_str()
}

fn is_on_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(is_loopback)
}

/// Whether a host may be this machine: loopback in any spelling that a URL can have, and names that resolvers may look
/// up there.
fn reaches_this_machine(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let name = host.strip_suffix('.').unwrap_or(host);
        let label = name.rsplit('.').next().unwrap_or(name);
        label.eq_ignore_ascii_case("localhost") || is_address_of_this_machine(host)
    })
}

/// Whether a host, as it stands in a URL, is an address in 127.0.0.0/8, `[::1]`, one of these mapped to IPv6, or the
/// unspecified address, which connects to this machine as well.
pub(in crate::client) fn is_address_of_this_machine(host: &str) -> bool {
    let address: Option<IpAddr> = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(v6) => v6.parse::<Ipv6Addr>().map(IpAddr::V6).ok(),
        None => host.strip_suffix('.').unwrap_or(host).parse::<Ipv4Addr>().map(IpAddr::V4).ok(),
    };
    let address = address.map(|address| address.to_canonical());
    address.is_some_and(|address| address.is_loopback() || address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn kind(policy: &RedirectPolicy, from: &str, to: &str) -> Option<ErrorKind> {
        policy.ensure_covered(&url(from), &url(to)).err().map(|error| error.kind())
    }

    #[test]
    fn none_is_the_default() {
        assert!(!RedirectPolicy::default().follows() && !RedirectPolicy::none().limit(9).follows());
        let named = RedirectPolicy::none().allow_origin("https://a.example").unwrap();
        assert!(named.follows(), "to the named origin");
        assert_eq!(kind(&named, "https://b.example/x", "https://a.example/y"), None);
        let same = kind(&named, "https://b.example/x", "https://b.example/y");
        assert_eq!(same, Some(ErrorKind::OriginNotAllowed));
        assert_eq!((RedirectPolicy::same_origin().max(), named.limit(0).max()), (5, 0));
    }

    #[test]
    fn origins_are_compared_as_urls_are() {
        let policy = RedirectPolicy::none()
            .allow_origin("HTTPS://Straße.Example:443/")
            .unwrap()
            .allow_origin("http://minio:9000")
            .unwrap();
        for to in ["https://xn--strae-oqa.example/a?b", "https://STRASSE.example/", "http://minio:9000/a"] {
            let expected = to.contains("STRASSE").then_some(ErrorKind::OriginNotAllowed);
            assert_eq!(kind(&policy, "http://from.example/", to), expected, "{to}");
        }
        for to in ["http://minio/", "http://minio:9001/", "http://xn--strae-oqa.example:443/"] {
            assert_eq!(kind(&policy, "http://a/", to), Some(ErrorKind::OriginNotAllowed), "{to}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused_at_once() {
        for text in [
            "",
            "a.example",
            "//a.example",
            "ftp://a.example",
            "https://",
            "https://a.example/path",
            "https://a.example?query",
            "https://a.example#fragment",
            "https://*.example/x",
        ] {
            let error = RedirectPolicy::none().allow_origin(text).unwrap_err();
            assert_eq!(error.kind(), BuildErrorKind::InvalidOrigin, "{text}");
            assert!(error.to_string().contains(".allow_origin(\"https://archive.example.com\")"), "{error}");
        }
        let error = RedirectPolicy::none().allow_origin("https://user:hunter2@a.example").unwrap_err();
        assert!(error.to_string().contains("userinfo") && !format!("{error:?}").contains("hunter2"));
    }

    #[test]
    fn a_service_is_the_same_by_inference_on_both_hosts() {
        let policy = RedirectPolicy::same_service();
        let s3 = "https://bucket.s3.amazonaws.com/key";
        for (from, to, same) in [
            (s3, "https://bucket.s3.eu-west-1.amazonaws.com/key", true),
            (s3, "https://other.s3.dualstack.us-west-2.amazonaws.com/key", true),
            (s3, "https://bucket.s3.cn-north-1.amazonaws.com.cn/key", false),
            (s3, "https://sqs.us-east-1.amazonaws.com/key", false),
            (s3, "https://iam.amazonaws.com/?Action=CreateUser", false),
            (s3, "https://abc.r2.cloudflarestorage.com/key", false),
            (s3, "https://api.example.com/key", false),
            (s3, "https://bucket.s3-website-us-east-1.amazonaws.com/key", false),
            (s3, "https://bucket.s3.amazonaws.com.evil.example/key", false),
            ("https://api.example.com/", "https://bucket.s3.eu-west-1.amazonaws.com/", false),
            ("https://a.r2.cloudflarestorage.com/", "https://b.r2.cloudflarestorage.com/", false),
            ("https://x-ats.iot.eu-west-1.amazonaws.com/a", "https://y.iot.eu-west-1.amazonaws.com/b", true),
            (
                "https://x-ats.iot.eu-west-1.amazonaws.com/a",
                "https://y.iot.eu-west-1.amazonaws.com/mqtt",
                false,
            ),
        ] {
            let error = (!same).then_some(ErrorKind::OriginNotAllowed);
            assert_eq!(kind(&policy, from, to), error, "{from} -> {to}");
            let stricter = RedirectPolicy::same_origin();
            let error = stricter.ensure_covered(&url(from), &url(to)).unwrap_err();
            assert_eq!(error.to_string().contains("RedirectPolicy::same_service()"), same, "{error}");
        }
    }

    /// Whatever is named.
    #[test]
    fn nothing_leads_to_loopback_or_out_of_https() {
        let targets = [
            "http://127.0.0.1:9000",
            "http://0x7f.1:9000",
            "http://2130706433:9000",
            "http://017700000001:9000",
            "http://127.8.9.1:9000",
            "http://localhost:9000",
            "http://LOCALHOST.:9000",
            "http://minio.localhost:9000",
            "http://[::1]:9000",
            "http://[::ffff:127.0.0.1]:9000",
            "http://[0:0:0:0:0:ffff:7f00:1]:9000",
            "http://0.0.0.0:9000",
            "http://0:9000",
            "http://[::]:9000",
        ];
        for to in targets {
            let secure = to.replacen("http", "https", 1);
            let policy = RedirectPolicy::same_service();
            let policy = policy.allow_origin(to).unwrap().allow_origin(&secure).unwrap();
            for from in ["http://api.example.com/", "http://minio.localhost.example/"] {
                for to in [to, &secure] {
                    assert_eq!(kind(&policy, from, to), Some(ErrorKind::OriginNotAllowed), "{from} -> {to}");
                }
            }
            assert_eq!(
                kind(&policy, "https://api.example.com/", to),
                Some(ErrorKind::InsecureOrigin),
                "{to}"
            );
            let from = "https://api.example.com/";
            assert_eq!(kind(&policy, from, &secure), Some(ErrorKind::OriginNotAllowed), "{secure}");
            // From loopback it is another port, to be named.
            assert_eq!(kind(&policy, "http://127.0.0.1:8000/", to), None, "{to}");
            let unnamed = RedirectPolicy::same_service();
            let error = unnamed.ensure_covered(&url("http://127.0.0.1:8000/"), &url(to)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::OriginNotAllowed, "{to}");
            assert!(error.to_string().contains(".allow_origin(\"http://"), "{error}");
        }
        let named = RedirectPolicy::none().allow_origin("http://b.example").unwrap();
        assert_eq!(kind(&named, "http://a.example/", "http://b.example/"), None);
        assert_eq!(kind(&named, "https://a.example/", "http://b.example/"), Some(ErrorKind::InsecureOrigin));
        let same = RedirectPolicy::same_origin();
        assert_eq!(kind(&same, "https://a.example/", "http://a.example/"), Some(ErrorKind::InsecureOrigin));
        assert_eq!(kind(&same, "http://a.example/", "https://a.example/"), Some(ErrorKind::OriginNotAllowed));
        assert_eq!(kind(&same, "http://localhost:1/", "http://localhost:1/a"), None);
    }

    #[test]
    fn userinfo_is_in_no_message() {
        let policy = RedirectPolicy::same_service();
        for to in ["https://user:hunter2@a.example/", "http://user:hunter2@127.0.0.1/", "ftp://hunter2@a/"] {
            let error = policy.ensure_covered(&url("https://a.example/"), &url(to)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidUri, "{to}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }
}
