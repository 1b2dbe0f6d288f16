//! Any text as a host: only AWS's domains are recognized as AWS's.
#![no_main]

use std::cell::LazyCell;
use std::time::{Duration, UNIX_EPOCH};

use arbitrary::{Arbitrary, Unstructured};
use aws_credential_types::Credentials;
use http::Uri;
use libfuzzer_sys::{Corpus, fuzz_target};
use sigv4_middleware::{Endpoint, Signer, SignerBuilder};
use sigv4_middleware_fuzz::hosts::{is_below_aws, is_loopback};
use sigv4_middleware_fuzz::{FixedClock, run, text};

fuzz_target!(|data: &[u8]| -> Corpus {
    let mut u = Unstructured::new(data);
    let Ok((host, path, pattern)) = input(&mut u) else { return Corpus::Reject };
    let inferred = Endpoint::infer(&host);
    let _ = Endpoint::infer_with_path(&host, &path);
    if let Ok(endpoint) = &inferred {
        let below = is_below_aws(&host);
        assert!(below, "{host:?} was recognized as {endpoint:?}");
        let plain = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte))
        };
        assert!(plain(endpoint.service()), "{endpoint:?}");
        assert!(endpoint.region().is_none_or(plain), "{endpoint:?}");
        assert!(endpoint.region().is_none() || endpoint.region_set().is_none());
        assert_eq!(Endpoint::infer(&host.to_ascii_uppercase()).as_ref().ok(), Some(endpoint));
        if !host.ends_with('.') {
            assert_eq!(Endpoint::infer(&format!("{host}.")).as_ref().ok(), Some(endpoint));
        }
    }
    goes_nowhere_else(&host, inferred.is_ok());
    let _ = signer().allow_host(pattern.clone()).build();
    let _ = signer().allow_origin(pattern).build();
    Corpus::Keep
});

fn input(u: &mut Unstructured<'_>) -> arbitrary::Result<(String, String, String)> {
    let host = if bool::arbitrary(u)? { text::host(u)? } else { text::hosts(u)? };
    Ok((host, text::target(u)?, text::authority(u)?))
}

/// A signer without allowed hosts signs for loopback, and over https for hosts of AWS that an endpoint is inferred
/// from, and for nothing else, whatever service and region are configured.
fn goes_nowhere_else(host: &str, is_inferred: bool) {
    thread_local! {
        static SIGNER: LazyCell<Signer> = LazyCell::new(|| {
            signer().service("s3").region("us-east-1").scope_overrides_host(true).build().expect("a signer")
        });
    }
    for scheme in ["https", "http"] {
        let Ok(uri) = Uri::builder().scheme(scheme).authority(host).path_and_query("/").build() else {
            continue;
        };
        let Some(named) = uri.host().map(str::to_owned) else { continue };
        let mut parts = http::Request::get(uri).body(()).expect("a request").into_parts().0;
        let signed = SIGNER.with(|signer| run(signer.sign(&mut parts, ""))).is_ok();
        let aws = Endpoint::infer(&named).is_ok_and(|endpoint| endpoint.partition().is_some());
        assert!(!signed || is_loopback(&named) || (aws && scheme == "https"), "{scheme}://{host}");
        let r2 = named.trim_end_matches('.').to_ascii_lowercase().ends_with("r2.cloudflarestorage.com");
        let expected = is_inferred && named == host && scheme == "https" && !r2;
        assert!(!expected || signed, "{host} has a scope and may not be signed for");
    }
}

fn signer() -> SignerBuilder {
    Signer::builder()
        .credentials(Credentials::new("AKIDEXAMPLE", "secret", None, None, "fuzz"))
        .time_source(FixedClock(UNIX_EPOCH + Duration::from_secs(1_440_938_160)))
}
