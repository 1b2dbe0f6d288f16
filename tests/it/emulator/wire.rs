//! A client that puts exact bytes on the wire, and requests signed by aws-sigv4.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_async::time::StaticTimeSource;
use http::StatusCode;
use sigv4_middleware::{IamGateway, IamGatewayBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{REGION, noon};

/// A builder for a gateway whose clock stands still.
pub(crate) fn builder() -> IamGatewayBuilder {
    IamGateway::builder().region(REGION).time_source(StaticTimeSource::new(noon()))
}

/// A gateway whose clock stands still.
pub(crate) async fn gateway_of(credentials: Credentials) -> IamGateway {
    builder().credentials(credentials).start().await.unwrap()
}

/// A request as it goes onto the wire.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Vec<u8>,
    pub(crate) target: Vec<u8>,
    pub(crate) headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Call {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self { method: method.into(), target: target.into(), headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().to_vec()));
        self
    }

    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        let (_, value) = self.headers.iter().find(|(n, _)| n == name.as_bytes()).unwrap();
        std::str::from_utf8(value).unwrap()
    }

    pub(crate) fn set(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.remove(name);
        self.headers.push((name.into(), value.as_ref().to_vec()));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.headers.retain(|(n, _)| n != name.as_bytes());
    }

    /// Replaces `from` by `to` in the Authorization header.
    pub(crate) fn edit_authorization(mut self, from: &str, to: &str) -> Self {
        let value = self.get("authorization").to_owned();
        assert!(value.contains(from), "{value}");
        self.set("authorization", value.replacen(from, to, 1));
        self
    }

    pub(crate) fn signature(&self) -> &str {
        self.get("authorization").rsplit_once('=').unwrap().1
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = [&self.method[..], b" ", &self.target, b" HTTP/1.1\r\n"].concat();
        for (name, value) in &self.headers {
            out.extend([&name[..], b": ", value, b"\r\n"].concat());
        }
        out.extend(format!("content-length: {}\r\n\r\n", self.body.len()).bytes());
        out.extend(&self.body);
        out
    }
}

/// Names and values.
type Fields = Vec<(String, String)>;

/// How the test signs.
pub(crate) struct Signing {
    pub(crate) credentials: Credentials,
    pub(crate) service: &'static str,
    pub(crate) region: &'static str,
    pub(crate) time: SystemTime,
    pub(crate) unsigned_payload: bool,
}

impl Signing {
    pub(crate) fn with(credentials: Credentials) -> Self {
        Self { credentials, service: "execute-api", region: REGION, time: noon(), unsigned_payload: false }
    }

    fn settings(&self) -> SigningSettings {
        let mut settings = SigningSettings::default();
        if self.service.starts_with("s3") {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        if ["s3", "aoss", "vpc-lattice-svcs"].contains(&self.service) {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        settings
    }

    fn run(&self, call: &Call, settings: SigningSettings) -> (Fields, Fields) {
        let identity = self.credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(self.time)
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        let headers = call.headers.iter().map(|(n, v)| (text(n), text(v)));
        let body = match self.unsigned_payload {
            true => SignableBody::UnsignedPayload,
            false => SignableBody::Bytes(&call.body),
        };
        let request = SignableRequest::new(text(&call.method), text(&call.target), headers, body).unwrap();
        let (headers, params) = sign(request, &params).unwrap().into_parts().0.into_parts();
        (
            headers.iter().map(|h| (h.name().to_owned(), h.value().to_owned())).collect(),
            params.iter().map(|(n, v)| ((*n).to_owned(), v.to_string())).collect(),
        )
    }

    /// Adds Host and the signature headers.
    pub(crate) fn sign(&self, gateway: &IamGateway, call: Call) -> Call {
        let mut call = call.header("host", gateway.addr().to_string());
        for (name, value) in self.run(&call, self.settings()).0 {
            call.set(&name, value);
        }
        call
    }

    /// Puts the signature into the query.
    pub(crate) fn presign(&self, gateway: &IamGateway, call: Call, seconds: u64) -> Call {
        let mut call = call.header("host", gateway.addr().to_string());
        let mut settings = self.settings();
        settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(seconds));
        let mut separator = if call.target.contains(&b'?') { '&' } else { '?' };
        for (name, value) in self.run(&call, settings).1 {
            let value = percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC);
            call.target.extend(format!("{separator}{name}={value}").bytes());
            separator = '&';
        }
        call
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct WireResponse {
    pub(crate) status: StatusCode,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl WireResponse {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }

    pub(crate) fn error_type(&self) -> &str {
        self.header("x-amzn-errortype").unwrap_or_default()
    }

    pub(crate) fn message(&self) -> String {
        let json: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        json["message"].as_str().unwrap().to_owned()
    }

    /// The canonical string and the string to sign that the message prints.
    pub(crate) fn printed(&self) -> (String, String) {
        let message = self.message();
        let (_, rest) = message.split_once("should have been\n'").unwrap();
        let (canonical, rest) = rest.split_once("'\n\nThe String-to-Sign should have been\n'").unwrap();
        (canonical.to_owned(), rest.strip_suffix("'\n").unwrap().to_owned())
    }

    #[track_caller]
    pub(crate) fn assert(&self, status: u16, error_type: &str) -> &Self {
        assert_eq!((self.status.as_u16(), self.error_type()), (status, error_type), "{self:#?}");
        self
    }
}

/// A connection kept open as long as the server lets it.
pub(crate) struct Wire {
    addr: SocketAddr,
    stream: Option<TcpStream>,
}

impl Wire {
    pub(crate) fn to(gateway: &IamGateway) -> Self {
        Self { addr: gateway.addr(), stream: None }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> WireResponse {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => TcpStream::connect(self.addr).await.unwrap(),
        };
        stream.set_nodelay(true).unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut read = Vec::new();
        let head_end = loop {
            if let Some(at) = read.windows(4).position(|w| w == b"\r\n\r\n") {
                break at;
            }
            assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "closed without a response");
        };
        let head = String::from_utf8(read[..head_end].to_vec()).unwrap();
        let status = StatusCode::from_bytes(&read[9..12]).unwrap();
        let mut response = WireResponse { status, head, body: String::new() };
        let length: usize = response.header("content-length").unwrap().parse().unwrap();
        while read.len() < head_end + 4 + length {
            assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "cut off");
        }
        response.body = String::from_utf8(read[head_end + 4..].to_vec()).unwrap();
        if response.header("connection") != Some("close") {
            self.stream = Some(stream);
        }
        response
    }
}

pub(crate) async fn call(gateway: &IamGateway, call: &Call) -> WireResponse {
    Wire::to(gateway).send(&call.bytes()).await
}
