//! Unsigned payloads go over https only. What is beneath the integrations here responds by itself, so that no TLS is
//! needed.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_smithy_async::test_util::ManualTimeSource;
use bytes::Bytes;
use futures_util::stream;
use http::{Extensions, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use reqwest::ResponseBuilderExt;
use reqwest_middleware::{ClientBuilder, Middleware, Next};
use sigv4_middleware::{PayloadMode, SigV4Middleware, Signer};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::*;

type Upload = StreamBody<stream::Iter<std::array::IntoIter<Result<Frame<Bytes>, io::Error>, 2>>>;

const URL: &str = "https://bucket.s3.ap-northeast-1.amazonaws.com/key";
const REFUSAL: &str = "<Error><Code>RequestTimeTooSkewed</Code></Error>";

fn refusal() -> http::response::Builder {
    Response::builder().status(403).header("date", "Sun, 30 Aug 2015 13:36:00 GMT")
}

fn signer_of_unsigned() -> Signer {
    let clock = ManualTimeSource::new(noon());
    let builder = signer_at(role_of("AKID"), &clock).service("s3");
    builder.payload_mode(PayloadMode::Unsigned).build().unwrap()
}

fn upload() -> Upload {
    let frames = ["first ", "second"].map(|part| Ok(Frame::data(Bytes::from(part))));
    StreamBody::new(stream::iter(frames))
}

#[tokio::test]
async fn an_unsigned_stream_is_sent_once_through_the_layer() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    let beneath = service_fn(move |request: Request<Outgoing<Upload>>| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            assert_eq!(request.headers()["x-amz-content-sha256"], "UNSIGNED-PAYLOAD");
            let body = request.into_body().collect().await.unwrap();
            assert_eq!(body.to_bytes(), "first second");
            Ok::<_, Infallible>(refusal().body(in_memory(REFUSAL)).unwrap())
        }
    });
    let client = wrapping(&signer_of_unsigned()).layer(beneath);
    let response = client.oneshot(Request::put(URL).body(upload()).unwrap()).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), REFUSAL);
    assert_eq!(tries.load(Ordering::SeqCst), 1);
}

struct Beneath(Arc<AtomicUsize>);

#[async_trait::async_trait]
impl Middleware for Beneath {
    async fn handle(
        &self,
        mut request: reqwest::Request,
        _: &mut Extensions,
        _: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        self.0.fetch_add(1, Ordering::SeqCst);
        assert_eq!(request.headers()["x-amz-content-sha256"], "UNSIGNED-PAYLOAD");
        let body = request.body_mut().take().unwrap().collect().await.unwrap().to_bytes();
        assert_eq!(body, "first second");
        Ok(refusal().url(request.url().clone()).body(REFUSAL).unwrap().into())
    }
}

#[tokio::test]
async fn an_unsigned_stream_is_sent_once_through_the_middleware() {
    let tries = Arc::new(AtomicUsize::new(0));
    let client = ClientBuilder::new(sigv4_middleware::reqwest_client().build().unwrap())
        .with(SigV4Middleware::new(signer_of_unsigned()))
        .with(Beneath(Arc::clone(&tries)))
        .build();
    let response = client.put(URL).body(reqwest::Body::wrap(upload())).send().await.unwrap();
    assert_eq!(response.url().as_str(), URL);
    assert_eq!(response.text().await.unwrap(), REFUSAL);
    assert_eq!(tries.load(Ordering::SeqCst), 1);
}
