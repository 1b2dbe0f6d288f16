//! The request's body: data held in memory, or a file that is read as it is sent.

use std::io::Read;
use std::path::{Path, PathBuf};

use futures_util::stream;
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};
use sigv4_middleware::Payload;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use crate::args::Args;
use crate::failure::Failure;

const CHUNK: usize = 64 * 1024;

pub(crate) enum Body {
    None,
    Data(Vec<u8>),
    File { path: PathBuf, len: u64, sha256: [u8; 32] },
}

impl Body {
    pub(crate) async fn of(args: &Args) -> Result<Self, Failure> {
        if let Some(path) = &args.upload {
            return Self::file(path).await.map_err(|error| Failure::reading(path, error));
        }
        if args.data.is_empty() {
            return Ok(Self::None);
        }
        let mut joined = Vec::new();
        for (n, data) in args.data.iter().enumerate() {
            if n > 0 {
                joined.push(b'&');
            }
            match data.strip_prefix('@').map(Path::new) {
                None => joined.extend_from_slice(data.as_bytes()),
                Some(path) => joined.extend(read(path).map_err(|error| Failure::reading(path, error))?),
            }
        }
        Ok(Self::Data(joined))
    }

    /// A file's hash must be known before its first byte is sent, so it is read twice and never held.
    async fn file(path: &Path) -> std::io::Result<Self> {
        let mut file = File::open(path).await?;
        let (mut hash, mut len, mut chunk) = (Sha256::new(), 0, vec![0; CHUNK]);
        loop {
            let n = file.read(&mut chunk).await?;
            if n == 0 {
                return Ok(Self::File { path: path.to_owned(), len, sha256: hash.finalize().into() });
            }
            hash.update(&chunk[..n]);
            len += n as u64;
        }
    }

    /// The body as it is signed.
    pub(crate) fn payload(&self) -> Payload<'_> {
        match self {
            Self::None => Payload::empty(),
            Self::Data(data) => Payload::from(data),
            Self::File { sha256, .. } => Payload::sha256(*sha256),
        }
    }

    /// What `Content-Length` says; HTTP/1.1 clients leave it out where a body is a stream.
    pub(crate) fn len(&self) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Data(data) => Some(data.len() as u64),
            Self::File { len, .. } => Some(*len),
        }
    }

    /// The body as it is sent.
    pub(crate) async fn into_reqwest(self, silent: bool) -> Result<reqwest::Body, Failure> {
        match self {
            Self::None => Ok(reqwest::Body::default()),
            Self::Data(data) => Ok(data.into()),
            Self::File { path, len, .. } => {
                let file = File::open(&path).await.map_err(|error| Failure::reading(&path, error))?;
                Ok(with_progress(file, len, silent))
            }
        }
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut data = Vec::new();
        std::io::stdin().read_to_end(&mut data)?;
        return Ok(data);
    }
    std::fs::read(path)
}

/// A body that moves a progress bar, which is drawn on a terminal only.
fn with_progress(file: File, len: u64, silent: bool) -> reqwest::Body {
    let bar = if silent { ProgressBar::hidden() } else { ProgressBar::new(len) };
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
    {
        bar.set_style(style);
    }
    reqwest::Body::wrap_stream(stream::try_unfold((file, bar), async |(mut file, bar)| {
        let mut chunk = vec![0; CHUNK];
        let n = file.read(&mut chunk).await?;
        chunk.truncate(n);
        bar.inc(n as u64);
        if n == 0 {
            bar.finish();
            return Ok::<_, std::io::Error>(None);
        }
        Ok(Some((chunk, (file, bar))))
    }))
}
