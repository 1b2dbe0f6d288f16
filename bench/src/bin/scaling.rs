//! One signer under 1, 2, 4 and 8 threads, while its credentials rotate and its days pass; and over a million hosts.
//!
//! A clock that runs ten thousand times as fast as the machine's makes credentials of an hour last for a third of a second. Beside
//! the time, the threads' voluntary context switches are counted: each is a wait, for a lock or for work.

use std::error::Error;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::provider::{ProvideCredentials, future};
use aws_smithy_async::time::TimeSource;
use clap::Parser;
use futures_util::FutureExt;
use sigv4_bench::cases::Case;
use sigv4_middleware::{Credentials, Signer};

/// Measures one signer under several threads, and over many hosts.
#[derive(Parser)]
struct Options {
    /// A tenth of the signatures and of the hosts.
    #[arg(long)]
    quick: bool,
}

/// The machine's time, ten thousand times as fast from now on.
#[derive(Clone, Copy, Debug)]
struct FastClock {
    started: Instant,
    at: SystemTime,
}

impl TimeSource for FastClock {
    fn now(&self) -> SystemTime {
        self.at + self.started.elapsed() * 10_000
    }
}

/// New credentials for an hour at each call.
#[derive(Debug)]
struct Rotating {
    clock: FastClock,
    loads: Arc<AtomicU64>,
}

impl ProvideCredentials for Rotating {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let load = self.loads.fetch_add(1, Ordering::Relaxed);
        let expiry = self.clock.now() + Duration::from_secs(3600);
        let token = Some("IQoJb3JpZ2luX2VjEXAMPLE/".repeat(40));
        let (id, secret) = (format!("ASIA{load}"), format!("secret-{load}"));
        future::ProvideCredentials::ready(Ok(Credentials::new(id, secret, token, Some(expiry), "bench")))
    }
}

/// What one thread did.
struct Done {
    elapsed: Duration,
    waits: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let signatures = if options.quick { 40_000 } else { 400_000 };
    println!("{:>8} {:>16} {:>10} {:>10} {:>10}", "threads", "signatures/s", "ns", "rotations", "waits");
    for threads in [1, 2, 4, 8] {
        let (done, rotations, wall) = sign_in_threads(threads, signatures / threads)?;
        let waits: u64 = done.iter().map(|done| done.waits).sum();
        let count = (signatures / threads * threads) as f64;
        // Of one thread, its share of the cores taken into account.
        let cores = thread::available_parallelism()?.get().min(threads) as f64;
        let busy = done.iter().map(|done| done.elapsed.as_nanos() as f64).sum::<f64>() / threads as f64;
        println!(
            "{threads:>8} {:>16.0} {:>10.0} {rotations:>10} {waits:>10}",
            count / wall.as_secs_f64(),
            busy * cores / count
        );
    }
    over_many_hosts(if options.quick { 100_000 } else { 1_000_000 })
}

fn signer() -> Result<(Signer, Arc<AtomicU64>), Box<dyn Error>> {
    let clock = FastClock { started: Instant::now(), at: SystemTime::now() };
    let loads = Arc::new(AtomicU64::new(0));
    let provider = Rotating { clock, loads: Arc::clone(&loads) };
    Ok((Signer::builder().credentials(provider).time_source(clock).build()?, loads))
}

fn sign_in_threads(threads: usize, each: usize) -> Result<(Vec<Done>, u64, Duration), Box<dyn Error>> {
    let (signer, loads) = signer()?;
    let case = Case::named("get-token").ok_or("no such case")?;
    let started = Instant::now();
    let running: Vec<_> = (0..threads)
        .map(|_| {
            let (signer, parts) = (signer.clone(), case.parts());
            thread::spawn(move || {
                let parts = parts.map_err(|error| error.to_string())?;
                let (before, started) = (waits_of_this_thread(), Instant::now());
                for _ in 0..each {
                    sign(&signer, parts.clone()).map_err(|error| error.to_string())?;
                }
                let elapsed = started.elapsed();
                Ok::<_, String>(Done { elapsed, waits: waits_of_this_thread() - before })
            })
        })
        .collect();
    let mut done = Vec::new();
    for thread in running {
        done.push(thread.join().map_err(|_| "a thread panicked")??);
    }
    Ok((done, loads.load(Ordering::Relaxed) - 1, started.elapsed()))
}

fn sign(signer: &Signer, mut parts: http::request::Parts) -> Result<(), Box<dyn Error>> {
    Ok(signer.sign(&mut parts, "").now_or_never().ok_or("the signer waits")??)
}

fn over_many_hosts(count: usize) -> Result<(), Box<dyn Error>> {
    let (signer, _) = signer()?;
    let visit = |range: std::ops::Range<usize>| {
        for number in range {
            let uri = format!("https://{number:x}.execute-api.us-east-1.amazonaws.com/orders");
            sign(&signer, http::Request::get(uri).body(())?.into_parts().0)?;
        }
        Ok::<_, Box<dyn Error>>(())
    };
    visit(0..count / 100)?;
    let (before, started) = (resident_kib(), Instant::now());
    visit(count / 100..count)?;
    let grown = resident_kib().saturating_sub(before);
    println!(
        "{count} hosts: {grown} KiB more memory than after a hundredth of them, {:.0} ns for one signature",
        started.elapsed().as_nanos() as f64 / (count - count / 100) as f64
    );
    if grown > 1024 { Err("memory grows with the hosts".into()) } else { Ok(()) }
}

fn waits_of_this_thread() -> u64 {
    number("/proc/thread-self/status", "voluntary_ctxt_switches:")
}

fn resident_kib() -> u64 {
    number("/proc/self/status", "VmRSS:")
}

/// A number from one of the kernel's files; 0 if it is missing.
fn number(file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
