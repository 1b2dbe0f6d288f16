//! The request's body: in memory, or read from files while it is sent.

use std::path::PathBuf;

use bytes::Bytes;
use futures_util::stream;
use http::HeaderValue;
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};
use sigv4_middleware::{AwsChunked, ChecksumAlgorithm, Payload, PayloadMode};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use crate::args::{Args, PayloadArg};
use crate::data::{DataKind, joined};
use crate::failure::Failure;
use crate::form::multipart;

const CHUNK: usize = 64 * 1024;

/// Bodies up to this many bytes are read into memory, so that they can be sent again.
const IN_MEMORY: u64 = 8 * 1024 * 1024;

/// A piece of a body.
#[derive(Clone, Debug)]
pub(crate) enum Segment {
    Bytes(Bytes),
    File { path: PathBuf, len: u64 },
}

impl From<String> for Segment {
    fn from(text: String) -> Self {
        Self::Bytes(text.into())
    }
}

impl Segment {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { len, .. } => *len,
        }
    }
}

/// A body that can be sent any number of times.
pub(crate) struct Body {
    /// `None` where the request has no body at all.
    content: Option<Content>,
    pub(crate) content_type: Option<HeaderValue>,
    pub(crate) accept: Option<HeaderValue>,
}

enum Content {
    Memory(Bytes),
    Files { segments: Vec<Segment>, len: u64, sha256: Option<[u8; 32]> },
}

impl Body {
    /// Reads what is short or cannot be read twice. Long files are read to be hashed, as the hash is sent before the first
    /// byte, and again to be sent.
    pub(crate) async fn from_args(args: &Args) -> Result<Self, Failure> {
        let (segments, content_type, accept) = if let Some(path) = &args.request.upload_file {
            (vec![Segment::file(path)?], None, None)
        } else if !args.request.fields.is_empty() {
            let (content_type, segments) = multipart(&args.request.fields)?;
            (segments, HeaderValue::from_str(&content_type).ok(), None)
        } else if !args.data.is_empty() && !args.request.get {
            let json = args.data.iter().any(|data| data.kind == DataKind::Json);
            let content_type = if json { "application/json" } else { "application/x-www-form-urlencoded" };
            let accept = json.then(|| HeaderValue::from_static("application/json"));
            let segment = Segment::Bytes(joined(&args.data)?.into());
            (vec![segment], Some(HeaderValue::from_static(content_type)), accept)
        } else {
            return Ok(Self { content: None, content_type: None, accept: None });
        };
        let hashes = args.signing.payload == PayloadArg::Signed;
        Ok(Self { content: Some(Content::of(segments, hashes).await?), content_type, accept })
    }

    /// The value of `Content-Length`, which HTTP/1.1 clients leave out for a stream unless it is set.
    pub(crate) fn len(&self) -> Option<u64> {
        self.content.as_ref().map(|content| match content {
            Content::Memory(bytes) => bytes.len() as u64,
            Content::Files { len, .. } => *len,
        })
    }

    /// Whether the signing middleware can send it a second time.
    pub(crate) fn is_in_memory(&self) -> bool {
        !matches!(self.content, Some(Content::Files { .. }))
    }

    /// How it is signed when it is sent.
    pub(crate) fn payload_mode(&self, payload: PayloadArg) -> PayloadMode {
        let len = self.len().unwrap_or(0);
        match (payload, &self.content) {
            (_, None) | (PayloadArg::Signed, Some(Content::Memory(_))) => PayloadMode::Buffered,
            (PayloadArg::Signed, Some(Content::Files { sha256, .. })) => {
                sha256.map_or(PayloadMode::Buffered, PayloadMode::Sha256Checked)
            }
            (PayloadArg::Unsigned, _) => PayloadMode::Unsigned,
            (PayloadArg::AwsChunked, _) => PayloadMode::AwsChunked(AwsChunked::signed().decoded_length(len)),
            (PayloadArg::AwsChunkedUnsigned, _) => {
                let options = AwsChunked::unsigned(ChecksumAlgorithm::Crc64Nvme);
                PayloadMode::AwsChunked(options.decoded_length(len))
            }
        }
    }

    /// How it is signed in a presigned URL; `None` for what the service does by default.
    pub(crate) fn presigned_payload(&self, payload: PayloadArg) -> Option<Payload<'_>> {
        match (payload, self.content.as_ref()?) {
            (PayloadArg::Unsigned, _) => Some(Payload::unsigned()),
            (_, Content::Memory(bytes)) => Some(Payload::from(bytes)),
            (_, Content::Files { sha256, .. }) => sha256.map(Payload::sha256),
        }
    }

    /// The body for the client.
    pub(crate) fn to_reqwest(&self, silent: bool) -> Option<reqwest::Body> {
        Some(match self.content.as_ref()? {
            Content::Memory(bytes) => bytes.clone().into(),
            Content::Files { segments, len, .. } => with_progress(segments.clone(), *len, silent),
        })
    }
}

impl Content {
    async fn of(segments: Vec<Segment>, hashes: bool) -> Result<Self, Failure> {
        let len = segments.iter().map(Segment::len).sum();
        if let [Segment::Bytes(bytes)] = segments.as_slice() {
            return Ok(Self::Memory(bytes.clone()));
        }
        let (mut hash, mut memory) = (Sha256::new(), Vec::new());
        for segment in &segments {
            match segment {
                Segment::Bytes(bytes) if len <= IN_MEMORY => memory.extend_from_slice(bytes),
                Segment::Bytes(bytes) => hash.update(bytes),
                Segment::File { path, .. } => {
                    let read = async {
                        let mut file = File::open(path).await?;
                        if len <= IN_MEMORY {
                            return file.read_to_end(&mut memory).await.map(drop);
                        }
                        let mut chunk = vec![0; CHUNK];
                        loop {
                            let n = if hashes { file.read(&mut chunk).await? } else { 0 };
                            if n == 0 {
                                break;
                            }
                            hash.update(&chunk[..n]);
                        }
                        Ok(())
                    };
                    read.await.map_err(|error| Failure::reading(path, error))?;
                }
            }
        }
        if len <= IN_MEMORY {
            return Ok(Self::Memory(memory.into()));
        }
        Ok(Self::Files { segments, len, sha256: hashes.then(|| hash.finalize().into()) })
    }
}

/// A body that advances a progress bar, which is drawn only on a terminal.
fn with_progress(segments: Vec<Segment>, len: u64, silent: bool) -> reqwest::Body {
    let bar = if silent { ProgressBar::hidden() } else { ProgressBar::new(len) };
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
    {
        bar.set_style(style);
    }
    let state = (segments.into_iter(), None::<File>, bar);
    reqwest::Body::wrap_stream(stream::try_unfold(state, async |(mut segments, mut file, bar)| {
        loop {
            if let Some(mut open) = file.take() {
                let mut chunk = vec![0; CHUNK];
                let n = open.read(&mut chunk).await?;
                if n > 0 {
                    chunk.truncate(n);
                    bar.inc(n as u64);
                    return Ok::<_, std::io::Error>(Some((Bytes::from(chunk), (segments, Some(open), bar))));
                }
            }
            match segments.next() {
                None => {
                    bar.finish();
                    return Ok(None);
                }
                Some(Segment::Bytes(bytes)) => {
                    bar.inc(bytes.len() as u64);
                    return Ok(Some((bytes, (segments, None, bar))));
                }
                Some(Segment::File { path, .. }) => file = Some(File::open(path).await?),
            }
        }
    }))
}
