//! The request's body: data in memory, or a file that is read while it is sent.

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
    pub(crate) async fn from_args(args: &Args) -> Result<Self, Failure> {
        if let Some(path) = &args.upload {
            return Self::file(path).await.map_err(|error| Failure::reading(path, error));
        }
        if args.data.is_empty() {
            return Ok(Self::None);
        }
        let mut joined = Vec::new();
        for (index, data) in args.data.iter().enumerate() {
            if index > 0 {
                joined.push(b'&');
            }
            match data.strip_prefix('@').map(Path::new) {
                None => joined.extend_from_slice(data.as_bytes()),
                Some(path) => joined.extend(read(path).map_err(|error| Failure::reading(path, error))?),
            }
        }
        Ok(Self::Data(joined))
    }

    /// Reads a file to hash it, as the hash is sent before the first byte; it is read again to be sent.
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

    /// The body for the signer.
    pub(crate) fn payload(&self) -> Payload<'_> {
        match self {
            Self::None => Payload::empty(),
            Self::Data(data) => Payload::from(data),
            Self::File { sha256, .. } => Payload::sha256(*sha256),
        }
    }

    /// The value of `Content-Length`, which HTTP/1.1 clients leave out for a stream unless it is set.
    pub(crate) fn len(&self) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Data(data) => Some(data.len() as u64),
            Self::File { len, .. } => Some(*len),
        }
    }

    /// The body for the client.
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

/// A body that advances a progress bar, which is drawn only on a terminal.
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
