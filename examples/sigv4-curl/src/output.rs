//! Where the response goes.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use reqwest::{Response, Url};

use crate::args::Args;
use crate::failure::Failure;
use crate::transfer::Report;

/// A file or standard output.
pub(crate) struct Output(Box<dyn Write + Send>);

impl Output {
    pub(crate) fn open(args: &Args, url: &Url, report: &mut Report) -> Result<Self, Failure> {
        let Some(path) = path(args, url)? else { return Ok(Self(Box::new(io::stdout()))) };
        let file = File::create(&path).map_err(|error| {
            Failure::new(Failure::WRITE, format!("{} cannot be written: {error}", path.display()))
        })?;
        report.file = Some(path.display().to_string());
        Ok(Self(Box::new(file)))
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.0.write_all(bytes).map_err(Failure::writing)
    }

    /// Writes the body as it arrives.
    pub(crate) async fn body(&mut self, mut response: Response, report: &mut Report) -> Result<(), Failure> {
        while let Some(chunk) = response.chunk().await? {
            report.downloaded += chunk.len() as u64;
            self.write(&chunk)?;
            self.0.flush().map_err(Failure::writing)?;
        }
        self.0.flush().map_err(Failure::writing)
    }
}

/// The file of `-o` or `-O`; `None` for standard output.
fn path(args: &Args, url: &Url) -> Result<Option<PathBuf>, Failure> {
    if !args.output.remote_name {
        return Ok(args.output.output.clone().filter(|path| path.as_os_str() != "-"));
    }
    let name = url.path().rsplit('/').next().unwrap_or_default();
    // `.` and `..` are folders.
    if name.is_empty() || name == ".." || name == "." {
        return Err(Failure::new(Failure::WRITE, "the URL ends in no name for -O; write -o FILE"));
    }
    Ok(Some(PathBuf::from(name)))
}
