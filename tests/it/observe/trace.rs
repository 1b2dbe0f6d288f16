//! RUST_LOG alone shows what was signed.

use http::Request;
use tracing::Level;

use crate::support::*;

#[tokio::test]
async fn the_canonical_request_is_logged_at_trace_without_secrets() {
    let gateway = gateway("execute-api").await;
    let events = Events::capture();
    let signer = signer("execute-api");
    let request = || {
        Request::get(format!("{}/orders?a=1", gateway.url()))
            .header("cookie", SECRET)
            .header("x-amz-meta-a", "b")
            .body(in_memory(""))
            .unwrap()
    };
    for integration in INTEGRATIONS {
        integration.send(&signer, request()).await;
        let signed = events.take("signed a request");
        let [event] = signed.as_slice() else { panic!("{integration:?}: {signed:?}") };
        assert_eq!(event.level, Level::TRACE);
        let canonical = event.field("canonical_request").unwrap();
        assert!(canonical.starts_with("GET\n/orders\na=1\nhost:127.0.0.1"), "{canonical}");
        assert!(canonical.contains("\nx-amz-security-token:[redacted]\n"), "{canonical}");
        assert!(
            event.field("string_to_sign").unwrap().contains("/ap-northeast-1/execute-api/aws4_request\n")
        );
        assert_eq!(event.field("access_key_id"), Some(KEY));
        assert!(event.field("host").unwrap().starts_with("127.0.0.1:"));
        assert!(!format!("{event:?}").contains(TOKEN) && !format!("{event:?}").contains(SECRET));
    }
}
