//! The signers that are compared.

mod aws_sigv4;
mod hash;
mod limit;
mod ours;
mod reqsign;

use std::error::Error;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use http::HeaderMap;
use http::request::Parts;

use crate::cases::Case;

pub use aws_sigv4::AwsSigV4;
pub use hash::Hash;
pub use limit::Limit;
pub use ours::Ours;
pub use reqsign::Reqsign;

/// Name of this crate among the subjects.
pub const OURS: &str = "sigv4-middleware";

/// A way to sign one case's requests.
pub trait Subject {
    /// A fresh request in the form that the signer takes.
    type Request;

    /// Puts a request in that form; not measured.
    fn prepare(&self, parts: Parts) -> Self::Request;

    /// Signs it; measured.
    ///
    /// # Errors
    /// The signer's own.
    fn sign(&self, request: &mut Self::Request) -> Result<(), Box<dyn Error>>;

    /// The headers of a request.
    fn headers<'a>(&self, request: &'a Self::Request) -> &'a HeaderMap;
}

/// A subject with its kind of request out of sight.
pub trait Bench {
    /// The time that `count` signatures of fresh requests take.
    ///
    /// # Errors
    /// The signer's own.
    fn time(&self, count: usize) -> Result<Duration, Box<dyn Error>>;

    /// Headers that a signature leaves on a request.
    ///
    /// # Errors
    /// The signer's own.
    fn signed(&self) -> Result<HeaderMap, Box<dyn Error>>;

    /// What `around` finds of one signature of a fresh request.
    ///
    /// # Errors
    /// The signer's own.
    fn observe(&self, around: &mut dyn FnMut(&mut dyn FnMut())) -> Result<(), Box<dyn Error>>;
}

struct Bound<S> {
    subject: S,
    parts: Parts,
}

impl<S: Subject> Bound<S> {
    fn fresh(&self) -> S::Request {
        self.subject.prepare(self.parts.clone())
    }
}

impl<S: Subject> Bench for Bound<S> {
    fn time(&self, count: usize) -> Result<Duration, Box<dyn Error>> {
        let mut requests: Vec<_> = (0..count).map(|_| self.fresh()).collect();
        let start = Instant::now();
        for request in &mut requests {
            self.subject.sign(request)?;
        }
        Ok(start.elapsed())
    }

    fn signed(&self) -> Result<HeaderMap, Box<dyn Error>> {
        let mut request = self.fresh();
        self.subject.sign(&mut request)?;
        Ok(self.subject.headers(&request).clone())
    }

    fn observe(&self, around: &mut dyn FnMut(&mut dyn FnMut())) -> Result<(), Box<dyn Error>> {
        let mut request = self.fresh();
        let mut outcome = Ok(());
        around(&mut || outcome = self.subject.sign(&mut request));
        outcome
    }
}

fn bind<S: Subject + 'static>(subject: S, case: &Case) -> Result<Box<dyn Bench>, Box<dyn Error>> {
    Ok(Box::new(Bound { subject, parts: case.parts()? }))
}

/// A subject and its name.
pub type Named = (&'static str, Box<dyn Bench>);

/// All subjects for one case, by name, this crate first.
///
/// # Errors
/// Of the signers' making.
pub fn all(case: &Case) -> Result<Vec<Named>, Box<dyn Error>> {
    Ok(vec![
        (OURS, bind(Ours::new(case)?, case)?),
        ("aws-sigv4", bind(AwsSigV4::new(case), case)?),
        ("reqsign", bind(Reqsign::new(case), case)?),
        ("limit", bind(Limit::new(case)?, case)?),
        ("hash", bind(Hash::new(case)?, case)?),
    ])
}

/// Makes nothing of a request: what the fixed-work mode does beside signing.
pub struct Nothing;

impl Subject for Nothing {
    type Request = Parts;

    fn prepare(&self, parts: Parts) -> Parts {
        parts
    }

    fn sign(&self, _: &mut Parts) -> Result<(), Box<dyn Error>> {
        Ok(())
    }

    fn headers<'a>(&self, request: &'a Parts) -> &'a HeaderMap {
        &request.headers
    }
}

/// The subject of a name for one case; `nothing` signs nothing.
///
/// # Errors
/// If no subject has this name.
pub fn named(name: &str, case: &Case) -> Result<Box<dyn Bench>, Box<dyn Error>> {
    if name == "nothing" {
        return bind(Nothing, case);
    }
    let found = all(case)?.into_iter().find(|(known, _)| *known == name);
    found.map(|(_, subject)| subject).ok_or_else(|| format!("no subject is named {name}").into())
}

/// The outcome of a future that has nothing to wait for.
fn now<T>(future: impl Future<Output = T>) -> Result<T, Box<dyn Error>> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => Ok(outcome),
        Poll::Pending => Err("a signature had to wait".into()),
    }
}

/// Bytes in lower-case hex.
fn hex(bytes: &[u8; 32]) -> [u8; 64] {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let mut out = [0; 64];
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    out
}
