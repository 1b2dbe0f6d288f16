//! What stands in front of a service and answers in its place: proxies, content delivery networks, firewalls.

use http::StatusCode;

use super::Verdict;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::facts::Facts;
use crate::diagnosis::parse::Form;

/// Words on the pages of proxies and filters that companies have, in lower case.
const PROXIES: [&str; 26] = [
    "squid",
    "zscaler",
    "blue coat",
    "bluecoat",
    "proxysg",
    "mcafee web gateway",
    "skyhigh secure web gateway",
    "forcepoint",
    "websense",
    "fortiguard",
    "fortinet",
    "fortigate",
    "web page blocked",
    "palo alto networks",
    "globalprotect",
    "cisco umbrella",
    "ironport",
    "cisco secure web",
    "netskope",
    "sophos",
    "check point",
    "usercheck",
    "barracuda",
    "trend micro",
    "proxy authentication required",
    "captive portal",
];

/// `Server` headers of further networks and gateways in front of others' hosts, in lower case.
const CDN_SERVERS: [(&str, &str); 8] = [
    ("bunnycdn", "bunny.net"),
    ("cdn77", "CDN77"),
    ("ecacc", "Edgio"),
    ("edgeone", "EdgeOne"),
    ("google frontend", "Google"),
    ("keycdn", "KeyCDN"),
    ("microsoft-azure-application-gateway", "Azure Application Gateway"),
    ("netdna", "StackPath"),
];

/// Headers that only such a proxy sets.
const PROXY_HEADERS: [&str; 5] =
    ["x-squid-error", "proxy-authenticate", "x-bluecoat-via", "x-zscaler-error", "x-netskope-error"];

/// Servers behind which an application of one's own is likelier than a proxy's page.
const APPLICATION_SERVERS: [&str; 17] = [
    "apache",
    "awselb",
    "caddy",
    "gunicorn",
    "hypercorn",
    "iis",
    "jetty",
    "kestrel",
    "lighttpd",
    "litespeed",
    "nginx",
    "node",
    "openresty",
    "tomcat",
    "uvicorn",
    "waitress",
    "werkzeug",
];

pub(super) fn proxy_or_cdn(facts: &Facts<'_>) -> Option<Verdict> {
    if facts.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED
        || facts.status == StatusCode::NETWORK_AUTHENTICATION_REQUIRED
    {
        let why = format!("the status is {}", facts.status);
        return Some(Verdict::from(Cause::ProxyDenied).because(why).advice(
            "log in at the proxy, or give its user and password in HTTPS_PROXY; or put the host on NO_PROXY",
        ));
    }
    // A service's own error document comes through them unchanged.
    if facts.is_aws() {
        return None;
    }
    let (server, text) = (facts.server(), facts.body.text.to_lowercase());
    if facts.has("x-amzn-waf-action") || text.contains("due to waf block") {
        return Some(Verdict::from(Cause::WafBlocked).because("the response names the web ACL"));
    }
    if text.contains("rbac: access denied") || (server.contains("envoy") && text.is_empty()) {
        let why = "the response is an Envoy proxy's, as of a service mesh";
        return denied(facts).then(|| Verdict::of(&[Cause::ProxyDenied, Cause::Application403]).because(why));
    }
    let page = facts.body.form == Form::Html;
    let header = PROXY_HEADERS.iter().find(|name| facts.has(name));
    let named = PROXIES.iter().find(|name| server.contains(**name) || (page && text.contains(**name)));
    let via_proxy = facts.header("via").is_some_and(|via| {
        let via = via.to_ascii_lowercase();
        page && ["squid", "zscaler", "bluecoat", "proxysg", "mwg", "ironport", "umbrella"]
            .iter()
            .any(|name| via.contains(name))
    });
    if facts.status.is_redirection() {
        return header.or(named.filter(|_| page)).map(|name| {
            Verdict::from(Cause::ProxyDenied)
                .because(format!("a redirect with the words {name:?} of a proxy"))
        });
    }
    if let Some(name) = header.or(named) {
        return Some(
            Verdict::from(Cause::ProxyDenied)
                .because(format!("the response has the mark {name:?} of a proxy")),
        );
    }
    if via_proxy {
        return Some(
            Verdict::from(Cause::ProxyDenied).because("the response came from the proxy that Via names"),
        );
    }
    third_party_cdn(facts, &server, &text, page).or_else(|| firewall(facts, &server, &text, page))
}

fn denied(facts: &Facts<'_>) -> bool {
    [StatusCode::FORBIDDEN, StatusCode::UNAUTHORIZED].contains(&facts.status)
}

fn third_party_cdn(facts: &Facts<'_>, server: &str, text: &str, page: bool) -> Option<Verdict> {
    let cloudflare = server == "cloudflare" || facts.has("cf-ray");
    let says = |words: &[&str]| words.iter().any(|words| text.contains(words));
    let name = if server.contains("akamai") || (page && says(&["edgesuite.net", "akamai"])) {
        "Akamai"
    } else if cloudflare && (page || facts.has("cf-mitigated") || text.starts_with("error code: 1")) {
        "Cloudflare"
    } else if page && (facts.has("x-iinfo") || says(&["incapsula", "imperva"])) {
        "Imperva"
    } else if page && (server.contains("sucuri") || facts.has("x-sucuri-id")) {
        "Sucuri"
    } else if facts.has("x-azure-ref") && page {
        "Azure Front Door"
    } else if page && (facts.has("x-served-by") || server == "varnish") && says(&["fastly", "varnish"]) {
        "Fastly"
    } else if page && says(&["ddos-guard"]) {
        "DDoS-Guard"
    } else {
        let (_, name) = CDN_SERVERS.iter().find(|(mark, _)| page && server.contains(mark))?;
        name
    };
    facts.status.is_client_error().then(|| {
        Verdict::from(Cause::ThirdPartyCdnBlocked)
            .because(format!("the response is a page of {name}, not of the service"))
    })
}

/// AWS's load balancers, and pages of HTML where a service would write XML or JSON.
fn firewall(facts: &Facts<'_>, server: &str, text: &str, page: bool) -> Option<Verdict> {
    if !page {
        return None;
    }
    let forbidden = facts.status == StatusCode::FORBIDDEN;
    if server.starts_with("awselb/") && forbidden {
        let why = "an Application Load Balancer responds with a page of its own where a web ACL blocks";
        return Some(Verdict::from(Cause::WafBlocked).because(why));
    }
    let cloudfront = facts.server() == "cloudfront" || text.contains("generated by cloudfront");
    if cloudfront || !denied(facts) || facts.has_aws_id() || facts.code.is_some() {
        return None;
    }
    let application = if forbidden { Cause::Application403 } else { Cause::Application401 };
    let own_server = APPLICATION_SERVERS.iter().any(|name| server.contains(name))
        || facts.has("x-powered-by")
        || facts.has("set-cookie")
        || facts.has("www-authenticate");
    let why =
        "the response is a page of HTML without a request id of AWS, and services respond in XML or JSON";
    let aws_host =
        facts.host().is_some_and(|host| host.contains(".amazonaws.com") || host.ends_with(".api.aws"));
    let causes: &[Cause] = match (aws_host, own_server) {
        (true, _) => &[Cause::ProxyDenied],
        // A proxy that wants a password says 407.
        (false, true) if !forbidden => &[application],
        (false, true) => &[application, Cause::ProxyDenied],
        (false, false) => &[Cause::ProxyDenied, application],
    };
    Some(Verdict::of(causes).because(why))
}

/// CloudFront's own refusals: of its signed URLs, by country, by its web ACL.
pub(super) fn cloudfront(facts: &Facts<'_>) -> Option<Verdict> {
    let text = facts.body.text.to_lowercase();
    if text.contains("block access from your country") {
        return Some(
            Verdict::from(Cause::CdnGeoBlocked).because("the response names the distribution's country rule"),
        );
    }
    let by_cloudfront = facts.server() == "cloudfront" || text.contains("generated by cloudfront");
    let names_request = facts.body.field("RequestId").is_some();
    let of_signed_url = facts.code_is(&["InvalidKey", "MalformedPolicy", "MissingKey", "InvalidSignature"])
        || facts.says("missing key-pair-id")
        || facts.says("missing key pair id")
        || facts.says("unknown key");
    if facts.is_error_document() && !names_request && (by_cloudfront || facts.has("x-amz-cf-id")) {
        let denied = by_cloudfront && facts.code_is(&["AccessDenied"]);
        if of_signed_url || denied {
            let why = "CloudFront writes this error itself: it has no RequestId of S3";
            return Some(Verdict::from(Cause::CloudfrontSignedUrlInvalid).because(why));
        }
    }
    if facts.says_any(&["missing key-pair-id", "missing key pair id"]) {
        return Some(
            Verdict::from(Cause::CloudfrontSignedUrlInvalid)
                .because("the signed URL or cookie has no Key-Pair-Id"),
        );
    }
    let blocked =
        ["request blocked", "request could not be satisfied"].iter().any(|words| text.contains(words));
    if !(by_cloudfront && blocked && facts.status == StatusCode::FORBIDDEN && facts.body.form == Form::Html) {
        return None;
    }
    if text.contains("not configured to allow the http request method") {
        let why = "the distribution does not allow this method";
        return Some(
            Verdict::from(Cause::WrongStageOrRoute)
                .because(why)
                .advice("allow the method in the distribution's cache behavior, or call the origin itself"),
        );
    }
    if text.contains("bad request") {
        let why = "CloudFront writes this page for a domain name that is not an alias of a distribution, and for a GET with a body";
        return Some(Verdict::of(&[Cause::WrongStageOrRoute, Cause::WafBlocked]).because(why));
    }
    if !text.contains("request blocked") {
        let why = "CloudFront gives this response, too, for a domain name that is no alias of a distribution";
        return Some(Verdict::of(&[Cause::WafBlocked, Cause::WrongStageOrRoute]).because(why));
    }
    Some(Verdict::from(Cause::WafBlocked).because("the response is CloudFront's page for a blocked request"))
}
