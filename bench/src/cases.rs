//! The requests that are signed.
//!
//! Their headers are ones that every signer here signs, so that all of them do the same work.

use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request};

/// The access key id of every subject.
pub const ACCESS_KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
/// The secret access key of every subject.
pub const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// The region of every request.
pub const REGION: &str = "us-east-1";
/// SHA-256 of nothing.
pub const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// One kind of request.
#[derive(Clone, Debug)]
pub struct Case {
    /// As it stands in the results.
    pub name: &'static str,
    /// One line for the chart.
    pub title: &'static str,
    /// The signing name of the service.
    pub service: &'static str,
    /// Whether the credentials have a session token, 1,000 characters long.
    pub token: bool,
    /// The body; `None` for one that is not signed.
    pub payload: Option<Vec<u8>>,
    method: Method,
    uri: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Case {
    /// All of them, in the order of the table.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let get = Self {
            name: "get-token",
            title: "GET, session token",
            service: "execute-api",
            token: true,
            payload: Some(Vec::new()),
            method: Method::GET,
            uri: "https://abc123.execute-api.us-east-1.amazonaws.com/prod/orders/42?limit=10&after=abc"
                .into(),
            headers: headers(5),
        };
        let post = |name, title, size| Self {
            name,
            title,
            method: Method::POST,
            payload: Some((0..size).map(|at: usize| at as u8).collect()),
            ..get.clone()
        };
        let parameters: Vec<_> =
            (0..12).map(|at| format!("parameter-{}=value%20{at}", (at * 7) % 12)).collect();
        vec![
            get.clone(),
            Self { name: "get", title: "GET, no token", token: false, ..get.clone() },
            post("post-1k", "POST, 1 KiB", 1 << 10),
            post("post-64k", "POST, 64 KiB", 64 << 10),
            post("post-1m", "POST, 1 MiB", 1 << 20),
            Self {
                name: "many",
                title: "GET, 12 parameters, 15 headers",
                uri: format!(
                    "https://abc123.execute-api.us-east-1.amazonaws.com/prod/orders?{}",
                    parameters.join("&")
                ),
                headers: headers(15),
                ..get.clone()
            },
            Self {
                name: "unsigned",
                title: "PUT, unsigned payload (S3)",
                service: "s3",
                method: Method::PUT,
                payload: None,
                uri: "https://bucket.s3.us-east-1.amazonaws.com/photos/2026/november/picture.jpg".into(),
                ..get.clone()
            },
        ]
    }

    /// The case of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|case| case.name == name)
    }

    /// The request's head.
    ///
    /// # Errors
    /// None but by a mistake in this file.
    pub fn parts(&self) -> Result<Parts, http::Error> {
        let mut request = Request::builder().method(&self.method).uri(&self.uri).body(())?;
        request
            .headers_mut()
            .extend(self.headers.iter().map(|(name, value)| (Some(name.clone()), value.clone())));
        Ok(request.into_parts().0)
    }

    /// The session token, if the case has one.
    #[must_use]
    pub fn session_token(&self) -> Option<String> {
        self.token.then(|| "IQoJb3JpZ2luX2VjEXAMPLE/".chars().cycle().take(1000).collect())
    }

    /// Whether the service takes the path unchanged and requires `x-amz-content-sha256`.
    #[must_use]
    pub fn is_s3(&self) -> bool {
        self.service == "s3"
    }

    /// The body's bytes; none for one that is not signed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.payload.as_deref().unwrap_or_default()
    }
}

fn headers(count: usize) -> Vec<(HeaderName, HeaderValue)> {
    let few = [
        (http::header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (http::header::USER_AGENT, HeaderValue::from_static("orders/1.0 (linux; x86_64)")),
        (HeaderName::from_static("x-amz-target"), HeaderValue::from_static("Orders_20260101.ListOrders")),
        (HeaderName::from_static("x-amz-meta-tenant"), HeaderValue::from_static("tenant-0000000042")),
        (
            HeaderName::from_static("x-amz-meta-request"),
            HeaderValue::from_static("5f3f9b9e-6a3c-4e0b-9d3e-5d8f6b1f0a11"),
        ),
    ];
    let more = (0..).filter_map(|at| {
        let name = HeaderName::try_from(format!("x-amz-meta-{}", (at * 7) % 10)).ok()?;
        Some((name, HeaderValue::try_from(format!("the value of number {at}")).ok()?))
    });
    few.into_iter().chain(more).take(count).collect()
}
