//! A server on loopback that verifies every signature with aws-sigv4, and fails on purpose.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use futures_util::stream;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use sigv4_bench::cases::REGION;
use time::PrimitiveDateTime;
use time::macros::format_description;
use tokio::net::TcpListener;

use crate::SERVICE;
use crate::faults::{Fault, JumpingClock, Phase, Schedule};
use crate::ledger::{Ledger, Verdict};
use crate::provider::Issued;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Body = UnsyncBoxBody<Bytes, BoxError>;

/// How far a date may be from the server's clock: AWS's 5 minutes.
const MOST_OFF: Duration = Duration::from_secs(5 * 60);

/// The name of the header by which a caller finds its request in the ledger.
pub(crate) const ID: &str = "x-amz-soak-id";

pub(crate) struct Server {
    pub(crate) clock: JumpingClock,
    pub(crate) issued: Arc<Issued>,
    pub(crate) schedule: Arc<Schedule>,
    pub(crate) ledger: Arc<Ledger>,
}

impl Server {
    /// Serves connections until the task is aborted.
    pub(crate) async fn start(self: Arc<Self>) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                };
                let server = Arc::clone(&self);
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let server = Arc::clone(&server);
                        async move { server.serve(request).await }
                    });
                    let builder = auto::Builder::new(TokioExecutor::new());
                    drop(builder.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Ok(addr)
    }

    /// An error makes hyper cut the connection or the stream off.
    async fn serve(&self, request: Request<Incoming>) -> io::Result<Response<Body>> {
        let (head, body) = request.into_parts();
        // A caller that is dropped takes its body with it.
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let verdict = self.verify(&head, &body);
        let id = text(&head, ID).unwrap_or_default().to_owned();
        self.ledger.count(&id, verdict);
        if verdict != Verdict::Accepted {
            return self.respond(
                StatusCode::FORBIDDEN,
                Some(verdict.error_type()),
                full(verdict.error_type()),
            );
        }
        let fault = match self.schedule.phase() {
            Phase::Fault(fault) if head.uri.path() == "/faulty" => Some(fault),
            _ => None,
        };
        match fault {
            Some(Fault::ServerErrors) => {
                let status = if fastrand::bool() {
                    StatusCode::SERVICE_UNAVAILABLE
                } else {
                    StatusCode::INTERNAL_SERVER_ERROR
                };
                self.respond(status, None, full("the server is to fail now"))
            }
            Some(Fault::Resets) if fastrand::bool() => Err(io::Error::other("cut off before the response")),
            Some(Fault::Resets) => {
                let frames =
                    [Ok(Frame::data(Bytes::from("half a"))), Err(BoxError::from("cut off in the body"))];
                self.respond(
                    StatusCode::OK,
                    None,
                    BodyExt::boxed_unsync(StreamBody::new(stream::iter(frames))),
                )
            }
            Some(Fault::SlowBodies) => {
                let slow = stream::unfold(id.into_bytes(), |mut left| async move {
                    let byte = left.drain(..left.len().min(4)).collect::<Vec<u8>>();
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    (!byte.is_empty()).then(|| (Ok(Frame::data(Bytes::from(byte))), left))
                });
                self.respond(StatusCode::OK, None, BodyExt::boxed_unsync(StreamBody::new(slow)))
            }
            _ => self.respond(StatusCode::OK, None, full(id)),
        }
    }

    fn respond(
        &self,
        status: StatusCode,
        error_type: Option<&'static str>,
        body: Body,
    ) -> io::Result<Response<Body>> {
        let date = httpdate::fmt_http_date(self.clock.time());
        let mut response = Response::builder().status(status).header("date", date);
        response = response.header("x-amzn-requestid", "soak");
        if let Some(error_type) = error_type {
            response = response.header("x-amzn-errortype", error_type);
        }
        response.body(body).map_err(io::Error::other)
    }

    fn verify(&self, head: &Parts, body: &Bytes) -> Verdict {
        let Some(claimed) = Claimed::of(head) else { return Verdict::Invalid };
        let Some(issue) = self.issued.find(claimed.id) else { return Verdict::Invalid };
        let token = text(head, "x-amz-security-token");
        if token != issue.credentials.session_token()
            || claimed.signature(head, body, &issue.credentials).as_deref() != Some(claimed.signature)
        {
            return Verdict::Invalid;
        }
        let now = self.clock.time();
        let off = now.duration_since(claimed.date).unwrap_or_else(|error| error.duration());
        if off > MOST_OFF {
            return Verdict::Skewed;
        }
        if claimed.date > issue.expires_at && !self.schedule.phase().has_jumping_clock() {
            self.ledger.signed_with_expired();
        }
        if issue.is_revoked || SystemTime::now() >= issue.expires_at {
            return Verdict::Expired;
        }
        Verdict::Accepted
    }
}

/// What a request claims in its Authorization header.
struct Claimed<'a> {
    id: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
    date: SystemTime,
}

impl<'a> Claimed<'a> {
    fn of(head: &'a Parts) -> Option<Self> {
        let rest = text(head, "authorization")?.strip_prefix("AWS4-HMAC-SHA256 Credential=")?;
        let (credential, rest) = rest.split_once(", SignedHeaders=")?;
        let (signed_headers, signature) = rest.split_once(", Signature=")?;
        let (id, scope) = credential.split_once('/')?;
        let date = text(head, "x-amz-date")?;
        let expected = format!("{}/{REGION}/{SERVICE}/aws4_request", date.get(..8)?);
        let is_signed = |name: &str| signed_headers.split(';').any(|signed| signed == name);
        let all = ["host", "x-amz-date", "x-amz-security-token", ID].iter().all(|name| is_signed(name));
        let date = parse_date(date).filter(|_| scope == expected && all)?;
        Some(Self { id, signed_headers, signature, date })
    }

    /// The signature that aws-sigv4 makes for the request as it arrived.
    fn signature(
        &self,
        head: &Parts,
        body: &[u8],
        credentials: &aws_credential_types::Credentials,
    ) -> Option<String> {
        let authority =
            head.uri.authority().map(|authority| authority.as_str()).or_else(|| text(head, "host"))?;
        let uri = format!("http://{authority}{}", head.uri.path_and_query()?);
        let own = ["host", "x-amz-date", "x-amz-security-token"];
        let names = self.signed_headers.split(';').filter(|name| !own.contains(name));
        let headers: Vec<(&str, &str)> =
            names.map(|name| Some((name, text(head, name)?))).collect::<Option<_>>()?;
        let identity = credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name(SERVICE)
            .time(self.date)
            .settings(SigningSettings::default())
            .build()
            .ok()?
            .into();
        let request =
            SignableRequest::new(head.method.as_str(), uri, headers.into_iter(), SignableBody::Bytes(body));
        Some(sign(request.ok()?, &params).ok()?.signature().to_owned())
    }
}

/// The time in an `x-amz-date` header.
fn parse_date(text: &str) -> Option<SystemTime> {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    Some(PrimitiveDateTime::parse(text, format).ok()?.assume_utc().into())
}

fn text<'a>(head: &'a Parts, name: &str) -> Option<&'a str> {
    head.headers.get(name)?.to_str().ok()
}

fn full(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).map_err(|never: Infallible| match never {}).boxed_unsync()
}
