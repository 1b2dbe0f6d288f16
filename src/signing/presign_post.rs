//! Presigned forms: uploads from a browser to S3, by a POST policy.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, Method, StatusCode, Uri};

use crate::error::{Error, ErrorKind};
use crate::signing::date::AmzDate;
use crate::signing::presign::{PresigningConfig, lifetime};
use crate::signing::request::RequestView;
use crate::signing::signer::{Signer, with_target};

/// S3's limit for the form's fields without the file, in bytes.
const MAX_FIELDS: usize = 20_000;
/// S3's limit for an object's key, in bytes.
const MAX_KEY: usize = 1024;
/// What a browser's file name stands for in a key.
const FILE_NAME: &str = "${filename}";

/// The fields that the signer adds, and those that are not a condition's.
const RESERVED: [&str; 10] = [
    "bucket",
    "file",
    "policy",
    "submit",
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-s3session-token",
    "x-amz-security-token",
    "x-amz-signature",
];

/// A POST policy: what a form may upload to S3.
///
/// Each setter adds a condition to the policy. A condition with one value is also a field of the form, which
/// [`PresignedPost::fields`] lists. A condition on the beginning of a value leaves the value to the form. S3 refuses a form
/// with a field that has no condition. [`Signer::presign_post`] checks the policy.
///
/// ```
/// use std::time::Duration;
/// use sigv4_middleware::PostPolicy;
///
/// let policy = PostPolicy::new("my-bucket", Duration::from_secs(600))
///     .key_starts_with("avatars/42/")
///     .content_length_range(1..=5 * 1024 * 1024)
///     .content_type_starts_with("image/")
///     .metadata("user", "42");
/// ```
///
/// # AWS documentation
/// Amazon S3 API Reference: ["POST Policy"][doc].
///
/// [doc]: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
#[derive(Clone, Debug)]
#[must_use]
pub struct PostPolicy {
    bucket: String,
    key: Option<Condition>,
    conditions: Vec<Condition>,
    content_length: Option<RangeInclusive<u64>>,
    expires_in: Duration,
    refuse_shortening: bool,
}

/// A condition on a field of the form. Debug leaves out the value, which may be a key (SSE-C).
#[derive(Clone)]
enum Condition {
    Is(Cow<'static, str>, String),
    StartsWith(Cow<'static, str>, String),
}

impl Condition {
    fn name(&self) -> &str {
        match self {
            Self::Is(name, _) | Self::StartsWith(name, _) => name,
        }
    }

    fn value(&self) -> &str {
        match self {
            Self::Is(_, value) | Self::StartsWith(_, value) => value,
        }
    }

    fn write(&self, out: &mut Json) {
        match self {
            Self::Is(name, value) => out.object(name, value),
            Self::StartsWith(name, prefix) => out.starts_with(name, prefix),
        }
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Is(..) => "Is",
            Self::StartsWith(..) => "StartsWith",
        };
        f.debug_tuple(kind).field(&self.name()).finish_non_exhaustive()
    }
}

impl PostPolicy {
    /// A policy for uploads to a bucket. Its form is valid for `expires_in`: whole seconds, from 1 second to 7 days.
    ///
    /// It needs a [`key`](Self::key), or the beginning of one ([`key_starts_with`](Self::key_starts_with)).
    pub fn new(bucket: impl Into<String>, expires_in: Duration) -> Self {
        Self {
            bucket: bucket.into(),
            key: None,
            conditions: Vec::new(),
            content_length: None,
            expires_in,
            refuse_shortening: false,
        }
    }

    /// Sets the object's key, 1 to 1024 bytes: the form uploads this one object.
    pub fn key(self, key: impl Into<String>) -> Self {
        Self { key: Some(Condition::Is("key".into(), key.into())), ..self }
    }

    /// Sets the beginning of the object's key: the form uploads any object below this prefix, by default with the file's
    /// name.
    ///
    /// The field `key` is the prefix followed by `${filename}`, which S3 replaces with the name of the browser's file. A
    /// form may set any other value that begins with the prefix.
    pub fn key_starts_with(self, prefix: impl Into<String>) -> Self {
        Self { key: Some(Condition::StartsWith("key".into(), prefix.into())), ..self }
    }

    /// Sets the smallest and the largest size of the file, in bytes. Without it, S3 takes up to 5 GiB.
    pub fn content_length_range(self, bytes: RangeInclusive<u64>) -> Self {
        Self { content_length: Some(bytes), ..self }
    }

    /// Sets the object's `Content-Type`.
    pub fn content_type(self, content_type: impl Into<String>) -> Self {
        self.field("Content-Type", content_type)
    }

    /// Sets the beginning of the object's `Content-Type`, such as `image/`. The form has to have a field `Content-Type`:
    /// S3 does not use the type that a browser sends with the file.
    pub fn content_type_starts_with(self, prefix: impl Into<String>) -> Self {
        self.field_starts_with("Content-Type", prefix)
    }

    /// Sets the status of S3's response to an upload: 200, 201 (with an XML document that names the object) or 204, the
    /// default.
    pub fn success_action_status(self, status: StatusCode) -> Self {
        self.field("success_action_status", status.as_str())
    }

    /// Sets the absolute URL that S3 redirects the browser to after an upload, with `bucket`, `key` and `etag` in its
    /// query.
    pub fn success_action_redirect(self, url: impl Into<String>) -> Self {
        self.field("success_action_redirect", url)
    }

    /// Adds metadata of the object: the field `x-amz-meta-{name}`.
    pub fn metadata(self, name: impl AsRef<str>, value: impl Into<String>) -> Self {
        self.field(format!("x-amz-meta-{}", name.as_ref()), value)
    }

    /// Adds any other field of S3's POST Object: `acl`, `Cache-Control`, `Content-Disposition`, `tagging`,
    /// `x-amz-storage-class`, `x-amz-server-side-encryption`, …
    ///
    /// ```
    /// use std::time::Duration;
    /// use sigv4_middleware::PostPolicy;
    ///
    /// let policy = PostPolicy::new("my-bucket", Duration::from_secs(600))
    ///     .key("report.pdf")
    ///     .field("x-amz-storage-class", "STANDARD_IA")
    ///     .field_starts_with("Cache-Control", "max-age=");
    /// ```
    pub fn field(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.conditions.push(Condition::Is(name.into(), value.into()));
        self
    }

    /// Adds a condition on the beginning of a field's value. The form has to have the field; with an empty prefix, its
    /// value may be any.
    pub fn field_starts_with(
        mut self,
        name: impl Into<Cow<'static, str>>,
        prefix: impl Into<String>,
    ) -> Self {
        self.conditions.push(Condition::StartsWith(name.into(), prefix.into()));
        self
    }

    /// Sets whether it is an error of kind [`ErrorKind::InvalidExpiry`] if the credentials expire before the form would;
    /// `false` by default: the form's lifetime is shortened to that of the credentials, with a warning in the log.
    pub fn refuse_shortening(self, refuse: bool) -> Self {
        Self { refuse_shortening: refuse, ..self }
    }

    /// # Errors
    /// [`ErrorKind::InvalidPostPolicy`] for what S3 would refuse, or take to mean something else.
    fn validate(&self) -> Result<&Condition, Error> {
        if self.bucket.is_empty() {
            return Err(invalid("the bucket of a POST policy is empty; give its name to PostPolicy::new"));
        }
        let Some(key) = &self.key else {
            return Err(invalid(
                "a POST policy says nothing about the key; add .key(\"…\") or .key_starts_with(\"…\") to it",
            ));
        };
        if matches!(key, Condition::Is(_, key) if key.is_empty()) || key.value().len() > MAX_KEY {
            return Err(invalid(format!(
                "a key has 1 to {MAX_KEY} bytes; this one has {}",
                key.value().len()
            )));
        }
        if let Some(range) = self.content_length.as_ref().filter(|range| range.is_empty()) {
            return Err(invalid(format!(
                "the range of content lengths is empty: {} is more than {}",
                range.start(),
                range.end()
            )));
        }
        for (at, condition) in self.conditions.iter().enumerate() {
            let name = condition.name();
            if HeaderName::from_bytes(name.as_bytes()).is_err() {
                return Err(invalid(format!("a field of a form cannot be called {name:?}")));
            }
            if RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
                return Err(invalid(format!(
                    "the field {name} is the signer's or the file's; remove it from the POST policy"
                )));
            }
            if name.eq_ignore_ascii_case("key") {
                return Err(invalid("set the key by .key(\"…\") or .key_starts_with(\"…\"), not as a field"));
            }
            if self.conditions[..at].iter().any(|earlier| earlier.name().eq_ignore_ascii_case(name)) {
                return Err(invalid(format!("the POST policy has two conditions on {name}; remove one")));
            }
            condition.validate_value()?;
        }
        key.validate_value()?;
        Ok(key)
    }
}

impl Condition {
    fn validate_value(&self) -> Result<(), Error> {
        let name = self.name();
        // "All variables within the form are expanded prior to validating the POST policy."
        if self.value().contains(FILE_NAME) {
            let method = if name == "key" { ".key_starts_with(\"…\")" } else { ".field_starts_with(…)" };
            return Err(invalid(format!(
                "S3 replaces ${{filename}} before it compares the field {name}; use {method} with what comes before it"
            )));
        }
        if self.value().bytes().any(|byte| byte.is_ascii_control()) {
            return Err(invalid(format!(
                "the value of the field {name} has a control character, such as a newline"
            )));
        }
        let Self::Is(_, value) = self else { return Ok(()) };
        if name.eq_ignore_ascii_case("success_action_status")
            && !["200", "201", "204"].contains(&value.as_str())
        {
            return Err(invalid(format!(
                "S3 responds with 200, 201 or 204 to an upload, never with {value}"
            )));
        }
        if name.eq_ignore_ascii_case("success_action_redirect") {
            let uri: Option<Uri> = value.parse().ok();
            if uri.is_none_or(|uri| !matches!(uri.scheme_str(), Some("http" | "https"))) {
                // Not the value: its query may hold a secret.
                return Err(invalid(
                    "success_action_redirect is an absolute URL, such as https://www.example.com/done",
                ));
            }
        }
        Ok(())
    }
}

fn invalid(message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidPostPolicy, message)
}

/// A presigned form, returned by [`Signer::presign_post`]: anyone who has it can upload to S3 until it expires.
///
/// ```
/// use sigv4_middleware::PresignedPost;
///
/// fn multipart(form: &PresignedPost, file: Vec<u8>) -> reqwest::multipart::Form {
///     let fields = form.fields().map(|(name, value)| (name.to_owned(), value.to_owned()));
///     let form = fields.fold(reqwest::multipart::Form::new(), |form, (name, value)| form.text(name, value));
///     form.part("file", reqwest::multipart::Part::bytes(file))
/// }
/// ```
///
/// Debug leaves out the values of the fields, which contain the signature and the session token.
#[derive(Clone)]
pub struct PresignedPost {
    url: Uri,
    fields: Vec<(Cow<'static, str>, String)>,
    expires_in: Duration,
}

impl PresignedPost {
    /// The URL to post the form to, as `multipart/form-data`.
    #[must_use]
    pub fn url(&self) -> &Uri {
        &self.url
    }

    /// The fields of the form, name and value, in botocore's order. Treat them as a secret: anyone who has them can upload
    /// until they expire.
    ///
    /// Put all of them, and those that the policy leaves to the form, before the field `file`: S3 ignores what comes after
    /// it. Escape the values in HTML.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_ref(), value.as_str()))
    }

    /// How long the form is valid; less than asked for if the credentials expire earlier.
    #[must_use]
    pub fn expires_in(&self) -> Duration {
        self.expires_in
    }
}

impl fmt::Debug for PresignedPost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresignedPost")
            .field("url", &self.url)
            .field("fields", &self.fields.iter().map(|(name, _)| name.as_ref()).collect::<Vec<_>>())
            .field("expires_in", &self.expires_in)
            .finish()
    }
}

impl Signer {
    /// Presigns a form: anyone who has it can upload to S3 what the policy allows, from a browser, without credentials.
    ///
    /// `bucket_url` is the URL that the form is posted to, without a query: `https://{bucket}.s3.{region}.amazonaws.com/`,
    /// or that of an S3-compatible store with the bucket in its path. S3 refuses a form for another bucket than the
    /// policy's. The form of a signer that is [disabled](Self::disabled) has the policy's fields alone.
    ///
    /// ```
    /// use std::time::Duration;
    /// use http::Uri;
    /// use sigv4_middleware::{Credentials, PostPolicy, Signer};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// # let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "static");
    /// let signer = Signer::builder().credentials(credentials).build()?;
    /// let policy = PostPolicy::new("my-bucket", Duration::from_secs(600))
    ///     .key_starts_with("avatars/")
    ///     .content_length_range(1..=5 * 1024 * 1024);
    /// let url = Uri::from_static("https://my-bucket.s3.eu-central-1.amazonaws.com/");
    /// let form = signer.presign_post(&url, &policy).await?;
    /// let names: Vec<_> = form.fields().map(|(name, _)| name).collect();
    /// assert_eq!(names, ["key", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "policy", "x-amz-signature"]);
    /// # Ok(()) }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`sign`](Self::sign), and:
    /// - [`ErrorKind::InvalidPostPolicy`]: S3 would refuse the policy.
    /// - [`ErrorKind::InvalidExpiry`]: the lifetime is out of range, or longer than that of the credentials if
    ///   [shortening is refused](PostPolicy::refuse_shortening).
    /// - [`ErrorKind::InvalidUri`]: the URL has a query.
    /// - [`ErrorKind::ScopeInvalid`]: the service is not S3, or a region set is configured. Forms are not signed with
    ///   SigV4a.
    ///
    /// # AWS documentation
    /// Amazon S3 API Reference: ["POST Policy"][doc].
    ///
    /// [doc]: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
    pub async fn presign_post(&self, bucket_url: &Uri, policy: &PostPolicy) -> Result<PresignedPost, Error> {
        let key = policy.validate()?;
        if bucket_url.query().is_some() {
            return Err(Error::new(ErrorKind::InvalidUri, "the URL of a form has no query; remove it"));
        }
        let mut fields: Vec<(Cow<'static, str>, String)> = Vec::with_capacity(policy.conditions.len() + 7);
        fields.extend(policy.conditions.iter().filter_map(|condition| match condition {
            Condition::Is(name, value) => Some((name.clone(), value.clone())),
            Condition::StartsWith(..) => None,
        }));
        fields.push(match key {
            Condition::Is(name, value) => (name.clone(), value.clone()),
            Condition::StartsWith(name, prefix) => (name.clone(), format!("{prefix}{FILE_NAME}")),
        });
        if self.skips_all() {
            return Ok(PresignedPost { url: bucket_url.clone(), fields, expires_in: policy.expires_in });
        }

        let headers = HeaderMap::new();
        let request = RequestView::new(&Method::POST, bucket_url, &headers);
        let keys = self.keys_for(&request).await?;
        let known = self.known_host(&request)?;
        let prepared = self.prepare(&request, &known)?;
        let service = prepared.scope.service;
        // As of a store that speaks S3's dialect.
        if !prepared.profile().aws_chunked {
            return Err(Error::new(
                ErrorKind::ScopeInvalid,
                format!("a form is posted to S3, and this URL is one of the service {service}"),
            ));
        }
        if prepared.region_set().is_some() {
            return Err(Error::new(
                ErrorKind::ScopeInvalid,
                "a form is signed with SigV4, for one region; use the bucket's own URL and region",
            ));
        }
        let (context, now) = self.presigning_context(&prepared, keys)?;
        let config = PresigningConfig::new(policy.expires_in).refuse_shortening(policy.refuse_shortening);
        let expires_in = lifetime(&config, &context, now)?;

        let signed = [
            ("x-amz-algorithm", context.algorithm.to_owned()),
            ("x-amz-credential", format!("{}/{}", context.keys.access_key_id(), context.key.scope())),
            ("x-amz-date", context.key.date().as_str().to_owned()),
        ];
        let token = context.keys.token().and_then(|token| token.to_str().ok());
        let signed = signed
            .into_iter()
            .chain(token.map(|token| (prepared.profile().token_header(), token.to_owned())));
        let mut json = Json::new(&iso_8601(&AmzDate::new(now + expires_in)?));
        policy.conditions.iter().for_each(|condition| condition.write(&mut json));
        if let Some(range) = &policy.content_length {
            json.content_length_range(range);
        }
        json.object("bucket", &policy.bucket);
        key.write(&mut json);
        for (name, value) in signed {
            json.object(name, &value);
            fields.push((name.into(), value));
        }
        let encoded = BASE64_STANDARD.encode(json.finish());
        // The policy is the string to sign.
        let signature = context.key.sign(&[encoded.as_bytes()]);
        fields.push(("policy".into(), encoded));
        fields.push(("x-amz-signature".into(), String::from_utf8_lossy(&signature).into_owned()));

        let length = fields.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        if length > MAX_FIELDS {
            return Err(invalid(format!(
                "the fields of the form have {length} bytes, and S3 takes {MAX_FIELDS} besides the file; use fewer \
                 conditions, or shorter ones"
            )));
        }
        let url = with_target(bucket_url, prepared.target().path.to_string())?;
        Ok(PresignedPost { url, fields, expires_in })
    }
}

/// `20150830T123600Z` as `2015-08-30T12:36:00Z`.
fn iso_8601(date: &AmzDate) -> String {
    let date = date.as_str();
    let part = |from: usize, to: usize| date.get(from..to).unwrap_or_default();
    let (year, month, day) = (part(0, 4), part(4, 6), part(6, 8));
    let (hour, minute, second) = (part(9, 11), part(11, 13), part(13, 15));
    format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z")
}

/// A policy's document, written as Python's `json.dumps` does, so that it can be compared with botocore's.
struct Json(String);

impl Json {
    fn new(expiration: &str) -> Self {
        Self(format!("{{\"expiration\": \"{expiration}\", \"conditions\": ["))
    }

    fn object(&mut self, name: &str, value: &str) {
        self.next();
        self.0.push('{');
        self.text("", name);
        self.0.push_str(": ");
        self.text("", value);
        self.0.push('}');
    }

    fn starts_with(&mut self, name: &str, prefix: &str) {
        self.next();
        self.0.push_str("[\"starts-with\", ");
        self.text("$", name);
        self.0.push_str(", ");
        self.text("", prefix);
        self.0.push(']');
    }

    fn content_length_range(&mut self, range: &RangeInclusive<u64>) {
        self.next();
        self.0.push_str(&format!("[\"content-length-range\", {}, {}]", range.start(), range.end()));
    }

    fn finish(mut self) -> String {
        self.0.push_str("]}");
        self.0
    }

    fn next(&mut self) {
        if !self.0.ends_with('[') {
            self.0.push_str(", ");
        }
    }

    /// A string, in ASCII.
    fn text(&mut self, before: &str, text: &str) {
        self.0.push('"');
        for character in before.chars().chain(text.chars()) {
            match character {
                '"' | '\\' => self.0.extend(['\\', character]),
                ' '..='~' => self.0.push(character),
                _ => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        self.0.push_str(&format!("\\u{unit:04x}"));
                    }
                }
            }
        }
        self.0.push('"');
    }
}

#[cfg(test)]
mod tests;
